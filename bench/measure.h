/* bench/measure.h: how long something takes, and what the machine could have done in that time.
 *
 * Before and after every repetition of a case the machine itself is measured (peak.h), so that a
 * changing clock rate falls on both alike. The best of these samples is the limit: a neighbour can
 * only make the machine look slower than it is. Next: peak.h. */
#ifndef ATTN_BENCH_MEASURE_H
#define ATTN_BENCH_MEASURE_H

#include "bench/bench.h"
#include "bench/peak.h"

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
/* For measuring in turns with something else, this long at a time. */
attn_bench_budget attn_bench_budget_turn(double seconds);

/* A case that is set up and warm. */
typedef struct attn_bench_session {
    const attn_bench_case *of;
    void *state;
    attn_bench_work work;
    double first;            /* seconds that a call took */
    int64_t peak_bytes;      /* the most memory the process held; where the system can start that
                                count anew (Linux), during this case alone */
    int64_t temporary_bytes; /* by how much the first call raised it; -1: the system cannot say */
    attn_peak_memory memory; /* to measure the bandwidth with; NULL data: by arithmetic alone */
} attn_bench_session;

typedef struct attn_bench_result {
    attn_bench_spread seconds; /* of one part: one product, one training step */
    int repetitions;
    double rate;           /* GFLOP/s or GB/s, at the median */
    double limit;          /* of the machine for this work, in the same unit: the best sample */
    attn_bench_unit bound; /* what that limit comes from */
    double tokens_per_second;
} attn_bench_result;

/* Sets the case up and runs it until it is warm. Closed also after a failure. */
ATTN_MUST_CHECK attn_status attn_bench_open(const attn_bench_case *given, attn_bench_session *out,
                                            attn_error *error);
/* Measures it, as often as wanted. */
ATTN_MUST_CHECK attn_status attn_bench_turn(attn_bench_session *session,
                                            const attn_bench_budget *budget, attn_bench_result *out,
                                            attn_error *error);
void attn_bench_close(attn_bench_session *session);

#endif
