/* io/lines.c: lines of a text.
 *
 * A line is checked once, here; everything behind may rely on valid UTF-8 without NUL bytes. */
#include "io/lines.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/file.h"

size_t attn_lines_mark(const char *text, size_t size) {
    return size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

void attn_line_trim(attn_line *line) {
    if (line->length > 0 && line->text[line->length - 1] == '\r') {
        line->length--;
    }
}

attn_status attn_line_check(const attn_line *line, const char *name, size_t most,
                            attn_error *error) {
    if (line->length > most) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, line->number,
                         "is it the file you meant? If so, split the line",
                         "the line is longer than %zu bytes", most);
    }
    const char *nul = memchr(line->text, '\0', line->length);
    if (nul != NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, line->number, "convert it to UTF-8 text",
                         "byte %zu of the line is NUL, so this is not a text file",
                         (size_t)(nul - line->text) + 1);
    }
    size_t at = attn_utf8_prefix(line->text, line->length);
    if (at < line->length) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, line->number,
                         "convert the file with iconv -t UTF-8",
                         "byte %zu of the line (0x%02X) is not UTF-8", at + 1,
                         (unsigned)(unsigned char)line->text[at]);
    }
    return ATTN_OK;
}

attn_line_walk attn_line_walk_start(const char *text, size_t size, const char *name, size_t most) {
    return (attn_line_walk){text + attn_lines_mark(text, size), text + size, name, most, 0};
}

attn_status attn_line_walk_next(attn_line_walk *walk, attn_line *line, bool *more,
                                attn_error *error) {
    *more = walk->at < walk->end;
    if (!*more) {
        return ATTN_OK;
    }
    const char *newline = memchr(walk->at, '\n', (size_t)(walk->end - walk->at));
    const char *stop = newline != NULL ? newline : walk->end;
    *line = (attn_line){walk->at, (size_t)(stop - walk->at), ++walk->number};
    walk->at = newline != NULL ? newline + 1 : walk->end;
    attn_line_trim(line);
    return attn_line_check(line, walk->name, walk->most, error);
}

/* ---- all of a file ---- */

static size_t count_lines(const char *text, size_t size) {
    size_t count = 0;
    for (const char *at = text, *end = text + size; at < end; count++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline != NULL ? newline + 1 : end;
    }
    return count;
}

/* Ends each line in place: its end, or the byte behind the file, becomes NUL. */
static attn_status cut_lines(attn_line_walk walk, attn_lines *out, attn_error *error) {
    attn_line line;
    bool more;
    for (size_t i = 0; i < out->count; i++) {
        attn_status status = attn_line_walk_next(&walk, &line, &more, error);
        if (status != ATTN_OK) {
            return status;
        }
        out->line[i] = out->text + (line.text - out->text);
        out->length[i] = line.length;
        out->line[i][line.length] = '\0';
    }
    return ATTN_OK;
}

attn_status attn_lines_read(const char *path, attn_lines *out, attn_error *error) {
    *out = (attn_lines){NULL, NULL, NULL, 0};
    char *text;
    size_t size;
    attn_status status = attn_file_read(path, 0, &text, &size, error);
    return status == ATTN_OK ? attn_lines_cut(text, size, path, out, error) : status;
}

attn_status attn_lines_cut(char *text, size_t size, const char *path, attn_lines *out,
                           attn_error *error) {
    *out = (attn_lines){.text = text};
    attn_status status;
    attn_line_walk walk = attn_line_walk_start(out->text, size, path, ATTN_MAX_LINE_BYTES);
    if (walk.at == walk.end) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, "it needs one sentence on each line",
                           "the file is empty");
        goto out;
    }
    out->count = count_lines(walk.at, (size_t)(walk.end - walk.at));
    out->line = attn_alloc_zero(out->count, sizeof *out->line);
    out->length = attn_alloc_zero(out->count, sizeof *out->length);
    if (out->line == NULL || out->length == NULL) {
        status = attn_fail_memory(error, out->count * (sizeof *out->line + sizeof *out->length));
        goto out;
    }
    status = cut_lines(walk, out, error);
out:
    if (status != ATTN_OK) {
        attn_lines_free(out);
    }
    return status;
}

void attn_lines_free(attn_lines *lines) {
    attn_free(lines->text);
    attn_free(lines->line);
    attn_free(lines->length);
    *lines = (attn_lines){NULL, NULL, NULL, 0};
}
