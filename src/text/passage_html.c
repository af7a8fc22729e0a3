/* text/passage_html.c: gathering a page's runs of text, with the tags that stand in them. Next: passage.c. */
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "text/html.h"
#include "text/passage_parts.h"

enum { DEEPEST = 64 }; /* elements that are open at once; an outer one then counts as one tag */

/* A run that is being gathered. */
typedef struct gathering {
    attn_buffer plain;
    run run;
    size_t tag_room, origin_room;
    size_t open[DEEPEST], depth;
} gathering;

/* Remembers how a sign was written, for the translation that holds it. */
static void keep_reference(attn_passage *p, UChar32 c, const char *raw, size_t length) {
    if (u_isalnum(c) || c < 0x80 || c == 0xAD || p->reference_count == MOST_REFERENCES) {
        return;
    }
    for (size_t i = 0; i < p->reference_count; i++) {
        if (p->references[i].c == c) {
            return;
        }
    }
    p->references[p->reference_count++] = (sign_reference){c, p->words.length};
    attn_buffer_add(&p->words, raw, length);
    attn_buffer_add(&p->words, "", 1);
}

static attn_status gather_reference(attn_passage *p, gathering *g, const char *raw, size_t length,
                                    const uint32_t codes[2], attn_error *error) {
    run *r = &g->run;
    if (!attn_grow(&r->origins, &g->origin_room, r->origin_count + 1, sizeof *r->origins)) {
        return attn_fail_memory(error, sizeof *r->origins);
    }
    origin *added = &r->origins[r->origin_count++];
    *added = (origin){.at = g->plain.length, .raw = raw, .raw_length = length};
    for (int i = 0; i < 2 && codes[i] != 0; i++) {
        char bytes[U8_MAX_LENGTH];
        size_t count = 0;
        U8_APPEND_UNSAFE(bytes, count, codes[i]);
        attn_buffer_add(&g->plain, bytes, count);
    }
    added->length = g->plain.length - added->at;
    if (codes[1] == 0) {
        keep_reference(p, (UChar32)codes[0], raw, length);
    }
    return ATTN_OK;
}

/* Text of a page: its character references become characters; one that is none is a sign. */
static attn_status gather_text(attn_passage *p, gathering *g, const char *text, size_t length,
                               attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t at = 0; at < length && status == ATTN_OK;) {
        uint32_t codes[2];
        size_t size = text[at] == '&' ? attn_html_reference(text, length, at, codes) : 0;
        if (size == 0) {
            attn_buffer_add(&g->plain, text + at++, 1);
            continue;
        }
        if (codes[0] == 0) {
            attn_span span = {
                .start = g->plain.length, .length = size, .raw = true, .kind = ATTN_SPAN_SIGN};
            status = attn_spans_add(&g->run.references, span, error);
            attn_buffer_add(&g->plain, text + at, size);
        } else {
            status = gather_reference(p, g, text + at, size, codes, error);
        }
        at += size;
    }
    return status;
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

static attn_status end_run(attn_passage *p, const attn_passage_options *options, gathering *g,
                           attn_error *error);

/* The parts of an attribute's value, moved to the side. */
static attn_status add_attribute(attn_passage *p, const attn_passage_options *options,
                                 const char *text, const attn_html_attribute *value, size_t tag,
                                 attn_error *error) {
    gathering g = {0};
    size_t before = p->part_count;
    attn_status status = gather_text(p, &g, text + value->start, value->length, error);
    attn_status ended = end_run(p, options, &g, error);
    status = status == ATTN_OK ? ended : status;
    if (status != ATTN_OK) {
        return status;
    }
    attribute added = {value->start - tag, value->length, value->quote, p->side_count, 0};
    for (size_t i = before; i < p->part_count; i++) {
        if (!attn_grow(&p->side, &p->side_room, p->side_count + 1, sizeof *p->side)) {
            return attn_fail_memory(error, sizeof *p->side);
        }
        p->side[p->side_count++] = p->parts[i];
        added.count++;
    }
    p->part_count = before;
    if (!attn_grow(&p->attributes, &p->attribute_room, p->attribute_count + 1,
                   sizeof *p->attributes)) {
        return attn_fail_memory(error, sizeof *p->attributes);
    }
    p->attributes[p->attribute_count++] = added;
    return ATTN_OK;
}

/* What people read of a tag. */
static attn_status add_attributes(attn_passage *p, const attn_passage_options *options,
                                  const char *text, const attn_html_token *token, tag_at *tag,
                                  attn_error *error) {
    attn_html_attribute values[ATTN_HTML_ATTRIBUTES];
    attn_status status = ATTN_OK;
    tag->attribute = p->attribute_count;
    if (!options->attributes || token->kept) {
        return ATTN_OK;
    }
    size_t count = attn_html_attributes(text, token->start + token->length, token->start, values);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        if (attn_has_letter(text + values[i].start, values[i].length)) {
            status = add_attribute(p, options, text, &values[i], token->start, error);
        }
    }
    tag->attribute_count = p->attribute_count - tag->attribute;
    return status;
}

static attn_status gather_tag(attn_passage *p, const attn_passage_options *options, gathering *g,
                              const char *text, const attn_html_token *token, attn_error *error) {
    run *r = &g->run;
    if (!attn_grow(&r->tags, &g->tag_room, r->tag_count + 1, sizeof *r->tags)) {
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
    attn_status status = add_attributes(p, options, text, token, tag, error);
    r->tag_count += status == ATTN_OK;
    return status;
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
        status = attn_passage_add_run(p, options, &g->run, error);
    }
    free(plain);
    free(smooth);
    attn_free(g->run.tags);
    attn_free(g->run.origins);
    attn_spans_free(&g->run.references);
    *g = (gathering){0};
    return status;
}

static attn_status gather(attn_passage *p, const attn_passage_options *options, gathering *g,
                          const char *text, size_t length, attn_html_token *token,
                          attn_error *error) {
    attn_status status;
    switch (token->kind) {
    case ATTN_HTML_TEXT:
        return gather_text(p, g, text + token->start, token->length, error);
    case ATTN_HTML_KEPT:
        return gather_kept(g, text + token->start, token->length, error);
    default:
        status = gather_tag(p, options, g, text, token, error);
        if (status == ATTN_OK) {
            take_space(g, text, length, token);
        }
        return status;
    }
}

attn_status attn_passage_add_html(attn_passage *p, const attn_passage_options *options,
                                  const char *text, size_t length, attn_error *error) {
    gathering g = {0};
    attn_status status = ATTN_OK;
    for (size_t at = 0; at < length && status == ATTN_OK;) {
        attn_html_token token = attn_html_next(text, length, at);
        if (token.kind != ATTN_HTML_BLOCK) {
            status = gather(p, options, &g, text, length, &token, error);
        } else {
            status = end_run(p, options, &g, error);
            tag_at block = {.raw = text + at, .raw_length = token.length};
            if (status == ATTN_OK) {
                status = add_attributes(p, options, text, &token, &block, error);
            }
            status = status == ATTN_OK ? attn_passage_add_tag(p, NULL, &block, error) : status;
        }
        at += token.length;
    }
    attn_status ended = end_run(p, options, &g, error);
    return status == ATTN_OK ? ended : status;
}
