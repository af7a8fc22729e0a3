/* cli/pair.h: a sentence and its translation, as the model is to read them; for the commands that
 * show attention. */
#ifndef ATTN_CLI_PAIR_H
#define ATTN_CLI_PAIR_H

#include "model.h"

typedef struct attn_pair {
    int32_t *source; /* ids and </s> */
    int64_t source_length;
    int32_t *target;       /* <s>, ids, </s>; NULL: not read */
    int64_t target_length; /* without the </s> */
    char *translation;     /* its text */
} attn_pair;

/* The sentence alone. A pair starts all zero; free it after an error too. ATTN_ERR_ARGUMENT: empty,
 * or longer than the model takes; ATTN_ERR_FORMAT: not UTF-8. */
ATTN_MUST_CHECK attn_status attn_pair_read_source(const attn_model *model, const char *sentence,
                                                  attn_pair *pair, attn_error *error);
/* The sentence with `target`; NULL: with the model's own translation, found with a beam that wide. */
ATTN_MUST_CHECK attn_status attn_text_pair_read(const attn_model *model, const char *sentence,
                                                const char *target, int64_t beam, attn_pair *pair,
                                                attn_error *error);
void attn_pair_free(attn_pair *pair);

#endif
