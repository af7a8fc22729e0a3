/* import/bert_words.c: the tokenizer of an encoder: tokenizer.json, else the file of words or pieces that it was made of. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/bert.h"
#include "import/json.h"
#include "text/normalize.h"
#include "text/piece_table.h"
#include "text/tokenizer_json.h"

enum { LIMIT = 256 << 20 };

/* ---- vocab.txt ---- */

/* Whether words are cut as BERT's tokenizer cuts them; others have a vocab.txt too. */
static bool is_usual(const json_t *settings, bool lowercase) {
    static const char *const classes[] = {"", "Bert", "DistilBert", "Electra"};
    const char *name = attn_json_text(settings, "tokenizer_class", "");
    size_t length = strlen(name), cut = strlen("Fast");
    length -= length > cut && strcmp(name + length - cut, "Fast") == 0 ? cut : 0;
    bool known = false;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        size_t own = strlen(classes[i]), tail = own > 0 ? strlen("Tokenizer") : 0;
        known |= length == own + tail && strncmp(name, classes[i], own) == 0 &&
                 strncmp(name + own, "Tokenizer", tail) == 0;
    }
    return known && attn_json_flag(settings, "strip_accents", lowercase) == lowercase &&
           attn_json_flag(settings, "tokenize_chinese_chars", true) &&
           attn_json_flag(settings, "do_basic_tokenize", true);
}

/* What BertTokenizer is told beside its words. */
static attn_status read_settings(attn_bundle *bundle, bool *lowercase, attn_error *error) {
    json_t *json = NULL;
    attn_status status = ATTN_OK;
    *lowercase = true;
    if (!attn_bundle_has(bundle, "tokenizer_config.json")) {
        return ATTN_OK;
    }
    status = attn_import_json(bundle, "tokenizer_config.json", &json, error);
    *lowercase = attn_json_flag(json, "do_lower_case", true);
    if (status == ATTN_OK && !is_usual(json, *lowercase)) {
        status = attn_fail(
            error, ATTN_ERR_UNSUPPORTED, "tokenizer_config.json", -1, "give a tokenizer.json too",
            "with vocab.txt alone attn cuts words as BertTokenizer usually does, and "
            "this asks for something else");
    }
    json_decref(json);
    return status;
}

static attn_status from_vocab(attn_bundle *bundle, const char *text, size_t length, char **bytes,
                              size_t *size, attn_error *error) {
    bool lowercase;
    attn_status status = read_settings(bundle, &lowercase, error);
    return status == ATTN_OK ? attn_tokenizer_vocab_txt(text, length, lowercase, bytes, size, error)
                             : status;
}

static attn_status from_json(attn_bundle *bundle, const char *text, size_t length, char **bytes,
                             size_t *size, attn_error *error) {
    (void)bundle;
    return attn_tokenizer_json(text, length, bytes, size, error);
}

/* ---- SentencePiece ---- */

static attn_status over(attn_piece_table *table, const char *model, size_t length, char **bytes,
                        size_t *size, attn_error *error) {
    attn_status status = attn_piece_table_finish_by_name(table, error);
    return status == ATTN_OK ? attn_piece_table_over(table, model, length, bytes, size, error)
                             : status;
}

/* XLM-R: numbered as fairseq does, with <mask> behind. */
static attn_status from_fairseq(attn_bundle *bundle, const char *text, size_t length, char **bytes,
                                size_t *size, attn_error *error) {
    attn_piece_table table = {.piece = NULL};
    (void)bundle;
    attn_status status = attn_piece_table_of_fairseq(text, length, &table, error);
    status = status == ATTN_OK ? attn_piece_table_add(&table, "<mask>", true, error) : status;
    status = status == ATTN_OK ? over(&table, text, length, bytes, size, error) : status;
    attn_piece_table_free(&table);
    return status;
}

/* What AlbertTokenizer does to a text first. */
static attn_status albert_steps(attn_bundle *bundle, attn_normalizer *steps, attn_error *error) {
    json_t *json = NULL;
    attn_status status = ATTN_OK;
    if (attn_bundle_has(bundle, "tokenizer_config.json")) {
        status = attn_import_json(bundle, "tokenizer_config.json", &json, error);
    }
    const struct {
        attn_normalize_kind kind;
        bool wanted;
        const char *from;
    } all[] = {
        {ATTN_NORMALIZE_REPLACE, true, "``"},
        {ATTN_NORMALIZE_REPLACE, true, "''"},
        {ATTN_NORMALIZE_NFKD, !attn_json_flag(json, "keep_accents", false), NULL},
        {ATTN_NORMALIZE_ACCENTS, !attn_json_flag(json, "keep_accents", false), NULL},
        {ATTN_NORMALIZE_LOWERCASE, attn_json_flag(json, "do_lower_case", true), NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == ATTN_OK; i++) {
        if (all[i].wanted) {
            status = attn_normalizer_add(steps, all[i].kind, all[i].from, "\"", error);
        }
    }
    json_decref(json);
    return status;
}

/* ALBERT: numbered as the file does. */
static attn_status from_albert(attn_bundle *bundle, const char *text, size_t length, char **bytes,
                               size_t *size, attn_error *error) {
    attn_piece_table table = {.piece = NULL};
    attn_normalizer steps = {.count = 0};
    attn_buffer model = {0};
    attn_status status = albert_steps(bundle, &steps, error);
    if (status == ATTN_OK) {
        attn_buffer_add(&model, text, length);
        attn_normalizer_write(&steps, &model);
        status = model.failed ? attn_fail_memory(error, length)
                              : attn_piece_table_of_model(text, length, &table, error);
    }
    if (status == ATTN_OK) {
        status = over(&table, model.data, model.length, bytes, size, error);
    }
    attn_buffer_free(&model);
    attn_normalizer_free(&steps);
    attn_piece_table_free(&table);
    return status;
}

/* ---- whichever there is ---- */

static const struct {
    const char *name;
    const char *model_types[4]; /* that number words so; none: any */
    attn_status (*read)(attn_bundle *bundle, const char *text, size_t length, char **bytes,
                        size_t *size, attn_error *error);
} kinds[] = {
    {"tokenizer.json", {NULL}, from_json},
    {"vocab.txt", {"bert", "distilbert", "electra", NULL}, from_vocab},
    {"sentencepiece.bpe.model", {"xlm-roberta", NULL}, from_fairseq},
    {"spiece.model", {"albert", NULL}, from_albert},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static bool is_for(size_t kind, const char *model_type) {
    const char *const *types = kinds[kind].model_types;
    bool found = types[0] == NULL;
    for (; *types != NULL; types++) {
        found |= strcmp(*types, model_type) == 0;
    }
    return found;
}

attn_status attn_bert_words(attn_bundle *bundle, const char *model_type, attn_tokenizer **out,
                            attn_error *error) {
    char *text = NULL, *bytes = NULL;
    size_t length, size, kind = 0;
    *out = NULL;
    while (kind < KINDS &&
           !(is_for(kind, model_type) && attn_bundle_has(bundle, kinds[kind].name))) {
        kind++;
    }
    if (kind == KINDS) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "see docs/import.md",
                         "no tokenizer beside it that a model of type \"%s\" has: looked for "
                         "tokenizer.json, vocab.txt of BERT, sentencepiece.bpe.model of XLM-R, "
                         "spiece.model of ALBERT",
                         model_type);
    }
    attn_status status = attn_bundle_read(bundle, kinds[kind].name, LIMIT, &text, &length, error);
    if (status == ATTN_OK) {
        status = kinds[kind].read(bundle, text, length, &bytes, &size, error);
    }
    if (status == ATTN_OK) {
        status = attn_tokenizer_from_bytes(bytes, size, out, error);
    }
    free(bytes);
    attn_free(text);
    return status;
}
