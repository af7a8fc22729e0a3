/* bench/measure.c: warm up, repeat, take the median. */
#include "bench/measure.h"

#include <stdlib.h>
#include <time.h>

#include "bench/peak.h"

enum { MOST_REPETITIONS = 64 };

double attn_bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

attn_bench_spread attn_bench_spread_of(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare);
    return (attn_bench_spread){
        .median = (values[(count - 1) / 2] + values[count / 2]) / 2,
        .low = values[0],
        .high = values[count - 1],
    };
}

attn_bench_budget attn_bench_budget_for(bool quick) {
    return quick ? (attn_bench_budget){.seconds = 0.2, .least = 1, .most = 5, .shortest = 0.002}
                 : (attn_bench_budget){.seconds = 2, .least = 5, .most = 40, .shortest = 0.02};
}

/* What the machine can do of the case's kind of work. */
typedef struct limit {
    const attn_peak_fma *fma;
    attn_peak_memory memory;
} limit;

static attn_status limit_start(attn_bench_unit unit, limit *out, attn_error *error) {
    const attn_peak_fma *loops[8];
    int count = attn_peak_fma_list(loops, 8);
    *out = (limit){.fma = loops[count - 1]};
    return unit == ATTN_BENCH_GBS ? attn_peak_memory_create(&out->memory, error) : ATTN_OK;
}

static double limit_measure(const limit *of) {
    return of->memory.data != NULL ? attn_peak_memory_measure(&of->memory)
                                   : attn_peak_fma_measure(of->fma);
}

static attn_status run_calls(const attn_bench_kind *kind, void *state, int64_t calls,
                             double *seconds, attn_error *error) {
    attn_status status = ATTN_OK;
    double start = attn_bench_now();
    for (int64_t i = 0; i < calls && status == ATTN_OK; i++) {
        status = kind->run(state, error);
    }
    *seconds = (attn_bench_now() - start) / (double)calls;
    return status;
}

/* Limits and seconds are written in turn, one of each per repetition. */
static attn_status repeat(const attn_bench_case *given, void *state,
                          const attn_bench_budget *budget, double first, double *seconds,
                          double *limits, int *repetitions, attn_error *error) {
    limit machine;
    int64_t calls = first < budget->shortest ? (int64_t)(budget->shortest / first) + 1 : 1;
    attn_status status = limit_start(given->kind->unit, &machine, error);
    double start = attn_bench_now();
    int count = 0;
    while (status == ATTN_OK && count < budget->most &&
           (count < budget->least || attn_bench_now() - start < budget->seconds)) {
        limits[count] = limit_measure(&machine);
        status = run_calls(given->kind, state, calls, &seconds[count], error);
        count++;
    }
    attn_peak_memory_free(&machine.memory);
    *repetitions = count;
    return status;
}

attn_status attn_bench_measure(const attn_bench_case *given, const attn_bench_budget *budget,
                               attn_bench_result *out, attn_error *error) {
    double first, seconds[MOST_REPETITIONS], limits[MOST_REPETITIONS];
    void *state = NULL;
    *out = (attn_bench_result){.of = given, .work = {.parts = 1}};
    attn_machine_reset_peak();
    attn_status status = given->kind->start(given, &state, &out->work, error);
    for (int i = 0; i < 2 && status == ATTN_OK; i++) { /* the first call allocates */
        status = run_calls(given->kind, state, 1, &first, error);
        if (first > budget->seconds) {
            break;
        }
    }
    out->peak_bytes = attn_machine_peak_bytes();
    if (status == ATTN_OK) {
        status = repeat(given, state, budget, first, seconds, limits, &out->repetitions, error);
    }
    given->kind->stop(state);
    if (status != ATTN_OK) {
        return status;
    }
    out->seconds = attn_bench_spread_of(seconds, (size_t)out->repetitions);
    out->rate = out->work.amount / out->seconds.median * 1e-9;
    out->limit = attn_bench_spread_of(limits, (size_t)out->repetitions).median;
    out->tokens_per_second = (double)out->work.tokens / out->seconds.median;
    double parts = (double)out->work.parts;
    out->seconds.median /= parts;
    out->seconds.low /= parts;
    out->seconds.high /= parts;
    return ATTN_OK;
}
