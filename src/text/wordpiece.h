/* text/wordpiece.h: WordPiece, the tokenizer of BERT and its kin.
 *
 * A text is cleaned, its accents and capitals taken off where the model wants it, and cut into words at white space, around
 * marks and around Chinese characters. A word becomes the longest piece of the vocabulary that it begins with, then the longest
 * that goes on with, and so on; pieces that go on have "##" in front. A word that cannot be made up so is unknown as a whole.
 * Source: Devlin et al. 2019, "BERT". */
#ifndef ATTN_TEXT_WORDPIECE_H
#define ATTN_TEXT_WORDPIECE_H

#include "text/piece_table.h"

enum { ATTN_WORDPIECE_PREFIX_SIZE = 16 };

typedef struct attn_wordpiece_options {
    bool clean;           /* control characters fall away, white space of any kind is a space */
    bool chinese;         /* each Chinese character is a word */
    bool accents;         /* accents fall away */
    bool lowercase;       /* capitals become small */
    int32_t longest_word; /* in characters; a longer one is unknown */
    char prefix[ATTN_WORDPIECE_PREFIX_SIZE]; /* of pieces that go on, "##" */
} attn_wordpiece_options;

/* Those of an uncased BERT, or of a cased one. */
attn_wordpiece_options attn_wordpiece_defaults(bool lowercase);

/* ---- the bytes ---- */

/* A finished table and the options as the bytes of a tokenizer; *bytes is to be freed with free. */
ATTN_MUST_CHECK attn_status attn_wordpiece_write(const attn_piece_table *table,
                                                 const attn_wordpiece_options *options,
                                                 char **bytes, size_t *size, attn_error *error);
/* Whether bytes are such: by their first line. */
bool attn_wordpiece_recognize(const void *bytes, size_t size);
/* ATTN_ERR_FORMAT: they are damaged. *table is to be freed by the caller. */
ATTN_MUST_CHECK attn_status attn_wordpiece_read(const void *bytes, size_t size,
                                                attn_wordpiece_options *options,
                                                attn_piece_table *table, attn_error *error);

/* ---- at work ---- */

/* A piece, and the characters that it stands for as they are after cleaning. */
typedef void attn_wordpiece_found(int32_t id, const char *text, size_t length, void *context);
/* Calls `found` for each piece of a text, in order. A piece that is no text is never found. */
ATTN_MUST_CHECK attn_status attn_wordpiece_encode(const attn_wordpiece_options *options,
                                                  const attn_piece_table *table, const char *text,
                                                  size_t length, attn_wordpiece_found *found,
                                                  void *context, attn_error *error);
/* Appends the text of ids in range: words with spaces between, none before a mark that ends a sentence. */
void attn_wordpiece_decode(const attn_wordpiece_options *options, const attn_piece_table *table,
                           const int32_t *ids, size_t count, attn_buffer *text);
/* Appends a piece as SentencePiece would write it: a word's beginning behind "\xe2\x96\x81", others without their prefix. */
void attn_wordpiece_surface(const attn_wordpiece_options *options, const attn_piece_table *table,
                            int32_t id, attn_buffer *text);

#endif
