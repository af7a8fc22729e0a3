/* serve/answers.h: answers that were given before.
 *
 * An answer follows from the models, the options and the texts alone, so the same request has the same answer. Those asked for last are kept, within
 * a number of bytes. Any thread may call. */
#ifndef ATTN_SERVE_ANSWERS_H
#define ATTN_SERVE_ANSWERS_H

#include "text/buffer.h"

typedef struct attn_answers attn_answers;

/* most: bytes that keys and answers may take together. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_answers_create(size_t most, attn_answers **out, attn_error *error);
void attn_answers_free(attn_answers *cache);
/* Adds the answer for the key, whole, to `answer`; false: there is none. */
bool attn_answers_get(attn_answers *cache, const char *key, size_t key_size, attn_buffer *answer);
/* Keeps an answer, in place of those that were not asked for the longest; one that would take more than a quarter of
 * the room is not kept, nor one for which memory is short. */
void attn_answers_put(attn_answers *cache, const char *key, size_t key_size, const char *answer,
                      size_t answer_size);
/* For /metrics: answers kept, their bytes, and how often one was there or not. */
typedef struct attn_answers_counts {
    size_t entries, bytes;
    unsigned long long hits, misses;
} attn_answers_counts;
attn_answers_counts attn_answers_count(attn_answers *cache);

#endif
