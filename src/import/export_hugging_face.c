/* import/export_hugging_face.c: a folder that transformers reads as MarianMT. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/export.h"

/* The epsilon of its norms is fixed. */
static const double EPSILON = 1e-5;

static attn_status check(const attn_imported *model, char *note, size_t size, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    double epsilon = attn_export_epsilon(model);
    const attn_export_limit limits[] = {
        {c->pre_norm, "norms before the layers (norm = pre)"},
        {c->rms_norm, "RMSNorm"},
        {c->gated, "gated feed-forward layers"},
        {c->embedding_norm, "a norm after the embeddings"},
        {c->rotary != ATTN_ROTARY_NONE, "rotary positions"},
        {c->relative, "relative positions"},
        {c->kv_heads != c->heads, "heads that share keys and values (kv_heads)"},
        {c->bare_source, "sources without </s>"},
        {attn_export_has_tags(model), "tags of languages in front of sources"},
        {fabs(epsilon - EPSILON) > 1e-5, "norms of another epsilon than 1e-5"},
    };
    attn_status status =
        attn_export_limits("MarianMT", limits, sizeof limits / sizeof *limits, error);
    if (status == ATTN_OK && fabs(epsilon - EPSILON) > 1e-12) {
        snprintf(note, size,
                 "MarianMT's norms have the epsilon 1e-5, this model's %g: scores will differ a "
                 "little",
                 epsilon);
    }
    return status;
}

static const char *activation_of(attn_activation activation) {
    switch (activation) {
    case ATTN_ACTIVATION_GELU:
        return "gelu";
    case ATTN_ACTIVATION_GELU_TANH:
        return "gelu_new";
    case ATTN_ACTIVATION_GELU_SIGMOID:
        return "quick_gelu";
    case ATTN_ACTIVATION_SWISH:
        return "swish";
    default:
        return "relu";
    }
}

/* ---- tensors ---- */

/* Positions stand in the file, because its own sinusoids are but one kind; and a bias of the words always. */
static attn_status add_rest(const attn_imported *model, attn_export_tensors *list,
                            attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    static const char *const names[] = {"model.encoder.embed_positions.weight",
                                        "model.decoder.embed_positions.weight"};
    const int64_t shape[2] = {c->max_length, c->d_model}, row[2] = {1, c->vocabulary};
    float *table = NULL, *zeros = attn_alloc_zero((size_t)c->vocabulary, sizeof *zeros);
    attn_status status = zeros != NULL ? attn_export_positions(model, &table, error)
                                       : attn_fail_memory(error, sizeof *zeros);
    for (int i = c->learned_positions; i < 2 && status == ATTN_OK; i++) {
        status = attn_export_add(list, names[i], ATTN_DTYPE_F32, 2, shape, table, error);
    }
    if (status == ATTN_OK && !c->output_bias) {
        status = attn_export_add(list, "final_logits_bias", ATTN_DTYPE_F32, 2, row, zeros, error);
    }
    attn_free(zeros);
    attn_free(table);
    return status;
}

static attn_status write_model(const attn_imported *model, const char *folder, attn_error *error) {
    static const char *const of_target[][2] = {{"output", "model.decoder.embed_tokens.weight"},
                                               {NULL, NULL}};
    static const attn_metadata metadata = {"format", "pt"};
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    int64_t sources = c->source_vocabulary > 0 ? c->source_vocabulary : c->vocabulary;
    const attn_export_words words[2] = {{sources, NULL}, {c->vocabulary, NULL}};
    const attn_export_shapes shapes = {
        .bias_is_row = true, .names = c->embeddings == ATTN_EMBEDDINGS_TARGET ? of_target : NULL};
    attn_export_tensors list = {.tensor = NULL};
    attn_status status =
        attn_export_weights(&attn_weights_hugging_face, &shapes, words,
                            attn_translator_params(model->translator), &list, error);
    status = status == ATTN_OK ? add_rest(model, &list, error) : status;
    if (status == ATTN_OK) {
        char path[4352];
        snprintf(path, sizeof path, "%s/model.safetensors", folder);
        status = attn_safetensors_write(path, list.tensor, list.count, &metadata, 1, error);
    }
    attn_export_tensors_free(&list);
    return status;
}

/* ---- the files beside ---- */

static json_t *describe(const attn_translator_config *c) {
    bool tied = c->embeddings == ATTN_EMBEDDINGS_TIED;
    json_int_t sources = c->source_vocabulary > 0 ? c->source_vocabulary : c->vocabulary;
    json_t *config =
        json_pack("{s:[s], s:s, s:s, s:b, s:b, s:b, s:b, s:b}", "architectures", "MarianMTModel",
                  "model_type", "marian", "activation_function", activation_of(c->activation),
                  "is_encoder_decoder", 1, "scale_embedding", !c->plain_embeddings,
                  "share_encoder_decoder_embeddings", tied, "tie_word_embeddings",
                  c->embeddings != ATTN_EMBEDDINGS_UNTIED, "static_position_embeddings", 1);
    const struct {
        const char *key;
        json_int_t value;
    } numbers[] = {
        {"vocab_size", sources},
        {"decoder_vocab_size", c->vocabulary},
        {"d_model", c->d_model},
        {"encoder_layers", c->encoder_layers},
        {"decoder_layers", c->decoder_layers},
        {"encoder_attention_heads", c->heads},
        {"decoder_attention_heads", c->heads},
        {"encoder_ffn_dim", c->ffn},
        {"decoder_ffn_dim", c->ffn},
        {"max_position_embeddings", c->max_length},
        {"pad_token_id", ATTN_PAD},
        {"eos_token_id", ATTN_EOS},
        {"bos_token_id", ATTN_BOS},
        {"forced_eos_token_id", ATTN_EOS},
        {"decoder_start_token_id", ATTN_BOS},
    };
    for (size_t i = 0; config != NULL && i < sizeof numbers / sizeof *numbers; i++) {
        json_object_set_new(config, numbers[i].key, json_integer(numbers[i].value));
    }
    return config;
}

static attn_status write_vocabulary(const attn_tokenizer *side, int64_t words, const char *folder,
                                    const char *name, attn_error *error) {
    json_t *pieces = json_object();
    char room[32];
    for (int32_t id = 0; id < words; id++) {
        json_object_set_new(pieces, attn_export_piece(side, id, room), json_integer(id));
    }
    attn_status status = attn_export_json(folder, name, pieces, error);
    json_decref(pieces);
    return status;
}

static attn_status write_words(const attn_imported *model, const char *folder, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    const attn_tokenizer *target = attn_tokenizer_target(model->tokenizer);
    bool separate = c->source_vocabulary > 0;
    json_t *settings = json_pack("{s:s, s:s, s:s, s:b, s:I, s:s, s:s, s:s, s:s}", "tokenizer_class",
                                 "MarianTokenizer", "source_lang", model->source, "target_lang",
                                 model->target, "separate_vocabs", separate, "model_max_length",
                                 (json_int_t)c->max_length, "unk_token", "<unk>", "eos_token",
                                 "</s>", "pad_token", "<pad>", "bos_token", "<s>");
    attn_status status = settings != NULL
                             ? attn_export_json(folder, "tokenizer_config.json", settings, error)
                             : attn_fail_memory(error, 0);
    if (status == ATTN_OK) {
        status = write_vocabulary(model->tokenizer, separate ? c->source_vocabulary : c->vocabulary,
                                  folder, "vocab.json", error);
    }
    if (status == ATTN_OK && separate) {
        status = write_vocabulary(target, c->vocabulary, folder, "target_vocab.json", error);
    }
    json_decref(settings);
    return status == ATTN_OK ? attn_export_segmenters(model, folder, error) : status;
}

static attn_status write(const attn_imported *model, const char *folder, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    json_t *config = describe(c);
    json_t *generation =
        json_pack("{s:i, s:i, s:i, s:i, s:I, s:[[i]]}", "decoder_start_token_id", ATTN_BOS,
                  "eos_token_id", ATTN_EOS, "forced_eos_token_id", ATTN_EOS, "pad_token_id",
                  ATTN_PAD, "max_length", (json_int_t)c->max_length, "bad_words_ids", ATTN_PAD);
    attn_status status = config != NULL && generation != NULL ? write_model(model, folder, error)
                                                              : attn_fail_memory(error, 0);
    status = status == ATTN_OK ? attn_export_json(folder, "config.json", config, error) : status;
    if (status == ATTN_OK) {
        status = attn_export_json(folder, "generation_config.json", generation, error);
    }
    json_decref(config);
    json_decref(generation);
    return status == ATTN_OK ? write_words(model, folder, error) : status;
}

const attn_exporter attn_export_hugging_face = {
    .name = "huggingface",
    .title = "Hugging Face MarianMT",
    .check = check,
    .write = write,
};
