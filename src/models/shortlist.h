/* models/shortlist.h: the choice for one sentence. Next: shortlist.c. */
#ifndef ATTN_MODELS_SHORTLIST_H
#define ATTN_MODELS_SHORTLIST_H

#include <stdbool.h>

#include "attn/shortlist.h"

/* Sets chosen[id], of V, for each candidate; ids of the source are in range. */
void attn_shortlist_choose(const attn_shortlist *shortlist, int64_t length, const int32_t *source,
                           bool *chosen);

#endif
