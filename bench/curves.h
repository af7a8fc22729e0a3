/* bench/curves.h: how time and memory grow with one size of the work, beside the theory.
 *
 * A curve is a case of which one size varies, or the number of threads. Each point is measured in a process of its
 * own, so that its memory is its own. Numbers of threads that the machine has not are planned alone
 * (attn_attention_plan): memory, and no time. Next: measure.h, cli/bench_curves.c. */
#ifndef ATTN_BENCH_CURVES_H
#define ATTN_BENCH_CURVES_H

#include "bench/measure.h"

enum { ATTN_BENCH_POINTS = 16, ATTN_BENCH_THREADS_VARY = -1 };

typedef struct attn_bench_curve {
    attn_bench_case work; /* its size that varies is overwritten */
    const char *x;        /* what varies, in words */
    int varies;           /* index of a size, or ATTN_BENCH_THREADS_VARY */
    int64_t from, to;     /* doubled from point to point */
    /* The theory for large x, time and memory ~ x to these powers; and the smallest x that counts as large. */
    double time_power, memory_power;
    int64_t large;
} attn_bench_curve;

typedef struct attn_bench_point {
    int64_t x;
    bool planned;                /* no time */
    attn_bench_result result;    /* of a measured one */
    int64_t memory_bytes;        /* that the work took: inputs, outputs, parameters, temporary */
    int64_t temporary_bytes;     /* of it; -1: the system cannot say */
    attn_plan_division division; /* of a planned one */
} attn_bench_point;

/* The table. */
const attn_bench_curve *attn_bench_curves(size_t *count);

/* Measures until the curve ends, or with quick until a call is no longer short. threads: of all curves but that over
 * threads. Call it before anything that starts threads: it forks. ATTN_ERR_IO where no process can be started. */
ATTN_MUST_CHECK attn_status attn_bench_curve_measure(const attn_bench_curve *curve, int threads,
                                                     bool quick,
                                                     attn_bench_point point[ATTN_BENCH_POINTS],
                                                     size_t *count, attn_error *error);

/* The power of x by which time, or memory, grows: least squares over the logarithms of the points from `large` on.
 * NaN with fewer than two of them. */
double attn_bench_curve_slope(const attn_bench_curve *curve, const attn_bench_point *point,
                              size_t count, bool memory);

#endif
