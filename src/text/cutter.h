/* text/cutter.h: tokenizers whose vocabulary is a table of pieces, without a model of SentencePiece: WordPiece and BPE over bytes.
 * Next: text/wordpiece.h, text/byte_pieces.h. */
#ifndef ATTN_TEXT_CUTTER_H
#define ATTN_TEXT_CUTTER_H

#include "text/byte_pieces.h"
#include "text/wordpiece.h"

typedef struct attn_cutter {
    bool of_bytes;
    attn_wordpiece_options wordpiece; /* unless of_bytes */
    attn_byte_pieces bytes;           /* if so */
} attn_cutter;

/* Whether the bytes of a tokenizer are of one of the two. */
bool attn_cutter_recognize(const void *bytes, size_t size);
/* Both are to be freed by the caller, also after a failure. Errors as those of the two. */
ATTN_MUST_CHECK attn_status attn_cutter_read(const void *bytes, size_t size, attn_cutter *cutter,
                                             attn_piece_table *table, attn_error *error);
void attn_cutter_free(attn_cutter *cutter);
ATTN_MUST_CHECK attn_status attn_cutter_encode(const attn_cutter *cutter,
                                               const attn_piece_table *table, const char *text,
                                               size_t length, attn_wordpiece_found *found,
                                               void *context, attn_error *error);
void attn_cutter_decode(const attn_cutter *cutter, const attn_piece_table *table,
                        const int32_t *ids, size_t count, attn_buffer *text);
void attn_cutter_surface(const attn_cutter *cutter, const attn_piece_table *table, int32_t id,
                         attn_buffer *text);

#endif
