/* Guessing languages: scripts, letters, small words, and honesty about what is too short to tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "text/language.h"

/* An everyday sentence or two in each language. */
static const char *const samples[][2] = {
    {"en", "The cat is on the table and it looks at you."},
    {"fr", "Le chat est sur la table et il vous regarde."},
    {"de", "Die Katze ist auf dem Tisch und sie sieht dich."},
    {"es", "El gato está en la mesa y no quiere bajar."},
    {"it", "Il gatto è sul tavolo e non vuole scendere."},
    {"pt", "O gato está em cima da mesa e não quer descer."},
    {"nl", "De kat zit op de tafel en hij wil er niet af."},
    {"sv", "Katten sitter på bordet och vill inte gå ner."},
    {"da", "Katten sidder på bordet, og jeg ved ikke hvad den vil."},
    {"nb", "Katten sitter på bordet, og jeg vet ikke hva den vil nå."},
    {"fi", "Kissa on pöydällä, mutta minä en tiedä, mitä se haluaa."},
    {"pl", "Kot jest na stole i nie chce zejść."},
    {"cs", "Kočka je na stole a já nevím, co chce, ale už jsem tady."},
    {"sk", "Mačka je na stole a ja neviem, čo chce, keď som tu."},
    {"sl", "Mačka je na mizi in ne vem, kaj hoče, ker sem tukaj tudi jaz."},
    {"hr", "Mačka je na stolu i ne znam što želi, jer nije gladna, nego što drugo."},
    {"ro", "Pisica este pe masă și nu vrea să coboare."},
    {"hu", "A macska az asztalon ül, és nem akar lejönni."},
    {"tr", "Kedi masanın üzerinde ve çok güzel bir kedi."},
    {"az", "Pişik masanın üstündədir və çox gözəl bir pişikdir."},
    {"id", "Kucing itu ada di atas meja dan dia tidak mau turun, kami bisa melihat."},
    {"vi", "Con mèo ở trên bàn và nó không muốn xuống."},
    {"eo", "La kato estas sur la tablo kaj ĝi ne volas malsupreniri."},
    {"ca", "El gat és damunt la taula i no vol baixar amb els altres, però avui sí."},
    {"eu", "Katua mahai gainean dago eta ez du jaitsi nahi, baina oso ona da."},
    {"lt", "Katė yra ant stalo ir nenori nulipti, bet aš žinau, kad ji alkana."},
    {"lv", "Kaķis ir uz galda un es nezinu, ko viņš grib."},
    {"et", "Kass on laua peal ja ma ei tea, mida ta tahab, aga see on väga hea."},
    {"is", "Kötturinn er á borðinu og ég veit ekki hvað hann vill."},
    {"af", "Die kat is op die tafel en hy wil nie afkom nie."},
    {"sw", "Paka yuko juu ya meza na hataki kushuka kwa sababu ya mbwa."},
    {"tl", "Ang pusa ay nasa ibabaw ng mesa at hindi ito bumababa."},
    {"sq", "Macja është mbi tavolinë dhe nuk do të zbresë."},
    {"cy", "Mae'r gath ar y bwrdd ac mae hi yn edrych ar y ci."},
    {"ga", "Tá an cat ar an mbord agus níl sé ag teacht anuas."},
    {"mt", "Il-qattus huwa fuq il-mejda u ma jridx jinżel għal xejn."},
    {"la", "Feles in mensa est et non vult descendere, sed canis ad ianuam sedet."},
    {"uz", "Mushuk stol ustida va u pastga tushmoqchi emas, lekin men uchun bu juda yaxshi."},
    {"so", "Bisadu waa miiska dushiisa oo waxay rabtaa in ay hoos u degto."},
    {"ru", "Кошка сидит на столе, и я не знаю, что она хочет."},
    {"uk", "Кішка сидить на столі, і я не знаю, що вона хоче."},
    {"bg", "Котката е на масата и не иска да слезе, но аз съм тук."},
    {"be", "Кошка сядзіць на стале, і я не ведаю, што яна хоча."},
    {"sr", "Мачка је на столу и не знам шта жели, али ја сам ту."},
    {"mk", "Мачката е на масата и не знам што сака, но јас сум тука."},
    {"kk", "Мысық үстелдің үстінде және ол түскісі келмейді."},
    {"mn", "Муур ширээн дээр байна, тэр буухыг хүсэхгүй байна."},
    {"el", "Η γάτα είναι πάνω στο τραπέζι."},
    {"ar", "القطة على الطاولة ولا تريد أن تنزل."},
    {"fa", "گربه روی میز است و نمی‌خواهد پایین بیاید."},
    {"ur", "بلی میز پر ہے اور وہ نیچے نہیں آنا چاہتی۔"},
    {"he", "החתול על השולחן והוא לא רוצה לרדת."},
    {"hi", "बिल्ली मेज़ पर है और वह नीचे नहीं आना चाहती।"},
    {"mr", "मांजर टेबलावर आहे आणि ते खाली येत नाही."},
    {"ne", "बिरालो टेबलमा छ र यो तल आउन चाहँदैन।"},
    {"bn", "বিড়ালটি টেবিলের উপর আছে।"},
    {"ta", "பூனை மேசையின் மேல் உள்ளது."},
    {"te", "పిల్లి బల్ల మీద ఉంది."},
    {"kn", "ಬೆಕ್ಕು ಮೇಜಿನ ಮೇಲೆ ಇದೆ."},
    {"ml", "പൂച്ച മേശപ്പുറത്തുണ്ട്."},
    {"gu", "બિલાડી ટેબલ પર છે."},
    {"pa", "ਬਿੱਲੀ ਮੇਜ਼ ਉੱਤੇ ਹੈ।"},
    {"si", "පූසා මේසය උඩ."},
    {"th", "แมวอยู่บนโต๊ะ"},
    {"lo", "ແມວຢູ່ເທິງໂຕະ"},
    {"km", "ឆ្មានៅលើតុ"},
    {"my", "ကြောင်က စားပွဲပေါ်မှာ"},
    {"ka", "კატა მაგიდაზეა."},
    {"hy", "Կատուն սեղանի վրա է:"},
    {"am", "ድመቷ ጠረጴዛው ላይ ናት።"},
    {"zh", "猫在桌子上，不想下来。"},
    {"ja", "猫はテーブルの上にいます。"},
    {"ko", "고양이는 탁자 위에 있습니다."},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static void finds_the_language(void **unused) {
    (void)unused;
    assert_true(attn_language_count() >= 80 && SAMPLES >= 70);
    for (size_t i = 0; i < SAMPLES; i++) {
        attn_language_guess guesses[3];
        size_t count = attn_language_rank(samples[i][1], strlen(samples[i][1]), guesses, 3);
        assert_true(count > 0);
        if (strcmp(guesses[0].code, samples[i][0]) != 0 || guesses[0].confidence < 40) {
            fail_msg("%s: %s %.1f, %s %.1f", samples[i][0], guesses[0].code, guesses[0].confidence,
                     count > 1 ? guesses[1].code : "", count > 1 ? guesses[1].confidence : 0);
        }
        double sum = 0;
        for (size_t g = 0; g < count; g++) {
            sum += guesses[g].confidence;
        }
        assert_true(sum <= 100.001);
        assert_string_not_equal(attn_language_name(samples[i][0]), samples[i][0]);
    }
}

static double confidence(const char *text, const char *code) {
    attn_language_guess guess;
    attn_language_detect(text, strlen(text), &code, 1, &guess);
    assert_string_equal(guess.code, code);
    return guess.confidence;
}

static void admits_ignorance(void **unused) {
    (void)unused;
    assert_true(confidence("Le chat est sur la table et il vous regarde.", "en") < 3);
    assert_true(confidence("Le chat est sur la table et il vous regarde.", "fr-FR") > 90);
    assert_true(confidence("The cat is on the table.", "en") > 80);
    assert_true(confidence("Zorbl quank frip mox dreel", "en") < 25);
    assert_true(confidence("pizza", "it") < 40);
    assert_true(confidence("123", "en") == 0);
    assert_true(confidence("\xff\xfe", "en") == 0);
    assert_true(confidence("", "en") == 0);
    assert_string_equal(attn_language_name("fr"), "French");
    assert_string_equal(attn_language_name("qq"), "qq");
}

static bool already(const char *text, const char *source, const char *target) {
    return attn_language_is_already(text, strlen(text), source, target);
}

static void tells_what_needs_no_translation(void **unused) {
    (void)unused;
    assert_true(already("Le chat est sur la table et il vous regarde.", "en", "fr"));
    assert_true(already("猫在桌子上，不想下来。", "en", "zh"));
    assert_false(already("The cat is on the table and it looks at you.", "en", "fr"));
    assert_false(already("Le chat", "en", "fr"));
    assert_false(already("table", "en", "fr"));
    assert_false(already("12", "en", "fr"));
    assert_false(already("", "en", "fr"));
    assert_false(
        already("I said: le chat est sur la table, and then I left with them.", "en", "fr"));
    assert_false(already("The cat is on the table.", "en", "en-US"));
}

static void reads_codes(void **unused) {
    (void)unused;
    static const char *const codes[][2] = {
        {"en", "en"},         {"EN", "en"},
        {"en-US", "en"},      {"en_GB", "en"},
        {"eng", "en"},        {"fr-CA", "fr"},
        {"fra", "fr"},        {"de_DE.UTF-8", "de"},
        {"zh", "zh"},         {"zh-Hans", "zh"},
        {"zh_CN", "zh"},      {"zh-Hant", "zh-Hant"},
        {"ZH-tw", "zh-Hant"}, {"zh-Hans-TW", "zh"},
        {"zt", "zh-Hant"},    {"no", "nb"},
        {"iw", "he"},         {"pt-BR", "pt"},
        {"sr-Latn", "sr"},    {"", ""},
        {"qq", "qq"},         {"12 no language at all", "12 no langua"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char out[ATTN_LANGUAGE_CODE_SIZE];
        attn_language_normalize(codes[i][0], out);
        if (i + 1 < sizeof codes / sizeof codes[0]) {
            assert_string_equal(out, codes[i][1]);
        }
        assert_true(strlen(out) < ATTN_LANGUAGE_CODE_SIZE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_language),
        cmocka_unit_test(admits_ignorance),
        cmocka_unit_test(tells_what_needs_no_translation),
        cmocka_unit_test(reads_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
