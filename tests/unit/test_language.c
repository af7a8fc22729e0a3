/* Guessing languages: scripts, small words, and honesty about what is too short to tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/language.h"

static const char *const all[] = {"en", "fr", "de", "zh", "ja", "ru"};
enum { ALL = sizeof all / sizeof all[0] };

static void expect(const char *text, const char *code, double least) {
    attn_language_guess guesses[ALL];
    attn_language_detect(text, strlen(text), all, ALL, guesses);
    assert_string_equal(guesses[0].code, code);
    assert_true(guesses[0].confidence >= least && guesses[0].confidence <= 100);
}

static void finds_the_language(void **unused) {
    (void)unused;
    expect("The cat is on the table and it looks at you.", "en", 90);
    expect("Le chat est sur la table et il vous regarde.", "fr", 90);
    expect("Die Katze ist auf dem Tisch und sie sieht dich.", "de", 90);
    expect("\xe7\x8c\xab\xe5\x9c\xa8\xe6\xa1\x8c\xe5\xad\x90\xe4\xb8\x8a", "zh", 60);
    expect("\xe7\x8c\xab\xe3\x81\xaf\xe5\x8d\x93\xe3\x81\xae\xe4\xb8\x8a", "ja", 60);
    expect("\xd0\xba\xd0\xbe\xd1\x82 \xd0\xbd\xd0\xb0 \xd1\x81\xd1\x82\xd0\xbe\xd0\xbb\xd0\xb5",
           "ru", 50);
}

static void admits_ignorance(void **unused) {
    (void)unused;
    static const char *const english[] = {"en"};
    attn_language_guess guess;
    attn_language_detect("Le chat est sur la table et il vous regarde.", 44, english, 1, &guess);
    assert_true(guess.confidence < 20);
    attn_language_detect("The cat is on the table.", 24, english, 1, &guess);
    assert_true(guess.confidence > 90);
    attn_language_detect("123", 3, english, 1, &guess);
    assert_true(guess.confidence == 0);
    attn_language_detect("\xff\xfe", 2, english, 1, &guess);
    assert_true(guess.confidence == 0);
    assert_string_equal(attn_language_name("fr"), "French");
    assert_string_equal(attn_language_name("qq"), "qq");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_language),
        cmocka_unit_test(admits_ignorance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
