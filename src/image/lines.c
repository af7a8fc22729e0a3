/* image/lines.c: lines of a small text, each checked before anyone looks into it. */
#include "image/lines.h"

#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"

attn_line_walk attn_lines_start(const char *text, size_t size, const char *name) {
    size_t mark = size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    return (attn_line_walk){text + mark, text + size, name, 0};
}

attn_status attn_lines_next(attn_line_walk *walk, attn_line *line, bool *more, attn_error *error) {
    *more = walk->at < walk->end;
    if (!*more) {
        return ATTN_OK;
    }
    const char *newline = memchr(walk->at, '\n', (size_t)(walk->end - walk->at));
    const char *stop = newline != NULL ? newline : walk->end;
    *line = (attn_line){walk->at, (size_t)(stop - walk->at), ++walk->number};
    walk->at = newline != NULL ? newline + 1 : walk->end;
    if (line->length > 0 && line->text[line->length - 1] == '\r') {
        line->length--;
    }
    if (line->length >= ATTN_LINE_SIZE) {
        return attn_fail(error, ATTN_ERR_FORMAT, walk->name, line->number,
                         "is it the file you meant?", "the line has more than %d bytes",
                         ATTN_LINE_SIZE - 1);
    }
    if (memchr(line->text, '\0', line->length) != NULL ||
        !attn_utf8_whole(line->text, line->length)) {
        return attn_fail(error, ATTN_ERR_FORMAT, walk->name, line->number,
                         "is it the file you meant?", "the line is not UTF-8 text");
    }
    return ATTN_OK;
}

void attn_line_copy(const attn_line *line, char buffer[ATTN_LINE_SIZE]) {
    memcpy(buffer, line->text, line->length);
    buffer[line->length] = '\0';
}
