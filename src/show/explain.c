/* show/explain.c: running the model and finding the numbers of one attention in it.
 *
 * Next: explain_layer.c, the steps. */
#include "show/explain.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "show/explain_parts.h"

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

static bool keep_ids(attn_explain *e, const int32_t *source, const int32_t *target) {
    size_t count = (size_t)(e->source_length + e->target_length);
    int32_t *ids = attn_arena_alloc(&e->arena, count * sizeof *ids);
    if (ids == NULL) {
        return false;
    }
    memcpy(ids, source, (size_t)e->source_length * sizeof *ids);
    if (target != NULL) {
        memcpy(ids + e->source_length, target, (size_t)e->target_length * sizeof *ids);
    }
    e->source = ids;
    e->target = ids + e->source_length;
    return true;
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
    if (e == NULL || attn_tape_create(&e->tape, NULL) != ATTN_OK) {
        attn_free(e);
        return attn_fail_memory(error, sizeof *e);
    }
    e->model = model;
    e->source_length = source_length;
    e->target_length = target_input != NULL ? target_length : 0;
    if (!keep_ids(e, source, target_input)) {
        attn_explain_free(e);
        return attn_fail_memory(error, (size_t)(source_length + target_length) * sizeof *source);
    }
    const int64_t source_starts[] = {0, source_length}, target_starts[] = {0, target_length};
    attn_translator_batch batch = {1, source, source_starts, target_input, NULL, target_starts};
    attn_tape_watch(e->tape, true);
    attn_tape_begin(e->tape, false, 0, 0);
    attn_tensor *x = attn_translator_forward(model, e->tape, &batch);
    status = attn_tape_check(e->tape, error);
    if (x == NULL || status != ATTN_OK) {
        attn_explain_free(e);
        return status;
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

attn_explain_shape attn_explain_get_shape(const attn_explain *e, attn_translator_part part) {
    const attn_translator_config *c = attn_translator_get_config(e->model);
    return (attn_explain_shape){
        .layers = part == ATTN_PART_ENCODER              ? c->encoder_layers
                  : part == ATTN_PART_DECODER && c->ssru ? 0
                                                         : c->decoder_layers,
        .heads = c->heads,
        .queries = part == ATTN_PART_ENCODER ? e->source_length : e->target_length,
        .keys = part == ATTN_PART_DECODER ? e->target_length : e->source_length,
        .channels = c->d_model,
        .head_size = c->d_model / c->heads,
    };
}

/* ---- one attention of the model ---- */

attn_status attn_explain_view_layer(const attn_explain *e, attn_translator_part part, int64_t layer,
                                    attn_explain_view *v, attn_error *error) {
    const attn_translator_config *config = attn_translator_get_config(e->model);
    *v = (attn_explain_view){.shape = attn_explain_get_shape(e, part),
                             .kv_heads = config->kv_heads,
                             .causal = part == ATTN_PART_DECODER,
                             .norm_last = !config->pre_norm,
                             .of_source = part == ATTN_PART_ENCODER,
                             .ids = part == ATTN_PART_ENCODER ? e->source : e->target,
                             .words = part == ATTN_PART_ENCODER ? e->model->embedding
                                                                : e->model->target_embedding};
    attn_status status = attn_translator_find_notes(
        e->model, e->tape, part, layer, v->shape.queries, v->shape.keys, &v->note, error);
    const attn_multi_head *a = v->note.attention;
    for (int i = 0; i < 4 && status == ATTN_OK; i++) {
        const attn_linear *linear[] = {&a->query, &a->key, &a->value, &a->output};
        v->weight[i] = linear[i]->weight;
        v->bias[i] = linear[i]->bias;
    }
    return status;
}

static attn_status check_index(const char *what, int64_t index, int64_t count, attn_error *error) {
    if (index >= 0 && index < count) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "there is no %s %lld: 1 to %lld",
                     what, (long long)index + 1, (long long)count);
}

attn_status attn_explain_weights(attn_explain *e, attn_translator_part part, int64_t layer,
                                 attn_real *weights, attn_error *error) {
    attn_explain_view v;
    attn_status status = attn_explain_view_layer(e, part, layer, &v, error);
    return status == ATTN_OK ? attn_translator_notes_weights(&v.note, v.causal, weights, error)
                             : status;
}

attn_status attn_explain_get_layer(attn_explain *e, attn_translator_part part, int64_t layer,
                                   attn_explain_layer *out, attn_error *error) {
    attn_explain_view v;
    attn_status status = attn_explain_view_layer(e, part, layer, &v, error);
    if (status != ATTN_OK) {
        return status;
    }
    size_t count = (size_t)(v.shape.heads * v.shape.queries * v.shape.keys);
    attn_real *own = attn_arena_alloc(&e->arena, count * sizeof *own);
    if (own == NULL) {
        return attn_fail_memory(error, count * sizeof *own);
    }
    status = attn_translator_notes_weights(&v.note, v.causal, own, error);
    return status == ATTN_OK ? attn_explain_compute_layer(e, &v, own, out, error) : status;
}

attn_status attn_explain_get_steps(attn_explain *e, attn_translator_part part, int64_t layer,
                                   int64_t head, int64_t token, attn_explain_steps *s,
                                   attn_error *error) {
    attn_explain_shape n = attn_explain_get_shape(e, part);
    attn_explain_layer l;
    attn_status status = check_index("head", head, n.heads, error);
    status = status == ATTN_OK ? check_index("token", token, n.queries, error) : status;
    status = status == ATTN_OK ? attn_explain_get_layer(e, part, layer, &l, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    int64_t group = head / (n.heads / l.kv_heads), row = (head * n.queries + token) * n.keys;
    *s = (attn_explain_steps){
        .layer = layer,
        .head = head,
        .token = token,
        .visible = l.causal ? token + 1 : n.keys,
        .embedding = l.embedding + token * n.channels,
        .input = l.input + token * n.channels,
        .query = l.query + (head * n.queries + token) * n.head_size,
        .keys = l.keys + group * n.keys * n.head_size,
        .values = l.values + group * n.keys * n.head_size,
        .scores = l.scores + row,
        .distance_bias = l.distance_bias != NULL ? l.distance_bias + row : NULL,
        .scaled = l.scaled + row,
        .weights = l.weights + row,
        .output = l.joined + token * n.channels + head * n.head_size,
        .joined = l.joined + token * n.channels,
        .projected = l.projected + token * n.channels,
        .result = l.result + token * n.channels,
        .head_norms = l.head_norms + token * n.heads,
        .difference = l.difference,
    };
    return ATTN_OK;
}
