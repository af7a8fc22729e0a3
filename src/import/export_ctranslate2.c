/* import/export_ctranslate2.c: model.bin, config.json, the vocabularies and the segmenters, as CTranslate2 reads them. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/export.h"
#include "io/ctranslate2.h"
#include "models/translator.h"

static attn_status check(const attn_imported *model, char *note, size_t size, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    const attn_export_limit limits[] = {
        {c->rotary_base > 1 << 24, "a rotary_base that float32 may not hold"},
    };
    (void)note;
    (void)size;
    return attn_export_limits("CTranslate2", limits, sizeof limits / sizeof *limits, error);
}

/* ---- settings: tensors of one number ---- */

static int8_t activation_of(attn_activation activation) {
    switch (activation) {
    case ATTN_ACTIVATION_GELU_TANH:
        return 1;
    case ATTN_ACTIVATION_SWISH:
        return 2;
    case ATTN_ACTIVATION_GELU:
        return 3;
    case ATTN_ACTIVATION_GELU_SIGMOID:
        return 4;
    default:
        return 0;
    }
}

/* How many heads have keys and values of their own, where not all have: in each attention. */
static attn_status add_kv_heads(const attn_translator_config *c, attn_export_tensors *list,
                                attn_error *error) {
    const int32_t kv_heads = (int32_t)c->kv_heads;
    const struct {
        const char *side, *part;
        int64_t layers;
    } all[] = {{"encoder", "self_attention", c->encoder_layers},
               {"decoder", "self_attention", c->decoder_layers},
               {"decoder", "attention", c->decoder_layers}};
    attn_status status = ATTN_OK;
    for (size_t k = 0; k < sizeof all / sizeof *all && c->kv_heads != c->heads; k++) {
        for (int64_t i = 0; i < all[k].layers && status == ATTN_OK; i++) {
            char name[80];
            snprintf(name, sizeof name, "%s/layer_%lld/%s/num_heads_kv", all[k].side, (long long)i,
                     all[k].part);
            status = attn_export_add(list, name, ATTN_DTYPE_I32, 0, NULL, &kv_heads, error);
        }
    }
    return status;
}

/* Each layer says how it turns queries and keys. */
static attn_status add_rotary(const attn_translator_config *c, attn_export_tensors *list,
                              attn_error *error) {
    const int8_t adjacent = c->rotary == ATTN_ROTARY_ADJACENT;
    const int32_t dim = (int32_t)c->rotary_dim;
    const float base = c->rotary_base > 0 ? (float)c->rotary_base : 10000;
    const struct {
        const char *name;
        attn_dtype dtype;
        const void *value;
    } settings[] = {
        {"rotary_dim", ATTN_DTYPE_I32, &dim},
        {"rotary_interleave", ATTN_DTYPE_I8, &adjacent},
        {"rotary_base", ATTN_DTYPE_F32, &base},
    };
    attn_status status = ATTN_OK;
    for (int64_t i = 0; i < c->encoder_layers + c->decoder_layers; i++) {
        bool encoder = i < c->encoder_layers;
        for (size_t k = 0; k < sizeof settings / sizeof *settings && status == ATTN_OK; k++) {
            char name[80];
            snprintf(name, sizeof name, "%s/layer_%lld/self_attention/%s",
                     encoder ? "encoder" : "decoder",
                     (long long)(encoder ? i : i - c->encoder_layers), settings[k].name);
            status =
                attn_export_add(list, name, settings[k].dtype, 0, NULL, settings[k].value, error);
        }
    }
    return status;
}

/* Each layer has the table of its side; attn_export_weights wrote that of the first. */
static attn_status add_relative(const attn_translator *m, attn_export_tensors *list,
                                attn_error *error) {
    const attn_translator_config *c = &m->config;
    const int32_t longest = (int32_t)m->source_relative.longest;
    attn_status status = ATTN_OK;
    for (int64_t i = 0; i < c->encoder_layers + c->decoder_layers && status == ATTN_OK; i++) {
        bool encoder = i < c->encoder_layers;
        int64_t layer = encoder ? i : i - c->encoder_layers;
        const attn_param *table = (encoder ? &m->source_relative : &m->target_relative)->table;
        const int64_t shape[] = {table->rows, table->cols};
        char name[96];
        int end = snprintf(name, sizeof name, "%s/layer_%lld/self_attention/",
                           encoder ? "encoder" : "decoder", (long long)layer);
        if (layer > 0) {
            snprintf(name + end, sizeof name - (size_t)end, "relative_attention_bias");
            status = attn_export_add(list, name, ATTN_DTYPE_F32, 2, shape, table->data, error);
        }
        snprintf(name + end, sizeof name - (size_t)end, "relative_attention_max_distance");
        if (status == ATTN_OK) {
            status = attn_export_add(list, name, ATTN_DTYPE_I32, 0, NULL, &longest, error);
        }
    }
    return status;
}

static attn_status add_settings(const attn_translator_config *c, attn_export_tensors *list,
                                attn_error *error) {
    const int8_t no = 0, pre_norm = c->pre_norm, scaled = !c->plain_embeddings;
    const int8_t activation = activation_of(c->activation);
    const int16_t heads = (int16_t)c->heads, last = -1, one = 1;
    const struct {
        const char *name;
        attn_dtype dtype;
        const void *value;
    } settings[] = {
        {"encoder/num_heads", ATTN_DTYPE_I16, &heads},
        {"encoder/pre_norm", ATTN_DTYPE_I8, &pre_norm},
        {"encoder/activation", ATTN_DTYPE_I8, &activation},
        {"encoder/embeddings_merge", ATTN_DTYPE_I8, &no},
        {"encoder/scale_embeddings", ATTN_DTYPE_I8, &scaled},
        {"encoder/multi_query_attention", ATTN_DTYPE_I8, &no},
        {"decoder/num_heads", ATTN_DTYPE_I16, &heads},
        {"decoder/pre_norm", ATTN_DTYPE_I8, &pre_norm},
        {"decoder/activation", ATTN_DTYPE_I8, &activation},
        {"decoder/scale_embeddings", ATTN_DTYPE_I8, &scaled},
        {"decoder/alignment_layer", ATTN_DTYPE_I16, &last},
        {"decoder/alignment_heads", ATTN_DTYPE_I16, &one},
        {"decoder/alibi", ATTN_DTYPE_I8, &no},
        {"decoder/start_from_zero_embedding", ATTN_DTYPE_I8, &no},
    };
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sizeof settings / sizeof *settings && status == ATTN_OK; i++) {
        status = attn_export_add(list, settings[i].name, settings[i].dtype, 0, NULL,
                                 settings[i].value, error);
    }
    return status;
}

/* ---- tensors ---- */

/* The table of the positions stands in the file, whatever kind of sinusoids they are. */
static attn_status add_positions(const attn_imported *model, attn_export_tensors *list,
                                 attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    const int64_t shape[2] = {c->max_length, c->d_model};
    float *table;
    attn_status status = attn_export_positions(model, &table, error);
    if (status == ATTN_OK && !c->learned_positions) {
        status = attn_export_add(list, "encoder/position_encodings/encodings", ATTN_DTYPE_F32, 2,
                                 shape, table, error);
    }
    if (status == ATTN_OK) {
        status = attn_export_add(list, "decoder/position_encodings/encodings", ATTN_DTYPE_F32, 2,
                                 shape, table, error);
    }
    attn_free(table);
    return status;
}

static attn_status write_model(const attn_imported *model, const char *folder, attn_error *error) {
    static const attn_metadata tied[] = {
        {"encoder/embeddings_0/weight", "decoder/embeddings/weight"},
        {"decoder/projection/weight", "decoder/embeddings/weight"}};
    static const attn_metadata of_target[] = {
        {"decoder/embeddings/weight", "decoder/projection/weight"}};
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    int64_t sources = c->source_vocabulary > 0 ? c->source_vocabulary : c->vocabulary;
    const attn_export_words words[2] = {{sources, NULL}, {c->vocabulary, NULL}};
    const attn_export_shapes shapes = {.names = NULL};
    attn_export_tensors list = {.tensor = NULL};
    const attn_weight_map map = attn_weights_ctranslate2(c);
    attn_status status = attn_export_weights(
        &map, &shapes, words, attn_translator_params(model->translator), &list, error);
    if (status == ATTN_OK) {
        status = c->rotary != ATTN_ROTARY_NONE ? add_rotary(c, &list, error)
                 : c->relative                 ? add_relative(model->translator, &list, error)
                                               : add_positions(model, &list, error);
    }
    status = status == ATTN_OK ? add_kv_heads(c, &list, error) : status;
    status = status == ATTN_OK ? add_settings(c, &list, error) : status;
    if (status == ATTN_OK) {
        size_t aliases = c->embeddings == ATTN_EMBEDDINGS_TIED     ? 2
                         : c->embeddings == ATTN_EMBEDDINGS_TARGET ? 1
                                                                   : 0;
        char path[4352];
        snprintf(path, sizeof path, "%s/model.bin", folder);
        status = attn_ctranslate2_write(path, list.tensor, list.count,
                                        aliases == 2 ? tied : of_target, aliases, error);
    }
    attn_export_tensors_free(&list);
    return status;
}

/* ---- the files beside ---- */

static attn_status write_vocabulary(const attn_tokenizer *side, int64_t words, const char *folder,
                                    const char *name, attn_error *error) {
    json_t *list = json_array();
    char room[32];
    for (int32_t id = 0; id < words; id++) {
        json_array_append_new(list, json_string(attn_export_piece(side, id, room)));
    }
    attn_status status = attn_export_json(folder, name, list, error);
    json_decref(list);
    return status;
}

static attn_status write_vocabularies(const attn_imported *model, const char *folder,
                                      attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    const attn_tokenizer *target = attn_tokenizer_target(model->tokenizer);
    if (c->source_vocabulary == 0) {
        return write_vocabulary(target, c->vocabulary, folder, "shared_vocabulary.json", error);
    }
    attn_status status = write_vocabulary(model->tokenizer, c->source_vocabulary, folder,
                                          "source_vocabulary.json", error);
    return status == ATTN_OK
               ? write_vocabulary(target, c->vocabulary, folder, "target_vocabulary.json", error)
               : status;
}

static attn_status write(const attn_imported *model, const char *folder, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    json_t *config =
        json_pack("{s:b, s:b, s:s, s:s, s:s, s:s, s:f}", "add_source_bos", 0, "add_source_eos",
                  !c->bare_source, "bos_token", "<s>", "decoder_start_token", "<s>", "eos_token",
                  "</s>", "unk_token", "<unk>", "layer_norm_epsilon", attn_export_epsilon(model));
    attn_status status =
        config != NULL ? write_model(model, folder, error) : attn_fail_memory(error, 0);
    status = status == ATTN_OK ? attn_export_json(folder, "config.json", config, error) : status;
    status = status == ATTN_OK ? write_vocabularies(model, folder, error) : status;
    json_decref(config);
    return status == ATTN_OK ? attn_export_segmenters(model, folder, error) : status;
}

const attn_exporter attn_export_ctranslate2 = {
    .name = "ctranslate2",
    .title = "CTranslate2",
    .check = check,
    .write = write,
};
