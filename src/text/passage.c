/* text/passage.c: cutting a text into sentences and what is between them.
 *
 * The stages: runs of text between blocks of markup (passage_html.c), sentences (sentences.c), protected
 * parts (protect.c, glossary.c), and the ways in which a sentence is offered (passage_sentence.c). Next:
 * passage_sentence.c, passage_join.c. */
#include "text/passage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/language.h"
#include "text/passage_parts.h"
#include "text/sentences.h"

/* ---- building ---- */

attn_status attn_passage_add_literal(attn_passage *p, const char *text, size_t length, bool raw,
                                     attn_error *error) {
    if (length == 0) {
        return ATTN_OK;
    }
    if (!attn_grow(&p->parts, &p->part_room, p->part_count + 1, sizeof *p->parts)) {
        return attn_fail_memory(error, sizeof *p->parts);
    }
    part *added = &p->parts[p->part_count++];
    *added = (part){.kind = PART_LITERAL, .start = p->literals.length};
    if (p->html && !raw) {
        attn_html_escape(&p->literals, text, length);
    } else {
        attn_buffer_add(&p->literals, text, length);
    }
    added->length = p->literals.length - added->start;
    return ATTN_OK;
}

/* The first origin at or behind `at`. */
static size_t first_origin(const run *r, size_t at) {
    size_t low = 0, high = r->origin_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->origins[middle].at < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void copy_plain(attn_passage *p, const char *text, size_t length) {
    if (p->html) {
        attn_html_escape(&p->literals, text, length);
    } else {
        attn_buffer_add(&p->literals, text, length);
    }
}

size_t attn_passage_copy_text(attn_passage *p, const run *r, size_t from, size_t to) {
    size_t start = p->literals.length;
    for (size_t o = first_origin(r, from); o < r->origin_count && r->origins[o].at < to; o++) {
        const origin *next = &r->origins[o];
        copy_plain(p, r->text + from, next->at - from);
        attn_buffer_add(&p->literals, next->raw, next->raw_length);
        from = next->at + next->length;
    }
    if (from < to) {
        copy_plain(p, r->text + from, to - from);
    }
    return p->literals.length - start;
}

attn_status attn_passage_add_text(attn_passage *p, const run *r, size_t from, size_t to,
                                  attn_error *error) {
    attn_status status = ATTN_OK;
    if (from < to) {
        status = attn_passage_add_literal(p, "", 1, true, error);
    }
    if (from < to && status == ATTN_OK) {
        part *added = &p->parts[p->part_count - 1];
        p->literals.length = added->start;
        added->length = attn_passage_copy_text(p, r, from, to);
    }
    return status;
}

/* ---- signs between sentences and words ---- */

/* A sign of Chinese or Japanese, as wide as a letter and without spaces, and what other languages write: beside
 * words with a space, which for brackets that open stands before them. */
typedef struct wide_sign {
    UChar32 wide, narrow; /* narrow: 0 where it has other uses too */
    const char *as_wide, *as_narrow, *alone;
} wide_sign;

static const wide_sign wide_signs[] = {
    {0xFF0C, ',', "\xef\xbc\x8c", ", ", ","},
    {0xFF1A, ':', "\xef\xbc\x9a", ": ", ":"},
    {0xFF1B, ';', "\xef\xbc\x9b", "; ", ";"},
    {0x3001, 0, NULL, ", ", ","},
    {0x3002, '.', "\xe3\x80\x82", ". ", "."},
    {0xFF01, '!', "\xef\xbc\x81", "! ", "!"},
    {0xFF1F, '?', "\xef\xbc\x9f", "? ", "?"},
    {0xFF08, 0, NULL, " (", "("},
    {0xFF09, 0, NULL, ") ", ")"},
    {0x300C, 0, NULL, " \"", "\""},
    {0x300D, 0, NULL, "\" ", "\""},
};

/* Whether text[at], or the character before it, is a word's, or a bracket of which only the outside is seen. */
static bool is_beside_word(const run *r, size_t at, bool before) {
    UChar32 c = 0;
    int32_t back = (int32_t)at;
    if (before && at > 0) {
        U8_PREV(r->smooth, 0, back, c);
    } else if (!before && at < r->length) {
        U8_NEXT(r->smooth, at, r->length, c);
    }
    return u_isalnum(c) || u_charType(c) == (before ? U_END_PUNCTUATION : U_START_PUNCTUATION);
}

/* The sign text[at .. *next) as the target writes it; NULL: as it is. *next: behind a space that goes with it. */
static const char *sign_of_target(const attn_passage *p, const run *r, size_t at, size_t *next) {
    bool widens = attn_form_is_wide(p->target);
    UChar32 c, behind = 0;
    *next = at;
    U8_NEXT(r->smooth, *next, r->length, c);
    size_t after = *next;
    if (after < r->length) {
        U8_NEXT(r->smooth, after, r->length, behind);
    }
    bool last = behind == 0 || u_isUWhiteSpace(behind);
    for (size_t i = 0; i < sizeof wide_signs / sizeof wide_signs[0]; i++) {
        const wide_sign *sign = &wide_signs[i];
        if (widens && last && c > 0 && c == sign->narrow) {
            *next = behind == ' ' ? after : *next;
            return sign->as_wide;
        }
        if (!widens && c == sign->wide) {
            bool opens = sign->as_narrow[0] == ' ';
            return is_beside_word(r, opens ? at : *next, opens) ? sign->as_narrow : sign->alone;
        }
    }
    return NULL;
}

attn_status attn_passage_add_signs(attn_passage *p, const run *r, size_t from, size_t to,
                                   attn_error *error) {
    attn_status status = ATTN_OK;
    bool known = p->target[0] != '\0' && p->language[0] != '\0';
    bool change = known && attn_form_is_wide(p->target) != attn_form_is_wide(p->language);
    for (size_t at = from, next; change && at < to && status == ATTN_OK; at = next) {
        const char *sign = sign_of_target(p, r, at, &next);
        next = next < to ? next : to;
        if (sign != NULL) {
            status = attn_passage_add_text(p, r, from, at, error);
            if (status == ATTN_OK) {
                status = attn_passage_add_literal(p, sign, strlen(sign), true, error);
            }
            from = next;
        }
    }
    return status == ATTN_OK ? attn_passage_add_text(p, r, from, to, error) : status;
}

/* What holds no letter means the same in every language. */
bool attn_has_letter(const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        if (u_isalpha(c)) {
            return true;
        }
    }
    return false;
}

size_t attn_passage_copy_tag(attn_passage *p, const run *r, const tag_at *tag) {
    if (tag->plain) {
        return attn_passage_copy_text(p, r, tag->at, tag->at + tag->width);
    }
    size_t start = p->literals.length, done = 0;
    for (size_t i = 0; i < tag->attribute_count; i++) {
        const attribute *a = &p->attributes[tag->attribute + i];
        if (!attn_grow(&p->inserts, &p->insert_room, p->insert_count + 1, sizeof *p->inserts)) {
            p->out_of_memory = true;
            return 0;
        }
        attn_buffer_add(&p->literals, tag->raw + done, a->at - done);
        attn_buffer_text(&p->literals, a->quote == '\0' ? "\"" : "");
        p->inserts[p->insert_count++] = (insert){p->literals.length, tag->attribute + i};
        attn_buffer_text(&p->literals, a->quote == '\0' ? "\"" : "");
        done = a->at + a->length;
    }
    attn_buffer_add(&p->literals, tag->raw + done, tag->raw_length - done);
    return p->literals.length - start;
}

attn_status attn_passage_add_tag(attn_passage *p, const run *r, const tag_at *tag,
                                 attn_error *error) {
    attn_status status = attn_passage_add_literal(p, " ", 1, true, error);
    if (status == ATTN_OK) {
        part *added = &p->parts[p->part_count - 1];
        p->literals.length = added->start;
        added->length = attn_passage_copy_tag(p, r, tag);
    }
    return status;
}

/* ---- protected parts ---- */

/* The next tag or reference behind `at`, which no placeholder runs over. */
static size_t next_edge(const run *r, size_t at, size_t *tag, size_t *reference) {
    const attn_spans *s = &r->references;
    while (*tag < r->tag_count && r->tags[*tag].at <= at) {
        ++*tag;
    }
    while (*reference < s->count && s->span[*reference].start < at) {
        ++*reference;
    }
    size_t edge = *tag < r->tag_count ? r->tags[*tag].at : r->length;
    size_t behind = *reference;
    if (behind < s->count && s->span[behind].start == at) {
        behind++;
    }
    return behind < s->count && s->span[behind].start < edge ? s->span[behind].start : edge;
}

static bool is_name(attn_span_kind kind) {
    return kind == ATTN_SPAN_NAME || kind == ATTN_SPAN_CODE;
}

/* Whether a part that begins at `start` continues the one that ends at `end`. */
static bool joins(const run *r, const attn_span *last, const attn_span *next, bool tag_between) {
    size_t end = last->start + last->length;
    bool plain = !last->raw && !next->raw && last->output == NULL && next->output == NULL;
    if (!plain || tag_between) {
        return false;
    }
    if (end == next->start) {
        return true;
    }
    return !is_name(last->kind) && !is_name(next->kind) &&
           attn_protect_joins(r->smooth, end, next->start);
}

static attn_span_kind kind_of_both(attn_span_kind a, attn_span_kind b) {
    bool alike = a == b && (a == ATTN_SPAN_FOREIGN || a == ATTN_SPAN_UNKNOWN);
    bool name = is_name(a) || is_name(b);
    return alike ? a : name ? ATTN_SPAN_NAME : ATTN_SPAN_NUMBER;
}

/* Adds a part, as one with the last that is no sign where they belong together. *last: the place behind that one. */
static attn_status add_protected(const run *r, attn_spans *out, attn_span span, size_t *last,
                                 size_t tag, size_t *last_tag, attn_error *error) {
    if (span.kind == ATTN_SPAN_SIGN) {
        return attn_spans_add(out, span, error);
    }
    if (*last > 0 && joins(r, &out->span[*last - 1], &span, tag != *last_tag)) {
        attn_span *before = &out->span[*last - 1];
        before->length = span.start + span.length - before->start;
        before->kind = kind_of_both(before->kind, span.kind);
        out->count = *last;
        return ATTN_OK;
    }
    attn_status status = attn_spans_add(out, span, error);
    *last = out->count;
    *last_tag = tag;
    return status;
}

static attn_status find_protected(const attn_passage *p, const attn_passage_options *options,
                                  const run *r, attn_spans *out, attn_error *error) {
    size_t tag = 0, reference = 0, last = 0, last_tag = 0;
    for (size_t at = 0; at < r->length;) {
        attn_span span = {.start = at};
        size_t edge = next_edge(r, at, &tag, &reference);
        if (reference < r->references.count && r->references.span[reference].start == at) {
            span = r->references.span[reference];
        } else {
            span.length =
                attn_glossary_at(options->glossary, r->smooth, r->length, at, &span.output);
        }
        if (span.length == 0) {
            span.length = attn_protect_at(&p->rules, r->smooth, r->length, edge, at, &span.kind);
        }
        if (span.length == 0) {
            U8_FWD_1(r->smooth, at, r->length);
            continue;
        }
        attn_status status = add_protected(r, out, span, &last, tag, &last_tag, error);
        if (status != ATTN_OK) {
            return status;
        }
        at += span.length;
    }
    return ATTN_OK;
}

/* ---- signs ---- */

static bool blank_byte(const run *r, size_t at) {
    return at < r->length && strchr(" \t", r->text[at]) != NULL;
}

/* A sign as a tag that stands between words. Between spaces it takes one along. */
static tag_at sign_tag(const run *r, const attn_span *span) {
    tag_at tag = {.kind = ATTN_MARK_POINT,
                  .at = span->start,
                  .partner = ATTN_NO_MARK,
                  .raw = span->output != NULL ? span->output : r->text + span->start,
                  .raw_length = span->output != NULL ? strlen(span->output) : span->length,
                  .width = span->length,
                  .plain = !span->raw && span->output == NULL};
    size_t end = span->start + span->length;
    bool alone = span->start == 0 || blank_byte(r, span->start - 1);
    if (alone && blank_byte(r, end) && span->output == NULL) {
        tag.width++;
        tag.raw_length++;
    } else if (alone && span->start > 0 && end < r->length && u_ispunct(r->text[end]) &&
               span->output == NULL) {
        tag.at--; /* the sign that follows stands at the word before */
        tag.width++;
        tag.raw--;
        tag.raw_length++;
    }
    return tag;
}

/* Moves the signs among the parts to the tags. */
static attn_status signs_to_tags(run *r, attn_spans *spans, attn_error *error) {
    size_t signs = 0, kept = 0, tag = 0, count = 0;
    for (size_t i = 0; i < spans->count; i++) {
        signs += spans->span[i].kind == ATTN_SPAN_SIGN;
    }
    if (signs == 0) {
        return ATTN_OK;
    }
    tag_at *all = attn_alloc_zero(r->tag_count + signs, sizeof *all);
    size_t *place = calloc(r->tag_count + 1, sizeof *place);
    if (all == NULL || place == NULL) {
        attn_free(all);
        free(place);
        return attn_fail_memory(error, (r->tag_count + signs) * sizeof *all);
    }
    for (size_t i = 0; i <= spans->count; i++) {
        size_t at = i < spans->count ? spans->span[i].start : SIZE_MAX;
        for (; tag < r->tag_count && r->tags[tag].at <= at; tag++) {
            place[tag] = count;
            all[count++] = r->tags[tag];
        }
        if (i < spans->count && spans->span[i].kind == ATTN_SPAN_SIGN) {
            all[count++] = sign_tag(r, &spans->span[i]);
        } else if (i < spans->count) {
            spans->span[kept++] = spans->span[i];
        }
    }
    for (size_t t = 0; t < count; t++) {
        all[t].partner = all[t].partner != ATTN_NO_MARK ? place[all[t].partner] : ATTN_NO_MARK;
        /* A space that one sign took is not another's, and no tag stands in it. */
        if (t > 0 && all[t].width > 0 && all[t].at < all[t - 1].at + all[t - 1].width) {
            all[t].at++;
            all[t].width--;
            all[t].raw++;
            all[t].raw_length--;
        }
        if (t + 1 < count && all[t].width > 0 && all[t + 1].at < all[t].at + all[t].width) {
            all[t].width--;
            all[t].raw_length--;
        }
    }
    spans->count = kept;
    free(place);
    attn_free(r->tags);
    r->tags = all;
    r->tag_count = count;
    return ATTN_OK;
}

/* ---- tags ---- */

/* Which tags belong into the sentence text[from .. to): those within it, and at its ends those whose element
 * begins or ends within it. What is around the whole sentence stays outside. */
static void choose_tags(run *r, size_t from, size_t to) {
    r->inside_count = 0;
    for (size_t t = r->next_tag; t < r->tag_count && r->tags[t].at <= to; t++) {
        tag_at *tag = &r->tags[t];
        size_t other = tag->partner != ATTN_NO_MARK ? r->tags[tag->partner].at : from;
        bool within = tag->at > from && tag->at < to;
        bool edge = tag->at == from || tag->at == to;
        if (!tag->done && (within || (edge && other > from && other < to))) {
            tag->done = true;
            tag->number = r->inside_count;
            r->inside[r->inside_count++] = t;
        }
    }
}

/* What lies between two sentences. The signs at those that are translated, up to white space, are written as the target does: in
 * [from, head) and [tail, to). */
typedef struct gap {
    size_t from, head, tail, to;
} gap;

static bool is_space_at(const run *r, size_t at) {
    return strchr(" \t\r\n", r->smooth[at]) != NULL;
}

/* behind, before: it lies behind a sentence that is translated, or before one. */
static gap find_gap(const run *r, size_t from, size_t to, bool behind, bool before) {
    gap g = {from, from, to, to};
    while (behind && g.head < to && !is_space_at(r, g.head)) {
        g.head++;
    }
    while (before && g.tail > g.head && !is_space_at(r, g.tail - 1)) {
        g.tail--;
    }
    return g;
}

static size_t within(size_t at, size_t from, size_t to) {
    return at < from ? from : at < to ? at : to;
}

/* text[from .. to) within the gap. */
static attn_status add_gap_text(attn_passage *p, const run *r, const gap *g, size_t from, size_t to,
                                attn_error *error) {
    size_t head = within(g->head, from, to), tail = within(g->tail, head, to);
    attn_status status = attn_passage_add_signs(p, r, from, head, error);
    if (status == ATTN_OK) {
        status = attn_passage_add_text(p, r, head, tail, error);
    }
    return status == ATTN_OK ? attn_passage_add_signs(p, r, tail, to, error) : status;
}

/* Text that is not translated, with the tags in it and at its ends. */
static attn_status add_gap(attn_passage *p, run *r, const gap *g, attn_error *error) {
    size_t from = g->from;
    attn_status status = ATTN_OK;
    for (; r->next_tag < r->tag_count && r->tags[r->next_tag].at <= g->to && status == ATTN_OK;
         r->next_tag++) {
        tag_at *tag = &r->tags[r->next_tag];
        if (tag->done) {
            continue;
        }
        size_t at = tag->at > from ? tag->at : from;
        tag->done = true;
        status = add_gap_text(p, r, g, from, at, error);
        if (status == ATTN_OK) {
            status = attn_passage_add_tag(p, r, tag, error);
        }
        from = at + tag->width;
    }
    from = from < g->to ? from : g->to;
    return status == ATTN_OK ? add_gap_text(p, r, g, from, g->to, error) : status;
}

/* ---- sentences ---- */

/* Leaves out what is at a sentence's ends and no part of it: signs that are kept like tags, marks of lists, quotes
 * around all of it. first, end: the protected parts within. */
static void trim(const run *r, const attn_spans *spans, size_t first, size_t end, size_t *from,
                 size_t *to);

/* Whether a sentence is in the target language already. In a text that is, one too short to tell by itself stays
 * too, unless it looks more like the source. */
static bool is_target(const attn_passage *p, const char *text, size_t length) {
    const char *const codes[] = {p->target, p->language};
    attn_language_guess guesses[2];
    if (!p->keep_target) {
        return false;
    }
    if (!p->is_target) {
        return attn_language_is_already(text, length, p->language, p->target);
    }
    attn_language_detect(text, length, codes, 2, guesses); /* equal ones stay in order */
    return guesses[0].code == p->target;
}

/* text[from .. to), what is between two sentences. Of two that are translated, Chinese has no space there and English has one. */
static attn_status add_between(attn_passage *p, run *r, size_t from, size_t to, bool behind,
                               bool before, attn_error *error) {
    bool wide = attn_form_is_wide(p->target);
    bool change = behind && before && p->target[0] != '\0' &&
                  wide != attn_form_is_wide(p->language) && attn_form_ends(r->smooth, 0, from);
    size_t spaces = from;
    while (change && wide && spaces < to && r->smooth[spaces] == ' ') {
        spaces++;
    }
    attn_status status =
        change && !wide && from == to ? attn_passage_add_literal(p, " ", 1, true, error) : ATTN_OK;
    gap g = find_gap(r, spaces == to ? to : from, to, behind, before);
    return status == ATTN_OK ? add_gap(p, r, &g, error) : status;
}

/* A protected part may hold what looks like the end of a sentence ("http://a.b/c?D"): sentences that
 * it runs through are one. */
static attn_status add_sentences(attn_passage *p, run *r, const attn_spans *sentences,
                                 const attn_spans *spans, attn_error *error) {
    attn_status status = ATTN_OK;
    size_t done = 0, first = 0;
    bool follows = false; /* a sentence that is translated */
    for (size_t i = 0; i < sentences->count && status == ATTN_OK; i++) {
        size_t from = sentences->span[i].start, to = from + sentences->span[i].length;
        while (first < spans->count &&
               spans->span[first].start + spans->span[first].length <= from) {
            first++; /* in the mark of a list */
        }
        size_t last = first;
        from = first < spans->count && spans->span[first].start < from ? spans->span[first].start
                                                                       : from;
        for (; last < spans->count && spans->span[last].start < to; last++) {
            size_t end = spans->span[last].start + spans->span[last].length;
            to = end > to ? end : to;
            while (i + 1 < sentences->count && sentences->span[i + 1].start < to) {
                i++;
                end = sentences->span[i].start + sentences->span[i].length;
                to = end > to ? end : to;
            }
        }
        bool copy = attn_protect_is_code(r->smooth + from, to - from) ||
                    is_target(p, r->smooth + from, to - from);
        trim(r, spans, first, last, &from, &to);
        attn_spans inside = {.count = last - first};
        if (inside.count > 0) { /* without any, there is no array to point into */
            inside.span = spans->span + first;
        }
        first = last;
        if (from >= to) {
            continue;
        }
        copy = copy || !attn_passage_has_words(r, from, to, &inside);
        choose_tags(r, from, to);
        status = add_between(p, r, done, from, follows, !copy, error);
        if (status == ATTN_OK) {
            status = attn_passage_add_sentence(p, r, from, to, &inside, copy, error);
        }
        follows = !copy;
        done = to;
    }
    return status == ATTN_OK ? add_between(p, r, done, r->length, follows, false, error) : status;
}

/* The sign that is a tag and that text[at] is a part of, or, where `behind`, the byte before it; NULL when there is
 * none. */
static const tag_at *sign_over(const run *r, size_t at, bool behind) {
    enum { NEAR = 8 }; /* tags at one place */
    size_t low = 0, high = r->tag_count;
    while (low < high) { /* the first tag that begins behind `at` */
        size_t middle = low + (high - low) / 2;
        if (r->tags[middle].at <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t t = low; t-- > 0 && low - t < NEAR;) {
        const tag_at *tag = &r->tags[t];
        if (tag->width > 0 && tag->at < at + !behind) {
            return tag->at + tag->width + behind > at ? tag : NULL;
        }
    }
    return NULL;
}

static UChar32 closer_of(UChar32 c) {
    static const UChar32 pairs[][2] = {{'"', '"'},       {'(', ')'},       {'[', ']'},
                                       {0xAB, 0xBB},     {0x201C, 0x201D}, {0x2018, 0x2019},
                                       {0x201E, 0x201C}, {0x300C, 0x300D}, {0xFF08, 0xFF09}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] == c) {
            return pairs[i][1];
        }
    }
    return 0;
}

/* What a sentence may begin with beside letters and digits; other signs before it are marks of a list and the like. */
static bool may_begin(UChar32 c) {
    return closer_of(c) != 0 || (c < 0x80 && c > 0 && strchr("'.@#$+", (int)c) != NULL) ||
           c == 0xBF || c == 0xA1 || c == 0x2019 || c == 0x2026;
}

static bool may_end(UChar32 c) {
    return (c < 0x80 && c > 0 && strchr(".!?\"')]%", (int)c) != NULL) || c == 0x2026 || c == 0xBB ||
           c == 0x201D || c == 0x2019 || c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF0E ||
           c == 0x061F || c == 0x0964 || c == 0x201C || c == 0x300D || c == 0xFF09;
}

static bool is_part(UChar32 c) {
    return u_isalpha(c) || attn_is_digit(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

/* Whether c is nowhere in text[from .. to). */
static bool is_absent(const char *text, size_t from, size_t to, UChar32 c) {
    while (from < to) {
        UChar32 found;
        U8_NEXT(text, from, to, found);
        if (found == c) {
            return false;
        }
    }
    return true;
}

static void trim(const run *r, const attn_spans *spans, size_t first, size_t end, size_t *from,
                 size_t *to) {
    for (bool again = true; again && *from < *to;) {
        size_t next = *from;
        int32_t back = (int32_t)*to;
        UChar32 head, tail;
        U8_NEXT(r->smooth, next, *to, head);
        U8_PREV(r->smooth, (int32_t)*from, back, tail);
        const attn_span *head_span = first < end ? &spans->span[first] : NULL;
        const attn_span *tail_span = first < end ? &spans->span[end - 1] : NULL;
        bool head_kept = head_span != NULL && head_span->start <= *from;
        bool tail_kept = tail_span != NULL && tail_span->start + tail_span->length >= *to;
        const tag_at *sign = head_kept ? NULL : sign_over(r, *from, false);
        const tag_at *last = tail_kept ? NULL : sign_over(r, *to, true);
        again = true;
        if (sign != NULL) {
            *from = sign->at + sign->width;
        } else if (!head_kept && !is_part(head) && !may_begin(head)) {
            *from = next;
        } else if (last != NULL) {
            *to = last->at;
        } else if (!tail_kept && !is_part(tail) && !may_end(tail)) {
            *to = (size_t)back;
        } else if (!head_kept && !tail_kept && closer_of(head) == tail && tail != 0 &&
                   next <= (size_t)back && is_absent(r->smooth, next, (size_t)back, head) &&
                   is_absent(r->smooth, next, (size_t)back, tail)) {
            *from = next;
            *to = (size_t)back;
        } else {
            again = false;
        }
    }
}

attn_status attn_passage_add_run(attn_passage *p, const attn_passage_options *options, run *r,
                                 attn_error *error) {
    attn_spans sentences = {0}, spans = {0};
    attn_status status = attn_sentences_split(r->smooth, r->length, p->language, &sentences, error);
    if (status == ATTN_OK) {
        status = find_protected(p, options, r, &spans, error);
    }
    if (status == ATTN_OK) {
        status = signs_to_tags(r, &spans, error);
    }
    if (status == ATTN_OK) {
        r->inside = calloc(r->tag_count + 1, sizeof *r->inside);
        status =
            r->inside != NULL ? ATTN_OK : attn_fail_memory(error, r->tag_count * sizeof *r->inside);
    }
    if (status == ATTN_OK) {
        status = add_sentences(p, r, &sentences, &spans, error);
    }
    attn_spans_free(&sentences);
    attn_spans_free(&spans);
    free(r->inside);
    return status;
}

/* ---- the whole ---- */

static attn_status add_plain(attn_passage *p, const attn_passage_options *options, const char *text,
                             size_t length, attn_error *error) {
    run r = {.text = text, .smooth = text, .length = length};
    attn_status status = attn_passage_add_run(p, options, &r, error);
    attn_free(r.tags);
    return status;
}

/* The same of all of the text, markup left out. */
static bool all_is_target(attn_passage *p, const char *text, size_t length) {
    if (!p->html) {
        return attn_language_is_already(text, length, p->language, p->target);
    }
    attn_buffer words = {0};
    for (size_t at = 0; at < length;) {
        attn_html_token token = attn_html_next(text, length, at);
        if (token.kind == ATTN_HTML_TEXT) {
            attn_buffer_add(&words, text + at, token.length);
            attn_buffer_text(&words, " ");
        }
        at += token.length;
    }
    p->out_of_memory = p->out_of_memory || words.failed;
    bool found = words.length > 0 && !words.failed &&
                 attn_language_is_already(words.data, words.length, p->language, p->target);
    attn_buffer_free(&words);
    return found;
}

static void set_options(attn_passage *p, const attn_passage_options *options, const char *text,
                        size_t length) {
    p->html = options->html;
    p->vocabulary = options->vocabulary;
    p->vocabulary.failed = &p->out_of_memory;
    snprintf(p->language, sizeof p->language, "%s",
             options->language != NULL ? options->language : "");
    snprintf(p->target, sizeof p->target, "%s", options->target != NULL ? options->target : "");
    attn_protect_rules_init(&p->rules, p->language, &p->vocabulary);
    attn_protect_rules_init(&p->target_rules, p->target, &p->vocabulary);
    p->keep_target = options->keep_target && p->language[0] != '\0' && p->target[0] != '\0';
    p->is_target = p->keep_target && all_is_target(p, text, length);
}

attn_status attn_passage_parse(const char *text, size_t length, const attn_passage_options *options,
                               attn_passage **out, attn_error *error) {
    *out = NULL;
    if (!attn_utf8_whole(text, length) || memchr(text, '\0', length) != NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the text is not UTF-8");
    }
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        text += 3;
        length -= 3;
    }
    attn_passage *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return attn_fail_memory(error, sizeof *p);
    }
    set_options(p, options, text, length);
    attn_status status = options->html ? attn_passage_add_html(p, options, text, length, error)
                                       : add_plain(p, options, text, length, error);
    if (status == ATTN_OK &&
        (p->literals.failed || p->unit_text.failed || p->words.failed || p->out_of_memory)) {
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
    attn_buffer_free(&p->words);
    attn_free(p->parts);
    attn_free(p->units);
    attn_free(p->marks);
    attn_free(p->masks);
    attn_free(p->side);
    attn_free(p->attributes);
    attn_free(p->inserts);
    free(p);
}

bool attn_passage_unit_is_marked(const attn_passage *p, size_t i) {
    return p->units[i].marked;
}

size_t attn_passage_unit_count(const attn_passage *p) {
    return p->unit_count;
}

const char *attn_passage_unit(const attn_passage *p, size_t i) {
    return p->unit_text.data + p->units[i].start;
}

const char *attn_passage_unit_sent(const attn_passage *p, size_t i) {
    return p->unit_text.data + p->units[i].sent;
}
