/* Attention against the article: over 3,000 random configurations of all options, the largest
 * error of outputs and gradients against a double-precision oracle is at most twice that of a
 * float implementation that stores every matrix; and the mean error over 1,000 configurations with scores
 * of 1e-30 to 1e30 at most three times. There single errors are chance, for a rounding decides which key
 * gets all; and where one does, that implementation subtracts a number from itself in the gradient. Errors are relative to the largest number of their
 * kind in their own configuration (of a difference: to the terms), so that one with large numbers hides
 * none with small ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/attention.h"
#include "base/random.h"

#define T           double
#define T_EXP       exp
#define T_LOG       log
#define T_TANH      tanh
#define T_SQRT      sqrt
#define NAIVE(name) oracle_##name
#include "kernels/naive_attention.h"
#undef T
#undef T_EXP
#undef T_LOG
#undef T_TANH
#undef T_SQRT
#undef NAIVE
#define T           float
#define T_EXP       expf
#define T_LOG       logf
#define T_TANH      tanhf
#define T_SQRT      sqrtf
#define NAIVE(name) naive_##name
#include "kernels/naive_attention.h"

enum { CONFIGURATIONS = 3000, SCALED = 1000, MAX_BATCH = 3, MAX_HEADS = 6 };
enum result { OUTPUT, LSE, D_QUERY, D_KEY, D_VALUE, D_BIAS, D_SINKS, WEIGHTS, RESULTS };
static const char *const names[RESULTS] = {"output",  "lse",    "d_query", "d_key",
                                           "d_value", "d_bias", "d_sinks", "weights"};
/* Largest errors: of the configuration under way, with its largest numbers, and relative ones of all so far. */
typedef struct errors {
    double ours, naive, size;
} errors;
static errors here[RESULTS], plain[RESULTS], scaled[RESULTS];

typedef struct config {
    attn_attention spec;
    int64_t starts[2][MAX_BATCH + 1], lengths[2][MAX_BATCH];
    int64_t queries, keys; /* tokens in all, of one sequence when padded */
    float slopes[MAX_HEADS], sinks[MAX_HEADS];
} config;

static void bend_run(void *user, const attn_score_run *run, float *scores) {
    (void)user;
    for (int64_t n = 0; n < run->count; n++) {
        scores[n] = naive_bend(scores[n], run->query, run->first_key + n);
    }
}
static void bend_run_backward(void *user, const attn_score_run *run, const float *scores,
                              float *d_scores) {
    (void)user;
    for (int64_t n = 0; n < run->count; n++) {
        d_scores[n] *= naive_bend_derivative(scores[n]);
    }
}

static int64_t below(attn_random *random, int64_t n) {
    return (int64_t)attn_random_below(random, (uint64_t)n);
}

/* Mostly small, sometimes beyond a block. */
static int64_t draw_size(attn_random *random, int64_t usual, int64_t rare) {
    return 1 + below(random, below(random, 12) == 0 ? rare : usual);
}

static void draw_ragged(config *c, attn_random *random) {
    int kind = (int)below(random, 3);
    int64_t longest[2] = {c->spec.query_length, c->spec.key_length};
    for (int side = 0; side < 2; side++) {
        c->starts[side][0] = 0;
        for (int64_t b = 0; b < c->spec.batch; b++) {
            c->lengths[side][b] = below(random, longest[side] + 1);
            c->starts[side][b + 1] = c->starts[side][b] + c->lengths[side][b];
        }
    }
    if (kind == 1) {
        c->spec.query_lengths = c->lengths[0];
        c->spec.key_lengths = c->lengths[1];
    } else if (kind == 2) {
        c->spec.query_starts = c->starts[0];
        c->spec.key_starts = c->starts[1];
        c->queries = c->starts[0][c->spec.batch];
        c->keys = c->starts[1][c->spec.batch];
    }
}

static attn_strides draw_strides(attn_random *random, int64_t tokens, int64_t heads, int64_t size) {
    int64_t padded = size + below(random, 3);
    if (below(random, 2) == 0) {
        return (attn_strides){tokens * heads * padded, heads * padded, padded};
    }
    return (attn_strides){tokens * heads * padded, padded, tokens * padded};
}

static void draw(config *c, attn_random *random) {
    attn_attention *spec = &c->spec;
    int64_t kv_heads = 1 + below(random, 2), group = 1 + below(random, 3);
    int64_t d = draw_size(random, 40, 256), e = below(random, 2) ? d : draw_size(random, 40, 256);
    int64_t tq = draw_size(random, 24, 150),
            tk = below(random, 2) ? tq : draw_size(random, 24, 300);
    attn_attention_init(spec, 1 + below(random, MAX_BATCH), kv_heads * group, kv_heads, tq, tk, d,
                        e);
    c->queries = tq;
    c->keys = tk;
    draw_ragged(c, random);
    spec->query = draw_strides(random, c->queries, spec->heads, d);
    spec->key = draw_strides(random, c->keys, kv_heads, d);
    spec->value = draw_strides(random, c->keys, kv_heads, e);
    spec->output = draw_strides(random, c->queries, spec->heads, e);
    spec->causal = below(random, 3) == 0;
    spec->window_left = below(random, 3) == 0 ? below(random, tk) : -1;
    spec->window_right = below(random, 3) == 0 ? below(random, tk) : -1;
    spec->scale = below(random, 4) == 0 ? 0.3f : 0;
    spec->dropout = below(random, 3) == 0 ? 0.1f + 0.2f * (float)below(random, 3) : 0;
    spec->dropout_key = random->position * 0x9E3779B97F4A7C15U;
    spec->softcap = below(random, 4) == 0 ? 0.5f + (float)below(random, 20) : 0;
    for (int64_t h = 0; h < spec->heads; h++) {
        c->slopes[h] = 0.5f / (float)(1 + below(random, 16));
        c->sinks[h] = (float)below(random, 9) - 4;
    }
    spec->alibi_slopes = below(random, 4) == 0 ? c->slopes : NULL;
    spec->sinks = below(random, 4) == 0 ? c->sinks : NULL;
    if (below(random, 4) == 0) {
        spec->score_hook = bend_run;
        spec->score_hook_backward = bend_run_backward;
    }
}

/* ---- embed and project ---- */

enum { CHANNELS = 12 };

/* tokens embedded at random, times a random matrix: elements of about unit size. */
static void project(attn_random *random, int64_t rows, int64_t size, float *out) {
    double matrix[256 * CHANNELS];
    for (int64_t n = 0; n < size * CHANNELS; n++) {
        matrix[n] = (attn_random_uniform(random) * 2 - 1) * sqrt(9.0 / CHANNELS);
    }
    for (int64_t r = 0; r < rows; r++) {
        double embedding[CHANNELS];
        for (int c = 0; c < CHANNELS; c++) {
            embedding[c] = attn_random_uniform(random) * 2 - 1;
        }
        for (int64_t d = 0; d < size; d++) {
            double sum = 0;
            for (int c = 0; c < CHANNELS; c++) {
                sum += embedding[c] * matrix[d * CHANNELS + c];
            }
            out[r * size + d] = (float)sum;
        }
    }
}

/* ---- one configuration ---- */

static int64_t extent(const config *c, attn_strides strides, int64_t tokens, int64_t heads,
                      int64_t size) {
    int64_t batch = c->spec.query_starts != NULL ? 1 : c->spec.batch;
    return (batch - 1) * strides.batch + (tokens - 1) * strides.token + (heads - 1) * strides.head +
           size;
}

static void *zeros(int64_t count, size_t size) {
    void *memory = calloc((size_t)(count > 0 ? count : 1), size);
    assert_non_null(memory);
    return memory;
}

typedef struct tensors {
    float *q, *k, *v, *bias, *d_out, *out, *lse, *dq, *dk, *dv, *d_bias, *weights;
    double *oracle_d_bias, oracle_d_sinks[MAX_HEADS];
    float *naive_d_bias, naive_d_sinks[MAX_HEADS], d_sinks[MAX_HEADS];
    int64_t bias_count;
} tensors;

static tensors make_tensors(config *c, attn_random *random) {
    attn_attention *s = &c->spec;
    tensors t = {0};
    int64_t q = extent(c, s->query, c->queries, s->heads, s->head_size);
    int64_t k = extent(c, s->key, c->keys, s->kv_heads, s->head_size);
    int64_t v = extent(c, s->value, c->keys, s->kv_heads, s->value_size);
    int64_t o = extent(c, s->output, c->queries, s->heads, s->value_size);
    t.q = zeros(q, 4), t.k = zeros(k, 4), t.v = zeros(v, 4), t.d_out = zeros(o, 4);
    t.dq = zeros(q, 4), t.dk = zeros(k, 4), t.dv = zeros(v, 4), t.out = zeros(o, 4);
    t.lse = zeros(s->batch * s->heads * (s->query_length + c->queries), 4);
    t.weights = zeros(s->batch * s->heads * s->query_length * s->key_length, 4);
    if (below(random, 3) == 0) {
        int64_t place = s->query_length * s->key_length;
        s->bias_query = below(random, 4) ? s->key_length : 0;
        s->bias_head = below(random, 2) ? place : 0;
        s->bias_batch = below(random, 2) ? s->heads * place : 0;
        t.bias_count = s->batch * s->heads * place;
        t.bias = zeros(t.bias_count, 4), t.d_bias = zeros(t.bias_count, 4);
        t.oracle_d_bias = zeros(t.bias_count, 8), t.naive_d_bias = zeros(t.bias_count, 4);
        for (int64_t n = 0; n < t.bias_count; n++) {
            t.bias[n] =
                below(random, 10) == 0 ? -INFINITY : (float)(attn_random_uniform(random) * 4 - 2);
        }
        s->bias = t.bias;
    }
    return t;
}

static void free_tensors(tensors *t) {
    void *all[] = {t->q,  t->k,  t->v,  t->bias,   t->d_out,   t->out,           t->lse,
                   t->dq, t->dk, t->dv, t->d_bias, t->weights, t->oracle_d_bias, t->naive_d_bias};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        free(all[n]);
    }
}

static void note_size(enum result result, double truth) {
    here[result].size = fmax(here[result].size, fabs(truth));
}

static void note(enum result result, float ours, float naive, double truth) {
    if (isinf(truth) || isinf(ours)) {
        assert_true((double)ours == truth);
        return;
    }
    assert_false(isnan(ours));
    here[result].ours = fmax(here[result].ours, fabs((double)ours - truth));
    here[result].naive = fmax(here[result].naive, fabs((double)naive - truth));
    note_size(result, truth);
}

/* Ends a configuration: its error counts when it is the largest so far, or is added. */
static void note_configuration(errors *everywhere, bool add) {
    for (int r = 0; r < RESULTS; r++) {
        errors *e = &here[r];
        assert_true(e->size > 0 || e->ours == 0);
        e->size = e->size > 0 ? e->size : 1;
        double ours = e->ours / e->size, naive = e->naive / e->size;
        everywhere[r].ours = add ? everywhere[r].ours + ours : fmax(everywhere[r].ours, ours);
        everywhere[r].naive = add ? everywhere[r].naive + naive : fmax(everywhere[r].naive, naive);
        *e = (errors){0, 0, 0};
    }
}

/* Masks as the header words them, without looking at how the library finds them. */
static void fill_masks(const attn_attention *s, int64_t b, int64_t h, int64_t tq, int64_t tk,
                       unsigned char *visible, unsigned char *kept) {
    uint32_t key[2] = {(uint32_t)s->dropout_key, (uint32_t)(s->dropout_key >> 32)};
    double threshold = rint((double)s->dropout * 4294967296.0);
    for (int64_t i = 0; i < tq; i++) {
        for (int64_t j = 0; j < tk; j++) {
            int64_t diagonal = i + tk - tq;
            visible[i * tk + j] = !(s->causal && j > diagonal) &&
                                  !(s->window_left >= 0 && j < diagonal - s->window_left) &&
                                  !(s->window_right >= 0 && j > diagonal + s->window_right);
            uint32_t counter[4] = {(uint32_t)((j / 64) * 16 + j % 16), (uint32_t)i, (uint32_t)h,
                                   (uint32_t)b};
            uint32_t words[4];
            attn_philox(counter, key, words);
            kept[i * tk + j] = s->dropout == 0 || words[j / 16 % 4] >= threshold;
        }
    }
}

typedef struct group_sums {
    double *dk, *dv;
    float *naive_dk, *naive_dv;
} group_sums;

static void check_head(const config *c, tensors *t, int64_t b, int64_t h, const group_sums *sums,
                       const float *q, const float *k, const float *v) {
    const attn_attention *s = &c->spec;
    bool packed = s->query_starts != NULL;
    int64_t tq = packed || s->query_lengths ? c->lengths[0][b] : s->query_length;
    int64_t tk = packed || s->query_lengths ? c->lengths[1][b] : s->key_length;
    int64_t d = s->head_size, e = s->value_size, places = tq * tk;
    int64_t output =
        (packed ? c->starts[0][b] * s->output.token : b * s->output.batch) + h * s->output.head;
    int64_t query =
        (packed ? c->starts[0][b] * s->query.token : b * s->query.batch) + h * s->query.head;
    int64_t lse = packed ? h * c->queries + c->starts[0][b] : (b * s->heads + h) * s->query_length;
    int64_t bias = b * s->bias_batch + h * s->bias_head;
    float slope = s->alibi_slopes != NULL ? s->alibi_slopes[h] : 0;
    float sink = s->sinks != NULL ? s->sinks[h] : -INFINITY;
    unsigned char *visible = zeros(places, 1), *kept = zeros(places, 1);
    float *d_out = zeros(tq * e, 4), *bias_rows = zeros(places, 4);
    fill_masks(s, b, h, tq, tk, visible, kept);
    for (int64_t i = 0; i < tq; i++) {
        memcpy(d_out + i * e, t->d_out + output + i * s->output.token, (size_t)e * 4);
        for (int64_t j = 0; j < tk && t->bias != NULL; j++) {
            bias_rows[i * tk + j] = t->bias[bias + i * s->bias_query + j];
        }
    }
    double terms = 0, scale = s->scale != 0 ? (double)s->scale : 1 / sqrt((double)d);
    float naive_terms = 0;
    oracle_head oracle = {.tq = tq,
                          .tk = tk,
                          .d = d,
                          .e = e,
                          .q = q,
                          .k = k,
                          .v = v,
                          .d_out = d_out,
                          .bias = t->bias ? bias_rows : NULL,
                          .visible = visible,
                          .kept = kept,
                          .scale = s->scale,
                          .dropout = s->dropout,
                          .softcap = s->softcap,
                          .slope = slope,
                          .sink = sink,
                          .hook = s->score_hook != NULL,
                          .p = zeros(places, 8),
                          .tanh = zeros(places, 8),
                          .hook_input = zeros(places, 8),
                          .d_bias = zeros(places, 8),
                          .d_sink = &t->oracle_d_sinks[h],
                          .ds = zeros(places, 8),
                          .out = zeros(tq * e, 8),
                          .lse = zeros(tq, 8),
                          .dq = zeros(tq * d, 8),
                          .dk = sums->dk,
                          .dv = sums->dv,
                          .terms = &terms};
    naive_head naive = {.tq = tq,
                        .tk = tk,
                        .d = d,
                        .e = e,
                        .q = q,
                        .k = k,
                        .v = v,
                        .d_out = d_out,
                        .bias = t->bias ? bias_rows : NULL,
                        .visible = visible,
                        .kept = kept,
                        .scale = s->scale,
                        .dropout = s->dropout,
                        .softcap = s->softcap,
                        .slope = slope,
                        .sink = sink,
                        .hook = s->score_hook != NULL,
                        .p = zeros(places, 4),
                        .tanh = zeros(places, 4),
                        .hook_input = zeros(places, 4),
                        .d_bias = zeros(places, 4),
                        .d_sink = &t->naive_d_sinks[h],
                        .ds = zeros(places, 4),
                        .out = zeros(tq * e, 4),
                        .lse = zeros(tq, 4),
                        .dq = zeros(tq * d, 4),
                        .dk = sums->naive_dk,
                        .dv = sums->naive_dv,
                        .terms = &naive_terms};
    oracle_forward(&oracle);
    oracle_backward(&oracle);
    naive_forward(&naive);
    naive_backward(&naive);
    note_size(D_BIAS, terms);
    note_size(D_QUERY, terms * scale);
    note_size(D_KEY, terms * scale);
    for (int64_t i = 0; i < tq; i++) {
        note(LSE, t->lse[lse + i], naive.lse[i], oracle.lse[i]);
        for (int64_t n = 0; n < e; n++) {
            note(OUTPUT, t->out[output + i * s->output.token + n], naive.out[i * e + n],
                 oracle.out[i * e + n]);
        }
        for (int64_t n = 0; n < d; n++) {
            note(D_QUERY, t->dq[query + i * s->query.token + n], naive.dq[i * d + n],
                 oracle.dq[i * d + n]);
        }
        for (int64_t j = 0; j < tk; j++) {
            int64_t place = ((b * s->heads + h) * s->query_length + i) * s->key_length + j;
            note(WEIGHTS, t->weights[place], naive.p[i * tk + j], oracle.p[i * tk + j]);
            if (t->bias != NULL) {
                t->oracle_d_bias[bias + i * s->bias_query + j] += oracle.d_bias[i * tk + j];
                t->naive_d_bias[bias + i * s->bias_query + j] += naive.d_bias[i * tk + j];
            }
        }
    }
    void *all[] = {visible,           kept,          d_out,      bias_rows,        oracle.p,
                   oracle.ds,         oracle.out,    oracle.lse, oracle.dq,        naive.p,
                   naive.ds,          naive.out,     naive.lse,  naive.dq,         oracle.tanh,
                   oracle.hook_input, oracle.d_bias, naive.tanh, naive.hook_input, naive.d_bias};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        free(all[n]);
    }
}

/* Writes rows of `size` to a place with strides. */
static void scatter(const float *rows, int64_t count, int64_t size, float *to, int64_t stride) {
    for (int64_t r = 0; r < count; r++) {
        memcpy(to + r * stride, rows + r * size, (size_t)size * sizeof *to);
    }
}

static int64_t real_length(const config *c, int side, int64_t b) {
    bool ragged = c->spec.query_starts != NULL || c->spec.query_lengths != NULL;
    return ragged ? c->lengths[side][b] : side ? c->spec.key_length : c->spec.query_length;
}

static void fill_inputs(const config *c, const tensors *t, attn_random *random, float *rows) {
    const attn_attention *s = &c->spec;
    bool packed = s->query_starts != NULL;
    for (int64_t b = 0; b < s->batch; b++) {
        int64_t tq = real_length(c, 0, b), tk = real_length(c, 1, b);
        int64_t q0 = packed ? c->starts[0][b] : 0, k0 = packed ? c->starts[1][b] : 0;
        int64_t at = packed ? 0 : b;
        for (int64_t h = 0; h < s->heads; h++) {
            project(random, tq, s->head_size, rows);
            scatter(rows, tq, s->head_size,
                    t->q + at * s->query.batch + q0 * s->query.token + h * s->query.head,
                    s->query.token);
            for (int64_t n = 0; n < tq * s->value_size; n++) {
                rows[n] = (float)(attn_random_uniform(random) * 2 - 1);
            }
            scatter(rows, tq, s->value_size,
                    t->d_out + at * s->output.batch + q0 * s->output.token + h * s->output.head,
                    s->output.token);
        }
        for (int64_t g = 0; g < s->kv_heads; g++) {
            project(random, tk, s->head_size, rows);
            scatter(rows, tk, s->head_size,
                    t->k + at * s->key.batch + k0 * s->key.token + g * s->key.head, s->key.token);
            project(random, tk, s->value_size, rows);
            scatter(rows, tk, s->value_size,
                    t->v + at * s->value.batch + k0 * s->value.token + g * s->value.head,
                    s->value.token);
        }
    }
}

/* The heads that share one key head, and its gradients. */
static void check_group(const config *c, tensors *t, int64_t b, int64_t g) {
    const attn_attention *s = &c->spec;
    bool packed = s->query_starts != NULL;
    int64_t tq = real_length(c, 0, b), tk = real_length(c, 1, b), group = s->heads / s->kv_heads;
    int64_t d = s->head_size, e = s->value_size;
    int64_t key = (packed ? c->starts[1][b] * s->key.token : b * s->key.batch) + g * s->key.head;
    int64_t value =
        (packed ? c->starts[1][b] * s->value.token : b * s->value.batch) + g * s->value.head;
    float *q = zeros(tq * d, 4), *k = zeros(tk * d, 4), *v = zeros(tk * e, 4);
    group_sums sums = {zeros(tk * d, 8), zeros(tk * e, 8), zeros(tk * d, 4), zeros(tk * e, 4)};
    for (int64_t j = 0; j < tk; j++) {
        memcpy(k + j * d, t->k + key + j * s->key.token, (size_t)d * 4);
        memcpy(v + j * e, t->v + value + j * s->value.token, (size_t)e * 4);
    }
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        int64_t query =
            (packed ? c->starts[0][b] * s->query.token : b * s->query.batch) + h * s->query.head;
        for (int64_t i = 0; i < tq; i++) {
            memcpy(q + i * d, t->q + query + i * s->query.token, (size_t)d * 4);
        }
        check_head(c, t, b, h, &sums, q, k, v);
    }
    for (int64_t j = 0; j < tk; j++) {
        for (int64_t n = 0; n < d; n++) {
            note(D_KEY, t->dk[key + j * s->key.token + n], sums.naive_dk[j * d + n],
                 sums.dk[j * d + n]);
        }
        for (int64_t n = 0; n < e; n++) {
            note(D_VALUE, t->dv[value + j * s->value.token + n], sums.naive_dv[j * e + n],
                 sums.dv[j * e + n]);
        }
    }
    void *all[] = {q, k, v, sums.dk, sums.dv, sums.naive_dk, sums.naive_dv};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        free(all[n]);
    }
}

/* Scores, and what changes them, `size` times as large. */
static void resize_scores(config *c, tensors *t, float size) {
    attn_attention *s = &c->spec;
    s->scale = size * (s->scale != 0 ? s->scale : 1 / sqrtf((float)s->head_size));
    s->softcap *= s->softcap > 0 ? size : 1;
    for (int64_t h = 0; h < s->heads; h++) {
        c->slopes[h] *= size;
        c->sinks[h] *= size;
    }
    for (int64_t n = 0; n < t->bias_count; n++) {
        t->bias[n] *= size;
    }
    s->score_hook = NULL; /* which squares them */
    s->score_hook_backward = NULL;
}

/* size: 0, or what multiplies the scores. */
static void check_configuration(uint64_t seed, float size) {
    static float rows[300 * 256];
    attn_random random = attn_random_start(attn_random_key(17, seed, 0));
    config c;
    draw(&c, &random);
    tensors t = make_tensors(&c, &random);
    fill_inputs(&c, &t, &random, rows);
    if (size > 0) {
        resize_scores(&c, &t, size);
    }
    assert_int_equal(attn_attention_forward(&c.spec, t.q, t.k, t.v, t.out, t.lse, NULL), ATTN_OK);
    attn_attention_gradients gradients = {
        sizeof(attn_attention_gradients),        t.dq, t.dk, t.dv, t.d_bias,
        c.spec.sinks != NULL ? t.d_sinks : NULL, NULL, NULL};
    assert_int_equal(
        attn_attention_backward(&c.spec, t.q, t.k, t.v, t.out, t.lse, t.d_out, &gradients, NULL),
        ATTN_OK);
    assert_int_equal(attn_attention_weights(&c.spec, t.q, t.k, t.lse, t.weights, NULL, NULL),
                     ATTN_OK);
    for (int64_t b = 0; b < c.spec.batch; b++) {
        for (int64_t g = 0; g < c.spec.kv_heads; g++) {
            check_group(&c, &t, b, g);
        }
    }
    for (int64_t n = 0; n < t.bias_count; n++) {
        note(D_BIAS, t.d_bias[n], t.naive_d_bias[n], t.oracle_d_bias[n]);
    }
    for (int64_t h = 0; h < c.spec.heads && c.spec.sinks != NULL; h++) {
        note(D_SINKS, t.d_sinks[h], t.naive_d_sinks[h], t.oracle_d_sinks[h]);
    }
    note_configuration(size > 0 ? scaled : plain, size > 0);
    free_tensors(&t);
}

static void check_errors(const errors *everywhere, double times) {
    for (int result = 0; result < RESULTS; result++) {
        print_message("%-8s error %.2e, naive float %.2e\n", names[result], everywhere[result].ours,
                      everywhere[result].naive);
    }
    for (int result = 0; result < RESULTS; result++) {
        assert_true(everywhere[result].naive > 0);
        assert_true(everywhere[result].ours <= times * everywhere[result].naive);
    }
}

static void at_most_twice_the_error_of_naive_float(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < CONFIGURATIONS; seed++) {
        check_configuration(seed, 0);
    }
    check_errors(plain, 2);
}

static void at_most_thrice_the_mean_error_at_any_scale(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SCALED; seed++) {
        check_configuration(CONFIGURATIONS + seed,
                            powf(10, (float)seed * (60.0f / (SCALED - 1)) - 30));
    }
    check_errors(scaled, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_twice_the_error_of_naive_float),
        cmocka_unit_test(at_most_thrice_the_mean_error_at_any_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
