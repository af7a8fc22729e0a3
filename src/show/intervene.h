/* show/intervene.h: what becomes of a translation when heads are silenced or look elsewhere.
 *
 * Weights show where a head looks; this shows what it does. Next: models/translator_edit.c. */
#ifndef ATTN_SHOW_INTERVENE_H
#define ATTN_SHOW_INTERVENE_H

#include <jansson.h>

#include "attn/search.h"
#include "pipeline/model.h"
#include "pipeline/pair.h"

/* A translation, and log p of it as the model is and with the edits. */
typedef struct attn_intervened_text {
    char *text;
    double plain, edited; /* sums of log p, </s> included */
} attn_intervened_text;

typedef struct attn_intervened {
    attn_intervened_text before; /* the pair's own */
    attn_intervened_text after;  /* what the edited model makes of the same source */
} attn_intervened;

/* The pair has both sides. Places in the edits count its pieces. search: as the pair's translation was
 * searched. Free the result with attn_intervened_free, also after an error. Errors as those of
 * attn_translator_edited and attn_search. */
ATTN_MUST_CHECK attn_status attn_intervene(const attn_model *model, const attn_sentence_pair *pair,
                                           const attn_translator_edit *edits, size_t count,
                                           const attn_search_options *search, attn_intervened *out,
                                           attn_error *error);
void attn_intervened_free(attn_intervened *intervened);
/* {"before", "after"}, each {"text", "log_probability", "log_probability_edited"}. NULL when out of memory. */
json_t *attn_intervened_json(const attn_intervened *intervened);

/* Edits from text, for a part of the model: "4.2" (layer 4, head 2, from 1), "3.*" (all heads of layer 3),
 * several with commas; `edit` says for each what becomes of it, its head is filled in. Appends to
 * *edits (malloc'ed, *count of them). ATTN_ERR_ARGUMENT: another text, or no such head. */
ATTN_MUST_CHECK attn_status attn_edits_read(const attn_translator *translator, const char *heads,
                                            attn_translator_part part, attn_head_edit edit,
                                            attn_translator_edit **edits, size_t *count,
                                            attn_error *error);

#endif
