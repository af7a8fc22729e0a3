/* text/byte_pieces.c: from text to words, from words to bytes, from bytes to pieces, and back.
 *
 * Bytes: the line of MAGIC, then a message in protocol buffers with 1 flags, 2 merges (two numbers of 32 bits each, the lowest byte
 * first), and the table of pieces as text/piece_table.c writes it. */
#include "text/byte_pieces.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"

static const char MAGIC[] = "attn byte pieces 1\n";
enum { MAGIC_SIZE = sizeof MAGIC - 1, FLAGS = 1, MERGES = 2, SPACE_FIRST = 1, MERGE_BYTES = 8 };

/* ---- bytes as characters ---- */

/* Bytes that can be seen stand for themselves; the others, 0 .. 32, 127 .. 160 and 173, are counted from U+0100. */
enum { HIDDEN = 0x100, FIRST_SEEN = 33, GAP = 127, GAP_END = 161, SOFT_HYPHEN = 173 };

static UChar32 shown(int byte) {
    if (byte == SOFT_HYPHEN) {
        return HIDDEN + FIRST_SEEN + GAP_END - GAP;
    }
    return byte < FIRST_SEEN               ? HIDDEN + byte
           : byte >= GAP && byte < GAP_END ? HIDDEN + FIRST_SEEN + byte - GAP
                                           : byte;
}

/* The byte that a character stands for; -1: none. */
static int hidden_in(UChar32 c) {
    if (c < HIDDEN) {
        return shown((int)c) == c ? (int)c : -1;
    }
    int number = (int)(c - HIDDEN);
    return number < FIRST_SEEN                    ? number
           : number < FIRST_SEEN + GAP_END - GAP  ? GAP + number - FIRST_SEEN
           : number == FIRST_SEEN + GAP_END - GAP ? SOFT_HYPHEN
                                                  : -1;
}

/* Appends the bytes of a piece; false: it is not one of bytes, and nothing was appended. */
static bool append_bytes(const char *piece, attn_buffer *to) {
    int32_t at = 0, length = (int32_t)strlen(piece);
    for (int pass = 0; pass < 2; pass++) {
        for (at = 0; at < length;) {
            UChar32 c;
            U8_NEXT(piece, at, length, c);
            int byte = c >= 0 ? hidden_in(c) : -1;
            if (byte < 0) {
                return false;
            }
            char one = (char)byte;
            attn_buffer_add(to, &one, pass);
        }
    }
    return true;
}

/* ---- merges ---- */

static int by_pair(const void *a, const void *b) {
    const attn_byte_merge *x = a, *y = b;
    return x->left != y->left     ? (x->left > y->left) - (x->left < y->left)
           : x->right != y->right ? (x->right > y->right) - (x->right < y->right)
                                  : 0;
}

static const attn_byte_merge *find_merge(const attn_byte_pieces *p, int32_t left, int32_t right) {
    attn_byte_merge key = {.left = left, .right = right};
    return p->count > 0 ? bsearch(&key, p->merge, p->count, sizeof key, by_pair) : NULL;
}

static attn_status damaged(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1, "take an undamaged copy of the model",
                     "%s", what);
}

static int32_t find_joined(const attn_piece_table *table, const attn_byte_merge *m,
                           attn_buffer *both) {
    both->length = 0;
    attn_buffer_text(both, attn_piece_table_text(table, m->left));
    attn_buffer_text(both, attn_piece_table_text(table, m->right));
    return both->failed ? -1 : attn_piece_table_find(table, both->data, both->length);
}

static attn_status find_bytes(const attn_piece_table *table, attn_byte_pieces *p,
                              attn_error *error) {
    for (int byte = 0; byte < 256; byte++) {
        char text[U8_MAX_LENGTH];
        int32_t length = 0;
        U8_APPEND_UNSAFE(text, length, shown(byte));
        p->byte[byte] = attn_piece_table_find(table, text, (size_t)length);
        if (p->byte[byte] < 0) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", byte, NULL,
                             "the vocabulary of bytes has no piece for byte %d", byte);
        }
    }
    return ATTN_OK;
}

attn_status attn_byte_pieces_finish(const attn_piece_table *table, attn_byte_pieces *p,
                                    attn_error *error) {
    attn_buffer both = {0};
    attn_status status = find_bytes(table, p, error);
    for (size_t i = 0; i < p->count && status == ATTN_OK; i++) {
        attn_byte_merge *m = &p->merge[i];
        bool there = m->left >= 0 && m->left < table->count && m->right >= 0 &&
                     m->right < table->count && table->piece[m->left].text != NULL &&
                     table->piece[m->right].text != NULL;
        m->rank = (int32_t)i;
        m->joined = there ? find_joined(table, m, &both) : -1;
        if (m->joined < 0) {
            status = damaged(error, "one of its merges makes no piece of its vocabulary");
        }
    }
    attn_buffer_free(&both);
    if (status != ATTN_OK || p->count == 0) {
        return status;
    }
    qsort(p->merge, p->count, sizeof *p->merge, by_pair);
    for (size_t i = 1; i < p->count; i++) {
        if (by_pair(&p->merge[i - 1], &p->merge[i]) == 0) {
            return damaged(error, "one of its merges is given twice");
        }
    }
    return ATTN_OK;
}

void attn_byte_pieces_free(attn_byte_pieces *p) {
    free(p->merge);
    *p = (attn_byte_pieces){.count = 0};
}

/* ---- the bytes of a tokenizer ---- */

static int by_rank(const void *a, const void *b) {
    const attn_byte_merge *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static void put_number(unsigned char *to, int32_t value) {
    for (int i = 0; i < 4; i++) {
        to[i] = (unsigned char)((uint32_t)value >> (8 * i));
    }
}

static int32_t get_number(const unsigned char *from) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value |= (uint32_t)from[i] << (8 * i);
    }
    return (int32_t)value;
}

attn_status attn_byte_pieces_write(const attn_piece_table *table, const attn_byte_pieces *p,
                                   char **bytes, size_t *size, attn_error *error) {
    attn_buffer all = {0};
    size_t room = p->count * sizeof *p->merge + 1;
    attn_byte_merge *learned = malloc(room);
    unsigned char *packed = malloc(p->count * MERGE_BYTES + 1);
    attn_status status = ATTN_OK;
    if (learned == NULL || packed == NULL) {
        status = attn_fail_memory(error, room);
    } else {
        if (p->count > 0) {
            memcpy(learned, p->merge, p->count * sizeof *learned);
            qsort(learned, p->count, sizeof *learned, by_rank);
        }
        for (size_t i = 0; i < p->count; i++) {
            put_number(packed + i * MERGE_BYTES, learned[i].left);
            put_number(packed + i * MERGE_BYTES + 4, learned[i].right);
        }
        attn_buffer_text(&all, MAGIC);
        attn_protobuf_add_number(&all, FLAGS, p->space_first ? SPACE_FIRST : 0);
        attn_protobuf_add_bytes(&all, MERGES, packed, p->count * MERGE_BYTES);
        attn_piece_table_write(table, &all);
        *size = all.length;
        status = attn_buffer_take(&all, bytes, error);
    }
    free(learned);
    free(packed);
    return status;
}

bool attn_byte_pieces_recognize(const void *bytes, size_t size) {
    return size >= MAGIC_SIZE && memcmp(bytes, MAGIC, MAGIC_SIZE) == 0;
}

static attn_status read_merges(const attn_protobuf *bytes, attn_byte_pieces *p, attn_error *error) {
    if (bytes->size % MERGE_BYTES != 0 || p->merge != NULL ||
        bytes->size / MERGE_BYTES > ATTN_PIECES_MOST) {
        return damaged(error, "its list of merges is damaged");
    }
    p->count = bytes->size / MERGE_BYTES;
    p->merge = calloc(p->count + 1, sizeof *p->merge);
    if (p->merge == NULL) {
        p->count = 0;
        return attn_fail_memory(error, bytes->size);
    }
    for (size_t i = 0; i < p->count; i++) {
        p->merge[i].left = get_number(bytes->data + i * MERGE_BYTES);
        p->merge[i].right = get_number(bytes->data + i * MERGE_BYTES + 4);
    }
    return ATTN_OK;
}

attn_status attn_byte_pieces_read(const void *bytes, size_t size, attn_byte_pieces *p,
                                  attn_piece_table *table, attn_error *error) {
    attn_protobuf message = {(const unsigned char *)bytes + MAGIC_SIZE, size - MAGIC_SIZE, 0};
    attn_protobuf all = message;
    attn_status status = ATTN_OK;
    *p = (attn_byte_pieces){.count = 0};
    *table = (attn_piece_table){0};
    while (all.at < all.size && status == ATTN_OK) {
        attn_protobuf_field f;
        if (!attn_protobuf_next(&all, &f)) {
            status = damaged(error, "the vocabulary of bytes is damaged");
        } else if (f.number == FLAGS) {
            p->space_first = f.value & SPACE_FIRST;
        } else if (f.number == MERGES && f.holds_bytes) {
            status = read_merges(&f.bytes, p, error);
        }
    }
    status = status == ATTN_OK ? attn_piece_table_read(message, table, error) : status;
    return status == ATTN_OK ? attn_byte_pieces_finish(table, p, error) : status;
}

/* ---- words ---- */

typedef enum sort { LETTER, DIGIT, SPACE, OTHER } sort;

static sort sort_of(UChar32 c) {
    uint32_t category = U_GET_GC_MASK(c);
    return u_isUWhiteSpace(c)       ? SPACE
           : category & U_GC_L_MASK ? LETTER
           : category & U_GC_N_MASK ? DIGIT
                                    : OTHER;
}

/* The character at a place; past the end nothing, which is a space. *next: behind it. */
static sort look(const char *text, size_t length, size_t at, size_t *next) {
    int32_t i = 0;
    UChar32 c = ' ';
    size_t left = length - at < U8_MAX_LENGTH ? length - at : U8_MAX_LENGTH;
    if (left > 0) {
        U8_NEXT(text + at, i, (int32_t)left, c);
    }
    *next = at + (size_t)i;
    return sort_of(c);
}

/* How long an ending such as 's is there; 0: none. */
static size_t ending(const char *text, size_t length) {
    static const char *const all[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        size_t size = strlen(all[i]);
        if (length >= size && memcmp(text, all[i], size) == 0) {
            return size;
        }
    }
    return 0;
}

/* White space from `at` on: all of it at the end of the text, else all but its last character, which goes with what follows; a single
 * one by itself. */
static size_t space_end(const char *text, size_t length, size_t at) {
    size_t last = at, end = at, next;
    while (end < length && look(text, length, end, &next) == SPACE) {
        last = end;
        end = next;
    }
    return end == length || last == at ? end : last;
}

/* Where the word that begins at `at` ends. */
static size_t word_end(const char *text, size_t length, size_t at) {
    size_t found = ending(text + at, length - at), next;
    if (found > 0) {
        return at + found;
    }
    size_t from = text[at] == ' ' ? at + 1 : at;
    sort kind = look(text, length, from, &next);
    if (from == length || kind == SPACE) {
        return space_end(text, length, at);
    }
    size_t end = next;
    while (end < length && look(text, length, end, &next) == kind) {
        end = next;
    }
    return end;
}

/* ---- pieces of a word ---- */

/* A list of neighbours; a piece that went into the one before it has id -1. */
typedef struct node {
    int32_t id;
    uint32_t before, after, size; /* size: in bytes */
} node;

/* A pair of neighbours that could be merged, as they were when it was found. */
typedef struct candidate {
    int32_t rank, left_id, right_id;
    uint32_t left;
} candidate;

typedef struct word_work {
    const attn_byte_pieces *pieces;
    node *node;
    candidate *heap; /* the earliest merge first; of equal ones the leftmost */
    size_t heap_count, room;
} word_work;

enum { NONE = UINT32_MAX };

static bool earlier(const candidate *a, const candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static void push(word_work *w, uint32_t left) {
    const node *a = &w->node[left];
    if (a->after == NONE) {
        return;
    }
    const node *b = &w->node[a->after];
    const attn_byte_merge *m = find_merge(w->pieces, a->id, b->id);
    if (m == NULL) {
        return;
    }
    candidate fresh = {m->rank, a->id, b->id, left};
    size_t at = w->heap_count++;
    for (; at > 0 && earlier(&fresh, &w->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        w->heap[at] = w->heap[(at - 1) / 2];
    }
    w->heap[at] = fresh;
}

static candidate pop(word_work *w) {
    candidate top = w->heap[0], last = w->heap[--w->heap_count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < w->heap_count) {
        child += child + 1 < w->heap_count && earlier(&w->heap[child + 1], &w->heap[child]);
        if (!earlier(&w->heap[child], &last)) {
            break;
        }
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return top;
}

/* Each merge removes a piece and finds at most two pairs, so that the heap never holds more than three for each byte. */
static void merge_all(word_work *w) {
    while (w->heap_count > 0) {
        candidate c = pop(w);
        node *a = &w->node[c.left];
        if (a->id != c.left_id || a->after == NONE || w->node[a->after].id != c.right_id) {
            continue; /* one of them was merged meanwhile */
        }
        node *b = &w->node[a->after];
        a->id = find_merge(w->pieces, c.left_id, c.right_id)->joined;
        a->size += b->size;
        a->after = b->after;
        b->id = -1;
        if (a->after != NONE) {
            w->node[a->after].before = c.left;
        }
        if (a->before != NONE) {
            push(w, a->before);
        }
        push(w, c.left);
    }
}

static attn_status make_room(word_work *w, size_t length, attn_error *error) {
    if (length <= w->room) {
        return ATTN_OK;
    }
    free(w->node);
    free(w->heap);
    w->room = length;
    w->node = malloc(length * sizeof *w->node);
    w->heap = malloc(3 * length * sizeof *w->heap);
    if (w->node == NULL || w->heap == NULL) {
        w->room = 0;
        return attn_fail_memory(error, length * (sizeof *w->node + 3 * sizeof *w->heap));
    }
    return ATTN_OK;
}

static attn_status encode_word(word_work *w, const char *text, size_t length,
                               attn_byte_pieces_found *found, void *context, attn_error *error) {
    attn_status status = make_room(w, length, error);
    if (status != ATTN_OK) {
        return status;
    }
    uint32_t count = (uint32_t)length;
    for (uint32_t i = 0; i < count; i++) {
        w->node[i] = (node){w->pieces->byte[(unsigned char)text[i]], i > 0 ? i - 1 : NONE,
                            i + 1 < count ? i + 1 : NONE, 1};
    }
    w->heap_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        push(w, i);
    }
    merge_all(w);
    size_t at = 0;
    for (uint32_t i = 0; i != NONE; i = w->node[i].after) {
        found(w->node[i].id, text + at, w->node[i].size, context);
        at += w->node[i].size;
    }
    return ATTN_OK;
}

attn_status attn_byte_pieces_encode(const attn_byte_pieces *pieces, const char *text, size_t length,
                                    attn_byte_pieces_found *found, void *context,
                                    attn_error *error) {
    word_work w = {.pieces = pieces};
    attn_buffer line = {0};
    attn_status status = ATTN_OK;
    if (length >= INT32_MAX) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "the text is too long");
    }
    if (pieces->space_first && length > 0 && text[0] != ' ') {
        attn_buffer_text(&line, " ");
        attn_buffer_add(&line, text, length);
        text = line.data;
        length = line.length;
    }
    if (line.failed) {
        status = attn_fail_memory(error, length);
    }
    for (size_t at = 0, end; at < length && status == ATTN_OK; at = end) {
        end = word_end(text, length, at);
        status = encode_word(&w, text + at, end - at, found, context, error);
    }
    attn_buffer_free(&line);
    free(w.node);
    free(w.heap);
    return status;
}

/* ---- and back ---- */

/* Appends bytes; those that are no UTF-8 as U+FFFD. */
static void append_text(const char *bytes, size_t length, attn_buffer *text) {
    for (size_t at = 0; at < length;) {
        size_t step = attn_utf8_step(bytes + at, length - at);
        if (step > 0) {
            attn_buffer_add(text, bytes + at, step);
        } else {
            attn_buffer_text(text, "\xef\xbf\xbd");
        }
        at += step > 0 ? step : 1;
    }
}

void attn_byte_pieces_decode(const attn_piece_table *table, const int32_t *ids, size_t count,
                             attn_buffer *text) {
    attn_buffer bytes = {0};
    for (size_t i = 0; i < count; i++) {
        const char *piece = attn_piece_table_text(table, ids[i]);
        if (table->piece[ids[i]].control || !append_bytes(piece, &bytes)) {
            attn_buffer_text(&bytes, piece);
        }
    }
    append_text(bytes.data, bytes.length, text);
    text->failed |= bytes.failed;
    attn_buffer_free(&bytes);
}

void attn_byte_pieces_surface(const attn_piece_table *table, int32_t id, attn_buffer *text) {
    attn_buffer bytes = {0};
    const char *piece = attn_piece_table_text(table, id);
    bool own = !table->piece[id].control && append_bytes(piece, &bytes) &&
               attn_utf8_whole(bytes.data, bytes.length);
    if (!own) {
        attn_buffer_text(text, piece); /* a part of a character stays as it is written */
    } else if (bytes.length > 0 && bytes.data[0] == ' ') {
        attn_buffer_text(text, "\xe2\x96\x81");
        attn_buffer_add(text, bytes.data + 1, bytes.length - 1);
    } else {
        attn_buffer_add(text, bytes.data, bytes.length);
    }
    text->failed |= bytes.failed;
    attn_buffer_free(&bytes);
}
