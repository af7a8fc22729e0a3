/* models/translator_notes.c: the names of notes are those that the wiring in translator.c and the attention
 * layer gave them; whoever looks inside asks here, by number. */
#include "models/translator_notes.h"

#include <stdio.h>

#include "attn/attention.h"
#include "base/fail.h"

static const char *const kinds[] = {"encoder", "decoder", "cross attention"};

static const attn_tensor *noted(const attn_tape *tape, const char *scope, const char *what) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", scope, what);
    return attn_tape_noted(tape, name);
}

static bool has_shape(const attn_tensor *tensor, int64_t rows, int64_t least_columns) {
    return tensor != NULL && tensor->rows == rows && tensor->cols >= least_columns;
}

static bool has_weights(const attn_linear *linear) {
    return linear->weight->data != NULL && linear->bias->data != NULL;
}

static void find(const attn_translator *m, const attn_tape *tape, attn_translator_part part,
                 int64_t layer, attn_translator_notes *n) {
    bool encoder = part == ATTN_PART_ENCODER, cross = part == ATTN_PART_CROSS;
    char scope[64];
    snprintf(scope, sizeof scope, "%s.%lld.%s", encoder ? "encoder" : "decoder", (long long)layer,
             cross ? "cross" : "self");
    n->attention = encoder ? &m->encoder[layer].self
                           : (cross ? &m->decoder[layer].cross : &m->decoder[layer].self);
    n->norm = encoder ? &m->encoder[layer].norm_self
                      : (cross ? &m->decoder[layer].norm_cross : &m->decoder[layer].norm_self);
    n->embedding = noted(tape, encoder ? "source" : "target", "embedding");
    n->residual = noted(tape, scope, "residual");
    n->input = noted(tape, scope, "input");
    n->memory = cross ? noted(tape, scope, "memory") : n->input;
    n->query = noted(tape, scope, "query");
    n->key_value = noted(tape, scope, cross ? "key_value" : "joined");
    n->key_column = cross ? 0 : m->config.d_model;
    n->heads = noted(tape, scope, "heads");
    n->lse = noted(tape, scope, "lse");
    n->output = noted(tape, scope, "output");
    n->bias = noted(tape, scope, "bias");
}

attn_status attn_translator_find_notes(const attn_translator *m, const attn_tape *tape,
                                       attn_translator_part part, int64_t layer, int64_t queries,
                                       int64_t keys, attn_translator_notes *n, attn_error *error) {
    int64_t channels = m->config.d_model;
    int64_t layers =
        part == ATTN_PART_ENCODER ? m->config.encoder_layers : m->config.decoder_layers;
    *n = (attn_translator_notes){0};
    if (m->config.ssru && part == ATTN_PART_DECODER) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "look at the encoder or cross attention",
                         "the decoder has recurrent units: there is no attention to earlier words");
    }
    if (layer < 0 || layer >= layers) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "there is no layer %lld: 1 to %lld", (long long)layer + 1,
                         (long long)layers);
    }
    find(m, tape, part, layer, n);
    const attn_multi_head *a = n->attention;
    if (m->output.weight->data == NULL || !has_weights(&a->query) || !has_weights(&a->key) ||
        !has_weights(&a->value) || !has_weights(&a->output)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "load it with ATTN_COMPUTE_F32",
                         "the model keeps only packed weights");
    }
    int64_t key_end = n->key_column + 2 * a->kv_heads * a->head_size;
    if (!has_shape(n->embedding, queries, channels) || !has_shape(n->residual, queries, channels) ||
        !has_shape(n->input, queries, channels) || !has_shape(n->memory, keys, channels) ||
        !has_shape(n->query, queries, channels) || !has_shape(n->key_value, keys, key_end) ||
        !has_shape(n->heads, queries, channels) || !has_shape(n->lse, a->heads, queries) ||
        !has_shape(n->output, queries, channels) ||
        (n->bias != NULL && !has_shape(n->bias, a->heads, 2 * queries - 1))) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, NULL, -1, "watch the tape during the pass",
            "no attention was recorded for layer %lld of the %s with %lld queries and %lld keys",
            (long long)layer + 1, kinds[part], (long long)queries, (long long)keys);
    }
    return ATTN_OK;
}

attn_status attn_translator_notes_weights(const attn_translator_notes *n, bool causal,
                                          attn_real *weights, attn_error *error) {
    const attn_multi_head *a = n->attention;
    attn_attention call;
    attn_attention_init(&call, 1, a->heads, a->kv_heads, n->query->rows, n->key_value->rows,
                        a->head_size, a->head_size);
    call.query = (attn_strides){0, n->query->cols, a->head_size};
    call.key = (attn_strides){0, n->key_value->cols, a->head_size};
    call.causal = causal;
    if (n->bias != NULL) {
        attn_attention_distance_bias(&call, n->bias->data);
    }
    return attn_attention_weights(&call, n->query->data, n->key_value->data + n->key_column,
                                  n->lse->data, weights, NULL, error);
}
