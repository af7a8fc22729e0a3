/* bench/cases_cache.c: one query against the keys and values of a cache.
 *
 * H heads, T keys, D head size; as float32, bfloat16 or int8. Bytes: the keys and values as kept,
 * int8 with its scales. */
#include "attn/cache.h"
#include "base/fail.h"
#include "base/memory.h"
#include "bench/bench.h"

typedef struct state {
    attn_cache *cache;
    attn_cache_attention attention;
    int64_t sequence;
    float *query, *output;
} state;

static void stop(void *given) {
    state *s = given;
    if (s != NULL) {
        attn_cache_free(s->cache);
        attn_free(s->query);
        attn_free(s->output);
        attn_free(s);
    }
}

static attn_status run(void *given, attn_error *error) {
    const state *s = given;
    return attn_cache_attend(s->cache, &s->attention, error);
}

/* Keys and values are random, the same for every type. */
static attn_status fill(state *s, int64_t keys, int64_t row, int64_t head_size, attn_error *error) {
    float *key = attn_bench_random(keys * row, 1, 2), *value = attn_bench_random(keys * row, 1, 3);
    attn_status status = key != NULL && value != NULL
                             ? attn_cache_append(s->cache, s->sequence, keys, key, row, head_size,
                                                 value, row, head_size, error)
                             : attn_fail_memory(error, (size_t)(keys * row) * sizeof(float));
    attn_free(key);
    attn_free(value);
    return status;
}

static attn_status start(const attn_bench_case *given, void **out, attn_bench_work *work,
                         attn_error *error) {
    int64_t heads = given->size[0], keys = given->size[1], head_size = given->size[2];
    attn_cache_config config = {.kv_heads = heads,
                                .head_size = head_size,
                                .value_size = head_size,
                                .type = (attn_cache_type)given->size[3]};
    state *s = attn_alloc_zero(1, sizeof *s);
    *out = s;
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    attn_status status = attn_cache_create(&config, &s->cache, error);
    status = status == ATTN_OK ? attn_cache_start(s->cache, &s->sequence, error) : status;
    status = status == ATTN_OK ? fill(s, keys, heads * head_size, head_size, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    s->query = attn_bench_random(heads * head_size, 1, 1);
    s->output = attn_bench_random(heads * head_size, 0, 4);
    if (s->query == NULL || s->output == NULL) {
        return attn_fail_memory(error, (size_t)(heads * head_size) * sizeof(float));
    }
    attn_cache_attention_init(&s->attention, s->cache, 1, heads);
    s->attention.sequences = &s->sequence;
    s->attention.query = s->query;
    s->attention.output = s->output;
    double row = config.type == ATTN_CACHE_F32    ? (double)head_size * 4
                 : config.type == ATTN_CACHE_BF16 ? (double)head_size * 2
                                                  : (double)head_size + sizeof(float);
    work->amount = 2.0 * (double)(keys * heads) * row;
    return ATTN_OK;
}

const attn_bench_kind attn_bench_cache_decode = {ATTN_BENCH_GBS, start, run, stop};
