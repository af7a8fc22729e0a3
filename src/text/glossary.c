/* text/glossary.c: terms in buckets by their first byte, the longest first. */
#include "text/glossary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/file.h"
#include "text/boundary.h"

enum { FILE_LIMIT = 16 << 20 };

typedef struct term {
    char *source, *target; /* one allocation, at source */
    size_t length;         /* of source */
    bool derived;          /* the form with a capital that the file did not name */
} term;

struct attn_glossary {
    term *terms; /* by first byte, then longest first */
    size_t count, room;
    size_t bucket[257]; /* terms that begin with byte b: bucket[b] .. bucket[b + 1) */
};

static int by_bucket(const void *a, const void *b) {
    const term *x = a, *y = b;
    unsigned char p = (unsigned char)x->source[0], q = (unsigned char)y->source[0];
    if (p != q) {
        return p < q ? -1 : 1;
    }
    if (x->length != y->length) {
        return x->length > y->length ? -1 : 1;
    }
    int order = strcmp(x->source, y->source);
    return order != 0 ? order : (int)x->derived - (int)y->derived;
}

/* The text with its first letter as a capital, malloc'ed; NULL when that is the same text, or when
 * memory ran out (*failed). */
static char *capitalized(const char *text, bool *failed) {
    size_t length = strlen(text), at = 0;
    UChar32 c;
    U8_NEXT(text, at, length, c);
    UChar32 upper = u_toupper(c);
    if (upper == c) {
        return NULL;
    }
    char *out = malloc(length + U8_MAX_LENGTH + 1);
    if (out == NULL) {
        *failed = true;
        return NULL;
    }
    size_t to = 0;
    U8_APPEND_UNSAFE(out, to, upper);
    memcpy(out + to, text + at, length - at + 1);
    return out;
}

static bool add_term(attn_glossary *g, const char *source, const char *target, bool derived) {
    if (!attn_grow(&g->terms, &g->room, g->count + 1, sizeof *g->terms)) {
        return false;
    }
    size_t length = strlen(source), other = strlen(target);
    char *both = malloc(length + other + 2);
    if (both == NULL) {
        return false;
    }
    memcpy(both, source, length + 1);
    memcpy(both + length + 1, target, other + 1);
    g->terms[g->count++] = (term){both, both + length + 1, length, derived};
    return true;
}

static bool add_both(attn_glossary *g, const char *source, const char *target) {
    bool failed = false;
    char *capital = capitalized(source, &failed);
    char *target_capital = capital != NULL ? capitalized(target, &failed) : NULL;
    bool added = !failed && add_term(g, source, target, false);
    if (added && capital != NULL) {
        added = add_term(g, capital, target_capital != NULL ? target_capital : target, true);
    }
    free(capital);
    free(target_capital);
    return added;
}

/* One line, which is NUL-terminated and may be changed. */
static attn_status read_line(attn_glossary *g, char *line, size_t length, const char *name,
                             int64_t number, attn_error *error) {
    if (length > 0 && line[length - 1] == '\r') {
        line[--length] = '\0';
    }
    if (strlen(line) != length || !attn_utf8_whole(line, length)) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, number,
                         "convert it, for instance with iconv", "the line is not UTF-8 text");
    }
    if (length == 0 || line[0] == '#') {
        return ATTN_OK;
    }
    char *tab = strchr(line, '\t');
    if (tab == NULL || tab == line || tab[1] == '\0' || strchr(tab + 1, '\t') != NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, number,
                         "write the term, one tab and its translation",
                         "the line is not SOURCE<TAB>TARGET");
    }
    *tab = '\0';
    return add_both(g, line, tab + 1) ? ATTN_OK : attn_fail_memory(error, length);
}

/* Sorts, and drops the capitalized form of a term where the file gives that form itself. */
static attn_status finish(attn_glossary *g, const char *name, attn_error *error) {
    if (g->count > 0) { /* without terms there is no array */
        qsort(g->terms, g->count, sizeof *g->terms, by_bucket);
    }
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++) {
        term t = g->terms[i];
        bool twice = kept > 0 && strcmp(g->terms[kept - 1].source, t.source) == 0;
        if (twice && !t.derived) {
            char quoted[64];
            return attn_fail(error, ATTN_ERR_FORMAT, name, -1, "keep one of its lines",
                             "the term '%s' is listed twice",
                             attn_utf8_quote(quoted, sizeof quoted, t.source));
        }
        g->terms[i].source = NULL; /* moved, or freed */
        if (twice) {
            free(t.source);
        } else {
            g->terms[kept++] = t;
        }
    }
    g->count = kept;
    for (size_t i = 0, b = 0; b < 257; b++) {
        while (i < g->count && (unsigned char)g->terms[i].source[0] < b) {
            i++;
        }
        g->bucket[b] = b == 256 ? g->count : i;
    }
    return ATTN_OK;
}

attn_status attn_glossary_parse(const char *bytes, size_t size, const char *name,
                                attn_glossary **out, attn_error *error) {
    static const char mark[] = "\xef\xbb\xbf";
    *out = NULL;
    attn_glossary *g = calloc(1, sizeof *g);
    char *copy = malloc(size + 1);
    attn_status status = ATTN_OK;
    if (g == NULL || copy == NULL) {
        status = attn_fail_memory(error, size);
        goto out;
    }
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    size_t start = size >= 3 && memcmp(copy, mark, 3) == 0 ? 3 : 0;
    for (int64_t number = 1; start < size && status == ATTN_OK; number++) {
        char *newline = memchr(copy + start, '\n', size - start);
        size_t end = newline != NULL ? (size_t)(newline - copy) : size;
        copy[end] = '\0';
        status = read_line(g, copy + start, end - start, name, number, error);
        start = end + 1;
    }
    if (status == ATTN_OK) {
        status = finish(g, name, error);
    }
out:
    free(copy);
    if (status != ATTN_OK) {
        attn_glossary_free(g);
        return status;
    }
    *out = g;
    return ATTN_OK;
}

attn_status attn_glossary_read(const char *path, attn_glossary **out, attn_error *error) {
    char *bytes;
    size_t size;
    attn_status status = attn_file_read(path, FILE_LIMIT, &bytes, &size, error);
    if (status != ATTN_OK) {
        *out = NULL;
        return status;
    }
    status = attn_glossary_parse(bytes, size, path, out, error);
    attn_free(bytes);
    return status;
}

void attn_glossary_free(attn_glossary *g) {
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < g->count; i++) {
        free(g->terms[i].source);
    }
    attn_free(g->terms);
    free(g);
}

size_t attn_glossary_size(const attn_glossary *g) {
    return g->count;
}

size_t attn_glossary_at(const attn_glossary *g, const char *text, size_t length, size_t at,
                        const char **target) {
    if (g == NULL || g->count == 0 || at >= length) {
        return 0;
    }
    unsigned char first = (unsigned char)text[at];
    if (g->bucket[first] == g->bucket[first + 1] || attn_inside_word(text, length, at)) {
        return 0;
    }
    for (size_t i = g->bucket[first]; i < g->bucket[first + 1]; i++) {
        const term *t = &g->terms[i];
        if (t->length <= length - at && memcmp(t->source, text + at, t->length) == 0 &&
            !attn_inside_word(text, length, at + t->length)) {
            *target = t->target;
            return t->length;
        }
    }
    return 0;
}
