/* text/html_names.h: the named character references of HTML. */
#ifndef ATTN_TEXT_HTML_NAMES_H
#define ATTN_TEXT_HTML_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct attn_html_name {
    const char *name;
    uint32_t code, second; /* its character, and a second one or 0 */
    bool bare;             /* known without a semicolon */
} attn_html_name;

extern const attn_html_name attn_html_names[]; /* sorted by the name's bytes */
extern const size_t attn_html_name_count;

#endif
