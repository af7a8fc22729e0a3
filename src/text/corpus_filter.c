/* text/corpus_filter.c: one pass that judges, and moves what stays. */
#include "text/corpus_filter.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/memory.h"

enum { SHORT = 10 };

/* ---- scripts ---- */

typedef struct letters {
    int64_t count[USCRIPT_CODE_LIMIT], all;
} letters;

static void count_letters(const char *text, size_t length, letters *out) {
    for (int32_t i = 0; i < (int32_t)length;) {
        UChar32 c;
        U8_NEXT(text, i, (int32_t)length, c);
        UErrorCode code = U_ZERO_ERROR;
        UScriptCode script = c >= 0 && u_isalpha(c) ? uscript_getScript(c, &code) : USCRIPT_COMMON;
        if (U_SUCCESS(code) && script > USCRIPT_INHERITED && script < USCRIPT_CODE_LIMIT) {
            out->count[script]++;
            out->all++;
        }
    }
}

static void count_all_letters(const attn_lines *lines, letters *out) {
    for (size_t i = 0; i < lines->count; i++) {
        count_letters(lines->line[i], lines->length[i], out);
    }
}

/* Most letters of the line are of scripts that have less than a tenth of all letters. */
static bool foreign(const char *text, size_t length, const letters *usual) {
    letters line = {.all = 0};
    int64_t rare = 0;
    count_letters(text, length, &line);
    for (int i = 0; i < USCRIPT_CODE_LIMIT && line.all > 0; i++) {
        rare += usual->count[i] < usual->all / 10 ? line.count[i] : 0;
    }
    return 2 * rare > line.all;
}

/* ---- length ---- */

static int64_t characters(const char *text, size_t length) {
    int64_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return count;
}

static int64_t all_characters(const attn_lines *lines) {
    int64_t count = 0;
    for (size_t i = 0; i < lines->count; i++) {
        count += characters(lines->line[i], lines->length[i]);
    }
    return count;
}

/* usual: characters of a source for one of its target. */
static bool unlike(int64_t source, int64_t target, double usual, double ratio) {
    double s = (double)source / usual, t = (double)target;
    s = s > SHORT ? s : SHORT;
    t = t > SHORT ? t : SHORT;
    return s > ratio * t || t > ratio * s;
}

/* ---- doubles ---- */

/* A table of indices + 1 of pairs that stayed, by hash; 0: free. */
typedef struct seen {
    size_t *index, mask;
} seen;

static bool same(const attn_lines *lines, size_t a, size_t b) {
    return lines->length[a] == lines->length[b] &&
           memcmp(lines->line[a], lines->line[b], lines->length[a]) == 0;
}

/* Whether an earlier pair that stayed is the same; if not, notes it. */
static bool is_double(const attn_parallel *pairs, size_t pair, seen *table) {
    uint64_t hash = attn_hash64(pairs->source.line[pair], pairs->source.length[pair], 0);
    hash = attn_hash64(pairs->target.line[pair], pairs->target.length[pair], hash);
    size_t slot = (size_t)hash & table->mask;
    for (; table->index[slot] != 0; slot = (slot + 1) & table->mask) {
        size_t other = table->index[slot] - 1;
        if (same(&pairs->source, pair, other) && same(&pairs->target, pair, other)) {
            return true;
        }
    }
    table->index[slot] = pair + 1;
    return false;
}

static attn_status make_table(size_t count, seen *out, attn_error *error) {
    size_t size = 16;
    while (size < 2 * count) {
        size *= 2;
    }
    out->mask = size - 1;
    out->index = attn_alloc_zero(size, sizeof *out->index);
    return out->index != NULL ? ATTN_OK : attn_fail_memory(error, size * sizeof *out->index);
}

/* ---- all of them ---- */

typedef struct judge {
    const attn_corpus_filters *filters;
    letters source, target;
    double usual;
    seen table;
} judge;

/* The count that the pair belongs to; NULL: it stays. */
static int64_t *reason(judge *j, const attn_parallel *pairs, size_t i, attn_corpus_filtered *out) {
    const attn_corpus_filters *f = j->filters;
    const attn_lines *s = &pairs->source, *t = &pairs->target;
    if (f->copies && s->length[i] == t->length[i] &&
        memcmp(s->line[i], t->line[i], s->length[i]) == 0) {
        return &out->copies;
    }
    if (f->script && (foreign(s->line[i], s->length[i], &j->source) ||
                      foreign(t->line[i], t->length[i], &j->target))) {
        return &out->script;
    }
    if (f->ratio > 0 && unlike(characters(s->line[i], s->length[i]),
                               characters(t->line[i], t->length[i]), j->usual, f->ratio)) {
        return &out->ratio;
    }
    return f->doubles && is_double(pairs, i, &j->table) ? &out->doubles : NULL;
}

static void move(attn_lines *lines, size_t from, size_t to) {
    lines->line[to] = lines->line[from];
    lines->length[to] = lines->length[from];
}

static void judge_all(judge *j, attn_parallel *pairs, attn_corpus_filtered *out) {
    size_t kept = 0;
    for (size_t i = 0; i < pairs->source.count; i++) {
        /* It goes to its place first, so that doubles are compared with what has stayed. */
        move(&pairs->source, i, kept);
        move(&pairs->target, i, kept);
        pairs->origin[kept] = pairs->origin[i];
        int64_t *count = reason(j, pairs, kept, out);
        if (count != NULL) {
            (*count)++;
        } else {
            kept++;
        }
    }
    pairs->source.count = pairs->target.count = kept;
}

attn_status attn_corpus_filter(attn_parallel *pairs, const attn_corpus_filters *filters,
                               attn_corpus_filtered *out, attn_error *error) {
    *out = (attn_corpus_filtered){0};
    if (!filters->copies && !filters->doubles && !filters->script && filters->ratio <= 0) {
        return ATTN_OK;
    }
    judge *j = attn_alloc_zero(1, sizeof *j);
    attn_status status =
        j != NULL ? make_table(filters->doubles ? pairs->source.count : 0, &j->table, error)
                  : attn_fail_memory(error, sizeof *j);
    if (status != ATTN_OK) {
        goto out;
    }
    j->filters = filters;
    count_all_letters(&pairs->source, &j->source);
    count_all_letters(&pairs->target, &j->target);
    j->usual =
        ((double)all_characters(&pairs->source) + 1) / ((double)all_characters(&pairs->target) + 1);
    judge_all(j, pairs, out);
    if (pairs->source.count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, "training", -1, "loosen filter_*",
                           "the filters leave no pair");
    }
out:
    if (j != NULL) {
        attn_free(j->table.index);
    }
    attn_free(j);
    return status;
}
