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
    int64_t *sequence; /* copies of one, taken in turn */
    int64_t copies, turn;
    float *query, *output;
} state;

static void cache_stop(void *given) {
    state *s = given;
    if (s != NULL) {
        attn_cache_free(s->cache);
        attn_free(s->sequence);
        attn_free(s->query);
        attn_free(s->output);
        attn_free(s);
    }
}

static attn_status cache_run(void *given, attn_error *error) {
    state *s = given;
    s->attention.sequences = &s->sequence[s->turn];
    s->turn = (s->turn + 1) % s->copies;
    return attn_cache_attend(s->cache, &s->attention, error);
}

/* Keys and values are random, the same for every type and copy. */
static attn_status fill_cache(state *s, int64_t keys, int64_t row, int64_t head_size,
                              attn_error *error) {
    float *key = attn_bench_random(keys * row, 1, 2), *value = attn_bench_random(keys * row, 1, 3);
    attn_status status = key != NULL && value != NULL
                             ? ATTN_OK
                             : attn_fail_memory(error, (size_t)(keys * row) * sizeof(float));
    for (int64_t i = 0; i < s->copies && status == ATTN_OK; i++) {
        status = attn_cache_start(s->cache, &s->sequence[i], error);
        if (status == ATTN_OK) {
            status = attn_cache_append(s->cache, s->sequence[i], keys, key, row, head_size, value,
                                       row, head_size, error);
        }
    }
    attn_free(key);
    attn_free(value);
    return status;
}

/* Bytes of a key or a value. */
static double row_bytes(attn_cache_type type, double head_size) {
    return type == ATTN_CACHE_F32    ? head_size * 4
           : type == ATTN_CACHE_BF16 ? head_size * 2
                                     : head_size + sizeof(float);
}

static attn_status cache_start(const attn_bench_case *given, void **out, attn_bench_work *work,
                               attn_error *error) {
    int64_t heads = given->size[0], keys = given->size[1], head_size = given->size[2];
    attn_cache_config config = {.size = sizeof(attn_cache_config),
                                .kv_heads = heads,
                                .head_size = head_size,
                                .value_size = head_size,
                                .type = (attn_cache_type)given->size[3]};
    state *s = attn_alloc_zero(1, sizeof *s);
    *out = s;
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    work->amount = 2.0 * (double)(keys * heads) * row_bytes(config.type, (double)head_size);
    work->flops = 4.0 * (double)(keys * heads * head_size);
    s->copies = attn_bench_copies(work->amount);
    s->sequence = attn_alloc_zero((size_t)s->copies, sizeof *s->sequence);
    attn_status status = s->sequence != NULL ? attn_cache_create(&config, &s->cache, error)
                                             : attn_fail_memory(error, sizeof *s->sequence);
    status = status == ATTN_OK ? fill_cache(s, keys, heads * head_size, head_size, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    s->query = attn_bench_random(heads * head_size, 1, 1);
    s->output = attn_bench_random(heads * head_size, 0, 4);
    if (s->query == NULL || s->output == NULL) {
        return attn_fail_memory(error, (size_t)(heads * head_size) * sizeof(float));
    }
    attn_cache_attention_init(&s->attention, s->cache, 1, heads);
    s->attention.query = s->query;
    s->attention.output = s->output;
    return ATTN_OK;
}

const attn_bench_kind attn_bench_cache_decode = {ATTN_BENCH_GBS, cache_start, cache_run,
                                                 cache_stop};
