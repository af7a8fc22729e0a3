/* Caches of keys and values: attention over one gives, bit for bit, what the full pass gives over the
 * same (rounded) keys and values, for every type, page size, instruction set and number of threads,
 * whatever the sequences went through. Inputs and results lie between guard pages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/attention.h"
#include "attn/cache.h"
#include "attn/memory.h"
#include "attn/threads.h"
#include "base/random.h"
#include "io/dtype.h"
#include "kernels/table.h"
#include "support/guard.h"

enum { TOKENS = 640 }; /* of which sequences are made */

/* Sizes, and TOKENS different tokens: as given, and as the cache should keep them. */
typedef struct setting {
    attn_cache_config config;
    int64_t heads;
    guard_memory key, value;      /* [TOKENS][G][D], [TOKENS][G][E] */
    float *kept_key, *kept_value; /* likewise */
    attn_random random;
} setting;

/* What a type makes of rows of `size` elements. */
static float *keep(attn_cache_type type, const float *x, int64_t rows, int64_t size) {
    size_t count = (size_t)(rows * size);
    float *kept = malloc(count * sizeof *kept), *scale = malloc((size_t)rows * sizeof *scale);
    uint16_t *half = malloc(count * sizeof *half);
    int8_t *q = malloc(count);
    memcpy(kept, x, count * sizeof *kept);
    if (type == ATTN_CACHE_BF16) {
        attn_bf16_from_f32(x, count, half);
        attn_f32_from_bf16(half, count, kept);
    } else if (type == ATTN_CACHE_I8) {
        assert_int_equal(attn_i8_from_f32(x, (size_t)rows, (size_t)size, q, scale, NULL), ATTN_OK);
        attn_f32_from_i8(q, scale, (size_t)rows, (size_t)size, kept);
    }
    free(scale);
    free(half);
    free(q);
    return kept;
}

static setting setting_new(attn_cache_config config, int64_t heads, uint64_t seed) {
    setting s = {.config = config, .heads = heads, .random = attn_random_start(seed)};
    guard_side side = seed % 2 ? GUARD_ABOVE : GUARD_BELOW;
    int64_t keys = TOKENS * config.kv_heads * config.head_size;
    int64_t values = TOKENS * config.kv_heads * config.value_size;
    s.key = guard_new((size_t)keys * sizeof(float), side);
    s.value = guard_new((size_t)values * sizeof(float), side);
    for (int64_t i = 0; i < keys; i++) {
        ((float *)s.key.data)[i] = (float)(attn_random_uniform(&s.random) * 4 - 2);
    }
    for (int64_t i = 0; i < values; i++) {
        ((float *)s.value.data)[i] = (float)(attn_random_uniform(&s.random) * 4 - 2);
    }
    /* A row of zeros, and one whose int8 scale is subnormal. */
    memset(s.key.data, 0, (size_t)config.head_size * sizeof(float));
    for (int64_t i = 0; i < config.value_size; i++) {
        ((float *)s.value.data)[i] = (float)i * 1e-39f;
    }
    s.kept_key = keep(config.type, s.key.data, TOKENS * config.kv_heads, config.head_size);
    s.kept_value = keep(config.type, s.value.data, TOKENS * config.kv_heads, config.value_size);
    return s;
}

static void setting_free(setting *s) {
    guard_free(&s->key);
    guard_free(&s->value);
    free(s->kept_key);
    free(s->kept_value);
}

/* What a sequence should hold: numbers of tokens. */
typedef struct story {
    int64_t number, length;
    int16_t token[4 * TOKENS];
} story;

static attn_status append(attn_cache *cache, const setting *s, story *to, int64_t first,
                          int64_t count) {
    int64_t key_row = s->config.kv_heads * s->config.head_size;
    int64_t value_row = s->config.kv_heads * s->config.value_size;
    attn_status status =
        attn_cache_append(cache, to->number, count, (float *)s->key.data + first * key_row, key_row,
                          s->config.head_size, (float *)s->value.data + first * value_row,
                          value_row, s->config.value_size, NULL);
    for (int64_t t = 0; t < count && status == ATTN_OK; t++) {
        to->token[to->length++] = (int16_t)(first + t);
    }
    return status;
}

/* Appends in pieces of many sizes. */
static void append_all(attn_cache *cache, setting *s, story *to, int64_t count) {
    while (count > 0) {
        int64_t piece = 1 + (int64_t)attn_random_below(&s->random, 40);
        piece = piece < count ? piece : count;
        int64_t first = (int64_t)attn_random_below(&s->random, (uint64_t)(TOKENS - piece + 1));
        assert_int_equal(append(cache, s, to, first, piece), ATTN_OK);
        count -= piece;
    }
}

/* The full pass: one query against the first `length` tokens of a story. bias: of head h at bias + h * bias_head,
 * or NULL. */
static void expect(const setting *s, const story *of, int64_t length, int64_t window, float scale,
                   const float *query, const float *bias, int64_t bias_head, float *output,
                   float *lse, float *weights) {
    int64_t g = s->config.kv_heads, d = s->config.head_size, e = s->config.value_size;
    size_t tokens = (size_t)length + 1; /* malloc(0) may be NULL */
    float *key = malloc(tokens * (size_t)(g * d) * sizeof *key);
    float *value = malloc(tokens * (size_t)(g * e) * sizeof *value);
    for (int64_t t = 0; t < length; t++) {
        memcpy(key + t * g * d, s->kept_key + of->token[t] * g * d, (size_t)(g * d) * sizeof *key);
        memcpy(value + t * g * e, s->kept_value + of->token[t] * g * e,
               (size_t)(g * e) * sizeof *value);
    }
    attn_attention spec;
    attn_attention_init(&spec, 1, s->heads, g, 1, length, d, e);
    spec.window_left = window;
    spec.scale = scale;
    spec.bias = bias;
    spec.bias_head = bias_head;
    assert_int_equal(attn_attention_forward(&spec, query, key, value, output, lse, NULL), ATTN_OK);
    assert_int_equal(attn_attention_weights(&spec, query, key, lse, NULL, weights, NULL), ATTN_OK);
    free(key);
    free(value);
}

/* Some rows of a cache: attended to on every instruction set, and compared with the full pass. */
typedef struct rows {
    int64_t count, window;
    float scale;
    bool biased, one_bias;            /* each row and head has a bias of its own; or all have one */
    int64_t sequence[64], length[64]; /* length -1: all */
    const story *story[64];
} rows;

static void add_row(rows *r, const story *of, int64_t length) {
    r->sequence[r->count] = of->number;
    r->length[r->count] = length;
    r->story[r->count++] = of;
}

/* Numbers, and places where keys are masked. */
static void fill_bias(setting *s, int64_t count, float *bias) {
    for (int64_t i = 0; i < count; i++) {
        bool masked = attn_random_below(&s->random, 8) == 0;
        bias[i] = masked ? -INFINITY : (float)(attn_random_uniform(&s->random) * 6 - 3);
    }
}

static void check_rows(attn_cache *cache, setting *s, const rows *r, bool all_isas) {
    int64_t query_row = s->heads * s->config.head_size, out_row = s->heads * s->config.value_size;
    int64_t lengths[64], longest = 1;
    bool whole = true;
    for (int64_t n = 0; n < r->count; n++) {
        whole = whole && r->length[n] < 0;
        lengths[n] = r->length[n] < 0 ? r->story[n]->length : r->length[n];
        longest = lengths[n] > longest ? lengths[n] : longest;
        assert_int_equal(attn_cache_length(cache, r->sequence[n]), r->story[n]->length);
    }
    size_t float_size = sizeof(float), count = (size_t)r->count;
    guard_memory query = guard_new(count * (size_t)query_row * float_size, GUARD_ABOVE);
    guard_memory output = guard_new(count * (size_t)out_row * float_size, GUARD_ABOVE);
    guard_memory lse = guard_new(count * (size_t)s->heads * float_size, GUARD_ABOVE);
    guard_memory weights = guard_new(count * (size_t)longest * float_size, GUARD_ABOVE);
    int64_t bias_head = r->one_bias ? 0 : longest, bias_row = bias_head * s->heads;
    int64_t bias_size = r->one_bias ? longest : r->count * bias_row;
    guard_memory bias = guard_new((size_t)bias_size * float_size, GUARD_ABOVE);
    fill_bias(s, bias_size, bias.data);
    for (int64_t i = 0; i < r->count * query_row; i++) {
        ((float *)query.data)[i] = (float)(attn_random_uniform(&s->random) * 4 - 2);
    }
    float *expected = calloc(count * (size_t)out_row, float_size);
    float *expected_lse = calloc(count * (size_t)s->heads, float_size);
    float *expected_weights = calloc(count * (size_t)longest, float_size);
    for (int64_t n = 0; n < r->count; n++) {
        const float *row = r->biased ? (float *)bias.data + n * bias_row : NULL;
        expect(s, r->story[n], lengths[n], r->window, r->scale, (float *)query.data + n * query_row,
               row, bias_head, expected + n * out_row, expected_lse + n * s->heads,
               expected_weights + n * longest);
    }
    attn_cache_attention a;
    attn_cache_attention_init(&a, cache, r->count, s->heads);
    a.sequences = r->sequence;
    a.lengths = whole ? NULL : lengths;
    a.window_left = r->window;
    a.scale = r->scale;
    a.query = query.data;
    a.output = output.data;
    a.bias = r->biased ? bias.data : NULL;
    a.bias_row = bias_row;
    a.bias_head = bias_head;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int isas = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = all_isas ? 0 : isas - 1; n < isas; n++) {
        assert_int_equal(attn_set_isa(list[n]->isa, NULL), ATTN_OK);
        for (int twice = 0; twice < 2; twice++) {
            attn_set_threads(1 + (n + twice) % 3);
            a.lse = twice ? lse.data : NULL;
            a.weights = twice ? weights.data : NULL;
            a.weights_row = longest;
            memset(output.data, 0xA5, count * (size_t)out_row * float_size);
            assert_int_equal(attn_cache_attend(cache, &a, NULL), ATTN_OK);
            assert_memory_equal(output.data, expected, count * (size_t)out_row * float_size);
        }
        assert_memory_equal(lse.data, expected_lse, count * (size_t)s->heads * float_size);
        assert_memory_equal(weights.data, expected_weights, count * (size_t)longest * float_size);
    }
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
    free(expected);
    free(expected_lse);
    free(expected_weights);
    guard_free(&query);
    guard_free(&output);
    guard_free(&lse);
    guard_free(&weights);
    guard_free(&bias);
}

static attn_cache *cache_new(attn_cache_config config) {
    attn_cache *cache;
    assert_int_equal(attn_cache_create(&config, &cache, NULL), ATTN_OK);
    return cache;
}

static story *story_new(attn_cache *cache) {
    story *made = calloc(1, sizeof *made);
    assert_int_equal(attn_cache_start(cache, &made->number, NULL), ATTN_OK);
    return made;
}

static story *story_fork(attn_cache *cache, const story *parent) {
    story *made = malloc(sizeof *made);
    *made = *parent;
    assert_int_equal(attn_cache_fork(cache, parent->number, &made->number, NULL), ATTN_OK);
    return made;
}

/* ---- tests ---- */

static void lengths_around_every_border(void **state) {
    (void)state;
    static const int64_t lengths[] = {0,  1,   15,  16,  17,  31,  32,  33,  63, 64,
                                      65, 127, 128, 129, 255, 256, 257, 300, 385};
    static const int64_t pages[] = {64, 128, 256, 0, 32, 16}; /* the last are not for all types */
    static const int64_t sizes[][4] = {{1, 1, 8, 8}, {2, 2, 5, 19}, {2, 6, 16, 1}, {1, 3, 33, 64}};
    for (int n = 0; n < 3 * 6; n++) {
        if (n / 3 >= 4 && n % 3 > 5 - n / 3) {
            continue;
        }
        const int64_t *size = sizes[n % 4];
        attn_cache_config config = {.size = sizeof(attn_cache_config),
                                    .kv_heads = size[0],
                                    .head_size = size[2],
                                    .value_size = size[3],
                                    .type = (attn_cache_type)(n % 3),
                                    .page_tokens = pages[n / 3]};
        setting s = setting_new(config, size[1], (uint64_t)n);
        attn_cache *cache = cache_new(config);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            story *one = story_new(cache);
            append_all(cache, &s, one, lengths[i]);
            rows r = {.window = -1,
                      .scale = i % 3 == 0 ? 0.3f : 0,
                      .biased = (i + (size_t)n) % 2 == 0,
                      .one_bias = n % 4 == 0};
            add_row(&r, one, -1);
            check_rows(cache, &s, &r, true);
            attn_cache_end(cache, one->number);
            free(one);
        }
        attn_cache_free(cache);
        setting_free(&s);
    }
}

static void head_sizes(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 15, 16, 17, 48, 64, 80, 128, 200, 256, 576};
    for (int n = 0; n < 10; n++) {
        attn_cache_config config = {.size = sizeof(attn_cache_config),
                                    .kv_heads = 2,
                                    .head_size = sizes[n],
                                    .value_size = sizes[(n * 3 + 1) % 10],
                                    .type = (attn_cache_type)(n % 3),
                                    .page_tokens = n % 2 ? 64 : 128};
        setting s = setting_new(config, n % 2 ? 2 : 4, (uint64_t)n);
        attn_cache *cache = cache_new(config);
        story *one = story_new(cache);
        append_all(cache, &s, one, 150 + n);
        rows r = {.window = -1};
        add_row(&r, one, -1);
        check_rows(cache, &s, &r, true);
        free(one);
        attn_cache_free(cache);
        setting_free(&s);
    }
}

/* Many rows: of one sequence together or alone, cut short, with windows, with more heads to a key
 * head than fit one item. */
static void rows_together(void **state) {
    (void)state;
    static const int64_t groups[][2] = {{2, 2}, {1, 3}, {1, 24}, {1, 30}, {2, 10}};
    for (int n = 0; n < 15; n++) {
        attn_cache_config config = {.size = sizeof(attn_cache_config),
                                    .kv_heads = groups[n % 5][0],
                                    .head_size = 9,
                                    .value_size = 20,
                                    .type = (attn_cache_type)(n % 3),
                                    .page_tokens = n % 2 ? 64 : 128};
        setting s = setting_new(config, groups[n % 5][1], (uint64_t)n);
        attn_cache *cache = cache_new(config);
        story *stories[4];
        for (int i = 0; i < 4; i++) {
            stories[i] = story_new(cache);
            append_all(cache, &s, stories[i], i == 3 ? 0 : 100 + 90 * i);
        }
        rows r = {.window = n % 4 == 3   ? 50
                            : n % 4 == 1 ? 0
                                         : -1,
                  .biased = n % 5 != 2,
                  .one_bias = n % 5 == 4};
        for (int i = 0; i < 30; i++) {
            const story *of = stories[n % 2 ? 1 : i / 5 % 4];
            add_row(&r, of,
                    n % 3 == 0 ? -1
                               : (int64_t)attn_random_below(&s.random, (uint64_t)of->length + 1));
        }
        check_rows(cache, &s, &r, true);
        for (int i = 0; i < 4; i++) {
            free(stories[i]);
        }
        attn_cache_free(cache);
        setting_free(&s);
    }
}

/* The last queries of a sequence, causal, aligned bottom-right. */
static void last_queries_of_a_sequence(void **state) {
    (void)state;
    enum { LENGTH = 200, QUERIES = 40, D = 16, HEADS = 2 };
    attn_cache_config config = {
        .size = sizeof(attn_cache_config), .kv_heads = 1, .head_size = D, .value_size = D};
    setting s = setting_new(config, HEADS, 1);
    attn_cache *cache = cache_new(config);
    story *one = story_new(cache);
    assert_int_equal(append(cache, &s, one, 0, LENGTH), ATTN_OK);
    float *query = malloc(QUERIES * HEADS * D * sizeof *query);
    float *output = malloc(QUERIES * HEADS * D * sizeof *query);
    float *expected = malloc(QUERIES * HEADS * D * sizeof *query);
    int64_t sequences[QUERIES], lengths[QUERIES];
    for (int64_t i = 0; i < QUERIES; i++) {
        sequences[i] = one->number;
        lengths[i] = LENGTH - QUERIES + 1 + i;
    }
    for (int64_t i = 0; i < QUERIES * HEADS * D; i++) {
        query[i] = (float)attn_random_uniform(&s.random) - 0.5f;
    }
    attn_attention spec;
    attn_attention_init(&spec, 1, HEADS, 1, QUERIES, LENGTH, D, D);
    spec.causal = true;
    assert_int_equal(
        attn_attention_forward(&spec, query, s.kept_key, s.kept_value, expected, NULL, NULL),
        ATTN_OK);
    attn_cache_attention a;
    attn_cache_attention_init(&a, cache, QUERIES, HEADS);
    a.sequences = sequences;
    a.lengths = lengths;
    a.query = query;
    a.output = output;
    assert_int_equal(attn_cache_attend(cache, &a, NULL), ATTN_OK);
    assert_memory_equal(output, expected, QUERIES * HEADS * D * sizeof *output);
    free(query);
    free(output);
    free(expected);
    free(one);
    attn_cache_free(cache);
    setting_free(&s);
}

static int64_t used(const attn_cache *cache) {
    return attn_cache_get_usage(cache).pages_used;
}

/* Pages are shared until one of the sharers writes to a page that is not full. */
static void forks_share_pages(void **state) {
    (void)state;
    attn_cache_config config = {.size = sizeof(attn_cache_config),
                                .kv_heads = 2,
                                .head_size = 8,
                                .value_size = 8,
                                .page_tokens = 32};
    setting s = setting_new(config, 2, 3);
    attn_cache *cache = cache_new(config);
    story *a = story_new(cache);
    append_all(cache, &s, a, 70);
    assert_int_equal(used(cache), 3);
    story *b = story_fork(cache, a), *c = story_fork(cache, a);
    assert_int_equal(used(cache), 3);
    append_all(cache, &s, b, 1); /* copies the last page */
    assert_int_equal(used(cache), 4);
    append_all(cache, &s, c, 1);
    assert_int_equal(used(cache), 5);
    append_all(cache, &s, a, 1); /* alone with its page by now */
    assert_int_equal(used(cache), 5);
    append_all(cache, &s, b, 26); /* to 97: one page more */
    assert_int_equal(used(cache), 6);
    story *d = story_fork(cache, b);
    assert_int_equal(attn_cache_truncate(cache, d->number, 64, NULL), ATTN_OK);
    d->length = 64;
    append_all(cache, &s, d, 1); /* behind full pages: nothing to copy */
    assert_int_equal(used(cache), 7);
    assert_int_equal(attn_cache_truncate(cache, d->number, 10, NULL), ATTN_OK);
    d->length = 10;
    assert_int_equal(used(cache), 6);
    append_all(cache, &s, d, 5); /* in a page that is full for the others */
    assert_int_equal(used(cache), 7);
    rows r = {.window = -1};
    const story *all[] = {a, b, c, d};
    for (int i = 0; i < 4; i++) {
        add_row(&r, all[i], -1);
    }
    check_rows(cache, &s, &r, true);
    attn_cache_end(cache, a->number);
    attn_cache_end(cache, a->number); /* nothing */
    attn_cache_end(cache, -1);
    attn_cache_end(cache, 1000);
    assert_int_equal(attn_cache_length(cache, a->number), -1);
    rows rest = {.window = -1};
    for (int i = 1; i < 4; i++) {
        add_row(&rest, all[i], -1);
    }
    check_rows(cache, &s, &rest, true);
    attn_cache_clear(cache);
    assert_int_equal(attn_cache_length(cache, b->number), -1);
    assert_int_equal(used(cache), 0);
    assert_true(attn_cache_get_usage(cache).pages >= 7); /* kept for later */
    free(a);
    free(b);
    free(c);
    free(d);
    attn_cache_free(cache);
    setting_free(&s);
}

/* Anything that can happen to sequences, in any order. */
static void many_lives(void **state) {
    (void)state;
    static const int64_t pages[] = {64, 0, 128};
    for (int n = 0; n < 9; n++) {
        attn_cache_config config = {.size = sizeof(attn_cache_config),
                                    .kv_heads = 1 + n % 2,
                                    .head_size = 4 + n,
                                    .value_size = 12 + n,
                                    .type = (attn_cache_type)(n % 3),
                                    .page_tokens = pages[n / 3]};
        if (n / 3 == 1) { /* the smallest */
            config.page_tokens = 16 << n % 3;
        }
        setting s = setting_new(config, 2, (uint64_t)n);
        attn_cache *cache = cache_new(config);
        story *live[8];
        int count = 0;
        for (int step = 0; step < 150; step++) {
            int what = (int)attn_random_below(&s.random, 10);
            int which = count > 0 ? (int)attn_random_below(&s.random, (uint64_t)count) : 0;
            if (count == 0 || (what == 0 && count < 8)) {
                live[count++] = story_new(cache);
            } else if (what <= 3 && count < 8) {
                live[count] = story_fork(cache, live[which]);
                count++;
            } else if (what <= 7 && live[which]->length < 500) {
                append_all(cache, &s, live[which],
                           (int64_t)attn_random_below(&s.random, what == 4 ? 200 : 20));
            } else if (what == 8) {
                int64_t length =
                    (int64_t)attn_random_below(&s.random, (uint64_t)live[which]->length + 1);
                assert_int_equal(attn_cache_truncate(cache, live[which]->number, length, NULL),
                                 ATTN_OK);
                live[which]->length = length;
            } else if (what == 9) {
                attn_cache_end(cache, live[which]->number);
                free(live[which]);
                live[which] = live[--count];
            }
            if (step % 15 == 14 && count > 0) {
                rows r = {.window = -1};
                for (int i = 0; i < count; i++) {
                    add_row(&r, live[i], -1);
                }
                check_rows(cache, &s, &r, step % 75 == 74);
            }
        }
        while (count > 0) {
            attn_cache_end(cache, live[--count]->number);
            free(live[count]);
        }
        assert_int_equal(used(cache), 0);
        attn_cache_free(cache);
        setting_free(&s);
    }
}

static void a_limit_is_kept(void **state) {
    (void)state;
    attn_cache_config config = {.size = sizeof(attn_cache_config),
                                .kv_heads = 1,
                                .head_size = 4,
                                .value_size = 4,
                                .page_tokens = 16,
                                .max_pages = 3};
    setting s = setting_new(config, 1, 4);
    attn_cache *cache = cache_new(config);
    story *a = story_new(cache);
    append_all(cache, &s, a, 40);
    story *b = story_fork(cache, a);
    attn_error error;
    /* A copy of the last page would be a fourth. */
    assert_int_equal(
        attn_cache_append(cache, b->number, 1, s.key.data, 4, 4, s.value.data, 4, 4, &error),
        ATTN_ERR_MEMORY);
    assert_non_null(strstr(error.what, "3 pages of 16 tokens"));
    assert_non_null(strstr(error.hint, "max_pages"));
    assert_int_equal(append(cache, &s, a, 0, 9), ATTN_ERR_MEMORY);
    rows r = {.window = -1};
    add_row(&r, a, -1);
    add_row(&r, b, -1);
    check_rows(cache, &s, &r, false); /* as it was */
    assert_int_equal(attn_cache_truncate(cache, b->number, 32, NULL), ATTN_OK);
    b->length = 32;
    assert_int_equal(append(cache, &s, a, 0, 8), ATTN_OK);
    check_rows(cache, &s, &r, false);
    attn_cache_end(cache, a->number);
    assert_int_equal(append(cache, &s, b, 0, 16), ATTN_OK);
    free(a);
    free(b);
    attn_cache_free(cache);
    setting_free(&s);
}

/* ---- memory that runs out ---- */

typedef struct heap {
    long allocations, fails_at, live;
} heap;

static void *faulty_allocate(size_t size, void *context) {
    heap *h = context;
    if (h->allocations++ == h->fails_at) {
        return NULL;
    }
    void *pointer = malloc(size);
    h->live += pointer != NULL;
    return pointer;
}

static void faulty_release(void *pointer, void *context) {
    ((heap *)context)->live -= pointer != NULL;
    free(pointer);
}

/* A short life, in which the step that fails is tried again and then goes well. */
static bool short_life(const setting *s) {
    attn_cache *cache = NULL;
    bool failed = false;
#define TRY(call)                                                                                  \
    for (int again = 0; again < 2; again++) {                                                      \
        attn_status status = (call);                                                               \
        if (status == ATTN_OK) {                                                                   \
            break;                                                                                 \
        }                                                                                          \
        assert_int_equal(status, ATTN_ERR_MEMORY);                                                 \
        assert_false(failed);                                                                      \
        failed = true;                                                                             \
    }
    TRY(attn_cache_create(&s->config, &cache, NULL))
    story a = {0}, b;
    TRY(attn_cache_start(cache, &a.number, NULL))
    TRY(append(cache, s, &a, 0, 40))
    b = a;
    TRY(attn_cache_fork(cache, a.number, &b.number, NULL))
    TRY(append(cache, s, &b, 3, 60))
    TRY(append(cache, s, &a, 9, 2))
    float query[8], output[16], expected[16], lse[2], weights[128];
    for (int i = 0; i < 8; i++) {
        query[i] = (float)i / 8;
    }
    int64_t sequences[] = {a.number, b.number};
    attn_cache_attention attention;
    attn_cache_attention_init(&attention, cache, 2, 1);
    attention.sequences = sequences;
    attention.query = query;
    attention.output = output;
    TRY(attn_cache_attend(cache, &attention, NULL))
#undef TRY
    attn_cache_free(cache);
    attn_set_allocator(NULL, NULL, NULL);
    expect(s, &a, a.length, -1, 0, query, NULL, 0, expected, lse, weights);
    expect(s, &b, b.length, -1, 0, query + 4, NULL, 0, expected + 8, lse, weights);
    assert_memory_equal(output, expected, sizeof output);
    return failed;
}

static void every_allocation_fails_once(void **state) {
    (void)state;
    attn_cache_config config = {.size = sizeof(attn_cache_config),
                                .kv_heads = 1,
                                .head_size = 4,
                                .value_size = 8,
                                .page_tokens = 16};
    setting s = setting_new(config, 1, 7);
    bool failed = true;
    for (long n = 0; failed; n++) {
        heap h = {.fails_at = n};
        attn_set_allocator(faulty_allocate, faulty_release, &h);
        failed = short_life(&s);
        assert_int_equal(h.live, 0);
        assert_true(failed || n > 8);
    }
    setting_free(&s);
}

/* ---- what is refused ---- */

static void numbers_that_are_none(void **state) {
    (void)state;
    float key[8] = {1, 2, NAN, 4, 5, 6, 7, 8}, value[8] = {1, 2, 3, 4, 5, 6, 7, INFINITY};
    attn_error error;
    int64_t number;
    attn_cache_config config = {.size = sizeof(attn_cache_config),
                                .kv_heads = 1,
                                .head_size = 4,
                                .value_size = 4,
                                .type = ATTN_CACHE_I8};
    attn_cache *cache = cache_new(config);
    assert_int_equal(attn_cache_start(cache, &number, NULL), ATTN_OK);
    assert_int_equal(attn_cache_append(cache, number, 2, key, 4, 4, key + 4, 0, 4, &error),
                     ATTN_ERR_NUMERIC);
    assert_int_equal(error.position, 0);
    assert_int_equal(attn_cache_append(cache, number, 2, value, 4, 4, value, 4, 4, &error),
                     ATTN_ERR_NUMERIC);
    assert_int_equal(error.position, 1);
    assert_int_equal(attn_cache_length(cache, number), 0);
    attn_cache_free(cache);
    config.type = ATTN_CACHE_BF16; /* keeps NaN, and it reaches the output */
    cache = cache_new(config);
    assert_int_equal(attn_cache_start(cache, &number, NULL), ATTN_OK);
    assert_int_equal(attn_cache_append(cache, number, 2, key, 4, 4, value, 4, 4, NULL), ATTN_OK);
    float output[4];
    attn_cache_attention a;
    attn_cache_attention_init(&a, cache, 1, 1);
    a.sequences = &number;
    a.query = value;
    a.output = output;
    int64_t one = 1;
    assert_int_equal(attn_cache_attend(cache, &a, NULL), ATTN_OK);
    assert_true(output[0] != output[0]);
    assert_int_equal(attn_cache_truncate(cache, number, 0, NULL), ATTN_OK);
    assert_int_equal(attn_cache_append(cache, number, 2, value, 4, 4, key, 4, 4, NULL), ATTN_OK);
    key[2] = 3;
    a.lengths = &one;
    a.query = key;
    assert_int_equal(attn_cache_attend(cache, &a, NULL), ATTN_OK);
    assert_true(output[2] != output[2] && output[0] == 1);
    attn_cache_free(cache);
}

static void arguments_are_refused(void **state) {
    (void)state;
    static const attn_cache_config wrong[] = {
        {.size = sizeof(attn_cache_config), .kv_heads = 0, .head_size = 4, .value_size = 4},
        {.size = sizeof(attn_cache_config), .kv_heads = 1, .head_size = 0, .value_size = 4},
        {.size = sizeof(attn_cache_config), .kv_heads = 1, .head_size = 577, .value_size = 4},
        {.size = sizeof(attn_cache_config), .kv_heads = 1, .head_size = 4, .value_size = 0},
        {.size = sizeof(attn_cache_config),
         .kv_heads = 1,
         .head_size = 4,
         .value_size = 4,
         .page_tokens = 48},
        {.size = sizeof(attn_cache_config),
         .kv_heads = 1,
         .head_size = 4,
         .value_size = 4,
         .page_tokens = -128},
        {.size = sizeof(attn_cache_config),
         .kv_heads = 1,
         .head_size = 4,
         .value_size = 4,
         .page_tokens = 8},
        {.size = sizeof(attn_cache_config),
         .kv_heads = 1,
         .head_size = 4,
         .value_size = 4,
         .page_tokens = 16,
         .type = ATTN_CACHE_BF16},
        {.size = sizeof(attn_cache_config),
         .kv_heads = 1,
         .head_size = 4,
         .value_size = 4,
         .page_tokens = 32,
         .type = ATTN_CACHE_I8},
        {.size = sizeof(attn_cache_config),
         .kv_heads = 1,
         .head_size = 4,
         .value_size = 4,
         .max_pages = -1},
        {.size = sizeof(attn_cache_config),
         .kv_heads = 1,
         .head_size = 4,
         .value_size = 4,
         .type = (attn_cache_type)3},
    };
    attn_cache *cache;
    attn_error error;
    for (size_t n = 0; n < sizeof wrong / sizeof *wrong; n++) {
        assert_int_equal(attn_cache_create(&wrong[n], &cache, &error), ATTN_ERR_ARGUMENT);
        assert_string_equal(error.where, "cache");
        assert_null(cache);
    }
    attn_cache_config config = {
        .size = sizeof(attn_cache_config), .kv_heads = 2, .head_size = 4, .value_size = 4};
    cache = cache_new(config);
    int64_t number, none = 7;
    float x[16] = {0};
    assert_int_equal(attn_cache_start(cache, &number, NULL), ATTN_OK);
    assert_int_equal(attn_cache_fork(cache, none, &none, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_cache_append(cache, none, 1, x, 8, 4, x, 8, 4, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_cache_append(cache, number, -1, x, 8, 4, x, 8, 4, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_cache_append(cache, number, 1, NULL, 8, 4, x, 8, 4, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_cache_append(cache, number, 1, x, 8, 4, x, 8, 4, &error), ATTN_OK);
    assert_int_equal(attn_cache_truncate(cache, number, 2, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_cache_truncate(cache, none, 0, &error), ATTN_ERR_ARGUMENT);
    int64_t two = 2;
    attn_cache_attention good;
    attn_cache_attention_init(&good, cache, 1, 4);
    good.sequences = &number;
    good.query = good.output = x;
    attn_cache_attention bad[8];
    for (int n = 0; n < 8; n++) {
        bad[n] = good;
    }
    bad[0].sequences = &none;
    bad[1].lengths = &two;
    bad[2].heads = 3;
    bad[3].scale = INFINITY;
    bad[4].query = NULL;
    bad[5].rows = -1;
    bad[6].weights = x; /* weights_row is 0 */
    bad[7].sequences = NULL;
    for (int n = 0; n < 8; n++) {
        assert_int_equal(attn_cache_attend(cache, &bad[n], &error), ATTN_ERR_ARGUMENT);
    }
    good.rows = 0;
    assert_int_equal(attn_cache_attend(cache, &good, &error), ATTN_OK);
    attn_cache_free(cache);
    attn_cache_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_around_every_border),
        cmocka_unit_test(head_sizes),
        cmocka_unit_test(rows_together),
        cmocka_unit_test(last_queries_of_a_sequence),
        cmocka_unit_test(forks_share_pages),
        cmocka_unit_test(many_lives),
        cmocka_unit_test(a_limit_is_kept),
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
