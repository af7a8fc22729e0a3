/* document/marks.c: a text with its marks on the way to the translator, and its translation on the way back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "document/document_parts.h"
#include "text/html.h"
#include "text/passage.h"

const char *attn_find_bytes(const char *text, size_t length, const char *what) {
    size_t size = strlen(what);
    for (const char *at = text; (size_t)(at - text) + size <= length; at++) {
        at = memchr(at, what[0], length - (size_t)(at - text) - size + 1);
        if (at == NULL || memcmp(at, what, size) == 0) {
            return at;
        }
    }
    return NULL;
}

/* ---- making ---- */

void attn_make_words(attn_text_maker *m, const char *text, size_t length) {
    attn_html_escape(&m->text, text, length);
    m->has_letter = m->has_letter || attn_has_letter(text, length);
}

void attn_make_html(attn_text_maker *m, const char *text, size_t length) {
    attn_buffer_add(&m->text, text, length);
    m->has_letter = m->has_letter || attn_has_letter(text, length);
}

void attn_make_markup(attn_text_maker *m, const char *text, size_t length) {
    attn_buffer_add(&m->text, text, length);
}

size_t attn_make_mark(attn_text_maker *m, attn_slot_mark_kind kind, size_t start, size_t end) {
    static const char *const tags[] = {"<x%zu>", "<img x%zu>", "<br x%zu>", "<kbd>x%zu</kbd>"};
    if (!attn_grow(&m->marks, &m->room, m->count + 1, sizeof *m->marks)) {
        m->failed = true;
        return 0;
    }
    m->marks[m->count] =
        (attn_slot_mark){.kind = kind, .open = {start, end}, .close = {end, end}, .lines = 1};
    char tag[48];
    snprintf(tag, sizeof tag, tags[kind], m->count);
    attn_buffer_text(&m->text, tag);
    return m->count++;
}

void attn_make_close(attn_text_maker *m, size_t mark, size_t start, size_t end) {
    if (mark < m->count) {
        m->marks[mark].close = (attn_range){start, end};
        attn_buffer_format(&m->text, "</x%zu>", mark);
    }
}

/* Moves what was made into the document. */
static bool keep_slot(attn_text_maker *m, attn_doc *d, const attn_slot *slot) {
    if (!attn_grow(&d->slots, &d->slot_room, d->slot_count + 1, sizeof *d->slots) ||
        !attn_grow(&d->marks, &d->mark_room, d->mark_count + m->count, sizeof *d->marks)) {
        return false;
    }
    attn_slot *added = &d->slots[d->slot_count++];
    *added = *slot;
    added->mark = d->mark_count;
    added->mark_count = m->count;
    added->text = d->words.length;
    if (m->count > 0) {
        memcpy(d->marks + d->mark_count, m->marks, m->count * sizeof *m->marks);
    }
    d->mark_count += m->count;
    attn_buffer_add(&d->words, m->text.data, m->text.length);
    attn_buffer_add(&d->words, "", 1);
    return !d->words.failed;
}

attn_status attn_make_end(attn_text_maker *m, attn_doc *d, const attn_slot *slot,
                          attn_error *error) {
    bool failed = m->failed || m->text.failed;
    bool good = slot == NULL || (!failed && (!m->has_letter || keep_slot(m, d, slot)));
    attn_buffer_free(&m->text);
    attn_free(m->marks);
    *m = (attn_text_maker){0};
    return good ? ATTN_OK : attn_fail_memory(error, 1);
}

/* ---- reading back ---- */

const attn_slot_mark *attn_slot_mark_at(const attn_writing *w, const attn_slot *slot, size_t mark) {
    return &w->document->marks[slot->mark + mark];
}

/* A number and then `after`, from *at on; false, and *at as it was. */
static bool read_number(const char **at, const char *after, size_t *number) {
    const char *next = *at;
    size_t value = 0;
    while (*next >= '0' && *next <= '9' && value < 100000000) {
        value = 10 * value + (size_t)(*next++ - '0');
    }
    if (next == *at || strncmp(next, after, strlen(after)) != 0) {
        return false;
    }
    *number = value;
    *at = next + strlen(after);
    return true;
}

/* One of the slot's tags at *at. */
static bool read_mark(const attn_writing *w, const attn_slot *slot, const char **at,
                      attn_step *out) {
    static const struct {
        const char *before, *after;
        attn_slot_mark_kind of;
        attn_step_kind kind;
    } tags[] = {{"<x", ">", ATTN_SLOT_PAIR, ATTN_STEP_MARK},
                {"</x", ">", ATTN_SLOT_PAIR, ATTN_STEP_CLOSE},
                {"<img x", ">", ATTN_SLOT_POINT, ATTN_STEP_MARK},
                {"<br x", ">", ATTN_SLOT_BREAK, ATTN_STEP_MARK},
                {"<kbd>x", "</kbd>", ATTN_SLOT_KEPT, ATTN_STEP_MARK}};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        const char *next = *at + strlen(tags[i].before);
        size_t mark;
        if (strncmp(*at, tags[i].before, strlen(tags[i].before)) == 0 &&
            read_number(&next, tags[i].after, &mark) && mark < slot->mark_count &&
            attn_slot_mark_at(w, slot, mark)->kind == tags[i].of) {
            out->kind = tags[i].kind;
            out->mark = mark;
            *at = next;
            return true;
        }
    }
    return false;
}

/* What the reference at out->raw stands for; false when it is none. */
static bool read_reference(attn_step *out, size_t left) {
    uint32_t codes[2];
    size_t size = attn_html_reference(out->raw, left, 0, codes);
    if (size == 0 || codes[0] == 0) {
        return false;
    }
    out->raw_length = size;
    out->words = out->sign;
    for (int i = 0; i < 2 && codes[i] != 0; i++) {
        U8_APPEND_UNSAFE(out->sign, out->length, codes[i]);
    }
    return true;
}

void attn_mark_next(const attn_writing *w, const attn_slot *slot, const char **at, const char *end,
                    attn_step *out) {
    *out = (attn_step){.raw = *at, .kind = ATTN_STEP_WORDS, .text_until = out->text_until};
    size_t left = (size_t)(end - *at);
    if (left == 0) {
        out->kind = ATTN_STEP_END;
        return;
    }
    if (**at == '<' && read_mark(w, slot, at, out)) {
        out->raw_length = (size_t)(*at - out->raw);
        return;
    }
    if (**at == '&' && read_reference(out, left)) {
        *at += out->raw_length;
        return;
    }
    attn_html_token token = {.kind = ATTN_HTML_TEXT};
    if (**at == '<' && (out->text_until == NULL || *at >= out->text_until)) {
        token = attn_html_next(*at, left, 0);
        out->text_until = *at + token.length;
    }
    if (token.kind != ATTN_HTML_TEXT) {
        out->kind = ATTN_STEP_MARKUP;
        out->raw_length = token.length;
    } else {
        out->raw_length = 1 + strcspn(*at + 1, "<&");
        out->words = out->raw;
        out->length = out->raw_length;
    }
    *at += out->raw_length;
}

/* ---- lines ---- */

/* The characters that are seen of text[0 .. length). */
static size_t count_seen(const char *text, size_t length) {
    size_t seen = 0;
    bool inside = false;
    for (size_t i = 0; i < length; i++) {
        inside = inside || text[i] == '<';
        seen += !inside && ((unsigned char)text[i] & 0xC0) != 0x80;
        inside = inside && text[i] != '>';
    }
    return seen;
}

/* Whether a line of Markdown or of subtitles that began with this would be something else than text. */
static bool begins_otherwise(const char *text, size_t left) {
    size_t digits = 0;
    while (digits < left && text[digits] >= '0' && text[digits] <= '9') {
        digits++;
    }
    return left == 0 || strchr("-+*#>|=~`:", text[0]) != NULL ||
           (digits > 0 && digits < left && strchr(".)", text[digits]) != NULL);
}

/* The space at which a line with `wanted` characters best ends; length: there is none. */
static size_t find_break(const char *text, size_t length, size_t wanted) {
    size_t seen = 0, found = length, best = (size_t)-1;
    bool inside = false;
    for (size_t i = 0; i < length && (found == length || seen <= wanted + best); i++) {
        inside = inside || text[i] == '<';
        if (!inside && text[i] == ' ' && i > 0 && !begins_otherwise(text + i + 1, length - i - 1)) {
            size_t off = seen > wanted ? seen - wanted : wanted - seen;
            found = off < best ? i : found;
            best = off < best ? off : best;
        }
        seen += !inside && ((unsigned char)text[i] & 0xC0) != 0x80;
        inside = inside && text[i] != '>';
    }
    return found;
}

void attn_write_lines(attn_buffer *out, const char *text, size_t length, size_t lines,
                      const char *prefix, size_t prefix_length) {
    size_t seen = count_seen(text, length);
    for (; lines > 1; lines--) {
        size_t at = find_break(text, length, seen / lines);
        if (at == length) {
            break;
        }
        attn_buffer_add(out, text, at);
        attn_buffer_add(out, prefix, prefix_length);
        seen -= count_seen(text, at);
        text += at + 1;
        length -= at + 1;
    }
    attn_buffer_add(out, text, length);
}
