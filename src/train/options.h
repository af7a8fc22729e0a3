/* train/options.h: the knobs of the training loop, whatever it trains.
 *
 * A recipe is a struct with these in a member `train`, next to the knobs of its model
 * (translator_recipe.h), and one table of keys that recipe files, --set and checkpoints are read
 * by. Two trainings with equal recipes, data and seed give equal weights, to the last bit, on every
 * machine; the one exception is max_minutes. Next: train/translator_recipe.h. */
#ifndef ATTN_TRAIN_OPTIONS_H
#define ATTN_TRAIN_OPTIONS_H

#include "io/recipe.h"

enum { ATTN_SCHEDULE_INVERSE_SQRT, ATTN_SCHEDULE_CONSTANT };
enum { ATTN_AVERAGE_LAST, ATTN_AVERAGE_BEST };

typedef struct attn_train_options {
    /* one update */
    int64_t accumulate;
    double adam_beta1, adam_beta2, adam_epsilon, weight_decay, clip_norm;
    /* the learning rate */
    double learning_rate, warmup_init;
    int64_t warmup_steps, cooldown_steps;
    int schedule;
    /* when it ends; 0: no limit */
    int64_t max_steps, max_epochs, patience;
    double max_minutes;
    /* looking, keeping */
    int64_t validate_every, score_every, log_every, checkpoint_every;
    int64_t average;
    int average_from;
    bool keep_checkpoint;
    int64_t seed;
    int storage; /* attn_storage */
    /* what the model file says about itself */
    char name[ATTN_KEY_TEXT_SIZE], licence[ATTN_KEY_TEXT_SIZE];
    char data[ATTN_KEY_TEXT_SIZE], attribution[ATTN_KEY_TEXT_SIZE];
} attn_train_options;

extern const char *const attn_schedule_names[], *const attn_average_names[],
                                                    *const attn_storage_names[];

/* Rows of a recipe's table; `place` is the field within the struct `type`. */
#define ATTN_ROW(key, type, place, kind, low, high, choices, help)                                 \
    { key, kind, offsetof(type, place), low, high, choices, help }
#define ATTN_ROW_INT(key, type, place, low, high, help)                                            \
    ATTN_ROW(key, type, place, ATTN_KEY_INT, low, high, NULL, help)
#define ATTN_ROW_REAL(key, type, place, low, high, help)                                           \
    ATTN_ROW(key, type, place, ATTN_KEY_REAL, low, high, NULL, help)
#define ATTN_ROW_CHOICE(key, type, place, choices, help)                                           \
    ATTN_ROW(key, type, place, ATTN_KEY_CHOICE, 0, 0, choices, help)
#define ATTN_ROW_TEXT(key, type, place, help)                                                      \
    ATTN_ROW(key, type, place, ATTN_KEY_TEXT, 0, 0, NULL, help)

/* The loop's rows, for a recipe of that type; score: what its score is called. */
#define ATTN_TRAIN_ROWS(type, score)                                                               \
    ATTN_ROW_INT("accumulate", type, train.accumulate, 1, 100000,                                  \
                 "batches whose gradients are summed for one step"),                               \
        ATTN_ROW_REAL("adam_beta1", type, train.adam_beta1, 0, 0.999999,                           \
                      "Adam: decay of the mean"),                                                  \
        ATTN_ROW_REAL("adam_beta2", type, train.adam_beta2, 0, 0.999999999,                        \
                      "Adam: decay of the mean of squares"),                                       \
        ATTN_ROW_REAL("adam_epsilon", type, train.adam_epsilon, 1e-30, 1,                          \
                      "Adam: added to the root"),                                                  \
        ATTN_ROW_REAL("weight_decay", type, train.weight_decay, 0, 1, "decoupled weight decay"),   \
        ATTN_ROW_REAL("clip_norm", type, train.clip_norm, 0, 1e9,                                  \
                      "largest norm of the gradient (0: no limit)"),                               \
        ATTN_ROW_REAL("learning_rate", type, train.learning_rate, 1e-12, 100,                      \
                      "peak learning rate, reached at the end of the warm-up"),                    \
        ATTN_ROW_REAL("warmup_init", type, train.warmup_init, 0, 100,                              \
                      "learning rate at the start of the warm-up"),                                \
        ATTN_ROW_INT("warmup_steps", type, train.warmup_steps, 0, 1000000000,                      \
                     "steps of linear warm-up"),                                                   \
        ATTN_ROW_INT("cooldown_steps", type, train.cooldown_steps, 0, 1000000000,                  \
                     "last steps, over which the learning rate falls to 0 (needs max_steps)"),     \
        ATTN_ROW_CHOICE("schedule", type, train.schedule, attn_schedule_names,                     \
                        "learning rate after the warm-up: inverse_sqrt, constant"),                \
        ATTN_ROW_INT("max_steps", type, train.max_steps, 0, 1000000000,                            \
                     "stop after this many steps (0: no limit)"),                                  \
        ATTN_ROW_INT("max_epochs", type, train.max_epochs, 0, 1000000000,                          \
                     "stop after this many passes over the data (0: no limit)"),                   \
        ATTN_ROW_INT("patience", type, train.patience, 0, 1000000000,                              \
                     "stop after this many validations without a better loss (0: never)"),         \
        ATTN_ROW_REAL("max_minutes", type, train.max_minutes, 0, 1e9,                              \
                      "stop after this time (0: no limit); the only option whose outcome depends " \
                      "on the machine"),                                                           \
        ATTN_ROW_INT("validate_every", type, train.validate_every, 0, 1000000000,                  \
                     "steps between validations (0: after each epoch)"),                           \
        ATTN_ROW_INT(score "_every", type, train.score_every, 0, 1000000000,                       \
                     "validations between scores (0: never)"),                                     \
        ATTN_ROW_INT("log_every", type, train.log_every, 1, 1000000000,                            \
                     "steps between lines of the log"),                                            \
        ATTN_ROW_INT("checkpoint_every", type, train.checkpoint_every, 0, 1000000000,              \
                     "steps between checkpoints (0: only after each epoch)"),                      \
        ATTN_ROW_INT("average", type, train.average, 1, 1000,                                      \
                     "validated weights averaged into the model (1: no averaging)"),               \
        ATTN_ROW_CHOICE("average_from", type, train.average_from, attn_average_names,              \
                        "average up to the last or the best validation: last, best"),              \
        ATTN_ROW("keep_checkpoint", type, train.keep_checkpoint, ATTN_KEY_BOOL, 0, 0, NULL,        \
                 "keep the checkpoint for --resume after the end"),                                \
        ATTN_ROW_INT("seed", type, train.seed, 0, 9007199254740992.0,                              \
                     "seed of all random numbers"),                                                \
        ATTN_ROW_CHOICE("storage", type, train.storage, attn_storage_names,                        \
                        "element type of the finished model: f32, bf16, i8"),                      \
        ATTN_ROW_TEXT("name", type, train.name, "name of the model"),                              \
        ATTN_ROW_TEXT("licence", type, train.licence, "licence of the model"),                     \
        ATTN_ROW_TEXT("data", type, train.data, "what it was trained on"),                         \
        ATTN_ROW_TEXT("attribution", type, train.attribution, "people or projects to credit")

void attn_train_options_init(attn_train_options *options);
/* What the bounds of single keys cannot say: a cooldown without an end, nothing that would ever stop
 * the training. */
ATTN_MUST_CHECK attn_status attn_train_options_check(const attn_train_options *options,
                                                     attn_error *error);

/* ---- a whole recipe, by its table ---- */

typedef struct attn_recipe {
    const attn_key *keys;
    size_t count;
    void *values; /* the struct that the keys' offsets are in */
} attn_recipe;

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
