/* text/html.h: telling markup from text, for HTML of any quality.
 *
 * Every byte of the input belongs to exactly one token, whatever the input. */
#ifndef ATTN_TEXT_HTML_H
#define ATTN_TEXT_HTML_H

#include <stdbool.h>
#include <stdint.h>

#include "text/buffer.h"

typedef enum attn_html_kind {
    ATTN_HTML_TEXT,  /* to translate */
    ATTN_HTML_BLOCK, /* markup between sentences: p, div, li, br, script ... */
    /* Markup within a sentence: */
    ATTN_HTML_OPEN,  /* <b>, <a href=...> */
    ATTN_HTML_CLOSE, /* </b> */
    ATTN_HTML_POINT, /* <img>, a comment */
    ATTN_HTML_KEPT,  /* a whole element that stays as it is: <code>x</code> */
} attn_html_kind;

enum { ATTN_HTML_NAME = 32 };

typedef struct attn_html_token {
    size_t start, length; /* length 0: the end */
    attn_html_kind kind;
    char name[ATTN_HTML_NAME]; /* of OPEN and CLOSE, in small letters */
    bool kept;                 /* all of it stays: code, what says translate="no" */
} attn_html_token;

/* The token that begins at `start`. Elements that are not for translation are one token, with all that is
 * in them: script, style, pre, code, textarea and the like, and whatever has translate="no" or
 * class="notranslate". */
attn_html_token attn_html_next(const char *text, size_t length, size_t start);

enum { ATTN_HTML_ATTRIBUTES = 8 };

/* An attribute's value that people read, as bytes of the text. */
typedef struct attn_html_attribute {
    size_t start, length;
    char quote; /* around it, or NUL */
} attn_html_attribute;

/* Those of the tag that begins at text[start] == '<': alt, title, placeholder, aria-label, and a description's content. Returns how
 * many. */
size_t attn_html_attributes(const char *text, size_t length, size_t start,
                            attn_html_attribute out[ATTN_HTML_ATTRIBUTES]);

/* The length of the character reference that begins at text[at] == '&', 0 when there is none. codes: its
 * character, and a second one or 0; both 0 where it is better kept as it is (unknown names, numbers that
 * are no character). */
size_t attn_html_reference(const char *text, size_t length, size_t at, uint32_t codes[2]);

/* Adds text with & < > escaped. */
void attn_html_escape(attn_buffer *out, const char *text, size_t length);

#endif
