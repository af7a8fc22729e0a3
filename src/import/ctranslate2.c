/* import/ctranslate2.c: models that CTranslate2 runs.
 *
 *     model.bin, config.json                        the tensors and what the network is; which tokens begin and end
 *     shared_vocabulary.json (or .txt)              pieces by id; or source_vocabulary and target_vocabulary
 *     source.spm, target.spm, sentencepiece.model   the segmenters, which CTranslate2 itself does not need
 *
 * Names of tensors: CTranslate2 python/ctranslate2/specs. Positions are in the file, rotary, relative, or sinusoids from 1; a translation begins with
 * zeros or with the word decoder_start_token; the norms' epsilon is 1e-5, of RMSNorm
 * 1e-6, unless config.json has another.
 * A decoder alone has vocabulary.json, whose numbers of words it keeps, and tokenizer.json or sentencepiece.model; without these its texts
 * are tokens parted by spaces. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/export.h"
#include "import/import.h"
#include "import/json.h"
#include "import/side.h"
#include "models/decoder.h"
#include "models/translator.h"
#include "text/tokenizer_json.h"

/* ---- names ---- */

#define LINEAR(ours, theirs)                                                                       \
    {ours ".weight", theirs "/weight", ATTN_WEIGHT_SAME, 0, 0}, {                                  \
        ours ".bias", theirs "/bias", ATTN_WEIGHT_SAME, 0, 0                                       \
    }
#define PART(ours, theirs, part, parts)                                                            \
    {ours ".weight", theirs "/weight", ATTN_WEIGHT_SAME, part, parts}, {                           \
        ours ".bias", theirs "/bias", ATTN_WEIGHT_SAME, part, parts                                \
    }
#define NORM(ours, theirs)                                                                         \
    {ours ".gamma", theirs "/layer_norm/gamma", ATTN_WEIGHT_SAME, 0, 0}, {                         \
        ours ".beta", theirs "/layer_norm/beta", ATTN_WEIGHT_SAME, 0, 0                            \
    }
#define HEADS(ours, theirs, part)                                                                  \
    {ours ".weight", theirs "/weight", ATTN_WEIGHT_HEADS, part, 3}, {                              \
        ours ".bias", theirs "/bias", ATTN_WEIGHT_HEADS, part, 3                                   \
    }
#define SELF(ours, theirs)                                                                         \
    HEADS(ours ".query", theirs "/linear_0", 0), HEADS(ours ".key", theirs "/linear_0", 1),        \
        HEADS(ours ".value", theirs "/linear_0", 2), LINEAR(ours ".output", theirs "/linear_1")
#define FEED_FORWARD(ours, theirs)                                                                 \
    LINEAR(ours ".up", theirs "/linear_0"), LINEAR(ours ".down", theirs "/linear_1")
/* linear_0 is the branch with the activation. */
#define GATED(ours, theirs)                                                                        \
    LINEAR(ours ".gate", theirs "/linear_0"), LINEAR(ours ".up", theirs "/linear_0_noact"),        \
        LINEAR(ours ".down", theirs "/linear_1")
/* Of relative positions, in every layer the same. */
#define DISTANCES(side, layer) side "/layer_" layer "/self_attention/relative_attention_bias"
#define REST                                                                                       \
    {"embedding", "decoder/embeddings/weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},                     \
        {"source_embedding", "encoder/embeddings_0/weight", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},        \
        {"source_embedding", "encoder/embeddings/weight", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},          \
        {"target_embedding", "decoder/embeddings/weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},          \
        {"output", "decoder/projection/weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},                    \
        {"output.bias", "decoder/projection/bias", ATTN_WEIGHT_TARGET_BIAS, 0, 0},                 \
        {"positions", "encoder/position_encodings/encodings", ATTN_WEIGHT_SAME, 0, 0},             \
        {"encoder.relative", DISTANCES("encoder", "0"), ATTN_WEIGHT_SAME, 0, 0},                   \
        {"decoder.relative", DISTANCES("decoder", "0"), ATTN_WEIGHT_SAME, 0, 0},                   \
        SELF("encoder.#.self", "encoder/layer_#/self_attention"),                                  \
        NORM("encoder.#.norm_self", "encoder/layer_#/self_attention"),                             \
        NORM("encoder.#.norm_feed_forward", "encoder/layer_#/ffn"),                                \
        SELF("decoder.#.self", "decoder/layer_#/self_attention"),                                  \
        NORM("decoder.#.norm_self", "decoder/layer_#/self_attention"),                             \
        LINEAR("decoder.#.cross.query", "decoder/layer_#/attention/linear_0"),                     \
        PART("decoder.#.cross.key", "decoder/layer_#/attention/linear_1", 0, 2),                   \
        PART("decoder.#.cross.value", "decoder/layer_#/attention/linear_1", 1, 2),                 \
        LINEAR("decoder.#.cross.output", "decoder/layer_#/attention/linear_2"),                    \
        NORM("decoder.#.norm_cross", "decoder/layer_#/attention"),                                 \
        NORM("decoder.#.norm_feed_forward", "decoder/layer_#/ffn"),                                \
        NORM("encoder.norm", "encoder"), NORM("decoder.norm", "decoder"),                          \
        {"source_norm.gamma", "encoder/layernorm_embedding/gamma", ATTN_WEIGHT_SAME, 0, 0},        \
        {"source_norm.beta", "encoder/layernorm_embedding/beta", ATTN_WEIGHT_SAME, 0, 0},          \
        {"target_norm.gamma", "decoder/layernorm_embedding/gamma", ATTN_WEIGHT_SAME, 0, 0}, {      \
        "target_norm.beta", "decoder/layernorm_embedding/beta", ATTN_WEIGHT_SAME, 0, 0             \
    }

static const attn_weight_rule plain_rules[] = {
    REST, FEED_FORWARD("encoder.#.feed_forward", "encoder/layer_#/ffn"),
    FEED_FORWARD("decoder.#.feed_forward", "decoder/layer_#/ffn")};
static const attn_weight_rule gated_rules[] = {
    REST, GATED("encoder.#.feed_forward", "encoder/layer_#/ffn"),
    GATED("decoder.#.feed_forward", "decoder/layer_#/ffn")};

/* The decoder's positions are the encoder's, and relative ones those of the first layer, which is checked; tables that
 * are tied have two names. */
static const char *const idle[] = {"decoder/position_encodings/", "encoder/embeddings",
                                   "decoder/alignment_heads",     "decoder/projection/weight",
                                   "decoder/embeddings/",         DISTANCES("encoder", "#"),
                                   DISTANCES("decoder", "#"),     NULL};

#define MAP(list)                                                                                  \
    {                                                                                              \
        .rules = list, .rule_count = sizeof list / sizeof list[0], .scale = "_scale",              \
        .numbers_are_settings = true, .idle = idle                                                 \
    }

attn_weight_map attn_weights_ctranslate2(const attn_translator_config *config) {
    static const attn_weight_map maps[] = {MAP(plain_rules), MAP(gated_rules)};
    attn_weight_map map = maps[config->gated];
    map.heads = config->heads;
    map.kv_heads = config->kv_heads;
    return map;
}

/* ---- settings that are tensors of one number ---- */

/* Whether there is such a setting; *out: its value. */
static bool setting(const attn_tensor_file *file, const char *side, const char *key, double *out) {
    char name[128];
    float value;
    snprintf(name, sizeof name, "%s/%s", side, key);
    const attn_tensor_info *tensor = attn_tensor_file_find(file, name);
    if (tensor == NULL || tensor->rank != 0) {
        return false;
    }
    attn_tensor_floats(tensor, &value);
    *out = (double)value;
    return true;
}

static double setting_or(const attn_tensor_file *file, const char *side, const char *key,
                         double otherwise) {
    double value;
    return setting(file, side, key, &value) ? value : otherwise;
}

/* 0, which no network has, where the file says what is no such number. */
static int64_t heads_of(const attn_tensor_file *file, const char *side) {
    double heads = setting_or(file, side, "num_heads", 8);
    return heads >= 1 && heads <= 1 << 15 ? (int64_t)heads : 0;
}

static int64_t count_layers(const attn_tensor_file *file, const char *side) {
    char name[128];
    int64_t layers = 0;
    do {
        snprintf(name, sizeof name, "%s/layer_%lld/self_attention/linear_0/weight", side,
                 (long long)layers);
    } while (attn_tensor_file_find(file, name) != NULL && ++layers);
    return layers;
}

/* ---- the network ---- */

static attn_status refuse(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                     "a CTranslate2 model with %s, which attn does not compute", what);
}

/* A setting that is not looked at could change what is computed: rotary_scaling_type, sliding_window, queries_scale ... */
static attn_status check_all_known(const attn_tensor_file *file, attn_error *error) {
    static const char *const known[] = {"num_heads",
                                        "pre_norm",
                                        "activation",
                                        "alignment_layer",
                                        "alignment_heads",
                                        "embeddings_merge",
                                        "scale_embeddings",
                                        "alibi",
                                        "alibi_use_positive_positions",
                                        "scale_alibi",
                                        "weight_scale",
                                        "start_from_zero_embedding",
                                        "project_in",
                                        "rotary_dim",
                                        "rotary_interleave",
                                        "rotary_base",
                                        "relative_attention_max_distance",
                                        "multiply_by_sqrt_depth",
                                        "multi_query_attention",
                                        "num_heads_kv"};
    for (size_t i = 0; i < attn_tensor_file_count(file); i++) {
        const attn_tensor_info *tensor = attn_tensor_file_at(file, i);
        const char *slash = strrchr(tensor->name, '/');
        bool good = tensor->rank > 0;
        for (size_t k = 0; k < sizeof known / sizeof known[0] && !good; k++) {
            good = strcmp(slash != NULL ? slash + 1 : tensor->name, known[k]) == 0;
        }
        if (!good) {
            return refuse(error, tensor->name);
        }
    }
    return attn_tensor_file_find(file, "encoder/embeddings_1/weight") == NULL
               ? ATTN_OK
               : refuse(error, "several embeddings a word");
}

/* What would be computed in another way. */
static attn_status check_off(const attn_tensor_file *file, attn_error *error) {
    static const struct {
        const char *key, *what;
    } off[] = {{"alibi", "ALiBi"}, {"project_in", "a projection of the embeddings"}};
    static const char *const sides[] = {"encoder", "decoder"};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        for (int s = 0; s < 2; s++) {
            if (setting_or(file, sides[s], off[i].key, 0) != 0) {
                return refuse(error, off[i].what);
            }
        }
    }
    return ATTN_OK;
}

static attn_status check_settings(const attn_tensor_file *file, attn_error *error) {
    attn_status status = check_off(file, error);
    for (size_t i = 0; i < 4 && status == ATTN_OK; i++) {
        static const char *const same[] = {"num_heads", "pre_norm", "activation",
                                           "scale_embeddings"};
        if (setting_or(file, "encoder", same[i], -1) != setting_or(file, "decoder", same[i], -1)) {
            status = refuse(error, "different settings for encoder and decoder");
        }
    }
    return status;
}

/* How many heads have keys and values of their own in that attention of every layer; *kv_heads: what was found so far, or 0. */
static attn_status read_kv_heads(const attn_tensor_file *file, const char *side, const char *part,
                                 int64_t layers, int64_t heads, int64_t *kv_heads,
                                 attn_error *error) {
    bool one = setting_or(file, side, "multi_query_attention", 0) != 0;
    for (int64_t i = 0; i < layers; i++) {
        char scope[64];
        snprintf(scope, sizeof scope, "%s/layer_%lld/%s", side, (long long)i, part);
        double found = setting_or(file, scope, "num_heads_kv", one ? 1 : (double)heads);
        if (!(found >= 1 && found <= (double)heads) ||
            (*kv_heads != 0 && *kv_heads != (int64_t)found)) {
            return refuse(error, "a num_heads_kv that is not the same in every layer, or above "
                                 "num_heads");
        }
        *kv_heads = (int64_t)found;
    }
    return ATTN_OK;
}

static attn_status read_activation(const attn_tensor_file *file, const char *side,
                                   attn_activation *out, attn_error *error) {
    static const attn_activation known[] = {ATTN_ACTIVATION_RELU, ATTN_ACTIVATION_GELU_TANH,
                                            ATTN_ACTIVATION_SWISH, ATTN_ACTIVATION_GELU,
                                            ATTN_ACTIVATION_GELU_SIGMOID};
    double number = setting_or(file, side, "activation", 0);
    if (!(number >= 0 && number < (double)(sizeof known / sizeof known[0]))) {
        return refuse(error, "an unknown activation");
    }
    *out = known[(int)number];
    return ATTN_OK;
}

/* Embeddings are multiplied by sqrt(d_model), by nothing, or by a number that is one of the two. */
static attn_status read_scale(const attn_tensor_file *file, const char *side, int64_t d_model,
                              bool *plain, attn_error *error) {
    double root = sqrt((double)d_model), scale = 1;
    char key[64];
    snprintf(key, sizeof key, "%s/scale_embeddings", side);
    const attn_tensor_info *tensor = attn_tensor_file_find(file, key);
    if (setting_or(file, side, "embeddings/multiply_by_sqrt_depth", 0) != 0) {
        scale = root;
    } else if (tensor != NULL) {
        double value = setting_or(file, side, "scale_embeddings", 0);
        bool number = tensor->dtype == ATTN_DTYPE_F32 || tensor->dtype == ATTN_DTYPE_F16;
        scale = number ? value : value != 0 ? root : 1;
    }
    *plain = fabs(scale - 1) < 1e-6;
    return *plain || fabs(scale / root - 1) < 1e-3 ? ATTN_OK
                                                   : refuse(error, "embeddings scaled otherwise");
}

/* Whether both names stand for one table. */
static bool same_tensor(const attn_tensor_file *file, const char *a, const char *b) {
    const attn_tensor_info *x = attn_tensor_file_find(file, a), *y = attn_tensor_file_find(file, b);
    return x != NULL && y != NULL &&
           (x->data == y->data || (x->size == y->size && memcmp(x->data, y->data, x->size) == 0));
}

static const char *source_table(const attn_tensor_file *file) {
    return attn_tensor_file_find(file, "encoder/embeddings_0/weight") != NULL
               ? "encoder/embeddings_0/weight"
               : "encoder/embeddings/weight";
}

static attn_embeddings embeddings_of(const attn_tensor_file *file) {
    static const char target[] = "decoder/embeddings/weight";
    if (!same_tensor(file, target, "decoder/projection/weight")) {
        return ATTN_EMBEDDINGS_UNTIED;
    }
    return same_tensor(file, source_table(file), target) ? ATTN_EMBEDDINGS_TIED
                                                         : ATTN_EMBEDDINGS_TARGET;
}

/* How one layer turns queries and keys; -1: it does not. */
typedef struct rotation {
    double dim, interleave, base;
} rotation;

static rotation rotation_of(const attn_tensor_file *file, const char *side, int64_t layer) {
    char scope[64];
    snprintf(scope, sizeof scope, "%s/layer_%lld/self_attention", side, (long long)layer);
    return (rotation){.dim = setting_or(file, scope, "rotary_dim", -1),
                      .interleave = setting_or(file, scope, "rotary_interleave", 1) != 0,
                      .base = setting_or(file, scope, "rotary_base", 10000)};
}

/* Every layer must turn in the same way; *first: that of the first, or a dim of NAN before it was seen. */
static attn_status read_rotations(const attn_tensor_file *file, const char *side, int64_t layers,
                                  rotation *first, attn_error *error) {
    for (int64_t i = 0; i < layers; i++) {
        rotation r = rotation_of(file, side, i);
        *first = isnan(first->dim) ? r : *first;
        if (r.dim != first->dim ||
            (r.dim >= 0 && (r.interleave != first->interleave || r.base != first->base))) {
            return refuse(error, "rotary positions that are not the same in every layer");
        }
    }
    bool whole = first->base > 1 && first->base <= 1 << 30 && first->base == floor(first->base);
    return first->dim >= 0 && !(whole && first->dim <= 1 << 14)
               ? refuse(error, "a rotary_base that is no whole number from 2 to 2^30, or a "
                               "rotary_dim that no head has")
               : ATTN_OK;
}

static attn_rotary rotary_of(const rotation *r) {
    return !(r->dim >= 0)       ? ATTN_ROTARY_NONE
           : r->interleave != 0 ? ATTN_ROTARY_ADJACENT
                                : ATTN_ROTARY_HALVES;
}

/* Both sides. */
static attn_status read_rotary(const attn_tensor_file *file, attn_translator_config *config,
                               attn_error *error) {
    rotation r = {.dim = NAN};
    attn_status status = read_rotations(file, "encoder", config->encoder_layers, &r, error);
    if (status == ATTN_OK) {
        status = read_rotations(file, "decoder", config->decoder_layers, &r, error);
    }
    config->rotary = rotary_of(&r);
    if (status == ATTN_OK && config->rotary != ATTN_ROTARY_NONE) {
        config->rotary_base = (int64_t)r.base;
        config->rotary_dim = (int64_t)r.dim;
    }
    return status;
}

/* Every layer of a side must have the table of the first, and both sides the same buckets. */
static attn_status read_relative(const attn_tensor_file *file, attn_translator_config *config,
                                 attn_error *error) {
    static const char *const sides[] = {"encoder", "decoder"};
    const int64_t layers[] = {config->encoder_layers, config->decoder_layers};
    const attn_tensor_info *table = attn_tensor_file_find(file, DISTANCES("encoder", "0"));
    double longest =
        setting_or(file, "encoder/layer_0/self_attention", "relative_attention_max_distance", 0);
    bool same = true;
    for (int64_t i = 0; i < layers[0] + layers[1]; i++) {
        const char *side = sides[i >= layers[0]];
        char scope[64], name[96], first[96];
        snprintf(scope, sizeof scope, "%s/layer_%lld/self_attention", side,
                 (long long)(i < layers[0] ? i : i - layers[0]));
        snprintf(name, sizeof name, "%s/relative_attention_bias", scope);
        snprintf(first, sizeof first, "%s/layer_0/self_attention/relative_attention_bias", side);
        same = same &&
               (table != NULL ? same_tensor(file, name, first)
                              : attn_tensor_file_find(file, name) == NULL) &&
               setting_or(file, scope, "relative_attention_max_distance", 0) == longest;
    }
    const attn_tensor_info *other = attn_tensor_file_find(file, DISTANCES("decoder", "0"));
    if (!same || (table != NULL && (table->rank != 2 || other == NULL || other->rank != 2 ||
                                    table->shape[0] != other->shape[0]))) {
        return refuse(error, "relative positions that are not the same in every layer");
    }
    if (table == NULL) {
        return ATTN_OK;
    }
    if (!(longest >= 1 && longest <= 1 << 16)) {
        return refuse(error, "a relative_attention_max_distance that is not from 1 to 65536");
    }
    config->relative = true;
    config->relative_buckets = table->shape[0];
    config->relative_distance = (int64_t)longest;
    return ATTN_OK;
}

static attn_status read_positions(const attn_tensor_file *file, attn_translator_config *config,
                                  attn_error *error) {
    static const char encoder[] = "encoder/position_encodings/encodings";
    static const char decoder[] = "decoder/position_encodings/encodings";
    const attn_tensor_info *table = attn_tensor_file_find(file, encoder);
    attn_status status = read_rotary(file, config, error);
    status = status == ATTN_OK ? read_relative(file, config, error) : status;
    bool added = attn_translator_adds_positions(config);
    config->max_length = 1024;
    config->first_position = added;
    if (status != ATTN_OK || !added) {
        return status;
    }
    if (table == NULL) {
        return attn_tensor_file_find(file, decoder) == NULL
                   ? ATTN_OK
                   : refuse(error, "positions of the decoder alone");
    }
    if (!same_tensor(file, encoder, decoder)) {
        return refuse(error, "other positions in the decoder than in the encoder");
    }
    config->first_position = 0;
    config->learned_positions = true;
    config->max_length = table->rank == 2 ? table->shape[0] : 0;
    return ATTN_OK;
}

static double epsilon_of(const json_t *settings, bool rms_norm) {
    const json_t *epsilon = json_object_get(settings, "layer_norm_epsilon");
    return json_is_real(epsilon) ? json_real_value(epsilon) : rms_norm ? 1e-6 : 0;
}

/* Of all three attentions. */
static attn_status read_all_kv_heads(const attn_tensor_file *file, attn_translator_config *c,
                                     attn_error *error) {
    const struct {
        const char *side, *part;
        int64_t layers;
    } all[] = {{"encoder", "self_attention", c->encoder_layers},
               {"decoder", "self_attention", c->decoder_layers},
               {"decoder", "attention", c->decoder_layers}};
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == ATTN_OK; i++) {
        status = read_kv_heads(file, all[i].side, all[i].part, all[i].layers, c->heads,
                               &c->kv_heads, error);
    }
    return status;
}

static attn_status read_config(const attn_tensor_file *file, const json_t *settings,
                               attn_translator_config *config, attn_error *error) {
    attn_translator_config_init(config);
    const attn_tensor_info *table = attn_tensor_file_find(file, source_table(file));
    const attn_tensor_info *up = attn_tensor_file_find(file, "encoder/layer_0/ffn/linear_0/weight");
    if (table == NULL || table->rank != 2 || up == NULL || up->rank != 2) {
        return refuse(error, "neither encoder and decoder nor a decoder alone");
    }
    config->d_model = table->shape[1];
    config->ffn = up->shape[0];
    config->heads = heads_of(file, "encoder");
    config->kv_heads = 0;
    config->encoder_layers = count_layers(file, "encoder");
    config->decoder_layers = count_layers(file, "decoder");
    config->pre_norm = setting_or(file, "encoder", "pre_norm", 1) != 0;
    config->rms_norm =
        attn_tensor_file_find(file, "encoder/layer_0/self_attention/layer_norm/beta") == NULL;
    config->norm_epsilon = epsilon_of(settings, config->rms_norm);
    config->gated =
        attn_tensor_file_find(file, "encoder/layer_0/ffn/linear_0_noact/weight") != NULL;
    config->embedding_norm =
        attn_tensor_file_find(file, "encoder/layernorm_embedding/gamma") != NULL;
    config->embeddings = embeddings_of(file);
    config->output_bias = true;
    attn_status status = check_settings(file, error);
    status = status == ATTN_OK ? check_all_known(file, error) : status;
    status = status == ATTN_OK ? read_all_kv_heads(file, config, error) : status;
    status =
        status == ATTN_OK ? read_activation(file, "encoder", &config->activation, error) : status;
    status = status == ATTN_OK ? read_positions(file, config, error) : status;
    return status == ATTN_OK
               ? read_scale(file, "encoder", config->d_model, &config->plain_embeddings, error)
               : status;
}

/* ---- vocabularies ---- */

enum { SPM_LIMIT = 256 << 20 };

/* The first of the names that the bundle has, in its own folder or in that of the tensors; NULL: none. */
static const char *first_of(attn_bundle *bundle, const char *const *names) {
    for (; *names != NULL; names++) {
        for (size_t i = 0; i < attn_bundle_count(bundle); i++) {
            const char *name = attn_bundle_name(bundle, i), *slash = strrchr(name, '/');
            if (strcmp(slash != NULL ? slash + 1 : name, *names) == 0) {
                return name;
            }
        }
    }
    return NULL;
}

static attn_status add_lines(char *text, attn_piece_table *out, attn_error *error) {
    attn_status status = ATTN_OK;
    for (char *line = text; *line != '\0' && status == ATTN_OK;) {
        char *end = strchr(line, '\n');
        char *next = end != NULL ? end + 1 : line + strlen(line);
        if (end != NULL) {
            *end = '\0';
        }
        status = attn_piece_table_add(out, line, false, error);
        line = next;
    }
    return status;
}

static attn_status add_list(const json_t *list, const char *name, attn_piece_table *out,
                            attn_error *error) {
    attn_status status = ATTN_OK;
    size_t i;
    json_t *piece;
    json_array_foreach(list, i, piece) {
        if (status == ATTN_OK) {
            const char *text = json_string_value(piece);
            status = text != NULL ? attn_piece_table_add(out, text, false, error)
                                  : attn_fail(error, ATTN_ERR_FORMAT, name, -1, NULL,
                                              "entry %zu is no text", i);
        }
    }
    return status;
}

static attn_status read_table(attn_bundle *bundle, const char *name, attn_piece_table *out,
                              attn_error *error) {
    if (!attn_name_ends(name, ".txt")) {
        json_t *list = NULL;
        attn_status status = attn_import_json(bundle, name, &list, error);
        status = status == ATTN_OK ? add_list(list, name, out, error) : status;
        json_decref(list);
        return status;
    }
    char *text;
    size_t size;
    attn_status status = attn_bundle_read(bundle, name, SPM_LIMIT, &text, &size, error);
    if (status == ATTN_OK) {
        status = add_lines(text, out, error);
        attn_free(text);
    }
    return status;
}

/* The tokens that config.json names. */
static attn_status find_special(const json_t *settings, attn_piece_table *table,
                                attn_error *error) {
    const struct {
        const char *key, *usual;
        int32_t *id;
    } all[] = {{"unk_token", "<unk>", &table->special.unk},
               {"bos_token", "<s>", &table->special.bos},
               {"eos_token", "</s>", &table->special.eos}};
    attn_status status = attn_piece_table_finish_by_name(table, error);
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == ATTN_OK; i++) {
        const char *text = attn_json_text(settings, all[i].key, all[i].usual);
        int32_t id = attn_piece_table_find(table, text, strlen(text));
        *all[i].id = id >= 0 ? id : *all[i].id;
    }
    return status;
}

static attn_status read_side(attn_bundle *bundle, const json_t *settings, bool target,
                             attn_import_side *s, attn_error *error) {
    static const char *const tables[2][5] = {
        {"shared_vocabulary.json", "shared_vocabulary.txt", "source_vocabulary.json",
         "source_vocabulary.txt", NULL},
        {"shared_vocabulary.json", "shared_vocabulary.txt", "target_vocabulary.json",
         "target_vocabulary.txt", NULL}};
    static const char *const segmenters[2][4] = {
        {"source.spm", "sentencepiece.model", "sentencepiece.bpe.model", NULL},
        {"target.spm", "sentencepiece.model", "sentencepiece.bpe.model", NULL}};
    const char *table = first_of(bundle, tables[target]);
    const char *segmenter = first_of(bundle, segmenters[target]);
    if (table == NULL || segmenter == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, "put it beside model.bin",
                         "there is no %s with this CTranslate2 model",
                         table == NULL ? "vocabulary" : segmenters[target][0]);
    }
    attn_status status =
        attn_bundle_read(bundle, segmenter, SPM_LIMIT, &s->segmenter, &s->segmenter_size, error);
    status = status == ATTN_OK ? read_table(bundle, table, &s->theirs, error) : status;
    return status == ATTN_OK ? find_special(settings, &s->theirs, error) : status;
}

/* The word that begins a translation; -1: zeros. */
static int32_t start_of(const attn_tensor_file *file, const json_t *settings,
                        const attn_piece_table *target) {
    if (setting_or(file, "decoder", "start_from_zero_embedding", 0) != 0) {
        return -1;
    }
    const char *text = attn_json_text(settings, "decoder_start_token",
                                      attn_json_text(settings, "bos_token", "<s>"));
    return attn_piece_table_find(target, text, strlen(text));
}

static attn_status read_sides(attn_bundle *bundle, const attn_tensor_file *file,
                              const json_t *settings, attn_import_side side[2], attn_error *error) {
    const char *tables[2] = {source_table(file), "decoder/embeddings/weight"};
    attn_status status = ATTN_OK;
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        status = read_side(bundle, settings, i == 1, &side[i], error);
    }
    bool tied = embeddings_of(file) == ATTN_EMBEDDINGS_TIED;
    int32_t start = status == ATTN_OK ? start_of(file, settings, &side[1].theirs) : -1;
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        const attn_tensor_info *table = attn_tensor_file_find(file, tables[i]);
        int64_t rows = table != NULL && table->rank == 2 ? table->shape[0] : 0;
        status = attn_import_side_number(&side[i], rows, i == 1 || tied ? start : -1, error);
    }
    return status;
}

/* ---- the whole ---- */

static attn_status read_model(const attn_tensor_file *file, const json_t *settings, bool bare,
                              const attn_import_side side[2], attn_imported *out,
                              attn_error *error) {
    attn_translator_config config;
    attn_status status = read_config(file, settings, &config, error);
    config.bare_source = bare;
    if (status != ATTN_OK) {
        return status;
    }
    const attn_weight_map map = attn_weights_ctranslate2(&config);
    return attn_import_network(&config, &map, file, side, &out->translator, &out->tokenizer, error);
}

/* An Argos package: its languages; and its models, made by OpenNMT, read sources without </s>. */
static attn_status read_package(attn_bundle *bundle, bool *found, attn_imported *out,
                                attn_error *error) {
    json_t *package = NULL;
    *found = attn_bundle_has(bundle, "metadata.json");
    if (!*found) {
        return ATTN_OK;
    }
    attn_status status = attn_import_json(bundle, "metadata.json", &package, error);
    if (status == ATTN_OK) {
        snprintf(out->source, sizeof out->source, "%s", attn_json_text(package, "from_code", ""));
        snprintf(out->target, sizeof out->target, "%s", attn_json_text(package, "to_code", ""));
    }
    json_decref(package);
    return status;
}

static attn_status ctranslate2_read(const attn_import_files *files, const attn_tensor_file *file,
                                    attn_imported *out, attn_error *error) {
    static const char *const config[] = {"config.json", NULL};
    attn_import_side side[2] = {{.segmenter = NULL}};
    json_t *settings = NULL;
    const char *name = first_of(files->bundle, config);
    attn_status status =
        name != NULL ? attn_import_json(files->bundle, name, &settings, error) : ATTN_OK;
    bool package = false;
    if (status == ATTN_OK) {
        status = read_package(files->bundle, &package, out, error);
    }
    if (status == ATTN_OK) {
        status = read_sides(files->bundle, file, settings, side, error);
    }
    if (status == ATTN_OK) {
        bool bare = package && !attn_json_flag(settings, "add_source_eos", false);
        status = read_model(file, settings, bare, side, out, error);
    }
    json_decref(settings);
    attn_import_side_free(&side[0]);
    attn_import_side_free(&side[1]);
    return status;
}

/* ---- a decoder alone ---- */

#define ALONE                                                                                      \
    {"embedding", "decoder/embeddings/weight", ATTN_WEIGHT_SAME, 0, 0},                            \
        {"output", "decoder/projection/weight", ATTN_WEIGHT_SAME, 0, 0},                           \
        {"output.bias", "decoder/projection/bias", ATTN_WEIGHT_SAME, 0, 0},                        \
        {"positions", "decoder/position_encodings/encodings", ATTN_WEIGHT_SAME, 0, 0},             \
        SELF("decoder.#.self", "decoder/layer_#/self_attention"),                                  \
        NORM("decoder.#.norm_self", "decoder/layer_#/self_attention"),                             \
        NORM("decoder.#.norm_feed_forward", "decoder/layer_#/ffn"),                                \
        NORM("decoder.norm", "decoder"),                                                           \
        {"embedding_norm.gamma", "decoder/layernorm_embedding/gamma", ATTN_WEIGHT_SAME, 0, 0}, {   \
        "embedding_norm.beta", "decoder/layernorm_embedding/beta", ATTN_WEIGHT_SAME, 0, 0          \
    }

static const attn_weight_rule plain_alone[] = {
    ALONE, FEED_FORWARD("decoder.#.feed_forward", "decoder/layer_#/ffn")};
static const attn_weight_rule gated_alone[] = {
    ALONE, GATED("decoder.#.feed_forward", "decoder/layer_#/ffn")};

enum { ROTARY_LENGTH = 1 << 14 }; /* where positions are rotary the file sets no limit */

static attn_status read_alone_positions(const attn_tensor_file *file, attn_decoder_config *c,
                                        attn_error *error) {
    const attn_tensor_info *table =
        attn_tensor_file_find(file, "decoder/position_encodings/encodings");
    rotation r = {.dim = NAN};
    attn_status status = read_rotations(file, "decoder", c->layers, &r, error);
    c->rotary = rotary_of(&r);
    c->learned_positions = c->rotary == ATTN_ROTARY_NONE && table != NULL;
    c->first_position = c->rotary == ATTN_ROTARY_NONE && table == NULL;
    if (c->learned_positions) {
        c->max_length = table->rank == 2 ? table->shape[0] : 0;
    } else if (status == ATTN_OK && c->rotary != ATTN_ROTARY_NONE) {
        c->max_length = ROTARY_LENGTH;
        c->rotary_base = (int64_t)r.base;
        c->rotary_dim = (int64_t)r.dim;
    }
    return status;
}

/* Whether a layer has a tensor of this name. */
static bool has_layer_with(const attn_tensor_file *file, const char *name) {
    bool found = false;
    for (size_t i = 0; i < attn_tensor_file_count(file) && !found; i++) {
        found = attn_name_ends(attn_tensor_file_at(file, i)->name, name);
    }
    return found;
}

static attn_status read_alone_config(const attn_tensor_file *file, const json_t *settings,
                                     attn_decoder_config *c, attn_error *error) {
    static const char words[] = "decoder/embeddings/weight";
    const attn_tensor_info *table = attn_tensor_file_find(file, words);
    const attn_tensor_info *up = attn_tensor_file_find(file, "decoder/layer_0/ffn/linear_0/weight");
    bool plain = true;
    attn_decoder_config_init(c);
    if (table == NULL || table->rank != 2 || up == NULL || up->rank != 2) {
        return refuse(error, "a decoder without words or layers");
    }
    if (attn_tensor_file_find(file, "decoder/layer_0/self_attention/layer_norm/gamma") == NULL) {
        return refuse(error, "attention and feed-forward side by side, or norms on both sides of "
                             "them");
    }
    if (has_layer_with(file, "/relative_attention_bias")) {
        return refuse(error, "relative positions and no encoder");
    }
    c->vocabulary = table->shape[0];
    c->d_model = table->shape[1];
    c->ffn = up->shape[0];
    c->heads = heads_of(file, "decoder");
    c->kv_heads = 0;
    c->layers = count_layers(file, "decoder");
    c->post_norm = setting_or(file, "decoder", "pre_norm", 1) == 0;
    c->rms_norm =
        attn_tensor_file_find(file, "decoder/layer_0/self_attention/layer_norm/beta") == NULL;
    c->norm_epsilon = epsilon_of(settings, c->rms_norm);
    c->gated = attn_tensor_file_find(file, "decoder/layer_0/ffn/linear_0_noact/weight") != NULL;
    c->embedding_norm = attn_tensor_file_find(file, "decoder/layernorm_embedding/gamma") != NULL;
    c->own_output = !same_tensor(file, words, "decoder/projection/weight");
    c->output_bias = attn_tensor_file_find(file, "decoder/projection/bias") != NULL;
    attn_status status = check_off(file, error);
    status = status == ATTN_OK ? check_all_known(file, error) : status;
    if (status == ATTN_OK) {
        status = read_kv_heads(file, "decoder", "self_attention", c->layers, c->heads, &c->kv_heads,
                               error);
    }
    status = status == ATTN_OK ? read_activation(file, "decoder", &c->activation, error) : status;
    status = status == ATTN_OK ? read_alone_positions(file, c, error) : status;
    status = status == ATTN_OK ? read_scale(file, "decoder", c->d_model, &plain, error) : status;
    c->scaled_embeddings = !plain;
    return status;
}

/* The id of a token that config.json names, before the table is finished; -1: there is none. */
static int32_t find_token(const attn_piece_table *table, const json_t *settings, const char *key,
                          const char *usual) {
    const char *text = attn_json_text(settings, key, usual);
    for (int32_t id = 0; id < table->count; id++) {
        if (table->piece[id].text != NULL && strcmp(table->piece[id].text, text) == 0) {
            return id;
        }
    }
    return -1;
}

/* What cuts texts lies beside the model, or texts are tokens parted by spaces. */
static attn_status make_alone_tokenizer(attn_bundle *bundle, attn_piece_table *table, bool *cut,
                                        attn_tokenizer **out, attn_error *error) {
    static const char *const kinds[] = {"tokenizer.json", "sentencepiece.model", "tokenizer.model",
                                        "sentencepiece.bpe.model", NULL};
    const char *name = first_of(bundle, kinds);
    char *text = NULL, *bytes = NULL;
    size_t length = 0, size = 0;
    attn_status status =
        name != NULL ? attn_bundle_read(bundle, name, SPM_LIMIT, &text, &length, error) : ATTN_OK;
    *cut = name != NULL;
    table->plain = name == NULL;
    if (status == ATTN_OK && name != NULL && attn_name_ends(name, ".json")) {
        status = attn_tokenizer_json(text, length, &bytes, &size, error);
    } else if (status == ATTN_OK) {
        status = attn_piece_table_finish(table, error);
        if (status == ATTN_OK) {
            status = attn_piece_table_over(table, name != NULL ? text : "", length, &bytes, &size,
                                           error);
        }
    }
    if (status == ATTN_OK) {
        status = attn_tokenizer_from_bytes(bytes, size, out, error);
    }
    free(bytes);
    attn_free(text);
    return status;
}

/* Whether who made the model puts <s> in front of texts; Llama's tokenizer does unless it is told otherwise. */
static bool begins_texts(attn_bundle *bundle) {
    static const char *const kinds[] = {"tokenizer_config.json", NULL};
    static const char *const segmenters[] = {"tokenizer.json", NULL};
    json_t *json = NULL;
    const char *name = first_of(bundle, kinds);
    bool usual = first_of(bundle, segmenters) == NULL;
    if (name == NULL || attn_import_json(bundle, name, &json, NULL) != ATTN_OK) {
        return usual;
    }
    bool begins = attn_json_flag(json, "add_bos_token", usual);
    json_decref(json);
    return begins;
}

static attn_status read_alone_words(attn_bundle *bundle, const json_t *settings,
                                    attn_decoder_config *c, attn_tokenizer **out,
                                    attn_error *error) {
    static const char *const tables[] = {"vocabulary.json", "vocabulary.txt", NULL};
    attn_piece_table table = {.piece = NULL};
    const char *name = first_of(bundle, tables);
    bool cut = false;
    if (name == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, "put it beside model.bin",
                         "there is no vocabulary.json with this CTranslate2 model");
    }
    attn_status status = read_table(bundle, name, &table, error);
    if (status == ATTN_OK && table.count > c->vocabulary) {
        status = attn_fail(error, ATTN_ERR_FORMAT, name, -1,
                           "give the vocabulary that the model was trained with",
                           "the vocabulary has %d pieces, the model %lld words", (int)table.count,
                           (long long)c->vocabulary);
    }
    if (status == ATTN_OK) {
        int32_t bos = find_token(&table, settings, "bos_token", "<s>");
        c->end_token = find_token(&table, settings, "eos_token", "</s>");
        table.special = (attn_special_ids){-1, find_token(&table, settings, "unk_token", "<unk>"),
                                           bos, (int32_t)c->end_token};
        status = make_alone_tokenizer(bundle, &table, &cut, out, error);
        c->start_token = cut && begins_texts(bundle) ? bos : -1;
    }
    attn_piece_table_free(&table);
    return status;
}

static attn_status read_alone_weights(const attn_decoder_config *config,
                                      const attn_tensor_file *file, attn_decoder **out,
                                      attn_error *error) {
    static const attn_weight_map maps[] = {MAP(plain_alone), MAP(gated_alone)};
    attn_weight_map map = maps[config->gated];
    map.heads = config->heads;
    map.kv_heads = config->kv_heads;
    map.biases_may_lack = true;
    attn_status status = attn_decoder_declare(config, out, error);
    if (status == ATTN_OK) {
        const attn_params *params = attn_decoder_params(*out);
        status = attn_import_check_size(file, params, attn_params_size(params) / 2, error);
    }
    status = status == ATTN_OK ? attn_decoder_allocate(*out, false, error) : status;
    return status == ATTN_OK
               ? attn_import_weights(&map, file, NULL, NULL, attn_decoder_params(*out), error)
               : status;
}

static attn_status alone_read(const attn_import_files *files, const attn_tensor_file *file,
                              attn_imported *out, attn_error *error) {
    static const char *const names[] = {"config.json", NULL};
    attn_decoder_config config;
    json_t *settings = NULL;
    const char *name = first_of(files->bundle, names);
    attn_status status =
        name != NULL ? attn_import_json(files->bundle, name, &settings, error) : ATTN_OK;
    status = status == ATTN_OK ? read_alone_config(file, settings, &config, error) : status;
    if (status == ATTN_OK) {
        status = read_alone_words(files->bundle, settings, &config, &out->tokenizer, error);
    }
    json_decref(settings);
    return status == ATTN_OK ? read_alone_weights(&config, file, &out->decoder, error) : status;
}

static bool alone_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    (void)bundle;
    return attn_tensor_file_kind_of(file) == ATTN_FILE_CTRANSLATE2 &&
           attn_tensor_file_find(file, source_table(file)) == NULL &&
           attn_tensor_file_find(file, "decoder/embeddings/weight") != NULL;
}

const attn_importer attn_import_ctranslate2_decoder = {
    .kind = "CTranslate2",
    .recognises = alone_recognises,
    .read = alone_read,
};

/* ---- encoder and decoder ---- */

static bool ctranslate2_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    (void)bundle;
    return attn_tensor_file_kind_of(file) == ATTN_FILE_CTRANSLATE2;
}

const attn_importer attn_import_ctranslate2 = {
    .kind = "CTranslate2",
    .recognises = ctranslate2_recognises,
    .read = ctranslate2_read,
};
