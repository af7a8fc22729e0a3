/* train/translator_data.h: from text files to what a translator trains on: a tokenizer and two corpora.
 *
 * Next: train/translator_task.h. */
#ifndef ATTN_TRAIN_TRANSLATOR_DATA_H
#define ATTN_TRAIN_TRANSLATOR_DATA_H

#include "text/corpus.h"
#include "text/corpus_filter.h"
#include "train/directions.h"
#include "train/translator_recipe.h"

typedef struct attn_translator_files {
    const attn_parallel_source *train, *valid; /* one after another */
    size_t train_count, valid_count;           /* valid_count 0: hold out a part */
    const char *tokenizer;                     /* a SentencePiece model; NULL: train one */
    const char *target_tokenizer;              /* NULL: `tokenizer` is for both languages */
    bool all_text; /* the model has read no other text: the words that it knows are counted */
    /* NULL, or of each: "en-fr", or "en-fr+WORD" for one more tag, <WORD> (directions.h). */
    const char *const *train_languages, *const *valid_languages;
} attn_translator_files;

/* What validation translates, and what should come out; both malloc'ed. */
typedef struct attn_translator_line {
    char *source, *reference;
    size_t direction; /* of `directions` */
} attn_translator_line;

typedef struct attn_translator_data {
    attn_tokenizer *tokenizer;
    attn_directions directions; /* one at least */
    attn_corpus train, valid;
    attn_translator_line *line;
    size_t line_count;
    attn_corpus_filtered filtered;
    int64_t short_lines; /* of tables that lack a column; the first of them is named */
    char first_short[256];
    int64_t
        held_out; /* pairs of the corpus that became validation; 0: validation has its own files */
} attn_translator_data;

/* The tokenizer comes from tokenizer_bytes (a checkpoint's) when not NULL, else from
 * files->tokenizer, else it is trained. Without validation files one pair in a hundred, at most
 * 1,000, at places that depend on the number of pairs alone, is held out of the training. */
ATTN_MUST_CHECK attn_status attn_translator_data_read(const attn_translator_files *files,
                                                      const attn_translator_recipe *recipe,
                                                      const void *tokenizer_bytes,
                                                      size_t tokenizer_size, int threads,
                                                      attn_translator_data *out, attn_error *error);
void attn_translator_data_free(attn_translator_data *data);

/* Moves `count` pairs, evenly spread by a fixed shuffle, from *corpus to *held. Training pairs
 * whose source is that of a held-out pair are dropped, or validation would praise memory. */
ATTN_MUST_CHECK attn_status attn_corpus_hold_out(attn_corpus *corpus, int64_t count,
                                                 attn_corpus *held, attn_error *error);
/* A hash of all the pairs. */
uint64_t attn_corpus_hash(const attn_corpus *corpus);

#endif
