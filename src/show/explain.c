/* show/explain.c: the five steps, one loop each, in double. Read get_steps from the end upward.
 *
 * C channels, H heads, G key/value heads, D head size, Q queries, K keys. */
#include "show/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attn/attention.h"
#include "base/fail.h"
#include "base/memory.h"

/* How far the model's float may be from the double computed here, relative to the largest number of
 * its kind. Rounding is 100 times less. */
static const double tolerance = 1e-3;

struct attn_explain {
    attn_translator *model;
    attn_tape *tape;
    attn_arena arena; /* holds the arrays of the steps */
    int64_t source_length, target_length;
};

/* ---- running the model ---- */

static attn_status check_length(const attn_translator *model, const char *what, int64_t length,
                                attn_error *error) {
    int64_t most = attn_translator_get_config(model)->max_length;
    if (length >= 1 && length <= most) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give a shorter sentence",
                     "the %s sentence has %lld tokens; the model takes 1 to %lld", what,
                     (long long)length, (long long)most);
}

attn_status attn_explain_create(attn_translator *model, const int32_t *source,
                                int64_t source_length, const int32_t *target_input,
                                int64_t target_length, attn_explain **out, attn_error *error) {
    *out = NULL;
    attn_status status = check_length(model, "source", source_length, error);
    if (status == ATTN_OK && target_input != NULL) {
        status = check_length(model, "target", target_length, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    attn_explain *e = attn_alloc_zero(1, sizeof *e);
    if (e == NULL || attn_tape_create(&e->tape) != ATTN_OK) {
        attn_free(e);
        return attn_fail_memory(error, sizeof *e);
    }
    e->model = model;
    e->source_length = source_length;
    e->target_length = target_input != NULL ? target_length : 0;
    const int64_t source_starts[] = {0, source_length}, target_starts[] = {0, target_length};
    attn_translator_batch batch = {1, source, source_starts, target_input, NULL, target_starts};
    attn_tape_watch(e->tape, true);
    attn_tape_begin(e->tape, false, 0, 0);
    attn_tensor *x = attn_translator_forward(model, e->tape, &batch);
    status = attn_tape_status(e->tape);
    if (x == NULL || status != ATTN_OK) {
        attn_explain_free(e);
        return attn_fail(error, status, NULL, -1, NULL, "the model could not be run: %s",
                         attn_status_name(status));
    }
    *out = e;
    return ATTN_OK;
}

void attn_explain_free(attn_explain *e) {
    if (e == NULL) {
        return;
    }
    attn_tape_free(e->tape);
    attn_arena_free(&e->arena);
    attn_free(e);
}

attn_explain_shape attn_explain_get_shape(const attn_explain *e, attn_explain_part part) {
    const attn_translator_config *c = attn_translator_get_config(e->model);
    return (attn_explain_shape){
        .layers = part == ATTN_EXPLAIN_ENCODER ? c->encoder_layers : c->decoder_layers,
        .heads = c->heads,
        .queries = part == ATTN_EXPLAIN_ENCODER ? e->source_length : e->target_length,
        .keys = part == ATTN_EXPLAIN_DECODER ? e->target_length : e->source_length,
        .channels = c->d_model,
        .head_size = c->d_model / c->heads,
    };
}

/* ---- one attention of the model ---- */

/* What the model noted of one layer, and that layer's weights. */
typedef struct view {
    attn_explain_shape shape;
    int64_t kv_heads;
    bool causal;
    const attn_tensor *embedding, *residual, *input, *memory; /* memory: what is attended to */
    const attn_tensor *query, *key_value, *heads, *lse, *output;
    int64_t key_column; /* of the first key in key_value; the values follow the keys */
    const attn_param *weight[4], *bias[4]; /* query, key, value, output */
    const attn_param *gamma, *beta;        /* of the norm after, NULL when pre-norm */
} view;

static const attn_tensor *noted(const attn_explain *e, const char *layer, const char *what) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    return attn_tape_noted(e->tape, name);
}

static const attn_param *param(const attn_explain *e, const char *layer, const char *what) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    return attn_params_find(attn_translator_params(e->model), name);
}

static void view_params(view *v, const attn_explain *e, const char *side, const char *kind,
                        int64_t layer) {
    static const char *const parts[] = {"query", "key", "value", "output"};
    char prefix[48], name[32];
    snprintf(prefix, sizeof prefix, "%s.%lld.%s", side, (long long)layer, kind);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.weight", parts[i]);
        v->weight[i] = param(e, prefix, name);
        snprintf(name, sizeof name, "%s.bias", parts[i]);
        v->bias[i] = param(e, prefix, name);
    }
    if (!attn_translator_get_config(e->model)->pre_norm) {
        snprintf(prefix, sizeof prefix, "%s.%lld.norm_%s", side, (long long)layer, kind);
        v->gamma = param(e, prefix, "gamma");
        v->beta = param(e, prefix, "beta");
    }
}

static view view_layer(const attn_explain *e, attn_explain_part part, int64_t layer) {
    const char *side = part == ATTN_EXPLAIN_ENCODER ? "encoder" : "decoder";
    const char *kind = part == ATTN_EXPLAIN_CROSS ? "cross" : "self";
    bool cross = part == ATTN_EXPLAIN_CROSS;
    char name[48];
    view v = {.shape = attn_explain_get_shape(e, part),
              .kv_heads = attn_translator_get_config(e->model)->kv_heads,
              .causal = part == ATTN_EXPLAIN_DECODER};
    snprintf(name, sizeof name, "%s.%lld.%s", side, (long long)layer, kind);
    v.embedding = noted(e, part == ATTN_EXPLAIN_ENCODER ? "source" : "target", "embedding");
    v.residual = noted(e, name, "residual");
    v.input = noted(e, name, "input");
    v.memory = cross ? noted(e, name, "memory") : v.input;
    v.query = noted(e, name, "query");
    v.key_value = noted(e, name, cross ? "key_value" : "joined");
    v.key_column = cross ? 0 : v.shape.channels;
    v.heads = noted(e, name, "heads");
    v.lse = noted(e, name, "lse");
    v.output = noted(e, name, "output");
    view_params(&v, e, side, kind, layer);
    return v;
}

static attn_status check_index(const char *what, int64_t index, int64_t count, attn_error *error) {
    if (index >= 0 && index < count) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "there is no %s %lld: 1 to %lld",
                     what, (long long)index + 1, (long long)count);
}

attn_status attn_explain_weights(attn_explain *e, attn_explain_part part, int64_t layer,
                                 attn_real *weights, attn_error *error) {
    attn_status status = check_index("layer", layer, attn_explain_get_shape(e, part).layers, error);
    if (status != ATTN_OK) {
        return status;
    }
    view v = view_layer(e, part, layer);
    attn_attention call;
    attn_attention_init(&call, 1, v.shape.heads, v.kv_heads, v.shape.queries, v.shape.keys,
                        v.shape.head_size, v.shape.head_size);
    call.query = (attn_strides){0, v.query->cols, v.shape.head_size};
    call.key = (attn_strides){0, v.key_value->cols, v.shape.head_size};
    call.causal = v.causal;
    return attn_attention_weights(&call, v.query->data, v.key_value->data + v.key_column,
                                  v.lse->data, weights, NULL, error);
}

/* ---- holding to the model ---- */

/* The model's own numbers beside those computed here. */
static void hold(double *difference, const double *computed, const attn_real *own, int64_t count) {
    double largest = 1e-2, distance = 0; /* below 0.01 rounding is all there is */
    for (int64_t i = 0; i < count; i++) {
        double d = fabs(computed[i] - (double)own[i]);
        largest = fmax(largest, fabs((double)own[i]));
        distance = d <= distance ? distance : d; /* NaN stays */
    }
    double relative = distance / largest;
    *difference = relative <= *difference ? *difference : relative;
}

/* ---- the steps ---- */

static double *room(attn_explain *e, int64_t count) {
    double *array = attn_arena_alloc(&e->arena, (size_t)count * sizeof *array);
    if (array != NULL) {
        memset(array, 0, (size_t)count * sizeof *array);
    }
    return array;
}

static bool make_room(attn_explain *e, const attn_explain_shape *n, attn_explain_steps *s,
                      double *arrays[12]) {
    const struct {
        const double **array;
        int64_t count;
    } wanted[] = {
        {&s->embedding, n->channels},
        {&s->input, n->channels},
        {&s->query, n->head_size},
        {&s->keys, n->keys * n->head_size},
        {&s->values, n->keys * n->head_size},
        {&s->scores, n->keys},
        {&s->scaled, n->keys},
        {&s->weights, n->keys},
        {&s->output, n->head_size},
        {&s->joined, n->channels},
        {&s->projected, n->channels},
        {&s->result, n->channels},
    };
    for (int i = 0; i < 12; i++) {
        arrays[i] = room(e, wanted[i].count);
        *wanted[i].array = arrays[i];
        if (arrays[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void copy_row(const attn_tensor *from, int64_t row, double *to) {
    for (int64_t c = 0; c < from->cols; c++) {
        to[c] = (double)from->data[row * from->cols + c];
    }
}

/* y[d] = W[first + d] . x + b[first + d] */
static void project(const attn_param *weight, const attn_param *bias, int64_t first, int64_t count,
                    const double *x, double *y) {
    for (int64_t d = 0; d < count; d++) {
        const attn_real *row = weight->data + (first + d) * weight->cols;
        double sum = (double)bias->data[first + d];
        for (int64_t c = 0; c < weight->cols; c++) {
            sum += (double)row[c] * x[c];
        }
        y[d] = sum;
    }
}

/* Step 1: the query of this token, and the key and value of every token. */
static attn_status embed_and_project(attn_explain *e, const view *v, attn_explain_steps *s,
                                     double *arrays[12], attn_error *error) {
    int64_t size = v->shape.head_size, group = s->head / (v->shape.heads / v->kv_heads);
    double *query = arrays[2], *keys = arrays[3], *values = arrays[4];
    copy_row(v->embedding, s->token, arrays[0]);
    copy_row(v->input, s->token, arrays[1]);
    project(v->weight[0], v->bias[0], s->head * size, size, s->input, query);
    hold(&s->difference, query, v->query->data + s->token * v->query->cols + s->head * size, size);
    double *x = room(e, v->shape.channels);
    if (x == NULL) {
        return attn_fail_memory(error, (size_t)v->shape.channels * sizeof *x);
    }
    for (int64_t j = 0; j < v->shape.keys; j++) {
        const attn_real *own = v->key_value->data + j * v->key_value->cols + v->key_column;
        copy_row(v->memory, j, x);
        project(v->weight[1], v->bias[1], group * size, size, x, keys + j * size);
        project(v->weight[2], v->bias[2], group * size, size, x, values + j * size);
        hold(&s->difference, keys + j * size, own + group * size, size);
        hold(&s->difference, values + j * size, own + (v->kv_heads + group) * size, size);
    }
    return ATTN_OK;
}

/* Steps 2 to 4: dot products, divided by the root of the key size, softmax. */
static void weigh(const attn_explain_shape *n, attn_explain_steps *s, double *arrays[12]) {
    double *scores = arrays[5], *scaled = arrays[6], *weights = arrays[7];
    double largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < s->visible; j++) {
        for (int64_t d = 0; d < n->head_size; d++) {
            scores[j] += s->query[d] * s->keys[j * n->head_size + d];
        }
        scaled[j] = scores[j] / sqrt((double)n->head_size);
        largest = fmax(largest, scaled[j]);
    }
    for (int64_t j = 0; j < s->visible; j++) {
        weights[j] = exp(scaled[j] - largest);
        sum += weights[j];
    }
    for (int64_t j = 0; j < s->visible; j++) {
        weights[j] /= sum;
    }
}

/* Step 5: the weighted sum of the values. */
static void sum_values(const view *v, attn_explain_steps *s, double *output) {
    int64_t size = v->shape.head_size;
    for (int64_t j = 0; j < s->visible; j++) {
        for (int64_t d = 0; d < size; d++) {
            output[d] += s->weights[j] * s->values[j * size + d];
        }
    }
    hold(&s->difference, output, v->heads->data + s->token * v->heads->cols + s->head * size, size);
}

/* y = (x - mean) / sqrt(variance + 1e-5) * gamma + beta, in place. */
static void normalize(const view *v, double *x) {
    int64_t n = v->shape.channels;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < n; c++) {
        mean += x[c] / (double)n;
    }
    for (int64_t c = 0; c < n; c++) {
        variance += (x[c] - mean) * (x[c] - mean) / (double)n;
    }
    for (int64_t c = 0; c < n; c++) {
        x[c] = (x[c] - mean) / sqrt(variance + 1e-5) * (double)v->gamma->data[c] +
               (double)v->beta->data[c];
    }
}

/* The length of W_o times one head's part of `joined`. */
static double head_norm(const view *v, const double *joined, int64_t head) {
    int64_t n = v->shape.channels, size = v->shape.head_size;
    double squares = 0;
    for (int64_t c = 0; c < n; c++) {
        double part = 0;
        for (int64_t d = head * size; d < (head + 1) * size; d++) {
            part += (double)v->weight[3]->data[c * n + d] * joined[d];
        }
        squares += part * part;
    }
    return sqrt(squares);
}

/* And then: the heads side by side, through the output projection, added to what went past. */
static void join_heads(const view *v, attn_explain_steps *s, double *arrays[12], double *norms) {
    double *joined = arrays[9], *projected = arrays[10], *result = arrays[11];
    int64_t n = v->shape.channels;
    copy_row(v->heads, s->token, joined);
    memcpy(joined + s->head * v->shape.head_size, s->output,
           (size_t)v->shape.head_size * sizeof *joined);
    project(v->weight[3], v->bias[3], 0, n, joined, projected);
    for (int64_t c = 0; c < n; c++) {
        result[c] = (double)v->residual->data[s->token * n + c] + projected[c];
    }
    if (v->gamma != NULL) {
        normalize(v, result);
    }
    hold(&s->difference, result, v->output->data + s->token * n, n);
    for (int64_t h = 0; h < v->shape.heads; h++) {
        norms[h] = head_norm(v, joined, h);
    }
}

static attn_status hold_weights(attn_explain *e, attn_explain_part part, const view *v,
                                attn_explain_steps *s, attn_error *error) {
    size_t row = (size_t)v->shape.keys, rows = (size_t)(v->shape.heads * v->shape.queries);
    attn_real *own = attn_arena_alloc(&e->arena, rows * row * sizeof *own);
    if (own == NULL) {
        return attn_fail_memory(error, rows * row * sizeof *own);
    }
    attn_status status = attn_explain_weights(e, part, s->layer, own, error);
    if (status == ATTN_OK) {
        hold(&s->difference, s->weights,
             own + (size_t)(s->head * v->shape.queries + s->token) * row, v->shape.keys);
    }
    return status;
}

attn_status attn_explain_get_steps(attn_explain *e, attn_explain_part part, int64_t layer,
                                   int64_t head, int64_t token, attn_explain_steps *s,
                                   attn_error *error) {
    attn_explain_shape n = attn_explain_get_shape(e, part);
    double *arrays[12], *norms = room(e, n.heads);
    attn_status status = check_index("layer", layer, n.layers, error);
    status = status == ATTN_OK ? check_index("head", head, n.heads, error) : status;
    status = status == ATTN_OK ? check_index("token", token, n.queries, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    *s = (attn_explain_steps){.layer = layer, .head = head, .token = token, .head_norms = norms};
    s->visible = part == ATTN_EXPLAIN_DECODER ? token + 1 : n.keys;
    if (norms == NULL || !make_room(e, &n, s, arrays)) {
        return attn_fail_memory(error, (size_t)(n.keys * n.head_size) * sizeof *norms);
    }
    view v = view_layer(e, part, layer);
    status = embed_and_project(e, &v, s, arrays, error);
    if (status != ATTN_OK) {
        return status;
    }
    weigh(&n, s, arrays);
    sum_values(&v, s, arrays[8]);
    join_heads(&v, s, arrays, norms);
    status = hold_weights(e, part, &v, s, error);
    if (status == ATTN_OK && !(s->difference <= tolerance)) {
        status = attn_fail(error, ATTN_ERR_NUMERIC, NULL, -1, "please report this",
                           "the steps differ from the model's own numbers by %g", s->difference);
    }
    return status;
}
