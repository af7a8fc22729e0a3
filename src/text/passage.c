/* text/passage.c: cutting a text into units and literal parts.
 *
 * The stages: runs of text between blocks of markup (html.c), character references to characters,
 * sentences (sentences.c), protected parts (placeholder.c, glossary.c), tags within a sentence
 * (markup.c). Next: passage_join.c. */
#include "text/passage.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "text/buffer.h"
#include "text/html.h"
#include "text/passage_parts.h"
#include "text/placeholder.h"
#include "text/sentences.h"

/* Names that translators know and leave as they are; a sentence that holds one itself uses another. */
static const char *const stand_ins[] = {"Tom", "Mary", "Boston", "John"};
enum { STAND_INS = sizeof stand_ins / sizeof stand_ins[0] };

/* A tag in a run of text, by the text's bytes. */
typedef struct tag_at {
    attn_mark_kind kind;
    size_t at, partner; /* as in attn_mark, by the run's tags */
    const char *raw;
    size_t raw_length;
    bool done;     /* it is in the passage, or about to be */
    size_t number; /* among the tags within its sentence */
    char name[ATTN_HTML_NAME];
} tag_at;

/* Text without markup, between two blocks. */
typedef struct run {
    const char *text;   /* as it was */
    const char *smooth; /* of the same length; in HTML, white space is a space */
    size_t length;
    attn_spans references; /* what is known to stay, in order */
    tag_at *tags;          /* in order */
    size_t tag_count;
    size_t next_tag; /* those before it are in the passage */
    size_t *inside;  /* the tags within the sentence at hand */
    size_t inside_count;
} run;

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
        !grow((void **)&p->units, p->unit_count, &p->unit_room, sizeof *p->units)) {
        return attn_fail_memory(error, length);
    }
    added->unit = p->unit_count;
    p->units[p->unit_count++] = (unit){.start = p->unit_text.length};
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
static attn_status add_piece(attn_passage *p, const run *r, size_t from, size_t to,
                             attn_error *error) {
    size_t first = to, last = from;
    for (size_t at = from, next; at < to; at = next) {
        if (!blank_at(r->text, to, at, &next)) {
            first = first == to ? at : first;
            last = next;
        }
    }
    if (first >= last || !has_letter(r->text + from, to - from)) {
        return add_literal(p, r->text + from, to - from, false, error);
    }
    attn_status status = add_literal(p, r->text + from, first - from, false, error);
    if (status == ATTN_OK) {
        status = add_unit(p, PART_UNIT, r->smooth + first, last - first, error);
    }
    return status == ATTN_OK ? add_literal(p, r->text + last, to - last, false, error) : status;
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

static attn_status find_protected(const attn_passage_options *options, const run *r,
                                  attn_spans *out, attn_error *error) {
    size_t tag = 0, reference = 0;
    for (size_t at = 0; at < r->length;) {
        attn_span span = {.start = at};
        size_t edge = next_edge(r, at, &tag, &reference);
        if (reference < r->references.count && r->references.span[reference].start == at) {
            span = r->references.span[reference];
        } else {
            span.length = attn_placeholder_at(r->smooth, edge, at);
        }
        if (span.length == 0) {
            span.length =
                attn_glossary_at(options->glossary, r->smooth, r->length, at, &span.output);
        }
        if (span.length == 0) {
            U8_FWD_1(r->smooth, at, r->length);
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

/* What a protected part gives. */
static const char *protected_output(const run *r, const attn_span *span, size_t *length) {
    *length = span->output != NULL ? strlen(span->output) : span->length;
    return span->output != NULL ? span->output : r->text + span->start;
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

/* No tag stays within a protected part. */
static void move_tags(run *r, const attn_spans *spans) {
    size_t last = 0;
    for (size_t i = 0; i < r->inside_count; i++) {
        tag_at *tag = &r->tags[r->inside[i]];
        for (size_t s = 0; s < spans->count; s++) {
            size_t start = spans->span[s].start, end = start + spans->span[s].length;
            if (tag->at > start && tag->at < end) {
                tag->at = tag->kind == ATTN_MARK_OPEN ? start : end;
            }
        }
        tag->at = tag->at > last ? tag->at : last;
        last = tag->at;
    }
}

static attn_status add_tag(attn_passage *p, const tag_at *tag, attn_error *error) {
    return add_literal(p, tag->raw, tag->raw_length, true, error);
}

/* Text that is not translated, with the tags in it and at its ends. */
static attn_status add_gap(attn_passage *p, run *r, size_t from, size_t to, attn_error *error) {
    attn_status status = ATTN_OK;
    for (; r->next_tag < r->tag_count && r->tags[r->next_tag].at <= to && status == ATTN_OK;
         r->next_tag++) {
        tag_at *tag = &r->tags[r->next_tag];
        if (tag->done) {
            continue;
        }
        size_t at = tag->at > from ? tag->at : from;
        tag->done = true;
        status = add_literal(p, r->text + from, at - from, false, error);
        status = status == ATTN_OK ? add_tag(p, tag, error) : status;
        from = at;
    }
    return status == ATTN_OK ? add_literal(p, r->text + from, to - from, false, error) : status;
}

/* The sentence's tags as marks of the unit that was added last. at[i]: where tag i is in it. */
static attn_status add_marks(attn_passage *p, const run *r, const size_t *at, attn_error *error) {
    part *owner = &p->parts[p->part_count - 1];
    owner->mark = p->mark_count;
    for (size_t i = 0; i < r->inside_count; i++) {
        const tag_at *tag = &r->tags[r->inside[i]];
        if (!grow((void **)&p->marks, p->mark_count, &p->mark_room, sizeof *p->marks)) {
            return attn_fail_memory(error, sizeof *p->marks);
        }
        attn_mark *mark = &p->marks[p->mark_count++];
        *mark = (attn_mark){.kind = tag->kind,
                            .at = at[i],
                            .partner = ATTN_NO_MARK,
                            .start = p->literals.length,
                            .length = tag->raw_length};
        attn_buffer_add(&p->literals, tag->raw, tag->raw_length);
        if (tag->partner != ATTN_NO_MARK) {
            size_t number = r->tags[tag->partner].number;
            bool here = number < r->inside_count && r->inside[number] == tag->partner;
            mark->partner = here ? number : ATTN_NO_MARK;
        }
        owner->mark_count++;
        p->units[owner->unit].marked = true;
    }
    return ATTN_OK;
}

/* ---- sentences ---- */

/* text[from .. to), cut at the sentence's tags. *tag: the first that is not in the passage yet. */
static attn_status add_cut(attn_passage *p, const run *r, size_t from, size_t to, size_t *tag,
                           attn_error *error) {
    attn_status status = ATTN_OK;
    for (; *tag < r->inside_count && r->tags[r->inside[*tag]].at <= to && status == ATTN_OK;
         ++*tag) {
        const tag_at *next = &r->tags[r->inside[*tag]];
        status = add_piece(p, r, from, next->at, error);
        status = status == ATTN_OK ? add_tag(p, next, error) : status;
        from = next->at;
    }
    return status == ATTN_OK ? add_piece(p, r, from, to, error) : status;
}

static attn_status add_pieces(attn_passage *p, const run *r, size_t from, size_t to,
                              const attn_spans *spans, attn_error *error) {
    attn_status status = ATTN_OK;
    size_t tag = 0;
    for (size_t i = 0; i < spans->count && status == ATTN_OK; i++) {
        const attn_span *span = &spans->span[i];
        size_t length;
        const char *output = protected_output(r, span, &length);
        status = add_cut(p, r, from, span->start, &tag, error);
        if (status == ATTN_OK) {
            status = add_literal(p, output, length, span->raw, error);
        }
        from = span->start + span->length;
    }
    return status == ATTN_OK ? add_cut(p, r, from, to, &tag, error) : status;
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

/* A name for each protected part; false when the sentence holds too many of them itself. */
static bool choose_names(const run *r, size_t from, size_t to, part *whole, size_t count) {
    size_t name = 0;
    for (size_t i = 0; i < count; i++, name++) {
        while (name < STAND_INS && contains(r->smooth + from, to - from, stand_ins[name])) {
            name++;
        }
        if (name >= STAND_INS) {
            return false;
        }
        whole->stand_in[i] = stand_ins[name];
    }
    whole->masked = count;
    return true;
}

/* The sentence with its names; at[i]: where tag i is in it. */
static void mask(attn_passage *p, const run *r, size_t from, size_t to, const attn_spans *spans,
                 part *whole, attn_buffer *masked, size_t *at) {
    size_t tag = 0;
    for (size_t i = 0; i <= spans->count; i++) {
        size_t end = i < spans->count ? spans->span[i].start : to, length;
        for (; tag < r->inside_count && r->tags[r->inside[tag]].at <= end; tag++) {
            at[tag] = masked->length + r->tags[r->inside[tag]].at - from;
        }
        attn_buffer_add(masked, r->smooth + from, end - from);
        if (i == spans->count) {
            break;
        }
        const char *output = protected_output(r, &spans->span[i], &length);
        whole->output_start[i] = p->literals.length;
        if (spans->span[i].raw) {
            attn_buffer_add(&p->literals, output, length);
        } else {
            add_escaped(p, output, length);
        }
        whole->output_length[i] = p->literals.length - whole->output_start[i];
        attn_buffer_text(masked, whole->stand_in[i]);
        from = end + spans->span[i].length;
    }
}

/* The sentence as one unit, with a name for each protected part and its tags as marks. */
static attn_status add_whole(attn_passage *p, const run *r, size_t from, size_t to,
                             const attn_spans *spans, bool *added, attn_error *error) {
    part whole = {.kind = spans->count > 0 ? PART_WHOLE : PART_UNIT};
    attn_buffer masked = {0};
    size_t at[ATTN_MOST_MARKS];
    if (!choose_names(r, from, to, &whole, spans->count)) {
        return ATTN_OK;
    }
    mask(p, r, from, to, spans, &whole, &masked, at);
    char *sentence;
    attn_status status = attn_buffer_take(&masked, &sentence, error);
    if (status == ATTN_OK) {
        status = add_unit(p, whole.kind, sentence, strlen(sentence), error);
    }
    if (status == ATTN_OK) {
        part *last = &p->parts[p->part_count - 1];
        whole.unit = last->unit;
        *last = whole;
        *added = true;
        status = add_marks(p, r, at, error);
    }
    free(sentence);
    return status;
}

/* text[from .. to), with its protected parts and tags. */
static attn_status add_sentence(attn_passage *p, run *r, size_t from, size_t to,
                                const attn_spans *spans, attn_error *error) {
    bool whole = false;
    size_t before = p->part_count;
    attn_status status = ATTN_OK;
    move_tags(r, spans);
    if (spans->count <= ATTN_MOST_MASKED && r->inside_count <= ATTN_MOST_MARKS &&
        worth_masking(r->smooth, from, to, spans)) {
        status = add_whole(p, r, from, to, spans, &whole, error);
    }
    if (status == ATTN_OK && (!whole || spans->count > 0)) {
        status = add_pieces(p, r, from, to, spans, error);
    }
    if (whole && status == ATTN_OK) {
        p->parts[before].skip = p->part_count - before - 1;
    }
    return status;
}

/* A protected part may hold what looks like the end of a sentence ("http://a.b/c?D"): sentences that
 * it runs through are one. */
static attn_status add_sentences(attn_passage *p, run *r, const attn_spans *sentences,
                                 const attn_spans *spans, attn_error *error) {
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
        choose_tags(r, from, to);
        status = add_gap(p, r, done, from, error);
        if (status == ATTN_OK) {
            status = add_sentence(p, r, from, to, &inside, error);
        }
        done = to;
        first = last;
    }
    return status == ATTN_OK ? add_gap(p, r, done, r->length, error) : status;
}

static attn_status add_run(attn_passage *p, const attn_passage_options *options, run *r,
                           attn_error *error) {
    attn_spans sentences = {0}, spans = {0};
    r->inside = calloc(r->tag_count + 1, sizeof *r->inside);
    if (r->inside == NULL) {
        return attn_fail_memory(error, r->tag_count * sizeof *r->inside);
    }
    attn_status status =
        attn_sentences_split(r->smooth, r->length, options->language, &sentences, error);
    if (status == ATTN_OK) {
        status = find_protected(options, r, &spans, error);
    }
    if (status == ATTN_OK) {
        status = add_sentences(p, r, &sentences, &spans, error);
    }
    attn_spans_free(&sentences);
    attn_spans_free(&spans);
    free(r->inside);
    return status;
}

/* ---- HTML ---- */

enum { DEEPEST = 64 }; /* elements that are open at once; an outer one then counts as one tag */

/* A run that is being gathered. */
typedef struct gathering {
    attn_buffer plain;
    run run;
    size_t tag_room;
    size_t open[DEEPEST], depth;
} gathering;

/* Text of a page: its character references become characters or are protected. */
static attn_status gather_text(gathering *g, const char *text, size_t length, attn_error *error) {
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t size = text[at] == '&' ? attn_html_reference(text, length, at, &code) : 0;
        if (size == 0) {
            attn_buffer_add(&g->plain, text + at++, 1);
            continue;
        }
        if (code == 0) {
            attn_span span = {.start = g->plain.length, .length = size, .raw = true};
            attn_status status = attn_spans_add(&g->run.references, span, error);
            if (status != ATTN_OK) {
                return status;
            }
            attn_buffer_add(&g->plain, text + at, size);
        } else {
            char bytes[U8_MAX_LENGTH];
            size_t count = 0;
            U8_APPEND_UNSAFE(bytes, count, code);
            attn_buffer_add(&g->plain, bytes, count);
        }
        at += size;
    }
    return ATTN_OK;
}

/* An element that stays is a protected part. */
static attn_status gather_kept(gathering *g, const char *text, size_t length, attn_error *error) {
    attn_span span = {.start = g->plain.length, .length = length, .raw = true};
    attn_buffer_add(&g->plain, text, length);
    return attn_spans_add(&g->run.references, span, error);
}

/* Finds the open tag that a closing one belongs to. */
static void pair_tag(gathering *g, size_t closing) {
    tag_at *tags = g->run.tags;
    for (size_t d = g->depth; d-- > 0;) {
        if (strcmp(tags[g->open[d]].name, tags[closing].name) == 0) {
            tags[closing].partner = g->open[d];
            tags[g->open[d]].partner = closing;
            g->depth = d;
            return;
        }
    }
}

static attn_status gather_tag(gathering *g, const char *text, const attn_html_token *token,
                              attn_error *error) {
    run *r = &g->run;
    if (!grow((void **)&r->tags, r->tag_count, &g->tag_room, sizeof *r->tags)) {
        return attn_fail_memory(error, sizeof *r->tags);
    }
    tag_at *tag = &r->tags[r->tag_count];
    *tag = (tag_at){.kind = token->kind == ATTN_HTML_OPEN    ? ATTN_MARK_OPEN
                            : token->kind == ATTN_HTML_CLOSE ? ATTN_MARK_CLOSE
                                                             : ATTN_MARK_POINT,
                    .at = g->plain.length,
                    .partner = ATTN_NO_MARK,
                    .raw = text + token->start,
                    .raw_length = token->length};
    memcpy(tag->name, token->name, sizeof tag->name);
    if (token->kind == ATTN_HTML_CLOSE) {
        pair_tag(g, r->tag_count);
    } else if (token->kind == ATTN_HTML_OPEN) {
        if (g->depth == DEEPEST) {
            memmove(g->open, g->open + 1, (DEEPEST - 1) * sizeof *g->open);
            g->depth--;
        }
        g->open[g->depth++] = r->tag_count;
    }
    r->tag_count++;
    return ATTN_OK;
}

/* What has nothing in it and white space on both sides takes that behind it along, so that the sentence has it
 * once. */
static void take_space(gathering *g, const char *text, size_t length, attn_html_token *token) {
    const tag_at *tag = &g->run.tags[g->run.tag_count - 1];
    size_t at = g->plain.length;
    bool empty = tag->kind == ATTN_MARK_POINT ||
                 (tag->partner != ATTN_NO_MARK && g->run.tags[tag->partner].at == tag->at);
    if (empty && at > 0 && strchr(" \t\n\f\r", g->plain.data[at - 1]) != NULL) {
        while (token->start + token->length < length &&
               strchr(" \t\n\f\r", text[token->start + token->length]) != NULL) {
            token->length++;
        }
        g->run.tags[g->run.tag_count - 1].raw_length = token->length;
    }
}

/* Adds what was gathered to the passage, and begins anew. */
static attn_status end_run(attn_passage *p, const attn_passage_options *options, gathering *g,
                           attn_error *error) {
    char *plain = NULL, *smooth = NULL;
    g->run.length = g->plain.length;
    attn_status status = attn_buffer_take(&g->plain, &plain, error);
    if (status == ATTN_OK) {
        smooth = strdup(plain);
        status = smooth != NULL ? ATTN_OK : attn_fail_memory(error, g->run.length);
    }
    for (size_t i = 0; status == ATTN_OK && i < g->run.length; i++) {
        smooth[i] = strchr("\t\n\f\r", smooth[i]) != NULL ? ' ' : smooth[i];
    }
    if (status == ATTN_OK) {
        g->run.text = plain;
        g->run.smooth = smooth;
        status = add_run(p, options, &g->run, error);
    }
    free(plain);
    free(smooth);
    free(g->run.tags);
    attn_spans_free(&g->run.references);
    *g = (gathering){0};
    return status;
}

static attn_status gather(gathering *g, const char *text, size_t length, attn_html_token *token,
                          attn_error *error) {
    attn_status status;
    switch (token->kind) {
    case ATTN_HTML_TEXT:
        return gather_text(g, text + token->start, token->length, error);
    case ATTN_HTML_KEPT:
        return gather_kept(g, text + token->start, token->length, error);
    default:
        status = gather_tag(g, text, token, error);
        if (status == ATTN_OK) {
            take_space(g, text, length, token);
        }
        return status;
    }
}

static attn_status add_html(attn_passage *p, const attn_passage_options *options, const char *text,
                            size_t length, attn_error *error) {
    gathering g = {0};
    attn_status status = ATTN_OK;
    for (size_t at = 0; at < length && status == ATTN_OK;) {
        attn_html_token token = attn_html_next(text, length, at);
        if (token.kind != ATTN_HTML_BLOCK) {
            status = gather(&g, text, length, &token, error);
        } else {
            status = end_run(p, options, &g, error);
            status =
                status == ATTN_OK ? add_literal(p, text + at, token.length, true, error) : status;
        }
        at += token.length;
    }
    attn_status ended = end_run(p, options, &g, error);
    return status == ATTN_OK ? ended : status;
}

static attn_status add_plain(attn_passage *p, const attn_passage_options *options, const char *text,
                             size_t length, attn_error *error) {
    run r = {.text = text, .smooth = text, .length = length};
    return add_run(p, options, &r, error);
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
    attn_status status = options->html ? add_html(p, options, text, length, error)
                                       : add_plain(p, options, text, length, error);
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
    free(p->units);
    free(p->marks);
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
