/* text/normalize.h: what a tokenizer of another model does to a text before it cuts it.
 *
 * Such steps travel in the bytes of the tokenizer, in a field that SentencePiece leaves to others. A zeroed list has none. */
#ifndef ATTN_TEXT_NORMALIZE_H
#define ATTN_TEXT_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"
#include "text/buffer.h"
#include "text/protobuf.h"

/* The numbers stand in files. */
typedef enum attn_normalize_kind {
    ATTN_NORMALIZE_REPLACE = 1, /* each `from` becomes `to` */
    ATTN_NORMALIZE_NFC = 2,     /* Unicode's normal forms */
    ATTN_NORMALIZE_NFD = 3,
    ATTN_NORMALIZE_NFKC = 4,
    ATTN_NORMALIZE_NFKD = 5,
    ATTN_NORMALIZE_ACCENTS = 6,   /* combining marks fall away */
    ATTN_NORMALIZE_LOWERCASE = 7, /* each character alone */
} attn_normalize_kind;

enum { ATTN_NORMALIZE_MOST = 16, ATTN_NORMALIZE_BYTES = 32 };

typedef struct attn_normalize_step {
    attn_normalize_kind kind;
    char *from, *to; /* of REPLACE */
} attn_normalize_step;

typedef struct attn_normalizer {
    attn_normalize_step step[ATTN_NORMALIZE_MOST];
    size_t count;
} attn_normalizer;

/* from and to are copied; NULL unless it replaces. ATTN_ERR_FORMAT: too many steps, no such kind,
 * nothing to replace or by too much. */
ATTN_MUST_CHECK attn_status attn_normalizer_add(attn_normalizer *normalizer,
                                                attn_normalize_kind kind, const char *from,
                                                const char *to, attn_error *error);
void attn_normalizer_free(attn_normalizer *normalizer);

/* Appends the steps, if there are any, to a message, a SentencePiece model for one. */
void attn_normalizer_write(const attn_normalizer *normalizer, attn_buffer *message);
/* Those of a message. ATTN_ERR_FORMAT: they are damaged. Free *out, after a failure too. */
ATTN_MUST_CHECK attn_status attn_normalizer_read(attn_protobuf message, attn_normalizer *out,
                                                 attn_error *error);

/* The text after all steps, NUL-terminated; *out is to be freed with free. ATTN_ERR_ARGUMENT: it is too long;
 * ATTN_ERR_MEMORY. What is not UTF-8 becomes U+FFFD. */
ATTN_MUST_CHECK attn_status attn_normalizer_apply(const attn_normalizer *normalizer,
                                                  const char *text, size_t length, char **out,
                                                  size_t *out_length, attn_error *error);

#endif
