/* models/shortlist.h: the choice for one sentence, and a file that is in memory. Next: shortlist.c. */
#ifndef ATTN_MODELS_SHORTLIST_H
#define ATTN_MODELS_SHORTLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/shortlist.h"

/* Sets chosen[id], of V, for each candidate; ids of the source are in range. */
void attn_shortlist_choose(const attn_shortlist *shortlist, int64_t length, const int32_t *source,
                           bool *chosen);

/* attn_shortlist_load of bytes; `name` stands for the path in errors. */
ATTN_MUST_CHECK attn_status attn_shortlist_parse(const void *bytes, size_t size, const char *name,
                                                 attn_shortlist **out, attn_error *error);

#endif
