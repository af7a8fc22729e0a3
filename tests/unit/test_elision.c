/* Elisions: what is set apart, what stays, and that joining undoes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/elision.h"

static const char FRENCH[] = "c d j jusqu l m n qu s t";

/* The text as it is split, then joined again to what it was. Exact buffers: a tool that watches
 * memory sees a step past an end. */
static void assert_split(const char *elisions, const char *text, const char *wanted) {
    size_t length = strlen(text);
    char *in = malloc(length > 0 ? length : 1), *out = malloc(length > 0 ? 2 * length : 1);
    memcpy(in, text, length);
    size_t size = attn_elisions_split(elisions, in, length, out);
    assert_int_equal(size, strlen(wanted));
    assert_memory_equal(out, wanted, size);
    size = attn_elisions_join(elisions, out, size);
    assert_int_equal(size, length);
    assert_memory_equal(out, text, length);
    free(in);
    free(out);
}

static void whole_words_are_set_apart(void **state) {
    (void)state;
    assert_split(FRENCH, "l'animal", "l' animal");
    assert_split(FRENCH, "L'animal n'a pas dormi.", "L' animal n' a pas dormi.");
    assert_split(FRENCH, "parce qu'elle est l\xc3\xa0", "parce qu' elle est l\xc3\xa0");
    assert_split(FRENCH, "d'\xc3\xa9t\xc3\xa9", "d' \xc3\xa9t\xc3\xa9");
    assert_split(FRENCH,
                 "l\xe2\x80\x99"
                 "eau",
                 "l\xe2\x80\x99 eau"); /* the typographic apostrophe */
    assert_split(FRENCH, "va-t'en", "va-t' en");
    assert_split(FRENCH, "(l'an)", "(l' an)");
    assert_split(FRENCH, "\xc2\xab\xc2\xa0l'an\xc2\xa0\xc2\xbb",
                 "\xc2\xab\xc2\xa0l' an\xc2\xa0\xc2\xbb");
    assert_split(FRENCH, "jusqu'ici, s'il n'y a", "jusqu' ici, s' il n' y a");
    assert_split(FRENCH, "JUSQU'ICI", "JUSQU' ICI");
    assert_split("\xc3\xa0l", "\xc3\xa0l'eau", "\xc3\xa0l' eau"); /* a word beyond ASCII */
}

static void other_apostrophes_stay(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "'",
        "l'",
        "'l",
        "\n",
        "don't",
        "it's all's",
        "aujourd'hui",
        "\xc3\xa9l'an",
        "2l'an",
        "l'5",
        "l''an",
        "l'\xc2\xab",
        "l'\xe4\xb8\xad",
        "\xe4\xb8\xad\xe6\x96\x87\xef\xbc\x8c'",
        "qu",
        "l",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_split(FRENCH, texts[i], texts[i]);
        assert_split("", texts[i], texts[i]);
    }
    assert_split("", "l'animal", "l'animal");
}

/* What training never wrote but a model may: spaces that stay. */
static void joining_takes_one_space(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"l' animal", "l'animal"},
        {"l'  animal", "l'  animal"},
        {"l' ", "l' "},
        {"l' 5", "l' 5"},
        {"dogs' house", "dogs' house"},
        {"l' d' or", "l'd'or"},
        {"c' est l' an", "c'est l'an"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[32];
        size_t length = strlen(pairs[i][0]);
        memcpy(text, pairs[i][0], length);
        length = attn_elisions_join(FRENCH, text, length);
        assert_int_equal(length, strlen(pairs[i][1]));
        assert_memory_equal(text, pairs[i][1], length);
    }
}

static void lists_are_checked(void **state) {
    (void)state;
    assert_true(attn_elisions_valid(""));
    assert_true(attn_elisions_valid("l"));
    assert_true(attn_elisions_valid(FRENCH));
    assert_true(attn_elisions_valid("\xc3\xa0 l"));
    static const char *const bad[] = {" ",   "l ", " l",   "l  d", "l'",
                                      "l,d", "5",  "\xc3", "\xa0", "l\xe2\x80\x99"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(attn_elisions_valid(bad[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_words_are_set_apart),
        cmocka_unit_test(other_apostrophes_stay),
        cmocka_unit_test(joining_takes_one_space),
        cmocka_unit_test(lists_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
