/* base/random.c: Philox4x32-10 and what is drawn from it.
 *
 * The vector version for dropout lives with the kernels and must give the same words. */
#include "base/random.h"

enum { ROUNDS = 10 };

static const uint32_t MULTIPLIER_0 = 0xD2511F53U, MULTIPLIER_1 = 0xCD9E8D57U;
static const uint32_t WEYL_0 = 0x9E3779B9U, WEYL_1 = 0xBB67AE85U;

void attn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t product0 = (uint64_t)MULTIPLIER_0 * c0;
        uint64_t product1 = (uint64_t)MULTIPLIER_1 * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product0;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t attn_random_key(uint64_t seed, uint64_t step, uint64_t stream) {
    uint32_t counter[4] = {(uint32_t)step, (uint32_t)(step >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    attn_philox(counter, key, out);
    return (uint64_t)out[1] << 32 | out[0];
}

static void stream_block(uint64_t key, uint64_t block, uint32_t out[4]) {
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0};
    uint32_t words[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    attn_philox(counter, words, out);
}

attn_random attn_random_start(uint64_t key) {
    return (attn_random){.key = key, .position = 0};
}

uint32_t attn_random_u32(attn_random *random) {
    uint32_t words[4];
    stream_block(random->key, random->position / 4, words);
    return words[random->position++ % 4];
}

uint64_t attn_random_below(attn_random *random, uint64_t n) {
    /* Words from limit on would make the small remainders more likely; they are drawn again. */
    uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t word;
    do {
        word = attn_random_u32(random);
        word |= (uint64_t)attn_random_u32(random) << 32;
    } while (word >= limit);
    return word % n;
}

double attn_random_uniform(attn_random *random) {
    return attn_random_u32(random) * 0x1p-32;
}

double attn_random_normal(attn_random *random) {
    /* Whole blocks: four words for the price of one. */
    uint64_t block = random->position / 4 + (random->position % 4 != 0);
    uint64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        uint32_t words[4];
        stream_block(random->key, block++, words);
        sum += (uint64_t)words[0] + words[1] + words[2] + words[3];
    }
    random->position = block * 4;
    return (double)sum * 0x1p-32 - 6.0;
}

void attn_random_shuffle(attn_random *random, int64_t *items, int64_t n) {
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t other = (int64_t)attn_random_below(random, (uint64_t)i + 1);
        int64_t item = items[i];
        items[i] = items[other];
        items[other] = item;
    }
}
