/* cli/bench_plan.h: `attn bench --plan`: how attention would run on a number of threads, without running it. */
#ifndef ATTN_CLI_BENCH_PLAN_H
#define ATTN_CLI_BENCH_PLAN_H

#include <jansson.h>

#include "attn/attention.h"

/* A row: a case, or a shape of the caller's. */
typedef struct attn_bench_plan {
    const char *name, *work;
    attn_plan plan;
    int64_t data_bytes; /* inputs and outputs */
} attn_bench_plan;

/* Plans with as many threads as attn_set_threads says; attn_plan_init is called here. */
ATTN_MUST_CHECK attn_status attn_bench_plan_make(const attn_attention *attention, bool backward,
                                                 attn_bench_plan *row, attn_error *error);
/* "heads", "windows", "blocks" or "few". */
const char *attn_bench_division_name(attn_plan_division division);
void attn_bench_plan_print_head(void);
void attn_bench_plan_print(const attn_bench_plan *row);
/* NULL when out of memory. */
json_t *attn_bench_plan_json(const attn_bench_plan *row);

#endif
