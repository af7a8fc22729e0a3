/* import/hugging_face.c: folders of Hugging Face's transformers: MarianMT.
 *
 *     config.json                               what the network is
 *     model.safetensors or pytorch_model.bin    the tensors
 *     source.spm, target.spm                    the segmenters
 *     vocab.json, target_vocab.json             pieces by id; the second only where the vocabularies are separate
 *
 * Names of tensors and positions: transformers src/transformers/models/marian/modeling_marian.py. A translation begins with the
 * word decoder_start_token_id, positions count from 0, and the norms' epsilon is 1e-5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/export.h"
#include "import/import.h"
#include "import/json.h"
#include "import/side.h"

/* ---- names ---- */

#define LINEAR(ours, theirs)                                                                       \
    {ours ".weight", theirs ".weight", ATTN_WEIGHT_SAME, 0, 0}, {                                  \
        ours ".bias", theirs ".bias", ATTN_WEIGHT_SAME, 0, 0                                       \
    }
#define NORM(ours, theirs)                                                                         \
    {ours ".gamma", theirs ".weight", ATTN_WEIGHT_SAME, 0, 0}, {                                   \
        ours ".beta", theirs ".bias", ATTN_WEIGHT_SAME, 0, 0                                       \
    }
#define ATTENTION(ours, theirs)                                                                    \
    LINEAR(ours ".query", theirs ".q_proj"), LINEAR(ours ".key", theirs ".k_proj"),                \
        LINEAR(ours ".value", theirs ".v_proj"), LINEAR(ours ".output", theirs ".out_proj")

static const attn_weight_rule rules[] = {
    {"embedding", "model.shared.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"embedding", "model.decoder.embed_tokens.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"embedding", "lm_head.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"source_embedding", "model.encoder.embed_tokens.weight", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},
    {"source_embedding", "model.shared.weight", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},
    {"target_embedding", "model.decoder.embed_tokens.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"target_embedding", "model.shared.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output", "lm_head.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output", "model.decoder.embed_tokens.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output.bias", "final_logits_bias", ATTN_WEIGHT_TARGET_BIAS, 0, 0},
    {"positions", "model.encoder.embed_positions.weight", ATTN_WEIGHT_SAME, 0, 0},
    ATTENTION("encoder.#.self", "model.encoder.layers.#.self_attn"),
    NORM("encoder.#.norm_self", "model.encoder.layers.#.self_attn_layer_norm"),
    LINEAR("encoder.#.feed_forward.up", "model.encoder.layers.#.fc1"),
    LINEAR("encoder.#.feed_forward.down", "model.encoder.layers.#.fc2"),
    NORM("encoder.#.norm_feed_forward", "model.encoder.layers.#.final_layer_norm"),
    ATTENTION("decoder.#.self", "model.decoder.layers.#.self_attn"),
    NORM("decoder.#.norm_self", "model.decoder.layers.#.self_attn_layer_norm"),
    ATTENTION("decoder.#.cross", "model.decoder.layers.#.encoder_attn"),
    NORM("decoder.#.norm_cross", "model.decoder.layers.#.encoder_attn_layer_norm"),
    LINEAR("decoder.#.feed_forward.up", "model.decoder.layers.#.fc1"),
    LINEAR("decoder.#.feed_forward.down", "model.decoder.layers.#.fc2"),
    NORM("decoder.#.norm_feed_forward", "model.decoder.layers.#.final_layer_norm"),
};

/* The decoder's positions are the encoder's, which is checked; where embeddings are tied, their other names may be in the file as
 * well. */
static const char *const idle[] = {"model.decoder.embed_positions.",
                                   "model.encoder.embed_tokens.",
                                   "model.decoder.embed_tokens.",
                                   "model.shared.",
                                   "lm_head.",
                                   NULL};

const attn_weight_map attn_weights_hugging_face = {
    .rules = rules,
    .rule_count = sizeof rules / sizeof rules[0],
    .idle = idle,
};

enum { SPM_LIMIT = 256 << 20 };

/* ---- the network ---- */

static attn_status read_activation(const json_t *config, attn_activation *out, attn_error *error) {
    static const struct {
        const char *name;
        attn_activation activation;
    } known[] = {
        {"swish", ATTN_ACTIVATION_SWISH},        {"silu", ATTN_ACTIVATION_SWISH},
        {"relu", ATTN_ACTIVATION_RELU},          {"gelu", ATTN_ACTIVATION_GELU},
        {"gelu_new", ATTN_ACTIVATION_GELU_TANH}, {"quick_gelu", ATTN_ACTIVATION_GELU_SIGMOID},
    };
    const char *name = attn_json_text(config, "activation_function", "");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].activation;
            return ATTN_OK;
        }
    }
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                     "activation_function is \"%.40s\", which attn does not compute", name);
}

/* Sizes that attn has but one of, where the configuration could give two. */
static attn_status check_pairs(const json_t *config, attn_error *error) {
    static const char *const pairs[][2] = {{"encoder_attention_heads", "decoder_attention_heads"},
                                           {"encoder_ffn_dim", "decoder_ffn_dim"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        int64_t encoder = attn_json_number(config, pairs[i][0], 0);
        if (encoder != attn_json_number(config, pairs[i][1], 0)) {
            return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                             "%s and %s differ; attn has one size for both", pairs[i][0],
                             pairs[i][1]);
        }
    }
    return ATTN_OK;
}

/* Positions are computed, unless the file has them: transformers then takes those. */
static attn_status read_positions(const attn_tensor_file *file, attn_translator_config *config,
                                  attn_error *error) {
    const attn_tensor_info *encoder =
        attn_tensor_file_find(file, "model.encoder.embed_positions.weight");
    const attn_tensor_info *decoder =
        attn_tensor_file_find(file, "model.decoder.embed_positions.weight");
    if (encoder == NULL && decoder == NULL) {
        return ATTN_OK;
    }
    if (encoder == NULL || decoder == NULL || encoder->size != decoder->size ||
        memcmp(encoder->data, decoder->data, encoder->size) != 0) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                         "the decoder has other positions than the encoder; attn has one table for "
                         "both");
    }
    config->learned_positions = true;
    return ATTN_OK;
}

static attn_status read_config(const json_t *json, const attn_tensor_file *file,
                               attn_translator_config *config, attn_error *error) {
    attn_translator_config_init(config);
    bool shared = attn_json_flag(json, "share_encoder_decoder_embeddings", true);
    bool tied = attn_json_flag(json, "tie_word_embeddings", true);
    config->d_model = attn_json_number(json, "d_model", 0);
    config->ffn = attn_json_number(json, "encoder_ffn_dim", 0);
    config->heads = config->kv_heads = attn_json_number(json, "encoder_attention_heads", 0);
    config->encoder_layers = attn_json_number(json, "encoder_layers", 0);
    config->decoder_layers = attn_json_number(json, "decoder_layers", 0);
    config->max_length = attn_json_number(json, "max_position_embeddings", 512);
    config->embeddings = shared && tied ? ATTN_EMBEDDINGS_TIED
                         : tied         ? ATTN_EMBEDDINGS_TARGET
                                        : ATTN_EMBEDDINGS_UNTIED;
    config->plain_embeddings = !attn_json_flag(json, "scale_embedding", false);
    config->sinusoids = ATTN_SINUSOIDS_PAPER;
    config->output_bias = true;
    attn_status status = check_pairs(json, error);
    status = status == ATTN_OK ? read_positions(file, config, error) : status;
    return status == ATTN_OK ? read_activation(json, &config->activation, error) : status;
}

/* ---- vocabularies ---- */

/* vocab.json: {piece: id} */
static attn_status read_table(attn_bundle *bundle, const char *name, attn_piece_table *out,
                              attn_error *error) {
    json_t *json = NULL;
    attn_status status = attn_import_json(bundle, name, &json, error);
    const char *piece;
    json_t *id;
    json_object_foreach(json, piece, id) {
        bool control = strcmp(piece, "</s>") == 0 || strcmp(piece, "<unk>") == 0 ||
                       strcmp(piece, "<pad>") == 0;
        if (status != ATTN_OK) {
            break;
        }
        status = json_is_integer(id) ? attn_piece_table_set(out, (int64_t)json_integer_value(id),
                                                            piece, strlen(piece), control, error)
                                     : attn_fail(error, ATTN_ERR_FORMAT, name, -1, NULL,
                                                 "the id of a piece is no whole number");
    }
    json_decref(json);
    return status;
}

static attn_status read_side(attn_bundle *bundle, bool target, int64_t rows, int32_t start,
                             attn_import_side *s, attn_error *error) {
    bool own = target && attn_bundle_has(bundle, "target_vocab.json");
    attn_status status = attn_bundle_read(bundle, target ? "target.spm" : "source.spm", SPM_LIMIT,
                                          &s->segmenter, &s->segmenter_size, error);
    if (status == ATTN_OK) {
        status = read_table(bundle, own ? "target_vocab.json" : "vocab.json", &s->theirs, error);
    }
    s->theirs.codes = true;
    if (status == ATTN_OK) {
        status = attn_piece_table_finish_by_name(&s->theirs, error);
    }
    return status == ATTN_OK ? attn_import_side_number(s, rows, start, error) : status;
}

static attn_status read_sides(attn_bundle *bundle, const json_t *config, attn_import_side side[2],
                              attn_error *error) {
    int64_t sources = attn_json_number(config, "vocab_size", 0);
    int64_t targets = attn_json_number(config, "decoder_vocab_size", sources);
    int32_t start = (int32_t)attn_json_number(config, "decoder_start_token_id", -1);
    if (start < 0 || start >= targets) {
        return attn_fail(error, ATTN_ERR_FORMAT, "config.json", -1, NULL,
                         "decoder_start_token_id is %d, of %lld words", (int)start,
                         (long long)targets);
    }
    bool shared = attn_json_flag(config, "share_encoder_decoder_embeddings", true);
    attn_status status = read_side(bundle, false, sources, shared ? start : -1, &side[0], error);
    return status == ATTN_OK ? read_side(bundle, true, targets, start, &side[1], error) : status;
}

/* ---- the whole ---- */

static attn_status read_model(const json_t *json, const attn_tensor_file *file,
                              const attn_import_side side[2], attn_imported *out,
                              attn_error *error) {
    attn_translator_config config;
    attn_status status = read_config(json, file, &config, error);
    bool tied = config.embeddings == ATTN_EMBEDDINGS_TIED;
    config.vocabulary = side[1].order.count;
    config.source_vocabulary = tied ? 0 : side[0].order.count;
    if (status == ATTN_OK) {
        status = attn_translator_create(&config, false, &out->translator, error);
    }
    if (status == ATTN_OK) {
        status =
            attn_import_weights(&attn_weights_hugging_face, file, &side[0].order, &side[1].order,
                                attn_translator_params(out->translator), error);
    }
    return status == ATTN_OK ? attn_import_join(side, tied, &out->tokenizer, error) : status;
}

/* The languages, where the tokenizer's settings tell. */
static void read_languages(attn_bundle *bundle, attn_imported *out) {
    json_t *settings = NULL;
    if (attn_bundle_has(bundle, "tokenizer_config.json") &&
        attn_import_json(bundle, "tokenizer_config.json", &settings, NULL) == ATTN_OK) {
        snprintf(out->source, sizeof out->source, "%s",
                 attn_json_text(settings, "source_lang", ""));
        snprintf(out->target, sizeof out->target, "%s",
                 attn_json_text(settings, "target_lang", ""));
    }
    json_decref(settings);
}

static attn_status hugging_face_read(const attn_import_files *files, const attn_tensor_file *file,
                                     attn_imported *out, attn_error *error) {
    attn_import_side side[2] = {{.segmenter = NULL}};
    json_t *config = NULL;
    attn_status status = attn_import_json(files->bundle, "config.json", &config, error);
    if (status == ATTN_OK && strcmp(attn_json_text(config, "model_type", ""), "marian") != 0) {
        status = attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                           "model_type is \"%.40s\"; attn reads \"marian\"",
                           attn_json_text(config, "model_type", ""));
    }
    if (status == ATTN_OK) {
        status = read_sides(files->bundle, config, side, error);
    }
    if (status == ATTN_OK) {
        status = read_model(config, file, side, out, error);
    }
    read_languages(files->bundle, out);
    json_decref(config);
    attn_import_side_free(&side[0]);
    attn_import_side_free(&side[1]);
    return status;
}

static bool hugging_face_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    attn_tensor_file_kind kind = attn_tensor_file_kind_of(file);
    return attn_bundle_has(bundle, "config.json") && kind != ATTN_FILE_NPZ &&
           kind != ATTN_FILE_MARIAN && kind != ATTN_FILE_CTRANSLATE2;
}

const attn_importer attn_import_hugging_face = {
    .kind = "Hugging Face transformers",
    .recognises = hugging_face_recognises,
    .read = hugging_face_read,
};
