/* text/corpus_edit.h: small changes to both sides of a pair that leave it a translation.
 *
 * Each takes the texts, malloc'ed, and puts others in their place; nothing happens where nothing fits. Called by
 * text/corpus_vary.c. */
#ifndef ATTN_TEXT_CORPUS_EDIT_H
#define ATTN_TEXT_CORPUS_EDIT_H

#include <stdbool.h>

#include "attn/status.h"
#include "base/random.h"

/* All in capitals, or all in small letters. */
ATTN_MUST_CHECK attn_status attn_edit_case(bool capitals, char **source, char **target,
                                           attn_error *error);
/* The last sign (. ! ? and those of other scripts), when both have one. */
void attn_edit_end(char *source, char *target);
/* Numbers, names and addresses that stand once on each side become others, the same on both. 0, 1 and what looks
 * like an ordinary word stay. */
ATTN_MUST_CHECK attn_status attn_edit_copy(attn_random *random, char **source, char **target,
                                           attn_error *error);
/* first, then second, with a space between unless their script sets none; malloc'ed. */
ATTN_MUST_CHECK attn_status attn_edit_join(const char *first, const char *second, char **out,
                                           attn_error *error);

#endif
