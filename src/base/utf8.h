/* base/utf8.h: telling UTF-8 from other bytes, and showing text from outside without trusting it.
 */
#ifndef ATTN_BASE_UTF8_H
#define ATTN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/shared.h"

/* Length in bytes, 1 to 4, of the code point at text, of which `left` bytes may be read; 0 when
 * they are not UTF-8 (overlong forms, surrogates and values past U+10FFFF are not). */
ATTN_SHARED size_t attn_utf8_step(const char *text, size_t left);
/* How many bytes at its start are UTF-8: length, or the offset of the first that is not. */
ATTN_SHARED size_t attn_utf8_prefix(const char *text, size_t length);
/* Whether all of it is UTF-8. */
ATTN_SHARED bool attn_utf8_whole(const char *text, size_t length);
/* Copies text for a message: whole code points only, control characters (which a terminal would
 * obey) and bytes that are not UTF-8 as '?', "..." at the end when cut. size at least 8. Returns
 * buffer. */
ATTN_SHARED const char *attn_utf8_quote(char *buffer, size_t size, const char *text);

#endif
