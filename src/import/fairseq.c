/* import/fairseq.c: what fairseq trains: its Transformer for translation.
 *
 *     checkpoint_best.pt               the tensors, and the settings as "args" or "cfg"
 *     dict.en.txt, dict.fr.txt         the words of both languages; ids 0 to 3 are <s>, <pad>, </s>, <unk>
 *     sentencepiece.bpe.model ...      the segmenter (words.c), which fairseq itself does not need
 *
 * A translation begins with </s>, positions count from 2, and the norms' epsilon is 1e-5. Source: fairseq/models/transformer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "import/fairseq_names.h"
#include "import/import.h"
#include "import/words.h"

/* ---- settings ---- */

/* A setting of the model or of the task; NULL: it is not there. */
static const char *setting(const attn_tensor_file *file, const char *key) {
    static const char *const places[] = {"cfg.model.", "cfg.task.", "args."};
    const char *value = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && value == NULL; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", places[i], key);
        value = attn_tensor_file_text(file, name);
    }
    return value;
}

static bool is_true(const attn_tensor_file *file, const char *key) {
    const char *value = setting(file, key);
    return value != NULL && strcmp(value, "true") == 0;
}

static int64_t number_of(const attn_tensor_file *file, const char *key, int64_t otherwise) {
    const char *value = setting(file, key);
    return value != NULL ? strtoll(value, NULL, 10) : otherwise;
}

static attn_status refuse(attn_error *error, const char *key, const char *what) {
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                     "a fairseq model with %s %s, which attn does not compute", key, what);
}

/* What would be computed in another way. */
static attn_status check_settings(const attn_tensor_file *file, attn_error *error) {
    static const char *const off[] = {"no_cross_attention",
                                      "cross_self_attention",
                                      "no_decoder_final_norm",
                                      "no_token_positional_embeddings",
                                      "adaptive_input",
                                      "tie_adaptive_weights",
                                      "char_inputs"};
    static const char *const pairs[][2] = {{"encoder_embed_dim", "decoder_embed_dim"},
                                           {"encoder_ffn_embed_dim", "decoder_ffn_embed_dim"},
                                           {"encoder_attention_heads", "decoder_attention_heads"},
                                           {"encoder_normalize_before", "decoder_normalize_before"},
                                           {"encoder_learned_pos", "decoder_learned_pos"}};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        if (is_true(file, off[i])) {
            return refuse(error, off[i], "on");
        }
    }
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const char *a = setting(file, pairs[i][0]), *b = setting(file, pairs[i][1]);
        if (a != NULL && b != NULL && strcmp(a, b) != 0) {
            return refuse(error, pairs[i][1], "other than the encoder's");
        }
    }
    return ATTN_OK;
}

static attn_status read_activation(const attn_tensor_file *file, attn_activation *out,
                                   attn_error *error) {
    static const struct {
        const char *name;
        attn_activation activation;
    } known[] = {{"relu", ATTN_ACTIVATION_RELU},
                 {"gelu", ATTN_ACTIVATION_GELU},
                 {"gelu_fast", ATTN_ACTIVATION_GELU_TANH},
                 {"gelu_accurate", ATTN_ACTIVATION_GELU_TANH},
                 {"swish", ATTN_ACTIVATION_SWISH}};
    const char *name = setting(file, "activation_fn");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name != NULL ? name : "relu", known[i].name) == 0) {
            *out = known[i].activation;
            return ATTN_OK;
        }
    }
    return refuse(error, "activation_fn", name);
}

static attn_status read_config(const attn_tensor_file *file, attn_translator_config *config,
                               attn_error *error) {
    attn_translator_config_init(config);
    int64_t sources = number_of(file, "max_source_positions", 1024);
    int64_t targets = number_of(file, "max_target_positions", 1024);
    config->d_model = number_of(file, "encoder_embed_dim", 512);
    config->ffn = number_of(file, "encoder_ffn_embed_dim", 2048);
    config->heads = config->kv_heads = number_of(file, "encoder_attention_heads", 8);
    config->encoder_layers = number_of(file, "encoder_layers", 6);
    config->decoder_layers = number_of(file, "decoder_layers", 6);
    config->max_length = sources < targets ? sources : targets;
    config->pre_norm = is_true(file, "encoder_normalize_before");
    config->learned_positions = config->own_positions = is_true(file, "encoder_learned_pos");
    config->first_position = config->learned_positions ? 0 : 2;
    config->embedding_norm = is_true(file, "layernorm_embedding");
    config->plain_embeddings = is_true(file, "no_scale_embedding");
    config->output_bias = true; /* of words that are never predicted */
    config->embeddings = is_true(file, "share_all_embeddings") ? ATTN_EMBEDDINGS_TIED
                         : is_true(file, "share_decoder_input_output_embed")
                             ? ATTN_EMBEDDINGS_TARGET
                             : ATTN_EMBEDDINGS_UNTIED;
    attn_status status = check_settings(file, error);
    return status == ATTN_OK ? read_activation(file, &config->activation, error) : status;
}

/* ---- vocabularies ---- */

static int64_t rows_of(const attn_tensor_file *file, const char *name) {
    const attn_tensor_info *table = attn_tensor_file_find(file, name);
    return table != NULL && table->rank == 2 ? table->shape[0] : 0;
}

static attn_status read_side(const attn_import_files *files, const attn_tensor_file *file,
                             bool target, bool tied, attn_import_side *side, attn_error *error) {
    static const char *const first[] = {"<s>", "<pad>", "</s>", "<unk>"};
    enum { END = 2 };
    const char *language = setting(file, target ? "target_lang" : "source_lang");
    char name[64];
    if (language == NULL || strlen(language) > 32) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL,
                         "the checkpoint does not say what its %s language is",
                         target ? "target" : "source");
    }
    snprintf(name, sizeof name, "dict.%s.txt", language);
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sizeof first / sizeof first[0] && status == ATTN_OK; i++) {
        status = attn_piece_table_add(&side->theirs, first[i], true, error);
    }
    if (status == ATTN_OK) {
        status = attn_import_words(files->bundle, name, true, &side->theirs, error);
    }
    if (status == ATTN_OK) {
        status = attn_import_segmenter(files->bundle, target, side, error);
    }
    if (status == ATTN_OK) {
        status = attn_piece_table_finish_by_name(&side->theirs, error);
    }
    int64_t rows = rows_of(file, target ? "model.decoder.embed_tokens.weight"
                                        : "model.encoder.embed_tokens.weight");
    return status == ATTN_OK ? attn_import_side_number(side, rows, target || tied ? END : -1, error)
                             : status;
}

/* ---- the whole ---- */

static attn_status fairseq_read(const attn_import_files *files, const attn_tensor_file *file,
                                attn_imported *out, attn_error *error) {
    attn_import_side side[2] = {{.segmenter = NULL}};
    attn_translator_config config;
    attn_status status = read_config(file, &config, error);
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        bool tied = config.embeddings == ATTN_EMBEDDINGS_TIED;
        status = read_side(files, file, i == 1, tied, &side[i], error);
    }
    if (status == ATTN_OK) {
        status = attn_import_network(&config, &attn_weights_fairseq, file, side, &out->translator,
                                     &out->tokenizer, error);
        snprintf(out->source, sizeof out->source, "%s", setting(file, "source_lang"));
        snprintf(out->target, sizeof out->target, "%s", setting(file, "target_lang"));
    }
    attn_import_side_free(&side[0]);
    attn_import_side_free(&side[1]);
    return status;
}

static bool fairseq_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    (void)bundle;
    return attn_tensor_file_kind_of(file) == ATTN_FILE_TORCH &&
           setting(file, "encoder_embed_dim") != NULL &&
           attn_tensor_file_find(file, "model.encoder.embed_tokens.weight") != NULL;
}

const attn_importer attn_import_fairseq = {
    .kind = "fairseq",
    .recognises = fairseq_recognises,
    .read = fairseq_read,
};
