/* Batches: every pair once, never too large, in an order that seed and epoch alone decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "text/batches.h"

enum { PAIRS = 500, MAX_TOKENS = 90 };

static int64_t source_start[PAIRS + 1], target_start[PAIRS + 1];
/* Batches look at lengths alone. */
static const attn_corpus corpus = {
    .source_start = source_start, .target_start = target_start, .count = PAIRS};

static int setup(void **state) {
    (void)state;
    attn_random random = attn_random_start(1);
    for (int64_t i = 0; i < PAIRS; i++) {
        source_start[i + 1] = source_start[i] + 1 + (int64_t)attn_random_below(&random, 20);
        target_start[i + 1] = target_start[i] + 1 + (int64_t)attn_random_below(&random, 20);
    }
    /* Pair 77 fits into no batch. */
    for (int64_t i = 78; i <= PAIRS; i++) {
        source_start[i] += 200;
    }
    return 0;
}

static int64_t length(const int64_t *start, int64_t pair) {
    return start[pair + 1] - start[pair];
}

static attn_batches make(bool shuffle, uint64_t seed, uint64_t epoch) {
    attn_batches batches;
    assert_int_equal(attn_batches_make(&corpus, MAX_TOKENS, shuffle, seed, epoch, &batches, NULL),
                     ATTN_OK);
    return batches;
}

static int64_t batch_tokens(const attn_batches *batches, int64_t b) {
    int64_t source = 0, target = 0;
    for (int64_t i = batches->start[b]; i < batches->start[b + 1]; i++) {
        source += length(source_start, batches->pair[i]) + 1;
        target += length(target_start, batches->pair[i]) + 1;
    }
    return source > target ? source : target;
}

static void every_pair_once_and_none_too_large(void **state) {
    (void)state;
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        attn_batches batches = make(shuffle, 5, 2);
        int seen[PAIRS] = {0};
        assert_int_equal(batches.start[0], 0);
        assert_int_equal(batches.start[batches.count], PAIRS);
        int64_t tokens = 0;
        for (int64_t b = 0; b < batches.count; b++) {
            int64_t first = batches.start[b], end = batches.start[b + 1];
            assert_true(end > first);
            for (int64_t i = first; i < end; i++) {
                seen[batches.pair[i]]++;
            }
            bool alone = end == first + 1;
            assert_true(batch_tokens(&batches, b) <= MAX_TOKENS || alone);
            assert_true(batches.pair[first] != 77 || alone);
            tokens += batch_tokens(&batches, b);
        }
        for (int i = 0; i < PAIRS; i++) {
            assert_int_equal(seen[i], 1);
        }
        /* Full, too: batches that are half empty would double the training time. */
        assert_true(tokens > batches.count * MAX_TOKENS * 8 / 10);
        attn_batches_free(&batches);
    }
}

static void pairs_of_a_batch_are_alike(void **state) {
    (void)state;
    attn_batches batches = make(false, 0, 0);
    int64_t last = 0;
    for (int64_t i = 0; i < PAIRS; i++) {
        int64_t now =
            length(target_start, batches.pair[i]) * 1000 + length(source_start, batches.pair[i]);
        assert_true(now >= last);
        /* Equal pairs stay in the order of the files. */
        assert_true(now > last || i == 0 || batches.pair[i] > batches.pair[i - 1]);
        last = now;
    }
    attn_batches_free(&batches);
}

static uint64_t order(bool shuffle, uint64_t seed, uint64_t epoch) {
    attn_batches batches = make(shuffle, seed, epoch);
    uint64_t hash = attn_hash64(batches.pair, PAIRS * sizeof *batches.pair, 0);
    hash = attn_hash64(batches.start, (size_t)(batches.count + 1) * sizeof *batches.start, hash);
    attn_batches_free(&batches);
    return hash;
}

static void seed_and_epoch_decide_the_order(void **state) {
    (void)state;
    assert_true(order(true, 5, 2) == order(true, 5, 2));
    assert_true(order(true, 5, 2) != order(true, 5, 3));
    assert_true(order(true, 5, 2) != order(true, 6, 2));
    assert_true(order(false, 5, 2) == order(false, 6, 3));
    /* The same on every machine. */
    assert_true(order(true, 5, 2) == 0x72314ccdc11c35a6U);
}

static void an_empty_corpus_has_no_batches(void **state) {
    (void)state;
    int64_t zero = 0;
    attn_corpus empty = {.source_start = &zero, .target_start = &zero};
    attn_batches batches;
    assert_int_equal(attn_batches_make(&empty, 10, true, 1, 1, &batches, NULL), ATTN_OK);
    assert_int_equal(batches.count, 0);
    attn_batches_free(&batches);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_once_and_none_too_large),
        cmocka_unit_test(pairs_of_a_batch_are_alike),
        cmocka_unit_test(seed_and_epoch_decide_the_order),
        cmocka_unit_test(an_empty_corpus_has_no_batches),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
