/* import/opennmt.c: checkpoints of OpenNMT-py 3: its Transformer for translation.
 *
 *     model_step_1000.pt      the tensors, the settings as "opt", and both lists of words as "vocab"
 *     sentencepiece.model ... the segmenter (words.c), which the checkpoint does not need
 *
 * Names: OpenNMT-py onmt/encoders/transformer.py, onmt/decoders/transformer.py. Norms stand before sublayers, their epsilon is
 * norm_eps; positions are in the file; a source has no </s>. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "import/import.h"
#include "import/words.h"

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
    LINEAR(ours ".query", theirs ".linear_query"), LINEAR(ours ".key", theirs ".linear_keys"),     \
        LINEAR(ours ".value", theirs ".linear_values"),                                            \
        LINEAR(ours ".output", theirs ".final_linear")
#define ENCODER      "model.encoder.transformer.#"
#define DECODER      "model.decoder.transformer_layers.#"
#define SOURCE_TABLE "model.encoder.embeddings.make_embedding.emb_luts.0.weight"
#define PLACES       "model.encoder.embeddings.make_embedding.pe.pe"
#define TARGET_TABLE "model.decoder.embeddings.make_embedding.emb_luts.0.weight"

static const attn_weight_rule rules[] = {
    {"embedding", TARGET_TABLE, ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"source_embedding", SOURCE_TABLE, ATTN_WEIGHT_SOURCE_ROWS, 0, 0},
    {"target_embedding", TARGET_TABLE, ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output", "generator.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output", "generator.0.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},
    {"output.bias", "generator.bias", ATTN_WEIGHT_TARGET_BIAS, 0, 0},
    {"output.bias", "generator.0.bias", ATTN_WEIGHT_TARGET_BIAS, 0, 0},
    {"positions", PLACES, ATTN_WEIGHT_LATER_ROWS, 0, 0},
    ATTENTION("encoder.#.self", ENCODER ".self_attn"),
    NORM("encoder.#.norm_self", ENCODER ".layer_norm"),
    LINEAR("encoder.#.feed_forward.up", ENCODER ".feed_forward.w_1"),
    LINEAR("encoder.#.feed_forward.down", ENCODER ".feed_forward.w_2"),
    NORM("encoder.#.norm_feed_forward", ENCODER ".feed_forward.layer_norm"),
    NORM("encoder.norm", "model.encoder.layer_norm"),
    ATTENTION("decoder.#.self", DECODER ".self_attn"),
    NORM("decoder.#.norm_self", DECODER ".layer_norm_1"),
    ATTENTION("decoder.#.cross", DECODER ".context_attn"),
    NORM("decoder.#.norm_cross", DECODER ".layer_norm_2"),
    LINEAR("decoder.#.feed_forward.up", DECODER ".feed_forward.w_1"),
    LINEAR("decoder.#.feed_forward.down", DECODER ".feed_forward.w_2"),
    NORM("decoder.#.norm_feed_forward", DECODER ".feed_forward.layer_norm"),
    NORM("decoder.norm", "model.decoder.layer_norm"),
};

/* Tied tables have two names, positions are the same on both sides. */
static const char *const idle[] = {"generator.weight",
                                   "generator.0.weight",
                                   "model.decoder.embeddings.make_embedding.pe.",
                                   "model.encoder.embeddings.make_embedding.emb_luts.0.weight",
                                   "optim.",
                                   NULL};

static const attn_weight_map map = {.rules = rules,
                                    .rule_count = sizeof rules / sizeof rules[0],
                                    .biases_may_lack = true,
                                    .idle = idle};

/* ---- settings ---- */

static const char *setting(const attn_tensor_file *file, const char *key) {
    char name[96];
    snprintf(name, sizeof name, "opt.%s", key);
    return attn_tensor_file_text(file, name);
}

static bool is_true(const attn_tensor_file *file, const char *key) {
    const char *value = setting(file, key);
    return value != NULL && strcmp(value, "true") == 0;
}

static int64_t number_of(const attn_tensor_file *file, const char *key, int64_t otherwise) {
    const char *value = setting(file, key);
    return value != NULL ? strtoll(value, NULL, 10) : otherwise;
}

/* What would be computed in another way, and the values of it that attn computes. */
static attn_status check_settings(const attn_tensor_file *file, attn_error *error) {
    static const struct {
        const char *key, *values[2];
    } known[] = {{"encoder_type", {"transformer", NULL}},
                 {"decoder_type", {"transformer", NULL}},
                 {"self_attn_type", {"scaled-dot", "scaled-dot-flash"}},
                 {"max_relative_positions", {"0", NULL}},
                 {"position_encoding", {"true", NULL}},
                 {"pos_ffn_activation_fn", {"relu", "gelu"}},
                 {"layer_norm", {"standard", NULL}},
                 {"parallel_residual", {"false", NULL}},
                 {"num_kv", {"0", NULL}},
                 {"copy_attn", {"false", NULL}},
                 {"generator_function", {"softmax", NULL}},
                 {"model_task", {"seq2seq", NULL}}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *value = setting(file, known[i].key), *const *values = known[i].values;
        bool good = value == NULL || strcmp(value, values[0]) == 0 ||
                    (values[1] != NULL && strcmp(value, values[1]) == 0);
        if (!good) {
            return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                             "an OpenNMT-py model with %s: %.40s, which attn does not compute",
                             known[i].key, value);
        }
    }
    return ATTN_OK;
}

static attn_status read_config(const attn_tensor_file *file, attn_translator_config *config,
                               attn_error *error) {
    attn_translator_config_init(config);
    const attn_tensor_info *places = attn_tensor_file_find(file, PLACES);
    const char *activation = setting(file, "pos_ffn_activation_fn");
    const char *epsilon = setting(file, "norm_eps");
    enum { USUAL_LENGTH = 1024 };
    int64_t longest = places != NULL && places->rank > 0 ? places->shape[0] : 0;
    config->d_model = number_of(file, "hidden_size", number_of(file, "enc_hid_size", 0));
    config->ffn = number_of(file, "transformer_ff", 2048);
    config->heads = config->kv_heads = number_of(file, "heads", 8);
    config->encoder_layers = number_of(file, "enc_layers", 0);
    config->decoder_layers = number_of(file, "dec_layers", 0);
    config->max_length = longest < USUAL_LENGTH ? longest : USUAL_LENGTH;
    config->pre_norm = config->learned_positions = config->output_bias = config->bare_source = true;
    config->norm_epsilon = epsilon != NULL ? strtod(epsilon, NULL) : 1e-6;
    bool gelu = activation != NULL && strcmp(activation, "gelu") == 0;
    config->activation = gelu ? ATTN_ACTIVATION_GELU : ATTN_ACTIVATION_RELU;
    bool target = is_true(file, "share_decoder_embeddings");
    config->embeddings = !target                             ? ATTN_EMBEDDINGS_UNTIED
                         : is_true(file, "share_embeddings") ? ATTN_EMBEDDINGS_TIED
                                                             : ATTN_EMBEDDINGS_TARGET;
    return check_settings(file, error);
}

/* ---- vocabularies ---- */

static attn_status read_words(const attn_tensor_file *file, const char *side, int64_t rows,
                              attn_piece_table *table, attn_error *error) {
    attn_status status = ATTN_OK;
    for (int64_t id = 0; id < rows && status == ATTN_OK; id++) {
        char name[64];
        snprintf(name, sizeof name, "vocab.%s.%lld", side, (long long)id);
        const char *word = attn_tensor_file_text(file, name);
        if (word != NULL) {
            status = attn_piece_table_set(table, id, word, strlen(word), false, error);
        }
    }
    return status;
}

static attn_status read_side(const attn_import_files *files, const attn_tensor_file *file,
                             bool target, bool tied, attn_import_side *side, attn_error *error) {
    const attn_tensor_info *rows =
        attn_tensor_file_find(file, target ? TARGET_TABLE : SOURCE_TABLE);
    int64_t count = rows != NULL && rows->rank == 2 ? rows->shape[0] : 0;
    attn_piece_table *table = &side->theirs;
    attn_status status = read_words(file, target ? "tgt" : "src", count, table, error);
    table->special = (attn_special_ids){
        attn_import_special(table, "<blank>"), attn_import_special(table, "<unk>"),
        attn_import_special(table, "<s>"), attn_import_special(table, "</s>")};
    const char *start = attn_tensor_file_text(file, "vocab.decoder_start_token");
    int32_t begin = attn_import_special(table, start != NULL ? start : "<s>");
    if (status == ATTN_OK && (table->special.eos < 0 || begin < 0)) {
        status = attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, "save it again with OpenNMT-py 3",
                           "its vocabulary is not to be found");
    }
    if (status == ATTN_OK) {
        status = attn_import_segmenter(files->bundle, target, side, error);
    }
    status = status == ATTN_OK ? attn_piece_table_finish(table, error) : status;
    return status == ATTN_OK
               ? attn_import_side_number(side, count, target || tied ? begin : -1, error)
               : status;
}

/* ---- the whole ---- */

static attn_status opennmt_read(const attn_import_files *files, const attn_tensor_file *file,
                                attn_imported *out, attn_error *error) {
    attn_import_side side[2] = {{.segmenter = NULL}};
    attn_translator_config config;
    attn_status status = read_config(file, &config, error);
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        bool tied = config.embeddings == ATTN_EMBEDDINGS_TIED;
        status = read_side(files, file, i == 1, tied, &side[i], error);
    }
    status = status == ATTN_OK ? attn_import_network(&config, &map, file, side, &out->translator,
                                                     &out->tokenizer, error)
                               : status;
    attn_import_side_free(&side[0]);
    attn_import_side_free(&side[1]);
    return status;
}

static bool opennmt_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    (void)bundle;
    return attn_tensor_file_kind_of(file) == ATTN_FILE_TORCH &&
           setting(file, "dec_layers") != NULL && attn_tensor_file_find(file, TARGET_TABLE) != NULL;
}

const attn_importer attn_import_opennmt = {
    .kind = "OpenNMT-py",
    .recognises = opennmt_recognises,
    .read = opennmt_read,
};
