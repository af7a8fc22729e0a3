/* show/explain.c: running the model and finding the numbers of one attention in it.
 *
 * Next: explain_layer.c, the steps. */
#include "show/explain.h"

#include <stdio.h>
#include <string.h>

#include "attn/attention.h"
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

static void view_params(attn_explain_view *v, const attn_explain *e, const char *side,
                        const char *kind, int64_t layer) {
    static const char *const parts[] = {"query", "key", "value", "output"};
    char prefix[48], name[32];
    snprintf(prefix, sizeof prefix, "%s.%lld.%s", side, (long long)layer, kind);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.weight", parts[i]);
        v->weight[i] = param(e, prefix, name);
        snprintf(name, sizeof name, "%s.bias", parts[i]);
        v->bias[i] = param(e, prefix, name);
    }
    snprintf(prefix, sizeof prefix, "%s.%lld.norm_%s", side, (long long)layer, kind);
    v->gamma = param(e, prefix, "gamma");
    v->beta = param(e, prefix, "beta");
}

attn_explain_view attn_explain_view_layer(const attn_explain *e, attn_explain_part part,
                                          int64_t layer) {
    const char *side = part == ATTN_EXPLAIN_ENCODER ? "encoder" : "decoder";
    const char *kind = part == ATTN_EXPLAIN_CROSS ? "cross" : "self";
    bool cross = part == ATTN_EXPLAIN_CROSS;
    char name[48];
    attn_explain_view v = {.shape = attn_explain_get_shape(e, part),
                           .kv_heads = attn_translator_get_config(e->model)->kv_heads,
                           .causal = part == ATTN_EXPLAIN_DECODER,
                           .norm_last = !attn_translator_get_config(e->model)->pre_norm,
                           .ids = part == ATTN_EXPLAIN_ENCODER ? e->source : e->target};
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
    attn_explain_view v = attn_explain_view_layer(e, part, layer);
    attn_attention call;
    attn_attention_init(&call, 1, v.shape.heads, v.kv_heads, v.shape.queries, v.shape.keys,
                        v.shape.head_size, v.shape.head_size);
    call.query = (attn_strides){0, v.query->cols, v.shape.head_size};
    call.key = (attn_strides){0, v.key_value->cols, v.shape.head_size};
    call.causal = v.causal;
    return attn_attention_weights(&call, v.query->data, v.key_value->data + v.key_column,
                                  v.lse->data, weights, NULL, error);
}

attn_status attn_explain_get_layer(attn_explain *e, attn_explain_part part, int64_t layer,
                                   attn_explain_layer *out, attn_error *error) {
    attn_status status = check_index("layer", layer, attn_explain_get_shape(e, part).layers, error);
    if (status != ATTN_OK) {
        return status;
    }
    size_t count =
        (size_t)(attn_explain_get_shape(e, part).heads * attn_explain_get_shape(e, part).queries *
                 attn_explain_get_shape(e, part).keys);
    attn_real *own = attn_arena_alloc(&e->arena, count * sizeof *own);
    if (own == NULL) {
        return attn_fail_memory(error, count * sizeof *own);
    }
    status = attn_explain_weights(e, part, layer, own, error);
    if (status == ATTN_OK) {
        attn_explain_view v = attn_explain_view_layer(e, part, layer);
        status = attn_explain_compute_layer(e, &v, own, out, error);
    }
    return status;
}

attn_status attn_explain_get_steps(attn_explain *e, attn_explain_part part, int64_t layer,
                                   int64_t head, int64_t token, attn_explain_steps *s,
                                   attn_error *error) {
    attn_explain_shape n = attn_explain_get_shape(e, part);
    attn_explain_layer l;
    attn_status status = check_index("layer", layer, n.layers, error);
    status = status == ATTN_OK ? check_index("head", head, n.heads, error) : status;
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
