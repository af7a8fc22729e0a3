/* Philox against its authors' known answers; streams, shuffles, and the hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"

/* The three Philox4x32-10 vectors published with Random123. */
static void philox_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        attn_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void stream_words_are_blocks(void **state) {
    (void)state;
    attn_random random = attn_random_start(0x0123456789abcdefU);
    for (uint32_t block = 0; block < 3; block++) {
        uint32_t out[4];
        attn_philox((uint32_t[4]){block, 0, 0, 0}, (uint32_t[2]){0x89abcdef, 0x01234567}, out);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(attn_random_u32(&random), out[i]);
        }
    }
    /* Past 2^32 blocks the high word of the counter counts on. */
    random.position = (uint64_t)4 << 32;
    uint32_t out[4];
    attn_philox((uint32_t[4]){0, 1, 0, 0}, (uint32_t[2]){0x89abcdef, 0x01234567}, out);
    assert_int_equal(attn_random_u32(&random), out[0]);
}

static void keys_differ(void **state) {
    (void)state;
    uint64_t keys[4] = {attn_random_key(1, 0, 0), attn_random_key(0, 1, 0),
                        attn_random_key(0, 0, 1), attn_random_key(0, 0, 0)};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            assert_true(keys[i] != keys[j]);
        }
    }
    assert_true(keys[3] == 0xe169c58d6627e8d5U);
}

static void below_is_even(void **state) {
    (void)state;
    attn_random random = attn_random_start(7);
    int64_t seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t value = attn_random_below(&random, 7);
        assert_true(value < 7);
        seen[value]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9500, 10500);
    }
    assert_true(attn_random_below(&random, 1) == 0);
    /* Three quarters of all words: a plain remainder would give half of them to the lowest third.
     */
    uint64_t n = (uint64_t)3 << 62, low = 0;
    for (int i = 0; i < 3000; i++) {
        uint64_t value = attn_random_below(&random, n);
        assert_true(value < n);
        low += value < n / 3;
    }
    assert_in_range(low, 900, 1100);
}

static void uniform_and_normal_moments(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    attn_random random = attn_random_start(attn_random_key(3, 1, 4));
    double sum = 0, squares = 0;
    for (int i = 0; i < COUNT; i++) {
        double value = attn_random_uniform(&random);
        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(sum / COUNT > 0.49 && sum / COUNT < 0.51);
    sum = 0;
    random.position++; /* normals start at a whole block wherever the stream stands */
    for (int i = 0; i < COUNT; i++) {
        double value = attn_random_normal(&random);
        sum += value;
        squares += value * value;
    }
    assert_true(sum / COUNT > -0.015 && sum / COUNT < 0.015);
    assert_true(squares / COUNT > 0.98 && squares / COUNT < 1.02);
    assert_int_equal(random.position % 4, 0);
}

static void shuffle_reaches_every_order(void **state) {
    (void)state;
    attn_random random = attn_random_start(11);
    int seen[27] = {0};
    for (int i = 0; i < 6000; i++) {
        int64_t items[3] = {0, 1, 2};
        attn_random_shuffle(&random, items, 3);
        assert_int_equal(items[0] + items[1] + items[2], 3);
        seen[items[0] * 9 + items[1] * 3 + items[2]]++;
    }
    static const int orders[6] = {5, 7, 11, 15, 19, 21};
    for (int i = 0; i < 6; i++) {
        assert_in_range(seen[orders[i]], 850, 1150);
    }
    attn_random_shuffle(&random, NULL, 0);
}

static void hash_follows_its_definition(void **state) {
    (void)state;
    /* Computed from the formula in hash.h with Python's integers. */
    assert_true(attn_hash64(NULL, 0, 0) == 0xf8bb92c91b3f5cc0U);
    assert_true(attn_hash64("attention", 9, 42) == 0x051257f986a6d51dU);
}

static void hash_sees_every_bit(void **state) {
    (void)state;
    unsigned char data[33] = {0};
    uint64_t plain = attn_hash64(data, sizeof data, 0);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_true(attn_hash64(data, sizeof data, 0) != plain);
        data[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    /* Two sign bits flipped in neighbouring words. */
    data[7] = data[15] = 0x80;
    assert_true(attn_hash64(data, sizeof data, 0) != plain);
    data[7] = data[15] = 0;
    for (size_t size = 0; size < sizeof data; size++) {
        assert_true(attn_hash64(data, size, 0) != plain);
    }
    assert_true(attn_hash64(data, sizeof data, 1) != plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(stream_words_are_blocks),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(uniform_and_normal_moments),
        cmocka_unit_test(shuffle_reaches_every_order),
        cmocka_unit_test(hash_follows_its_definition),
        cmocka_unit_test(hash_sees_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
