/* import/bert_words.c: the tokenizer of an encoder: tokenizer.json, else the files of words or pieces that it was made of. */
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

/* ---- vocab.json and merges.txt ---- */

/* The lines of merges.txt, "left right" each, but for the first if it says the version. */
static attn_status read_merges(attn_bundle *bundle, json_t **out, attn_error *error) {
    char *text = NULL;
    size_t length;
    *out = NULL;
    if (!attn_bundle_has(bundle, "merges.txt")) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give it, or a tokenizer.json",
                         "vocab.json lies there without its merges.txt");
    }
    attn_status status = attn_bundle_read(bundle, "merges.txt", LIMIT, &text, &length, error);
    if (status != ATTN_OK) {
        return status;
    }
    bool good = (*out = json_array()) != NULL;
    for (size_t at = 0, end; at < length && good; at = end + 1) {
        const char *stop = memchr(text + at, '\n', length - at);
        end = stop != NULL ? (size_t)(stop - text) : length;
        size_t line = end > at && text[end - 1] == '\r' ? end - at - 1 : end - at;
        static const char version[] = "#version";
        bool says =
            at == 0 && line >= sizeof version - 1 && memcmp(text, version, sizeof version - 1) == 0;
        good = line == 0 || says || json_array_append_new(*out, json_stringn(text + at, line)) == 0;
    }
    attn_free(text);
    return good ? ATTN_OK
                : attn_fail(error, ATTN_ERR_FORMAT, "merges.txt", -1, "take an undamaged copy",
                            "it is not UTF-8, or memory ran out");
}

/* What RobertaTokenizer never cuts, as tokenizer.json names it. */
static json_t *special_pieces(const json_t *vocabulary) {
    static const char *const special[] = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        const json_t *id = json_object_get(vocabulary, special[i]);
        if (json_is_integer(id)) {
            json_array_append_new(list, json_pack("{s:I, s:s, s:b}", "id", json_integer_value(id),
                                                  "content", special[i], "special", 1));
        }
    }
    return list;
}

/* RoBERTa: the two files are what a tokenizer.json holds. */
static attn_status from_merges(attn_bundle *bundle, const char *text, size_t length, char **bytes,
                               size_t *size, attn_error *error) {
    json_t *settings = NULL, *merges = NULL;
    json_t *vocabulary = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    attn_status status = json_is_object(vocabulary)
                             ? read_merges(bundle, &merges, error)
                             : attn_fail(error, ATTN_ERR_FORMAT, "vocab.json", -1,
                                         "take an undamaged copy", "it is no JSON object");
    if (status == ATTN_OK && attn_bundle_has(bundle, "tokenizer_config.json")) {
        status = attn_import_json(bundle, "tokenizer_config.json", &settings, error);
    }
    if (status == ATTN_OK) {
        json_t *whole =
            json_pack("{s:o, s:{s:s, s:b}, s:{s:s, s:O, s:O}}", "added_tokens",
                      special_pieces(vocabulary), "pre_tokenizer", "type", "ByteLevel",
                      "add_prefix_space", (int)attn_json_flag(settings, "add_prefix_space", false),
                      "model", "type", "BPE", "vocab", vocabulary, "merges", merges);
        char *written = json_dumps(whole, JSON_COMPACT);
        status = written != NULL ? attn_tokenizer_json(written, strlen(written), bytes, size, error)
                                 : attn_fail_memory(error, length);
        free(written);
        json_decref(whole);
    }
    json_decref(settings);
    json_decref(merges);
    json_decref(vocabulary);
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
    {"vocab.json", {"roberta", NULL}, from_merges},
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
                         "spiece.model of ALBERT, vocab.json of RoBERTa",
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
