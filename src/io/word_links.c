/* io/word_links.c: see word_links.h. */
#include "io/word_links.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "io/lines.h"
#include "io/unpack.h"

enum { MOST_SENTENCES = 1 << 30, MOST_WORDS = 1 << 20 };

/* What is left of a line. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t')) {
        c->at++;
    }
}

/* Digits only, at most `most`. */
static bool take_number(cursor *c, int64_t most, int64_t *out) {
    const char *first = c->at;
    *out = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && *out <= most) {
        *out = 10 * *out + (*c->at++ - '0');
    }
    return c->at > first && *out <= most;
}

static bool ends_here(const cursor *c) {
    return c->at == c->end || *c->at == ' ' || *c->at == '\t';
}

/* "3 1 2 S" */
static bool take_numbered(cursor *c, attn_gold_link *out) {
    int64_t sentence, source, target;
    skip_blanks(c);
    if (!take_number(c, MOST_SENTENCES, &sentence) || !ends_here(c)) {
        return false;
    }
    skip_blanks(c);
    if (!take_number(c, MOST_WORDS, &source) || !ends_here(c)) {
        return false;
    }
    skip_blanks(c);
    if (!take_number(c, MOST_WORDS, &target) || !ends_here(c)) {
        return false;
    }
    skip_blanks(c);
    bool named = c->at < c->end, sure = !named || *c->at == 'S';
    if (sentence < 1 || source < 1 || target < 1 || (named && !sure && *c->at != 'P')) {
        return false;
    }
    c->at += named;
    *out = (attn_gold_link){sentence - 1, (int32_t)(source - 1), (int32_t)(target - 1), sure};
    skip_blanks(c);
    return c->at == c->end;
}

/* "0-1" or "0?1" */
static bool take_pair(cursor *c, int64_t sentence, attn_gold_link *out) {
    int64_t source, target;
    if (!take_number(c, MOST_WORDS, &source) || c->at == c->end ||
        (*c->at != '-' && *c->at != '?')) {
        return false;
    }
    bool sure = *c->at++ == '-';
    if (!take_number(c, MOST_WORDS, &target) || !ends_here(c)) {
        return false;
    }
    *out = (attn_gold_link){sentence, (int32_t)source, (int32_t)target, sure};
    return true;
}

static attn_status append(attn_gold_links *out, size_t *room, const attn_gold_link *link,
                          attn_error *error) {
    if (!attn_grow(&out->link, room, out->count + 1, sizeof *out->link)) {
        return attn_fail_memory(error, (out->count + 1) * sizeof *out->link);
    }
    out->link[out->count++] = *link;
    return ATTN_OK;
}

static bool looks_numbered(const attn_line *line) {
    cursor c = {line->text, line->text + line->length};
    int64_t number;
    skip_blanks(&c);
    return take_number(&c, MOST_SENTENCES, &number) && c.at < c.end && ends_here(&c);
}

static attn_status fail_line(const attn_line *line, const char *name, attn_error *error) {
    return attn_fail(error, ATTN_ERR_FORMAT, name, line->number,
                     "write '3 1 2 S' (sentence, source word, target word from 1, S or P) or "
                     "'0-1 2?3' (from 0, ? for possible)",
                     "no word links");
}

static attn_status parse_line(const attn_line *line, const char *name, attn_gold_links *out,
                              size_t *room, attn_error *error) {
    cursor c = {line->text, line->text + line->length};
    attn_gold_link link;
    attn_status status = ATTN_OK;
    if (looks_numbered(line)) {
        return take_numbered(&c, &link) ? append(out, room, &link, error)
                                        : fail_line(line, name, error);
    }
    for (skip_blanks(&c); c.at < c.end && status == ATTN_OK; skip_blanks(&c)) {
        status = take_pair(&c, line->number - 1, &link) ? append(out, room, &link, error)
                                                        : fail_line(line, name, error);
    }
    return status;
}

static int by_place(const void *a, const void *b) {
    const attn_gold_link *x = a, *y = b;
    if (x->sentence != y->sentence) {
        return x->sentence < y->sentence ? -1 : 1;
    }
    if (x->source != y->source) {
        return x->source < y->source ? -1 : 1;
    }
    return (x->target > y->target) - (x->target < y->target);
}

/* Sorts, and makes one of what is said twice. */
static void put_in_order(attn_gold_links *links) {
    if (links->count == 0) {
        return;
    }
    qsort(links->link, links->count, sizeof *links->link, by_place);
    size_t kept = 1;
    for (size_t i = 1; i < links->count; i++) {
        attn_gold_link *last = &links->link[kept - 1];
        if (by_place(last, &links->link[i]) == 0) {
            last->sure = last->sure || links->link[i].sure;
        } else {
            links->link[kept++] = links->link[i];
        }
    }
    links->count = kept;
}

attn_status attn_gold_links_parse(const char *text, size_t size, const char *name,
                                  attn_gold_links *out, attn_error *error) {
    attn_line_walk walk = attn_line_walk_start(text, size, name, ATTN_MAX_LINE_BYTES);
    attn_line line;
    bool more = true, numbered = false;
    size_t room = 0;
    *out = (attn_gold_links){.count = 0};
    attn_status status = ATTN_OK;
    while (status == ATTN_OK) {
        status = attn_line_walk_next(&walk, &line, &more, error);
        if (status != ATTN_OK || !more) {
            break;
        }
        numbered = numbered || looks_numbered(&line);
        out->sentences = line.number;
        status = parse_line(&line, name, out, &room, error);
    }
    if (status == ATTN_OK && out->count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, name, -1, NULL, "no word links");
    }
    if (status != ATTN_OK) {
        attn_gold_links_free(out);
        return status;
    }
    put_in_order(out);
    if (numbered) {
        out->sentences = out->link[out->count - 1].sentence + 1;
    }
    return ATTN_OK;
}

attn_status attn_gold_links_read(const char *path, attn_gold_links *out, attn_error *error) {
    char *text;
    size_t size;
    *out = (attn_gold_links){.count = 0};
    attn_status status = attn_unpack(path, &text, &size, error);
    if (status == ATTN_OK) {
        status = attn_gold_links_parse(text, size, path, out, error);
        attn_free(text);
    }
    return status;
}

void attn_gold_links_free(attn_gold_links *links) {
    attn_free(links->link);
    *links = (attn_gold_links){.count = 0};
}
