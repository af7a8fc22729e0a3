/* bench/measure.h: how long something takes, and what the machine could have done in that time.
 *
 * Every repetition of a case is preceded by a short measurement of the machine itself (peak.h), so
 * that a neighbour or a changing clock rate falls on both alike. Next: peak.h. */
#ifndef ATTN_BENCH_MEASURE_H
#define ATTN_BENCH_MEASURE_H

#include "bench/bench.h"

/* Seconds since some moment. */
double attn_bench_now(void);

typedef struct attn_bench_spread {
    double median, low, high;
} attn_bench_spread;

/* Sorts the values. */
attn_bench_spread attn_bench_spread_of(double *values, size_t count);

typedef struct attn_bench_budget {
    double seconds;  /* a case is repeated until they are spent */
    int least, most; /* but at least and at most this often */
    double shortest; /* a repetition that takes less is several calls in a row */
} attn_bench_budget;

attn_bench_budget attn_bench_budget_for(bool quick);

typedef struct attn_bench_result {
    const attn_bench_case *of;
    attn_bench_work work;
    attn_bench_spread seconds; /* of one part: one product, one training step */
    int repetitions;
    double rate;  /* GFLOP/s or GB/s, at the median */
    double limit; /* of the machine, in the same unit, the median of those measured in between */
    double tokens_per_second;
    int64_t peak_bytes; /* the most memory the process held; where the system can start that
                           count anew (Linux), during this case alone */
} attn_bench_result;

/* Sets the case up, runs it once to warm up, and then as the budget says. */
ATTN_MUST_CHECK attn_status attn_bench_measure(const attn_bench_case *given,
                                               const attn_bench_budget *budget,
                                               attn_bench_result *out, attn_error *error);

#endif
