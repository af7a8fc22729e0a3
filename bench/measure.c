/* bench/measure.c: warm up, repeat, take the median; sample the machine in between. */
#include "bench/measure.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/minmax.h"

enum { MOST_REPETITIONS = 64 };

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

attn_bench_budget attn_bench_budget_turn(double seconds) {
    return (attn_bench_budget){
        .seconds = seconds, .least = 1, .most = MOST_REPETITIONS, .shortest = 0.01};
}

/* ---- the machine's limit ---- */

/* The best samples so far; 0: none. */
typedef struct limits {
    double gflops, gbs;
} limits;

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* Samples for a tenth as long as a repetition takes, each resource that the work needs. */
static void sample_limits(const attn_bench_session *s, double repetition, limits *best) {
    enum { MOST_SAMPLES = 32 };
    const attn_peak_fma *loops[8];
    const attn_peak_fma *fma = loops[attn_peak_fma_list(loops, 8) - 1];
    bool arithmetic = s->of->kind->unit == ATTN_BENCH_GFLOPS || s->work.flops > 0;
    double start = attn_clock();
    for (int i = 0; i < MOST_SAMPLES && (i < 2 || attn_clock() - start < repetition / 10); i++) {
        if (arithmetic) {
            best->gflops = larger(best->gflops, attn_peak_fma_measure(fma));
        }
        if (s->memory.data != NULL) {
            best->gbs = larger(best->gbs, attn_peak_memory_measure(&s->memory));
        }
    }
}

/* Work that needs both takes as long as the slower of the two. */
static void set_limit(const attn_bench_session *s, const limits *best, attn_bench_result *out) {
    const attn_bench_work *work = &s->work;
    out->bound = s->of->kind->unit;
    out->limit = out->bound == ATTN_BENCH_GBS ? best->gbs : best->gflops;
    if (out->bound == ATTN_BENCH_GBS && work->flops / best->gflops > work->amount / best->gbs) {
        out->bound = ATTN_BENCH_GFLOPS;
        out->limit = best->gflops * work->amount / work->flops;
    }
}

/* ---- a case ---- */

static attn_status run_calls(const attn_bench_session *s, int64_t calls, double *seconds,
                             attn_error *error) {
    attn_status status = ATTN_OK;
    double start = attn_clock();
    for (int64_t i = 0; i < calls && status == ATTN_OK; i++) {
        status = s->of->kind->run(s->state, error);
    }
    *seconds = (attn_clock() - start) / (double)calls;
    return status;
}

attn_status attn_bench_open(const attn_bench_case *given, attn_bench_session *out,
                            attn_error *error) {
    const double long_call = 0.2;
    *out = (attn_bench_session){.of = given, .work = {.parts = 1}};
    attn_machine_reset_peak();
    attn_status status = given->kind->start(given, &out->state, &out->work, error);
    out->peak_bytes = attn_machine_peak_bytes();
    int64_t held = attn_machine_held_bytes();
    attn_machine_reset_peak();
    for (int i = 0; i < 2 && status == ATTN_OK; i++) { /* the first call allocates */
        status = run_calls(out, 1, &out->first, error);
        if (i == 0) {
            int64_t peak = attn_machine_peak_bytes();
            out->temporary_bytes = held > 0 ? attn_max(peak - held, 0) : -1;
            out->peak_bytes = attn_max(out->peak_bytes, peak);
        }
        if (out->first > long_call) {
            break;
        }
    }
    bool reads = given->kind->unit == ATTN_BENCH_GBS;
    return status == ATTN_OK && reads ? attn_peak_memory_create(&out->memory, error) : status;
}

attn_status attn_bench_turn(attn_bench_session *s, const attn_bench_budget *budget,
                            attn_bench_result *out, attn_error *error) {
    double seconds[MOST_REPETITIONS];
    limits best = {0, 0};
    int64_t calls = s->first < budget->shortest ? (int64_t)(budget->shortest / s->first) + 1 : 1;
    attn_status status = ATTN_OK;
    double start = attn_clock();
    int count = 0;
    *out = (attn_bench_result){.bound = s->of->kind->unit};
    sample_limits(s, s->first, &best);
    while (status == ATTN_OK && count < budget->most &&
           (count < budget->least || attn_clock() - start < budget->seconds)) {
        status = run_calls(s, calls, &seconds[count], error);
        sample_limits(s, seconds[count] * (double)calls, &best);
        count++;
    }
    if (status != ATTN_OK) {
        return status;
    }
    double parts = (double)s->work.parts;
    out->repetitions = count;
    out->seconds = attn_bench_spread_of(seconds, (size_t)count);
    out->rate = s->work.amount / out->seconds.median * 1e-9;
    out->tokens_per_second = (double)s->work.tokens / out->seconds.median;
    set_limit(s, &best, out);
    out->seconds.median /= parts;
    out->seconds.low /= parts;
    out->seconds.high /= parts;
    return ATTN_OK;
}

void attn_bench_close(attn_bench_session *session) {
    if (session->of != NULL) {
        session->of->kind->stop(session->state);
        attn_peak_memory_free(&session->memory);
        *session = (attn_bench_session){.of = NULL};
    }
}
