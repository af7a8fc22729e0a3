/* cli/bench_curves.h: `attn bench --curves`: measures curves, and writes them as JSON and as pictures. */
#ifndef ATTN_CLI_BENCH_CURVES_H
#define ATTN_CLI_BENCH_CURVES_H

#include <jansson.h>

#include "bench/curves.h"

/* Measures a curve, draws FOLDER/NAME.svg and adds what curves.json has of it to `all`. */
ATTN_MUST_CHECK attn_status attn_bench_curves_add(const attn_bench_curve *curve, int threads,
                                                  bool quick, const char *folder, json_t *all,
                                                  attn_error *error);
void attn_bench_curves_print_head(void);

#endif
