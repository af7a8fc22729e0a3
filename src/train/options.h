/* train/options.h: every knob of a training, and the table that recipes and --set are read by.
 *
 * The defaults are a small pre-norm Transformer that trains on a laptop. Two trainings with equal
 * options, data and seed give equal weights, to the last bit, on every machine; the one exception
 * is max_minutes. Next: train/trainer.h. */
#ifndef ATTN_TRAIN_OPTIONS_H
#define ATTN_TRAIN_OPTIONS_H

#include "attn/translator.h"
#include "io/recipe.h"

enum { ATTN_NORM_PRE, ATTN_NORM_POST };
enum { ATTN_POSITIONS_SINUSOIDAL, ATTN_POSITIONS_LEARNED };
enum { ATTN_SCHEDULE_INVERSE_SQRT, ATTN_SCHEDULE_CONSTANT };
enum { ATTN_AVERAGE_LAST, ATTN_AVERAGE_BEST };

typedef struct attn_train_options {
    /* the model */
    int64_t d_model, ffn, heads, kv_heads, encoder_layers, decoder_layers, max_length;
    int norm, positions, activation;
    /* the tokenizer */
    int64_t vocabulary;
    int tokenizer_type;
    char normalization[ATTN_KEY_TEXT_SIZE], elisions[ATTN_KEY_TEXT_SIZE];
    double character_coverage;
    /* regularization */
    double dropout, attention_dropout, activation_dropout, label_smoothing;
    /* one update */
    int64_t batch_tokens, accumulate;
    double adam_beta1, adam_beta2, adam_epsilon, weight_decay, clip_norm;
    /* the learning rate */
    double learning_rate, warmup_init;
    int64_t warmup_steps, cooldown_steps;
    int schedule;
    /* when it ends; 0: no limit */
    int64_t max_steps, max_epochs, patience;
    double max_minutes;
    /* looking, keeping */
    int64_t validate_every, bleu_every, bleu_beam, log_every, checkpoint_every;
    int64_t average;
    int average_from;
    bool keep_checkpoint;
    int64_t seed;
    int storage; /* attn_storage */
    /* what the model file says about itself */
    char name[ATTN_KEY_TEXT_SIZE], source_language[ATTN_KEY_TEXT_SIZE];
    char target_language[ATTN_KEY_TEXT_SIZE], licence[ATTN_KEY_TEXT_SIZE];
    char data[ATTN_KEY_TEXT_SIZE], attribution[ATTN_KEY_TEXT_SIZE];
} attn_train_options;

/* The table, in the order in which help shows it. */
const attn_key *attn_train_keys(size_t *count);
void attn_train_options_init(attn_train_options *options);
/* What the bounds of single keys cannot say: heads that divide d_model, a cooldown without an end,
 * nothing that would ever stop the training. */
ATTN_MUST_CHECK attn_status attn_train_options_check(const attn_train_options *options,
                                                     attn_error *error);
/* The options as a recipe text, one `key = value` line each; *text is to be freed with attn_free.
 */
ATTN_MUST_CHECK attn_status attn_train_options_print(const attn_train_options *options, char **text,
                                                     attn_error *error);
/* A training that goes on keeps its options, apart from those that only say how long and how
 * closely it is watched. The error names the first one that differs. */
ATTN_MUST_CHECK attn_status attn_train_options_same(const attn_train_options *before,
                                                    const attn_train_options *now,
                                                    attn_error *error);
void attn_train_options_config(const attn_train_options *options, int64_t vocabulary,
                               attn_translator_config *config);
const char *attn_train_tokenizer_type(const attn_train_options *options);

#endif
