/* serve/standalone.h: the page as one file, with what it shows in it.
 *
 * The same index.html, page.css and modules that the server gives, joined. Next: files.h. */
#ifndef ATTN_SERVE_STANDALONE_H
#define ATTN_SERVE_STANDALONE_H

#include <jansson.h>

#include "text/buffer.h"

/* One JSON value, which the page finds by its id. */
typedef struct attn_standalone_block {
    char id[48];
    json_t *value; /* owned by the caller */
} attn_standalone_block;

/* Adds the file's text to out. It needs no network, and its Content-Security-Policy allows it none: only
 * the joined script and style, by their hashes. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_standalone_write(const attn_standalone_block *blocks, size_t count,
                                                  attn_buffer *out, attn_error *error);

#endif
