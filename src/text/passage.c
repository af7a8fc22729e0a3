/* text/passage.c: cutting a text into units and literal parts, and joining the translations.
 *
 * The stages: markup from text (html.c), character references to characters, sentences
 * (sentences.c), protected parts (placeholder.c, glossary.c). */
#include "text/passage.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "text/buffer.h"
#include "text/html.h"
#include "text/placeholder.h"
#include "text/sentences.h"

/* Names that translators know and leave as they are; a sentence that holds one itself uses another. */
static const char *const stand_ins[] = {"Tom", "Mary", "Boston", "John"};
enum { STAND_INS = sizeof stand_ins / sizeof stand_ins[0], MAX_MASKED = 3 };

typedef enum part_kind {
    PART_LITERAL, /* text[start .. start + length) as it is */
    PART_UNIT,    /* the translation of a unit */
    PART_WHOLE,   /* that of a unit with stand-ins; the next `skip` parts say the same in pieces */
} part_kind;

typedef struct part {
    part_kind kind;
    size_t start, length;
    size_t unit, skip;
    size_t masked; /* stand-ins, and what each stands for */
    const char *stand_in[MAX_MASKED];
    size_t output_start[MAX_MASKED], output_length[MAX_MASKED];
} part;

struct attn_passage {
    bool html;
    part *parts;
    size_t part_count, part_room;
    attn_buffer literals;  /* what literal parts and stand-ins give, as it is written out */
    attn_buffer unit_text; /* the units, each NUL-terminated */
    size_t *unit_start;
    size_t unit_count, unit_room;
};

/* ---- building ---- */

static bool grow(void **array, size_t count, size_t *room, size_t size) {
    if (count < *room) {
        return true;
    }
    size_t wanted = *room > 0 ? 2 * *room : 16;
    void *grown = realloc(*array, wanted * size);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *room = wanted;
    return true;
}

/* A new part; its place is not kept over the next call. NULL when out of memory. */
static part *add_part(attn_passage *p, part_kind kind) {
    if (!grow((void **)&p->parts, p->part_count, &p->part_room, sizeof *p->parts)) {
        return NULL;
    }
    part *added = &p->parts[p->part_count++];
    *added = (part){.kind = kind};
    return added;
}

/* Adds plain text to the literals as the output needs it. */
static void add_escaped(attn_passage *p, const char *text, size_t length) {
    if (p->html) {
        attn_html_escape(&p->literals, text, length);
    } else {
        attn_buffer_add(&p->literals, text, length);
    }
}

static attn_status add_literal(attn_passage *p, const char *text, size_t length, bool raw,
                               attn_error *error) {
    if (length == 0) {
        return ATTN_OK;
    }
    part *added = add_part(p, PART_LITERAL);
    if (added == NULL) {
        return attn_fail_memory(error, sizeof *added);
    }
    added->start = p->literals.length;
    if (raw) {
        attn_buffer_add(&p->literals, text, length);
    } else {
        add_escaped(p, text, length);
    }
    added->length = p->literals.length - added->start;
    return ATTN_OK;
}

static attn_status add_unit(attn_passage *p, part_kind kind, const char *text, size_t length,
                            attn_error *error) {
    part *added = add_part(p, kind);
    if (added == NULL ||
        !grow((void **)&p->unit_start, p->unit_count, &p->unit_room, sizeof *p->unit_start)) {
        return attn_fail_memory(error, length);
    }
    added->unit = p->unit_count;
    p->unit_start[p->unit_count++] = p->unit_text.length;
    attn_buffer_add(&p->unit_text, text, length);
    attn_buffer_add(&p->unit_text, "", 1);
    return ATTN_OK;
}

/* What holds no letter means the same in every language. */
static bool has_letter(const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        if (u_isalpha(c)) {
            return true;
        }
    }
    return false;
}

static bool blank_at(const char *text, size_t length, size_t at, size_t *next) {
    UChar32 c;
    *next = at;
    U8_NEXT(text, *next, length, c);
    return u_isUWhiteSpace(c) || u_iscntrl(c);
}

/* A part of a sentence between protected ones: its white space stays, the rest is a unit. */
static attn_status add_piece(attn_passage *p, const char *text, size_t length, attn_error *error) {
    size_t first = length, last = 0;
    for (size_t at = 0, next; at < length; at = next) {
        if (!blank_at(text, length, at, &next)) {
            first = first == length ? at : first;
            last = next;
        }
    }
    if (first >= last || !has_letter(text, length)) {
        return add_literal(p, text, length, false, error);
    }
    attn_status status = add_literal(p, text, first, false, error);
    if (status == ATTN_OK) {
        status = add_unit(p, PART_UNIT, text + first, last - first, error);
    }
    return status == ATTN_OK ? add_literal(p, text + last, length - last, false, error) : status;
}

/* ---- protected parts ---- */

/* references: character references that stay, in order. */
static attn_status find_protected(const attn_passage_options *options, const char *text,
                                  size_t length, const attn_spans *references, attn_spans *out,
                                  attn_error *error) {
    size_t reference = 0;
    for (size_t at = 0; at < length;) {
        attn_span span = {.start = at};
        while (reference < references->count && references->span[reference].start < at) {
            reference++;
        }
        if (reference < references->count && references->span[reference].start == at) {
            span = references->span[reference];
        } else {
            span.length = attn_placeholder_at(text, length, at);
        }
        if (span.length == 0) {
            span.length = attn_glossary_at(options->glossary, text, length, at, &span.output);
        }
        if (span.length == 0) {
            U8_FWD_1(text, at, length);
            continue;
        }
        attn_status status = attn_spans_add(out, span, error);
        if (status != ATTN_OK) {
            return status;
        }
        at += span.length;
    }
    return ATTN_OK;
}

/* What a protected part gives, without escaping: true when it is written as it stands. */
static const char *protected_output(const char *text, const attn_span *span, size_t *length) {
    *length = span->output != NULL ? strlen(span->output) : span->length;
    return span->output != NULL ? span->output : text + span->start;
}

/* In HTML a character reference is protected in the form it was written in. */
static bool is_raw(const attn_passage *p, const char *text, const attn_span *span) {
    uint32_t code;
    return p->html && span->output == NULL && text[span->start] == '&' &&
           attn_html_reference(text, span->start + span->length, span->start, &code) ==
               span->length;
}

static attn_status add_pieces(attn_passage *p, const char *text, size_t from, size_t to,
                              const attn_spans *spans, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < spans->count && status == ATTN_OK; i++) {
        const attn_span *span = &spans->span[i];
        size_t length;
        const char *output = protected_output(text, span, &length);
        status = add_piece(p, text + from, span->start - from, error);
        if (status == ATTN_OK) {
            status = add_literal(p, output, length, is_raw(p, text, span), error);
        }
        from = span->start + span->length;
    }
    return status == ATTN_OK ? add_piece(p, text + from, to - from, error) : status;
}

/* Whether the sentence keeps its letters when its protected parts are taken out. */
static bool worth_masking(const char *text, size_t from, size_t to, const attn_spans *spans) {
    bool letters = false;
    for (size_t i = 0; i < spans->count && !letters; i++) {
        letters = has_letter(text + from, spans->span[i].start - from);
        from = spans->span[i].start + spans->span[i].length;
    }
    return letters || has_letter(text + from, to - from);
}

static bool contains(const char *text, size_t length, const char *word) {
    size_t size = strlen(word);
    for (size_t at = 0; at + size <= length; at++) {
        if (memcmp(text + at, word, size) == 0) {
            return true;
        }
    }
    return false;
}

/* The sentence with a name for each protected part. */
static attn_status add_whole(attn_passage *p, const char *text, size_t from, size_t to,
                             const attn_spans *spans, bool *added, attn_error *error) {
    part whole = {.kind = PART_WHOLE};
    attn_buffer masked = {0};
    size_t name = 0, at = from;
    for (size_t i = 0; i < spans->count; i++, name++) {
        const attn_span *span = &spans->span[i];
        while (name < STAND_INS && contains(text + from, to - from, stand_ins[name])) {
            name++;
        }
        if (name >= STAND_INS) {
            attn_buffer_free(&masked);
            return ATTN_OK;
        }
        size_t length;
        const char *output = protected_output(text, span, &length);
        whole.stand_in[i] = stand_ins[name];
        whole.output_start[i] = p->literals.length;
        if (is_raw(p, text, span)) {
            attn_buffer_add(&p->literals, output, length);
        } else {
            add_escaped(p, output, length);
        }
        whole.output_length[i] = p->literals.length - whole.output_start[i];
        attn_buffer_add(&masked, text + at, span->start - at);
        attn_buffer_text(&masked, stand_ins[name]);
        at = span->start + span->length;
    }
    whole.masked = spans->count;
    attn_buffer_add(&masked, text + at, to - at);
    char *sentence;
    attn_status status = attn_buffer_take(&masked, &sentence, error);
    if (status == ATTN_OK) {
        status = add_unit(p, PART_WHOLE, sentence, strlen(sentence), error);
    }
    if (status == ATTN_OK) {
        part *last = &p->parts[p->part_count - 1];
        whole.unit = last->unit;
        *last = whole;
        *added = true;
    }
    free(sentence);
    return status;
}

/* ---- sentences and texts ---- */

/* text[from .. to), with its protected parts. */
static attn_status add_sentence(attn_passage *p, const char *text, size_t from, size_t to,
                                const attn_spans *spans, attn_error *error) {
    bool whole = false;
    size_t before = p->part_count;
    attn_status status = ATTN_OK;
    if (spans->count > 0 && spans->count <= MAX_MASKED && worth_masking(text, from, to, spans)) {
        status = add_whole(p, text, from, to, spans, &whole, error);
    }
    if (status == ATTN_OK) {
        status = add_pieces(p, text, from, to, spans, error);
    }
    if (whole && status == ATTN_OK) {
        p->parts[before].skip = p->part_count - before - 1;
    }
    return status;
}

/* A protected part may hold what looks like the end of a sentence ("http://a.b/c?D"): sentences that
 * it runs through are one. */
static attn_status add_sentences(attn_passage *p, const char *text, size_t length,
                                 const attn_spans *sentences, const attn_spans *spans,
                                 attn_error *error) {
    attn_status status = ATTN_OK;
    size_t done = 0, first = 0;
    for (size_t i = 0; i < sentences->count && status == ATTN_OK; i++) {
        size_t from = sentences->span[i].start, to = from + sentences->span[i].length;
        size_t last = first;
        for (; last < spans->count && spans->span[last].start < to; last++) {
            size_t end = spans->span[last].start + spans->span[last].length;
            to = end > to ? end : to;
            while (i + 1 < sentences->count && sentences->span[i + 1].start < to) {
                i++;
                end = sentences->span[i].start + sentences->span[i].length;
                to = end > to ? end : to;
            }
        }
        attn_spans inside = {.count = last - first};
        if (inside.count > 0) { /* without any, there is no array to point into */
            inside.span = spans->span + first;
        }
        status = add_literal(p, text + done, from - done, false, error);
        if (status == ATTN_OK) {
            status = add_sentence(p, text, from, to, &inside, error);
        }
        done = to;
        first = last;
    }
    return status == ATTN_OK ? add_literal(p, text + done, length - done, false, error) : status;
}

/* Text without markup. references: protected character references in it. */
static attn_status add_text(attn_passage *p, const attn_passage_options *options, const char *text,
                            size_t length, const attn_spans *references, attn_error *error) {
    attn_spans sentences = {0}, spans = {0};
    attn_status status = attn_sentences_split(text, length, options->language, &sentences, error);
    if (status == ATTN_OK) {
        status = find_protected(options, text, length, references, &spans, error);
    }
    if (status == ATTN_OK) {
        status = add_sentences(p, text, length, &sentences, &spans, error);
    }
    attn_spans_free(&sentences);
    attn_spans_free(&spans);
    return status;
}

/* Text of an HTML page: its character references become characters or are protected. */
static attn_status add_html_text(attn_passage *p, const attn_passage_options *options,
                                 const char *text, size_t length, attn_error *error) {
    attn_buffer plain = {0};
    attn_spans references = {0};
    attn_status status = ATTN_OK;
    for (size_t at = 0; at < length && status == ATTN_OK;) {
        uint32_t code = 0;
        size_t size = text[at] == '&' ? attn_html_reference(text, length, at, &code) : 0;
        if (size == 0) {
            attn_buffer_add(&plain, text + at++, 1);
            continue;
        }
        if (code == 0) {
            attn_span span = {.start = plain.length, .length = size};
            status = attn_spans_add(&references, span, error);
            attn_buffer_add(&plain, text + at, size);
        } else {
            char bytes[U8_MAX_LENGTH];
            size_t count = 0;
            U8_APPEND_UNSAFE(bytes, count, code);
            attn_buffer_add(&plain, bytes, count);
        }
        at += size;
    }
    size_t plain_length = plain.length;
    char *decoded = NULL;
    if (status == ATTN_OK) {
        status = attn_buffer_take(&plain, &decoded, error);
    }
    if (status == ATTN_OK) {
        status = add_text(p, options, decoded, plain_length, &references, error);
    }
    attn_buffer_free(&plain);
    free(decoded);
    attn_spans_free(&references);
    return status;
}

static attn_status add_html(attn_passage *p, const attn_passage_options *options, const char *text,
                            size_t length, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t at = 0; at < length && status == ATTN_OK;) {
        attn_html_token token = attn_html_next(text, length, at);
        status = token.markup ? add_literal(p, text + at, token.length, true, error)
                              : add_html_text(p, options, text + at, token.length, error);
        at += token.length;
    }
    return status;
}

attn_status attn_passage_parse(const char *text, size_t length, const attn_passage_options *options,
                               attn_passage **out, attn_error *error) {
    *out = NULL;
    if (!attn_utf8_whole(text, length) || memchr(text, '\0', length) != NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the text is not UTF-8");
    }
    attn_passage *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return attn_fail_memory(error, sizeof *p);
    }
    p->html = options->html;
    attn_spans none = {0};
    attn_status status = options->html ? add_html(p, options, text, length, error)
                                       : add_text(p, options, text, length, &none, error);
    if (status == ATTN_OK && (p->literals.failed || p->unit_text.failed)) {
        status = attn_fail_memory(error, length);
    }
    if (status != ATTN_OK) {
        attn_passage_free(p);
        return status;
    }
    *out = p;
    return ATTN_OK;
}

void attn_passage_free(attn_passage *p) {
    if (p == NULL) {
        return;
    }
    attn_buffer_free(&p->literals);
    attn_buffer_free(&p->unit_text);
    free(p->parts);
    free(p->unit_start);
    free(p);
}

size_t attn_passage_unit_count(const attn_passage *p) {
    return p->unit_count;
}

const char *attn_passage_unit(const attn_passage *p, size_t i) {
    return p->unit_text.data + p->unit_start[i];
}

/* ---- joining ---- */

static size_t occurrences(const char *text, const char *word) {
    size_t count = 0, size = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + size, word)) {
        count++;
    }
    return count;
}

/* Whether each stand-in came out once. */
static bool came_through(const part *whole, const char *translation) {
    for (size_t i = 0; i < whole->masked; i++) {
        if (occurrences(translation, whole->stand_in[i]) != 1) {
            return false;
        }
    }
    return true;
}

static void write_text(const attn_passage *p, attn_buffer *out, const char *text, size_t length) {
    if (p->html) {
        attn_html_escape(out, text, length);
    } else {
        attn_buffer_add(out, text, length);
    }
}

/* The translation with what the stand-ins stand for. */
static void write_whole(const attn_passage *p, const part *whole, const char *translation,
                        attn_buffer *out) {
    while (*translation != '\0') {
        const char *next = NULL;
        size_t which = 0;
        for (size_t i = 0; i < whole->masked; i++) {
            const char *found = strstr(translation, whole->stand_in[i]);
            if (found != NULL && (next == NULL || found < next)) {
                next = found;
                which = i;
            }
        }
        if (next == NULL) {
            break;
        }
        write_text(p, out, translation, (size_t)(next - translation));
        attn_buffer_add(out, p->literals.data + whole->output_start[which],
                        whole->output_length[which]);
        translation = next + strlen(whole->stand_in[which]);
    }
    write_text(p, out, translation, strlen(translation));
}

attn_status attn_passage_join(const attn_passage *p, const char *const *translations, bool *used,
                              char **text, attn_error *error) {
    attn_buffer out = {0};
    if (used != NULL) {
        memset(used, 0, p->unit_count * sizeof *used);
    }
    for (size_t i = 0; i < p->part_count; i++) {
        const part *next = &p->parts[i];
        if (next->kind == PART_LITERAL) {
            attn_buffer_add(&out, p->literals.data + next->start, next->length);
            continue;
        }
        const char *translation = translations[next->unit];
        if (next->kind == PART_WHOLE && (translation == NULL || !came_through(next, translation))) {
            continue; /* the pieces follow */
        }
        if (used != NULL) {
            used[next->unit] = true;
        }
        if (next->kind == PART_WHOLE) {
            write_whole(p, next, translation, &out);
            i += next->skip;
        } else if (translation != NULL) {
            write_text(p, &out, translation, strlen(translation));
        }
    }
    return attn_buffer_take(&out, text, error);
}
