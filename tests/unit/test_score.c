/* BLEU and chrF against values that sacreBLEU 2.6.0 printed for the same lines. The comparison with
 * the package itself, over many more, is tests/parity/sacrebleu_compare.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "text/score.h"
#include "text/score_parts.h"

static const char *const hypotheses[] = {
    "The animal did not cross the street, because it was too tired.",
    "It cost $1,234.56 on 2024-01-31 &amp; -5% vs. 3.14-2 (a.b.).",
    "我们在2024年1月31日去了北京（很好！）。",
    "“No” — he said… naïve café 😀.",
    "",
    "ΟΔΥΣΣΕΥΣ sails home",
};
static const char *const references[] = {
    "The animal didn't cross the street because it was too tired.",
    "It costs $1,234.56 on 2024-01-30 & -5% vs. 3.14-2 (a.b.)!",
    "我们2024年1月31日去北京（很好）。",
    "“No” – he said… naïve Café 😀!",
    "Not empty.",
    "Οδυσσευς sails home now",
};

enum { LINES = sizeof hypotheses / sizeof *hypotheses };

static void assert_near(double found, double expected) {
    double difference = found - expected;
    if (!(difference > -1e-8 && difference < 1e-8)) {
        fail_msg("%.10f should be %.10f", found, expected);
    }
}

static void bleu_equals_sacrebleu(void **state) {
    (void)state;
    static const struct {
        attn_bleu_tokenizer tokenizer;
        int lowercase;
        double score, precision[4], brevity_penalty;
        int64_t hypothesis_length, reference_length;
    } expected[] = {
        {ATTN_BLEU_13A,
         0,
         58.0328657143,
         {78.4313725490, 65.2173913043, 54.7619047619, 47.3684210526},
         0.9615432951,
         51,
         53},
        {ATTN_BLEU_13A,
         1,
         63.6898555102,
         {82.3529411765, 71.7391304348, 61.9047619048, 52.6315789474},
         0.9615432951,
         51,
         53},
        {ATTN_BLEU_NONE,
         0,
         25.8405025337,
         {63.6363636364, 42.8571428571, 20.8333333333, 10.0000000000},
         0.9411939401,
         33,
         35},
        {ATTN_BLEU_NONE,
         1,
         33.0726969790,
         {69.6969696970, 50.0000000000, 29.1666666667, 15.0000000000},
         0.9411939401,
         33,
         35},
        {ATTN_BLEU_ZH,
         0,
         56.7072096780,
         {79.7297297297, 63.7681159420, 50.0000000000, 40.6779661017},
         1.0000000000,
         74,
         71},
        {ATTN_BLEU_ZH,
         1,
         60.6511545250,
         {82.4324324324, 68.1159420290, 54.6875000000, 44.0677966102},
         1.0000000000,
         74,
         71},
        {ATTN_BLEU_CHAR,
         0,
         74.5765367486,
         {87.2727272727, 80.0000000000, 73.5483870968, 68.0000000000},
         0.9701515037,
         165,
         170},
        {ATTN_BLEU_CHAR,
         1,
         81.0433201660,
         {92.1212121212, 86.2500000000, 80.6451612903, 76.0000000000},
         0.9701515037,
         165,
         170},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        attn_bleu bleu;
        assert_int_equal(attn_bleu_compute(hypotheses, references, LINES, expected[i].tokenizer,
                                           expected[i].lowercase, 1, &bleu, NULL),
                         ATTN_OK);
        assert_near(bleu.score, expected[i].score);
        for (int n = 0; n < 4; n++) {
            assert_near(bleu.precision[n], expected[i].precision[n]);
        }
        assert_near(bleu.brevity_penalty, expected[i].brevity_penalty);
        assert_int_equal(bleu.hypothesis_length, expected[i].hypothesis_length);
        assert_int_equal(bleu.reference_length, expected[i].reference_length);
    }
}

static void chrf_equals_sacrebleu(void **state) {
    (void)state;
    attn_chrf chrf;
    assert_int_equal(attn_chrf_compute(hypotheses, references, LINES, &chrf, NULL), ATTN_OK);
    assert_near(chrf.score, 70.3709618968);
    assert_string_equal(chrf.signature,
                        "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0");
}

static void edge_cases_equal_sacrebleu(void **state) {
    (void)state;
    static const struct {
        const char *hypothesis, *reference;
        double smoothed, unsmoothed, chrf;
    } expected[] = {
        {"a b", "a c", 0.0, 0.0, 25.0}, /* no 3-gram at all: 0 even when smoothed */
        {"a b c d", "a b c e", 59.4603557501, 0.0, 47.9166666667},
        {"x", "y", 0.0, 0.0, 0.0},
        {"", "a", 0.0, 0.0, 0.0},
        {"a", "", 0.0, 0.0, 0.0},
        {"a b c d", "a b c d e f", 60.6530659713, 60.6530659713, 58.0110497238},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        attn_bleu smoothed, plain;
        attn_chrf chrf;
        const char *const *hypothesis = &expected[i].hypothesis;
        const char *const *reference = &expected[i].reference;
        assert_int_equal(
            attn_bleu_compute(hypothesis, reference, 1, ATTN_BLEU_13A, 0, 1, &smoothed, NULL),
            ATTN_OK);
        assert_int_equal(
            attn_bleu_compute(hypothesis, reference, 1, ATTN_BLEU_13A, 0, 0, &plain, NULL),
            ATTN_OK);
        assert_int_equal(attn_chrf_compute(hypothesis, reference, 1, &chrf, NULL), ATTN_OK);
        assert_near(smoothed.score, expected[i].smoothed);
        assert_near(plain.score, expected[i].unsmoothed);
        assert_near(chrf.score, expected[i].chrf);
    }
}

static void signatures_say_what_was_done(void **state) {
    (void)state;
    static const char *const names[] = {"13a", "none", "zh", "char"};
    for (int i = 0; i < 4; i++) {
        attn_bleu_tokenizer tokenizer;
        attn_bleu bleu;
        assert_int_equal(attn_bleu_tokenizer_parse(names[i], &tokenizer, NULL), ATTN_OK);
        assert_int_equal(
            attn_bleu_compute(hypotheses, references, LINES, tokenizer, i % 2, i / 2, &bleu, NULL),
            ATTN_OK);
        char signature[128];
        snprintf(signature, sizeof signature,
                 "nrefs:1|case:%s|eff:no|tok:%s|smooth:%s|version:2.6.0",
                 i % 2 != 0 ? "lc" : "mixed", names[i], i / 2 != 0 ? "exp" : "none");
        assert_string_equal(bleu.signature, signature);
    }
}

static void misuse_is_refused(void **state) {
    (void)state;
    attn_bleu_tokenizer tokenizer;
    attn_bleu bleu;
    attn_chrf chrf;
    attn_error error;
    assert_int_equal(attn_bleu_tokenizer_parse("intl", &tokenizer, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.hint, "13a"));
    assert_int_equal(attn_bleu_compute(NULL, NULL, 0, ATTN_BLEU_13A, 0, 1, &bleu, NULL),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_chrf_compute(NULL, NULL, 0, &chrf, NULL), ATTN_ERR_ARGUMENT);
}

static void assert_tokens(attn_bleu_tokenizer tokenizer, const char *line, const char *expected) {
    attn_bleu_lines lines = {.tokenizer = tokenizer};
    const attn_buffer *text;
    assert_true(attn_bleu_tokenize(&lines, line, &text));
    char joined[256];
    size_t used = 0;
    bool space = true; /* runs of spaces as one, none at the ends */
    for (size_t i = 0; i < text->length; i++) {
        bool now = text->data[i] == ' ';
        if (!now || !space) {
            joined[used++] = text->data[i];
        }
        space = now;
    }
    joined[used > 0 && space ? used - 1 : used] = '\0';
    assert_string_equal(joined, expected);
    attn_bleu_lines_free(&lines);
}

static void tokenizers_cut_as_they_should(void **state) {
    (void)state;
    assert_tokens(ATTN_BLEU_13A, "Hello, world!  ", "Hello , world !");
    assert_tokens(ATTN_BLEU_13A, "1,234.5 and 5. 6-7 a-b x...",
                  "1,234.5 and 5 . 6 - 7 a-b x . . .");
    assert_tokens(ATTN_BLEU_13A, "&quot;A&amp;lt;B&quot;", "\" A < B \"");
    assert_tokens(ATTN_BLEU_13A, "<skipped>a-\nb don't", "ab don't");
    assert_tokens(ATTN_BLEU_NONE, "Hello, world!\xe3\x80\x80", "Hello, world!");
    assert_tokens(ATTN_BLEU_CHAR, "ab 中", "a b 中");
    assert_tokens(ATTN_BLEU_ZH, "我3.5元。ok!", "我 3.5 元 。 ok !");
    assert_tokens(ATTN_BLEU_ZH, "a—b 𠀀c", "a — b 𠀀c");
}

static void white_space_is_pythons(void **state) {
    (void)state;
    int count = 0;
    for (uint32_t c = 0; c < 0x110000; c++) {
        count += attn_is_space(c);
    }
    assert_int_equal(count, 29);
    assert_int_equal(attn_text_rstrip("a \xc2\xa0\xe3\x80\x80\t", 8), 1);
    assert_int_equal(attn_text_rstrip("\x1c \n", 3), 0);
    assert_int_equal(attn_text_rstrip("é", 2), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bleu_equals_sacrebleu),
        cmocka_unit_test(chrf_equals_sacrebleu),
        cmocka_unit_test(edge_cases_equal_sacrebleu),
        cmocka_unit_test(signatures_say_what_was_done),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(tokenizers_cut_as_they_should),
        cmocka_unit_test(white_space_is_pythons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
