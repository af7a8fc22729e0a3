/* show/relevance.h: how much each weight of attention matters to what is written: weight times gradient.
 *
 * The gradient of log p of the translation (or of one of its words) is taken at every weight A of every head;
 * what counts is max(0, A dlogp/dA). Sources: Barkan et al. 2021; Chefer et al. 2021, equations 5 to 10.
 * Letters: L layers, H heads, Q queries, K keys. Next: measures.h, probe.h. */
#ifndef ATTN_SHOW_RELEVANCE_H
#define ATTN_SHOW_RELEVANCE_H

#include "show/explain.h"

typedef struct attn_relevance attn_relevance;

/* model: loaded to train (with gradients), used by this alone while it lives; its dropout is switched off. */
ATTN_MUST_CHECK attn_status attn_relevance_create(attn_translator *model, attn_relevance **out,
                                                  attn_error *error);
void attn_relevance_free(attn_relevance *relevance);

/* One pass over a pair (source: ids with </s>; target: <s>, ids, </s>, of target_length without the </s>) and back
 * from log p of written token `token`, or of all with -1. ATTN_ERR_ARGUMENT: too long. */
ATTN_MUST_CHECK attn_status attn_relevance_run(attn_relevance *relevance, const int32_t *source,
                                               int64_t source_length, const int32_t *target,
                                               int64_t target_length, int64_t token,
                                               attn_error *error);
/* Of the last run, of every head of one layer, [H, Q, K]: out = max(0, A dlogp/dA); gradients (may be
 * NULL): dlogp/dA. */
ATTN_MUST_CHECK attn_status attn_relevance_get(attn_relevance *relevance, attn_translator_part part,
                                               int64_t layer, attn_real *out, attn_real *gradients,
                                               attn_error *error);

#endif
