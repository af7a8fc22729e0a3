/* cli/cmd_info.c: `attn info MODEL`: what a model file holds.
 *
 * Configuration, parameters per part, storage, and every pair of the metadata (training facts,
 * licence). The shortest command: read it to see how one is made. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attn/safetensors.h"
#include "attn/segment.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "command.h"
#include "io/json_write.h"
#include "model.h"
#include "models/config.h"

typedef struct options {
    bool json, parameters;
} options;

static const attn_option table[] = {
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json), .help = "print one JSON object"},
    {"parameters", 0, ATTN_OPTION_FLAG, offsetof(options, parameters),
     .help = "list the parameters by name with their shapes, as `attn train --freeze` takes them"},
};

/* {"d_model": 512, ...} */
static json_t *describe_translator(const attn_translator_config *c) {
    json_t *config = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "vocabulary",
        (json_int_t)c->vocabulary, "d_model", (json_int_t)c->d_model, "ffn", (json_int_t)c->ffn,
        "heads", (json_int_t)c->heads, "kv_heads", (json_int_t)c->kv_heads, "encoder_layers",
        (json_int_t)c->encoder_layers, "decoder_layers", (json_int_t)c->decoder_layers,
        "max_length", (json_int_t)c->max_length, "norm", c->pre_norm ? "pre" : "post", "positions",
        c->learned_positions            ? "learned"
        : c->rotary != ATTN_ROTARY_NONE ? "rotary"
        : c->relative                   ? "relative"
                                        : "sinusoidal",
        "activation", attn_activation_names[c->activation]);
    if (c->source_vocabulary > 0) {
        json_object_set_new(config, "source_vocabulary", json_integer(c->source_vocabulary));
    }
    const struct {
        const char *name;
        bool set;
    } flags[] = {{"bare_source", c->bare_source},
                 {"gated", c->gated},
                 {"output_bias", c->output_bias},
                 {"plain_embeddings", c->plain_embeddings},
                 {"embedding_norm", c->embedding_norm}};
    for (size_t i = 0; i < ATTN_LENGTH(flags); i++) {
        if (flags[i].set) {
            json_object_set_new(config, flags[i].name, json_true());
        }
    }
    if (c->embeddings != ATTN_EMBEDDINGS_TIED) {
        json_object_set_new(config, "embeddings",
                            json_string(attn_embeddings_names[c->embeddings]));
    }
    if (c->tagging != ATTN_TAGGING_TARGET) {
        json_object_set_new(config, "tagging", json_string(attn_tagging_names[c->tagging]));
    }
    if (c->rms_norm) {
        json_object_set_new(config, "norm_kind", json_string("rms"));
    }
    if (c->norm_epsilon > 0) {
        json_object_set_new(config, "norm_epsilon", json_real(c->norm_epsilon));
    }
    if (c->rotary != ATTN_ROTARY_NONE) {
        json_object_set_new(config, "rotary", json_string(attn_rotary_names[c->rotary]));
        json_object_set_new(config, "rotary_base",
                            json_integer(c->rotary_base > 0 ? c->rotary_base : 10000));
        json_object_set_new(
            config, "rotary_dim",
            json_integer(c->rotary_dim > 0 ? c->rotary_dim : c->d_model / c->heads));
    }
    if (c->relative) {
        json_object_set_new(
            config, "relative_buckets",
            json_integer(c->relative_buckets > 0 ? c->relative_buckets : ATTN_RELATIVE_BUCKETS));
        json_object_set_new(
            config, "relative_distance",
            json_integer(c->relative_distance > 0 ? c->relative_distance : ATTN_RELATIVE_DISTANCE));
    }
    if (!c->learned_positions && c->sinusoids != ATTN_SINUSOIDS_TENSOR2TENSOR) {
        json_object_set_new(config, "sinusoids", json_string(attn_sinusoids_names[c->sinusoids]));
    }
    if (!c->learned_positions && c->first_position > 0) {
        json_object_set_new(config, "first_position", json_integer(c->first_position));
    }
    if (c->alignment_layer > 0) {
        json_object_set_new(config, "alignment_layer", json_integer(c->alignment_layer));
        json_object_set_new(config, "alignment_head", json_integer(c->alignment_head));
    }
    return config;
}

static json_t *describe_segmenter(const attn_model *model) {
    const attn_segmenter_config *c = attn_segmenter_get_config(model->segmenter);
    json_t *config =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:s, s:s}",
                  "classes", (json_int_t)c->classes, "width_2", (json_int_t)c->width_2, "width_4",
                  (json_int_t)c->width_4, "d_model", (json_int_t)c->d_model, "units_4",
                  (json_int_t)c->units_4, "units_8", (json_int_t)c->units_8, "blocks",
                  (json_int_t)c->blocks, "heads", (json_int_t)c->heads, "ffn", (json_int_t)c->ffn,
                  "mixer", attn_mixer_names[c->mixer], "window", (json_int_t)c->window, "shrink",
                  (json_int_t)c->shrink, "activation", attn_activation_names[c->activation], "norm",
                  attn_segmenter_norm_names[c->norm]);
    for (int i = 0; i < model->classes.count; i++) {
        char key[32];
        snprintf(key, sizeof key, "class %d", i);
        json_object_set_new(config, key, json_string(model->classes.item[i].name));
    }
    return config;
}

static json_t *describe_encoder(const attn_encoder_config *c) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:s, s:b}",
                     "vocabulary", (json_int_t)c->vocabulary, "d_model", (json_int_t)c->d_model,
                     "ffn", (json_int_t)c->ffn, "heads", (json_int_t)c->heads, "layers",
                     (json_int_t)c->layers, "embedding_size", (json_int_t)c->embedding_size,
                     "positions", (json_int_t)c->positions, "max_length", (json_int_t)c->max_length,
                     "segments", (json_int_t)c->segments, "shared_layers", c->shared_layers,
                     "activation", attn_activation_names[c->activation], "pooling",
                     attn_pooling_names[c->pooling], "unit_length", c->unit_length);
}

static json_t *describe_decoder(const attn_decoder_config *c) {
    bool rotary = c->rotary != ATTN_ROTARY_NONE;
    json_t *config = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:b, s:b, s:s}", "vocabulary",
        (json_int_t)c->vocabulary, "d_model", (json_int_t)c->d_model, "ffn", (json_int_t)c->ffn,
        "heads", (json_int_t)c->heads, "kv_heads", (json_int_t)c->kv_heads, "layers",
        (json_int_t)c->layers, "max_length", (json_int_t)c->max_length, "norm",
        c->post_norm ? "post" : "pre", "norm_kind", c->rms_norm ? "rms" : "layer", "positions",
        rotary                 ? "rotary"
        : c->learned_positions ? "learned"
                               : "sinusoidal",
        "gated", c->gated, "own_output", c->own_output, "activation",
        attn_activation_names[c->activation]);
    if (rotary) {
        json_object_set_new(config, "rotary", json_string(attn_rotary_names[c->rotary]));
        json_object_set_new(config, "rotary_base",
                            json_integer(c->rotary_base > 0 ? c->rotary_base : 10000));
        json_object_set_new(
            config, "rotary_dim",
            json_integer(c->rotary_dim > 0 ? c->rotary_dim : c->d_model / c->heads));
    }
    json_object_set_new(config, "start_token", json_integer(c->start_token));
    json_object_set_new(config, "end_token", json_integer(c->end_token));
    return config;
}

static json_t *describe_vision(const attn_model *model) {
    const attn_vision_config *c = attn_vision_get_config(model->vision);
    json_t *config = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "network", attn_vision_network_names[c->network],
        "head", attn_vision_head_names[c->head], "height", (json_int_t)c->height, "width",
        (json_int_t)c->width, "classes", (json_int_t)c->classes, "decoder", (json_int_t)c->decoder,
        "activation", attn_activation_names[c->activation]);
    for (int i = 0; i < c->stages; i++) {
        const attn_vision_stage *s = &c->stage[i];
        const struct {
            const char *name;
            int64_t value;
        } fields[] = {{"channels", s->channels}, {"heads", s->heads},   {"layers", s->layers},
                      {"ffn", s->ffn},           {"kernel", s->kernel}, {"stride", s->stride},
                      {"shrink", s->shrink}};
        for (size_t k = 0; k < ATTN_LENGTH(fields); k++) {
            char key[32];
            snprintf(key, sizeof key, "stage_%d.%s", i + 1, fields[k].name);
            json_object_set_new(config, key, json_integer(fields[k].value));
        }
    }
    for (int i = 0; i < attn_model_classes(model); i++) {
        char key[32];
        snprintf(key, sizeof key, "class %d", i);
        json_object_set_new(config, key, json_string(attn_model_class_name(model, i)));
    }
    return config;
}

/* Parameters by part: the name's first word, and for a numbered layer its number too. */
static json_t *describe_parts(const attn_params *params) {
    json_t *parts = json_object();
    json_int_t total = 0;
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *param = attn_params_at(params, i);
        char part[64];
        size_t length = strcspn(param->name, ".");
        if (param->name[length] == '.' && strchr("0123456789", param->name[length + 1]) != NULL) {
            length += 1 + strcspn(param->name + length + 1, ".");
        }
        snprintf(part, sizeof part, "%.*s", (int)length, param->name);
        json_int_t before = json_integer_value(json_object_get(parts, part));
        json_object_set_new(parts, part, json_integer(before + param->rows * param->cols));
        total += param->rows * param->cols;
    }
    json_object_set_new(parts, "total", json_integer(total));
    return parts;
}

/* Each parameter by its name: "256 x 512". */
static json_t *list_parameters(const attn_params *params) {
    json_t *list = json_object();
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *param = attn_params_at(params, i);
        char shape[48];
        snprintf(shape, sizeof shape, "%lld x %lld", (long long)param->rows,
                 (long long)param->cols);
        json_object_set_new(list, param->name, json_string(shape));
    }
    return list;
}

static const char *storage_name(const attn_safetensors *file) {
    const char *name = "float32";
    const attn_tensor_info *tensor;
    for (size_t i = 0; (tensor = attn_safetensors_at(file, i)) != NULL; i++) {
        if (tensor->dtype == ATTN_DTYPE_I8) {
            name = "int8, one scale per row";
        } else if (tensor->dtype == ATTN_DTYPE_BF16) {
            name = "bfloat16";
        }
    }
    return name;
}

static json_t *describe_metadata(const attn_safetensors *file) {
    json_t *metadata = json_object();
    const char *key, *value;
    for (size_t i = 0; attn_safetensors_metadata_at(file, i, &key, &value); i++) {
        json_object_set_new(metadata, key, json_string(value));
    }
    return metadata;
}

/* Without what a terminal would obey; further lines below the first. */
static void print_text(const char *text, int width) {
    char line[4096], shown[4096];
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        printf("%s\n", attn_utf8_quote(shown, sizeof shown, line));
        at += length;
        if (at[0] == '\0' || at[1] == '\0') {
            return;
        }
        printf("  %-*s ", width, "");
    }
}

static void print_section(const char *title, json_t *object, int width) {
    const char *key;
    char name[256];
    json_t *value;
    printf("%s\n", title);
    json_object_foreach(object, key, value) {
        attn_utf8_quote(name, sizeof name, key);
        if (json_is_string(value)) {
            printf("  %-*s ", width, name);
            print_text(json_string_value(value), width);
        } else if (json_is_boolean(value)) {
            printf("  %-*s %s\n", width, name, json_is_true(value) ? "yes" : "no");
        } else if (json_is_real(value)) {
            printf("  %-*s %g\n", width, name, json_real_value(value));
        } else {
            printf("  %-*s %lld\n", width, name, (long long)json_integer_value(value));
        }
    }
}

/* Takes config and parts over. */
static attn_status print_info(const char *path, json_t *config, json_t *parts, const options *o,
                              attn_error *error) {
    attn_safetensors *file = NULL;
    attn_status status = attn_safetensors_open(path, &file, error);
    struct stat info = {0};
    if (status == ATTN_OK && stat(path, &info) != 0) {
        status = attn_fail_errno(error, path, "cannot read");
    }
    if (status != ATTN_OK) {
        json_decref(config);
        json_decref(parts);
        goto out;
    }
    json_t *all = json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "file", path, "storage",
                            storage_name(file), "bytes", (json_int_t)info.st_size, "configuration",
                            config, "parameters", parts, "metadata", describe_metadata(file));
    if (all == NULL) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL,
                           "out of memory, or the path is not UTF-8");
        goto out;
    }
    if (o->json) {
        status = attn_json_print(json_incref(all), JSON_INDENT(2), stdout, error);
    } else {
        printf("%s: %.1f MB, %s\n", path, (double)info.st_size / 1e6, storage_name(file));
        print_section("\nconfiguration", json_object_get(all, "configuration"), 24);
        print_section("\nparameters", json_object_get(all, "parameters"), o->parameters ? 40 : 24);
        print_section("\nmetadata", json_object_get(all, "metadata"), 24);
    }
    json_decref(all);
out:
    attn_safetensors_close(file);
    return status;
}

static attn_status info_of_model(const attn_model *model, const options *o, attn_error *error) {
    json_t *config;
    const attn_params *params;
    if (model->vision != NULL) {
        config = describe_vision(model);
        params = attn_vision_params(model->vision);
    } else if (model->kind == ATTN_MODEL_SEGMENTER) {
        config = describe_segmenter(model);
        params = attn_segmenter_params(model->segmenter);
    } else if (model->kind == ATTN_MODEL_ENCODER) {
        config = describe_encoder(attn_encoder_get_config(model->encoder));
        params = attn_encoder_params(model->encoder);
    } else if (model->kind == ATTN_MODEL_DECODER) {
        config = describe_decoder(attn_decoder_get_config(model->decoder));
        params = attn_decoder_params(model->decoder);
    } else {
        config = describe_translator(attn_translator_get_config(model->translator));
        params = attn_translator_params(model->translator);
    }
    json_t *parts = o->parameters ? list_parameters(params) : describe_parts(params);
    return print_info(model->path, config, parts, o, error);
}

static int info_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    const char *path = operand_count > 0 ? operand[0] : NULL;
    char found[4096];
    attn_model *model = NULL;
    attn_error error;
    attn_status status = attn_model_find(path, "ATTN_MODEL", "models/en-fr.safetensors", found,
                                         sizeof found, &error);
    status = status == ATTN_OK ? attn_model_check_own(found, &error) : status;
    status = status == ATTN_OK ? attn_model_open(found, NULL, &model, &error) : status;
    status = status == ATTN_OK ? info_of_model(model, o, &error) : status;
    attn_model_close(model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_info = {
    .name = "info",
    .summary = "Describe what a model file holds",
    .usage = "[OPTION]... [MODEL]",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .options_size = sizeof(options),
    .max_operands = 1,
    .run = info_run,
};
