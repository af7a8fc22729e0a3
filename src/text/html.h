/* text/html.h: telling markup from text, for HTML of any quality.
 *
 * Every byte of the input belongs to exactly one token, whatever the input. */
#ifndef ATTN_TEXT_HTML_H
#define ATTN_TEXT_HTML_H

#include <stdbool.h>
#include <stdint.h>

#include "text/buffer.h"

typedef struct attn_html_token {
    size_t start, length; /* length 0: the end */
    bool markup;          /* else text to translate */
} attn_html_token;

/* The token that begins at `start`. Markup: tags, comments, declarations, and whole elements that are
 * not for translation: script, style, pre, code, textarea and the like, and whatever has
 * translate="no" or class="notranslate". */
attn_html_token attn_html_next(const char *text, size_t length, size_t start);

/* The length of the character reference that begins at text[at] == '&', 0 when there is none. *code:
 * its character, or 0 where it is better kept as it is (unknown names, spaces that do not break,
 * numbers that are no character). */
size_t attn_html_reference(const char *text, size_t length, size_t at, uint32_t *code);

/* Adds text with & < > escaped. */
void attn_html_escape(attn_buffer *out, const char *text, size_t length);

#endif
