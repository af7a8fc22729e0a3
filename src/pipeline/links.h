/* pipeline/links.h: where the parts of a translation came from, for putting tags back (text/markup.h). */
#ifndef ATTN_PIPELINE_LINKS_H
#define ATTN_PIPELINE_LINKS_H

#include "pipeline/batch.h"
#include "text/markup.h"

/* From the attention of a hypothesis whose text is `translation`, of the sentence that is the whole unit. *out is
 * zero when the hypothesis has no attention, and after ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_links_find(const attn_tokenizer *tokenizer,
                                            const attn_sentence *sentence,
                                            const attn_hypothesis *hypothesis, const char *unit,
                                            const char *translation, attn_links *out,
                                            attn_error *error);
/* Where in `text` each of the pieces that it was cut into ends, in bytes. False when out of memory. */
bool attn_links_ends(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count,
                     const char *text, size_t *ends);
void attn_links_free(attn_links *links);

#endif
