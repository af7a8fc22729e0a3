/* text/tokenizer_lines.h: training a tokenizer on lines that have been read already. */
#ifndef ATTN_TEXT_TOKENIZER_LINES_H
#define ATTN_TEXT_TOKENIZER_LINES_H

#include "attn/tokenizer.h"
#include "io/lines.h"

/* As attn_tokenizer_train, on `count` texts one after another. */
ATTN_MUST_CHECK attn_status attn_tokenizer_train_lines(const attn_lines *texts, size_t count,
                                                       const attn_tokenizer_options *options,
                                                       attn_tokenizer **out, attn_error *error);

#endif
