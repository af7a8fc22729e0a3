/* text/language.c: guessing a language from its script and its commonest small words.
 *
 * What it knows is the table below, written by hand: the name, the script and some thirty function
 * words of each language. A word of the text that is in a language's list counts 1 / (number of lists
 * it is in), so that "de", which half of Europe uses, says little. Then
 *     weight = prior x share of the text's letters in the language's script x (1/2 + hits)^2
 * with prior 1 for a language that was asked about and 1/20 for the others, and the confidence of
 * a language is its part of all weights: a long text in a language that was not asked about gives
 * every candidate little confidence, a single unknown word something in between. */
#include "text/language.h"

#include <stdbool.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

enum { LONGEST_WORD = 32, MOST_CHARACTERS = 20000 };

typedef struct language {
    const char *code, *name;
    UScriptCode script;
    const char *words; /* between single spaces, lower case, a space at both ends */
} language;

/* clang-format off */
static const language languages[] = {
    {"en", "English", USCRIPT_LATIN, " the of and to in is you that it he was for on are with as his they be at have this from or had by not but what all were we when your can said there an which she do how their if will up about out many then them these so her would has him more no my than who its now did get may "},
    {"fr", "French", USCRIPT_LATIN, " le la les de des du un une et est en que qui dans pour pas sur au avec ce il elle je vous nous ne se sont plus par mais ou où cette ces mon ma mes son sa ses leur tu on être avoir fait très bien comme tout quand si y aux été ai as ont c'est n'est "},
    {"de", "German", USCRIPT_LATIN, " der die das und ist in den von zu mit sich auf für nicht es im dem ein eine auch als an er sie ich wir ihr hat dass aus bei einen einem einer nach wie über nur noch aber wenn oder war sind kann man mir mich dich haben wird sein "},
    {"es", "Spanish", USCRIPT_LATIN, " el la los las de que y en un una es por con no para se su al lo del como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos yo qué está soy fue "},
    {"it", "Italian", USCRIPT_LATIN, " il lo la i gli le di che e è un una in per non con del della dei sono si da al come ma più mi ti ci ha anche questo questa nel alla se cosa perché molto ho io lei lui noi dove quando "},
    {"pt", "Portuguese", USCRIPT_LATIN, " o a os as de que e do da em um uma para é com não por se na no mais dos das como mas foi ao ele ela seu sua ou ser quando muito há nos já está eu também só pelo pela até isso você são "},
    {"nl", "Dutch", USCRIPT_LATIN, " de het een en van ik te dat die in is je niet zijn op aan met als voor er maar om hem dan zou of wat mijn men dit zo door over ze zich bij ook tot mij uit haar was naar heb hoe heeft we wij "},
    {"sv", "Swedish", USCRIPT_LATIN, " och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig du henne då sin nu har inte hans honom vi man vad kan när från ut blev "},
    {"da", "Danish", USCRIPT_LATIN, " og i jeg det at en den til er som på de med han af for ikke der var mig sig men et har om vi min havde ham hun nu over da fra du ud sin dem os op hvad hvor eller blev "},
    {"nb", "Norwegian", USCRIPT_LATIN, " og i jeg det at en et den til er som på de med han av ikke der så var meg seg men ett har om vi min mitt ha hadde hun nå over da ved fra du ut sin dem oss opp hva hvor eller ble "},
    {"fi", "Finnish", USCRIPT_LATIN, " ja on ei se että hän oli en minä mutta ovat kun mitä tämä niin olen vain jos sinä me he ole mikä kuin kaikki nyt voi minun myös joka "},
    {"pl", "Polish", USCRIPT_LATIN, " i w nie na się z jest to że do jak o co tak po za od ale czy tego ja ty on ona my wy dla przez być już tylko był było są może mnie gdzie kiedy ten ta "},
    {"cs", "Czech", USCRIPT_LATIN, " a se v je na že to s z do o i ve jsem jako pro by za ale co tak jsou po si od nebo který jeho už být není byl kde když ten jsi "},
    {"ro", "Romanian", USCRIPT_LATIN, " și de la în a un o nu este cu pe că să mai din ce au fost pentru sunt care dar am se eu el ea noi unde când foarte ai lui "},
    {"hu", "Hungarian", USCRIPT_LATIN, " a az és hogy nem egy is ez van csak de meg már volt ha mint mi te én ő vagy kell mit el le fel még nagyon itt ott "},
    {"tr", "Turkish", USCRIPT_LATIN, " ve bir bu da de için çok ben sen o ne mi var yok ile gibi daha ama kadar değil olarak sonra her şey nasıl ki benim "},
    {"id", "Indonesian", USCRIPT_LATIN, " yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke adalah ada kami kita dia mereka anda apa bisa sudah oleh "},
    {"vi", "Vietnamese", USCRIPT_LATIN, " và của là không có được cho trong một những các người này với tôi đã đến khi để anh ở như cũng bạn rất "},
    {"eo", "Esperanto", USCRIPT_LATIN, " la kaj de en estas al ne mi vi li ŝi ili kiu kiel sed por tio ĉi ke pri kun el tiu estis ĝi oni "},
    {"ru", "Russian", USCRIPT_CYRILLIC, " и в не на я быть он с что а по это она этот к но они мы весь который из у так же от ты для вы за о как мне его меня есть было "},
    {"uk", "Ukrainian", USCRIPT_CYRILLIC, " і в не на я що він з це та до як але вони ми який із у так від ти для ви за про вона є був було мене його "},
    {"bg", "Bulgarian", USCRIPT_CYRILLIC, " и на да се не е от за в с че по са като ще аз той тя но към това този които си ти ние беше "},
    {"el", "Greek", USCRIPT_GREEK, ""}, {"he", "Hebrew", USCRIPT_HEBREW, ""},
    {"ar", "Arabic", USCRIPT_ARABIC, " في من على أن إلى هذا لا ما هو مع كان عن هذه التي "},
    {"fa", "Persian", USCRIPT_ARABIC, " و در به از که این را با است برای آن یک می من تو "},
    {"hi", "Hindi", USCRIPT_DEVANAGARI, ""}, {"bn", "Bengali", USCRIPT_BENGALI, ""},
    {"ta", "Tamil", USCRIPT_TAMIL, ""}, {"th", "Thai", USCRIPT_THAI, ""},
    {"ka", "Georgian", USCRIPT_GEORGIAN, ""}, {"hy", "Armenian", USCRIPT_ARMENIAN, ""},
    {"zh", "Chinese", USCRIPT_HAN, ""}, {"ja", "Japanese", USCRIPT_HIRAGANA, ""},
    {"ko", "Korean", USCRIPT_HANGUL, ""},
};
/* clang-format on */
enum { LANGUAGES = sizeof languages / sizeof languages[0] };

const char *attn_language_name(const char *code) {
    for (size_t i = 0; i < LANGUAGES; i++) {
        if (strcmp(languages[i].code, code) == 0) {
            return languages[i].name;
        }
    }
    return code;
}

/* What was seen of a text. */
typedef struct evidence {
    double hits[LANGUAGES];
    double letters, of_script[LANGUAGES];
    double kana;
} evidence;

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
        bool own = languages[i].script == script;
        /* Japanese is written with Han too: whether a text is, its kana tell. */
        e->of_script[i] += own;
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
        if (u_isalpha(c)) {
            count_letter(e, c);
        }
        if (u_isalpha(c) || apostrophe) {
            UChar32 lower = apostrophe ? '\'' : u_tolower(c);
            fits = fits && used + U8_MAX_LENGTH <= LONGEST_WORD;
            if (fits) {
                U8_APPEND_UNSAFE(word, used, lower);
            }
            continue;
        }
        if (fits && used > 0) {
            count_word(e, word, used);
        }
        used = 0;
        fits = true;
    }
    if (fits && used > 0) {
        count_word(e, word, used);
    }
}

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
        share *= 0.1;
    }
    return share;
}

void attn_language_detect(const char *text, size_t length, const char *const *codes, size_t count,
                          attn_language_guess *guesses) {
    evidence e = {0};
    double total = 0;
    collect(&e, text, length);
    for (size_t c = 0; c < count; c++) {
        guesses[c] = (attn_language_guess){codes[c], 0};
    }
    for (size_t i = 0; i < LANGUAGES; i++) {
        double hits = 0.5 + e.hits[i], weight = script_share(&e, i) * hits * hits;
        size_t asked = count;
        for (size_t c = 0; c < count && asked == count; c++) {
            asked = strcmp(codes[c], languages[i].code) == 0 ? c : count;
        }
        weight *= asked < count ? 1 : 0.05;
        total += weight;
        if (asked < count) {
            guesses[asked].confidence = weight;
        }
    }
    for (size_t c = 0; c < count; c++) {
        guesses[c].confidence = total > 0 ? 100 * guesses[c].confidence / total : 0;
    }
    for (size_t c = 1; c < count; c++) {
        attn_language_guess moved = guesses[c];
        size_t at = c;
        for (; at > 0 && guesses[at - 1].confidence < moved.confidence; at--) {
            guesses[at] = guesses[at - 1];
        }
        guesses[at] = moved;
    }
}
