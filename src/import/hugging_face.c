/* import/hugging_face.c: folders of Hugging Face's transformers: MarianMT, M2M-100 and NLLB, mBART.
 *
 *     config.json                               what the network is
 *     model.safetensors or pytorch_model.bin    the tensors
 *     source.spm, target.spm                    Marian's segmenters
 *     sentencepiece.bpe.model, tokenizer.json   that of the others, or one made of the second
 *     vocab.json, target_vocab.json             pieces by id, of Marian and M2M-100; the second only where the vocabularies are separate
 *
 * Names of tensors: fairseq_names.c; positions: transformers src/transformers/models/{marian,m2m_100,mbart}. A translation begins with the
 * word decoder_start_token_id; positions count from 0 (Marian) or 2; the norms' epsilon is 1e-5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/added_pieces.h"
#include "import/export.h"
#include "import/fairseq_names.h"
#include "import/activation.h"
#include "import/import.h"
#include "import/json.h"
#include "import/side.h"
#include "text/tokenizer_json.h"

enum { SPM_LIMIT = 256 << 20 };

/* ---- the kinds of models ---- */

typedef struct family {
    const char *name; /* model_type */
    bool multilingual, learned;
} family;

static const family families[] = {
    {.name = "marian"},
    {.name = "m2m_100", .multilingual = true},
    {.name = "mbart", .multilingual = true, .learned = true},
};

static attn_status find_family(const json_t *config, const family **out, attn_error *error) {
    const char *name = attn_json_text(config, "model_type", "");
    *out = NULL;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        *out = strcmp(name, families[i].name) == 0 ? &families[i] : *out;
    }
    return *out != NULL
               ? ATTN_OK
               : attn_fail(
                     error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                     "model_type is \"%.40s\"; attn reads \"marian\", \"m2m_100\" and \"mbart\"",
                     name);
}

/* ---- the network ---- */

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

/* What M2M-100 and mBART have that MarianMT has not. */
static void read_multilingual(const family *kind, const json_t *json,
                              attn_translator_config *config) {
    config->pre_norm = true;
    config->embedding_norm = config->learned_positions = config->own_positions = kind->learned;
    config->sinusoids = ATTN_SINUSOIDS_TENSOR2TENSOR;
    config->first_position = kind->learned ? 0 : 2;
    config->max_length = attn_json_number(json, "max_position_embeddings", 1024);
}

static attn_status read_config(const family *kind, const json_t *json, const attn_tensor_file *file,
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
    if (kind->multilingual) {
        read_multilingual(kind, json, config);
    }
    attn_status status = check_pairs(json, error);
    if (status == ATTN_OK && !kind->multilingual) {
        status = read_positions(file, config, error);
    }
    return status == ATTN_OK
               ? attn_import_activation(json, "activation_function", &config->activation, error)
               : status;
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

static attn_status read_marian_sides(attn_bundle *bundle, const json_t *config,
                                     attn_import_side side[2], attn_error *error) {
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

/* ---- the vocabulary of many languages ---- */

/* The segmenter's own bytes and, of a tokenizer.json, the pieces by id. */
static attn_status read_tokenizer_json(attn_bundle *bundle, attn_import_side *s,
                                       attn_error *error) {
    char *text, *bytes = NULL;
    size_t size, bytes_size = 0;
    attn_status status = attn_bundle_read(bundle, "tokenizer.json", SPM_LIMIT, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_tokenizer_json(text, size, &bytes, &bytes_size, error);
    attn_free(text);
    if (status == ATTN_OK) {
        s->segmenter = attn_alloc(bytes_size + 1);
        s->segmenter_size = bytes_size;
        status = s->segmenter != NULL ? ATTN_OK : attn_fail_memory(error, bytes_size);
    }
    if (status == ATTN_OK) {
        memcpy(s->segmenter, bytes, bytes_size);
        const attn_protobuf message = {(const unsigned char *)s->segmenter, bytes_size, 0};
        status = attn_piece_table_read(message, &s->theirs, error);
    }
    free(bytes);
    return status;
}

static attn_status read_pieces(attn_bundle *bundle, attn_import_side *s, attn_error *error) {
    static const char spm[] = "sentencepiece.bpe.model";
    if (!attn_bundle_has(bundle, spm) && attn_bundle_has(bundle, "tokenizer.json")) {
        return read_tokenizer_json(bundle, s, error);
    }
    attn_status status =
        attn_bundle_read(bundle, spm, SPM_LIMIT, &s->segmenter, &s->segmenter_size, error);
    if (status == ATTN_OK) {
        status =
            attn_bundle_has(bundle, "vocab.json")
                ? read_table(bundle, "vocab.json", &s->theirs, error)
                : attn_piece_table_of_fairseq(s->segmenter, s->segmenter_size, &s->theirs, error);
    }
    return status;
}

/* The word that begins a translation, as one of the two files says; -1: none does. */
static int32_t start_of(attn_bundle *bundle, const json_t *config) {
    static const char key[] = "decoder_start_token_id";
    json_t *generation = NULL;
    int64_t start = attn_json_number(config, key, -1);
    if (start < 0 && attn_bundle_has(bundle, "generation_config.json") &&
        attn_import_json(bundle, "generation_config.json", &generation, NULL) == ATTN_OK) {
        start = attn_json_number(generation, key, -1);
    }
    json_decref(generation);
    return start >= 0 && start < INT32_MAX ? (int32_t)start : -1;
}

/* mBART of 25 languages starts from a language, and so there is no one word that begins translations. */
static attn_tagging tagging_of(attn_bundle *bundle, const family *kind, int32_t start,
                               int32_t end) {
    json_t *settings = NULL;
    attn_tagging tagging = kind->learned && start != end ? ATTN_TAGGING_START : ATTN_TAGGING_BOTH;
    if (attn_bundle_has(bundle, "tokenizer_config.json") &&
        attn_import_json(bundle, "tokenizer_config.json", &settings, NULL) == ATTN_OK) {
        const char *class = attn_json_text(settings, "tokenizer_class", "");
        if (kind->learned && strncmp(class, "MBart50", 7) == 0) {
            tagging = ATTN_TAGGING_BOTH;
        } else if (kind->learned && strncmp(class, "MBartTokenizer", 14) == 0) {
            tagging = ATTN_TAGGING_START;
        } else if (!kind->learned && attn_json_flag(settings, "legacy_behaviour", false)) {
            tagging = ATTN_TAGGING_BOTH_AFTER;
        }
    }
    json_decref(settings);
    return tagging;
}

static attn_status read_languages_side(attn_bundle *bundle, const json_t *config,
                                       const family *kind, attn_tagging *tagging,
                                       attn_import_side *s, attn_error *error) {
    int64_t rows = attn_json_number(config, "vocab_size", 0);
    attn_status status = read_pieces(bundle, s, error);
    status = status == ATTN_OK ? attn_import_added_pieces(bundle, &s->theirs, error) : status;
    status = status == ATTN_OK ? attn_piece_table_finish_by_name(&s->theirs, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    int32_t end = s->theirs.special.eos, start = start_of(bundle, config);
    *tagging = tagging_of(bundle, kind, start, end);
    start = *tagging == ATTN_TAGGING_START ? -1 : start >= 0 ? start : end;
    return start < rows ? attn_import_side_number(s, rows, start, error)
                        : attn_fail(error, ATTN_ERR_FORMAT, "config.json", -1, NULL,
                                    "decoder_start_token_id is %d, of %lld words", (int)start,
                                    (long long)rows);
}

/* ---- the whole ---- */

static attn_status read_sides(attn_bundle *bundle, const json_t *config, const family *kind,
                              attn_tagging *tagging, attn_import_side side[2], attn_error *error) {
    if (!kind->multilingual) {
        return read_marian_sides(bundle, config, side, error);
    }
    return read_languages_side(bundle, config, kind, tagging, &side[0], error);
}

static attn_status read_model(const json_t *json, const family *kind, attn_tagging tagging,
                              const attn_tensor_file *file, const attn_import_side side[2],
                              attn_imported *out, attn_error *error) {
    attn_translator_config config;
    attn_status status = read_config(kind, json, file, &config, error);
    config.tagging = tagging;
    const attn_weight_map *map =
        kind->multilingual ? &attn_weights_fairseq : &attn_weights_hugging_face;
    return status == ATTN_OK ? attn_import_network(&config, map, file, side, &out->translator,
                                                   &out->tokenizer, error)
                             : status;
}

/* The languages, where the tokenizer's settings tell. */
static void read_languages(attn_bundle *bundle, const family *kind, attn_imported *out) {
    json_t *settings = NULL;
    bool many = kind != NULL && kind->multilingual;
    if (attn_bundle_has(bundle, "tokenizer_config.json") &&
        attn_import_json(bundle, "tokenizer_config.json", &settings, NULL) == ATTN_OK) {
        snprintf(out->source, sizeof out->source, "%s",
                 attn_json_text(settings, many ? "src_lang" : "source_lang", ""));
        snprintf(out->target, sizeof out->target, "%s",
                 attn_json_text(settings, many ? "tgt_lang" : "target_lang", ""));
    }
    json_decref(settings);
}

static attn_status hugging_face_read(const attn_import_files *files, const attn_tensor_file *file,
                                     attn_imported *out, attn_error *error) {
    attn_import_side side[2] = {{.segmenter = NULL}};
    attn_tagging tagging = ATTN_TAGGING_TARGET;
    const family *kind = NULL;
    json_t *config = NULL;
    attn_status status = attn_import_json(files->bundle, "config.json", &config, error);
    status = status == ATTN_OK ? find_family(config, &kind, error) : status;
    if (status == ATTN_OK) {
        status = read_sides(files->bundle, config, kind, &tagging, side, error);
    }
    if (status == ATTN_OK) {
        status = read_model(config, kind, tagging, file, side, out, error);
    }
    read_languages(files->bundle, kind, out);
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
