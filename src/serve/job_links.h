/* serve/job_links.h: where the parts of a translation came from, for putting tags back (text/markup.h). */
#ifndef ATTN_SERVE_JOB_LINKS_H
#define ATTN_SERVE_JOB_LINKS_H

#include "serve/job_parts.h"

/* From the attention of a hypothesis whose text is `translation`, of the sentence that is the whole unit. False
 * when out of memory, or when the hypothesis has no attention; *out is then zero. */
bool attn_job_links(const attn_tokenizer *tokenizer, const attn_batch_sentence *sentence,
                    const attn_hypothesis *hypothesis, const char *unit, const char *translation,
                    attn_links *out);
void attn_job_links_free(attn_links *links);

#endif
