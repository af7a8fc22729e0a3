/* Where sentences end: abbreviations, missing spaces and capitals, marks of lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/sentences.h"

/* The sentences of a text come out with a bar between them. */
static void expect(const char *language, const char *text, const char *wanted) {
    attn_spans spans = {0};
    char found[1000] = "";
    assert_int_equal(attn_sentences_split(text, strlen(text), language, &spans, NULL), ATTN_OK);
    for (size_t i = 0; i < spans.count; i++) {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%.*s", i > 0 ? "|" : "",
                 (int)spans.span[i].length, text + spans.span[i].start);
    }
    attn_spans_free(&spans);
    assert_string_equal(found, wanted);
}

static void abbreviations_end_none(void **unused) {
    (void)unused;
    static const char *const whole[][2] = {
        {"en", "I live in St. Louis."},
        {"en", "Dr. Smith and Mr. Jones met Mrs. Brown."},
        {"en", "Use e.g. Firefox or i.e. Chrome."},
        {"en", "See No. 5 and Fig. 2 for it."},
        {"en", "John F. Kennedy and J. R. R. Tolkien wrote."},
        {"en", "We met at 5 p.m. in Boston."},
        {"en", "Apples, pears etc. are here."},
        {"en", "Version 2.1 is out."},
        {"fr", "M. Dupont et Mme. Durand sont l\xc3\xa0."},
        {"fr", "Voir p. 12 et art. 3 du code."},
        {"de", "Das ist z. B. Wasser."},
        {"de", "Das ist z.B. Wasser bzw. Eis."},
        {"de", "Dr. Meier und Prof. Schmidt kamen."},
        {"es", "El Sr. Garc\xc3\xad"
               "a y la Dra. L\xc3\xb3pez."},
        {"it", "Il Sig. Rossi e il Dott. Bianchi."},
        {"en", "See System.Out and foo.Bar.baz now."},
        {"en", "I like U.S. cars."},
    };
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        expect(whole[i][0], whole[i][1], whole[i][1]);
    }
    expect("en", "No. I am not.", "No.|I am not.");
    expect("en", "So do I. He left.", "So do I.|He left.");
    expect("en", "It is 5 p.m. He left.", "It is 5 p.m.|He left.");
    expect("en", "Fig. 2\nDr.\nSmith", "Fig. 2|Dr.|Smith");
}

static void what_is_missing(void **unused) {
    (void)unused;
    expect("en", "He is tired.She is here.", "He is tired.|She is here.");
    expect("en", "He is tired.I am not!You are?Yes.", "He is tired.|I am not!|You are?|Yes.");
    expect("en", "i am tired. you are tired.", "i am tired.|you are tired.");
    expect("en", "i like cats, dogs etc. and birds. you too.",
           "i like cats, dogs etc. and birds.|you too.");
    expect("en", "He said approx. five of them.", "He said approx. five of them.");
    expect("en", "She said: \"I am tired.\"", "She said:|\"I am tired.\"");
    expect("en", "See example.com and readme.txt now.", "See example.com and readme.txt now.");
    expect("en", "exam\xc2\xadple. Next", "exam\xc2\xadple.|Next");
}

static void list_marks_stay_outside(void **unused) {
    (void)unused;
    expect("en", "- Buy milk\n* Buy eggs\n+ Rest", "Buy milk|Buy eggs|Rest");
    expect("en", "\xe2\x80\xa2 One\n\xe2\x80\x93 Two\n\xc2\xb7 Three", "One|Two|Three");
    expect("en", "1) Wash it\n a) Dry it\n(2) Iron it", "Wash it|Dry it|Iron it");
    expect("en", "> > He left.\n## Title\n-5 degrees", "He left.|Title|-5 degrees");
    expect("en", "a - b\n2 - 3 apples", "a - b|2 - 3 apples");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(abbreviations_end_none),
        cmocka_unit_test(what_is_missing),
        cmocka_unit_test(list_marks_stay_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
