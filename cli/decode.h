/* cli/decode.h: what a user can say about decoding, shared by the commands that translate. */
#ifndef ATTN_CLI_DECODE_H
#define ATTN_CLI_DECODE_H

#include "attn/translate.h"
#include "command.h"
#include "model.h"
#include "pipeline/translation.h"

/* What the user can say about decoding. */
typedef struct attn_decode_options {
    const char *model, *shortlist, *glossary;
    attn_pair_options pair; /* attn_pair_table */
    int64_t beam, n_best, top_k, max_length, batch, threads, seed;
    double length_penalty, temperature;
    bool sample, no_repeat_guard, no_length_guard, int8, raw, translate_all, stats;
    bool attributes; /* of pages: those that people read too */
} attn_decode_options;

#define ATTN_DECODE_DEFAULTS                                                                       \
    { .beam = 4, .n_best = 1, .batch = 64, .length_penalty = 1.0, .temperature = 1.0 }

/* The group of options for them. */
extern const attn_option attn_decode_table[];

/* Speed, counted over several calls. */
typedef struct attn_decode_stats {
    int64_t lines, sentences, tokens; /* tokens of the best translations, </s> included */
    double seconds;
} attn_decode_stats;

attn_search_options attn_decode_search_options(const attn_decode_options *options);
/* With that search, which must outlive it. */
attn_translate_options attn_decode_translate_options(const attn_decode_options *options,
                                                     const attn_search_options *search);
/* Opens the model for decoding as the options say. Close it also after a failure. */
ATTN_MUST_CHECK attn_status attn_decode_open(const attn_decode_options *options, attn_model **out,
                                             attn_error *error);
/* attn_translate_texts, counted. */
ATTN_MUST_CHECK attn_status attn_decode_texts(const attn_model *model, const char *const *texts,
                                              size_t count, const attn_translate_options *options,
                                              attn_translation **out, attn_decode_stats *stats,
                                              attn_error *error);
/* Warns on stderr of sentences that had to be cut inside; text 0 is line first_line of `name`. */
void attn_decode_warn(const attn_translation *translation, const char *name, int64_t first_line);
void attn_decode_stats_print(const attn_decode_stats *stats);

#endif
