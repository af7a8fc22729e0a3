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
    int64_t beam, n_best, top_k, max_length, batch, threads, seed;
    double length_penalty, temperature;
    bool sample, no_repeat_guard, no_length_guard, int8, raw, stats;
} attn_decode_options;

#define ATTN_DECODE_DEFAULTS                                                                       \
    { .beam = 4, .n_best = 1, .batch = 64, .length_penalty = 1.0, .temperature = 1.0 }

/* Lines for the option table of a command whose options have an attn_decode_options `field`. */
/* clang-format off */
#define ATTN_DECODE_TABLE(T, field)                                                                \
    {"model", 'm', ATTN_OPTION_FILE, offsetof(T, field.model), .value = "FILE",                    \
     .help = "the model (default: $ATTN_MODEL, else models/en-fr.safetensors)"},                   \
    {"beam", 'b', ATTN_OPTION_INT, offsetof(T, field.beam), 1, 256, .value = "N",                  \
     .help = "width of the beam search; 1 is greedy (default 4)"},                                 \
    {"length-penalty", 0, ATTN_OPTION_REAL, offsetof(T, field.length_penalty), -10, 10,            \
     .value = "A", .help = "score = log-probability / length^A (default 1)"},                      \
    {"max-length", 0, ATTN_OPTION_INT, offsetof(T, field.max_length), 1, 1e6, .value = "N",        \
     .help = "most tokens in a translation (default: the model's limit)"},                      \
    {"no-repeat-guard", 0, ATTN_OPTION_FLAG, offsetof(T, field.no_repeat_guard),                   \
     .help = "allow endless repetition"},                                                \
    {"no-length-guard", 0, ATTN_OPTION_FLAG, offsetof(T, field.no_length_guard),                   \
     .help = "allow more than 2 x source + 20 tokens"},                                            \
    {"int8", 0, ATTN_OPTION_FLAG, offsetof(T, field.int8),                                         \
     .help = "use 8-bit integer products: faster, with almost the same translations"},                     \
    {"shortlist", 0, ATTN_OPTION_FILE, offsetof(T, field.shortlist), .value = "FILE",              \
     .help = "consider only the words proposed by FILE, from `attn shortlist`: faster"},        \
    {"glossary", 0, ATTN_OPTION_FILE, offsetof(T, field.glossary), .value = "FILE",                \
     .help = "terms whose translation is fixed: lines of SOURCE<TAB>TARGET"},                      \
    {"raw", 0, ATTN_OPTION_FLAG, offsetof(T, field.raw),                                           \
     .help = "hand each line to the model as it is: no sentences are cut, nothing is kept"},       \
    {"batch", 0, ATTN_OPTION_INT, offsetof(T, field.batch), 1, 4096, .value = "N",                 \
     .help = "sentences per thread and batch; affects speed only (default 64)"},           \
    {"threads", 'j', ATTN_OPTION_INT, offsetof(T, field.threads), 1, 256, .value = "N",            \
     .help = "threads; affects speed only (default: all cores)"},                              \
    {"stats", 0, ATTN_OPTION_FLAG, offsetof(T, field.stats),                                       \
     .help = "print the speed on stderr at the end"}
/* clang-format on */

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
