/* show/explain_layer.c: the five steps for all queries and heads of a layer, one loop each, in double.
 * Read attn_explain_compute_layer, at the end, first.
 *
 * C channels, H heads, G key/value heads, D head size, Q queries, K keys. */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "models/translator.h"
#include "show/explain_parts.h"

/* How far the model's float may be from the double computed here, relative to the largest number of
 * its kind. Rounding is 100 times less. */
static const double tolerance = 1e-3;

/* The arrays of an attn_explain_layer, while they are filled. */
typedef struct arrays {
    double *table, *position, *embedding, *residual, *input, *memory;
    double *query_before, *keys_before, *query, *keys, *values, *scores, *bias, *scaled, *exps,
        *weights;
    double *joined, *projected, *result, *head_norms, *mean, *deviation;
    attn_real *no_beta; /* [C], zeros */
} arrays;

static bool make_room(attn_explain *e, const attn_explain_view *v, arrays *a) {
    const attn_explain_shape *n = &v->shape;
    int64_t rows = n->queries * n->channels, memory = n->keys * n->channels,
            keys = v->kv_heads * n->keys * n->head_size, matrix = n->heads * n->queries * n->keys;
    const struct {
        double **array;
        int64_t count;
    } wanted[] = {
        {&a->table, rows},        {&a->position, rows},
        {&a->embedding, rows},    {&a->residual, rows},
        {&a->input, rows},        {&a->memory, memory},
        {&a->query_before, rows}, {&a->keys_before, keys},
        {&a->query, rows},        {&a->keys, keys},
        {&a->values, keys},       {&a->scores, matrix},
        {&a->bias, matrix},       {&a->scaled, matrix},
        {&a->exps, matrix},       {&a->weights, matrix},
        {&a->joined, rows},       {&a->projected, rows},
        {&a->result, rows},       {&a->head_norms, n->queries * n->heads},
        {&a->mean, n->queries},   {&a->deviation, n->queries},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        size_t bytes = (size_t)wanted[i].count * sizeof(double);
        double *array = attn_arena_alloc(&e->arena, bytes);
        if (array == NULL) {
            return false;
        }
        memset(array, 0, bytes);
        *wanted[i].array = array;
    }
    size_t bytes = (size_t)n->channels * sizeof *a->no_beta;
    a->no_beta = attn_arena_alloc(&e->arena, bytes);
    if (a->no_beta != NULL) {
        memset(a->no_beta, 0, bytes);
    }
    return a->no_beta != NULL;
}

/* ---- holding to the model ---- */

/* The model's own numbers beside those computed here: rows of `count`, `stride` apart in the model. */
static void hold(double *difference, const double *computed, const attn_real *own, int64_t rows,
                 int64_t count, int64_t stride) {
    double largest = 1e-2, distance = 0; /* below 0.01 rounding is all there is */
    for (int64_t i = 0; i < rows * count; i++) {
        double model = (double)own[i / count * stride + i % count];
        double d = fabs(computed[i] - model);
        largest = fmax(largest, fabs(model));
        distance = d <= distance ? distance : d; /* NaN stays */
    }
    double relative = distance / largest;
    *difference = relative <= *difference ? *difference : relative;
}

static void copy_rows(const attn_tensor *from, double *to) {
    for (int64_t i = 0; i < from->rows * from->cols; i++) {
        to[i] = (double)from->data[i];
    }
}

/* ---- the steps ---- */

/* What a word and its place are before any layer: embedding = scale * table + position. */
static void embed(const attn_explain *e, const attn_explain_view *v, arrays *a,
                  attn_explain_layer *out) {
    const attn_translator *m = e->model;
    const attn_positions *positions = v->of_source ? &m->positions : &m->target_positions;
    const attn_real *places =
        positions->learned != NULL ? positions->learned->data : positions->table;
    int64_t channels = v->shape.channels;
    for (int64_t q = 0; q < v->shape.queries; q++) {
        for (int64_t c = 0; c < channels; c++) {
            int64_t i = q * channels + c;
            a->table[i] = (double)v->words->data[v->ids[q] * channels + c];
            a->position[i] = attn_translator_adds_positions(&m->config) ? (double)places[i] : 0;
            a->embedding[i] = (double)m->embedding_scale * a->table[i] + a->position[i];
        }
    }
    out->scale = (double)m->embedding_scale;
    hold(&out->difference, a->embedding, v->note.embedding->data, v->shape.queries, channels,
         channels);
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

/* to [D] = from, turned at that place by the rotation, if there is one (layers/rotary.c). */
static void turn(const attn_rotation *rotation, int64_t place, int64_t size, const double *from,
                 double *to) {
    memcpy(to, from, (size_t)size * sizeof *to);
    if (rotation == NULL) {
        return;
    }
    int64_t pairs = rotation->size / 2;
    const attn_real *cosines = rotation->table + place * rotation->size;
    for (int64_t i = 0; i < pairs; i++) {
        bool adjacent = rotation->kind == ATTN_ROTARY_ADJACENT;
        int64_t a = adjacent ? 2 * i : i, b = adjacent ? a + 1 : a + pairs;
        double cosine = (double)cosines[i], sine = (double)cosines[pairs + i];
        to[a] = from[a] * cosine - from[b] * sine;
        to[b] = from[b] * cosine + from[a] * sine;
    }
}

/* Step 1: the query, key and value of every token and head. */
static void project_all(const attn_explain_view *v, arrays *a, attn_explain_layer *out) {
    const attn_explain_shape *n = &v->shape;
    int64_t size = n->head_size;
    const attn_rotation *rotation = v->note.attention->rotation;
    for (int64_t h = 0; h < n->heads; h++) {
        double *before = a->query_before + h * n->queries * size;
        double *query = a->query + h * n->queries * size;
        for (int64_t q = 0; q < n->queries; q++) {
            project(v->weight[0], v->bias[0], h * size, size, a->input + q * n->channels,
                    before + q * size);
            turn(rotation, q, size, before + q * size, query + q * size);
        }
        hold(&out->difference, query, v->note.query->data + h * size, n->queries, size,
             v->note.query->cols);
    }
    for (int64_t g = 0; g < v->kv_heads; g++) {
        double *keys = a->keys + g * n->keys * size, *values = a->values + g * n->keys * size;
        double *before = a->keys_before + g * n->keys * size;
        for (int64_t k = 0; k < n->keys; k++) {
            const double *x = a->memory + k * n->channels;
            project(v->weight[1], v->bias[1], g * size, size, x, before + k * size);
            turn(rotation, k, size, before + k * size, keys + k * size);
            project(v->weight[2], v->bias[2], g * size, size, x, values + k * size);
        }
        const attn_real *own = v->note.key_value->data + v->note.key_column;
        hold(&out->difference, keys, own + g * size, n->keys, size, v->note.key_value->cols);
        hold(&out->difference, values, own + (v->kv_heads + g) * size, n->keys, size,
             v->note.key_value->cols);
    }
}

/* Steps 2 to 4 of one query: dot products, divided by the root of the key size, with what the distance adds, softmax. */
static void weigh(const double *query, const double *keys, int64_t visible, int64_t size,
                  const double *bias, double *scores, double *scaled, double *exps,
                  double *weights) {
    double largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < visible; j++) {
        for (int64_t d = 0; d < size; d++) {
            scores[j] += query[d] * keys[j * size + d];
        }
        scaled[j] = scores[j] / sqrt((double)size) + bias[j];
        largest = fmax(largest, scaled[j]);
    }
    for (int64_t j = 0; j < visible; j++) {
        exps[j] = exp(scaled[j] - largest);
        sum += exps[j];
    }
    for (int64_t j = 0; j < visible; j++) {
        weights[j] = exps[j] / sum;
    }
}

/* Steps 2 to 5 of all queries and heads; the fifth is the weighted sum of the values. */
static void attend(const attn_explain_view *v, const attn_real *own, arrays *a,
                   attn_explain_layer *out) {
    const attn_explain_shape *n = &v->shape;
    int64_t size = n->head_size, group = n->heads / v->kv_heads;
    for (int64_t i = 0; i < n->heads * n->queries; i++) {
        int64_t h = i / n->queries, q = i % n->queries, row = i * n->keys;
        int64_t visible = v->causal ? q + 1 : n->keys;
        const double *values = a->values + h / group * n->keys * size;
        double *output = a->joined + q * n->channels + h * size;
        for (int64_t j = 0; j < visible && v->note.bias != NULL; j++) {
            const attn_tensor *bias = v->note.bias;
            a->bias[row + j] = (double)bias->data[h * bias->cols + j - q + n->queries - 1];
        }
        weigh(a->query + i * size, a->keys + h / group * n->keys * size, visible, size,
              a->bias + row, a->scores + row, a->scaled + row, a->exps + row, a->weights + row);
        for (int64_t j = 0; j < visible; j++) {
            for (int64_t d = 0; d < size; d++) {
                output[d] += a->weights[row + j] * values[j * size + d];
            }
        }
    }
    hold(&out->difference, a->weights, own, n->heads * n->queries, n->keys, n->keys);
    hold(&out->difference, a->joined, v->note.heads->data, n->queries, n->channels,
         v->note.heads->cols);
}

/* y = (x - mean) / deviation * gamma + beta; deviation = sqrt(variance + epsilon). RMSNorm takes the mean and beta for 0. y
 * may be x. */
static void normalize(const attn_explain_view *v, const double *x, double *mean, double *deviation,
                      double *y) {
    const attn_norm *norm = v->note.norm;
    int64_t n = v->shape.channels;
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < n && !norm->rms; c++) {
        sum += x[c];
    }
    *mean = sum / (double)n;
    for (int64_t c = 0; c < n; c++) {
        squares += (x[c] - *mean) * (x[c] - *mean);
    }
    *deviation = sqrt(squares / (double)n + (norm->epsilon > 0 ? (double)norm->epsilon : 1e-5));
    for (int64_t c = 0; c < n; c++) {
        y[c] = (x[c] - *mean) / *deviation * (double)norm->gamma->data[c] +
               (norm->beta != NULL ? (double)norm->beta->data[c] : 0);
    }
}

/* What enters the projections; a norm before them is held to the model's. */
static void enter(const attn_explain_view *v, arrays *a, attn_explain_layer *out) {
    const attn_explain_shape *n = &v->shape;
    copy_rows(v->note.residual, a->residual);
    copy_rows(v->note.input, a->input);
    copy_rows(v->note.memory, a->memory);
    for (int64_t q = 0; q < n->queries && !v->norm_last; q++) {
        double *row = a->result + q * n->channels; /* free until the last step */
        normalize(v, a->residual + q * n->channels, a->mean + q, a->deviation + q, row);
    }
    if (!v->norm_last) {
        hold(&out->difference, a->result, v->note.input->data, n->queries, n->channels,
             n->channels);
    }
}

/* The length of W_o times one head's part of `joined`. */
static double head_norm(const attn_explain_view *v, const double *joined, int64_t head) {
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
static void join_heads(const attn_explain_view *v, arrays *a, attn_explain_layer *out) {
    const attn_explain_shape *n = &v->shape;
    for (int64_t q = 0; q < n->queries; q++) {
        int64_t at = q * n->channels;
        const double *joined = a->joined + at;
        double *result = a->result + at;
        project(v->weight[3], v->bias[3], 0, n->channels, joined, a->projected + at);
        for (int64_t c = 0; c < n->channels; c++) {
            result[c] = a->residual[at + c] + a->projected[at + c];
        }
        if (v->norm_last) {
            normalize(v, result, a->mean + q, a->deviation + q, result);
        }
        for (int64_t h = 0; h < n->heads; h++) {
            a->head_norms[q * n->heads + h] = head_norm(v, joined, h);
        }
    }
    hold(&out->difference, a->result, v->note.output->data, n->queries, n->channels, n->channels);
}

static void publish(const attn_explain_view *v, const arrays *a, attn_explain_layer *out) {
    out->shape = v->shape;
    out->kv_heads = v->kv_heads;
    out->causal = v->causal;
    out->norm_last = v->norm_last;
    out->root = sqrt((double)v->shape.head_size);
    out->table = a->table, out->position = a->position, out->embedding = a->embedding;
    out->residual = a->residual, out->input = a->input, out->memory = a->memory;
    out->query_before = a->query_before, out->keys_before = a->keys_before;
    out->query = a->query, out->keys = a->keys, out->values = a->values;
    out->scores = a->scores, out->scaled = a->scaled, out->exps = a->exps;
    out->distance_bias = v->note.bias != NULL ? a->bias : NULL;
    out->weights = a->weights, out->joined = a->joined, out->projected = a->projected;
    out->result = a->result, out->head_norms = a->head_norms;
    out->mean = a->mean, out->deviation = a->deviation;
    out->gamma = v->note.norm->gamma->data;
    out->beta = v->note.norm->beta != NULL ? v->note.norm->beta->data : a->no_beta;
    for (int i = 0; i < 4; i++) {
        out->weight[i] = v->weight[i]->data;
        out->bias[i] = v->bias[i]->data;
        out->rows[i] = v->weight[i]->rows;
    }
}

attn_status attn_explain_compute_layer(attn_explain *e, const attn_explain_view *v,
                                       const attn_real *own, attn_explain_layer *out,
                                       attn_error *error) {
    arrays a;
    *out = (attn_explain_layer){.difference = 0};
    if (!make_room(e, v, &a)) {
        return attn_fail_memory(error,
                                (size_t)(v->shape.queries * v->shape.channels) * sizeof *own);
    }
    embed(e, v, &a, out);
    enter(v, &a, out);
    project_all(v, &a, out);
    attend(v, own, &a, out);
    join_heads(v, &a, out);
    publish(v, &a, out);
    out->embedding_norm = e->model->config.embedding_norm;
    out->recurrent = e->model->config.ssru;
    out->rotary = e->model->config.rotary != ATTN_ROTARY_NONE;
    out->relative = e->model->config.relative;
    if (v->note.attention->rotation != NULL) {
        const attn_rotation *rotation = v->note.attention->rotation;
        out->turned = rotation->size;
        out->adjacent = rotation->kind == ATTN_ROTARY_ADJACENT;
        out->turns = rotation->table;
    }
    if (!(out->difference <= tolerance)) {
        return attn_fail(error, ATTN_ERR_NUMERIC, NULL, -1, "please report this",
                         "the steps differ from the model's own numbers by %g", out->difference);
    }
    return ATTN_OK;
}
