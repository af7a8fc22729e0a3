/* models/vision_file.c: a Transformer over pictures as one .safetensors file.
 *
 * The configuration is in the metadata, one string a key, from the table below; "labels" holds what its classes are called. Next:
 * models/model_file.c. */
#include "base/fail.h"
#include "models/model_file.h"
#include "models/vision.h"

_Static_assert(sizeof(attn_vision_network) == sizeof(unsigned), "a choice is read as an unsigned");
_Static_assert(sizeof(attn_vision_head) == sizeof(unsigned), "a choice is read as an unsigned");

const char *const attn_vision_network_names[] = {
    [ATTN_VISION_VIT] = "vit",
    [ATTN_VISION_SEGFORMER] = "segformer",
    NULL,
};

const char *const attn_vision_head_names[] = {
    [ATTN_VISION_NO_HEAD] = "none",
    [ATTN_VISION_CLASSIFY] = "classify",
    [ATTN_VISION_SEGMENT] = "segment",
    NULL,
};

#define STAGE_KEY(name, number, field)                                                             \
    { name "." #field, CONFIG_NEWER_INT, offsetof(attn_vision_config, stage[number].field), NULL }
#define STAGE_KEYS(name, number)                                                                   \
    STAGE_KEY(name, number, channels), STAGE_KEY(name, number, heads),                             \
        STAGE_KEY(name, number, layers), STAGE_KEY(name, number, ffn),                             \
        STAGE_KEY(name, number, kernel), STAGE_KEY(name, number, stride),                          \
        STAGE_KEY(name, number, shrink)

static const attn_config_key config_keys[] = {
    {"network", CONFIG_CHOICE, offsetof(attn_vision_config, network), attn_vision_network_names},
    {"head", CONFIG_CHOICE, offsetof(attn_vision_config, head), attn_vision_head_names},
    {"stages", CONFIG_INT, offsetof(attn_vision_config, stages), NULL},
    STAGE_KEYS("stage_1", 0),
    STAGE_KEYS("stage_2", 1),
    STAGE_KEYS("stage_3", 2),
    STAGE_KEYS("stage_4", 3),
    {"height", CONFIG_INT, offsetof(attn_vision_config, height), NULL},
    {"width", CONFIG_INT, offsetof(attn_vision_config, width), NULL},
    {"classes", CONFIG_INT, offsetof(attn_vision_config, classes), NULL},
    {"decoder", CONFIG_INT, offsetof(attn_vision_config, decoder), NULL},
    {"activation", CONFIG_CHOICE, offsetof(attn_vision_config, activation), attn_activation_names},
    {"norm_epsilon", CONFIG_NEWER_SMALL, offsetof(attn_vision_config, norm_epsilon), NULL},
    {"mean_red", CONFIG_NEWER_SMALL, offsetof(attn_vision_config, mean[0]), NULL},
    {"mean_green", CONFIG_NEWER_SMALL, offsetof(attn_vision_config, mean[1]), NULL},
    {"mean_blue", CONFIG_NEWER_SMALL, offsetof(attn_vision_config, mean[2]), NULL},
    {"deviation_red", CONFIG_NEWER_SMALL, offsetof(attn_vision_config, deviation[0]), NULL},
    {"deviation_green", CONFIG_NEWER_SMALL, offsetof(attn_vision_config, deviation[1]), NULL},
    {"deviation_blue", CONFIG_NEWER_SMALL, offsetof(attn_vision_config, deviation[2]), NULL},
};

static const attn_model_format format = {
    .name = "vision",
    .hint = "give a model of pictures that `attn import` wrote",
    .extra = "labels",
    .keys = config_keys,
    .key_count = sizeof config_keys / sizeof config_keys[0],
};

attn_status attn_vision_save(const attn_vision *m, attn_storage storage, const void *labels,
                             size_t labels_size, const attn_metadata *metadata,
                             size_t metadata_count, const char *path, attn_error *error) {
    attn_model_content content = {.config = &m->config,
                                  .params = m->params,
                                  .storage = storage,
                                  .extra = {labels, labels_size},
                                  .metadata = metadata,
                                  .metadata_count = metadata_count};
    return attn_model_file_save(&format, &content, path, error);
}

static attn_status load(const attn_safetensors *file, const char *path, attn_vision **out,
                        attn_error *error) {
    attn_vision_config config = {.stages = 0};
    attn_error detail;
    attn_status status = attn_model_file_config(&format, file, path, &config, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_vision_config_check(&config, &detail) != ATTN_OK) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "invalid configuration: %.400s",
                         detail.what);
    }
    status = attn_vision_declare(&config, out, error);
    if (status == ATTN_OK) {
        status = attn_model_file_check(&format, file, path, (*out)->params, error);
    }
    status = status == ATTN_OK ? attn_vision_allocate(*out, error) : status;
    status = status == ATTN_OK ? attn_model_file_read(file, path, (*out)->params, error) : status;
    return status == ATTN_OK ? attn_vision_pack(*out, error) : status;
}

attn_status attn_vision_read(const attn_safetensors *file, const char *path, attn_vision **out,
                             void **labels, size_t *labels_size, attn_error *error) {
    *out = NULL;
    *labels = NULL;
    *labels_size = 0;
    attn_status status = load(file, path, out, error);
    if (status == ATTN_OK) {
        status = attn_model_file_extra(&format, file, path, labels, labels_size, error);
    }
    if (status != ATTN_OK) {
        attn_vision_free(*out);
        *out = NULL;
    }
    return status;
}
