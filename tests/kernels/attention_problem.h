/* tests/kernels/attention_problem.h: attention problems of any options, with every tensor between
 * guard pages, for the tests that compare bits. */
#ifndef ATTN_TESTS_KERNELS_ATTENTION_PROBLEM_H
#define ATTN_TESTS_KERNELS_ATTENTION_PROBLEM_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attn/attention.h"
#include "base/random.h"
#include "support/guard.h"

typedef enum ragged { WHOLE, LENGTHS, PACKED } ragged;
typedef enum bias_kind { NO_BIAS, FULL_BIAS, ANY_BATCH, ANY_HEAD, ANY_QUERY } bias_kind;

typedef struct options {
    int64_t batch, heads, kv_heads, tq, tk, d, e;
    bool causal;
    int64_t left, right; /* windows; 0 here means none, n a window of n - 1 */
    ragged ragged;
    bias_kind bias;
    float dropout;
    bool head_first; /* [B, H, T, D] */
    float scale, softcap;
    bool alibi, sinks, hook;
} options;

enum tensor {
    QUERY,
    KEY,
    VALUE,
    BIAS,
    ALIBI,
    SINKS,
    D_OUTPUT, /* inputs */
    OUTPUT,
    LSE,
    D_QUERY,
    D_KEY,
    D_VALUE,
    D_BIAS,
    D_SINKS,
    ALL_WEIGHTS,
    MEAN_WEIGHTS,
    TENSORS /* results */
};

typedef struct problem {
    attn_attention spec;
    int64_t *query_marks, *key_marks; /* lengths or starts */
    guard_memory memory[TENSORS];
    int64_t count[TENSORS];
    const float *d_weights; /* given to the backward; NULL: none */
} problem;

static inline float *at(problem *p, enum tensor tensor) {
    return p->memory[tensor].data;
}

/* A score hook as the header wants it: element by element, from the place alone. */
static inline void bend_scores(void *user, const attn_score_run *run, float *scores) {
    for (int64_t n = 0; n < run->count; n++) {
        int64_t distance = run->query - run->first_key - n;
        float shift = (float)((distance * distance + run->head + run->sequence) % 5) * 0.1f;
        if (scores[n] != -INFINITY) {
            scores[n] = shift + scores[n] * (0.9f + *(const float *)user * scores[n]);
        }
    }
}
static inline void bend_scores_backward(void *user, const attn_score_run *run, const float *scores,
                                        float *d_scores) {
    for (int64_t n = 0; n < run->count; n++) {
        if (scores[n] != -INFINITY) {
            d_scores[n] *= 0.9f + 2 * *(const float *)user * scores[n];
        }
    }
}

static inline attn_strides strides_of(const options *o, int64_t tokens, int64_t heads,
                                      int64_t size) {
    if (o->head_first) {
        return (attn_strides){heads * tokens * size, size, tokens * size};
    }
    return (attn_strides){tokens * heads * size, heads * size, size};
}

/* Lengths 0 .. longest, or the places where sequences of such lengths start. */
static inline int64_t *make_marks(const options *o, int64_t longest, attn_random *random) {
    int64_t *marks = calloc((size_t)o->batch + 1, sizeof *marks);
    for (int64_t b = 0; b < o->batch; b++) {
        int64_t length = (int64_t)attn_random_below(random, (uint64_t)longest + 1);
        length = b == 0 ? longest : length;
        if (o->ragged == PACKED) {
            marks[b + 1] = marks[b] + length;
        } else {
            marks[b] = length;
        }
    }
    return marks;
}

static inline void set_bias_strides(problem *p, const options *o) {
    int64_t row = o->tk, head = o->bias == ANY_QUERY ? o->tk : o->tq * o->tk;
    p->spec.bias_query = o->bias == ANY_QUERY ? 0 : row;
    p->spec.bias_head = o->bias == ANY_HEAD ? 0 : head;
    p->spec.bias_batch = o->bias == ANY_BATCH ? 0 : o->bias == ANY_HEAD ? head : o->heads * head;
}

static inline void set_counts(problem *p, const options *o) {
    bool packed = o->ragged == PACKED;
    int64_t queries = packed ? p->query_marks[o->batch] : o->batch * o->tq;
    int64_t keys = packed ? p->key_marks[o->batch] : o->batch * o->tk;
    int64_t bias = 0;
    if (o->bias != NO_BIAS && o->tk > 0 && o->tq > 0) {
        bias = (o->batch - 1) * p->spec.bias_batch + (o->heads - 1) * p->spec.bias_head +
               (o->tq - 1) * p->spec.bias_query + o->tk;
    }
    p->count[QUERY] = p->count[D_QUERY] = queries * o->heads * o->d;
    p->count[KEY] = p->count[D_KEY] = keys * o->kv_heads * o->d;
    p->count[VALUE] = p->count[D_VALUE] = keys * o->kv_heads * o->e;
    p->count[BIAS] = p->count[D_BIAS] = bias;
    p->count[ALIBI] = p->count[SINKS] = p->count[D_SINKS] = o->heads;
    p->count[OUTPUT] = p->count[D_OUTPUT] = queries * o->heads * o->e;
    p->count[LSE] = queries * o->heads;
    p->count[MEAN_WEIGHTS] = o->batch * o->tq * o->tk;
    p->count[ALL_WEIGHTS] = o->heads * p->count[MEAN_WEIGHTS];
}

static inline problem problem_new(const options *o, uint64_t seed, guard_side side) {
    attn_random random = attn_random_start(seed);
    problem p = {0};
    attn_attention_init(&p.spec, o->batch, o->heads, o->kv_heads, o->tq, o->tk, o->d, o->e);
    p.spec.causal = o->causal;
    p.spec.window_left = o->left - 1;
    p.spec.window_right = o->right - 1;
    p.spec.dropout = o->dropout;
    p.spec.dropout_key = 0x123456789abcdef0U + seed;
    p.spec.scale = o->scale;
    p.query_marks = make_marks(o, o->tq, &random);
    p.key_marks = make_marks(o, o->tk, &random);
    set_bias_strides(&p, o);
    set_counts(&p, o);
    int64_t queries = o->ragged == PACKED ? p.query_marks[o->batch] : o->tq;
    int64_t keys = o->ragged == PACKED ? p.key_marks[o->batch] : o->tk;
    p.spec.query = strides_of(o, queries, o->heads, o->d);
    p.spec.key = strides_of(o, keys, o->kv_heads, o->d);
    p.spec.value = strides_of(o, keys, o->kv_heads, o->e);
    p.spec.output = strides_of(o, queries, o->heads, o->e);
    if (o->ragged == LENGTHS) {
        p.spec.query_lengths = p.query_marks;
        p.spec.key_lengths = p.key_marks;
    } else if (o->ragged == PACKED) {
        p.spec.query_starts = p.query_marks;
        p.spec.key_starts = p.key_marks;
    }
    for (int t = 0; t < TENSORS; t++) {
        p.memory[t] = guard_new((size_t)p.count[t] * sizeof(float), side);
        float *data = p.memory[t].data;
        for (int64_t n = 0; n < p.count[t] && t <= D_OUTPUT; n++) {
            data[n] = (float)(attn_random_uniform(&random) * 4 - 2);
        }
    }
    for (int64_t n = 0; n < p.count[BIAS]; n++) {
        if (attn_random_below(&random, 8) == 0) {
            at(&p, BIAS)[n] = -INFINITY;
        }
    }
    if (seed % 4 == 1) {
        at(&p, SINKS)[0] = -INFINITY;
    }
    p.spec.bias = o->bias != NO_BIAS ? at(&p, BIAS) : NULL;
    p.spec.softcap = o->softcap;
    p.spec.alibi_slopes = o->alibi ? at(&p, ALIBI) : NULL;
    p.spec.sinks = o->sinks ? at(&p, SINKS) : NULL;
    if (o->hook) {
        static float curve = 0.05f;
        p.spec.score_hook = bend_scores;
        p.spec.score_hook_backward = bend_scores_backward;
        p.spec.score_hook_user = &curve;
    }
    return p;
}

static inline void problem_free(problem *p) {
    for (int t = 0; t < TENSORS; t++) {
        guard_free(&p->memory[t]);
    }
    free(p->query_marks);
    free(p->key_marks);
}

/* The same bits, or NaN in both: an instruction set may choose which NaN. */
static inline bool same(const float *a, const float *b, int64_t count) {
    if (memcmp(a, b, (size_t)count * sizeof *a) == 0) {
        return true;
    }
    for (int64_t n = 0; n < count; n++) {
        if (memcmp(&a[n], &b[n], sizeof *a) != 0 && (a[n] == a[n] || b[n] == b[n])) {
            return false;
        }
    }
    return true;
}

#endif
