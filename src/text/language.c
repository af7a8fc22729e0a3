/* text/language.c: guessing a language from its script, its letters, its commonest small words and groups of letters.
 *
 * What it knows is the table below, written by hand: of each language the name, the script, how often it is met
 * (English 4, others 1 or 0.7), the letters that it has beside those its script shares, and some thirty function words;
 * and the groups of letters in language_groups.h, counted from texts.
 *   hits: a word that is in a language's list counts 1 / (number of lists it is in), so that "de", which half of
 *   Europe uses, says little; a letter of its own counts likewise, once a text, and a group of letters, 0.08 /
 *   (number of lists it is in) at each place; a language that has its script to itself gets one for six letters;
 *   strange: how many different letters of the text the language does not have.
 * Then
 *     weight = prior x share of the letters in its script x (1/2 + hits)^4 x 0.3^strange
 * and the confidence of a language is its part of all weights. One weight more stands for what is not in the table:
 * that of a language of which every seventh word were known. So a long text in such a language gives nobody much,
 * a single unknown word neither. docs/server.md has what was measured. */
#include "text/language.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include "text/language_groups.h"

enum { LONGEST_WORD = 32, MOST_CHARACTERS = 20000, MOST_STRANGE = 4 };

typedef struct language {
    const char *code, *name;
    UScriptCode script;
    double prior;
    const char *letters; /* beside those that its script shares */
    const char *words;   /* between single spaces, lower case, a space at both ends */
} language;

/* clang-format off */
static const language languages[] = {
    {"en", "English", USCRIPT_LATIN, 4, "",
     " love want go see know time good thanks car big house the of and to in is you that it he was for on are with as his they be at have this from or had by not but what all were we when your can said there an which she do how their if will up about out many then them these so her would has him more no my than who its now did get may i am cat dogs hello very me us where here every like please today right "},
    {"fr", "French", USCRIPT_LATIN, 1, "àâæçéèêëîïôœùûüÿ",
     " fatigué gare voiture chien maison bon le la les de des du un une et est en que qui dans pour pas sur au avec ce il elle je vous nous ne se sont plus par mais ou où cette ces mon ma mes son sa ses leur tu on être avoir fait très bien comme tout quand si y aux été ai as ont c'est n'est suis j'ai j'aime c'était d'un d'une l'on je merci bonjour aujourd'hui très chat deux aux "},
    {"de", "German", USCRIPT_LATIN, 1, "äöüß",
     " hallo danke gut haus bist der die das und ist in den von zu mit sich auf für nicht es im dem ein eine auch als an er sie ich wir ihr hat dass aus bei einen einem einer nach wie über nur noch aber wenn oder war sind kann man mir mich dich haben wird sein sehr wo hier heute bitte habe bin ihm ihn seine "},
    {"es", "Spanish", USCRIPT_LATIN, 1, "áéíñóúü",
     " estoy estás eres tengo tiene gato perro bien hola gracias gusta gustan quiere nada el la los las de que y en un una es por con no para se su al lo del como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos yo qué está soy fue "},
    {"it", "Italian", USCRIPT_LATIN, 1, "àèéìíîòóùú",
     " ciao sei hai bene grazie gatto vuole stanco il lo la i gli le di che e è un una in per non con del della dei sono si da al come ma più mi ti ci ha anche questo questa nel alla se cosa perché molto ho io lei lui noi dove quando "},
    {"pt", "Portuguese", USCRIPT_LATIN, 1, "ãáàâçéêíõóôúü",
     " gosto estou tenho você obrigado bem gato quer nada muito o a os as de que e do da em um uma para é com não por se na no mais dos das como mas foi ao ele ela seu sua ou ser quando muito há nos já está eu também só pelo pela até isso você são "},
    {"nl", "Dutch", USCRIPT_LATIN, 1, "éëïóöüèáê",
     " de het een en van ik te dat die in is je niet zijn op aan met als voor er maar om hem dan zou of wat mijn men dit zo door over ze zich bij ook tot mij uit haar was naar heb hoe heeft we wij "},
    {"sv", "Swedish", USCRIPT_LATIN, 1, "åäöé",
     " och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig du henne då sin nu har inte hans honom vi man vad kan när från ut blev "},
    {"da", "Danish", USCRIPT_LATIN, 0.7, "æøåé",
     " sidder hvorfor nogen noget meget og i jeg det at en den til er som på de med han af for ikke der var mig sig men et har om vi min havde ham hun nu over da fra du ud sin dem os op hvad hvor eller blev "},
    {"nb", "Norwegian", USCRIPT_LATIN, 0.7, "æøåéòô",
     " sitter hvorfor noen noe mye og i jeg det at en et den til er som på de med han av ikke der så var meg seg men ett har om vi min mitt ha hadde hun nå over da ved fra du ut sin dem oss opp hva hvor eller ble "},
    {"fi", "Finnish", USCRIPT_LATIN, 0.7, "äöåšž",
     " ja on ei se että hän oli en minä mutta ovat kun mitä tämä niin olen vain jos sinä me he ole mikä kuin kaikki nyt voi minun myös joka "},
    {"pl", "Polish", USCRIPT_LATIN, 1, "ąćęłńóśźż",
     " i w nie na się z jest to że do jak o co tak po za od ale czy tego ja ty on ona my wy dla przez być już tylko był było są może mnie gdzie kiedy ten ta "},
    {"cs", "Czech", USCRIPT_LATIN, 0.7, "áčďéěíňóřšťúůýž",
     " a se v je na že to s z do o i ve jsem jako pro by za ale co tak jsou po si od nebo který jeho už být není byl kde když ten jsi "},
    {"ro", "Romanian", USCRIPT_LATIN, 0.7, "ăâîșțşţ",
     " și de la în a un o nu este cu pe că să mai din ce au fost pentru sunt care dar am se eu el ea noi unde când foarte ai lui "},
    {"hu", "Hungarian", USCRIPT_LATIN, 0.7, "áéíóöőúüű",
     " a az és hogy nem egy is ez van csak de meg már volt ha mint mi te én ő vagy kell mit el le fel még nagyon itt ott "},
    {"tr", "Turkish", USCRIPT_LATIN, 1, "çğıöşüâîû",
     " ve bir bu da de için çok ben sen o ne mi var yok ile gibi daha ama kadar değil olarak sonra her şey nasıl ki benim "},
    {"id", "Indonesian", USCRIPT_LATIN, 1, "é",
     " yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke adalah ada kami kita dia mereka anda apa bisa sudah oleh "},
    {"vi", "Vietnamese", USCRIPT_LATIN, 1, "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ",
     " và của là không có được cho trong một những các người này với tôi đã đến khi để anh ở như cũng bạn rất "},
    {"eo", "Esperanto", USCRIPT_LATIN, 0.7, "ĉĝĥĵŝŭ",
     " la kaj de en estas al ne mi vi li ŝi ili kiu kiel sed por tio ĉi ke pri kun el tiu estis ĝi oni "},
    {"ru", "Russian", USCRIPT_CYRILLIC, 1, "йщъыьэюяё",
     " и в не на я быть он с что а по это она этот к но они мы весь который из у так же от ты для вы за о как мне его меня есть было "},
    {"uk", "Ukrainian", USCRIPT_CYRILLIC, 1, "йщьюяіїєґ",
     " і в не на я що він з це та до як але вони ми який із у так від ти для ви за про вона є був було мене його "},
    {"bg", "Bulgarian", USCRIPT_CYRILLIC, 0.7, "йщъьюя",
     " и на да се не е от за в с че по са като ще аз той тя но към това този които си ти ние беше "},
    {"el", "Greek", USCRIPT_GREEK, 1, "",
     ""},
    {"he", "Hebrew", USCRIPT_HEBREW, 1, "",
     " את של לא הוא אני זה על עם היא מה הם אנחנו כי אבל גם יש "},
    {"ar", "Arabic", USCRIPT_ARABIC, 1, "ةىكيأإؤئآء",
     " في من على أن إلى هذا لا ما هو مع كان عن هذه التي "},
    {"fa", "Persian", USCRIPT_ARABIC, 1, "پچژگکیآئءأؤ",
     " و در به از که این را با است برای آن یک می من تو "},
    {"hi", "Hindi", USCRIPT_DEVANAGARI, 1, "",
     " है और में के की से का को यह नहीं हैं पर कि वह मैं तुम हम आप था एक भी बहुत कहाँ मेरा हूँ "},
    {"bn", "Bengali", USCRIPT_BENGALI, 0.7, "",
     " এবং এই আমি তুমি না একটি করে হয় আছে থেকে জন্য "},
    {"ta", "Tamil", USCRIPT_TAMIL, 0.7, "",
     ""},
    {"th", "Thai", USCRIPT_THAI, 1, "",
     ""},
    {"ka", "Georgian", USCRIPT_GEORGIAN, 0.7, "",
     ""},
    {"hy", "Armenian", USCRIPT_ARMENIAN, 0.7, "",
     ""},
    {"zh", "Chinese", USCRIPT_HAN, 1, "",
     ""},
    {"ja", "Japanese", USCRIPT_HIRAGANA, 1, "",
     ""},
    {"ko", "Korean", USCRIPT_HANGUL, 1, "",
     ""},
    {"ca", "Catalan", USCRIPT_LATIN, 0.7, "àçèéíïòóúü·",
     " el la els les de que i un una en és no per amb va del al com més però si ha hi aquest aquesta seu són molt quan jo tu ell ella nosaltres també tot estic on gat avui "},
    {"gl", "Galician", USCRIPT_LATIN, 0.7, "áéíñóúü",
     " o a os as de que e do da en un unha é para con non por se no na máis como pero eu ti el ela nós foi ser está moi cando onde tamén todo esta este son gústame "},
    {"eu", "Basque", USCRIPT_LATIN, 0.7, "ñüç",
     " eta da ez bat du dira hau hori baina zen dut ere oso nire zure egin izan gara naiz zara bere nola non noiz zer dago duen baino gure kalean "},
    {"hr", "Croatian", USCRIPT_LATIN, 0.7, "čćđšž",
     " i u je na se da su za od s ne što kao ali iz o koji koja bi sam si ili ovo to gdje kada samo vrlo nije smo tko mi vi oni moj biti danas "},
    {"sk", "Slovak", USCRIPT_LATIN, 0.7, "áäčďéíĺľňóôŕšťúýž",
     " a v sa je na že to s z do o vo som ako pre by za ale čo tak sú po si od nie alebo ktorý jeho už byť bol kde keď ten veľmi "},
    {"sl", "Slovenian", USCRIPT_LATIN, 0.7, "čšž",
     " in v je na se da so za od z s ne ki kot pa ali iz o bi sem si to kje ko samo zelo ni smo kdo mi vi oni moj biti danes tudi "},
    {"lt", "Lithuanian", USCRIPT_LATIN, 0.7, "ąčęėįšųūž",
     " ir yra ne tai į iš kad su bet ar aš tu jis ji mes jūs jie kaip kur kada labai buvo apie ant už po tik mano savo šiandien "},
    {"lv", "Latvian", USCRIPT_LATIN, 0.7, "āčēģīķļņšūž",
     " un ir ne tas no uz ka ar bet vai es tu viņš viņa mēs jūs viņi kā kur kad ļoti bija par pie pēc tikai mans savu šodien kas "},
    {"et", "Estonian", USCRIPT_LATIN, 0.7, "äõöüšž",
     " ja on ei see et ma sa ta me te nad oli kui aga või mis kes kus millal väga ka ning oma minu sinu täna pole olen välja "},
    {"is", "Icelandic", USCRIPT_LATIN, 0.7, "áðéíóúýþæö",
     " og er að í á ekki sem það ég þú hann hún við þið þeir var með en til um af mjög hvað hver hvar núna þetta eru frá "},
    {"af", "Afrikaans", USCRIPT_LATIN, 0.7, "áéèêëîïôöûü",
     " die en is nie van in dat het ek jy hy sy ons julle hulle met vir was om te wat waar wanneer baie maar ook hierdie op my jou vandag "},
    {"sw", "Swahili", USCRIPT_LATIN, 0.7, "",
     " na ya wa ni kwa katika la cha za si yangu yako wake mimi wewe yeye sisi nyinyi wao hii hiyo sana lakini kama au leo hapa kuna yake "},
    {"tl", "Tagalog", USCRIPT_LATIN, 0.7, "ñ",
     " ang ng sa na at ay mga ako ikaw siya kami tayo sila hindi ito iyan para kung ko mo niya nang may wala saan kailan ngayon po dahil "},
    {"ms", "Malay", USCRIPT_LATIN, 0.7, "",
     " yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke adalah ada kami kita dia mereka awak apa boleh sudah oleh kerana "},
    {"sq", "Albanian", USCRIPT_LATIN, 0.7, "çë",
     " dhe në të i e një me për nga që nuk është si por unë ti ai ajo ne ju ata ky kjo ku kur shumë jam janë sot nga "},
    {"cy", "Welsh", USCRIPT_LATIN, 0.7, "âêîôûŵŷáéïö",
     " y yr a ac yn i o ar mae yw ei eu fy ei ni chi nhw hi ef fe am gan wedi ddim ond fel pan ble sydd oedd iawn "},
    {"ga", "Irish", USCRIPT_LATIN, 0.7, "áéíóú",
     " an na agus tá is ar i le go do ní sé sí mé tú siad muid sibh bhí ach mar nuair cá seo sin an-mhaith níl ag ó don "},
    {"mt", "Maltese", USCRIPT_LATIN, 0.7, "ċġħżàèìòù",
     " u il li ta ma fil hu hi jien int aħna huma dan din kif meta fejn imma għal minn jew hija mhux kien "},
    {"la", "Latin", USCRIPT_LATIN, 0.7, "",
     " et in est non ad cum ut sed qui quae quod ex de ab per si hic ille ego tu nos vos sunt esse aut nec atque enim "},
    {"az", "Azerbaijani", USCRIPT_LATIN, 0.7, "çəğıöşü",
     " və bir bu də üçün ki mən sən o biz siz onlar çox ilə deyil var yox amma kimi daha nə harada bizim mənim olan "},
    {"uz", "Uzbek", USCRIPT_LATIN, 0.7, "ʻʼ‘’",
     " va bir bu uchun men sen u biz siz ular bilan emas bor lekin kabi ham nima qayerda juda mening edi kerak bo'lgan esa "},
    {"so", "Somali", USCRIPT_LATIN, 0.7, "",
     " iyo waa in uu ay ka ku la oo ah ee aan wuxuu waxaa ma si kale sida laakiin waxay ayaa dad "},
    {"ha", "Hausa", USCRIPT_LATIN, 0.7, "ɓɗƙ",
     " da a na ya ta ba ne ce shi ita mu ku su wannan amma kuma domin wani yana suna cikin ni kai "},
    {"lb", "Luxembourgish", USCRIPT_LATIN, 0.7, "äéëüöâ",
     " an ass de d'e vun ech net dat den mir ech dir hien si ginn mat op fir wéi och awer eng en war sinn "},
    {"fo", "Faroese", USCRIPT_LATIN, 0.7, "áðíóúýæø",
     " og er at í á ikki sum tað eg tú hann hon vit tit tey var við men til um av hvat hvør hvar "},
    {"be", "Belarusian", USCRIPT_CYRILLIC, 0.7, "йыьэюяёіў",
     " і ў не на я што ён з гэта ты да як але яны мы які у так ад для вы за пра яна быў было мяне яго "},
    {"sr", "Serbian", USCRIPT_CYRILLIC, 0.7, "јђљњћџ",
     " и у је на се да су за од с не што као али из о који која би сам си или ово то где када само врло није смо ми ви они мој "},
    {"mk", "Macedonian", USCRIPT_CYRILLIC, 0.7, "јљњџѓќѕ",
     " и на да се не е од за во со што јас како но ќе кој ова многу каде кога сум сме тој таа ние вие тие мој "},
    {"kk", "Kazakh", USCRIPT_CYRILLIC, 0.7, "йщъыьэюяёәғқңөұүһі",
     " және бір бұл үшін мен сен ол біз сіз олар деп емес бар жоқ бірақ сияқты не қайда өте менің болды керек да де "},
    {"ky", "Kyrgyz", USCRIPT_CYRILLIC, 0.7, "йщъыьэюяёңөү",
     " жана бир бул үчүн мен сен ал биз сиз алар деп эмес бар жок бирок сыяктуу эмне кайда абдан менин болду керек да "},
    {"mn", "Mongolian", USCRIPT_CYRILLIC, 0.7, "йщъыьэюяёөү",
     " нь бол ба байна энэ тэр би чи бид та тэд юм биш гэж болон их хаана хэзээ юу миний байсан дээр "},
    {"tg", "Tajik", USCRIPT_CYRILLIC, 0.7, "йъэюяёғӣқӯҳҷ",
     " ва дар ба аз ки ин бо барои ман ту ӯ мо шумо онҳо аст нест лекин чун куҷо хеле ман буд як "},
    {"ur", "Urdu", USCRIPT_ARABIC, 0.7, "پچژگکیٹڈڑںہےھآئءؤ",
     " اور کے میں ہے کی سے کا کو یہ نہیں ہیں پر کہ وہ میں تم ہم آپ تھا ایک بھی "},
    {"ps", "Pashto", USCRIPT_ARABIC, 0.7, "پچژګکیټډړږښځڅېۍئآء",
     " او په د چې دی له نه ده زه ته هغه موږ تاسو دا کې سره وو یو "},
    {"mr", "Marathi", USCRIPT_DEVANAGARI, 0.7, "",
     " आणि आहे मी तू तो ती आम्ही तुम्ही ते नाही हे या की मध्ये साठी काय कुठे खूप होते माझे आहेत "},
    {"ne", "Nepali", USCRIPT_DEVANAGARI, 0.7, "",
     " र छ म तिमी ऊ हामी तपाईं यो त्यो छैन मा को लाई हो भने के कहाँ धेरै थियो मेरो छन् पनि "},
    {"as", "Assamese", USCRIPT_BENGALI, 0.7, "ৰৱ",
     " আৰু এই মই তুমি নহয় এটা কৰি হয় "},
    {"yi", "Yiddish", USCRIPT_HEBREW, 0.7, "",
     " און איך דו ער זי מיר איר זיי איז נישט דער די דאס אין צו מיט פון "},
    {"te", "Telugu", USCRIPT_TELUGU, 0.7, "",
     ""},
    {"kn", "Kannada", USCRIPT_KANNADA, 0.7, "",
     ""},
    {"ml", "Malayalam", USCRIPT_MALAYALAM, 0.7, "",
     ""},
    {"gu", "Gujarati", USCRIPT_GUJARATI, 0.7, "",
     ""},
    {"pa", "Punjabi", USCRIPT_GURMUKHI, 0.7, "",
     ""},
    {"or", "Odia", USCRIPT_ORIYA, 0.7, "",
     ""},
    {"si", "Sinhala", USCRIPT_SINHALA, 0.7, "",
     ""},
    {"km", "Khmer", USCRIPT_KHMER, 0.7, "",
     ""},
    {"lo", "Lao", USCRIPT_LAO, 0.7, "",
     ""},
    {"my", "Burmese", USCRIPT_MYANMAR, 0.7, "",
     ""},
    {"bo", "Tibetan", USCRIPT_TIBETAN, 0.7, "",
     ""},
    {"am", "Amharic", USCRIPT_ETHIOPIC, 0.7, "",
     ""},
    {"dv", "Dhivehi", USCRIPT_THAANA, 0.7, "",
     ""},
};
/* clang-format on */
enum { LANGUAGES = sizeof languages / sizeof languages[0] };

/* ---- groups of letters ---- */

enum { LONGEST_GROUP = 4, MOST_GROUPS = 8000, GROUP_SIZE = LONGEST_GROUP * U8_MAX_LENGTH + 1 };

/* The groups of all languages, sorted by their bytes. */
typedef struct group {
    char text[GROUP_SIZE];
    unsigned char language;
} group;

static group index_of_groups[MOST_GROUPS]; /* read only once it is made */
static size_t group_count;
static pthread_once_t indexed = PTHREAD_ONCE_INIT;

static int by_text(const void *a, const void *b) {
    return strcmp(((const group *)a)->text, ((const group *)b)->text);
}

static size_t find_language(const char *code) {
    size_t i = 0;
    while (i < LANGUAGES && strcmp(languages[i].code, code) != 0) {
        i++;
    }
    return i;
}

static void make_index(void) {
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        size_t number = find_language(groups[i].code);
        for (const char *at = groups[i].text; *at != '\0' && group_count < MOST_GROUPS;) {
            size_t length = strcspn(++at, " ");
            if (length > 0 && length < GROUP_SIZE) {
                group *added = &index_of_groups[group_count++];
                snprintf(added->text, sizeof added->text, "%.*s", (int)length, at);
                added->language = (unsigned char)number;
            }
            at += length;
        }
    }
    qsort(index_of_groups, group_count, sizeof *index_of_groups, by_text);
}

const char *attn_language_name(const char *code) {
    for (size_t i = 0; i < LANGUAGES; i++) {
        if (strcmp(languages[i].code, code) == 0) {
            return languages[i].name;
        }
    }
    return code;
}

/* ---- what was seen of a text ---- */

typedef struct evidence {
    double hits[LANGUAGES];
    int strange[LANGUAGES];
    double letters, of_script[LANGUAGES];
    double kana;
    size_t words;
    UChar32 seen[64]; /* letters that a script does not share, each once */
    size_t seen_count;
} evidence;

static void count_group(evidence *e, const char *text, size_t length) {
    group wanted;
    memcpy(wanted.text, text, length);
    wanted.text[length] = '\0';
    const group *found = bsearch(&wanted, index_of_groups, group_count, sizeof wanted, by_text);
    if (found == NULL) {
        return;
    }
    const group *first = found, *end = found + 1, *all = index_of_groups + group_count;
    while (first > index_of_groups && by_text(first - 1, &wanted) == 0) {
        first--;
    }
    while (end < all && by_text(end, &wanted) == 0) {
        end++;
    }
    for (const group *g = first; g < end; g++) {
        e->hits[g->language] += 0.08 / (double)(end - first);
    }
}

/* word: between signs for its ends. */
static void count_groups(evidence *e, const char *word, size_t length) {
    pthread_once(&indexed, make_index);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        for (int letters = 0; letters < LONGEST_GROUP && end < length; letters++) {
            U8_FWD_1(word, end, length);
            count_group(e, word + at, end - at);
        }
        U8_FWD_1(word, at, length);
    }
}

static void count_word(evidence *e, const char *word, size_t length) {
    char framed[LONGEST_WORD + 3];
    size_t found[LANGUAGES], count = 0;
    framed[0] = ' ';
    memcpy(framed + 1, word, length);
    memcpy(framed + 1 + length, " ", 2);
    for (size_t i = 0; i < LANGUAGES; i++) {
        if (strstr(languages[i].words, framed) != NULL) {
            found[count++] = i;
        }
    }
    for (size_t i = 0; i < count; i++) {
        e->hits[found[i]] += 1.0 / (double)count;
    }
    e->words++;
    framed[0] = framed[length + 1] = '_';
    count_groups(e, framed, length > 0 ? length + 2 : 0);
}

/* Letters that all languages of a script have. */
static bool is_shared(UChar32 c, UScriptCode script) {
    static const char cyrillic[] = "абвгдежзиклмнопрстуфхцчш";
    static const char arabic[] = "ابتثجحخدذرزسشصضطظعغفقلمنهو";
    char bytes[8];
    size_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, c);
    bytes[length] = '\0';
    switch (script) {
    case USCRIPT_LATIN:
        return c < 0x80;
    case USCRIPT_CYRILLIC:
        return strstr(cyrillic, bytes) != NULL;
    case USCRIPT_ARABIC:
        return strstr(arabic, bytes) != NULL;
    default:
        return true;
    }
}

/* A letter that not all languages of its script have, at its first time. */
static void judge_letter(evidence *e, UChar32 c, UScriptCode script) {
    char bytes[8];
    size_t length = 0, count = 0;
    for (size_t i = 0; i < e->seen_count; i++) {
        if (e->seen[i] == c) {
            return;
        }
    }
    if (e->seen_count == sizeof e->seen / sizeof e->seen[0]) {
        return;
    }
    e->seen[e->seen_count++] = c;
    U8_APPEND_UNSAFE(bytes, length, c);
    bytes[length] = '\0';
    for (size_t i = 0; i < LANGUAGES; i++) {
        count += languages[i].script == script && strstr(languages[i].letters, bytes) != NULL;
    }
    for (size_t i = 0; i < LANGUAGES && count > 0; i++) {
        if (languages[i].script != script) {
            continue;
        }
        if (strstr(languages[i].letters, bytes) != NULL) {
            e->hits[i] += 1.0 / (double)count;
        } else {
            e->strange[i]++;
        }
    }
}

static void count_letter(evidence *e, UChar32 c) {
    UErrorCode code = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript(c, &code);
    e->letters++;
    if (script == USCRIPT_KATAKANA) {
        script = USCRIPT_HIRAGANA;
    }
    e->kana += script == USCRIPT_HIRAGANA;
    for (size_t i = 0; i < LANGUAGES; i++) {
        e->of_script[i] += languages[i].script == script;
    }
    if (!is_shared(u_tolower(c), script)) {
        judge_letter(e, u_tolower(c), script);
    }
}

static void collect(evidence *e, const char *text, size_t length) {
    char word[LONGEST_WORD];
    size_t used = 0, seen = 0;
    bool fits = true;
    for (size_t at = 0; at < length && seen < MOST_CHARACTERS; seen++) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        if (c < 0) {
            break;
        }
        bool apostrophe = (c == '\'' || c == 0x2019) && used > 0;
        bool mark = (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0 && used > 0;
        if (u_isalpha(c)) {
            count_letter(e, c);
        }
        if (u_isalpha(c) || apostrophe || mark) {
            UChar32 lower = apostrophe ? '\'' : u_tolower(c);
            fits = fits && used + U8_MAX_LENGTH <= LONGEST_WORD;
            if (fits) {
                U8_APPEND_UNSAFE(word, used, lower);
            }
            continue;
        }
        if (used > 0) {
            count_word(e, word, fits ? used : 0);
        }
        used = 0;
        fits = true;
    }
    if (used > 0) {
        count_word(e, word, fits ? used : 0);
    }
}

/* ---- weights ---- */

/* The share of the letters that the language could have written. */
static double script_share(const evidence *e, size_t i) {
    if (e->letters == 0) {
        return 0;
    }
    double share = e->of_script[i] / e->letters;
    if (languages[i].script == USCRIPT_HIRAGANA && e->kana > 0) {
        double han = 0;
        for (size_t j = 0; j < LANGUAGES; j++) {
            han = languages[j].script == USCRIPT_HAN ? e->of_script[j] : han;
        }
        share = (e->kana + han) / e->letters;
    } else if (languages[i].script == USCRIPT_HAN && e->kana > 0) {
        share *= 0.1; /* Japanese is written with Han too */
    }
    return share;
}

static double to_fourth(double x) {
    return x * x * x * x;
}

/* A language that has its script to itself needs no words: its letters tell. */
static double hits_of(const evidence *e, size_t i) {
    enum { LETTERS = 6 };
    bool alone = languages[i].words[0] == '\0';
    return alone ? script_share(e, i) * e->letters / LETTERS : e->hits[i];
}

static double weigh(const evidence *e, size_t i) {
    double weight = languages[i].prior * script_share(e, i) * to_fourth(0.5 + hits_of(e, i));
    int strange = e->strange[i] < MOST_STRANGE ? e->strange[i] : MOST_STRANGE;
    while (strange-- > 0) {
        weight *= 0.3;
    }
    return weight;
}

/* The weight of what the table does not hold; it writes in scripts that several languages share. */
static double weigh_unknown(const evidence *e) {
    double share = 0, hits = 0.5 + 0.15 * (double)e->words;
    for (size_t i = 0; i < LANGUAGES; i++) {
        bool shared =
            languages[i].script == USCRIPT_LATIN || languages[i].script == USCRIPT_CYRILLIC ||
            languages[i].script == USCRIPT_ARABIC || languages[i].script == USCRIPT_DEVANAGARI;
        share = shared && e->letters > 0 && e->of_script[i] / e->letters > share
                    ? e->of_script[i] / e->letters
                    : share;
    }
    return 0.3 * share * to_fourth(hits);
}

/* Whether the language could have written nine of ten letters: quotations in another script are not the text. */
static bool writes_nearly_all(const evidence *e, const char *code) {
    for (size_t i = 0; i < LANGUAGES; i++) {
        if (strcmp(languages[i].code, code) == 0) {
            return script_share(e, i) >= 0.9;
        }
    }
    return false;
}

static int by_confidence(const void *a, const void *b) {
    const attn_language_guess *x = a, *y = b;
    return (x->confidence < y->confidence) - (x->confidence > y->confidence);
}

/* all: [LANGUAGES], most likely first. */
static void rank_all(const evidence *e, attn_language_guess *all) {
    double total = weigh_unknown(e);
    for (size_t i = 0; i < LANGUAGES; i++) {
        all[i] = (attn_language_guess){languages[i].code, weigh(e, i)};
        total += all[i].confidence;
    }
    for (size_t i = 0; i < LANGUAGES && total > 0; i++) {
        all[i].confidence *= 100 / total;
    }
    qsort(all, LANGUAGES, sizeof *all, by_confidence);
}

size_t attn_language_rank(const char *text, size_t length, attn_language_guess *guesses,
                          size_t room) {
    evidence e = {0};
    attn_language_guess all[LANGUAGES];
    size_t count = 0;
    collect(&e, text, length);
    rank_all(&e, all);
    for (; count < LANGUAGES && count < room && all[count].confidence > 0; count++) {
        guesses[count] = all[count];
    }
    return count;
}

static double confidence_of(const attn_language_guess *all, size_t count, const char *code) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].code, code) == 0) {
            return all[i].confidence;
        }
    }
    return 0;
}

void attn_language_detect(const char *text, size_t length, const char *const *codes, size_t count,
                          attn_language_guess *guesses) {
    attn_language_guess all[LANGUAGES];
    size_t ranked = attn_language_rank(text, length, all, LANGUAGES);
    for (size_t c = 0; c < count; c++) {
        char code[ATTN_LANGUAGE_CODE_SIZE];
        attn_language_normalize(codes[c], code);
        guesses[c] = (attn_language_guess){codes[c], confidence_of(all, ranked, code)};
    }
    for (size_t c = 1; c < count; c++) { /* equal ones stay in their order */
        attn_language_guess moved = guesses[c];
        size_t at = c;
        for (; at > 0 && guesses[at - 1].confidence < moved.confidence; at--) {
            guesses[at] = guesses[at - 1];
        }
        guesses[at] = moved;
    }
}

bool attn_language_is_already(const char *text, size_t length, const char *source,
                              const char *target) {
    enum { SURE = 90, NOT = 3, ENOUGH_WORDS = 3, ENOUGH_LETTERS = 9 };
    evidence e = {0};
    attn_language_guess all[LANGUAGES];
    char wanted[ATTN_LANGUAGE_CODE_SIZE], other[ATTN_LANGUAGE_CODE_SIZE];
    attn_language_normalize(target, wanted);
    attn_language_normalize(source, other);
    if (strcmp(wanted, other) == 0) {
        return false;
    }
    collect(&e, text, length);
    if (e.words < ENOUGH_WORDS && e.letters < ENOUGH_LETTERS) {
        return false;
    }
    rank_all(&e, all);
    return strcmp(all[0].code, wanted) == 0 && all[0].confidence >= SURE &&
           confidence_of(all, LANGUAGES, other) < NOT && writes_nearly_all(&e, wanted);
}

/* ---- codes ---- */

size_t attn_language_count(void) {
    return LANGUAGES;
}

const char *attn_language_code(size_t i) {
    return languages[i].code;
}

bool attn_language_same(const char *a, const char *b) {
    char x[ATTN_LANGUAGE_CODE_SIZE], y[ATTN_LANGUAGE_CODE_SIZE];
    if (strcmp(a, b) == 0) {
        return true;
    }
    attn_language_normalize(a, x);
    attn_language_normalize(b, y);
    return strcmp(x, y) == 0;
}

void attn_language_normalize(const char *code, char out[ATTN_LANGUAGE_CODE_SIZE]) {
    static const char *const others[][2] = {{"no", "nb"},  {"iw", "he"},      {"in", "id"},
                                            {"ji", "yi"},  {"fil", "tl"},     {"jw", "jv"},
                                            {"mo", "ro"},  {"zt", "zh-Hant"}, {"zht", "zh-Hant"},
                                            {"zhs", "zh"}, {"cmn", "zh"},     {"nob", "nb"}};
    char canonical[64], script[8] = "", primary[8] = "", region[8] = "";
    UErrorCode status = U_ZERO_ERROR;
    snprintf(canonical, sizeof canonical, "%s", code);
    for (char *c = canonical; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : (char)tolower((unsigned char)*c);
    }
    uloc_getLanguage(canonical, primary, sizeof primary, &status);
    uloc_getScript(canonical, script, sizeof script, &status);
    uloc_getCountry(canonical, region, sizeof region, &status);
    bool known = U_SUCCESS(status) && status != U_STRING_NOT_TERMINATED_WARNING && primary[0] != 0;
    snprintf(out, ATTN_LANGUAGE_CODE_SIZE, "%.*s", ATTN_LANGUAGE_CODE_SIZE - 1,
             known ? primary : code);
    bool traditional =
        strcmp(region, "TW") == 0 || strcmp(region, "HK") == 0 || strcmp(region, "MO") == 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(out, others[i][0]) == 0) {
            snprintf(out, ATTN_LANGUAGE_CODE_SIZE, "%s", others[i][1]);
        }
    }
    if (strcmp(out, "zh") == 0 &&
        (strcmp(script, "Hant") == 0 || (script[0] == '\0' && traditional))) {
        snprintf(out, ATTN_LANGUAGE_CODE_SIZE, "zh-Hant");
    }
}
