/* show/relevance.c: forward with the tape watched and recording, back from the words' log p.
 *
 * The tape gives the gradient of each head's output, dO; with O = A V that of a weight is dA = dO V^T. */
#include "show/relevance.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "models/translator_notes.h"

struct attn_relevance {
    attn_translator *model;
    attn_tape *tape;
    int64_t source_length, target_length;
};

attn_status attn_relevance_create(attn_translator *model, attn_relevance **out, attn_error *error) {
    *out = NULL;
    if (attn_params_grad(model->params) == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "load it trainable",
                         "the model has no gradients");
    }
    attn_relevance *r = attn_alloc_zero(1, sizeof *r);
    if (r == NULL || attn_tape_create(&r->tape, NULL) != ATTN_OK) {
        attn_free(r);
        return attn_fail_memory(error, sizeof *r);
    }
    r->model = model;
    model->config.dropout = model->config.attention_dropout = model->config.activation_dropout = 0;
    *out = r;
    return ATTN_OK;
}

void attn_relevance_free(attn_relevance *r) {
    if (r != NULL) {
        attn_tape_free(r->tape);
        attn_free(r);
    }
}

/* d log p(word) / dx, added to gradient [C]; log p = logits[word] - log sum exp(logits), logits = W x + b. room: [V]. */
static void add_gradient(const attn_linear *output, const real *x, int32_t word, double *room,
                         real *gradient) {
    const attn_param *w = output->weight;
    double largest = -INFINITY, sum = 0;
    for (int64_t v = 0; v < w->rows; v++) {
        room[v] = output->bias != NULL ? (double)output->bias->data[v] : 0;
        for (int64_t c = 0; c < w->cols; c++) {
            room[v] += (double)w->data[v * w->cols + c] * (double)x[c];
        }
        largest = fmax(largest, room[v]);
    }
    for (int64_t v = 0; v < w->rows; v++) {
        room[v] = exp(room[v] - largest);
        sum += room[v];
    }
    for (int64_t v = 0; v < w->rows; v++) {
        double share = (v == word ? 1.0 : 0.0) - room[v] / sum;
        for (int64_t c = 0; c < w->cols; c++) {
            gradient[c] += (real)(share * (double)w->data[v * w->cols + c]);
        }
    }
}

attn_status attn_relevance_run(attn_relevance *r, const int32_t *source, int64_t source_length,
                               const int32_t *target, int64_t target_length, int64_t token,
                               attn_error *error) {
    const int64_t source_starts[] = {0, source_length}, target_starts[] = {0, target_length};
    attn_translator_batch batch = {1, source, source_starts, target, NULL, target_starts};
    const attn_linear *output = &r->model->output;
    r->source_length = source_length;
    r->target_length = target_length;
    attn_tape_watch(r->tape, true);
    attn_tape_begin(r->tape, true, 0, 0);
    attn_tensor *x = attn_translator_forward(r->model, r->tape, &batch);
    double *room = attn_tape_alloc(r->tape, (size_t)output->weight->rows * sizeof *room);
    attn_real *gradient = x != NULL && room != NULL ? attn_tape_grad(r->tape, x) : NULL;
    for (int64_t t = 0; gradient != NULL && t < target_length; t++) {
        if (token < 0 || token == t) {
            add_gradient(output, x->data + t * x->cols, target[t + 1], room,
                         gradient + t * x->cols);
        }
    }
    return attn_tape_backward(r->tape, error);
}

/* dlogp/dA = dO[q] . V[k] of one head, [Q, K]; 0 where nothing that is written depends on it. */
static void find_gradients(const attn_translator_notes *n, int64_t head, int64_t queries,
                           int64_t keys, attn_real *gradients) {
    const attn_multi_head *a = n->attention;
    int64_t size = a->head_size, group = head / (a->heads / a->kv_heads);
    int64_t column = n->key_column + (a->kv_heads + group) * size;
    for (int64_t q = 0; q < queries; q++) {
        for (int64_t k = 0; k < keys; k++) {
            const attn_real *value = n->key_value->data + k * n->key_value->cols + column;
            double gradient = 0;
            for (int64_t e = 0; n->heads->grad != NULL && e < size; e++) {
                gradient +=
                    (double)n->heads->grad[q * n->heads->cols + head * size + e] * (double)value[e];
            }
            gradients[q * keys + k] = (attn_real)gradient;
        }
    }
}

attn_status attn_relevance_get(attn_relevance *r, attn_translator_part part, int64_t layer,
                               attn_real *out, attn_real *gradients, attn_error *error) {
    int64_t queries = part == ATTN_PART_ENCODER ? r->source_length : r->target_length;
    int64_t keys = part == ATTN_PART_DECODER ? r->target_length : r->source_length;
    attn_translator_notes n;
    attn_status status =
        attn_translator_find_notes(r->model, r->tape, part, layer, queries, keys, &n, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_multi_head *a = n.attention;
    size_t matrix = (size_t)(queries * keys), size = (size_t)a->heads * matrix;
    attn_real *own = attn_tape_alloc(r->tape, size * sizeof *own);
    if (own == NULL) {
        return attn_fail_memory(error, size * sizeof *own);
    }
    status = attn_translator_notes_weights(&n, part == ATTN_PART_DECODER, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    for (int64_t h = 0; h < a->heads; h++) {
        find_gradients(&n, h, queries, keys, own + (size_t)h * matrix);
    }
    for (size_t i = 0; i < size; i++) {
        out[i] *= own[i] > 0 ? own[i] : 0;
    }
    if (gradients != NULL) {
        memcpy(gradients, own, size * sizeof *own);
    }
    return ATTN_OK;
}
