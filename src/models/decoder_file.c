/* models/decoder_file.c: a decoder as one .safetensors file.
 *
 * The configuration is in the metadata, one string a key, from the table below; "tokenizer" holds the tokenizer's bytes.
 * Next: models/model_file.c. */
#include "base/fail.h"
#include "models/decoder.h"
#include "models/model_file.h"
#include "tape/tape.h"

static const attn_config_key config_keys[] = {
    {"vocabulary", CONFIG_INT, offsetof(attn_decoder_config, vocabulary), NULL},
    {"d_model", CONFIG_INT, offsetof(attn_decoder_config, d_model), NULL},
    {"ffn", CONFIG_INT, offsetof(attn_decoder_config, ffn), NULL},
    {"heads", CONFIG_INT, offsetof(attn_decoder_config, heads), NULL},
    {"kv_heads", CONFIG_INT, offsetof(attn_decoder_config, kv_heads), NULL},
    {"layers", CONFIG_INT, offsetof(attn_decoder_config, layers), NULL},
    {"max_length", CONFIG_INT, offsetof(attn_decoder_config, max_length), NULL},
    {"activation", CONFIG_CHOICE, offsetof(attn_decoder_config, activation), attn_activation_names},
    {"post_norm", CONFIG_BOOL, offsetof(attn_decoder_config, post_norm), NULL},
    {"rms_norm", CONFIG_BOOL, offsetof(attn_decoder_config, rms_norm), NULL},
    {"gated", CONFIG_BOOL, offsetof(attn_decoder_config, gated), NULL},
    {"own_output", CONFIG_BOOL, offsetof(attn_decoder_config, own_output), NULL},
    {"output_bias", CONFIG_BOOL, offsetof(attn_decoder_config, output_bias), NULL},
    {"scaled_embeddings", CONFIG_BOOL, offsetof(attn_decoder_config, scaled_embeddings), NULL},
    {"embedding_norm", CONFIG_BOOL, offsetof(attn_decoder_config, embedding_norm), NULL},
    {"learned_positions", CONFIG_BOOL, offsetof(attn_decoder_config, learned_positions), NULL},
    {"first_position", CONFIG_INT, offsetof(attn_decoder_config, first_position), NULL},
    {"rotary", CONFIG_CHOICE, offsetof(attn_decoder_config, rotary), attn_rotary_names},
    {"rotary_base", CONFIG_INT, offsetof(attn_decoder_config, rotary_base), NULL},
    {"rotary_dim", CONFIG_INT, offsetof(attn_decoder_config, rotary_dim), NULL},
    {"norm_epsilon", CONFIG_NEWER_SMALL, offsetof(attn_decoder_config, norm_epsilon), NULL},
    {"start_token", CONFIG_INT, offsetof(attn_decoder_config, start_token), NULL},
    {"end_token", CONFIG_INT, offsetof(attn_decoder_config, end_token), NULL},
};

static const attn_model_format format = {
    .name = "decoder",
    .hint = "give a decoder that `attn import` wrote",
    .extra = "tokenizer",
    .keys = config_keys,
    .key_count = sizeof config_keys / sizeof config_keys[0],
};

attn_status attn_decoder_save(const attn_decoder *m, attn_storage storage, const void *tokenizer,
                              size_t tokenizer_size, const attn_metadata *metadata,
                              size_t metadata_count, const char *path, attn_error *error) {
    if (m->blocks[0].self.output.weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, "import it again",
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

void attn_decoder_free_bytes(void *bytes) {
    attn_free(bytes);
}

static attn_status declare(const attn_safetensors *file, const char *path, attn_decoder **out,
                           attn_error *error) {
    attn_decoder_config config = {.size = sizeof config};
    attn_error detail;
    attn_status status = attn_model_file_config(&format, file, path, &config, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_decoder_config_check(&config, &detail) != ATTN_OK) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "invalid configuration: %.400s",
                         detail.what);
    }
    status = attn_decoder_declare(&config, out, error);
    return status == ATTN_OK ? attn_model_file_check(&format, file, path, (*out)->params, error)
                             : status;
}

/* After the table of tensors is known to fit the file. */
static attn_status load(const attn_safetensors *file, const char *path, attn_compute compute,
                        attn_decoder *m, attn_error *error) {
    attn_linear *linear;
    attn_status status = attn_decoder_allocate(m, true, error);
    if (status == ATTN_OK && compute == ATTN_COMPUTE_I8 &&
        attn_model_file_all_i8(file, m->params)) {
        status = attn_params_allocate_row_scales(m->params, error);
    }
    status = status == ATTN_OK ? attn_model_file_read(file, path, m->params, error) : status;
    compute = compute == ATTN_COMPUTE_F32 ? ATTN_COMPUTE_COMPACT : compute;
    for (int64_t i = 0; status == ATTN_OK && (linear = attn_decoder_linear_at(m, i)) != NULL; i++) {
        if (linear->weight != NULL) {
            status = attn_model_file_pack(file, m->params, linear, compute, error);
        }
    }
    return status;
}

attn_status attn_decoder_read(const attn_safetensors *file, const char *path, attn_compute compute,
                              attn_decoder **out, void **tokenizer, size_t *tokenizer_size,
                              attn_error *error) {
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status = declare(file, path, out, error);
    status = status == ATTN_OK ? load(file, path, compute, *out, error) : status;
    if (status == ATTN_OK && tokenizer != NULL) {
        status = attn_model_file_extra(&format, file, path, tokenizer, tokenizer_size, error);
    }
    if (status != ATTN_OK) {
        attn_decoder_free(*out);
        *out = NULL;
        if (tokenizer != NULL) {
            attn_free(*tokenizer);
            *tokenizer = NULL;
            *tokenizer_size = 0;
        }
    }
    return status;
}

attn_status attn_decoder_load(const char *path, attn_compute compute, attn_decoder **out,
                              void **tokenizer, size_t *tokenizer_size, attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status = attn_safetensors_open_header(path, &file, error);
    if (status == ATTN_OK) {
        status = attn_decoder_read(file, path, compute, out, tokenizer, tokenizer_size, error);
    }
    attn_safetensors_close(file);
    return status;
}
