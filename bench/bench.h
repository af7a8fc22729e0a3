/* bench/bench.h: what `attn bench` measures, and how a measurement is described.
 *
 * A case is one row of the table in cases.c: its name, its kind and sizes. A kind says how the work
 * is set up, done once and cleared away; one file cases_KIND.c each. How operations are counted:
 *
 *     matrix product        2 M N K
 *     attention forward     4 B H D (pairs of query and key that see each other)
 *     attention backward    2.5 times that
 *     training step         6 (weights in products) (tokens) + attention, forward and backward
 *     decoding              2 (weights in products) (tokens)
 *
 * Next: measure.h, cases.c, cli/cmd_bench.c. */
#ifndef ATTN_BENCH_BENCH_H
#define ATTN_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/attention.h"

/* What limits a kind of work, and so what it is a share of. */
typedef enum attn_bench_unit {
    ATTN_BENCH_GFLOPS, /* arithmetic: share of the FMA peak */
    ATTN_BENCH_GBS,    /* reading memory: share of the bandwidth */
} attn_bench_unit;

/* One repetition, as start describes it. */
typedef struct attn_bench_work {
    double amount;  /* floating-point operations, or bytes read */
    double flops;   /* of work counted in bytes, where arithmetic may bind it after all; else 0 */
    int64_t parts;  /* what the reported time is divided by: training steps; else 1 */
    int64_t tokens; /* real target tokens; 0: the work has none */
    int64_t data_bytes; /* inputs and outputs together; 0: not counted */
} attn_bench_work;

enum { ATTN_BENCH_SIZES = 6 };

typedef struct attn_bench_case attn_bench_case;

typedef struct attn_bench_kind {
    attn_bench_unit unit;
    /* *state is passed to run and stop; stop is called also after a failed start, and takes NULL. */
    attn_status (*start)(const attn_bench_case *given, void **state, attn_bench_work *work,
                         attn_error *error);
    attn_status (*run)(void *state, attn_error *error);
    void (*stop)(void *state);
} attn_bench_kind;

struct attn_bench_case {
    const char *name;
    const char *work; /* in words, for the table */
    const attn_bench_kind *kind;
    int64_t size[ATTN_BENCH_SIZES]; /* as the kind's comment says */
};

/* The table. */
const attn_bench_case *attn_bench_cases(size_t *count);

/* M, N, K, and whether A is read across its rows (as for the gradient of a weight). */
extern const attn_bench_kind attn_bench_matmul;
/* Rows M of A, K, N, with B packed before: every element of B is read once. */
extern const attn_bench_kind attn_bench_matmul_rows;
/* Rows M of A, K, N in 8-bit integers, W packed before: by arithmetic, or by the bytes of W. */
extern const attn_bench_kind attn_bench_matmul_i8, attn_bench_matmul_i8_rows;
/* Heads, tokens, head size, causal, keys that a causal query sees (0: all), an attn_bench_option; one
 * sequence. */
extern const attn_bench_kind attn_bench_attention_forward, attn_bench_attention_backward;
typedef enum attn_bench_option {
    ATTN_BENCH_NO_OPTION,
    ATTN_BENCH_BIAS,
    ATTN_BENCH_ALIBI,
    ATTN_BENCH_SOFTCAP,
    ATTN_BENCH_SINKS
} attn_bench_option;
/* False where the case is of another kind. The description lacks the option, which changes no memory; bytes: of
 * inputs and outputs, of the backward with their gradients. */
bool attn_bench_attention_describe(const attn_bench_case *given, attn_attention *out,
                                   bool *backward, int64_t *bytes);
/* Sequences, shortest, longest, heads, head size: sequences of many lengths, packed; both: one
 * after the other. */
extern const attn_bench_kind attn_bench_short_forward, attn_bench_short_backward,
    attn_bench_short_both;
/* Heads, keys, head size: one query reads all keys and values. */
extern const attn_bench_kind attn_bench_attention_decode;
/* The same from a cache; and its attn_cache_type. */
extern const attn_bench_kind attn_bench_cache_decode;
/* Words (0: 10,000): the setting of recipes/multi30k-tiny. No sizes: the paper's base model. */
extern const attn_bench_kind attn_bench_train_multi30k, attn_bench_train_base;
/* Sentences at once, tokens in and out, beam, attn_compute. */
extern const attn_bench_kind attn_bench_translate;

/* count floats, uniform on -scale .. scale, the same for equal streams. NULL when
 * out of memory; freed with attn_free. */
float *attn_bench_random(int64_t count, float scale, uint64_t stream);
/* How many copies of `bytes` no cache holds: work that reads takes them in turn, so that it reads
 * memory. */
int64_t attn_bench_copies(double bytes);

#endif
