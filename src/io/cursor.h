/* io/cursor.h: a place in bytes from outside that moves forward and never past their end.
 *
 * Numbers are little-endian, as all formats here have them. Next: io/ctranslate2.c, which is the plainest user. */
#ifndef ATTN_IO_CURSOR_H
#define ATTN_IO_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/utf8.h"

typedef struct attn_cursor {
    const unsigned char *start, *at, *end;
    const char *where; /* the file, for messages */
} attn_cursor;

static inline attn_cursor attn_cursor_over(const void *bytes, size_t size, const char *where) {
    const unsigned char *start = bytes;
    return (attn_cursor){start, start, start + size, where};
}

static inline size_t attn_cursor_left(const attn_cursor *c) {
    return (size_t)(c->end - c->at);
}

static inline int64_t attn_cursor_position(const attn_cursor *c) {
    return c->at - c->start;
}

/* The next `size` bytes, and past them; NULL, without a move, when there are fewer. */
static inline const unsigned char *attn_cursor_take(attn_cursor *c, uint64_t size) {
    if (size > attn_cursor_left(c)) {
        return NULL;
    }
    const unsigned char *taken = c->at;
    c->at += size;
    return taken;
}

/* A number of 1 to 8 bytes; false when the bytes end before it does. */
static inline bool attn_cursor_number(attn_cursor *c, size_t width, uint64_t *value) {
    const unsigned char *bytes = attn_cursor_take(c, width);
    if (bytes == NULL) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < width; i++) {
        *value |= (uint64_t)bytes[i] << 8 * i;
    }
    return true;
}

/* The failure to return when a take or a number was refused. what: what was being read. */
static inline attn_status attn_cursor_short(const attn_cursor *c, const char *what,
                                            attn_error *error) {
    char quoted[120];
    return attn_fail(error, ATTN_ERR_FORMAT, c->where, attn_cursor_position(c),
                     "the file is damaged or was cut short: fetch it again",
                     "%s needs more than the %zu bytes that are left",
                     attn_utf8_quote(quoted, sizeof quoted, what), attn_cursor_left(c));
}

#endif
