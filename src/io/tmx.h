/* io/tmx.h: translation memories (TMX 1.x): the segments of two languages. */
#ifndef ATTN_IO_TMX_H
#define ATTN_IO_TMX_H

#include <stddef.h>

#include "attn/status.h"

/* Units that have both languages, in order: *pairs is "source\0target\0source\0target\0..." of *count pairs, to be
 * freed with attn_free. "en" is any English, en-US too; "en-US" only that. Markup within a segment is left out, white
 * space is one space. ATTN_ERR_FORMAT, with the line: not XML, entities of its own; no unit with both. */
ATTN_MUST_CHECK attn_status attn_tmx_read(const char *text, size_t size, const char *name,
                                          const char *source, const char *target, char **pairs,
                                          size_t *count, attn_error *error);

#endif
