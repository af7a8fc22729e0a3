/* cli/decode.h: from lines of text to translations; shared by the commands that translate.
 *
 * Lines are cut into ids; those of like length are searched together; what comes out is in the
 * order of what went in, and does not depend on the grouping. */
#ifndef ATTN_CLI_DECODE_H
#define ATTN_CLI_DECODE_H

#include "attn/search.h"
#include "command.h"
#include "model.h"

/* What the user can say about decoding. */
typedef struct attn_decode_options {
    const char *model, *shortlist;
    int64_t beam, n_best, top_k, max_length, batch, threads, seed;
    double length_penalty, temperature;
    bool sample, no_repeat_guard, no_length_guard, int8, stats;
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
    {"batch", 0, ATTN_OPTION_INT, offsetof(T, field.batch), 1, 4096, .value = "N",                 \
     .help = "sentences per thread and batch; affects speed only (default 64)"},           \
    {"threads", 'j', ATTN_OPTION_INT, offsetof(T, field.threads), 1, 256, .value = "N",            \
     .help = "threads; affects speed only (default: all cores)"},                              \
    {"stats", 0, ATTN_OPTION_FLAG, offsetof(T, field.stats),                                       \
     .help = "print the speed on stderr at the end"}
/* clang-format on */

/* One line's translations. A line longer than the model's limit is translated in pieces: each
 * piece's
 * </s> is then kept among the ids. */
typedef struct attn_translation {
    int32_t *source;       /* ids, </s> included */
    int64_t source_length; /* 0: an empty line */
    attn_search_result result;
} attn_translation;

/* Speed, counted over several calls. */
typedef struct attn_decode_stats {
    int64_t sentences, tokens; /* tokens of the best translations, </s> included */
    double seconds;
} attn_decode_stats;

attn_search_options attn_decode_search_options(const attn_decode_options *options);
/* Opens the model, and the shortlist where there is one, for decoding as the options say. */
ATTN_MUST_CHECK attn_status attn_decode_open(const attn_decode_options *options, attn_model *out,
                                             attn_error *error);
/* Translates lines first_line .. first_line + count - 1 (numbers from 1) of `name`. Lines that had
 * to be cut are warned of on stderr. translations: [count], freed by the caller with
 * attn_translations_free, also after an error. */
ATTN_MUST_CHECK attn_status attn_decode_lines(const attn_model *model, const char *const *lines,
                                              size_t count, const char *name, int64_t first_line,
                                              int64_t batch, const attn_search_options *search,
                                              attn_translation *translations,
                                              attn_decode_stats *stats, attn_error *error);
void attn_translations_free(attn_translation *translations, size_t count);
/* The text of hypothesis `rank`, on one line, malloc'ed; "" when there is none. */
ATTN_MUST_CHECK attn_status attn_translation_text(const attn_model *model,
                                                  const attn_translation *translation, int64_t rank,
                                                  char **text, attn_error *error);
void attn_decode_stats_print(const attn_decode_stats *stats);
double attn_decode_clock(void);

#endif
