/* train/trainer.h: the training loop.
 *
 * Every step: a batch, its loss, its gradient, new weights (learner.h). Every so often: validation,
 * a snapshot of the weights, a checkpoint. At the end: the average of the last snapshots is the
 * model, or the best one or the moving average when that is better. It never prints; whoever calls it is told through `report`. */
#ifndef ATTN_TRAIN_TRAINER_H
#define ATTN_TRAIN_TRAINER_H

#include <signal.h>

#include "train/checkpoint.h"
#include "train/options.h"
#include "train/task.h"

/* Steps in a row whose loss or gradient is not finite before the training gives up. */
enum { ATTN_TRAIN_MAX_SKIPPED = 10 };

typedef enum attn_train_event_kind {
    ATTN_TRAIN_BEGIN,      /* once, when all is read and ready; step is where it goes on from */
    ATTN_TRAIN_STEP,       /* after every step */
    ATTN_TRAIN_LOG,        /* every log_every steps: loss and nll are means since the last one */
    ATTN_TRAIN_VALIDATION, /* loss, nll and score of the validation data */
    ATTN_TRAIN_FINAL,      /* the same of the finished model */
} attn_train_event_kind;

typedef struct attn_train_event {
    const attn_task *task; /* what units and score are called */
    attn_train_event_kind kind;
    int64_t step, epoch; /* complete ones */
    double epoch_share;  /* of the epoch under way, 0 .. 1 */
    double loss, nll;    /* means per unit, smoothed and plain */
    double score;        /* negative: not computed */
    double learning_rate, gradient_norm;
    int64_t units, skipped; /* units learned from and skipped steps so far */
    bool best;              /* the best validation so far */
    double seconds;         /* of training so far, earlier runs included */
    double units_per_second;
    double seconds_left; /* negative: not known */
    /* Of a line of the log, where several ranks train: which computed longest since the last line, where, and by how much longer
     * than the others on average. */
    int ranks, slowest;
    const char *slowest_host;
    double slowest_seconds, seconds_of_others;
    int64_t bytes_sent; /* by rank 0 in the last step, for gradients */
} attn_train_event;

typedef enum attn_train_ending {
    ATTN_TRAIN_STEPS_DONE,
    ATTN_TRAIN_EPOCHS_DONE,
    ATTN_TRAIN_OUT_OF_PATIENCE,
    ATTN_TRAIN_OUT_OF_TIME,
} attn_train_ending;

/* What to train. Everything is only read, and outlives the call. */
typedef struct attn_training {
    const attn_train_options *options;
    const attn_recipe *recipe; /* that the options are part of; written into checkpoint and model */
    const attn_task *task;
    attn_group *group;             /* the ranks that train together; NULL: this process alone */
    const char *model_path;        /* written at the end */
    const char *best_path;         /* written at each best validation; NULL: not */
    const char *checkpoint_path;   /* snapshots are beside it: PATH.1, PATH.2 ... */
    const attn_checkpoint *resume; /* NULL: from the beginning */
    const attn_metadata *facts;    /* for the model's metadata, before the trainer's own */
    size_t fact_count;
    void (*report)(const attn_train_event *event, void *context); /* may be NULL */
    void *context;
    double (*clock)(void);             /* seconds since some moment; NULL: those of base/clock.h */
    const volatile sig_atomic_t *stop; /* not 0: write a checkpoint and return; may be NULL */
} attn_training;

typedef struct attn_train_summary {
    attn_train_ending ending;
    int64_t parameters, trained;
    int64_t steps, epochs, units, skipped;
    int64_t averaged, best_step; /* averaged 0: the moving average of the weights was kept */
    double seconds;
    double loss, nll, score; /* of the finished model; score negative: not computed */
    double best_loss;
    size_t peak_bytes; /* of the tape */
    bool alone;        /* this rank has failed, and the others do not know */
} attn_train_summary;

/* Every rank of the group calls it, with the same arguments; rank 0 alone writes, validates and reports. Summary and model are
 * rank 0's. Returns ATTN_ERR_INTERRUPTED when *stop became true (the checkpoint is written);
 * ATTN_ERR_NUMERIC when ATTN_TRAIN_MAX_SKIPPED steps in a row were skipped; ATTN_ERR_ARGUMENT when
 * the checkpoint to resume belongs to other data or another model. */
ATTN_MUST_CHECK attn_status attn_training_run(const attn_training *training,
                                              attn_train_summary *summary, attn_error *error);

#endif
