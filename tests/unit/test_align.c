/* Word alignment: chances, the hidden Markov model against a sum over all paths, joining two directions, words and
 * their parts, the error rate, and what is learned from made-up text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "align/aligner.h"
#include "align/error_rate.h"
#include "align/hmm.h"
#include "align/lexicon.h"
#include "align/words.h"
#include "base/random.h"

static void exp_digamma_is_right(void **state) {
    static const double known[][2] = {{0.1, 2.9718081e-5}, {0.5, 0.1403650}, {1, 0.5614595},
                                      {2, 1.5262051},      {10, 9.5043785},  {1000, 999.5000417}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double found = attn_exp_digamma(known[i][0]);
        assert_true(fabs(found / known[i][1] - 1) < 5e-5);
    }
    assert_true(attn_exp_digamma(0.001) >= 0);
}

/* ---- the hidden Markov model ---- */

static double jump(const attn_jumps *jumps, int64_t d) {
    return d >= -ATTN_HMM_REACH && d <= ATTN_HMM_REACH ? jumps->near[d + ATTN_HMM_REACH]
                                                       : jumps->far;
}

static double step(const attn_jumps *jumps, int64_t states, int64_t from, int64_t to) {
    double sum = 0;
    for (int64_t k = 0; k < states; k++) {
        sum += jump(jumps, k - from);
    }
    return jump(jumps, to - from) / sum;
}

/* Adds the weight of every path from word j on to the posteriors it visits; returns the sum of the weights. */
static double walk(const attn_jumps *jumps, double empty, int64_t states, int64_t words,
                   const float *emission, int64_t j, int64_t at, double weight, double *posterior) {
    double sum = 0;
    if (j == words) {
        return weight;
    }
    for (int64_t k = 0; k <= states; k++) {
        double e = (double)emission[j * (states + 1) + k];
        if (k < states) {
            double w = weight * (1 - empty) * step(jumps, states, at, k) * e;
            double all = walk(jumps, empty, states, words, emission, j + 1, k, w, posterior);
            posterior[j * (states + 1) + k] += all;
            sum += all;
        } else if (at >= 0) {
            double all = walk(jumps, empty, states, words, emission, j + 1, at, weight * empty * e,
                              posterior);
            posterior[j * (states + 1) + k] += all;
            sum += all;
        } else { /* the first word: the position is drawn although the word is of the empty one */
            for (int64_t i = 0; i < states; i++) {
                double w = weight * empty * step(jumps, states, -1, i) * e;
                double all = walk(jumps, empty, states, words, emission, j + 1, i, w, posterior);
                posterior[j * (states + 1) + k] += all;
                sum += all;
            }
        }
    }
    return sum;
}

static void fill(float *emission, int64_t count, uint64_t key) {
    attn_random random = attn_random_start(key);
    for (int64_t i = 0; i < count; i++) {
        emission[i] = (float)(0.001 + attn_random_uniform(&random));
    }
}

static void hmm_sums_over_all_paths(void **state) {
    enum { I = 3, J = 4 };
    float emission[J * (I + 1)];
    double posterior[J * (I + 1)], wanted[J * (I + 1)] = {0}, work[200];
    attn_jumps jumps, counts = {.far = 0};
    (void)state;
    attn_jumps_start(&jumps);
    fill(emission, J * (I + 1), 7);
    assert_true(attn_hmm_work(I, J) <= 200);
    attn_hmm_posterior(&jumps, 0.2, I, J, emission, posterior, &counts, work);
    double sum = walk(&jumps, 0.2, I, J, emission, 0, -1, 1, wanted), jumped = 0, linked = 0;
    for (int i = 0; i < J * (I + 1); i++) {
        assert_true(fabs(posterior[i] - wanted[i] / sum) < 1e-12);
        linked += i % (I + 1) < I ? posterior[i] : 0;
    }
    for (int d = 0; d < ATTN_HMM_JUMPS; d++) {
        jumped += counts.near[d];
    }
    assert_true(fabs(jumped - linked) < 1e-12); /* one jump a word that has a position */
}

/* Sentences longer than the reach of a jump, where most sums go the short way. */
static void far_jumps_are_alike(void **state) {
    enum { I = 3 * ATTN_HMM_REACH, J = 2 };
    static float emission[J * (I + 1)];
    static double posterior[J * (I + 1)], wanted[J * (I + 1)], work[10 * I + 100];
    attn_jumps jumps, counts = {.far = 0};
    (void)state;
    attn_jumps_start(&jumps);
    fill(emission, J * (I + 1), 8);
    assert_true(attn_hmm_work(I, J) <= 10 * I + 100);
    attn_hmm_posterior(&jumps, 0.1, I, J, emission, posterior, &counts, work);
    double sum = walk(&jumps, 0.1, I, J, emission, 0, -1, 1, wanted);
    for (int i = 0; i < J * (I + 1); i++) {
        assert_true(fabs(posterior[i] - wanted[i] / sum) < 1e-9);
    }
    assert_true(counts.far > 0);
}

/* ---- two directions ---- */

/* Rows of x and . say which links each direction makes; `wanted` is what they become. */
static void assert_joined(attn_symmetry how, int64_t sources, int64_t targets, const char *forward,
                          const char *backward, const char *wanted) {
    double f[64] = {0}, b[64] = {0};
    bool linked[32], work[128];
    for (int64_t j = 0; j < targets; j++) {
        f[j * (sources + 1) + sources] = 0.4;
    }
    for (int64_t i = 0; i < sources; i++) {
        b[i * (targets + 1) + targets] = 0.4;
        for (int64_t j = 0; j < targets; j++) {
            f[j * (sources + 1) + i] = forward[i * targets + j] == 'x' ? 0.6 : 0;
            b[i * (targets + 1) + j] = backward[i * targets + j] == 'x' ? 0.6 : 0;
        }
    }
    attn_symmetrize(how, 0.5, sources, targets, f, b, linked, work);
    for (int64_t i = 0; i < sources * targets; i++) {
        assert_int_equal(linked[i], wanted[i] == 'x');
    }
}

static void directions_are_joined(void **state) {
    (void)state;
    const char *forward = "x..."
                          ".xx."
                          "....",
               *backward = "x..."
                           ".x.."
                           "...x";
    assert_joined(ATTN_SYMMETRY_FORWARD, 3, 4, forward, backward, forward);
    assert_joined(ATTN_SYMMETRY_BACKWARD, 3, 4, forward, backward, backward);
    assert_joined(ATTN_SYMMETRY_INTERSECTION, 3, 4, forward, backward, "x....x......");
    assert_joined(ATTN_SYMMETRY_POSTERIOR, 3, 4, forward, backward, "x....x......");
    assert_joined(ATTN_SYMMETRY_UNION, 3, 4, forward, backward, "x....xx....x");
    /* (1, 2) touches (1, 1), and then (2, 3) touches (1, 2). */
    assert_joined(ATTN_SYMMETRY_GROW_DIAG, 3, 4, forward, backward, "x....xx....x");
    /* (2, 3) touches nothing: `final` takes it, also where a word of it has a link already. */
    assert_joined(ATTN_SYMMETRY_GROW_DIAG, 3, 4, "x...........", "x..........x", "x...........");
    assert_joined(ATTN_SYMMETRY_GROW_DIAG_FINAL_AND, 3, 4, "x...........", "x..........x",
                  "x..........x");
    assert_joined(ATTN_SYMMETRY_GROW_DIAG_FINAL_AND, 3, 4, "x..x........", "x...........",
                  "x...........");
    assert_joined(ATTN_SYMMETRY_GROW_DIAG_FINAL, 3, 4, "x..x........", "x...........",
                  "x..x........");
}

/* ---- words ---- */

typedef struct texts {
    attn_parallel parallel;
    char *line[2][64];
    size_t length[2][64];
} texts;

static void add_line(texts *t, const char *source, const char *target) {
    size_t i = t->parallel.source.count;
    t->line[0][i] = (char *)(uintptr_t)source;
    t->line[1][i] = (char *)(uintptr_t)target;
    t->length[0][i] = strlen(source);
    t->length[1][i] = strlen(target);
    t->parallel.source = (attn_lines){NULL, t->line[0], t->length[0], i + 1};
    t->parallel.target = (attn_lines){NULL, t->line[1], t->length[1], i + 1};
}

/* How a line is cut: the word of each part, `-` behind a mark that links none. */
static void assert_cut(const char *line, const char *wanted) {
    texts t = {.parallel = {.file_count = 0}};
    attn_word_parts parts;
    char found[256] = "";
    add_line(&t, line, "");
    assert_int_equal(attn_word_parts_create(&t.parallel, 1, 5, &parts, NULL), ATTN_OK);
    for (int64_t i = 0; i < parts.text.start[0][1]; i++) {
        size_t at = strlen(found);
        snprintf(found + at, sizeof found - at, "%s%d%s", i > 0 ? " " : "",
                 (int)parts.part[0][i].word, parts.part[0][i].mark ? "-" : "");
    }
    assert_string_equal(found, wanted);
    attn_word_parts_free(&parts);
}

static void words_are_cut_into_parts(void **state) {
    (void)state;
    assert_cut("", "");
    assert_cut("  two\twords ", "0 1");
    assert_cut("The end.", "0 1 1-");
    assert_cut("l'animal", "0 0");
    assert_cut("l\xe2\x80\x99\xc3\xa9t\xc3\xa9, non?", "0 0 0- 1 1-");
    assert_cut("I don't", "0 1 1");
    assert_cut("it's he'll", "0 0 1 1");
    assert_cut("l' animal ' x", "0 1 2 3");
    assert_cut("'quoted'", "0- 0 0-");
    assert_cut("lui-m\xc3\xaame", "0 0- 0");
    assert_cut("$250,000.5 3. 1,2", "0- 0 1 1- 2");
    assert_cut("wait... - !?", "0 0- 1 2 2");
    assert_cut("quoi\xc2\xa0?", "0 0-"); /* a no-break space parts no words */
    assert_cut("n't 'tis", "0 0 1- 1");
}

/* Parts that count as one, and those that do not. */
static void parts_count_by_stem_and_case(void **state) {
    static const char *const same[][2] = {{"Maison", "maison"},
                                          {"parlerai", "parlerons"},
                                          {"l\xe2\x80\x99", "l'"},
                                          {"....", ".."},
                                          {"\xc3\x89t\xc3\xa9", "\xc3\xa9t\xc3\xa9"}};
    static const char *const other[][2] = {
        {"parle", "parla"}, {"123456", "123457"}, {".", ","}, {"a", "\xc3\xa0"}};
    (void)state;
    for (size_t i = 0; i < 9; i++) {
        texts t = {.parallel = {.file_count = 0}};
        attn_word_parts parts;
        bool equal = i < 5;
        add_line(&t, equal ? same[i][0] : other[i - 5][0], "x");
        add_line(&t, equal ? same[i][1] : other[i - 5][1], "x");
        assert_int_equal(attn_word_parts_create(&t.parallel, 1, 5, &parts, NULL), ATTN_OK);
        assert_int_equal(parts.text.unit[0][0] == parts.text.unit[0][1], equal);
        attn_word_parts_free(&parts);
    }
}

static void links_of_parts_become_links_of_words(void **state) {
    texts t = {.parallel = {.file_count = 0}};
    attn_word_parts parts;
    /* l' animal . | the animal ! */
    attn_link link[] = {{0, 0}, {1, 0}, {1, 1}, {2, 2}, {0, 0}};
    int64_t start[] = {0, 4, 5};
    attn_link_set set = {link, start, 2};
    (void)state;
    add_line(&t, "l'animal.", "the animal!");
    add_line(&t, ".", "!");
    assert_int_equal(attn_word_parts_create(&t.parallel, 1, 5, &parts, NULL), ATTN_OK);
    attn_word_parts_join(&parts, &set);
    assert_int_equal(start[1], 2);
    assert_int_equal(start[2], 3);
    assert_int_equal(link[0].source, 0);
    assert_int_equal(link[0].target, 0);
    assert_int_equal(link[1].target, 1);
    attn_word_parts_free(&parts);
}

/* ---- the error rate ---- */

static void error_rate_is_counted(void **state) {
    /* Counted by hand: S = 3, P = 4. */
    static const char naacl[] = "1 1 1 S\n1 2 2 P\n0002 1 2\n0002 2 1 S\n0002 2 1 P\n";
    static const char pharaoh[] = "0-0 1?1\n0-1 1-0\n";
    attn_link link[] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}};
    int64_t start[] = {0, 3, 4};
    attn_link_set set = {link, start, 2};
    (void)state;
    for (int i = 0; i < 2; i++) {
        attn_gold_links gold;
        const char *written = i == 0 ? naacl : pharaoh;
        assert_int_equal(attn_gold_links_parse(written, strlen(written), "gold", &gold, NULL),
                         ATTN_OK);
        assert_int_equal(gold.count, 4);
        assert_int_equal(gold.sentences, 2);
        attn_link_counts counts = attn_count_links(&set, &gold);
        assert_int_equal(counts.found, 4);
        assert_int_equal(counts.sure, 3);
        assert_int_equal(counts.found_sure, 2);
        assert_int_equal(counts.found_possible, 3);
        assert_true(fabs(attn_link_precision(&counts) - 0.75) < 1e-12);
        assert_true(fabs(attn_link_recall(&counts) - 2.0 / 3) < 1e-12);
        assert_true(fabs(attn_link_error_rate(&counts) - (1 - 5.0 / 7)) < 1e-12);
        attn_gold_links_free(&gold);
    }
}

static void gold_that_is_wrong_names_its_line(void **state) {
    static const char *const wrong[] = {"1 1 1 S\n1 1\n",     "1 1 1 S\n0 1 1 S\n", "0-0\n0:1\n",
                                        "0-0\n0-\n",          "0-0\n0-1-2\n",       "0-0\n-1-2\n",
                                        "1 1 1 S\n1 2 3 X\n", "0-0\n0-9999999999\n"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        attn_gold_links gold;
        attn_error error;
        assert_int_equal(attn_gold_links_parse(wrong[i], strlen(wrong[i]), "gold", &gold, &error),
                         ATTN_ERR_FORMAT);
        assert_int_equal(error.position, 2);
    }
}

/* ---- learning ---- */

enum { PAIRS = 400, KINDS = 60, LONGEST = 9 };

/* Word w of one side is word (7 w + 3) mod KINDS of the other; neighbours change places now and then, and some words
 * have no translation. */
typedef struct toy {
    int32_t unit[2][PAIRS * LONGEST];
    int64_t start[2][PAIRS + 1];
    attn_link link[PAIRS * LONGEST]; /* the truth */
    int64_t link_start[PAIRS + 1];
    attn_bitext text;
} toy;

static int by_source(const void *a, const void *b) {
    return ((const attn_link *)a)->source - ((const attn_link *)b)->source;
}

static void make_toy(toy *t) {
    attn_random random = attn_random_start(5);
    memset(t, 0, sizeof *t);
    for (int pair = 0; pair < PAIRS; pair++) {
        int64_t *source = &t->start[0][pair + 1], *target = &t->start[1][pair + 1];
        int length = 3 + (int)attn_random_below(&random, LONGEST - 2), order[LONGEST + 1];
        int64_t first = t->link_start[pair], count = first;
        *source = t->start[0][pair];
        *target = t->start[1][pair];
        for (int i = 0; i < length; i++) {
            order[i] = i;
            if (i > 0 && attn_random_below(&random, 4) == 0) {
                order[i] = order[i - 1];
                order[i - 1] = i;
            }
            t->unit[0][(*source)++] = (int32_t)attn_random_below(&random, KINDS);
        }
        for (int j = 0; j < length; j++) {
            int32_t word = t->unit[0][t->start[0][pair] + order[j]];
            if (word % 10 > 0) {
                int64_t at = *target - t->start[1][pair];
                t->link[count++] = (attn_link){order[j], (int32_t)at};
                t->unit[1][(*target)++] = (7 * word + 3) % KINDS;
            }
        }
        qsort(t->link + first, (size_t)(count - first), sizeof *t->link, by_source);
        t->link_start[pair + 1] = count;
    }
    t->text = (attn_bitext){.unit = {t->unit[0], t->unit[1]},
                            .start = {t->start[0], t->start[1]},
                            .count = PAIRS,
                            .kinds = {KINDS, KINDS}};
}

static void align_toy(const toy *t, int threads, bool agree, attn_link_set *out) {
    attn_aligner_options options;
    int64_t too_long;
    attn_aligner_options_init(&options);
    options.threads = threads;
    options.agree = agree;
    assert_int_equal(
        attn_align(&t->text, &options, ATTN_SYMMETRY_POSTERIOR, 0.3, out, &too_long, NULL),
        ATTN_OK);
    assert_int_equal(too_long, 0);
}

/* Nearly all: where a word stands twice in a line, either may be meant. */
static void a_made_up_language_is_learned(void **state) {
    static toy t;
    attn_link_set set;
    (void)state;
    make_toy(&t);
    align_toy(&t, 1, true, &set);
    int64_t right = 0, all = t.link_start[PAIRS];
    for (int pair = 0; pair < PAIRS; pair++) {
        int64_t at = t.link_start[pair];
        for (int64_t i = set.start[pair]; i < set.start[pair + 1]; i++) {
            while (at < t.link_start[pair + 1] && t.link[at].source < set.link[i].source) {
                at++;
            }
            right += at < t.link_start[pair + 1] &&
                     memcmp(&t.link[at], &set.link[i], sizeof *t.link) == 0;
        }
    }
    assert_true(1000 * right >= 980 * all);
    assert_true(1000 * right >= 980 * set.start[PAIRS]);
    attn_link_set_free(&set);
}

static void threads_change_nothing(void **state) {
    static toy t;
    attn_link_set one, more;
    (void)state;
    make_toy(&t);
    align_toy(&t, 1, true, &one);
    for (int threads = 2; threads <= 3; threads++) {
        align_toy(&t, threads, true, &more);
        assert_memory_equal(one.start, more.start, (PAIRS + 1) * sizeof *one.start);
        assert_memory_equal(one.link, more.link, (size_t)one.start[PAIRS] * sizeof *one.link);
        attn_link_set_free(&more);
    }
    attn_link_set_free(&one);
}

/* Lines without words on a side, a thousand of one word, one of these thousand, one larger than is looked at. */
static void odd_lines_are_aligned(void **state) {
    enum { LONG = 1000, HUGE_LINE = 2100, LINES = LONG + 4 };
    static int32_t unit[2][1 + 2 * LONG + HUGE_LINE];
    static int64_t start[2][LINES + 1];
    attn_link_set set;
    attn_aligner_options options;
    int64_t too_long, at[2] = {0, 0};
    (void)state;
    for (int line = 0; line < LINES; line++) {
        for (int side = 0; side < 2; side++) {
            int length = line < 2           ? line * side
                         : line < LONG + 2  ? 1
                         : line == LONG + 2 ? LONG
                                            : HUGE_LINE;
            for (int i = 0; i < length; i++) {
                unit[side][at[side]++] = length == 1 ? line : 2 + i;
            }
            start[side][line + 1] = at[side];
        }
    }
    attn_bitext text = {.unit = {unit[0], unit[1]},
                        .start = {start[0], start[1]},
                        .count = LINES,
                        .kinds = {HUGE_LINE + 2, HUGE_LINE + 2}};
    attn_aligner_options_init(&options);
    options.model1_iterations = options.hmm_iterations = 1;
    assert_int_equal(
        attn_align(&text, &options, ATTN_SYMMETRY_GROW_DIAG_FINAL_AND, 0.3, &set, &too_long, NULL),
        ATTN_OK);
    assert_int_equal(too_long, 1);
    assert_int_equal(set.start[2], 0);
    assert_int_equal(set.start[LINES], 2 * LONG);
    for (int i = 0; i < LONG; i++) {
        assert_true(set.link[i].source == 0 && set.link[i].target == 0);
        assert_true(set.link[LONG + i].source == i && set.link[LONG + i].target == i);
    }
    attn_link_set_free(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_digamma_is_right),
        cmocka_unit_test(hmm_sums_over_all_paths),
        cmocka_unit_test(far_jumps_are_alike),
        cmocka_unit_test(directions_are_joined),
        cmocka_unit_test(words_are_cut_into_parts),
        cmocka_unit_test(parts_count_by_stem_and_case),
        cmocka_unit_test(links_of_parts_become_links_of_words),
        cmocka_unit_test(error_rate_is_counted),
        cmocka_unit_test(gold_that_is_wrong_names_its_line),
        cmocka_unit_test(a_made_up_language_is_learned),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(odd_lines_are_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
