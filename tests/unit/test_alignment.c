/* tests/unit/test_alignment.c: IBM model 1 against a table of all pairs, and on text whose answer is
 * known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "text/alignment.h"

enum { V = 30, PAIRS = 200, LONGEST = 9, IDS = PAIRS * LONGEST, K = 4, EMPTY = V };

static int32_t source[IDS], target[IDS];
static int64_t source_start[PAIRS + 1], target_start[PAIRS + 1];

/* Target word of s: (7 s + 3) % V; half of the sentences have a word more. */
static attn_corpus make(int64_t pairs) {
    attn_random random = attn_random_start(4);
    for (int64_t i = 0; i < pairs; i++) {
        int64_t length = 1 + (int64_t)attn_random_below(&random, LONGEST - 1);
        source_start[i + 1] = source_start[i] + length;
        target_start[i + 1] = target_start[i] + length + i % 2;
        for (int64_t t = 0; t < length; t++) {
            int32_t word = (int32_t)attn_random_below(&random, V);
            source[source_start[i] + t] = word;
            target[target_start[i] + length - 1 - t] = (7 * word + 3) % V;
        }
        if (i % 2 == 1) {
            target[target_start[i] + length] = (int32_t)attn_random_below(&random, V);
        }
    }
    return (attn_corpus){.source = source,
                         .target = target,
                         .source_start = source_start,
                         .target_start = target_start,
                         .count = pairs};
}

static void finds_the_translations(void **unused) {
    (void)unused;
    attn_corpus corpus = make(PAIRS);
    int32_t likely[V * K];
    assert_int_equal(attn_alignment_likely(&corpus, V, 5, K, likely, NULL), ATTN_OK);
    for (int s = 0; s < V; s++) {
        assert_int_equal(likely[s * K], (7 * s + 3) % V);
    }
}

/* The same sums over dense tables. */
static double chance[V + 1][V], count[V + 1][V], total[V + 1];

static int32_t word_at(const attn_corpus *c, int64_t i, int64_t x) {
    return x < c->source_start[i + 1] ? c->source[x] : EMPTY;
}

static void iterate(const attn_corpus *c) {
    memset(count, 0, sizeof count);
    memset(total, 0, sizeof total);
    for (int64_t i = 0; i < c->count; i++) {
        for (int64_t y = c->target_start[i]; y < c->target_start[i + 1]; y++) {
            double sum = 0;
            for (int64_t x = c->source_start[i]; x <= c->source_start[i + 1]; x++) {
                sum += chance[word_at(c, i, x)][c->target[y]];
            }
            for (int64_t x = c->source_start[i]; x <= c->source_start[i + 1]; x++) {
                double share = chance[word_at(c, i, x)][c->target[y]] / sum;
                count[word_at(c, i, x)][c->target[y]] += share;
                total[word_at(c, i, x)] += share;
            }
        }
    }
    for (int s = 0; s <= V; s++) {
        for (int t = 0; t < V; t++) {
            chance[s][t] = total[s] > 0 ? count[s][t] / total[s] : 0;
        }
    }
}

static void is_model_1(void **unused) {
    (void)unused;
    attn_corpus corpus = make(12); /* few enough that some words have fewer than K translations */
    for (int iterations = 0; iterations < 4; iterations++) {
        int32_t likely[V * K];
        for (int i = 0; i < (V + 1) * V; i++) {
            chance[i / V][i % V] = 1;
        }
        iterate(&corpus); /* marks the pairs that occur */
        for (int i = 0; i < (V + 1) * V; i++) {
            chance[i / V][i % V] = count[i / V][i % V] > 0 ? 1 : 0;
        }
        for (int i = 0; i < iterations; i++) {
            iterate(&corpus);
        }
        assert_int_equal(attn_alignment_likely(&corpus, V, iterations, K, likely, NULL), ATTN_OK);
        for (int s = 0; s < V; s++) {
            for (int rank = 0; rank < K; rank++) {
                int best = -1;
                for (int t = 0; t < V; t++) {
                    best = chance[s][t] > (best < 0 ? 0 : chance[s][best]) ? t : best;
                }
                assert_int_equal(likely[s * K + rank], best);
                if (best >= 0) {
                    chance[s][best] = 0;
                }
            }
        }
    }
}

static void counts_the_frequent(void **unused) {
    (void)unused;
    static int32_t words[] = {4, 2, 2, 9, 4, 2, 0};
    static int64_t starts[] = {0, 3, 7};
    attn_corpus corpus = {.target = words, .target_start = starts, .count = 2};
    int32_t frequent[6];
    assert_int_equal(attn_alignment_frequent(&corpus, 10, 6, frequent, NULL), ATTN_OK);
    static const int32_t expected[] = {2, 4, 0, 9, -1, -1};
    assert_memory_equal(frequent, expected, sizeof expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_translations),
        cmocka_unit_test(is_model_1),
        cmocka_unit_test(counts_the_frequent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
