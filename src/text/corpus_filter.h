/* text/corpus_filter.h: pairs of parallel text that teach nothing, or the wrong thing. */
#ifndef ATTN_TEXT_CORPUS_FILTER_H
#define ATTN_TEXT_CORPUS_FILTER_H

#include <stdbool.h>

#include "io/parallel.h"

typedef struct attn_corpus_filters {
    /* Leaves out a pair when one side is this many times as long as the other, in characters, measured by what is
     * usual in the whole text: source characters are divided by those for one of the target, and sides shorter than
     * 10 count as 10. 0: keeps all. */
    double ratio;
    bool copies;  /* source = target */
    bool doubles; /* the same pair again */
    /* A side most of whose letters are of a script that is rare on that side: less than a tenth of its letters. */
    bool script;
} attn_corpus_filters;

/* How many pairs each has left out; a pair counts once, at the first that applies, in this order. */
typedef struct attn_corpus_filtered {
    int64_t copies, script, ratio, doubles;
} attn_corpus_filtered;

/* The pairs that stay keep their order. ATTN_ERR_FORMAT: none is left. */
ATTN_MUST_CHECK attn_status attn_corpus_filter(attn_parallel *pairs,
                                               const attn_corpus_filters *filters,
                                               attn_corpus_filtered *out, attn_error *error);

#endif
