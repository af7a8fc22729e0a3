/* text/byte_pieces.h: BPE over bytes, the tokenizer of GPT-2 and RoBERTa.
 *
 * A text is cut into words: runs of letters, of digits and of other marks, each with the space before it; endings such as 's; and
 * white space. Each byte of a word is a piece, written as a character that can be seen; then, again and again, the pair of neighbours
 * whose merge was learned first becomes one piece. Every text can be written so, and nothing is unknown.
 * Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners". */
#ifndef ATTN_TEXT_BYTE_PIECES_H
#define ATTN_TEXT_BYTE_PIECES_H

#include "text/piece_table.h"

/* Two pieces that become one; the lower its rank, the earlier. */
typedef struct attn_byte_merge {
    int32_t left, right, joined, rank;
} attn_byte_merge;

typedef struct attn_byte_pieces {
    bool space_first;       /* a text that does not begin with a space gets one */
    int32_t byte[256];      /* the piece of each byte */
    attn_byte_merge *merge; /* sorted by left, then right */
    size_t count;
} attn_byte_pieces;

/* Takes the merges in the order in which they were learned (rank and joined are filled in) and looks the bytes up. The table is
 * finished. ATTN_ERR_FORMAT: a byte has no piece; a merge of pieces that are not there, or that make none; or given twice. */
ATTN_MUST_CHECK attn_status attn_byte_pieces_finish(const attn_piece_table *table,
                                                    attn_byte_pieces *pieces, attn_error *error);
void attn_byte_pieces_free(attn_byte_pieces *pieces);

/* ---- the bytes of a tokenizer ---- */

/* *bytes is to be freed with free. */
ATTN_MUST_CHECK attn_status attn_byte_pieces_write(const attn_piece_table *table,
                                                   const attn_byte_pieces *pieces, char **bytes,
                                                   size_t *size, attn_error *error);
/* Whether bytes are such: by their first line. */
bool attn_byte_pieces_recognize(const void *bytes, size_t size);
/* ATTN_ERR_FORMAT: they are damaged. Both are to be freed by the caller, also after a failure. */
ATTN_MUST_CHECK attn_status attn_byte_pieces_read(const void *bytes, size_t size,
                                                  attn_byte_pieces *pieces, attn_piece_table *table,
                                                  attn_error *error);

/* ---- at work ---- */

/* A piece, and the bytes of the text that it stands for. */
typedef void attn_byte_pieces_found(int32_t id, const char *text, size_t length, void *context);
ATTN_MUST_CHECK attn_status attn_byte_pieces_encode(const attn_byte_pieces *pieces,
                                                    const char *text, size_t length,
                                                    attn_byte_pieces_found *found, void *context,
                                                    attn_error *error);
/* Appends the text of ids in range; bytes that are no UTF-8 come out as U+FFFD. */
void attn_byte_pieces_decode(const attn_piece_table *table, const int32_t *ids, size_t count,
                             attn_buffer *text);
/* Appends a piece as SentencePiece would write it: a word's beginning behind "\xe2\x96\x81". */
void attn_byte_pieces_surface(const attn_piece_table *table, int32_t id, attn_buffer *text);

#endif
