/* text/boundary.h: where a word may be cut. */
#ifndef ATTN_TEXT_BOUNDARY_H
#define ATTN_TEXT_BOUNDARY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text[at] lies inside a word: between two letters or digits. Scripts that set no spaces have a
 * boundary everywhere. The text is UTF-8, shorter than INT32_MAX. */
bool attn_inside_word(const char *text, size_t length, size_t at);

#endif
