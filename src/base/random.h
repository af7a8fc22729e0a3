/* base/random.h: random numbers from a counter.
 *
 * Philox4x32-10: word i of a stream is a function of (key, i) alone, so that any element can be
 * drawn by any thread in any order, and a stream resumes from two integers.
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". */
#ifndef ATTN_BASE_RANDOM_H
#define ATTN_BASE_RANDOM_H

#include <stdint.h>

#include "base/shared.h"

/* Four random words from a 128-bit counter and a 64-bit key. out may be counter itself. */
void attn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* An independent 64-bit key for each (seed, step, stream): stream tells apart the consumers within
 * a step (each dropout call, the shuffling, the initialization of each tensor). */
uint64_t attn_random_key(uint64_t seed, uint64_t step, uint64_t stream);

/* Plain data: copying it copies the stream; save both numbers to continue it later. Words 4b ..
 * 4b + 3 are the Philox block with counter {b low, b high, 0, 0} and key {key low, key high}. */
typedef struct attn_random {
    uint64_t key;
    uint64_t position; /* of the next 32-bit word */
} attn_random;

attn_random attn_random_start(uint64_t key);
uint32_t attn_random_u32(attn_random *random);
/* Uniform on 0 .. n - 1, without bias. n >= 1. */
uint64_t attn_random_below(attn_random *random, uint64_t n);
/* Uniform on [0, 1), a multiple of 2^-32. */
ATTN_SHARED double attn_random_uniform(attn_random *random);
/* Mean 0, variance 1, within -6 .. 6: twelve uniforms summed (Irwin-Hall). Exact in double, hence
 * the same bits everywhere, which log and cos of a C library are not. */
double attn_random_normal(attn_random *random);
/* Every order of the n items equally likely (Fisher-Yates). */
void attn_random_shuffle(attn_random *random, int64_t *items, int64_t n);

#endif
