/* text/tokenizer_json.h: a tokenizer.json of Hugging Face's tokenizers as the bytes of a tokenizer.
 *
 * Taken are models of Unigram and BPE that write spaces as "\xe2\x96\x81" (T5, XLM-R, mBART, NLLB, Llama), which become a model of
 * SentencePiece, and WordPiece (BERT and its kin). Before SentencePiece's table texts may be brought
 * into a normal form of Unicode and lose accents and capitals (ALBERT). Where such a file asks for something else, ByteLevel for
 * one, it is refused by name. Differences from that library that are known: white space at the ends of a text falls away where
 * spaces in a row become one, and a special piece that somebody writes in a text is text.
 * Only the tool has this: it needs jansson. */
#ifndef ATTN_TEXT_TOKENIZER_JSON_H
#define ATTN_TEXT_TOKENIZER_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

/* *bytes is to be freed with free. ATTN_ERR_FORMAT: it is no such file, or asks for what is not done here. */
ATTN_MUST_CHECK attn_status attn_tokenizer_json(const char *json, size_t length, char **bytes,
                                                size_t *size, attn_error *error);

/* The same of a vocab.txt of WordPiece, one piece a line. */
ATTN_MUST_CHECK attn_status attn_tokenizer_vocab_txt(const char *text, size_t length,
                                                     bool lowercase, char **bytes, size_t *size,
                                                     attn_error *error);

#endif
