/* text/score_parts.h: what BLEU and chrF share.
 *
 * score_text.c: lines as code points and tokens; score_tokenize.c: sacreBLEU's tokenizers;
 * score_ngrams.c: how many n-grams two sequences have in common. */
#ifndef ATTN_TEXT_SCORE_PARTS_H
#define ATTN_TEXT_SCORE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/buffer.h"
#include "text/score.h"

/* The release of sacreBLEU whose results these are; it stands in the signatures. */
#define ATTN_SACREBLEU_VERSION "2.6.0"

/* ---- score_text.c ---- */

void attn_buffer_code_point(attn_buffer *buffer, uint32_t code_point);
/* The code point at text (left >= 1) and, in *length, its bytes; a byte that is not UTF-8 counts
 * as U+FFFD. */
uint32_t attn_code_point(const char *text, size_t left, size_t *length);
/* White space as Python's str.split has it, which sacreBLEU splits with. */
bool attn_is_space(uint32_t code_point);
/* Without white space at the end. Returns the new length. */
size_t attn_text_rstrip(const char *text, size_t length);
/* Python's str.lower. */
void attn_text_lower(const char *text, size_t length, attn_buffer *out);

/* ---- lowercase.c ---- */

/* The simple lower case of Unicode; the code point itself when it has none. */
uint32_t attn_lowercase(uint32_t code_point);

/* ---- score_tokenize.c ---- */

/* One line as sacreBLEU's tokenizer leaves it; tokens are what white space separates. The scratch
 * texts of one tokenizer are reused from line to line. */
typedef struct attn_bleu_lines {
    attn_bleu_tokenizer tokenizer;
    bool lowercase;
    attn_buffer now, next;
} attn_bleu_lines;

/* *out stays valid until the next call. false when out of memory. */
bool attn_bleu_tokenize(attn_bleu_lines *lines, const char *line, const attn_buffer **out);
void attn_bleu_lines_free(attn_bleu_lines *lines);

/* ---- score_ngrams.c ---- */

/* A sequence of symbols: words numbered within a pair of lines, or code points. */
typedef struct attn_symbols {
    int32_t *item;
    size_t count, capacity;
} attn_symbols;

bool attn_symbols_add(attn_symbols *symbols, int32_t symbol);
void attn_symbols_free(attn_symbols *symbols);

typedef struct attn_gram {
    int32_t prefix; /* number of the n-gram one shorter at the same place */
    int32_t symbol; /* the symbol after it */
    int32_t place;  /* hypothesis: 0 .. ; reference: after those */
} attn_gram;

/* Scratch for attn_ngrams_match, reused from line to line. */
typedef struct attn_gram_space {
    attn_gram *gram;
    int32_t *number;
    size_t capacity;
} attn_gram_space;

/* match[n - 1] += the n-grams that both have, each counted as often as the one with fewer has it,
 * for n = 1 .. orders. */
bool attn_ngrams_match(const attn_symbols *hypothesis, const attn_symbols *reference, int orders,
                       attn_gram_space *space, int64_t *match);
void attn_gram_space_free(attn_gram_space *space);

#endif
