/* models/segmenter_file.c: a segmenter as one .safetensors file.
 *
 * The configuration is in the metadata, one string a key, from the table below; "classes" holds the
 * caller's description of the classes. Next: models/model_file.c. */
#include "base/fail.h"
#include "models/model_file.h"
#include "models/segmenter.h"

_Static_assert(sizeof(attn_mixer) == sizeof(unsigned), "a choice is read as an unsigned");
_Static_assert(sizeof(attn_segmenter_norm) == sizeof(unsigned), "a choice is read as an unsigned");

static const attn_config_key config_keys[] = {
    {"classes", CONFIG_INT, offsetof(attn_segmenter_config, classes), NULL},
    {"width_2", CONFIG_INT, offsetof(attn_segmenter_config, width_2), NULL},
    {"width_4", CONFIG_INT, offsetof(attn_segmenter_config, width_4), NULL},
    {"d_model", CONFIG_INT, offsetof(attn_segmenter_config, d_model), NULL},
    {"units_4", CONFIG_INT, offsetof(attn_segmenter_config, units_4), NULL},
    {"units_8", CONFIG_INT, offsetof(attn_segmenter_config, units_8), NULL},
    {"blocks", CONFIG_INT, offsetof(attn_segmenter_config, blocks), NULL},
    {"heads", CONFIG_INT, offsetof(attn_segmenter_config, heads), NULL},
    {"ffn", CONFIG_INT, offsetof(attn_segmenter_config, ffn), NULL},
    {"mixer", CONFIG_CHOICE, offsetof(attn_segmenter_config, mixer), attn_mixer_names},
    {"window", CONFIG_INT, offsetof(attn_segmenter_config, window), NULL},
    {"shrink", CONFIG_INT, offsetof(attn_segmenter_config, shrink), NULL},
    {"activation", CONFIG_CHOICE, offsetof(attn_segmenter_config, activation),
     attn_segmenter_activation_names},
    {"norm", CONFIG_NEWER_CHOICE, offsetof(attn_segmenter_config, norm), attn_segmenter_norm_names},
    {"dropout", CONFIG_RATE, offsetof(attn_segmenter_config, dropout), NULL},
    {"attention_dropout", CONFIG_RATE, offsetof(attn_segmenter_config, attention_dropout), NULL},
    {"label_smoothing", CONFIG_RATE, offsetof(attn_segmenter_config, label_smoothing), NULL},
    {"stochastic_depth", CONFIG_RATE, offsetof(attn_segmenter_config, stochastic_depth), NULL},
};

static const attn_model_format format = {
    .name = "segmenter",
    .hint = "give a model written by attn train segmenter",
    .extra = "classes",
    .keys = config_keys,
    .key_count = sizeof config_keys / sizeof config_keys[0],
};

attn_status attn_segmenter_save(const attn_segmenter *m, attn_storage storage, const void *classes,
                                size_t classes_size, const attn_metadata *metadata,
                                size_t metadata_count, const char *path, attn_error *error) {
    attn_model_extra extra = {classes, classes_size};
    attn_model_content content = {.config = &m->config,
                                  .params = m->params,
                                  .storage = storage,
                                  .extra = extra,
                                  .metadata = metadata,
                                  .metadata_count = metadata_count};
    return attn_model_file_save(&format, &content, path, error);
}

void attn_segmenter_free_bytes(void *bytes) {
    attn_free(bytes);
}

static attn_status declare(const attn_safetensors *file, const char *path, attn_segmenter **out,
                           attn_error *error) {
    attn_segmenter_config config = {.size = sizeof config};
    attn_error detail;
    attn_status status = attn_model_file_config(&format, file, path, &config, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_segmenter_config_check(&config, &detail) != ATTN_OK) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "invalid configuration: %.400s",
                         detail.what);
    }
    return attn_segmenter_declare(&config, out, error);
}

static attn_status load(const attn_safetensors *file, const char *path, bool trainable,
                        attn_segmenter **out, attn_error *error) {
    attn_status status = declare(file, path, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_params *params = (*out)->params;
    status = attn_model_file_check(&format, file, path, params, error);
    status = status == ATTN_OK ? attn_segmenter_allocate(*out, trainable, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_model_file_read(file, path, params, error);
    return status == ATTN_OK && !trainable ? attn_segmenter_pack(*out, error) : status;
}

attn_status attn_segmenter_read(const attn_safetensors *file, const char *path, bool trainable,
                                attn_segmenter **out, void **classes, size_t *classes_size,
                                attn_error *error) {
    *out = NULL;
    if (classes != NULL) {
        *classes = NULL;
        *classes_size = 0;
    }
    attn_status status = load(file, path, trainable, out, error);
    if (status == ATTN_OK && classes != NULL) {
        status = attn_model_file_extra(&format, file, path, classes, classes_size, error);
    }
    if (status != ATTN_OK) {
        attn_segmenter_free(*out);
        *out = NULL;
    }
    return status;
}

attn_status attn_segmenter_load(const char *path, bool trainable, attn_segmenter **out,
                                void **classes, size_t *classes_size, attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    if (classes != NULL) {
        *classes = NULL;
        *classes_size = 0;
    }
    attn_status status = attn_safetensors_open_header(path, &file, error);
    if (status == ATTN_OK) {
        status = attn_segmenter_read(file, path, trainable, out, classes, classes_size, error);
    }
    attn_safetensors_close(file);
    return status;
}
