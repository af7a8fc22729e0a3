/* cli/train_command.h: what the commands that train have in common: options, files, progress.
 *
 * A command fills the recipe struct's defaults, prepares the run (which reads recipe, --set and the
 * checkpoint), reads its data, makes its task, and runs it. Options come from the defaults, the
 * checkpoint when one is resumed, the recipe, --set and --seed, in this order. Files beside
 * MODEL.safetensors: MODEL.checkpoint and its snapshots, MODEL.best.safetensors, MODEL.log.jsonl,
 * MODEL.curves.svg. Next: cmd_train_translator.c, src/train/trainer.h. */
#ifndef ATTN_CLI_TRAIN_COMMAND_H
#define ATTN_CLI_TRAIN_COMMAND_H

#include "command.h"
#include "train/log.h"
#include "train/tensorboard.h"
#include "train_progress.h"

enum { ATTN_TRAIN_PATH_SIZE = 4096 };

struct attn_train_run;

typedef struct attn_train_common {
    const char *recipe, *out, *init, *tensorboard;
    attn_option_list set, freeze;
    int64_t seed, threads;
    int64_t parent; /* the process that started this one; 0: not asked for */
    bool resume, force, quiet, list;
} attn_train_common;

/* The group of options for them. */
extern const attn_option attn_train_common_options[];

typedef struct attn_train_paths {
    char model[ATTN_TRAIN_PATH_SIZE], best[ATTN_TRAIN_PATH_SIZE], checkpoint[ATTN_TRAIN_PATH_SIZE];
    char log[ATTN_TRAIN_PATH_SIZE], curves[ATTN_TRAIN_PATH_SIZE], recipe[ATTN_TRAIN_PATH_SIZE];
} attn_train_paths;

/* How much text there is, and was left out. */
enum { ATTN_TRAIN_COUNTS = 12 };

/* What a command does itself of a model to start from, when its weights are not all that counts. */
typedef struct attn_train_start {
    /* Reads the model of --init before the recipe is read, and sets the keys that it decides. */
    attn_status (*open)(struct attn_train_run *run, attn_error *error);
    /* Hands over its weights; *taken: how many; left: the names of the others. */
    attn_status (*take)(struct attn_train_run *run, const attn_params *params, size_t *taken,
                        char *left, size_t left_size, attn_error *error);
} attn_train_start;

/* One run; what the command fills in stands first. */
typedef struct attn_train_run {
    const char *kind; /* "translator" */
    const attn_train_common *given;
    attn_recipe recipe;          /* its values hold the defaults */
    size_t recipe_size;          /* of the values */
    attn_train_options *options; /* the values' member `train` */
    attn_status (*check)(const void *values, attn_error *error);
    bool (*is_partial)(const void *values); /* NULL: where something is frozen */
    const attn_train_start *start;          /* NULL: tensors of the same name and shape are taken */
    attn_train_count count[ATTN_TRAIN_COUNTS]; /* for the log */
    size_t count_count;

    attn_group *group; /* the ranks that train together; NULL: this process alone */
    bool alone;        /* this rank has failed, and the others do not know */
    attn_train_paths path;
    attn_checkpoint checkpoint; /* when resumed */
    bool resumed;
    bool partial; /* only part of the parameters is trained, and a checkpoint holds that part */
    attn_train_log *log;
    attn_tensorboard *board; /* NULL: not asked for */
    attn_train_progress progress;
    int named_rank; /* 1 + the rank last called slow; 0: none */
    char command[8192];
} attn_train_run;

/* An option that decides the outcome, for the command as the model remembers it; value NULL: not given.
 */
typedef struct attn_train_named {
    const char *name, *value;
} attn_train_named;

/* Joins the other ranks, sets threads, names the files, looks what exists, reads checkpoint and recipe. */
ATTN_MUST_CHECK attn_status attn_train_prepare(attn_train_run *run, attn_error *error);
/* Every rank's status, where all must be well to go on. */
ATTN_MUST_CHECK attn_status attn_train_agree(const attn_train_run *run, attn_status status,
                                             attn_error *error);
/* --list: the recipe as it stands. */
void attn_train_list(const attn_train_run *run);
/* Says something about the run, unless --quiet; of several ranks the first speaks. */
__attribute__((format(printf, 2, 3))) void attn_train_say(const attn_train_run *run,
                                                          const char *format, ...);
/* Trains; facts are for the model's metadata. */
ATTN_MUST_CHECK attn_status attn_train_task(attn_train_run *run, const attn_task *task,
                                            const attn_train_named *named, size_t named_count,
                                            const attn_metadata *facts, size_t fact_count,
                                            attn_error *error);
/* Frees what the run owns, leaves the other ranks, says what failed. Returns the exit status. */
int attn_train_close(attn_train_run *run, attn_status status, const attn_error *error);

#endif
