/* text/tokenizer_json.c: the parts of the file in turn: how text is prepared, the model, the pieces added to it.
 *
 * Format: https://huggingface.co/docs/tokenizers (normalizer, pre_tokenizer, model, added_tokens). */
#include "text/tokenizer_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "text/byte_pieces.h"
#include "text/normalize.h"
#include "text/wordpiece.h"

static const char SPACE[] = "\xe2\x96\x81";

/* What is known of the file while a model is made of it. */
typedef struct reading {
    attn_piece_table table;
    double *score;  /* of each piece of a model of SentencePiece */
    char *charsmap; /* how characters are normalized, as SentencePiece has it */
    size_t charsmap_size;
    attn_normalizer normalizer; /* what is done to a text before that */
    bool prefix;                /* a space is put in front of a text */
    bool collapse;              /* spaces in a row become one, those at the ends fall away */
    bool splits;                /* pieces do not go on over a space */
    bool byte_fallback;
} reading;

static attn_status refuse(attn_error *error, const char *part, const char *what) {
    char shown[80];
    return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer.json", -1,
                     "take a model with a SentencePiece, WordPiece or byte-level BPE tokenizer",
                     "its %s is \"%s\", which attn does not do", part,
                     attn_utf8_quote(shown, sizeof shown, what));
}

static attn_status damaged(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer.json", -1, "take an undamaged copy", "%s",
                     what);
}

/* A string of an object; "" when it is missing or something else. */
static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool flag_of(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

static bool is(const json_t *object, const char *type) {
    return strcmp(text_of(object, "type"), type) == 0;
}

/* ---- how text is prepared ---- */

static int base64_value(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* The bytes of base64; false: it is something else, or memory is out. */
static bool from_base64(const char *text, char **out, size_t *size) {
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '=') {
        length--;
    }
    *out = malloc(length + 1);
    *size = 0;
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < length && *out != NULL; i++) {
        int value = base64_value(text[i]);
        if (value < 0) {
            return false;
        }
        held = (held << 6 | (unsigned)value) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            (*out)[(*size)++] = (char)(held >> bits & 0xFF);
        }
    }
    return *out != NULL;
}

static attn_status read_precompiled(reading *r, const json_t *step, attn_error *error) {
    free(r->charsmap);
    r->charsmap = NULL;
    if (!from_base64(text_of(step, "precompiled_charsmap"), &r->charsmap, &r->charsmap_size)) {
        return damaged(error, "the table of its normalizer is not base64");
    }
    return ATTN_OK;
}

/* SentencePiece's own table comes last. */
static attn_status add_step(reading *r, const json_t *step, attn_normalize_kind kind,
                            attn_error *error) {
    if (r->charsmap != NULL) {
        return refuse(error, "normalizer behind Precompiled", text_of(step, "type"));
    }
    const char *from = text_of(json_object_get(step, "pattern"), "String");
    return attn_normalizer_add(&r->normalizer, kind, from, text_of(step, "content"), error);
}

/* Spaces in a row become one, spaces the mark that SentencePiece writes for them anyway, or one text another. */
static attn_status read_replace(reading *r, const json_t *step, attn_error *error) {
    const json_t *pattern = json_object_get(step, "pattern");
    const char *content = text_of(step, "content");
    bool to_space = strcmp(content, " ") == 0 || strcmp(content, SPACE) == 0;
    if (to_space && strcmp(text_of(pattern, "Regex"), " {2,}") == 0) {
        r->collapse = true;
        return ATTN_OK;
    }
    if (strcmp(content, SPACE) == 0 && strcmp(text_of(pattern, "String"), " ") == 0) {
        return ATTN_OK;
    }
    return *text_of(pattern, "String") != '\0' ? add_step(r, step, ATTN_NORMALIZE_REPLACE, error)
                                               : refuse(error, "normalizer", "Replace");
}

static attn_status read_normalizer(reading *r, const json_t *step, attn_error *error) {
    static const struct {
        const char *type;
        attn_normalize_kind kind;
    } plain[] = {{"NFC", ATTN_NORMALIZE_NFC},
                 {"NFD", ATTN_NORMALIZE_NFD},
                 {"NFKC", ATTN_NORMALIZE_NFKC},
                 {"NFKD", ATTN_NORMALIZE_NFKD},
                 {"StripAccents", ATTN_NORMALIZE_ACCENTS},
                 {"Lowercase", ATTN_NORMALIZE_LOWERCASE}};
    if (json_is_null(step) || step == NULL) {
        return ATTN_OK;
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (is(step, plain[i].type)) {
            return add_step(r, step, plain[i].kind, error);
        }
    }
    if (is(step, "Precompiled") && r->charsmap == NULL) {
        return read_precompiled(r, step, error);
    }
    if (is(step, "Replace")) {
        return read_replace(r, step, error);
    }
    if (is(step, "Strip")) { /* of what collapsing takes off anyway */
        return ATTN_OK;
    }
    if (is(step, "Prepend") && strcmp(text_of(step, "prepend"), SPACE) == 0) {
        r->prefix = true;
        return ATTN_OK;
    }
    return refuse(error, "normalizer", text_of(step, "type"));
}

static attn_status read_pre_tokenizer(reading *r, const json_t *step, attn_error *error) {
    if (json_is_null(step) || step == NULL) {
        return ATTN_OK;
    }
    if (is(step, "WhitespaceSplit")) {
        r->collapse = true;
        return ATTN_OK;
    }
    if (!is(step, "Metaspace") || strcmp(text_of(step, "replacement"), SPACE) != 0) {
        return refuse(error, "pre_tokenizer", text_of(step, "type"));
    }
    const char *scheme = text_of(step, "prepend_scheme");
    r->prefix = *scheme != '\0' ? strcmp(scheme, "never") != 0 : flag_of(step, "add_prefix_space");
    r->splits = !json_is_false(json_object_get(step, "split"));
    return ATTN_OK;
}

/* A step alone, or each of a Sequence. */
static attn_status each_step(reading *r, const json_t *step, const char *list,
                             attn_status (*read)(reading *, const json_t *, attn_error *),
                             attn_error *error) {
    if (!is(step, "Sequence")) {
        return read(r, step, error);
    }
    const json_t *steps = json_object_get(step, list);
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < json_array_size(steps) && status == ATTN_OK; i++) {
        status = read(r, json_array_get(steps, i), error);
    }
    return status;
}

static attn_status read_preparation(reading *r, const json_t *root, attn_error *error) {
    attn_status status =
        each_step(r, json_object_get(root, "normalizer"), "normalizers", read_normalizer, error);
    return status == ATTN_OK ? each_step(r, json_object_get(root, "pre_tokenizer"), "pretokenizers",
                                         read_pre_tokenizer, error)
                             : status;
}

/* ---- pieces ---- */

/* Those that the file adds to the model's; all must be special: others would be cut out of texts. */
static attn_status read_added(reading *r, const json_t *added, attn_error *error) {
    size_t i;
    json_t *token;
    json_array_foreach(added, i, token) {
        const char *content = text_of(token, "content");
        const json_t *number = json_object_get(token, "id");
        int64_t id = json_is_integer(number) ? json_integer_value(number) : -1;
        if (!flag_of(token, "special")) {
            return refuse(error, "piece added without being special", content);
        }
        if (strcmp(attn_piece_table_text(&r->table, id <= INT32_MAX ? (int32_t)id : -1), content) !=
            0) {
            attn_status status =
                attn_piece_table_set(&r->table, id, content, strlen(content), true, error);
            if (status != ATTN_OK) {
                return status;
            }
        } else if (id >= 0 && id < r->table.count) {
            r->table.piece[id].control = true;
        }
    }
    return ATTN_OK;
}

/* {"piece": id, ...} */
static attn_status read_vocabulary(reading *r, const json_t *vocabulary, attn_error *error) {
    if (json_object_size(vocabulary) == 0) {
        return damaged(error, "its model has no vocabulary");
    }
    for (void *at = json_object_iter((json_t *)vocabulary); at != NULL;
         at = json_object_iter_next((json_t *)vocabulary, at)) {
        const char *piece = json_object_iter_key(at);
        const json_t *id = json_object_iter_value(at);
        if (!json_is_integer(id)) {
            return damaged(error, "a piece of its vocabulary has no number");
        }
        attn_status status = attn_piece_table_set(&r->table, json_integer_value(id), piece,
                                                  strlen(piece), false, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return ATTN_OK;
}

/* Finished, and what the model calls unknown is that. */
static attn_status finish_table(reading *r, const json_t *root, attn_error *error) {
    attn_status status = read_added(r, json_object_get(root, "added_tokens"), error);
    if (status == ATTN_OK) {
        status = attn_piece_table_finish_by_name(&r->table, error);
    }
    const json_t *model = json_object_get(root, "model");
    const char *name = text_of(model, "unk_token");
    if (status == ATTN_OK && *name != '\0' &&
        strcmp(name, attn_piece_table_text(&r->table, r->table.special.unk)) != 0) {
        status = refuse(error, "piece for what is unknown", name);
    }
    return status;
}

/* ---- Unigram ---- */

static attn_status read_unigram(reading *r, const json_t *root, attn_error *error) {
    const json_t *list = json_object_get(json_object_get(root, "model"), "vocab");
    size_t i;
    json_t *entry;
    r->score = calloc(json_array_size(list) + 1, sizeof *r->score);
    if (r->score == NULL) {
        return attn_fail_memory(error, json_array_size(list) * sizeof *r->score);
    }
    json_array_foreach(list, i, entry) {
        const char *piece = json_string_value(json_array_get(entry, 0));
        const json_t *score = json_array_get(entry, 1);
        if (piece == NULL || !json_is_number(score)) {
            return damaged(error, "a piece of its vocabulary is not a text and a number");
        }
        r->score[i] = json_number_value(score);
        attn_status status = attn_piece_table_add(&r->table, piece, false, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return finish_table(r, root, error);
}

/* ---- BPE ---- */

/* SentencePiece merges whatever two pieces make a third, the third of highest score first; so the file must list all such
 * pairs, those of one third in a row. */
typedef struct merges {
    reading *r;
    size_t listed;
} merges;

static int32_t find_joined(const reading *r, const char *left, const char *right) {
    attn_buffer both = {0};
    attn_buffer_text(&both, left);
    attn_buffer_text(&both, right);
    int32_t id = both.failed ? -1 : attn_piece_table_find(&r->table, both.data, both.length);
    attn_buffer_free(&both);
    return id;
}

/* "left right", or ["left", "right"] in newer files. */
static int32_t read_merge(const reading *r, const json_t *merge) {
    const char *left = json_string_value(json_array_get(merge, 0));
    const char *right = json_string_value(json_array_get(merge, 1));
    if (left != NULL && right != NULL) {
        return find_joined(r, left, right);
    }
    const char *both = json_string_value(merge);
    const char *space = both != NULL ? strchr(both, ' ') : NULL;
    char *copy = space != NULL ? strdup(both) : NULL;
    if (copy == NULL) {
        return -1;
    }
    copy[space - both] = '\0';
    int32_t id = find_joined(r, copy, copy + (space - both) + 1);
    free(copy);
    return id;
}

static attn_status read_merges(reading *r, const json_t *list, attn_error *error) {
    size_t i;
    json_t *merge;
    int32_t before = -1;
    json_array_foreach(list, i, merge) {
        int32_t id = read_merge(r, merge);
        if (id < 0) {
            return damaged(error, "one of its merges makes no piece of its vocabulary");
        }
        if (id != before && r->score[id] != 0) {
            return refuse(error, "order of merges not by what they make",
                          attn_piece_table_text(&r->table, id));
        }
        r->score[id] = -(double)(i + 1);
        before = id;
    }
    return ATTN_OK;
}

/* How many pairs of pieces make a piece. */
static size_t count_pairs(const attn_piece_table *t, const char *piece) {
    size_t pairs = 0, length = strlen(piece);
    for (size_t at = attn_utf8_step(piece, length); at > 0 && at < length;
         at += attn_utf8_step(piece + at, length - at)) {
        int32_t left = attn_piece_table_find(t, piece, at);
        int32_t right = attn_piece_table_find(t, piece + at, length - at);
        pairs += left >= 0 && right >= 0 && !t->piece[left].control && !t->piece[right].control;
    }
    return pairs;
}

static bool is_byte(const char *piece) {
    return strlen(piece) == 6 && strncmp(piece, "<0x", 3) == 0 && piece[5] == '>' &&
           strspn(piece + 3, "0123456789ABCDEF") == 2;
}

static attn_status check_merges(const reading *r, size_t listed, attn_error *error) {
    size_t pairs = 0;
    for (int32_t i = 0; i < r->table.count; i++) {
        const char *piece = attn_piece_table_text(&r->table, i);
        if (!r->table.piece[i].control && !is_byte(piece)) {
            pairs += count_pairs(&r->table, piece);
        }
        if (r->splits && *piece != '\0' && strstr(piece + 1, SPACE) != NULL) {
            return refuse(error, "piece over a space", piece);
        }
    }
    if (pairs != listed) {
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer.json", -1,
                         "take the SentencePiece file of the model, if it has one",
                         "it lists %zu merges where its vocabulary allows %zu, which SentencePiece "
                         "cannot do",
                         listed, pairs);
    }
    return ATTN_OK;
}

static attn_status read_bpe(reading *r, const json_t *root, attn_error *error) {
    const json_t *model = json_object_get(root, "model"), *list = json_object_get(model, "merges");
    static const char *const not_done[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < 2; i++) {
        if (*text_of(model, not_done[i]) != '\0') {
            return refuse(error, not_done[i], text_of(model, not_done[i]));
        }
    }
    if (flag_of(model, "ignore_merges") || json_is_real(json_object_get(model, "dropout"))) {
        return refuse(error, "model", "BPE with ignore_merges or dropout");
    }
    if (!flag_of(model, "fuse_unk") && !flag_of(model, "byte_fallback")) {
        return refuse(error, "model", "BPE without fuse_unk");
    }
    attn_status status = read_vocabulary(r, json_object_get(model, "vocab"), error);
    if (status == ATTN_OK) {
        status = finish_table(r, root, error);
    }
    if (status == ATTN_OK) {
        r->score = calloc((size_t)r->table.count, sizeof *r->score);
        status = r->score != NULL
                     ? read_merges(r, list, error)
                     : attn_fail_memory(error, (size_t)r->table.count * sizeof *r->score);
    }
    return status == ATTN_OK ? check_merges(r, json_array_size(list), error) : status;
}

/* ---- a model of SentencePiece ---- */

/* Fields of ModelProto and of the messages in it (sentencepiece_model.proto). */
enum { PIECES = 1, TRAINER = 2, NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, BYTE = 6 };
enum { MODEL_TYPE = 3, BYTE_FALLBACK = 35, UNIGRAM = 1, BPE = 2 };
enum { CHARSMAP = 2, DUMMY_PREFIX = 3, EXTRA_SPACES = 4, ESCAPE = 5 };

static void add_message(attn_buffer *to, unsigned number, attn_buffer *inner) {
    attn_protobuf_add_bytes(to, number, inner->data, inner->length);
    to->failed |= inner->failed;
    attn_buffer_free(inner);
}

static void write_piece(const reading *r, int32_t id, attn_buffer *model) {
    const char *text = attn_piece_table_text(&r->table, id);
    attn_buffer piece = {0};
    unsigned type = id == r->table.special.unk          ? UNKNOWN
                    : r->table.piece[id].control        ? CONTROL
                    : r->byte_fallback && is_byte(text) ? BYTE
                                                        : NORMAL;
    attn_protobuf_add_bytes(&piece, PIECE_TEXT, text, strlen(text));
    attn_protobuf_add_float(&piece, PIECE_SCORE, type == NORMAL ? (float)r->score[id] : 0);
    attn_protobuf_add_number(&piece, PIECE_TYPE, type);
    add_message(model, PIECES, &piece);
}

static void write_model(const reading *r, unsigned type, attn_buffer *model) {
    attn_buffer trainer = {0}, normalizer = {0};
    for (int32_t id = 0; id < r->table.count; id++) {
        if (r->table.piece[id].text != NULL) {
            write_piece(r, id, model);
        }
    }
    attn_protobuf_add_number(&trainer, MODEL_TYPE, type);
    attn_protobuf_add_number(&trainer, BYTE_FALLBACK, r->byte_fallback);
    add_message(model, TRAINER, &trainer);
    if (r->charsmap != NULL) {
        attn_protobuf_add_bytes(&normalizer, CHARSMAP, r->charsmap, r->charsmap_size);
    }
    attn_protobuf_add_number(&normalizer, DUMMY_PREFIX, r->prefix);
    attn_protobuf_add_number(&normalizer, EXTRA_SPACES, r->collapse);
    attn_protobuf_add_number(&normalizer, ESCAPE, true);
    add_message(model, NORMALIZER, &normalizer);
    attn_normalizer_write(&r->normalizer, model);
}

static attn_status to_sentencepiece(reading *r, const json_t *root, bool bpe, char **bytes,
                                    size_t *size, attn_error *error) {
    r->byte_fallback = flag_of(json_object_get(root, "model"), "byte_fallback");
    attn_status status = read_preparation(r, root, error);
    if (status == ATTN_OK) {
        status = bpe ? read_bpe(r, root, error) : read_unigram(r, root, error);
    }
    if (status == ATTN_OK) {
        attn_buffer model = {0};
        write_model(r, bpe ? BPE : UNIGRAM, &model);
        status = model.failed ? attn_fail_memory(error, model.length)
                              : attn_piece_table_over(&r->table, model.data, model.length, bytes,
                                                      size, error);
        attn_buffer_free(&model);
    }
    return status;
}

/* ---- WordPiece ---- */

static attn_status read_bert(const json_t *root, attn_wordpiece_options *o, attn_error *error) {
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const json_t *model = json_object_get(root, "model");
    const json_t *longest = json_object_get(model, "max_input_chars_per_word");
    const char *prefix = text_of(model, "continuing_subword_prefix");
    if (!is(normalizer, "BertNormalizer")) {
        return refuse(error, "normalizer", text_of(normalizer, "type"));
    }
    if (!is(pre, "BertPreTokenizer")) {
        return refuse(error, "pre_tokenizer", text_of(pre, "type"));
    }
    if (strlen(prefix) >= sizeof o->prefix) {
        return refuse(error, "continuing_subword_prefix", prefix);
    }
    const json_t *accents = json_object_get(normalizer, "strip_accents");
    *o = attn_wordpiece_defaults(flag_of(normalizer, "lowercase"));
    o->clean = flag_of(normalizer, "clean_text");
    o->chinese = flag_of(normalizer, "handle_chinese_chars");
    o->accents = json_is_boolean(accents) ? json_is_true(accents) : o->lowercase;
    memcpy(o->prefix, prefix, strlen(prefix) + 1);
    if (json_is_integer(longest) && json_integer_value(longest) >= 0 &&
        json_integer_value(longest) <= INT32_MAX) {
        o->longest_word = (int32_t)json_integer_value(longest);
    }
    return ATTN_OK;
}

static attn_status to_wordpiece(reading *r, const json_t *root, char **bytes, size_t *size,
                                attn_error *error) {
    attn_wordpiece_options options;
    attn_status status = read_bert(root, &options, error);
    if (status == ATTN_OK) {
        const json_t *model = json_object_get(root, "model");
        status = read_vocabulary(r, json_object_get(model, "vocab"), error);
    }
    if (status == ATTN_OK) {
        status = finish_table(r, root, error);
    }
    return status == ATTN_OK ? attn_wordpiece_write(&r->table, &options, bytes, size, error)
                             : status;
}

/* ---- BPE over bytes ---- */

static bool is_of_bytes(const json_t *root) {
    return is(json_object_get(root, "pre_tokenizer"), "ByteLevel");
}

/* What such a file may ask for beside the usual. */
static attn_status check_of_bytes(const json_t *root, attn_error *error) {
    static const char *const not_done[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const json_t *model = json_object_get(root, "model");
    const json_t *normalizer = json_object_get(root, "normalizer");
    if (normalizer != NULL && !json_is_null(normalizer)) {
        return refuse(error, "normalizer", text_of(normalizer, "type"));
    }
    if (json_is_false(json_object_get(json_object_get(root, "pre_tokenizer"), "use_regex"))) {
        return refuse(error, "pre_tokenizer", "ByteLevel without use_regex");
    }
    for (size_t i = 0; i < 2; i++) {
        if (*text_of(model, not_done[i]) != '\0') {
            return refuse(error, not_done[i], text_of(model, not_done[i]));
        }
    }
    return flag_of(model, "ignore_merges") || json_is_real(json_object_get(model, "dropout"))
               ? refuse(error, "model", "BPE with ignore_merges or dropout")
               : ATTN_OK;
}

/* "left right", or ["left", "right"] in newer files; -1: no pieces. */
static void split_merge(const reading *r, const json_t *merge, attn_byte_merge *out) {
    const char *left = json_string_value(json_array_get(merge, 0));
    const char *right = json_string_value(json_array_get(merge, 1));
    size_t length = left != NULL ? strlen(left) : 0;
    if (left == NULL) {
        left = json_string_value(merge);
        length = left != NULL ? strcspn(left, " ") : 0;
        right = left != NULL && left[length] == ' ' ? left + length + 1 : NULL;
    }
    bool both = length > 0 && right != NULL;
    out->left = both ? attn_piece_table_find(&r->table, left, length) : -1;
    out->right = both ? attn_piece_table_find(&r->table, right, strlen(right)) : -1;
}

static attn_status read_byte_merges(reading *r, const json_t *list, attn_byte_pieces *pieces,
                                    attn_error *error) {
    size_t i;
    json_t *merge;
    pieces->merge = calloc(json_array_size(list) + 1, sizeof *pieces->merge);
    if (pieces->merge == NULL) {
        return attn_fail_memory(error, json_array_size(list) * sizeof *pieces->merge);
    }
    json_array_foreach(list, i, merge) {
        split_merge(r, merge, &pieces->merge[i]);
    }
    pieces->count = json_array_size(list);
    return attn_byte_pieces_finish(&r->table, pieces, error);
}

static attn_status to_byte_pieces(reading *r, const json_t *root, char **bytes, size_t *size,
                                  attn_error *error) {
    const json_t *model = json_object_get(root, "model");
    attn_byte_pieces pieces = {
        .space_first = flag_of(json_object_get(root, "pre_tokenizer"), "add_prefix_space")};
    attn_status status = check_of_bytes(root, error);
    if (status == ATTN_OK) {
        status = read_vocabulary(r, json_object_get(model, "vocab"), error);
    }
    status = status == ATTN_OK ? finish_table(r, root, error) : status;
    if (status == ATTN_OK) {
        status = read_byte_merges(r, json_object_get(model, "merges"), &pieces, error);
    }
    if (status == ATTN_OK) {
        status = attn_byte_pieces_write(&r->table, &pieces, bytes, size, error);
    }
    attn_byte_pieces_free(&pieces);
    return status;
}

attn_status attn_tokenizer_vocab_txt(const char *text, size_t length, bool lowercase, char **bytes,
                                     size_t *size, attn_error *error) {
    attn_wordpiece_options options = attn_wordpiece_defaults(lowercase);
    attn_piece_table table = {0};
    attn_status status = ATTN_OK;
    *bytes = NULL;
    for (size_t at = 0, end; at < length && status == ATTN_OK; at = end + 1) {
        const char *stop = memchr(text + at, '\n', length - at);
        end = stop != NULL ? (size_t)(stop - text) : length;
        size_t piece = end > at && text[end - 1] == '\r' ? end - at - 1 : end - at;
        bool mask = piece == 6 && memcmp(text + at, "[MASK]", 6) == 0;
        status = attn_piece_table_set(&table, table.count, text + at, piece, mask, error);
    }
    if (status == ATTN_OK) {
        status = attn_piece_table_finish_by_name(&table, error);
    }
    if (status == ATTN_OK) {
        status = attn_wordpiece_write(&table, &options, bytes, size, error);
    }
    attn_piece_table_free(&table);
    return status;
}

/* ---- the file ---- */

static attn_status convert(const json_t *root, char **bytes, size_t *size, attn_error *error) {
    const json_t *model = json_object_get(root, "model");
    bool unigram = is(model, "Unigram"), bpe = is(model, "BPE");
    reading r = {0};
    attn_status status = bpe && is_of_bytes(root) ? to_byte_pieces(&r, root, bytes, size, error)
                         : unigram || bpe ? to_sentencepiece(&r, root, bpe, bytes, size, error)
                         : is(model, "WordPiece") ? to_wordpiece(&r, root, bytes, size, error)
                                                  : refuse(error, "model", text_of(model, "type"));
    attn_piece_table_free(&r.table);
    attn_normalizer_free(&r.normalizer);
    free(r.score);
    free(r.charsmap);
    return status;
}

attn_status attn_tokenizer_json(const char *json, size_t length, char **bytes, size_t *size,
                                attn_error *error) {
    json_error_t where;
    *bytes = NULL;
    *size = 0;
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        char shown[80];
        return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer.json", where.position,
                         "take an undamaged copy", "it is not JSON: %s",
                         attn_utf8_quote(shown, sizeof shown, where.text));
    }
    attn_status status = convert(root, bytes, size, error);
    json_decref(root);
    return status;
}
