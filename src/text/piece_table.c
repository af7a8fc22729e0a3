/* text/piece_table.c: an array by id, and the ids sorted by text.
 *
 * Layout in a message: field 202 holds a message with the pieces in the order of their ids, each as field 1 (text) or 2 (control;
 * an empty field 1 is an id without piece), and the numbers 3 pad, 4 unk, 5 bos, 6 eos, each one more than the id, 7, whether
 * codes of languages stand in texts, and 8, whether the pieces are words with spaces between. */
#include "text/piece_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"

enum {
    TABLE = 202,
    TEXT = 1,
    CONTROL = 2,
    PAD = 3,
    UNK = 4,
    BOS = 5,
    EOS = 6,
    CODES = 7,
    PLAIN = 8
};

static const char *const hint = "take an undamaged copy of the vocabulary";

/* ---- filling ---- */

static attn_status grow(attn_piece_table *t, int64_t count, attn_error *error) {
    if ((size_t)count > t->room) {
        size_t room = (size_t)count < 1024 ? 1024 : 2 * (size_t)count;
        attn_piece *grown = realloc(t->piece, room * sizeof *grown);
        if (grown == NULL) {
            return attn_fail_memory(error, room * sizeof *grown);
        }
        t->piece = grown;
        t->room = room;
    }
    while (t->count < count) {
        t->piece[t->count++] = (attn_piece){0};
    }
    return ATTN_OK;
}

attn_status attn_piece_table_set(attn_piece_table *t, int64_t id, const char *text, size_t length,
                                 bool control, attn_error *error) {
    if (id < 0 || id >= ATTN_PIECES_MOST) {
        return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1, hint,
                         "a piece has the id %lld, outside of 0 to %d", (long long)id,
                         ATTN_PIECES_MOST - 1);
    }
    if (memchr(text, '\0', length) != NULL || !attn_utf8_whole(text, length)) {
        return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1, hint,
                         "piece %lld is no UTF-8 text", (long long)id);
    }
    attn_status status = id < t->count ? ATTN_OK : grow(t, id + 1, error);
    if (status != ATTN_OK || length == 0) {
        return status;
    }
    if (t->piece[id].text != NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1, hint,
                         "two pieces have the id %lld", (long long)id);
    }
    char *copy = malloc(length + 1);
    if (copy == NULL) {
        return attn_fail_memory(error, length + 1);
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    t->piece[id] = (attn_piece){copy, control};
    return ATTN_OK;
}

attn_status attn_piece_table_add(attn_piece_table *t, const char *text, bool control,
                                 attn_error *error) {
    return attn_piece_table_set(t, t->count, text, strlen(text), control, error);
}

void attn_piece_table_free(attn_piece_table *t) {
    for (int32_t i = 0; i < t->count; i++) {
        free(t->piece[i].text);
    }
    free(t->piece);
    free(t->sorted);
    *t = (attn_piece_table){0};
}

/* ---- sorted, to be asked ---- */

typedef struct entry {
    const char *text;
    int32_t id;
} entry;

static int by_text(const void *a, const void *b) {
    return strcmp(((const entry *)a)->text, ((const entry *)b)->text);
}

static attn_status check_unique(const entry *entries, int32_t count, attn_error *error) {
    for (int32_t i = 1; i < count; i++) {
        if (strcmp(entries[i - 1].text, entries[i].text) == 0) {
            char shown[64];
            return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1, hint,
                             "the pieces %d and %d are both \"%s\"", (int)entries[i - 1].id,
                             (int)entries[i].id,
                             attn_utf8_quote(shown, sizeof shown, entries[i].text));
        }
    }
    return ATTN_OK;
}

static attn_status sort(attn_piece_table *t, attn_error *error) {
    size_t room = (size_t)t->count + 1;
    entry *entries = malloc(room * sizeof *entries);
    free(t->sorted);
    t->sorted = malloc(room * sizeof *t->sorted);
    t->sorted_count = 0;
    if (entries == NULL || t->sorted == NULL) {
        free(entries);
        return attn_fail_memory(error, room * sizeof *entries);
    }
    for (int32_t i = 0; i < t->count; i++) {
        if (t->piece[i].text != NULL) {
            entries[t->sorted_count++] = (entry){t->piece[i].text, i};
        }
    }
    qsort(entries, (size_t)t->sorted_count, sizeof *entries, by_text);
    for (int32_t i = 0; i < t->sorted_count; i++) {
        t->sorted[i] = entries[i].id;
    }
    attn_status status = check_unique(entries, t->sorted_count, error);
    free(entries);
    return status;
}

static bool in_range(const attn_piece_table *t, int32_t id, int32_t least) {
    return id >= least && id < t->count && (id < 0 || t->piece[id].text != NULL);
}

attn_status attn_piece_table_finish(attn_piece_table *t, attn_error *error) {
    attn_special_ids s = t->special;
    if (!in_range(t, s.unk, 0)) {
        return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1,
                         "add <unk> or [UNK] to the vocabulary",
                         "it has no piece for what is unknown");
    }
    if (!in_range(t, s.pad, -1) || !in_range(t, s.bos, -1) || !in_range(t, s.eos, -1)) {
        return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1, hint,
                         "a special piece is not one of its %d pieces", (int)t->count);
    }
    return sort(t, error);
}

static int32_t find_either(const attn_piece_table *t, const char *name, const char *other) {
    int32_t id = attn_piece_table_find(t, name, strlen(name));
    return id >= 0 ? id : attn_piece_table_find(t, other, strlen(other));
}

attn_status attn_piece_table_finish_by_name(attn_piece_table *t, attn_error *error) {
    attn_status status = sort(t, error);
    if (status == ATTN_OK) {
        t->special = (attn_special_ids){.pad = find_either(t, "<pad>", "[PAD]"),
                                        .unk = find_either(t, "<unk>", "[UNK]"),
                                        .bos = find_either(t, "<s>", "[CLS]"),
                                        .eos = find_either(t, "</s>", "[SEP]")};
        if (t->special.unk < 0) { /* GPT-2 has one piece for all */
            t->special.unk = find_either(t, "<|endoftext|>", "");
        }
        const int32_t ids[] = {t->special.pad, t->special.unk, t->special.bos, t->special.eos};
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
            if (ids[i] >= 0) {
                t->piece[ids[i]].control = true;
            }
        }
        status = attn_piece_table_finish(t, error);
    }
    return status;
}

/* As strcmp of a piece and a text of a given length without NUL. */
static int compare(const char *piece, const char *text, size_t length) {
    int order = strncmp(piece, text, length);
    return order != 0 ? order : piece[length] != '\0';
}

int32_t attn_piece_table_find(const attn_piece_table *t, const char *text, size_t length) {
    int32_t low = 0, high = memchr(text, '\0', length) == NULL ? t->sorted_count : 0;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = compare(t->piece[t->sorted[middle]].text, text, length);
        if (order == 0) {
            return t->sorted[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

const char *attn_piece_table_text(const attn_piece_table *t, int32_t id) {
    bool there = id >= 0 && id < t->count && t->piece[id].text != NULL;
    return there ? t->piece[id].text : "";
}

bool attn_is_special(attn_special_ids s, int32_t id) {
    return id >= 0 && (id == s.pad || id == s.unk || id == s.bos || id == s.eos);
}

/* ---- written and read ---- */

static void write_inner(const attn_piece_table *t, attn_buffer *out) {
    for (int32_t i = 0; i < t->count; i++) {
        const char *text = attn_piece_table_text(t, i);
        attn_protobuf_add_bytes(out, t->piece[i].control ? CONTROL : TEXT, text, strlen(text));
    }
    attn_protobuf_add_number(out, PAD, (uint64_t)(t->special.pad + 1));
    attn_protobuf_add_number(out, UNK, (uint64_t)(t->special.unk + 1));
    attn_protobuf_add_number(out, BOS, (uint64_t)(t->special.bos + 1));
    attn_protobuf_add_number(out, EOS, (uint64_t)(t->special.eos + 1));
    attn_protobuf_add_number(out, CODES, t->codes);
    if (t->plain) {
        attn_protobuf_add_number(out, PLAIN, 1);
    }
}

void attn_piece_table_write(const attn_piece_table *t, attn_buffer *message) {
    attn_buffer inner = {0};
    write_inner(t, &inner);
    attn_protobuf_add_bytes(message, TABLE, inner.data, inner.length);
    message->failed |= inner.failed;
    attn_buffer_free(&inner);
}

attn_status attn_piece_table_over(const attn_piece_table *t, const void *model, size_t size,
                                  char **bytes, size_t *bytes_size, attn_error *error) {
    attn_buffer all = {0};
    attn_buffer_add(&all, model, size);
    attn_piece_table_write(t, &all);
    *bytes_size = all.length;
    return attn_buffer_take(&all, bytes, error);
}

static int32_t id_from(uint64_t number) {
    return number > INT32_MAX ? INT32_MAX : (int32_t)number - 1;
}

static attn_status read_field(attn_piece_table *t, const attn_protobuf_field *f,
                              attn_error *error) {
    if (f->holds_bytes && (f->number == TEXT || f->number == CONTROL)) {
        return attn_piece_table_set(t, t->count, (const char *)f->bytes.data, f->bytes.size,
                                    f->number == CONTROL, error);
    }
    switch (f->number) {
    case PAD:
        t->special.pad = id_from(f->value);
        break;
    case UNK:
        t->special.unk = id_from(f->value);
        break;
    case BOS:
        t->special.bos = id_from(f->value);
        break;
    case EOS:
        t->special.eos = id_from(f->value);
        break;
    case CODES:
        t->codes = f->value != 0;
        break;
    case PLAIN:
        t->plain = f->value != 0;
        break;
    default:
        break;
    }
    return ATTN_OK;
}

static attn_status read_inner(attn_protobuf inner, attn_piece_table *t, attn_error *error) {
    t->special = (attn_special_ids){-1, -1, -1, -1};
    while (inner.at < inner.size) {
        attn_protobuf_field f;
        if (!attn_protobuf_next(&inner, &f)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1,
                             "take an undamaged copy of the model",
                             "its table of pieces is damaged");
        }
        attn_status status = read_field(t, &f, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return attn_piece_table_finish(t, error);
}

attn_status attn_piece_table_read(attn_protobuf message, attn_piece_table *out, attn_error *error) {
    attn_protobuf_field f, table = {0};
    *out = (attn_piece_table){0};
    while (message.at < message.size && attn_protobuf_next(&message, &f)) {
        if (f.number == TABLE && f.holds_bytes) {
            table = f;
        }
    }
    if (!table.holds_bytes) {
        return ATTN_OK;
    }
    attn_status status = read_inner(table.bytes, out, error);
    if (status != ATTN_OK) {
        attn_piece_table_free(out);
    }
    return status;
}

/* ---- lists that are made by rule ---- */

/* ModelProto.SentencePiece: 1 the text, 3 the type, of which these are not text. */
enum { PIECES = 1, PIECE_TEXT = 1, PIECE_TYPE = 3, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3 };

typedef struct model_piece {
    attn_protobuf text;
    uint64_t type;
} model_piece;

static bool read_piece(attn_protobuf message, model_piece *out) {
    *out = (model_piece){0};
    while (message.at < message.size) {
        attn_protobuf_field f;
        if (!attn_protobuf_next(&message, &f)) {
            return false;
        }
        if (f.number == PIECE_TEXT && f.holds_bytes) {
            out->text = f.bytes;
        } else if (f.number == PIECE_TYPE) {
            out->type = f.value;
        }
    }
    return true;
}

/* Adds the pieces of a model, the first `skip` left out. */
static attn_status add_pieces(attn_piece_table *t, attn_protobuf model, int64_t skip,
                              attn_error *error) {
    int64_t seen = 0;
    while (model.at < model.size) {
        attn_protobuf_field f;
        model_piece p;
        bool whole = attn_protobuf_next(&model, &f);
        bool piece = whole && f.number == PIECES && f.holds_bytes;
        if (!whole || (piece && !read_piece(f.bytes, &p))) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", (int64_t)model.at,
                             "take an undamaged copy of the model",
                             "the bytes are not a SentencePiece model");
        }
        if (!piece || seen++ < skip) {
            continue;
        }
        const char *text = p.text.data != NULL ? (const char *)p.text.data : "";
        bool control = p.type == TYPE_CONTROL || p.type == TYPE_UNKNOWN;
        attn_status status = attn_piece_table_set(t, t->count, text, p.text.size, control, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return ATTN_OK;
}

attn_status attn_piece_table_of_model(const void *model, size_t size, attn_piece_table *out,
                                      attn_error *error) {
    *out = (attn_piece_table){0};
    attn_status status = add_pieces(out, (attn_protobuf){model, size, 0}, 0, error);
    if (status != ATTN_OK) {
        attn_piece_table_free(out);
    }
    return status;
}

attn_status attn_piece_table_of_fairseq(const void *model, size_t size, attn_piece_table *out,
                                        attn_error *error) {
    static const char *const first[] = {"<s>", "<pad>", "</s>", "<unk>"};
    attn_status status = ATTN_OK;
    *out = (attn_piece_table){0};
    for (size_t i = 0; i < sizeof first / sizeof *first && status == ATTN_OK; i++) {
        status = attn_piece_table_add(out, first[i], true, error);
    }
    if (status == ATTN_OK) {
        status = add_pieces(out, (attn_protobuf){model, size, 0}, 3, error);
    }
    if (status != ATTN_OK) {
        attn_piece_table_free(out);
    }
    return status;
}

/* ---- what a model of SentencePiece is ---- */

/* The number of a field of a message, the last such one; 0: there is none. */
static uint64_t find_number(attn_protobuf message, uint64_t number) {
    attn_protobuf_field field;
    uint64_t value = 0;
    while (message.at < message.size && attn_protobuf_next(&message, &field)) {
        if (field.number == number && !field.holds_bytes) {
            value = field.value;
        }
    }
    return value;
}

/* ModelProto.trainer_spec.model_type. */
bool attn_model_is_bpe(attn_protobuf message) {
    enum { TRAINER_SPEC = 2, MODEL_TYPE = 3, BPE = 2 };
    attn_protobuf_field field;
    while (message.at < message.size && attn_protobuf_next(&message, &field)) {
        if (field.number == TRAINER_SPEC && field.holds_bytes) {
            return find_number(field.bytes, MODEL_TYPE) == BPE;
        }
    }
    return false;
}
