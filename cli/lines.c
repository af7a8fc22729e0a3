/* cli/lines.c: reading lines from a descriptor without waiting longer than needed. */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "text/corpus.h"

enum { ROOM = 2 * ATTN_MAX_LINE_BYTES };

static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

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

static attn_status check_line(const attn_line_reader *r, const char *text, size_t length,
                              attn_error *error) {
    size_t at = 0;
    if (length > ATTN_MAX_LINE_BYTES) {
        return attn_fail(error, ATTN_ERR_FORMAT, r->name, r->line, "split it",
                         "the line is longer than %d bytes", ATTN_MAX_LINE_BYTES);
    }
    if (memchr(text, '\0', length) != NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, r->name, r->line, "is it a text file?",
                         "the line holds a NUL byte");
    }
    if (!attn_utf8_valid(text, length, &at)) {
        return attn_fail(error, ATTN_ERR_FORMAT, r->name, r->line,
                         "convert it, for instance with iconv", "byte %zu of the line is not UTF-8",
                         at + 1);
    }
    return ATTN_OK;
}

/* Hands out the first `length` bytes of the buffer as a line; `taken` bytes are then read. */
static attn_status take_line(attn_line_reader *r, size_t length, size_t taken, char **line,
                             attn_error *error) {
    const char *text = r->buffer + r->start;
    r->start += taken;
    r->line++;
    size_t mark = sizeof BYTE_ORDER_MARK - 1;
    if (r->line == 1 && length >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0) {
        text += mark;
        length -= mark;
    }
    if (length > 0 && text[length - 1] == '\r') {
        length--;
    }
    attn_status status = check_line(r, text, length, error);
    if (status != ATTN_OK) {
        return status;
    }
    *line = malloc(length + 1);
    if (*line == NULL) {
        return attn_fail_memory(error, length + 1);
    }
    memcpy(*line, text, length);
    (*line)[length] = '\0';
    return ATTN_OK;
}

attn_status attn_line_reader_next(attn_line_reader *r, bool wait, char **line, attn_error *error) {
    *line = NULL;
    while (true) {
        const char *text = r->buffer + r->start;
        size_t have = r->end - r->start;
        const char *newline = memchr(text, '\n', have);
        if (newline != NULL) {
            size_t length = (size_t)(newline - text);
            return take_line(r, length, length + 1, line, error);
        }
        if (r->at_end) {
            return have > 0 ? take_line(r, have, have, line, error) : ATTN_OK;
        }
        if (have == r->room) {
            r->line++;
            return check_line(r, text, have, error);
        }
        bool idle;
        attn_status status = fill(r, wait, &idle, error);
        if (status != ATTN_OK || idle) {
            return status;
        }
    }
}
