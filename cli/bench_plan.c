/* cli/bench_plan.c: a row for each call: its threads, how they divide the work, and its memory. */
#include "bench_plan.h"

#include <stdio.h>

attn_status attn_bench_plan_make(const attn_attention *attention, bool backward,
                                 attn_bench_plan *row, attn_error *error) {
    attn_plan_init(&row->plan);
    return attn_attention_plan(attention, backward, &row->plan, error);
}

const char *attn_bench_division_name(attn_plan_division division) {
    static const char *const names[] = {"heads", "windows", "blocks", "few"};
    return names[division];
}

void attn_bench_plan_print_head(void) {
    printf("%-34s %-36s %7s %-8s %12s %12s %8s\n", "case", "work", "threads", "items", "in and out",
           "temporary", "visited");
}

void attn_bench_plan_print(const attn_bench_plan *row) {
    printf("%-34s %-36s %7d %-8s %9.1f MB %9.1f MB %6.1f %%\n", row->name, row->work,
           row->plan.threads, attn_bench_division_name(row->plan.division),
           (double)row->data_bytes / 1e6, (double)row->plan.memory / 1e6, 100 * row->plan.visited);
}

json_t *attn_bench_plan_json(const attn_bench_plan *row) {
    const attn_plan *p = &row->plan;
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:f}", "name", row->name,
                     "work", row->work, "isa", p->isa, "threads", p->threads, "threads_reason",
                     p->threads_reason, "division", attn_bench_division_name(p->division),
                     "division_reason", p->division_reason, "data_bytes",
                     (json_int_t)row->data_bytes, "temporary_bytes", (json_int_t)p->memory,
                     "visited", p->visited);
}
