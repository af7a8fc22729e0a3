/* models/translator_file.c: a translator as one .safetensors file.
 *
 * The configuration is in the metadata, one string a key, from the table below; "tokenizer" holds the
 * tokenizer's bytes. Next: models/model_file.c. */
#include "models/model_file.h"
#include "models/translator.h"
#include "tape/tape.h"

#include "base/fail.h"

static const attn_config_key config_keys[] = {
    {"vocabulary", CONFIG_INT, offsetof(attn_translator_config, vocabulary), NULL},
    {"d_model", CONFIG_INT, offsetof(attn_translator_config, d_model), NULL},
    {"ffn", CONFIG_INT, offsetof(attn_translator_config, ffn), NULL},
    {"heads", CONFIG_INT, offsetof(attn_translator_config, heads), NULL},
    {"kv_heads", CONFIG_INT, offsetof(attn_translator_config, kv_heads), NULL},
    {"encoder_layers", CONFIG_INT, offsetof(attn_translator_config, encoder_layers), NULL},
    {"decoder_layers", CONFIG_INT, offsetof(attn_translator_config, decoder_layers), NULL},
    {"max_length", CONFIG_INT, offsetof(attn_translator_config, max_length), NULL},
    {"pre_norm", CONFIG_BOOL, offsetof(attn_translator_config, pre_norm), NULL},
    {"learned_positions", CONFIG_BOOL, offsetof(attn_translator_config, learned_positions), NULL},
    {"activation", CONFIG_CHOICE, offsetof(attn_translator_config, activation),
     attn_activation_names},
    {"dropout", CONFIG_RATE, offsetof(attn_translator_config, dropout), NULL},
    {"attention_dropout", CONFIG_RATE, offsetof(attn_translator_config, attention_dropout), NULL},
    {"activation_dropout", CONFIG_RATE, offsetof(attn_translator_config, activation_dropout), NULL},
    {"label_smoothing", CONFIG_RATE, offsetof(attn_translator_config, label_smoothing), NULL},
};

static const attn_model_format format = {
    .name = "translator",
    .hint = "give a model written by attn train translator",
    .extra = "tokenizer",
    .keys = config_keys,
    .key_count = sizeof config_keys / sizeof config_keys[0],
};

attn_status attn_translator_save(const attn_translator *m, attn_storage storage,
                                 const void *tokenizer, size_t tokenizer_size,
                                 const struct attn_metadata *metadata, size_t metadata_count,
                                 const char *path, attn_error *error) {
    attn_model_extra extra = {tokenizer, tokenizer_size};
    return attn_model_file_save(&format, &m->config, m->params, storage, extra, metadata,
                                metadata_count, path, error);
}

void attn_translator_free_bytes(void *bytes) {
    attn_free(bytes);
}

static attn_status declare(const attn_safetensors *file, const char *path, attn_translator **out,
                           attn_error *error) {
    attn_translator_config config = {0};
    attn_error detail;
    attn_status status = attn_model_file_config(&format, file, path, &config, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_translator_config_check(&config, &detail) != ATTN_OK) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL,
                         "the configuration is not possible: %.400s", detail.what);
    }
    return attn_translator_declare(&config, out, error);
}

static attn_status load(const attn_safetensors *file, const char *path, bool trainable,
                        attn_compute compute, attn_translator **out, attn_error *error) {
    attn_status status = declare(file, path, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_params *params = (*out)->params;
    status = attn_model_file_check(&format, file, path, params, error);
    status = status == ATTN_OK ? attn_translator_allocate(*out, trainable, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    if (!trainable && compute == ATTN_COMPUTE_I8 && attn_model_file_all_i8(file, params)) {
        status = attn_params_allocate_row_scales(params);
    }
    if (status == ATTN_OK) {
        attn_model_file_read(file, params);
        status = trainable ? ATTN_OK : attn_translator_pack(*out, compute);
    }
    size_t bytes = (size_t)attn_params_size(params) * sizeof(real);
    return status == ATTN_OK ? ATTN_OK : attn_fail_memory(error, bytes);
}

attn_status attn_translator_load(const char *path, bool trainable, attn_compute compute,
                                 attn_translator **out, void **tokenizer, size_t *tokenizer_size,
                                 attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status = attn_safetensors_open(path, &file, error);
    if (status == ATTN_OK) {
        status = load(file, path, trainable, compute, out, error);
    }
    if (status == ATTN_OK && tokenizer != NULL) {
        status = attn_model_file_extra(&format, file, path, tokenizer, tokenizer_size, error);
    }
    if (status != ATTN_OK) {
        attn_translator_free(*out);
        *out = NULL;
    }
    attn_safetensors_close(file);
    return status;
}
