/* import/bert.c: encoders of Hugging Face's transformers: BERT and what has its shape.
 *
 *     config.json                                                     what the network is
 *     model.safetensors or pytorch_model.bin                          the tensors
 *     tokenizer.json, vocab.txt, sentencepiece.bpe.model, spiece.model
 *     or vocab.json with merges.txt                                   the words (import/bert_words.c)
 *     modules.json, 1_Pooling/config.json, sentence_bert_config.json  how sentence-transformers makes one vector of a text
 *
 * Names of tensors: transformers src/transformers/models/bert/modeling_bert.py and those of roberta, distilbert, albert, electra.
 * Heads for other tasks and the pooler are left out: a vector is made of the last layer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/activation.h"
#include "import/bert.h"
#include "import/import.h"
#include "import/json.h"
#include "import/weights.h"
#include "models/encoder.h"

/* ---- names ---- */

#define LINEAR(ours, theirs)                                                                       \
    {ours ".weight", theirs ".weight", ATTN_WEIGHT_SAME, 0, 0}, {                                  \
        ours ".bias", theirs ".bias", ATTN_WEIGHT_SAME, 0, 0                                       \
    }
/* The first files called them as the paper does. */
#define NORM(ours, theirs)                                                                         \
    {ours ".gamma", theirs ".weight", ATTN_WEIGHT_SAME, 0, 0},                                     \
        {ours ".gamma", theirs ".gamma", ATTN_WEIGHT_SAME, 0, 0},                                  \
        {ours ".beta", theirs ".beta", ATTN_WEIGHT_SAME, 0, 0}, {                                  \
        ours ".beta", theirs ".bias", ATTN_WEIGHT_SAME, 0, 0                                       \
    }
#define EMBEDDINGS                                                                                 \
    {"embedding", "embeddings.word_embeddings.weight", ATTN_WEIGHT_SAME, 0, 0},                    \
        {"positions", "embeddings.position_embeddings.weight", ATTN_WEIGHT_SAME, 0, 0},            \
        {"segments", "embeddings.token_type_embeddings.weight", ATTN_WEIGHT_SAME, 0, 0},           \
        NORM("embedding_norm", "embeddings.LayerNorm")

static const attn_weight_rule bert_rules[] = {
    EMBEDDINGS,
    LINEAR("embedding_projection", "embeddings_project"),
    LINEAR("encoder.#.self.query", "encoder.layer.#.attention.self.query"),
    LINEAR("encoder.#.self.key", "encoder.layer.#.attention.self.key"),
    LINEAR("encoder.#.self.value", "encoder.layer.#.attention.self.value"),
    LINEAR("encoder.#.self.output", "encoder.layer.#.attention.output.dense"),
    NORM("encoder.#.norm_self", "encoder.layer.#.attention.output.LayerNorm"),
    LINEAR("encoder.#.feed_forward.up", "encoder.layer.#.intermediate.dense"),
    LINEAR("encoder.#.feed_forward.down", "encoder.layer.#.output.dense"),
    NORM("encoder.#.norm_feed_forward", "encoder.layer.#.output.LayerNorm"),
};

static const attn_weight_rule distilbert_rules[] = {
    EMBEDDINGS,
    LINEAR("encoder.#.self.query", "transformer.layer.#.attention.q_lin"),
    LINEAR("encoder.#.self.key", "transformer.layer.#.attention.k_lin"),
    LINEAR("encoder.#.self.value", "transformer.layer.#.attention.v_lin"),
    LINEAR("encoder.#.self.output", "transformer.layer.#.attention.out_lin"),
    NORM("encoder.#.norm_self", "transformer.layer.#.sa_layer_norm"),
    LINEAR("encoder.#.feed_forward.up", "transformer.layer.#.ffn.lin1"),
    LINEAR("encoder.#.feed_forward.down", "transformer.layer.#.ffn.lin2"),
    NORM("encoder.#.norm_feed_forward", "transformer.layer.#.output_layer_norm"),
};

#define SHARED "encoder.albert_layer_groups.0.albert_layers.0"
static const attn_weight_rule albert_rules[] = {
    EMBEDDINGS,
    LINEAR("embedding_projection", "encoder.embedding_hidden_mapping_in"),
    LINEAR("encoder.0.self.query", SHARED ".attention.query"),
    LINEAR("encoder.0.self.key", SHARED ".attention.key"),
    LINEAR("encoder.0.self.value", SHARED ".attention.value"),
    LINEAR("encoder.0.self.output", SHARED ".attention.dense"),
    NORM("encoder.0.norm_self", SHARED ".attention.LayerNorm"),
    LINEAR("encoder.0.feed_forward.up", SHARED ".ffn"),
    LINEAR("encoder.0.feed_forward.down", SHARED ".ffn_output"),
    NORM("encoder.0.norm_feed_forward", SHARED ".full_layer_layer_norm"),
};

/* Heads for tasks, and numbers that are counted. */
static const char *const idle[] = {"pooler.",
                                   "cls.",
                                   "lm_head.",
                                   "classifier.",
                                   "pre_classifier.",
                                   "qa_outputs.",
                                   "score.",
                                   "vocab_transform.",
                                   "vocab_layer_norm.",
                                   "vocab_projector.",
                                   "predictions.",
                                   "sop_classifier.",
                                   "generator_predictions.",
                                   "generator_lm_head.",
                                   "discriminator_predictions.",
                                   "embeddings.position_ids",
                                   NULL};

/* ---- kinds ---- */

typedef struct family {
    const char *model_type; /* of config.json */
    const char *prefix;     /* in front of the names of a model that has a head */
    const attn_weight_rule *rules;
    size_t rule_count;
    bool after_padding; /* positions count from the one behind the padding's */
} family;

#define RULES(rules) rules, sizeof rules / sizeof rules[0]
static const family families[] = {
    {"bert", "bert.", RULES(bert_rules), false},
    {"roberta", "roberta.", RULES(bert_rules), true},
    {"xlm-roberta", "roberta.", RULES(bert_rules), true},
    {"camembert", "roberta.", RULES(bert_rules), true},
    {"electra", "electra.", RULES(bert_rules), false},
    {"distilbert", "distilbert.", RULES(distilbert_rules), false},
    {"albert", "albert.", RULES(albert_rules), false},
};

static const family *family_of(const json_t *config) {
    const char *type = attn_json_text(config, "model_type", "");
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(families[i].model_type, type) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

/* ---- the network ---- */

/* What such a configuration may ask for that is another network. */
static attn_status check_plain(const json_t *config, attn_error *error) {
    const char *positions = attn_json_text(config, "position_embedding_type", "absolute");
    if (strcmp(positions, "absolute") != 0) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                         "position_embedding_type is \"%.40s\"; attn reads \"absolute\"",
                         positions);
    }
    if (attn_json_flag(config, "is_decoder", false)) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                         "it is a decoder (is_decoder); attn reads encoders");
    }
    if (attn_json_number(config, "num_hidden_groups", 1) != 1 ||
        attn_json_number(config, "inner_group_num", 1) != 1) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                         "its layers are in groups; attn reads those that all share one");
    }
    return ATTN_OK;
}

static double norm_epsilon_of(const json_t *config) {
    const json_t *value = json_object_get(config, "layer_norm_eps");
    return json_is_number(value) ? json_number_value(value) : 1e-12;
}

static attn_status read_config(const json_t *json, const family *kind, attn_encoder_config *c,
                               attn_error *error) {
    bool distil = kind->rules == distilbert_rules;
    attn_encoder_config_init(c);
    c->vocabulary = attn_json_number(json, "vocab_size", 0);
    c->d_model = attn_json_number(json, distil ? "dim" : "hidden_size", 0);
    c->ffn = attn_json_number(json, distil ? "hidden_dim" : "intermediate_size", 0);
    c->heads = attn_json_number(json, distil ? "n_heads" : "num_attention_heads", 0);
    c->layers = attn_json_number(json, distil ? "n_layers" : "num_hidden_layers", 0);
    c->embedding_size = attn_json_number(json, "embedding_size", 0);
    c->positions = attn_json_number(json, "max_position_embeddings", 512);
    c->first_position = kind->after_padding ? attn_json_number(json, "pad_token_id", 1) + 1 : 0;
    c->segments = distil ? 0 : attn_json_number(json, "type_vocab_size", 2);
    c->shared_layers = kind->rules == albert_rules;
    c->norm_epsilon = norm_epsilon_of(json);
    attn_status status = check_plain(json, error);
    const char *key = json_object_get(json, "hidden_act") != NULL ? "hidden_act" : "activation";
    return status == ATTN_OK ? attn_import_activation(json, key, &c->activation, error) : status;
}

/* ---- how one vector is made of a text ---- */

/* "sentence_transformers.models.Pooling" ends with ".Pooling". */
static bool is_module(const json_t *module, const char *end) {
    return attn_name_ends(attn_json_text(module, "type", ""), end);
}

static attn_status fail_pooling(attn_error *error, const char *name, const char *what) {
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, name, -1, NULL,
                     "it pools with \"%.60s\"; attn has the mean and [CLS]", what);
}

/* {"pooling_mode_mean_tokens": true, ...}, or in newer files {"pooling_mode": "mean"} */
static attn_status read_modes(const json_t *json, const char *name, attn_pooling *out,
                              attn_error *error) {
    static const char begin[] = "pooling_mode_";
    const char *mode = attn_json_text(json, "pooling_mode", ""), *key;
    int modes = 0;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        if (strncmp(key, begin, sizeof begin - 1) == 0 && json_is_true(value)) {
            mode = key + sizeof begin - 1;
            modes++;
        }
    }
    bool mean = strcmp(mode, "mean") == 0 || strcmp(mode, "mean_tokens") == 0;
    bool first = strcmp(mode, "cls") == 0 || strcmp(mode, "cls_token") == 0;
    if (modes > 1 || (!mean && !first)) {
        return fail_pooling(error, name, modes > 1 ? "several ways at once" : mode);
    }
    *out = first ? ATTN_POOLING_FIRST : ATTN_POOLING_MEAN;
    return ATTN_OK;
}

static attn_status read_pooling(attn_bundle *bundle, const json_t *module, attn_pooling *out,
                                attn_error *error) {
    char name[160];
    json_t *json = NULL;
    snprintf(name, sizeof name, "%.120s/config.json", attn_json_text(module, "path", "1_Pooling"));
    attn_status status = attn_import_json(bundle, name, &json, error);
    status = status == ATTN_OK ? read_modes(json, name, out, error) : status;
    json_decref(json);
    return status;
}

static attn_status read_modules(attn_bundle *bundle, attn_encoder_config *c, attn_error *error) {
    json_t *list = NULL, *module;
    size_t i;
    if (!attn_bundle_has(bundle, "modules.json")) {
        return ATTN_OK;
    }
    attn_status status = attn_import_json(bundle, "modules.json", &list, error);
    json_array_foreach(list, i, module) {
        if (status != ATTN_OK) {
            break;
        }
        if (is_module(module, ".Pooling")) {
            status = read_pooling(bundle, module, &c->pooling, error);
        } else if (is_module(module, ".Normalize")) {
            c->unit_length = true;
        } else if (!is_module(module, ".Transformer")) {
            status = attn_fail(error, ATTN_ERR_UNSUPPORTED, "modules.json", -1, NULL,
                               "its module \"%.60s\" is none that attn has",
                               attn_json_text(module, "type", ""));
        }
    }
    json_decref(list);
    return status;
}

/* Texts are cut where sentence-transformers cuts them, or where the tokenizer's settings say. */
static void read_length(attn_bundle *bundle, attn_encoder_config *c) {
    static const char *const where[][2] = {{"sentence_bert_config.json", "max_seq_length"},
                                           {"tokenizer_config.json", "model_max_length"}};
    int64_t most = c->positions - c->first_position;
    c->max_length = most;
    for (int i = 0; i < 2; i++) {
        json_t *json = NULL;
        int64_t length = 0;
        if (attn_bundle_has(bundle, where[i][0]) &&
            attn_import_json(bundle, where[i][0], &json, NULL) == ATTN_OK) {
            length = attn_json_number(json, where[i][1], 0);
        }
        json_decref(json);
        if (length > 1) {
            c->max_length = length < most ? length : most;
            return;
        }
    }
}

/* ---- the whole ---- */

static attn_status read_weights(const family *kind, const attn_tensor_file *file,
                                attn_encoder *encoder, attn_error *error) {
    char first[96];
    snprintf(first, sizeof first, "%sembeddings.word_embeddings.weight", kind->prefix);
    attn_weight_map map = {
        .rules = kind->rules,
        .rule_count = kind->rule_count,
        .prefix = attn_tensor_file_find(file, first) != NULL ? kind->prefix : NULL,
        .idle = idle,
    };
    return attn_import_weights(&map, file, NULL, NULL, attn_encoder_params(encoder), error);
}

static attn_status read_model(attn_bundle *bundle, const json_t *json, const family *kind,
                              const attn_tensor_file *file, attn_imported *out, attn_error *error) {
    attn_encoder_config config;
    attn_status status = read_config(json, kind, &config, error);
    if (status == ATTN_OK) {
        read_length(bundle, &config);
        status = read_modules(bundle, &config, error);
    }
    if (status == ATTN_OK) {
        status = attn_bert_words(bundle, kind->model_type, &out->tokenizer, error);
    }
    if (status == ATTN_OK && attn_tokenizer_size(out->tokenizer) > config.vocabulary) {
        status = attn_fail(error, ATTN_ERR_FORMAT, "config.json", -1,
                           "give the tokenizer that the model was trained with",
                           "vocab_size is %lld, but the tokenizer has %d pieces",
                           (long long)config.vocabulary, (int)attn_tokenizer_size(out->tokenizer));
    }
    if (status == ATTN_OK) {
        status = attn_encoder_declare(&config, &out->encoder, error);
    }
    if (status == ATTN_OK) {
        status = attn_import_check_size(file, attn_encoder_params(out->encoder), 0, error);
    }
    if (status == ATTN_OK) {
        status = attn_encoder_allocate(out->encoder, false, false, error);
    }
    return status == ATTN_OK ? read_weights(kind, file, out->encoder, error) : status;
}

/* *config is to be given back with json_decref, also without a family. */
static const family *look(attn_bundle *bundle, json_t **config) {
    *config = NULL;
    bool read = attn_bundle_has(bundle, "config.json") &&
                attn_import_json(bundle, "config.json", config, NULL) == ATTN_OK;
    return read ? family_of(*config) : NULL;
}

static attn_status bert_read(const attn_import_files *files, const attn_tensor_file *file,
                             attn_imported *out, attn_error *error) {
    json_t *config = NULL;
    const family *kind = look(files->bundle, &config);
    attn_status status = kind != NULL ? read_model(files->bundle, config, kind, file, out, error)
                                      : attn_fail(error, ATTN_ERR_FORMAT, "config.json", -1, NULL,
                                                  "it cannot be read twice: is it being written?");
    json_decref(config);
    return status;
}

static bool bert_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    attn_tensor_file_kind kind = attn_tensor_file_kind_of(file);
    json_t *config = NULL;
    bool known =
        (kind == ATTN_FILE_SAFETENSORS || kind == ATTN_FILE_TORCH) && look(bundle, &config) != NULL;
    json_decref(config);
    return known;
}

const attn_importer attn_import_bert = {
    .kind = "Hugging Face transformers",
    .recognises = bert_recognises,
    .read = bert_read,
};
