/* train/options.h: the knobs of the training loop, whatever it trains.
 *
 * A recipe is a struct with these in a member `train`, next to the knobs of its model
 * (translator_recipe.h), and one table of keys, the model's and the loop's, that recipe files, --set
 * and checkpoints are read by. Two trainings with equal recipes, data and seed give equal weights, to
 * the last bit, on every machine; the one exception is max_minutes. Next: train/translator_recipe.h. */
#ifndef ATTN_TRAIN_OPTIONS_H
#define ATTN_TRAIN_OPTIONS_H

#include "attn/optimizer.h"
#include "io/recipe.h"

enum { ATTN_AVERAGE_LAST, ATTN_AVERAGE_BEST };
/* What a validation is judged by: the loss, or one of the scores that the recipe names after it. */
enum { ATTN_BEST_LOSS };
enum { ATTN_KEEP_BETTER, ATTN_KEEP_AVERAGE, ATTN_KEEP_EMA };

typedef struct attn_train_options {
    /* one update */
    int64_t accumulate, shards;
    int optimizer; /* attn_optimizer_method */
    double adam_beta1, adam_beta2, adam_epsilon, weight_decay, clip_norm, muon_momentum;
    /* the learning rate */
    double learning_rate, warmup_init;
    int64_t warmup_steps, cooldown_steps;
    int schedule; /* attn_schedule */
    /* when it ends; 0: no limit */
    int64_t max_steps, max_epochs, patience;
    double max_minutes;
    /* looking, keeping */
    int64_t validate_every, score_every, log_every, checkpoint_every;
    int64_t average;
    double ema; /* decay of the moving average of the weights; 0: none */
    int average_from, best, keep;
    bool keep_checkpoint;
    char freeze[ATTN_KEY_TEXT_SIZE]; /* patterns (train/patterns.h) */
    int64_t seed;
    int storage; /* attn_storage */
    /* what the model file says about itself */
    char name[ATTN_KEY_TEXT_SIZE], licence[ATTN_KEY_TEXT_SIZE];
    char data[ATTN_KEY_TEXT_SIZE], attribution[ATTN_KEY_TEXT_SIZE];
} attn_train_options;

extern const char *const attn_schedule_names[], *const attn_average_names[],
                                                    *const attn_storage_names[];

void attn_train_options_init(attn_train_options *options);
/* What the bounds of single keys cannot say: a cooldown without an end, nothing that would ever stop
 * the training. */
ATTN_MUST_CHECK attn_status attn_train_options_check(const attn_train_options *options,
                                                     attn_error *error);

/* ---- a whole recipe ---- */

/* Adds the loop's keys; score_every: what the key of that member is called, "bleu_every"; best: what the best
 * validation may be judged by, "loss" and the scores, and the help of that key. */
void attn_recipe_add_train(attn_recipe *recipe, size_t base, const char *score_every,
                           const char *const *best, const char *best_help);

/* Texts must be one line each. */
ATTN_MUST_CHECK attn_status attn_recipe_check_texts(const attn_recipe *recipe, attn_error *error);
/* The recipe as text, one `key = value` line each; *text is to be freed with attn_free. */
ATTN_MUST_CHECK attn_status attn_recipe_write(const attn_recipe *recipe, char **text,
                                              attn_error *error);
/* A training that goes on keeps its recipe, apart from what only says how long and how closely it is
 * watched. The error names the first key that differs. */
ATTN_MUST_CHECK attn_status attn_recipe_same(const attn_recipe *before, const attn_recipe *now,
                                             attn_error *error);

#endif
