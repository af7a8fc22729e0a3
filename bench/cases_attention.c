/* bench/cases_attention.c: attention alone: long sequences, many short ones, one query.
 *
 * B sequences, H heads, T tokens, D head size. Tensors are [B, T, H, D]; short sequences are packed
 * one after another without padding. */
#include "attn/attention.h"
#include "base/memory.h"
#include "base/fail.h"
#include "bench/bench.h"

typedef struct state {
    attn_attention attention;
    int64_t copies, turn, copy_size; /* one query: keys and values are taken in turn */
    int64_t *starts;                 /* packed sequences */
    float *query, *key, *value, *output, *lse;
    float *extra;                                /* of the option: bias, slopes or sinks */
    float *d_output, *d_query, *d_key, *d_value; /* backward only */
} state;

static void stop(void *given) {
    state *s = given;
    if (s != NULL) {
        float *arrays[] = {s->query,    s->key,     s->value, s->output,  s->lse,
                           s->d_output, s->d_query, s->d_key, s->d_value, s->extra};
        for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
            attn_free(arrays[i]);
        }
        attn_free(s->starts);
        attn_free(s);
    }
}

static attn_status run_forward(void *given, attn_error *error) {
    const state *s = given;
    return attn_attention_forward(&s->attention, s->query, s->key, s->value, s->output, s->lse,
                                  error);
}

static attn_status run_backward(void *given, attn_error *error) {
    const state *s = given;
    attn_attention_gradients gradients = {.size = sizeof(attn_attention_gradients),
                                          .d_query = s->d_query,
                                          .d_key = s->d_key,
                                          .d_value = s->d_value};
    return attn_attention_backward(&s->attention, s->query, s->key, s->value, s->output, s->lse,
                                   s->d_output, &gradients, error);
}

/* queries and keys: tokens in all. */
static attn_status allocate(state *s, int64_t queries, int64_t keys, int64_t heads,
                            int64_t head_size, bool backward, attn_error *error) {
    int64_t query_count = queries * heads * head_size, key_count = keys * heads * head_size;
    s->query = attn_bench_random(query_count, 1, 1);
    s->key = attn_bench_random(key_count, 1, 2);
    s->value = attn_bench_random(key_count, 1, 3);
    s->output = attn_bench_random(query_count, 0, 4);
    s->lse = attn_bench_random(queries * heads, 0, 5);
    bool complete = s->query != NULL && s->key != NULL && s->value != NULL && s->output != NULL &&
                    s->lse != NULL;
    if (backward) {
        s->d_output = attn_bench_random(query_count, 1, 6);
        s->d_query = attn_bench_random(query_count, 0, 7);
        s->d_key = attn_bench_random(key_count, 0, 8);
        s->d_value = attn_bench_random(key_count, 0, 9);
        complete = complete && s->d_output != NULL && s->d_query != NULL && s->d_key != NULL &&
                   s->d_value != NULL;
    }
    return complete ? ATTN_OK : attn_fail_memory(error, (size_t)key_count * sizeof(float));
}

/* 4 D operations for each pair and head, 2.5 times as many in the backward. */
static double flops(double pairs, int64_t heads, int64_t head_size, bool backward) {
    return pairs * 4.0 * (double)(heads * head_size) * (backward ? 2.5 : 1.0);
}

/* ---- one long sequence ---- */

/* Of query and key: the first `window` queries see ever more keys, all others as many. */
static double causal_pairs(double tokens, double window) {
    return window * (window + 1) / 2 + (tokens - window) * window;
}

/* Query, key, value, output and LSE, and as many gradients but for LSE. */
static int64_t data_bytes(int64_t tokens, int64_t heads, int64_t head_size, bool backward) {
    int64_t rows = tokens * heads, numbers = rows * (4 * head_size * (backward ? 2 : 1) + 1);
    return numbers * (int64_t)sizeof(float);
}

static int64_t window_of(const attn_bench_case *given) {
    return given->size[4] > 0 ? given->size[4] : given->size[1];
}

bool attn_bench_attention_describe(const attn_bench_case *given, attn_attention *out,
                                   bool *backward, int64_t *bytes) {
    int64_t heads = given->size[0], tokens = given->size[1], head_size = given->size[2];
    *backward = given->kind == &attn_bench_attention_backward;
    if (!*backward && given->kind != &attn_bench_attention_forward) {
        return false;
    }
    attn_attention_init(out, 1, heads, heads, tokens, tokens, head_size, head_size);
    out->causal = given->size[3] != 0;
    if (window_of(given) < tokens) {
        out->window_left = window_of(given) - 1;
    }
    *bytes = data_bytes(tokens, heads, head_size, *backward);
    return true;
}

/* A bias of T x T that all heads share, a slope or a sink for each head, or softcap as in Gemma 2. */
static attn_status add_option(state *s, attn_bench_option option, attn_error *error) {
    attn_attention *a = &s->attention;
    int64_t count = option == ATTN_BENCH_BIAS ? a->query_length * a->key_length : a->heads;
    if (option == ATTN_BENCH_SOFTCAP) {
        a->softcap = 50;
    }
    if (option == ATTN_BENCH_NO_OPTION || option == ATTN_BENCH_SOFTCAP) {
        return ATTN_OK;
    }
    s->extra = attn_bench_random(count, 1, 10);
    if (s->extra == NULL) {
        return attn_fail_memory(error, (size_t)count * sizeof(float));
    }
    if (option == ATTN_BENCH_BIAS) {
        a->bias = s->extra;
        a->bias_query = a->key_length;
    } else if (option == ATTN_BENCH_ALIBI) {
        for (int64_t h = 0; h < count; h++) {
            s->extra[h] = 1.0F / (float)((int64_t)2 << h); /* of 8 heads */
        }
        a->alibi_slopes = s->extra;
    } else {
        a->sinks = s->extra;
    }
    return ATTN_OK;
}

static attn_status start_long(const attn_bench_case *given, void **out, attn_bench_work *work,
                              attn_error *error) {
    int64_t heads = given->size[0], tokens = given->size[1], head_size = given->size[2];
    double window = (double)window_of(given), length = (double)tokens;
    bool backward;
    state *s = attn_alloc_zero(1, sizeof *s);
    *out = s;
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    attn_bench_attention_describe(given, &s->attention, &backward, &work->data_bytes);
    double pairs = s->attention.causal ? causal_pairs(length, window) : length * length;
    work->amount = flops(pairs, heads, head_size, backward);
    attn_status status = add_option(s, (attn_bench_option)given->size[5], error);
    if (status == ATTN_OK) {
        status = allocate(s, tokens, tokens, heads, head_size, backward, error);
    }
    return status == ATTN_OK && backward ? run_forward(s, error) : status;
}

const attn_bench_kind attn_bench_attention_forward = {ATTN_BENCH_GFLOPS, start_long, run_forward,
                                                      stop};
const attn_bench_kind attn_bench_attention_backward = {ATTN_BENCH_GFLOPS, start_long, run_backward,
                                                       stop};

/* ---- many short sequences ---- */

static attn_status start_short(const attn_bench_case *given, bool backward, void **out,
                               attn_bench_work *work, attn_error *error) {
    int64_t count = given->size[0], shortest = given->size[1], longest = given->size[2];
    int64_t heads = given->size[3], head_size = given->size[4];
    state *s = attn_alloc_zero(1, sizeof *s);
    *out = s;
    if (s != NULL) {
        s->starts = attn_alloc_zero((size_t)count + 1, sizeof *s->starts);
    }
    if (s == NULL || s->starts == NULL) {
        return attn_fail_memory(error, (size_t)(count + 1) * sizeof(int64_t));
    }
    double pairs = 0;
    for (int64_t b = 0; b < count; b++) {
        int64_t length = shortest + b % (longest - shortest + 1);
        s->starts[b + 1] = s->starts[b] + length;
        pairs += (double)(length * length);
    }
    attn_attention_init(&s->attention, count, heads, heads, longest, longest, head_size, head_size);
    s->attention.query_starts = s->attention.key_starts = s->starts;
    work->amount = flops(pairs, heads, head_size, backward);
    int64_t tokens = s->starts[count];
    attn_status status = allocate(s, tokens, tokens, heads, head_size, backward, error);
    return status == ATTN_OK && backward ? run_forward(s, error) : status;
}

static attn_status start_short_forward(const attn_bench_case *given, void **out,
                                       attn_bench_work *work, attn_error *error) {
    return start_short(given, false, out, work, error);
}

static attn_status start_short_backward(const attn_bench_case *given, void **out,
                                        attn_bench_work *work, attn_error *error) {
    return start_short(given, true, out, work, error);
}

const attn_bench_kind attn_bench_short_forward = {ATTN_BENCH_GFLOPS, start_short_forward,
                                                  run_forward, stop};
const attn_bench_kind attn_bench_short_backward = {ATTN_BENCH_GFLOPS, start_short_backward,
                                                   run_backward, stop};

static attn_status run_both(void *given, attn_error *error) {
    attn_status status = run_forward(given, error);
    return status == ATTN_OK ? run_backward(given, error) : status;
}

static attn_status start_short_both(const attn_bench_case *given, void **out, attn_bench_work *work,
                                    attn_error *error) {
    attn_status status = start_short(given, true, out, work, error);
    work->amount *= 1 + 1 / 2.5;
    return status;
}

const attn_bench_kind attn_bench_short_both = {ATTN_BENCH_GFLOPS, start_short_both, run_both, stop};

/* ---- one query against many keys ---- */

static attn_status start_decode(const attn_bench_case *given, void **out, attn_bench_work *work,
                                attn_error *error) {
    int64_t heads = given->size[0], keys = given->size[1], head_size = given->size[2];
    state *s = attn_alloc_zero(1, sizeof *s);
    *out = s;
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    attn_attention_init(&s->attention, 1, heads, heads, 1, keys, head_size, head_size);
    /* A cache keeps a head's keys together: [B, H, T, D]. */
    attn_strides apart = {keys * heads * head_size, head_size, keys * head_size};
    s->attention.key = s->attention.value = apart;
    s->copy_size = keys * heads * head_size;
    work->amount = 2.0 * (double)s->copy_size * sizeof(float);
    work->flops = flops((double)keys, heads, head_size, false);
    s->copies = attn_bench_copies(work->amount);
    return allocate(s, 1, s->copies * keys, heads, head_size, false, error);
}

static attn_status run_decode(void *given, attn_error *error) {
    state *s = given;
    int64_t at = s->turn * s->copy_size;
    s->turn = (s->turn + 1) % s->copies;
    return attn_attention_forward(&s->attention, s->query, s->key + at, s->value + at, s->output,
                                  s->lse, error);
}

const attn_bench_kind attn_bench_attention_decode = {ATTN_BENCH_GBS, start_decode, run_decode,
                                                     stop};
