/* cli/lines.c: reading lines from a descriptor without waiting longer than needed. */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "command.h"
#include "io/lines.h"

enum { ROOM = 2 * ATTN_MAX_LINE_BYTES };

attn_status attn_line_reader_open(const char *path, attn_line_reader *out, attn_error *error) {
    bool input = path == NULL || strcmp(path, "-") == 0;
    *out = (attn_line_reader){.fd = -1, .name = input ? "standard input" : path, .room = ROOM};
    out->buffer = malloc(ROOM);
    if (out->buffer == NULL) {
        return attn_fail_memory(error, ROOM);
    }
    out->fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (out->fd < 0) {
        attn_status status = attn_fail_errno(error, path, "cannot open");
        attn_line_reader_close(out);
        return status;
    }
    return ATTN_OK;
}

void attn_line_reader_close(attn_line_reader *reader) {
    if (reader->fd > STDIN_FILENO) {
        close(reader->fd);
    }
    free(reader->buffer);
    reader->buffer = NULL;
    reader->fd = -1;
}

/* Reads what is there into the buffer; *idle when nothing is there yet and waiting is not wanted. */
static attn_status fill(attn_line_reader *r, bool wait, bool *idle, attn_error *error) {
    memmove(r->buffer, r->buffer + r->start, r->end - r->start);
    r->end -= r->start;
    r->start = 0;
    *idle = false;
    struct pollfd ready = {.fd = r->fd, .events = POLLIN};
    if (!wait && poll(&ready, 1, 0) == 0) {
        *idle = true;
        return ATTN_OK;
    }
    ssize_t count;
    do {
        count = read(r->fd, r->buffer + r->end, r->room - r->end);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return attn_fail_errno(error, r->name, "cannot read");
    }
    r->at_end = count == 0;
    r->end += (size_t)count;
    return ATTN_OK;
}

/* Hands out the first `length` bytes of the buffer as a line; `taken` bytes are then read. */
static attn_status take_line(attn_line_reader *r, size_t length, size_t taken, char **line,
                             attn_error *error) {
    attn_line found = {r->buffer + r->start, length, ++r->line};
    r->start += taken;
    size_t mark = found.number == 1 ? attn_lines_mark(found.text, length) : 0;
    found.text += mark;
    found.length -= mark;
    attn_line_trim(&found);
    attn_status status = attn_line_check(&found, r->name, ATTN_MAX_LINE_BYTES, error);
    if (status != ATTN_OK) {
        return status;
    }
    *line = malloc(found.length + 1);
    if (*line == NULL) {
        return attn_fail_memory(error, found.length + 1);
    }
    memcpy(*line, found.text, found.length);
    (*line)[found.length] = '\0';
    return ATTN_OK;
}

/* Leaves out what is in the buffer of a line that was too long, and its end. */
static void skip(attn_line_reader *r) {
    const char *text = r->buffer + r->start;
    const char *newline = memchr(text, '\n', r->end - r->start);
    r->start = newline != NULL ? (size_t)(newline - r->buffer) + 1 : r->end;
    r->skipping = newline == NULL && !r->at_end;
}

attn_status attn_line_reader_next(attn_line_reader *r, bool wait, char **line, attn_error *error) {
    *line = NULL;
    while (true) {
        if (r->skipping) {
            skip(r);
        }
        const char *text = r->buffer + r->start;
        size_t have = r->end - r->start;
        const char *newline = memchr(text, '\n', have);
        if (newline != NULL) {
            size_t length = (size_t)(newline - text);
            return take_line(r, length, length + 1, line, error);
        }
        if (r->at_end) {
            r->skipping = false;
            return have > 0 ? take_line(r, have, have, line, error) : ATTN_OK;
        }
        if (have == r->room) {
            r->skipping = true;
            return attn_line_check(&(attn_line){text, have, ++r->line}, r->name,
                                   ATTN_MAX_LINE_BYTES, error);
        }
        bool idle;
        attn_status status = fill(r, wait, &idle, error);
        if (status != ATTN_OK || idle) {
            return status;
        }
    }
}

static attn_status finish_group(attn_line_group *group, attn_line_group_function *finish,
                                void *context, attn_error *error) {
    attn_status status = finish(context, group, error);
    for (size_t i = 0; i < group->count; i++) {
        free(group->line[i]);
    }
    group->before += (int64_t)group->count;
    group->count = 0;
    attn_error unwritten;
    attn_status flushed = attn_output_flush(status == ATTN_OK ? error : &unwritten);
    return status == ATTN_OK ? flushed : status;
}

attn_status attn_line_reader_groups(attn_line_reader *reader, attn_line_group_function *finish,
                                    void *context, attn_error *error) {
    attn_line_group group = {.count = 0};
    for (;;) {
        char *line;
        attn_status read = attn_line_reader_next(reader, group.count == 0, &line, error);
        if (line != NULL) {
            group.line[group.count++] = line;
        }
        bool none = group.count == 0;
        if (!none && (line == NULL || group.count == ATTN_LENGTH(group.line))) {
            attn_error failed;
            attn_status status = finish_group(&group, finish, context, &failed);
            if (status != ATTN_OK) {
                *error = failed;
                return status;
            }
        }
        if (read != ATTN_OK || none) {
            return read;
        }
    }
}
