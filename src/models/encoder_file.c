/* models/encoder_file.c: an encoder as one .safetensors file.
 *
 * The configuration is in the metadata, one string a key, from the table below; "tokenizer" holds the tokenizer's bytes.
 * Next: models/model_file.c. */
#include "base/fail.h"
#include "models/encoder.h"
#include "models/model_file.h"
#include "tape/tape.h"

_Static_assert(sizeof(attn_pooling) == sizeof(unsigned), "a choice is read as an unsigned");

static const attn_config_key config_keys[] = {
    {"vocabulary", CONFIG_INT, offsetof(attn_encoder_config, vocabulary), NULL},
    {"d_model", CONFIG_INT, offsetof(attn_encoder_config, d_model), NULL},
    {"ffn", CONFIG_INT, offsetof(attn_encoder_config, ffn), NULL},
    {"heads", CONFIG_INT, offsetof(attn_encoder_config, heads), NULL},
    {"layers", CONFIG_INT, offsetof(attn_encoder_config, layers), NULL},
    {"embedding_size", CONFIG_INT, offsetof(attn_encoder_config, embedding_size), NULL},
    {"positions", CONFIG_INT, offsetof(attn_encoder_config, positions), NULL},
    {"first_position", CONFIG_INT, offsetof(attn_encoder_config, first_position), NULL},
    {"max_length", CONFIG_INT, offsetof(attn_encoder_config, max_length), NULL},
    {"segments", CONFIG_INT, offsetof(attn_encoder_config, segments), NULL},
    {"shared_layers", CONFIG_BOOL, offsetof(attn_encoder_config, shared_layers), NULL},
    {"activation", CONFIG_CHOICE, offsetof(attn_encoder_config, activation), attn_activation_names},
    {"norm_epsilon", CONFIG_NEWER_SMALL, offsetof(attn_encoder_config, norm_epsilon), NULL},
    {"pooling", CONFIG_CHOICE, offsetof(attn_encoder_config, pooling), attn_pooling_names},
    {"unit_length", CONFIG_BOOL, offsetof(attn_encoder_config, unit_length), NULL},
};

static const attn_model_format format = {
    .name = "encoder",
    .hint = "give an encoder that `attn import` wrote",
    .extra = "tokenizer",
    .keys = config_keys,
    .key_count = sizeof config_keys / sizeof config_keys[0],
};

attn_status attn_encoder_save(const attn_encoder *m, attn_storage storage, const void *tokenizer,
                              size_t tokenizer_size, const attn_metadata *metadata,
                              size_t metadata_count, const char *path, attn_error *error) {
    if (m->blocks[0].self.output.weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, "load it trainable",
                         "the model was loaded packed and cannot be saved");
    }
    attn_model_content content = {.config = &m->config,
                                  .params = m->params,
                                  .storage = storage,
                                  .extra = {tokenizer, tokenizer_size},
                                  .metadata = metadata,
                                  .metadata_count = metadata_count};
    return attn_model_file_save(&format, &content, path, error);
}

void attn_encoder_free_bytes(void *bytes) {
    attn_free(bytes);
}

static attn_status declare(const attn_safetensors *file, const char *path, attn_encoder **out,
                           attn_error *error) {
    attn_encoder_config config = {.size = sizeof config};
    attn_error detail;
    attn_status status = attn_model_file_config(&format, file, path, &config, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_encoder_config_check(&config, &detail) != ATTN_OK) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "invalid configuration: %.400s",
                         detail.what);
    }
    return attn_encoder_declare(&config, out, error);
}

/* After the table of tensors is known to fit the file. */
static attn_status load_packed(const attn_safetensors *file, const char *path, attn_compute compute,
                               attn_encoder *m, attn_error *error) {
    attn_linear *linear;
    attn_status status = attn_encoder_allocate(m, false, true, error);
    if (status == ATTN_OK && compute == ATTN_COMPUTE_I8 &&
        attn_model_file_all_i8(file, m->params)) {
        status = attn_params_allocate_row_scales(m->params, error);
    }
    status = status == ATTN_OK ? attn_model_file_read(file, path, m->params, error) : status;
    compute = compute == ATTN_COMPUTE_F32 ? ATTN_COMPUTE_COMPACT : compute;
    for (int64_t i = 0; status == ATTN_OK && (linear = attn_encoder_linear_at(m, i)) != NULL; i++) {
        if (linear->weight != NULL) {
            status = attn_model_file_pack(file, m->params, linear, compute, error);
        }
    }
    return status;
}

static attn_status load(const attn_safetensors *file, const char *path, bool trainable,
                        attn_compute compute, attn_encoder **out, attn_error *error) {
    attn_status status = declare(file, path, out, error);
    if (status == ATTN_OK) {
        status = attn_model_file_check(&format, file, path, (*out)->params, error);
    }
    if (status != ATTN_OK || !trainable) {
        return status == ATTN_OK ? load_packed(file, path, compute, *out, error) : status;
    }
    status = attn_encoder_allocate(*out, true, false, error);
    return status == ATTN_OK ? attn_model_file_read(file, path, (*out)->params, error) : status;
}

attn_status attn_encoder_read(const attn_safetensors *file, const char *path, bool trainable,
                              attn_compute compute, attn_encoder **out, void **tokenizer,
                              size_t *tokenizer_size, attn_error *error) {
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status = load(file, path, trainable, compute, out, error);
    if (status == ATTN_OK && tokenizer != NULL) {
        status = attn_model_file_extra(&format, file, path, tokenizer, tokenizer_size, error);
    }
    if (status != ATTN_OK) {
        attn_encoder_free(*out);
        *out = NULL;
        if (tokenizer != NULL) {
            attn_free(*tokenizer);
            *tokenizer = NULL;
            *tokenizer_size = 0;
        }
    }
    return status;
}

attn_status attn_encoder_load(const char *path, bool trainable, attn_compute compute,
                              attn_encoder **out, void **tokenizer, size_t *tokenizer_size,
                              attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status = attn_safetensors_open_header(path, &file, error);
    if (status == ATTN_OK) {
        status = attn_encoder_read(file, path, trainable, compute, out, tokenizer, tokenizer_size,
                                   error);
    }
    attn_safetensors_close(file);
    return status;
}
