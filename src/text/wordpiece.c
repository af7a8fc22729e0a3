/* text/wordpiece.c: from text to words, from words to pieces, and back.
 *
 * Bytes: the line of MAGIC, then a message in protocol buffers with 1 flags, 2 longest word, 3 prefix, and the table of pieces
 * as text/piece_table.c writes it. */
#include "text/wordpiece.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "text/icu.h"

static const char MAGIC[] = "attn WordPiece 1\n";
enum { MAGIC_SIZE = sizeof MAGIC - 1 };
enum { FLAGS = 1, LONGEST = 2, PREFIX = 3 };
enum { CLEAN = 1, CHINESE = 2, ACCENTS = 4, LOWERCASE = 8 };

attn_wordpiece_options attn_wordpiece_defaults(bool lowercase) {
    return (attn_wordpiece_options){.clean = true,
                                    .chinese = true,
                                    .accents = lowercase,
                                    .lowercase = lowercase,
                                    .longest_word = 100,
                                    .prefix = "##"};
}

/* ---- the bytes ---- */

attn_status attn_wordpiece_write(const attn_piece_table *table, const attn_wordpiece_options *o,
                                 char **bytes, size_t *size, attn_error *error) {
    attn_buffer all = {0};
    unsigned flags = (o->clean ? CLEAN : 0) | (o->chinese ? CHINESE : 0) |
                     (o->accents ? ACCENTS : 0) | (o->lowercase ? LOWERCASE : 0);
    attn_buffer_text(&all, MAGIC);
    attn_protobuf_add_number(&all, FLAGS, flags);
    attn_protobuf_add_number(&all, LONGEST, (uint64_t)o->longest_word);
    attn_protobuf_add_bytes(&all, PREFIX, o->prefix, strlen(o->prefix));
    attn_piece_table_write(table, &all);
    *size = all.length;
    return attn_buffer_take(&all, bytes, error);
}

bool attn_wordpiece_recognize(const void *bytes, size_t size) {
    return size >= MAGIC_SIZE && memcmp(bytes, MAGIC, MAGIC_SIZE) == 0;
}

/* false: the field makes no sense. */
static bool read_field(const attn_protobuf_field *f, attn_wordpiece_options *o) {
    if (f->number == FLAGS) {
        o->clean = f->value & CLEAN;
        o->chinese = f->value & CHINESE;
        o->accents = f->value & ACCENTS;
        o->lowercase = f->value & LOWERCASE;
    } else if (f->number == LONGEST) {
        o->longest_word = f->value <= INT32_MAX ? (int32_t)f->value : INT32_MAX;
    } else if (f->number == PREFIX) {
        if (!f->holds_bytes || f->bytes.size >= sizeof o->prefix ||
            !attn_utf8_whole((const char *)f->bytes.data, f->bytes.size)) {
            return false;
        }
        memcpy(o->prefix, f->bytes.data, f->bytes.size);
        o->prefix[f->bytes.size] = '\0';
    }
    return true;
}

attn_status attn_wordpiece_read(const void *bytes, size_t size, attn_wordpiece_options *options,
                                attn_piece_table *table, attn_error *error) {
    attn_protobuf message = {(const unsigned char *)bytes + MAGIC_SIZE, size - MAGIC_SIZE, 0};
    *options = (attn_wordpiece_options){0};
    *table = (attn_piece_table){0};
    attn_protobuf all = message;
    while (all.at < all.size) {
        attn_protobuf_field f;
        if (!attn_protobuf_next(&all, &f) || !read_field(&f, options)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", (int64_t)(MAGIC_SIZE + all.at),
                             "take an undamaged copy of the model",
                             "the vocabulary of WordPiece is damaged");
        }
    }
    attn_status status = attn_piece_table_read(message, table, error);
    if (status == ATTN_OK && table->count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1,
                           "take an undamaged copy of the model",
                           "the vocabulary of WordPiece is missing");
    }
    return status;
}

/* ---- cleaning ---- */

typedef struct units {
    UChar *data; /* UTF-16, which ICU normalizes */
    int32_t length;
} units;

static bool is_space(UChar32 c) {
    return u_isUWhiteSpace(c);
}

/* The general categories of Unicode 8, which Hugging Face's tokenizers knows: a character that came later has none, so that a
 * newer ICU changes no ids. Six characters that have another category since then are taken as ICU has them. */
static uint32_t category_of(UChar32 c) {
    enum { UNICODE = 8 };
    UVersionInfo age;
    if (c >= 0x80) {
        u_charAge(c, age);
        if (age[0] > UNICODE) {
            return U_GC_CN_MASK;
        }
    }
    return U_GET_GC_MASK(c);
}

/* Controls, formats, and what is private or lone. */
static bool is_control(UChar32 c) {
    if (c == '\t' || c == '\n' || c == '\r') {
        return false;
    }
    return (category_of(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CS_MASK)) != 0;
}

static bool is_chinese(UChar32 c) {
    static const struct {
        UChar32 first, last;
    } ranges[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
                  {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static void append(units *to, UChar32 c) {
    U16_APPEND_UNSAFE(to->data, to->length, c);
}

/* No more units than the text has bytes: a Chinese character with its two spaces takes as many as its UTF-8. */
static void clean(const attn_wordpiece_options *o, const char *text, int32_t length, units *to) {
    for (int32_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT_OR_FFFD(text, at, length, c);
        if (o->clean && (c == 0 || c == 0xFFFD || is_control(c))) {
            continue;
        }
        bool alone = o->chinese && is_chinese(c);
        if (alone) {
            append(to, ' ');
        }
        append(to, o->clean && is_space(c) ? ' ' : c);
        if (alone) {
            append(to, ' ');
        }
    }
}

/* Letters and their accents apart. */
static attn_status decompose(units *u, attn_error *error) {
    UErrorCode code = U_ZERO_ERROR;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&code);
    int32_t room = 4 * u->length; /* no character decomposes into more */
    UChar *apart = malloc(((size_t)room + 1) * sizeof *apart);
    if (apart == NULL) {
        return attn_fail_memory(error, (size_t)room * sizeof *apart);
    }
    int32_t length = unorm2_normalize(nfd, u->data, u->length, apart, room, &code);
    if (U_FAILURE(code)) {
        free(apart);
        return attn_icu_fail(error, code, "take accents off letters");
    }
    free(u->data);
    *u = (units){apart, length};
    return ATTN_OK;
}

/* ---- words to pieces ---- */

typedef struct search {
    const attn_wordpiece_options *options;
    const attn_piece_table *table;
    attn_wordpiece_found *found;
    void *context;
    attn_buffer word, pieces; /* pieces: int32_t id, size_t length in turn; see add_piece */
    int32_t characters;       /* of the word */
    attn_buffer candidate;
} search;

typedef struct piece_here {
    int32_t id;
    size_t length; /* of the word's bytes */
} piece_here;

/* The longest piece at `at` of the word; length 0: there is none. */
static piece_here longest_at(search *s, size_t at) {
    s->candidate.length = 0;
    if (at > 0) {
        attn_buffer_text(&s->candidate, s->options->prefix);
    }
    size_t before = s->candidate.length;
    attn_buffer_add(&s->candidate, s->word.data + at, s->word.length - at);
    if (s->candidate.failed) {
        return (piece_here){-1, 0};
    }
    for (size_t length = s->word.length - at; length > 0; length--) {
        bool boundary = at + length == s->word.length || !U8_IS_TRAIL(s->word.data[at + length]);
        int32_t id =
            boundary ? attn_piece_table_find(s->table, s->candidate.data, before + length) : -1;
        if (id >= 0 && !s->table->piece[id].control) {
            return (piece_here){id, length};
        }
    }
    return (piece_here){-1, 0};
}

/* Notes the pieces of the word; false: it cannot be made up of pieces. */
static bool cut_word(search *s) {
    s->pieces.length = 0;
    if (s->characters > s->options->longest_word) {
        return false;
    }
    for (size_t at = 0; at < s->word.length;) {
        piece_here piece = longest_at(s, at);
        if (piece.length == 0) {
            return false;
        }
        attn_buffer_add(&s->pieces, &piece, sizeof piece);
        at += piece.length;
    }
    return true;
}

static void end_word(search *s) {
    if (s->word.length == 0) {
        return;
    }
    if (!cut_word(s)) {
        s->found(s->table->special.unk, s->word.data, s->word.length, s->context);
    } else {
        const char *text = s->word.data;
        for (size_t at = 0; at < s->pieces.length; at += sizeof(piece_here)) {
            piece_here piece;
            memcpy(&piece, s->pieces.data + at, sizeof piece);
            s->found(piece.id, text, piece.length, s->context);
            text += piece.length;
        }
    }
    s->word.length = 0;
    s->characters = 0;
}

static void add_character(search *s, UChar32 c) {
    char bytes[U8_MAX_LENGTH];
    int32_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, c);
    attn_buffer_add(&s->word, bytes, (size_t)length);
    s->characters++;
}

/* One capital becomes two characters. */
static void add_lowered(search *s, UChar32 c) {
    add_character(s, u_tolower(c));
    if (c == 0x130) {
        add_character(s, 0x307);
    }
}

/* Those of ASCII, signs for money and sums among them, and all that Unicode calls punctuation. */
static bool is_mark(UChar32 c) {
    bool ascii = c > ' ' && c < 0x7F && !u_isalnum(c);
    return ascii || (category_of(c) & U_GC_P_MASK) != 0;
}

static void find_words(search *s, const units *u) {
    for (int32_t at = 0; at < u->length;) {
        UChar32 c;
        U16_NEXT(u->data, at, u->length, c);
        if (s->options->accents && category_of(c) == U_GC_MN_MASK) {
            continue;
        }
        bool mark = is_mark(c);
        if (mark || is_space(c)) {
            end_word(s);
        }
        if (is_space(c)) {
            continue;
        }
        if (s->options->lowercase) {
            add_lowered(s, c);
        } else {
            add_character(s, c);
        }
        if (mark) {
            end_word(s);
        }
    }
    end_word(s);
}

attn_status attn_wordpiece_encode(const attn_wordpiece_options *options,
                                  const attn_piece_table *table, const char *text, size_t length,
                                  attn_wordpiece_found *found, void *context, attn_error *error) {
    if (length > INT32_MAX / 8) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1, "cut the text into sentences",
                         "a text of %zu bytes", length);
    }
    units u = {malloc((length + 1) * sizeof *u.data), 0};
    if (u.data == NULL) {
        return attn_fail_memory(error, (length + 1) * sizeof *u.data);
    }
    clean(options, text, (int32_t)length, &u);
    attn_status status = options->accents ? decompose(&u, error) : ATTN_OK;
    if (status == ATTN_OK) {
        search s = {.options = options, .table = table, .found = found, .context = context};
        find_words(&s, &u);
        if (s.word.failed || s.pieces.failed || s.candidate.failed) {
            status = attn_fail_memory(error, length);
        }
        attn_buffer_free(&s.word);
        attn_buffer_free(&s.pieces);
        attn_buffer_free(&s.candidate);
    }
    free(u.data);
    return status;
}

/* ---- and back ---- */

static bool goes_on(const attn_wordpiece_options *o, const char *piece) {
    size_t prefix = strlen(o->prefix);
    return prefix > 0 && strncmp(piece, o->prefix, prefix) == 0;
}

/* What is written without a space before it. */
static bool clings(const char *piece) {
    static const char *const starts[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (strncmp(piece, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

void attn_wordpiece_decode(const attn_wordpiece_options *options, const attn_piece_table *table,
                           const int32_t *ids, size_t count, attn_buffer *text) {
    for (size_t i = 0; i < count; i++) {
        const char *piece = attn_piece_table_text(table, ids[i]);
        if (i > 0 && goes_on(options, piece)) {
            piece += strlen(options->prefix);
        } else if (i > 0 && !clings(piece)) {
            attn_buffer_text(text, " ");
        }
        attn_buffer_text(text, piece);
    }
}

void attn_wordpiece_surface(const attn_wordpiece_options *options, const attn_piece_table *table,
                            int32_t id, attn_buffer *text) {
    const char *piece = attn_piece_table_text(table, id);
    if (goes_on(options, piece)) {
        piece += strlen(options->prefix);
    } else if (*piece != '\0' && !table->piece[id].control) {
        attn_buffer_text(text, "\xe2\x96\x81");
    }
    attn_buffer_text(text, piece);
}
