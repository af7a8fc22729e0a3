/* text/buffer.h: text that grows.
 *
 * A failed allocation is remembered and makes every later call do nothing, so that whoever builds a
 * text asks once, at the end. A zeroed attn_buffer is an empty one. */
#ifndef ATTN_TEXT_BUFFER_H
#define ATTN_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_buffer {
    char *data; /* NUL-terminated once anything was added */
    size_t length, room;
    bool failed;
} attn_buffer;

void attn_buffer_add(attn_buffer *buffer, const void *bytes, size_t length);
void attn_buffer_text(attn_buffer *buffer, const char *text);
__attribute__((format(printf, 2, 3))) void attn_buffer_format(attn_buffer *buffer,
                                                              const char *format, ...);
void attn_buffer_free(attn_buffer *buffer);
/* Hands the text over, malloc'ed and never NULL ("" for an empty one), and empties the buffer.
 * ATTN_ERR_MEMORY when any of it was lost; *text is then NULL. */
ATTN_MUST_CHECK attn_status attn_buffer_take(attn_buffer *buffer, char **text, attn_error *error);

#endif
