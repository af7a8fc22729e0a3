/* show/layer_json.c: names, arrays, sizes. */
#include "show/layer_json.h"

#include "base/minmax.h"
#include "show/numbers_json.h"

const char *const attn_part_names[] = {"encoder", "decoder", "cross"};

static json_t *arrays_json(const attn_explain_layer *l) {
    const attn_explain_shape *n = &l->shape;
    int64_t rows = n->queries * n->channels, matrix = n->heads * n->queries * n->keys;
    int64_t keys = l->kv_heads * n->keys * n->head_size;
    const struct {
        const char *name;
        const double *values;
        int64_t count;
    } arrays[] = {
        {"table", l->table, rows},
        {"position", l->position, rows},
        {"embedding", l->embedding, rows},
        {"residual", l->residual, rows},
        {"input", l->input, rows},
        {"memory", l->memory, n->keys * n->channels},
        {"query", l->query, rows},
        {"keys", l->keys, keys},
        {"values", l->values, keys},
        {"scores", l->scores, matrix},
        {"scaled", l->scaled, matrix},
        {"exps", l->exps, matrix},
        {"weights", l->weights, matrix},
        {"joined", l->joined, rows},
        {"projected", l->projected, rows},
        {"result", l->result, rows},
        {"head_norms", l->head_norms, n->queries * n->heads},
        {"mean", l->mean, n->queries},
        {"deviation", l->deviation, n->queries},
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        json_t *packed = attn_json_packed(arrays[i].values, arrays[i].count);
        if (json_object_set_new(object, arrays[i].name, packed) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    bool good = true;
    if (l->turned > 0) {
        const struct {
            const char *name;
            json_t *values;
        } turned[] = {
            {"query_before", attn_json_packed(l->query_before, rows)},
            {"keys_before", attn_json_packed(l->keys_before, keys)},
            {"turns", attn_json_packed_reals(l->turns, attn_max(n->queries, n->keys) * l->turned)},
        };
        for (size_t i = 0; i < sizeof turned / sizeof turned[0]; i++) {
            good = json_object_set_new(object, turned[i].name, turned[i].values) == 0 && good;
        }
    }
    if (l->distance_bias != NULL) {
        json_t *bias = attn_json_packed(l->distance_bias, matrix);
        good = json_object_set_new(object, "distance_bias", bias) == 0 && good;
    }
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *attn_layer_json(const attn_explain_layer *l, attn_translator_part part, int64_t number) {
    const attn_explain_shape *n = &l->shape;
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:b, s:b, s:I, s:b, s:b, s:f, "
        "s:f, s:f, s:o}",
        "part", attn_part_names[part], "layer", (json_int_t)number, "heads", (json_int_t)n->heads,
        "kv_heads", (json_int_t)l->kv_heads, "queries", (json_int_t)n->queries, "keys",
        (json_int_t)n->keys, "channels", (json_int_t)n->channels, "head_size",
        (json_int_t)n->head_size, "causal", (int)l->causal, "norm_last", (int)l->norm_last,
        "embedding_norm", (int)l->embedding_norm, "recurrent", (int)l->recurrent, "rotary",
        (int)l->rotary, "turned", (json_int_t)l->turned, "adjacent", (int)l->adjacent, "relative",
        (int)l->relative, "scale", l->scale, "root", l->root, "difference", l->difference, "arrays",
        arrays_json(l));
}

json_t *attn_matrices_json(const attn_explain_layer *l, attn_translator_part part, int64_t number) {
    static const char *const names[] = {"query", "key", "value", "output"};
    int64_t channels = l->shape.channels;
    json_t *object =
        json_pack("{s:s, s:I, s:o, s:o}", "part", attn_part_names[part], "layer",
                  (json_int_t)number, "gamma", attn_json_packed_weights(l->gamma, channels), "beta",
                  attn_json_packed_weights(l->beta, channels));
    for (int i = 0; i < 4; i++) {
        json_t *one = json_pack("{s:o, s:o}", "weight",
                                attn_json_packed_weights(l->weight[i], l->rows[i] * channels),
                                "bias", attn_json_packed_weights(l->bias[i], l->rows[i]));
        if (json_object_set_new(object, names[i], one) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}
