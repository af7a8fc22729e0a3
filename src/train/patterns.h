/* train/patterns.h: parameters chosen by their names: patterns parted by spaces, in which * stands for any run of characters, ? for one,
 * [ab] for one of several. `attn info --parameters` shows the names. */
#ifndef ATTN_TRAIN_PATTERNS_H
#define ATTN_TRAIN_PATTERNS_H

#include "attn/tape.h"

/* Whether one of the patterns fits the whole name. */
bool attn_patterns_match(const char *patterns, const char *name);

/* Every pattern fits one of the names at least. ATTN_ERR_ARGUMENT, with the key `where`, the pattern, and a near name if there is one. */
ATTN_MUST_CHECK attn_status attn_patterns_check(const char *where, const char *patterns,
                                                const char *const *names, size_t count,
                                                attn_error *error);

/* Freezes the parameters that the patterns fit; before they are allocated. ATTN_ERR_ARGUMENT: see above. */
ATTN_MUST_CHECK attn_status attn_patterns_freeze(const char *patterns, attn_params *params,
                                                 attn_error *error);

#endif
