/* bench/lengths.h: sentence lengths like those of Multi30k, the same in every language.
 *
 * Multi30k in 10,000 joint pieces has 13.9 source and 14.1 target pieces a sentence (standard
 * deviation 4.6 and 5.1); they differ by 2.6. Here: one of ten equally likely ranges, then a number
 * within it; the target is longer or shorter by a number from a list. */
#ifndef ATTN_BENCH_LENGTHS_H
#define ATTN_BENCH_LENGTHS_H

#include <stdint.h>

/* The batches of one measurement, spread evenly over an epoch that is sorted by length. */
enum { ATTN_BENCH_BATCHES = 4 };

/* A linear congruential generator; zeroed: ready to draw. */
typedef struct attn_bench_lengths {
    uint32_t state;
} attn_bench_lengths;

static inline uint32_t attn_bench_lengths_below(attn_bench_lengths *lengths, uint32_t n) {
    lengths->state = lengths->state * 1103515245U + 12345U;
    return (lengths->state >> 16) % n;
}

/* Pieces without <s> and </s>. */
static inline void attn_bench_lengths_draw(attn_bench_lengths *lengths, int64_t *source,
                                           int64_t *target) {
    static const int edge[] = {6, 9, 10, 11, 12, 13, 14, 15, 17, 20, 29}; /* the deciles */
    static const int more[] = {-4, -2, -1, -1, 0, 0, 1, 1, 3, 5};
    uint32_t range = attn_bench_lengths_below(lengths, 10);
    uint32_t width = (uint32_t)(edge[range + 1] - edge[range]);
    *source = edge[range] + (int64_t)attn_bench_lengths_below(lengths, width);
    *target = *source + more[attn_bench_lengths_below(lengths, 10)];
}

#endif
