/* text/buffer.c: text that grows. */
#include "text/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

/* Room for `more` bytes and a NUL. */
static bool reserve(attn_buffer *b, size_t more) {
    if (b->failed || more > SIZE_MAX / 4 - b->length) {
        b->failed = true;
        return false;
    }
    size_t needed = b->length + more + 1;
    if (needed <= b->room) {
        return true;
    }
    size_t room = needed < 128 ? 128 : 2 * needed;
    char *grown = realloc(b->data, room);
    if (grown == NULL) {
        b->failed = true;
        return false;
    }
    b->data = grown;
    b->room = room;
    return true;
}

void attn_buffer_add(attn_buffer *b, const void *bytes, size_t length) {
    if (!reserve(b, length)) {
        return;
    }
    if (length > 0) {
        memcpy(b->data + b->length, bytes, length);
    }
    b->length += length;
    b->data[b->length] = '\0';
}

void attn_buffer_text(attn_buffer *b, const char *text) {
    attn_buffer_add(b, text, strlen(text));
}

void attn_buffer_format(attn_buffer *b, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t)length)) {
        vsnprintf(b->data + b->length, (size_t)length + 1, format, again);
        b->length += (size_t)length;
    }
    va_end(again);
}

void attn_buffer_free(attn_buffer *b) {
    free(b->data);
    *b = (attn_buffer){0};
}

attn_status attn_buffer_take(attn_buffer *b, char **text, attn_error *error) {
    *text = NULL;
    attn_buffer_add(b, "", 0);
    if (b->failed) {
        attn_buffer_free(b);
        return attn_fail(error, ATTN_ERR_MEMORY, NULL, -1, NULL, "out of memory");
    }
    *text = b->data;
    *b = (attn_buffer){0};
    return ATTN_OK;
}
