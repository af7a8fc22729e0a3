/* A translation that needs no model: the same text with its letters (of ASCII) in capitals, outside of tags and character
 * references. */
#ifndef ATTN_TESTS_SHOUTING_H
#define ATTN_TESTS_SHOUTING_H

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "text/html.h"

static inline void shout_part(char *text, size_t length, size_t at, size_t end) {
    while (at < end) {
        uint32_t codes[2];
        size_t reference = text[at] == '&' ? attn_html_reference(text, length, at, codes) : 0;
        if (reference == 0) {
            text[at] = (char)toupper((unsigned char)text[at]);
        }
        at += reference > 0 ? reference : 1;
    }
}

static inline char *shout_one(const char *text) {
    char *loud = strdup(text);
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        attn_html_token token = attn_html_next(text, length, at);
        if (token.kind == ATTN_HTML_TEXT) {
            shout_part(loud, length, at, at + token.length);
        }
        at += token.length;
    }
    return loud;
}

static inline char **shout(const char *const *texts, size_t count) {
    char **loud = calloc(count + 1, sizeof *loud);
    for (size_t i = 0; i < count; i++) {
        loud[i] = shout_one(texts[i]);
    }
    return loud;
}

static inline void shout_free(char **loud, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(loud[i]);
    }
    free(loud);
}

#endif
