/* train/checkpoint.h: everything a training needs to go on bit for bit, in one file.
 *
 * A checkpoint is a .safetensors file with a hash of each section in its metadata, written
 * atomically: after a kill or a power cut it is the old one or the new one, never half of each.
 * A snapshot is the same with the weights alone: the material for averaging. */
#ifndef ATTN_TRAIN_CHECKPOINT_H
#define ATTN_TRAIN_CHECKPOINT_H

#include <stddef.h>

#include "attn/safetensors.h"
#include "attn/tape.h"
#include "train/group.h"

/* All that a step changes beside the arrays. Random numbers are functions of (seed, batches). */
typedef struct attn_train_state {
    struct {
        int64_t step;       /* updates so far, skipped ones counted */
        int64_t epoch;      /* complete passes over the data */
        int64_t next_batch; /* place in the epoch */
        int64_t batches;    /* forward passes so far */
        int64_t units;      /* learned from so far: target tokens, pixels */
        int64_t skipped, skipped_in_a_row;
        int64_t validations, best_validation, best_step, validated_step;
        int64_t end_step, cooldown; /* of a training whose time is limited; 0: not known yet */
        int64_t window_units;       /* since the last line of the log */
        int64_t data;               /* hash of what is trained on */
    } count;
    struct {
        double window_loss, window_nll; /* sums over window_units */
        double best_loss, best_score, last_loss, last_nll, last_score;
        double seconds;
    } real;
} attn_train_state;

/* The arrays of a loaded checkpoint belong to it. */
typedef struct attn_checkpoint {
    attn_train_state state;
    uint64_t layout; /* attn_train_layout of the model */
    int64_t size;    /* elements of each of the next three: attn_params_trained */
    const float *weights, *adam_m, *adam_v;
    const float *ema;    /* the moving average of the weights; NULL: none */
    const char *options; /* a recipe text, not NUL-terminated */
    size_t options_size;
    const void *tokenizer; /* NULL: none */
    size_t tokenizer_size;
    attn_safetensors *file; /* NULL unless loaded */
    bool received;          /* from rank 0 */
} attn_checkpoint;

/* A hash of the names and shapes of all parameters in order, and of the values of those that are frozen: flat arrays, which hold the
 * others, fit only an equal one. */
uint64_t attn_train_layout(const attn_params *params);

ATTN_MUST_CHECK attn_status attn_checkpoint_save(const attn_checkpoint *checkpoint,
                                                 const char *path, attn_error *error);
/* ATTN_ERR_FORMAT: not a checkpoint, cut short, or damaged (the section is named);
 * ATTN_ERR_UNSUPPORTED: of another version. */
ATTN_MUST_CHECK attn_status attn_checkpoint_load(const char *path, attn_checkpoint *out,
                                                 attn_error *error);
/* What rank 0 loaded becomes everybody's, who need no access to the file; *loaded: whether there is one. */
ATTN_MUST_CHECK attn_status attn_checkpoint_share(attn_group *group, attn_checkpoint *checkpoint,
                                                  bool *loaded, attn_error *error);
void attn_checkpoint_close(attn_checkpoint *checkpoint);

ATTN_MUST_CHECK attn_status attn_snapshot_save(const float *weights, int64_t size, uint64_t layout,
                                               const char *path, attn_error *error);
/* Loads into weights; ATTN_ERR_FORMAT when it is that of another model. */
ATTN_MUST_CHECK attn_status attn_snapshot_load(const char *path, uint64_t layout, int64_t size,
                                               float *weights, attn_error *error);

#endif
