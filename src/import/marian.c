/* import/marian.c: Marian's models: OPUS-MT and what `marian` trains.
 *
 *     NAME.npz or NAME.bin           the tensors, and the options as "special:model.yml"
 *     decoder.yml, NAME.decoder.yml  names the vocabularies, two of them
 *     vocab.yml, NAME.spm            pieces by id; a .spm is its own segmenter
 *     source.spm, target.spm         the segmenters of a vocabulary in YAML
 *
 * Names of tensors: marian-dev src/models/transformer.h. A translation begins with a vector of zeros, positions count from 0, and
 * the norms' epsilon is 1e-6. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/export.h"
#include "import/import.h"
#include "import/side.h"
#include "io/yaml.h"

/* ---- names ---- */

#define ATTENTION(ours, theirs)                                                                    \
    {ours ".query.weight", theirs "_Wq", ATTN_WEIGHT_TRANSPOSED, 0, 0},                            \
        {ours ".key.weight", theirs "_Wk", ATTN_WEIGHT_TRANSPOSED, 0, 0},                          \
        {ours ".value.weight", theirs "_Wv", ATTN_WEIGHT_TRANSPOSED, 0, 0},                        \
        {ours ".output.weight", theirs "_Wo", ATTN_WEIGHT_TRANSPOSED, 0, 0},                       \
        {ours ".query.bias", theirs "_bq", ATTN_WEIGHT_SAME, 0, 0},                                \
        {ours ".key.bias", theirs "_bk", ATTN_WEIGHT_SAME, 0, 0},                                  \
        {ours ".value.bias", theirs "_bv", ATTN_WEIGHT_SAME, 0, 0}, {                              \
        ours ".output.bias", theirs "_bo", ATTN_WEIGHT_SAME, 0, 0                                  \
    }
/* After the sublayer or, with _pre, before it. */
#define NORM(ours, theirs)                                                                         \
    {ours ".gamma", theirs "_ln_scale", ATTN_WEIGHT_SAME, 0, 0},                                   \
        {ours ".beta", theirs "_ln_bias", ATTN_WEIGHT_SAME, 0, 0},                                 \
        {ours ".gamma", theirs "_ln_scale_pre", ATTN_WEIGHT_SAME, 0, 0}, {                         \
        ours ".beta", theirs "_ln_bias_pre", ATTN_WEIGHT_SAME, 0, 0                                \
    }
#define FEED_FORWARD(ours, theirs)                                                                 \
    {ours ".up.weight", theirs "_W1", ATTN_WEIGHT_TRANSPOSED, 0, 0},                               \
        {ours ".up.bias", theirs "_b1", ATTN_WEIGHT_SAME, 0, 0},                                   \
        {ours ".down.weight", theirs "_W2", ATTN_WEIGHT_TRANSPOSED, 0, 0}, {                       \
        ours ".down.bias", theirs "_b2", ATTN_WEIGHT_SAME, 0, 0                                    \
    }

static const attn_weight_rule rules[] = {
    {"embedding", "Wemb", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"source_embedding", "encoder_Wemb", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},
    {"source_embedding", "Wemb", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},
    {"target_embedding", "decoder_Wemb", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"target_embedding", "Wemb", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output", "decoder_ff_logit_out_Wt", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output", "decoder_ff_logit_out_W", ATTN_WEIGHT_TARGET_COLUMNS, 0, 0},
    {"output", "decoder_Wemb", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output.bias", "decoder_ff_logit_out_b", ATTN_WEIGHT_TARGET_BIAS, 0, 0},
    ATTENTION("encoder.#.self", "encoder_l#_self"),
    NORM("encoder.#.norm_self", "encoder_l#_self_Wo"),
    FEED_FORWARD("encoder.#.feed_forward", "encoder_l#_ffn"),
    NORM("encoder.#.norm_feed_forward", "encoder_l#_ffn_ffn"),
    ATTENTION("decoder.#.self", "decoder_l#_self"),
    NORM("decoder.#.norm_self", "decoder_l#_self_Wo"),
    {"decoder.#.self.input.weight", "decoder_l#_rnn_W", ATTN_WEIGHT_TRANSPOSED, 0, 0},
    {"decoder.#.self.forget.weight", "decoder_l#_rnn_Wf", ATTN_WEIGHT_TRANSPOSED, 0, 0},
    {"decoder.#.self.forget.bias", "decoder_l#_rnn_bf", ATTN_WEIGHT_SAME, 0, 0},
    NORM("decoder.#.norm_self", "decoder_l#_rnn_ffn"),
    ATTENTION("decoder.#.cross", "decoder_l#_context"),
    NORM("decoder.#.norm_cross", "decoder_l#_context_Wo"),
    FEED_FORWARD("decoder.#.feed_forward", "decoder_l#_ffn"),
    NORM("decoder.#.norm_feed_forward", "decoder_l#_ffn_ffn"),
    NORM("encoder.norm", "encoder_top"),
    NORM("decoder.norm", "decoder_top"),
    NORM("source_norm", "encoder_emb"),
    NORM("target_norm", "decoder_emb"),
};

static const char *const idle[] = {"special:", "none_QuantMultA", NULL};

const attn_weight_map attn_weights_marian = {
    .rules = rules,
    .rule_count = sizeof rules / sizeof rules[0],
    .first_layer = 1,
    .scale = ".multiplier",
    .integers_are_turned = true,
    .idle = idle,
};

/* ---- options ---- */

static const char *text_of(const attn_yaml *options, const char *key) {
    const char *value = attn_yaml_find(options, key);
    return value != NULL ? value : "";
}

static bool is_true(const attn_yaml *options, const char *key) {
    return strcmp(text_of(options, key), "true") == 0;
}

static int64_t number_of(const attn_yaml *options, const char *key) {
    return strtoll(text_of(options, key), NULL, 10);
}

static attn_status refuse(attn_error *error, const char *key, const char *value) {
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                     "a Marian model with %s: %s, which attn does not compute", key,
                     value[0] != '\0' ? value : "\"\"");
}

static bool is_recurrent(const attn_yaml *options) {
    return strcmp(text_of(options, "transformer-decoder-autoreg"), "rnn") == 0;
}

/* Options that change what is computed, and the values of them that attn computes. */
static attn_status check_options(const attn_yaml *options, attn_error *error) {
    static const struct {
        const char *key, *values[3];
    } known[] = {
        {"type", {"transformer"}},
        {"transformer-decoder-autoreg", {"self-attention", "rnn"}},
        {"transformer-ffn-depth", {"2"}},
        {"transformer-preprocess", {"", "n"}},
        {"transformer-postprocess", {"dan", "da"}},
        {"transformer-postprocess-emb", {"d", "", "nd"}},
        {"transformer-postprocess-top", {"", "n"}},
        {"transformer-no-projection", {"false"}},
        {"transformer-no-bias", {"false"}},
        {"transformer-no-affine", {"false"}},
        {"transformer-pool", {"false"}},
        {"transformer-rnn-projection", {"false"}},
        {"transformer-disable-position-embeddings", {"false"}},
        {"transformer-alibi-shift", {"false"}},
        {"lemma-dim-emb", {"0"}},
        {"factors-dim-emb", {"0"}},
        {"right-left", {"false"}},
        {"ulr", {"false"}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *value = attn_yaml_find(options, known[i].key);
        bool good = value == NULL; /* older than the option */
        for (int v = 0; v < 3 && known[i].values[v] != NULL && !good; v++) {
            good = strcmp(value, known[i].values[v]) == 0;
        }
        if (!good) {
            return refuse(error, known[i].key, value);
        }
    }
    if (is_recurrent(options) && strcmp(text_of(options, "dec-cell"), "ssru") != 0) {
        return refuse(error, "dec-cell", text_of(options, "dec-cell"));
    }
    if (is_recurrent(options) && is_true(options, "layer-normalization")) {
        return refuse(error, "layer-normalization", "true");
    }
    if (attn_yaml_find(options, "transformer-tied-layers.0") != NULL) {
        return refuse(error, "transformer-tied-layers", "layers that share weights");
    }
    return ATTN_OK;
}

/* Up to Marian 1.12.0 "gelu" was x sigmoid(1.702 x). */
static bool has_exact_gelu(const attn_yaml *options) {
    int major = 0, minor = 0, patch = 0;
    sscanf(text_of(options, "version"), "v%d.%d.%d", &major, &minor, &patch);
    return major > 1 || (major == 1 && (minor > 12 || (minor == 12 && patch > 0)));
}

static attn_status read_activation(const attn_yaml *options, attn_activation *out,
                                   attn_error *error) {
    static const struct {
        const char *name;
        attn_activation activation;
    } known[] = {
        {"swish", ATTN_ACTIVATION_SWISH},
        {"relu", ATTN_ACTIVATION_RELU},
        {"gelu", ATTN_ACTIVATION_GELU},
    };
    const char *name = text_of(options, "transformer-ffn-activation");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].activation;
            if (*out == ATTN_ACTIVATION_GELU && !has_exact_gelu(options)) {
                *out = ATTN_ACTIVATION_GELU_SIGMOID;
            }
            return ATTN_OK;
        }
    }
    return refuse(error, "transformer-ffn-activation", name);
}

/* Which of them share a table. */
static attn_embeddings embeddings_of(const attn_yaml *options, const attn_tensor_file *file) {
    if (is_true(options, "tied-embeddings-all")) {
        return ATTN_EMBEDDINGS_TIED;
    }
    bool separate_output = attn_tensor_file_find(file, "decoder_ff_logit_out_W") != NULL ||
                           attn_tensor_file_find(file, "decoder_ff_logit_out_Wt") != NULL;
    return separate_output ? ATTN_EMBEDDINGS_UNTIED : ATTN_EMBEDDINGS_TARGET;
}

static attn_status read_config(const attn_yaml *options, const attn_tensor_file *file,
                               attn_translator_config *config, attn_error *error) {
    attn_translator_config_init(config);
    attn_status status = check_options(options, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_tensor_info *positions = attn_tensor_file_find(file, "Wpos");
    bool top = strcmp(text_of(options, "transformer-postprocess-top"), "n") == 0;
    config->d_model = number_of(options, "dim-emb");
    config->ffn = number_of(options, "transformer-dim-ffn");
    config->heads = config->kv_heads = number_of(options, "transformer-heads");
    config->encoder_layers = number_of(options, "enc-depth");
    config->decoder_layers = number_of(options, "dec-depth");
    config->pre_norm = strcmp(text_of(options, "transformer-preprocess"), "n") == 0;
    config->embedding_norm = strchr(text_of(options, "transformer-postprocess-emb"), 'n') != NULL;
    config->embeddings = embeddings_of(options, file);
    config->ssru = is_recurrent(options);
    config->output_bias = true;
    config->norm_epsilon = 1e-6;
    config->max_length = 1024;
    if (positions != NULL) {
        return refuse(error, "transformer-train-position-embeddings", "true");
    }
    if (config->pre_norm != top) {
        return refuse(error, "transformer-postprocess-top",
                      text_of(options, "transformer-postprocess-top"));
    }
    int64_t decoder_ffn = number_of(options, "transformer-decoder-dim-ffn");
    if (decoder_ffn != 0 && decoder_ffn != config->ffn) {
        return refuse(error, "transformer-decoder-dim-ffn", "another size than the encoder's");
    }
    return read_activation(options, &config->activation, error);
}

/* ---- vocabularies ---- */

enum { YAML_LIMIT = 64 << 20, SPM_LIMIT = 256 << 20 };

/* A path as a decoder.yml writes it, as a name in the bundle. */
static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static attn_status parse_yaml(attn_bundle *bundle, const char *name, attn_yaml **out,
                              attn_error *error) {
    char *text;
    size_t size;
    attn_status status = attn_bundle_read(bundle, name, YAML_LIMIT, &text, &size, error);
    if (status == ATTN_OK) {
        status = attn_yaml_parse(text, size, name, out, error);
        attn_free(text);
    }
    return status;
}

/* The names of both vocabularies, out of the first of the usual files that says; "" when none does. */
static attn_status find_vocabularies(const attn_import_files *files, char name[2][256],
                                     attn_error *error) {
    char beside[2][512];
    snprintf(beside[0], sizeof beside[0], "%s.decoder.yml", files->tensors);
    snprintf(beside[1], sizeof beside[1], "%s.yml", files->tensors);
    const char *const candidates[] = {beside[0], "decoder.yml", beside[1], "config.yml"};
    name[0][0] = name[1][0] = '\0';
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0] && name[0][0] == '\0'; i++) {
        attn_yaml *settings = NULL;
        if (!attn_bundle_has(files->bundle, candidates[i])) {
            continue;
        }
        attn_status status = parse_yaml(files->bundle, candidates[i], &settings, error);
        if (status != ATTN_OK) {
            return status;
        }
        for (int side = 0; side < 2; side++) {
            const char *path = text_of(settings, side == 0 ? "vocabs.0" : "vocabs.1");
            snprintf(name[side], sizeof name[side], "%s", file_name(path));
        }
        attn_yaml_free(settings);
    }
    return ATTN_OK;
}

/* vocab.yml: piece: id */
static attn_status read_yaml_table(attn_bundle *bundle, const char *name, attn_piece_table *out,
                                   attn_error *error) {
    attn_yaml *yaml = NULL;
    attn_status status = parse_yaml(bundle, name, &yaml, error);
    const char *piece, *id;
    for (size_t i = 0; status == ATTN_OK && attn_yaml_at(yaml, i, &piece, &id); i++) {
        char *end;
        long long number = strtoll(id, &end, 10);
        if (end == id || *end != '\0') {
            status = attn_fail(error, ATTN_ERR_FORMAT, name, -1, NULL,
                               "the id of piece %zu is no number", i + 1);
        } else {
            bool control = strcmp(piece, "</s>") == 0 || strcmp(piece, "<unk>") == 0;
            status = attn_piece_table_set(out, number, piece, strlen(piece), control, error);
        }
    }
    attn_yaml_free(yaml);
    return status;
}

static attn_status read_side(attn_bundle *bundle, const char *vocabulary, const char *segmenter,
                             attn_import_side *s, attn_error *error) {
    bool own = attn_name_ends(vocabulary, ".spm");
    const char *name = own ? vocabulary : segmenter;
    if (!attn_bundle_has(bundle, vocabulary) || !attn_bundle_has(bundle, name)) {
        bool first = !attn_bundle_has(bundle, vocabulary);
        return attn_fail(error, ATTN_ERR_FORMAT, first ? vocabulary : name, -1,
                         "put it beside the model", "the model needs this file, which is missing");
    }
    attn_status status =
        attn_bundle_read(bundle, name, SPM_LIMIT, &s->segmenter, &s->segmenter_size, error);
    if (status == ATTN_OK && own) {
        status = attn_piece_table_of_model(s->segmenter, s->segmenter_size, &s->theirs, error);
    } else if (status == ATTN_OK) {
        status = read_yaml_table(bundle, vocabulary, &s->theirs, error);
    }
    s->theirs.codes = !own; /* OPUS-MT's models of several languages: ">>fra<<" */
    return status == ATTN_OK ? attn_piece_table_finish_by_name(&s->theirs, error) : status;
}

/* ---- the whole ---- */

static int64_t rows_of(const attn_tensor_file *file, const char *name, const char *otherwise) {
    const attn_tensor_info *table = attn_tensor_file_find(file, name);
    table = table != NULL ? table : attn_tensor_file_find(file, otherwise);
    return table != NULL && table->rank == 2 ? table->shape[0] : 0;
}

static attn_status read_tokenizers(const attn_import_files *files, const attn_tensor_file *file,
                                   attn_import_side side[2], attn_error *error) {
    char vocabulary[2][256];
    attn_status status = find_vocabularies(files, vocabulary, error);
    if (status == ATTN_OK && vocabulary[0][0] == '\0') {
        status = attn_fail(error, ATTN_ERR_FORMAT, files->tensors, -1,
                           "put the decoder.yml of the model beside it",
                           "no file names the vocabularies of this Marian model");
    }
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        status = read_side(files->bundle, vocabulary[i], i == 0 ? "source.spm" : "target.spm",
                           &side[i], error);
        int64_t rows =
            i == 0 ? rows_of(file, "encoder_Wemb", "Wemb") : rows_of(file, "decoder_Wemb", "Wemb");
        status = status == ATTN_OK ? attn_import_side_number(&side[i], rows, -1, error) : status;
    }
    return status;
}

static attn_status read_model(const attn_yaml *options, const attn_tensor_file *file,
                              const attn_import_side side[2], attn_imported *out,
                              attn_error *error) {
    attn_translator_config config;
    attn_status status = read_config(options, file, &config, error);
    return status == ATTN_OK ? attn_import_network(&config, &attn_weights_marian, file, side,
                                                   &out->translator, &out->tokenizer, error)
                             : status;
}

static attn_status marian_read(const attn_import_files *files, const attn_tensor_file *file,
                               attn_imported *out, attn_error *error) {
    attn_import_side side[2] = {{.segmenter = NULL}};
    attn_yaml *options = NULL;
    const char *text = attn_tensor_file_text(file, "special:model.yml");
    attn_status status = attn_yaml_parse(text, strlen(text), "special:model.yml", &options, error);
    if (status == ATTN_OK) {
        status = read_tokenizers(files, file, side, error);
    }
    if (status == ATTN_OK) {
        status = read_model(options, file, side, out, error);
    }
    attn_yaml_free(options);
    attn_import_side_free(&side[0]);
    attn_import_side_free(&side[1]);
    return status;
}

static bool marian_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    (void)bundle;
    return attn_tensor_file_text(file, "special:model.yml") != NULL;
}

const attn_importer attn_import_marian = {
    .kind = "Marian",
    .recognises = marian_recognises,
    .read = marian_read,
};
