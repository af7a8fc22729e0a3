/* import/vision.c: networks of pictures of Hugging Face's transformers: ViT and SegFormer.
 *
 *     config.json                               what the network is, and what its classes are called
 *     preprocessor_config.json                  what is done to a picture first (import/vision_pixels.c)
 *     model.safetensors or pytorch_model.bin    the tensors (import/vision_names.c)
 *
 * Which head a model has, its tensors say. Sources: transformers src/transformers/models/vit/modeling_vit.py and segformer.
 * Next: models/vision.h. */
#include "import/vision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "import/activation.h"
#include "import/import.h"
#include "import/json.h"
#include "import/weights.h"

static const char *const prefixes[] = {
    [ATTN_VISION_VIT] = "vit.", [ATTN_VISION_SEGFORMER] = "segformer."};

static bool network_of(const json_t *config, attn_vision_network *out) {
    const char *type = attn_json_text(config, "model_type", "");
    *out = strcmp(type, "segformer") == 0 ? ATTN_VISION_SEGFORMER : ATTN_VISION_VIT;
    return *out == ATTN_VISION_SEGFORMER || strcmp(type, "vit") == 0;
}

/* ---- the network ---- */

/* A whole number, or [N, N]; 0: anything else. */
static int64_t side_of(const json_t *config, const char *key, int64_t otherwise, int64_t axis) {
    const json_t *value = json_object_get(config, key);
    if (json_is_array(value)) {
        const json_t *item = json_array_get(value, (size_t)axis);
        return json_is_integer(item) ? (int64_t)json_integer_value(item) : 0;
    }
    return attn_json_number(config, key, otherwise);
}

static attn_status read_vit(const json_t *json, attn_vision_config *c, attn_error *error) {
    attn_vision_stage *s = &c->stage[0];
    int64_t patch = side_of(json, "patch_size", 16, 0);
    int64_t height = side_of(json, "image_size", 224, 0);
    int64_t width = side_of(json, "image_size", 224, 1);
    const json_t *epsilon = json_object_get(json, "layer_norm_eps");
    c->stages = 1;
    *s = (attn_vision_stage){.channels = attn_json_number(json, "hidden_size", 768),
                             .heads = attn_json_number(json, "num_attention_heads", 12),
                             .layers = attn_json_number(json, "num_hidden_layers", 12),
                             .ffn = attn_json_number(json, "intermediate_size", 3072),
                             .kernel = patch,
                             .stride = patch,
                             .shrink = 1};
    c->norm_epsilon = json_is_number(epsilon) ? json_number_value(epsilon) : 1e-12;
    if (patch != side_of(json, "patch_size", 16, 1)) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                         "patch_size is not square");
    }
    if (c->height == 0) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "preprocessor_config.json", -1, NULL,
                         "do_resize is false, but the network takes pictures of one size");
    }
    if (c->height != height || c->width != width) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "preprocessor_config.json", -1, NULL,
                         "it makes pictures of %lld x %lld, the network takes %lld x %lld",
                         (long long)c->width, (long long)c->height, (long long)width,
                         (long long)height);
    }
    return ATTN_OK;
}

/* Item `stage` of a list with one for each; -1: it has another length, or something else in it. */
static double item_of(const json_t *config, const char *key, const int otherwise[4], int64_t stages,
                      int64_t stage) {
    const json_t *list = json_object_get(config, key);
    if (list == NULL) {
        return stages == 4 ? otherwise[stage] : -1;
    }
    const json_t *item = json_array_get(list, (size_t)stage);
    bool good = (int64_t)json_array_size(list) == stages && json_is_number(item);
    double value = good ? json_number_value(item) : -1;
    return value >= 0 && value <= 1 << 20 ? value : -1;
}

static attn_status read_stage(const json_t *json, int64_t stages, int64_t stage,
                              attn_vision_stage *out, attn_error *error) {
    static const struct {
        const char *key;
        size_t offset;
        int otherwise[4];
    } lists[] = {
        {"hidden_sizes", offsetof(attn_vision_stage, channels), {32, 64, 160, 256}},
        {"num_attention_heads", offsetof(attn_vision_stage, heads), {1, 2, 5, 8}},
        {"depths", offsetof(attn_vision_stage, layers), {2, 2, 2, 2}},
        {"patch_sizes", offsetof(attn_vision_stage, kernel), {7, 3, 3, 3}},
        {"strides", offsetof(attn_vision_stage, stride), {4, 2, 2, 2}},
        {"sr_ratios", offsetof(attn_vision_stage, shrink), {8, 4, 2, 1}},
        {"mlp_ratios", offsetof(attn_vision_stage, ffn), {4, 4, 4, 4}},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        double value = item_of(json, lists[i].key, lists[i].otherwise, stages, stage);
        bool ratio = strcmp(lists[i].key, "mlp_ratios") == 0;
        if (value < 0 || (!ratio && floor(value) < value)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "config.json", -1, NULL,
                             "%s is not a list of %lld numbers", lists[i].key, (long long)stages);
        }
        value = ratio ? floor(value * (double)out->channels) : value;
        *(int64_t *)(void *)((char *)out + lists[i].offset) = (int64_t)fmin(value, 1 << 30);
    }
    return ATTN_OK;
}

static attn_status read_segformer(const json_t *json, attn_vision_config *c, attn_error *error) {
    attn_status status = ATTN_OK;
    c->stages = attn_json_number(json, "num_encoder_blocks", 4);
    c->decoder =
        c->head == ATTN_VISION_SEGMENT ? attn_json_number(json, "decoder_hidden_size", 256) : 0;
    c->norm_epsilon = 1e-5; /* PyTorch's own, whatever layer_norm_eps says */
    if (c->stages < 1 || c->stages > ATTN_VISION_STAGES) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                         "num_encoder_blocks is %lld; attn has 1 to %d", (long long)c->stages,
                         ATTN_VISION_STAGES);
    }
    if (!attn_json_flag(json, "reshape_last_stage", true) && c->head == ATTN_VISION_SEGMENT) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                         "reshape_last_stage is false; attn reads true");
    }
    for (int64_t i = 0; i < c->stages && status == ATTN_OK; i++) {
        status = read_stage(json, c->stages, i, &c->stage[i], error);
    }
    return status;
}

/* The head, and how many classes it has. */
static void read_head(const attn_tensor_file *file, attn_vision_config *c) {
    const attn_tensor_info *segment = attn_tensor_file_find(file, "decode_head.classifier.weight");
    const attn_tensor_info *classify = attn_tensor_file_find(file, "classifier.weight");
    const attn_tensor_info *head = segment != NULL ? segment : classify;
    c->head = segment != NULL    ? ATTN_VISION_SEGMENT
              : classify != NULL ? ATTN_VISION_CLASSIFY
                                 : ATTN_VISION_NO_HEAD;
    c->classes = head != NULL && head->rank > 0 ? head->shape[0] : 0;
}

static attn_status read_config(attn_bundle *bundle, const json_t *json,
                               const attn_tensor_file *file, attn_vision_config *c,
                               attn_error *error) {
    attn_status status = attn_vision_import_pixels(bundle, c, error);
    read_head(file, c);
    if (status == ATTN_OK && attn_json_number(json, "num_channels", 3) != 3) {
        status = attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                           "num_channels is %lld; attn's pictures have 3",
                           (long long)attn_json_number(json, "num_channels", 3));
    }
    if (status == ATTN_OK) {
        status = attn_import_activation(json, "hidden_act", &c->activation, error);
    }
    if (status == ATTN_OK) {
        status = c->network == ATTN_VISION_VIT ? read_vit(json, c, error)
                                               : read_segformer(json, c, error);
    }
    return status;
}

/* ---- the whole ---- */

/* Whether the names have the prefix that a model with a head gives them. */
static const char *prefix_of(const attn_tensor_file *file, attn_vision_network network) {
    for (size_t i = 0; i < attn_tensor_file_count(file); i++) {
        const char *name = attn_tensor_file_at(file, i)->name;
        if (strncmp(name, prefixes[network], strlen(prefixes[network])) == 0) {
            return prefixes[network];
        }
    }
    return "";
}

static attn_status read_model(attn_bundle *bundle, const json_t *json, attn_vision_network network,
                              const attn_tensor_file *file, attn_imported *out, attn_error *error) {
    attn_vision_config config = {.network = network};
    bool biases = attn_json_flag(json, "qkv_bias", true);
    attn_status status = read_config(bundle, json, file, &config, error);
    status = status == ATTN_OK ? attn_vision_declare(&config, &out->vision, error) : status;
    if (status == ATTN_OK) {
        /* Half as many where biases may be missing: more they never are. */
        const attn_params *params = attn_vision_params(out->vision);
        int64_t lacking = biases ? 0 : attn_params_size(params) / 2;
        status = attn_import_check_size(file, params, lacking, error);
    }
    status = status == ATTN_OK ? attn_vision_allocate(out->vision, error) : status;
    if (status == ATTN_OK) {
        status =
            attn_vision_import_weights(out->vision, prefix_of(file, network), !biases, file, error);
    }
    return status == ATTN_OK ? attn_vision_import_labels(json, &config, &out->labels, error)
                             : status;
}

/* *config is to be given back with json_decref, also when this is another model. */
static bool look(attn_bundle *bundle, json_t **config, attn_vision_network *network) {
    *config = NULL;
    return attn_bundle_has(bundle, "config.json") &&
           attn_import_json(bundle, "config.json", config, NULL) == ATTN_OK &&
           network_of(*config, network);
}

static attn_status vision_read(const attn_import_files *files, const attn_tensor_file *file,
                               attn_imported *out, attn_error *error) {
    json_t *config = NULL;
    attn_vision_network network;
    attn_status status = look(files->bundle, &config, &network)
                             ? read_model(files->bundle, config, network, file, out, error)
                             : attn_fail(error, ATTN_ERR_FORMAT, "config.json", -1, NULL,
                                         "it cannot be read twice: is it being written?");
    json_decref(config);
    return status;
}

static bool vision_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    attn_tensor_file_kind kind = attn_tensor_file_kind_of(file);
    attn_vision_network network;
    json_t *config = NULL;
    bool known = (kind == ATTN_FILE_SAFETENSORS || kind == ATTN_FILE_TORCH) &&
                 look(bundle, &config, &network);
    json_decref(config);
    return known;
}

const attn_importer attn_import_vision = {
    .kind = "Hugging Face transformers",
    .recognises = vision_recognises,
    .read = vision_read,
};
