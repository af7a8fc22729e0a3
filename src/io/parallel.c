/* io/parallel.c: from files to two arrays of lines. */
#include "io/parallel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "io/tmx.h"
#include "io/unpack.h"

enum { PATH_SIZE = 4096 };

/* What grows while files are read. */
typedef struct reader {
    attn_parallel *out;
    size_t source_room, source_length_room, target_room, target_length_room, origin_room;
    uint16_t origin; /* of what is read now */
    bool standard_input_read;
} reader;

static attn_status append_pair(reader *r, char *source, size_t source_length, char *target,
                               size_t target_length, attn_error *error) {
    attn_lines *s = &r->out->source, *t = &r->out->target;
    size_t count = s->count;
    if (!attn_grow(&s->line, &r->source_room, count + 1, sizeof *s->line) ||
        !attn_grow(&s->length, &r->source_length_room, count + 1, sizeof *s->length) ||
        !attn_grow(&t->line, &r->target_room, count + 1, sizeof *t->line) ||
        !attn_grow(&t->length, &r->target_length_room, count + 1, sizeof *t->length) ||
        !attn_grow(&r->out->origin, &r->origin_room, count + 1, sizeof *r->out->origin)) {
        return attn_fail_memory(error, (count + 1) * 4 * sizeof *s->line);
    }
    s->line[count] = source;
    s->length[count] = source_length;
    t->line[count] = target;
    t->length[count] = target_length;
    r->out->origin[count] = r->origin;
    s->count = t->count = count + 1;
    return ATTN_OK;
}

/* ---- files ---- */

static attn_status read_text(reader *r, const char *path, char **text, size_t *size,
                             attn_error *error) {
    if (strcmp(path, "-") == 0) {
        if (r->standard_input_read) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "-", -1, "name a file for one of them",
                             "standard input can be read only once");
        }
        r->standard_input_read = true;
    }
    return attn_unpack(path, text, size, error);
}

/* Room for one more file to own; it is counted, and empty. */
static attn_lines *add_file(reader *r) {
    attn_parallel *out = r->out;
    return &out->file[out->file_count++];
}

static attn_status read_lines(reader *r, const char *path, attn_lines *out, attn_error *error) {
    char *text;
    size_t size;
    attn_status status = read_text(r, path, &text, &size, error);
    return status == ATTN_OK ? attn_lines_cut(text, size, path, out, error) : status;
}

/* ---- two files ---- */

static attn_status read_both(reader *r, const attn_parallel_source *from, attn_error *error) {
    attn_lines *source = add_file(r), *target = add_file(r);
    attn_status status = read_lines(r, from->source, source, error);
    if (status == ATTN_OK) {
        status = read_lines(r, from->target, target, error);
    }
    if (status == ATTN_OK && source->count != target->count) {
        status = attn_fail(error, ATTN_ERR_FORMAT, from->target, -1,
                           "line i of one file must translate line i of the other",
                           "%zu lines, but %s has %zu", target->count, from->source, source->count);
    }
    for (size_t i = 0; status == ATTN_OK && i < source->count; i++) {
        status = append_pair(r, source->line[i], source->length[i], target->line[i],
                             target->length[i], error);
    }
    return status;
}

/* ---- a table ---- */

/* The column, from 1, of a line; NULL when there are fewer. */
static char *column(char *line, long number, size_t *length) {
    for (long i = 1; i < number; i++) {
        line += strcspn(line, "\t");
        if (*line == '\0') {
            return NULL;
        }
        line++;
    }
    *length = strcspn(line, "\t");
    return line;
}

static attn_status read_table(reader *r, const char *path, const long columns[2],
                              attn_error *error) {
    attn_lines *file = add_file(r);
    attn_parallel *out = r->out;
    attn_status status = read_lines(r, path, file, error);
    for (size_t i = 0; status == ATTN_OK && i < file->count; i++) {
        size_t length[2] = {0, 0};
        char *cell[2];
        for (int side = 0; side < 2; side++) {
            cell[side] = column(file->line[i], columns[side], &length[side]);
        }
        if (cell[0] != NULL && cell[1] != NULL) {
            status = append_pair(r, cell[0], length[0], cell[1], length[1], error);
        } else if (out->short_lines++ == 0) {
            snprintf(out->first_short, sizeof out->first_short, "%.200s:%zu", path, i + 1);
        }
    }
    return status;
}

/* ---- a translation memory ---- */

static attn_status read_memory(reader *r, const char *path, const char *source, const char *target,
                               attn_error *error) {
    char *text, *pairs = NULL;
    size_t size, count = 0;
    attn_status status = read_text(r, path, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_tmx_read(text, size, path, source, target, &pairs, &count, error);
    attn_free(text);
    add_file(r)->text = pairs;
    for (char *at = pairs; status == ATTN_OK && count > 0; count--) {
        size_t left = strlen(at), right = strlen(at + left + 1);
        status = append_pair(r, at, left, at + left + 1, right, error);
        at += left + right + 2;
    }
    return status;
}

/* ---- FILE:A,B ---- */

typedef struct wanted {
    char path[PATH_SIZE], name[2][32];
} wanted;

static bool ends_in_tmx(const char *path) {
    size_t length = strlen(path);
    static const char *const packed[] = {".gz", ".xz", ".zst"};
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        size_t tail = strlen(packed[i]);
        length -= length > tail && strcmp(path + strlen(path) - tail, packed[i]) == 0 ? tail : 0;
    }
    return length > 4 && strncmp(path + length - 4, ".tmx", 4) == 0;
}

/* The two names behind the last colon, when there are two. */
static bool split_names(const char *text, wanted *w) {
    const char *colon = strrchr(text, ':');
    const char *comma = colon != NULL ? strchr(colon, ',') : NULL;
    size_t first = comma != NULL ? (size_t)(comma - colon - 1) : 0;
    if (first == 0 || first >= sizeof w->name[0] || strchr(comma + 1, ',') != NULL ||
        strchr(comma, '/') != NULL || comma[1] == '\0' || strlen(comma + 1) >= sizeof w->name[1] ||
        colon - text >= PATH_SIZE) {
        return false;
    }
    snprintf(w->path, sizeof w->path, "%.*s", (int)(colon - text), text);
    snprintf(w->name[0], sizeof w->name[0], "%.*s", (int)first, colon + 1);
    snprintf(w->name[1], sizeof w->name[1], "%s", comma + 1);
    return true;
}

static bool column_number(const char *name, long *out) {
    char *end;
    *out = strtol(name, &end, 10);
    return *end == '\0' && *out >= 1 && *out <= 100000;
}

static attn_status read_pairs(reader *r, const char *text, attn_error *error) {
    wanted w;
    long columns[2] = {1, 2};
    bool named = split_names(text, &w);
    if (!named) {
        size_t length = strlen(text);
        if (length >= sizeof w.path) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "--pairs", -1, NULL, "the name is too long");
        }
        memcpy(w.path, text, length + 1);
    }
    if (ends_in_tmx(w.path)) {
        return named ? read_memory(r, w.path, w.name[0], w.name[1], error)
                     : attn_fail(error, ATTN_ERR_ARGUMENT, text, -1,
                                 "write FILE.tmx:SOURCE,TARGET, such as FILE.tmx:en,fr",
                                 "of which languages of the translation memory?");
    }
    if (named &&
        (!column_number(w.name[0], &columns[0]) || !column_number(w.name[1], &columns[1]))) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, text, -1,
                         "write FILE:1,2 for the first and the second column",
                         "'%s,%s' are not two columns", w.name[0], w.name[1]);
    }
    return read_table(r, w.path, columns, error);
}

/* ---- all of it ---- */

/* Lines end at their length, and as strings too, for whoever takes them as such. */
static void end_lines(attn_lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        lines->line[i][lines->length[i]] = '\0';
    }
}

attn_status attn_parallel_read(const attn_parallel_source *sources, size_t count,
                               attn_parallel *out, attn_error *error) {
    *out = (attn_parallel){.file_count = 0};
    reader r = {.out = out};
    out->file = attn_alloc_zero(2 * count, sizeof *out->file);
    attn_status status =
        out->file == NULL ? attn_fail_memory(error, 2 * count * sizeof *out->file) : ATTN_OK;
    for (size_t i = 0; status == ATTN_OK && i < count; i++) {
        r.origin = (uint16_t)i;
        status = sources[i].pairs != NULL ? read_pairs(&r, sources[i].pairs, error)
                                          : read_both(&r, &sources[i], error);
    }
    if (status == ATTN_OK && out->source.count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT,
                           out->short_lines > 0 ? out->first_short : sources[0].pairs, -1,
                           "name columns that are there: FILE:1,2", "no line has both columns");
    }
    if (status == ATTN_OK) {
        end_lines(&out->source);
        end_lines(&out->target);
    } else {
        attn_parallel_free(out);
    }
    return status;
}

void attn_parallel_free(attn_parallel *parallel) {
    for (size_t i = 0; i < parallel->file_count; i++) {
        attn_lines_free(&parallel->file[i]);
    }
    attn_free(parallel->file);
    attn_free(parallel->source.line);
    attn_free(parallel->source.length);
    attn_free(parallel->target.line);
    attn_free(parallel->target.length);
    attn_free(parallel->origin);
    *parallel = (attn_parallel){.file_count = 0};
}
