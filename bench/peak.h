/* bench/peak.h: what this machine can do at best, on attn_get_threads() threads, and its name.
 *
 * FMA peak: fused multiply-adds on registers alone, with enough independent chains to hide their
 * latency, in the widest registers of each instruction set. Bandwidth: a sum over memory far
 * larger than the cache. */
#ifndef ATTN_BENCH_PEAK_H
#define ATTN_BENCH_PEAK_H

#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

typedef struct attn_peak_fma {
    const char *isa; /* as attn_isa_at, or "plain" */
    float (*run)(int64_t rounds, float factor, float term);
    int64_t round_flops;
} attn_peak_fma;

/* Those of this processor, the fastest last; returns how many, at most max. */
int attn_peak_fma_list(const attn_peak_fma *out[], int max);
/* One measurement of a few milliseconds, in GFLOP/s. */
double attn_peak_fma_measure(const attn_peak_fma *fma);

/* Memory to read; NULL data: not allocated. */
typedef struct attn_peak_memory {
    uint64_t *data;
} attn_peak_memory;

ATTN_MUST_CHECK attn_status attn_peak_memory_create(attn_peak_memory *out, attn_error *error);
void attn_peak_memory_free(attn_peak_memory *memory);
/* One pass over it, in GB/s (1e9 bytes). */
double attn_peak_memory_measure(const attn_peak_memory *memory);

/* "AMD EPYC 9354", or the architecture where the system does not say. Returns buffer. */
char *attn_machine_name(char *buffer, size_t size);
/* Starts the count of attn_machine_peak_bytes anew where the system lets us. */
void attn_machine_reset_peak(void);
/* The most memory that the process has held. */
int64_t attn_machine_peak_bytes(void);
/* The memory that it holds now; 0 where the system does not say. */
int64_t attn_machine_held_bytes(void);

#endif
