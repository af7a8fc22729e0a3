/* models/translator_file.c: a translator as one .safetensors file.
 *
 * The configuration is in the metadata, one string a key, from the table below; "tokenizer" holds the
 * tokenizer's bytes. Next: models/model_file.c. */
#include <stdio.h>
#include <string.h>

#include "attn/safetensors.h"
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
    {"alignment_layer", CONFIG_NEWER_INT, offsetof(attn_translator_config, alignment_layer), NULL},
    {"alignment_head", CONFIG_NEWER_INT, offsetof(attn_translator_config, alignment_head), NULL},
    {"embeddings", CONFIG_NEWER_CHOICE, offsetof(attn_translator_config, embeddings),
     attn_embeddings_names},
    {"source_vocabulary", CONFIG_NEWER_INT, offsetof(attn_translator_config, source_vocabulary),
     NULL},
    {"output_bias", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, output_bias), NULL},
    {"plain_embeddings", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, plain_embeddings),
     NULL},
    {"embedding_norm", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, embedding_norm), NULL},
    {"sinusoids", CONFIG_NEWER_CHOICE, offsetof(attn_translator_config, sinusoids),
     attn_sinusoids_names},
    {"first_position", CONFIG_NEWER_INT, offsetof(attn_translator_config, first_position), NULL},
    {"norm_epsilon", CONFIG_NEWER_SMALL, offsetof(attn_translator_config, norm_epsilon), NULL},
    {"rms_norm", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, rms_norm), NULL},
    {"gated", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, gated), NULL},
    {"bare_source", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, bare_source), NULL},
    {"tagging", CONFIG_NEWER_CHOICE, offsetof(attn_translator_config, tagging), attn_tagging_names},
    {"own_positions", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, own_positions), NULL},
    {"ssru", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, ssru), NULL},
    {"final_norm", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, final_norm), NULL},
    {"rotary", CONFIG_NEWER_CHOICE, offsetof(attn_translator_config, rotary), attn_rotary_names},
    {"rotary_base", CONFIG_NEWER_INT, offsetof(attn_translator_config, rotary_base), NULL},
    {"rotary_dim", CONFIG_NEWER_INT, offsetof(attn_translator_config, rotary_dim), NULL},
    {"relative", CONFIG_NEWER_BOOL, offsetof(attn_translator_config, relative), NULL},
    {"relative_buckets", CONFIG_NEWER_INT, offsetof(attn_translator_config, relative_buckets),
     NULL},
    {"relative_distance", CONFIG_NEWER_INT, offsetof(attn_translator_config, relative_distance),
     NULL},
};

const char *attn_translator_config_difference(const attn_translator_config *a,
                                              const attn_translator_config *b) {
    for (size_t i = 0; i < sizeof config_keys / sizeof config_keys[0]; i++) {
        char first[ATTN_CONFIG_VALUE_SIZE], second[ATTN_CONFIG_VALUE_SIZE];
        attn_config_print(a, &config_keys[i], first);
        attn_config_print(b, &config_keys[i], second);
        if (config_keys[i].type != CONFIG_RATE && strcmp(first, second) != 0) {
            return config_keys[i].key;
        }
    }
    return NULL;
}

bool attn_translator_config_set(attn_translator_config *config, const char *key,
                                const char *value) {
    for (size_t i = 0; i < sizeof config_keys / sizeof config_keys[0]; i++) {
        if (strcmp(key, config_keys[i].key) == 0) {
            return attn_config_read(config, &config_keys[i], value);
        }
    }
    return false;
}

static const attn_model_format format = {
    .name = "translator",
    .hint = "give a model written by attn train translator",
    .extra = "tokenizer",
    .keys = config_keys,
    .key_count = sizeof config_keys / sizeof config_keys[0],
};

attn_status attn_translator_save(const attn_translator *m, attn_storage storage,
                                 const void *tokenizer, size_t tokenizer_size,
                                 const attn_metadata *metadata, size_t metadata_count,
                                 const char *path, attn_error *error) {
    attn_model_extra extra = {tokenizer, tokenizer_size};
    if (m->output.weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, "load it with attn_translator_load",
                         "the model was loaded for decoding only and cannot be saved");
    }
    if (m->adapter_count > 0) {
        attn_translator *merged;
        attn_status status = attn_translator_merged(m, &merged, error);
        if (status == ATTN_OK) {
            status = attn_translator_save(merged, storage, tokenizer, tokenizer_size, metadata,
                                          metadata_count, path, error);
            attn_translator_free(merged);
        }
        return status;
    }
    attn_model_content content = {.config = &m->config,
                                  .params = m->params,
                                  .storage = storage,
                                  .extra = extra,
                                  .metadata = metadata,
                                  .metadata_count = metadata_count};
    return attn_model_file_save(&format, &content, path, error);
}

void attn_translator_free_bytes(void *bytes) {
    attn_free(bytes);
}

static attn_status declare(const attn_safetensors *file, const char *path, attn_translator **out,
                           attn_error *error) {
    attn_translator_config config = {.size = sizeof config};
    attn_error detail;
    attn_status status = attn_model_file_config(&format, file, path, &config, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_translator_config_check(&config, &detail) != ATTN_OK) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "invalid configuration: %.400s",
                         detail.what);
    }
    return attn_translator_declare(&config, out, error);
}

typedef struct packing {
    const attn_safetensors *file;
    const attn_params *params;
    attn_compute compute;
    attn_linear *words; /* NULL: words are looked up in the output projection, or in tables
                           * of their own */
    attn_error *error;
} packing;

/* A weight is floats only here, and only one at a time. */
static attn_status read_and_pack(attn_linear *linear, void *context) {
    packing *p = context;
    size_t bytes = (size_t)(linear->in * linear->out) * sizeof(real);
    real *data = attn_alloc(bytes);
    if (data == NULL) {
        return attn_fail_memory(p->error, bytes);
    }
    attn_status status = attn_model_file_read_weight(p->file, p->params, linear, data, p->error);
    if (status == ATTN_OK) {
        linear->weight->data = data;
        status = attn_linear_pack(linear, p->compute, p->error);
        if (status == ATTN_OK && p->words != NULL) {
            *p->words =
                (attn_linear){.weight = linear->weight, .in = linear->in, .out = linear->out};
            status = attn_linear_pack(p->words, ATTN_COMPUTE_COMPACT, p->error);
            p->words = NULL; /* the first is the output projection: that was it */
        }
        linear->weight->data = NULL;
        status = status == ATTN_ERR_MEMORY ? attn_fail_memory(p->error, bytes) : status;
    }
    attn_free(data);
    return status;
}

/* After the table of tensors is known to fit the file. */
static attn_status load_packed(const attn_safetensors *file, const char *path, attn_compute compute,
                               attn_translator *m, attn_error *error) {
    packing p = {.file = file,
                 .params = m->params,
                 .compute = compute == ATTN_COMPUTE_F32 ? ATTN_COMPUTE_COMPACT : compute,
                 .words = compute == ATTN_COMPUTE_I8 && m->output.weight == m->target_embedding
                              ? &m->words
                              : NULL,
                 .error = error};
    attn_status status = attn_translator_allocate(m, false, true, error);
    if (status == ATTN_OK && compute == ATTN_COMPUTE_I8 &&
        attn_model_file_all_i8(file, m->params)) {
        status = attn_params_allocate_row_scales(m->params, error);
    }
    status = status == ATTN_OK ? attn_model_file_read(file, path, m->params, error) : status;
    return status == ATTN_OK ? attn_translator_visit_linears(m, read_and_pack, &p) : status;
}

/* With all weights as they are in the table of tensors. */
static attn_status load_whole(const attn_safetensors *file, const char *path, bool trainable,
                              attn_compute compute, attn_translator *m, attn_error *error) {
    attn_status status = attn_translator_allocate(m, trainable, false, error);
    if (status != ATTN_OK) {
        return status;
    }
    bool scales =
        !trainable && compute == ATTN_COMPUTE_I8 && attn_model_file_all_i8(file, m->params);
    if (scales) {
        status = attn_params_allocate_row_scales(m->params, error);
    }
    status = status != ATTN_OK ? status : attn_model_file_read(file, path, m->params, error);
    return status == ATTN_OK && !trainable ? attn_translator_pack(m, compute, error) : status;
}

static attn_status read_all(const attn_safetensors *file, const char *path, attn_load purpose,
                            attn_compute compute, attn_translator **out, void **tokenizer,
                            size_t *tokenizer_size, attn_error *error) {
    attn_status status = declare(file, path, out, error);
    if (status == ATTN_OK) {
        status = attn_model_file_check(&format, file, path, (*out)->params, error);
    }
    if (status == ATTN_OK) {
        status = purpose == ATTN_LOAD_TO_DECODE
                     ? load_packed(file, path, compute, *out, error)
                     : load_whole(file, path, purpose == ATTN_LOAD_TO_TRAIN, compute, *out, error);
    }
    if (status == ATTN_OK && tokenizer != NULL) {
        status = attn_model_file_extra(&format, file, path, tokenizer, tokenizer_size, error);
    }
    return status;
}

attn_status attn_translator_read(const attn_safetensors *file, const char *path, attn_load purpose,
                                 attn_compute compute, attn_translator **out, void **tokenizer,
                                 size_t *tokenizer_size, attn_error *error) {
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status =
        read_all(file, path, purpose, compute, out, tokenizer, tokenizer_size, error);
    bool of_file = status == ATTN_ERR_IO || status == ATTN_ERR_FORMAT;
    if (of_file && error != NULL && error->where[0] == '\0') {
        snprintf(error->where, sizeof error->where, "%s", path); /* a tensor does not know it */
    }
    if (status != ATTN_OK) {
        attn_translator_free(*out);
        *out = NULL;
        if (tokenizer != NULL) {
            attn_free(*tokenizer);
            *tokenizer = NULL;
            *tokenizer_size = 0;
        }
    }
    return status;
}

static attn_status load(const char *path, attn_load purpose, attn_compute compute,
                        attn_translator **out, void **tokenizer, size_t *tokenizer_size,
                        attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status = attn_safetensors_open_header(path, &file, error);
    if (status == ATTN_OK) {
        status = attn_translator_read(file, path, purpose, compute, out, tokenizer, tokenizer_size,
                                      error);
    }
    attn_safetensors_close(file);
    return status;
}

attn_status attn_translator_load(const char *path, bool trainable, attn_compute compute,
                                 attn_translator **out, void **tokenizer, size_t *tokenizer_size,
                                 attn_error *error) {
    return load(path, trainable ? ATTN_LOAD_TO_TRAIN : ATTN_LOAD_TO_RUN, compute, out, tokenizer,
                tokenizer_size, error);
}

attn_status attn_translator_load_packed(const char *path, attn_compute compute,
                                        attn_translator **out, void **tokenizer,
                                        size_t *tokenizer_size, attn_error *error) {
    return load(path, ATTN_LOAD_TO_DECODE, compute, out, tokenizer, tokenizer_size, error);
}
