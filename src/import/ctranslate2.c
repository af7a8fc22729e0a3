/* import/ctranslate2.c: models that CTranslate2 runs.
 *
 *     model.bin, config.json                        the tensors and what the network is; which tokens begin and end
 *     shared_vocabulary.json (or .txt)              pieces by id; or source_vocabulary and target_vocabulary
 *     source.spm, target.spm, sentencepiece.model   the segmenters, which CTranslate2 itself does not need
 *
 * Names of tensors: CTranslate2 python/ctranslate2/specs. Positions are in the file, rotary, relative, or sinusoids from 1; a translation begins with
 * zeros or with the word decoder_start_token; the norms' epsilon is 1e-5, of RMSNorm
 * 1e-6, unless config.json has another. */
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
#include "models/translator.h"

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
#define SELF(ours, theirs)                                                                         \
    PART(ours ".query", theirs "/linear_0", 0, 3), PART(ours ".key", theirs "/linear_0", 1, 3),    \
        PART(ours ".value", theirs "/linear_0", 2, 3), LINEAR(ours ".output", theirs "/linear_1")
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

const attn_weight_map *attn_weights_ctranslate2(bool gated) {
    static const attn_weight_map maps[] = {MAP(plain_rules), MAP(gated_rules)};
    return &maps[gated];
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
                                        "multi_query_attention"};
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
static attn_status check_settings(const attn_tensor_file *file, attn_error *error) {
    static const struct {
        const char *key, *what;
    } off[] = {{"alibi", "ALiBi"},
               {"multi_query_attention", "one key for all heads"},
               {"project_in", "a projection of the embeddings"}};
    static const char *const sides[] = {"encoder", "decoder"};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        for (int s = 0; s < 2; s++) {
            if (setting_or(file, sides[s], off[i].key, 0) != 0) {
                return refuse(error, off[i].what);
            }
        }
    }
    for (size_t i = 0; i < 4; i++) {
        static const char *const same[] = {"num_heads", "pre_norm", "activation",
                                           "scale_embeddings"};
        if (setting_or(file, "encoder", same[i], -1) != setting_or(file, "decoder", same[i], -1)) {
            return refuse(error, "different settings for encoder and decoder");
        }
    }
    return ATTN_OK;
}

static attn_status read_activation(const attn_tensor_file *file, attn_activation *out,
                                   attn_error *error) {
    static const attn_activation known[] = {ATTN_ACTIVATION_RELU, ATTN_ACTIVATION_GELU_TANH,
                                            ATTN_ACTIVATION_SWISH, ATTN_ACTIVATION_GELU,
                                            ATTN_ACTIVATION_GELU_SIGMOID};
    double number = setting_or(file, "encoder", "activation", 0);
    if (!(number >= 0 && number < (double)(sizeof known / sizeof known[0]))) {
        return refuse(error, "an unknown activation");
    }
    *out = known[(int)number];
    return ATTN_OK;
}

/* Embeddings are multiplied by sqrt(d_model), by nothing, or by a number that is one of the two. */
static attn_status read_scale(const attn_tensor_file *file, int64_t d_model, bool *plain,
                              attn_error *error) {
    double root = sqrt((double)d_model), scale = 1;
    static const char key[] = "encoder/scale_embeddings";
    const attn_tensor_info *tensor = attn_tensor_file_find(file, key);
    if (setting_or(file, "encoder", "embeddings/multiply_by_sqrt_depth", 0) != 0) {
        scale = root;
    } else if (tensor != NULL) {
        double value = setting_or(file, "encoder", "scale_embeddings", 0);
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

/* Every layer of both sides must turn in the same way. */
static attn_status read_rotary(const attn_tensor_file *file, attn_translator_config *config,
                               attn_error *error) {
    rotation first = rotation_of(file, "encoder", 0);
    for (int64_t i = 0; i < config->encoder_layers + config->decoder_layers; i++) {
        bool encoder = i < config->encoder_layers;
        rotation r = rotation_of(file, encoder ? "encoder" : "decoder",
                                 encoder ? i : i - config->encoder_layers);
        if (r.dim != first.dim ||
            (r.dim >= 0 && (r.interleave != first.interleave || r.base != first.base))) {
            return refuse(error, "rotary positions that are not the same in every layer");
        }
    }
    if (first.dim < 0) {
        return ATTN_OK;
    }
    if (!(first.base > 1 && first.base <= 1 << 30 && first.base == floor(first.base))) {
        return refuse(error, "a rotary_base that is no whole number from 2 to 2^30");
    }
    config->rotary = first.interleave != 0 ? ATTN_ROTARY_ADJACENT : ATTN_ROTARY_HALVES;
    config->rotary_base = (int64_t)first.base;
    config->rotary_dim = (int64_t)first.dim;
    return ATTN_OK;
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

static attn_status read_config(const attn_tensor_file *file, const json_t *settings,
                               attn_translator_config *config, attn_error *error) {
    attn_translator_config_init(config);
    const attn_tensor_info *table = attn_tensor_file_find(file, source_table(file));
    const attn_tensor_info *up = attn_tensor_file_find(file, "encoder/layer_0/ffn/linear_0/weight");
    if (table == NULL || table->rank != 2 || up == NULL || up->rank != 2) {
        return refuse(error, "no encoder; attn reads encoder and decoder");
    }
    const json_t *epsilon = json_object_get(settings, "layer_norm_epsilon");
    config->d_model = table->shape[1];
    config->ffn = up->shape[0];
    config->heads = config->kv_heads = (int64_t)setting_or(file, "encoder", "num_heads", 8);
    config->encoder_layers = count_layers(file, "encoder");
    config->decoder_layers = count_layers(file, "decoder");
    config->pre_norm = setting_or(file, "encoder", "pre_norm", 1) != 0;
    config->rms_norm =
        attn_tensor_file_find(file, "encoder/layer_0/self_attention/layer_norm/beta") == NULL;
    config->norm_epsilon = json_is_real(epsilon) ? json_real_value(epsilon)
                           : config->rms_norm    ? 1e-6
                                                 : 0;
    config->gated =
        attn_tensor_file_find(file, "encoder/layer_0/ffn/linear_0_noact/weight") != NULL;
    config->embedding_norm =
        attn_tensor_file_find(file, "encoder/layernorm_embedding/gamma") != NULL;
    config->embeddings = embeddings_of(file);
    config->output_bias = true;
    attn_status status = check_settings(file, error);
    status = status == ATTN_OK ? check_all_known(file, error) : status;
    status = status == ATTN_OK ? read_activation(file, &config->activation, error) : status;
    status = status == ATTN_OK ? read_positions(file, config, error) : status;
    return status == ATTN_OK ? read_scale(file, config->d_model, &config->plain_embeddings, error)
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
    return status == ATTN_OK
               ? attn_import_network(&config, attn_weights_ctranslate2(config.gated), file, side,
                                     &out->translator, &out->tokenizer, error)
               : status;
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

static bool ctranslate2_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    (void)bundle;
    return attn_tensor_file_kind_of(file) == ATTN_FILE_CTRANSLATE2;
}

const attn_importer attn_import_ctranslate2 = {
    .kind = "CTranslate2",
    .recognises = ctranslate2_recognises,
    .read = ctranslate2_read,
};
