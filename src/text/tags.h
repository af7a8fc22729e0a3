/* text/tags.h: pieces that no text becomes, in front of a source: which language is wanted, and where it comes from.
 *
 * "<2fr>" asks for French. A text in which somebody writes <2fr> is encoded as any other text: a tag is a control piece of
 * SentencePiece. */
#ifndef ATTN_TEXT_TAGS_H
#define ATTN_TEXT_TAGS_H

#include "attn/tokenizer.h"

enum { ATTN_TAGS = 2, ATTN_TAG_SIZE = 24 };

/* In front of every source of one origin. */
typedef struct attn_tags {
    int32_t id[ATTN_TAGS];
    int count;
} attn_tags;

/* The piece that asks for a language. */
void attn_tag_of_language(const char *code, char piece[ATTN_TAG_SIZE]);
/* The id of a control piece, the four special ones apart; -1: it has no such piece. */
int32_t attn_tokenizer_tag(const attn_tokenizer *tokenizer, const char *piece);
/* The id of the piece that names a language, as models from elsewhere call it: "eng_Latn" itself, "__en__", or, of "en", the
 * only one that begins "en_"; -1: there is none. */
int32_t attn_tokenizer_language(const attn_tokenizer *tokenizer, const char *code);
/* The code of a piece that names a language; false: it names none. */
bool attn_language_of_piece(const attn_tokenizer *tokenizer, int32_t id, char code[ATTN_TAG_SIZE]);
/* "en" of "eng_Latn" and "en_XX": as the rules of languages call it. */
void attn_language_short(const char *code, char out[ATTN_TAG_SIZE]);
/* How many ids at the start are tags. */
size_t attn_tags_before(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count);

#endif
