/* train/trainer.c: the loop, and what happens around a step.
 *
 * The state is written down after everything that belongs to a step has happened (its line in the
 * log, its validation, its snapshot), so a training killed anywhere repeats whole steps and comes
 * out the same. Next: train/learner.c. */
#include "train/trainer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/memory.h"
#include "tape/tape.h"
#include "train/learner.h"
#include "train/schedule.h"

typedef struct trainer {
    const attn_training *job;
    const attn_train_options *options;
    const attn_task *task;
    attn_learner learner;
    attn_shards *shards; /* NULL: a step is not divided */
    bool alone;          /* this rank has failed, and the others do not know */
    attn_train_state state;
    int64_t batches;              /* of the epoch under way; 0: not known yet */
    attn_learned learned;         /* of the last step */
    attn_train_options scheduled; /* the options, with the end that the time allows */
    float *ema;                   /* the moving average of the weights; NULL: none is wanted */
    float *room; /* where some are frozen, the weights that are not, one after another; else NULL */
    uint64_t layout;
    char *recipe_text;
    double started, seconds_before; /* clock; seconds of earlier runs */
    double window_started;          /* clock at the last line of the log */
    int64_t run_first_step;         /* to estimate the time left */
    int64_t checkpoint_step;        /* of the last checkpoint */
} trainer;

static double now(const trainer *t) {
    return t->job->clock != NULL ? t->job->clock() : attn_clock();
}

static bool leads(const trainer *t) {
    return attn_group_leads(t->job->group);
}

/* ---- the weights that are trained ---- */

/* As one array, which lives until they are asked for again. */
static float *weights_of(trainer *t) {
    if (t->room == NULL) {
        return attn_params_data(t->task->params);
    }
    attn_params_gather(t->task->params, t->room);
    return t->room;
}

static void set_weights(trainer *t, const float *from) {
    attn_params_scatter(t->task->params, from);
}

/* ---- telling ---- */

static double share_of_epoch(const trainer *t) {
    return t->batches > 0 ? (double)t->state.count.next_batch / (double)t->batches : 0;
}

static double smaller(double a, double b) {
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* By the limit that comes first at the pace of this run; early stopping cannot be foreseen. */
static double seconds_left(const trainer *t) {
    const attn_train_options *options = t->options;
    double run = now(t) - t->started, left = -1;
    double done = (double)(t->state.count.step - t->run_first_step);
    if (done > 0 && t->scheduled.max_steps > 0) {
        left = smaller(left, run / done * (double)(t->scheduled.max_steps - t->state.count.step));
    }
    if (done > 0 && options->max_epochs > 0 && t->batches > 0) {
        double steps = (double)((t->batches + options->accumulate - 1) / options->accumulate);
        double epochs = (double)(options->max_epochs - t->state.count.epoch) - share_of_epoch(t);
        left = smaller(left, run / done * epochs * steps);
    }
    if (options->max_minutes > 0 && t->state.count.end_step == 0) {
        left = smaller(left, 60 * options->max_minutes - t->state.real.seconds);
    }
    return left;
}

static attn_train_event event_of(const trainer *t, attn_train_event_kind kind) {
    return (attn_train_event){
        .task = t->task,
        .kind = kind,
        .step = t->state.count.step,
        .epoch = t->state.count.epoch,
        .epoch_share = share_of_epoch(t),
        .score = -1,
        .learning_rate =
            attn_train_rate(&t->scheduled, t->state.count.step > 0 ? t->state.count.step : 1),
        .gradient_norm = t->learned.gradient_norm,
        .units = t->state.count.units,
        .skipped = t->state.count.skipped,
        .seconds = t->state.real.seconds,
        .seconds_left = seconds_left(t),
    };
}

static void report(const trainer *t, const attn_train_event *event) {
    if (t->job->report != NULL) {
        t->job->report(event, t->job->context);
    }
}

static void add_slowest(const trainer *t, attn_train_event *event) {
    event->ranks = attn_group_size(t->job->group);
    if (event->ranks > 1) {
        attn_slowest slowest = attn_shards_slowest(t->shards);
        event->slowest = slowest.rank;
        event->slowest_host = attn_group_host(t->job->group, slowest.rank);
        event->slowest_seconds = slowest.seconds;
        event->seconds_of_others = slowest.others;
        event->bytes_sent = attn_shards_bytes_sent(t->shards);
    }
}

static void report_step(trainer *t) {
    attn_train_event event = event_of(t, ATTN_TRAIN_STEP);
    double units = (double)t->state.count.window_units;
    double clock = now(t);
    if (units > 0) { /* none when every step was skipped */
        event.loss = t->state.real.window_loss / units;
        event.nll = t->state.real.window_nll / units;
    }
    event.units_per_second = units / (clock - t->window_started);
    report(t, &event);
    if (t->state.count.step % t->options->log_every == 0) {
        event.kind = ATTN_TRAIN_LOG;
        add_slowest(t, &event);
        report(t, &event);
        t->state.count.window_units = 0;
        t->state.real.window_loss = t->state.real.window_nll = 0;
        t->window_started = clock;
    }
}

/* ---- files ---- */

static void snapshot_path(const trainer *t, int64_t validation, char *path, size_t size) {
    snprintf(path, size, "%s.%lld", t->job->checkpoint_path, (long long)validation);
}

static attn_status save_checkpoint(trainer *t, attn_error *error) {
    attn_optimizer_state optimizer;
    attn_optimizer_state_init(&optimizer);
    attn_status status = attn_optimizer_get_state(t->learner.optimizer, &optimizer, error);
    if (status != ATTN_OK) {
        return status;
    }
    t->state.real.seconds = t->seconds_before + (now(t) - t->started);
    attn_checkpoint checkpoint = {
        .state = t->state,
        .layout = t->layout,
        .size = t->learner.size,
        .weights = weights_of(t),
        .adam_m = optimizer.m,
        .adam_v = optimizer.v,
        .ema = t->ema,
        .options = t->recipe_text,
        .options_size = strlen(t->recipe_text),
        .tokenizer = t->task->tokenizer,
        .tokenizer_size = t->task->tokenizer_size,
    };
    t->checkpoint_step = t->state.count.step;
    return attn_checkpoint_save(&checkpoint, t->job->checkpoint_path, error);
}

static attn_status save_snapshot(trainer *t, attn_error *error) {
    char path[4096];
    snapshot_path(t, t->state.count.validations, path, sizeof path);
    return attn_snapshot_save(weights_of(t), t->learner.size, t->layout, path, error);
}

/* Whether the average, to the last or to the best validation, may still ask for it. */
static bool snapshot_needed(const trainer *t, int64_t validation) {
    int64_t last = t->state.count.validations, best = t->state.count.best_validation;
    int64_t span = t->options->average;
    return (validation > last - span && validation <= last) ||
           (validation > best - span && validation <= best);
}

/* After the checkpoint no longer needs them. Twice the span reaches back over what a kill between
 * two of these calls may have left. */
static void remove_old_snapshots(const trainer *t, bool all) {
    int64_t last = t->state.count.validations;
    int64_t reach = 2 * t->options->average + t->options->patience + 2;
    int64_t first = all ? 1 : last - reach;
    for (int64_t i = first > 1 ? first : 1; i <= last; i++) {
        if (all || !snapshot_needed(t, i)) {
            char path[4096];
            snapshot_path(t, i, path, sizeof path);
            unlink(path);
        }
    }
}

enum { FACT_LIMIT = 64, FACT_SIZE = 64, KEY_SIZE = 32 };

typedef struct fact_list {
    attn_metadata fact[FACT_LIMIT];
    char key[FACT_LIMIT][KEY_SIZE], value[FACT_LIMIT][FACT_SIZE];
    size_t count;
} fact_list;

__attribute__((format(printf, 3, 4))) static void add_fact(fact_list *list, const char *key,
                                                           const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(list->value[list->count], FACT_SIZE, format, arguments);
    va_end(arguments);
    snprintf(list->key[list->count], KEY_SIZE, "training.%s", key);
    list->fact[list->count] = (attn_metadata){list->key[list->count], list->value[list->count]};
    list->count++;
}

/* averaged: validations; 0: it is the moving average. No date and no duration: equal trainings give equal files. */
static attn_status save_model(const trainer *t, int64_t averaged, const char *path,
                              attn_error *error) {
    fact_list list = {.count = 0};
    for (size_t i = 0; i < t->job->fact_count && i < FACT_LIMIT / 2; i++) {
        list.fact[list.count++] = t->job->facts[i];
    }
    add_fact(&list, "steps", "%lld", (long long)t->state.count.step);
    add_fact(&list, "epochs", "%lld", (long long)t->state.count.epoch);
    add_fact(&list, t->task->unit, "%lld", (long long)t->state.count.units);
    add_fact(&list, t->task->example, "%lld", (long long)t->task->examples);
    if (averaged > 0) {
        add_fact(&list, "averaged", "%lld", (long long)averaged);
    } else {
        add_fact(&list, "ema", "%.9g", t->options->ema);
    }
    add_fact(&list, "seed", "%lld", (long long)t->options->seed);
    add_fact(&list, "valid_loss", "%.9g", t->state.real.last_loss);
    add_fact(&list, "valid_nll", "%.9g", t->state.real.last_nll);
    if (t->state.real.last_score >= 0) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "valid_%s", t->task->score);
        add_fact(&list, key, "%.2f", t->state.real.last_score);
    }
    list.fact[list.count++] = (attn_metadata){"training.options", t->recipe_text};
    return t->task->save(t->task->self, (attn_storage)t->options->storage, list.fact, list.count,
                         path, error);
}

/* ---- validation ---- */

static attn_status measure(trainer *t, bool score, attn_train_event_kind kind, attn_error *error) {
    attn_task_loss valid;
    attn_status status = t->task->validate(t->task->self, &valid, error);
    if (status != ATTN_OK) {
        return status;
    }
    t->state.real.last_loss = valid.loss / (double)valid.units;
    t->state.real.last_nll = valid.nll / (double)valid.units;
    t->state.real.last_score = -1;
    if (score) {
        status = t->task->measure(t->task->self, &t->state.real.last_score, error);
    }
    if (status != ATTN_OK || kind == ATTN_TRAIN_FINAL) {
        return status;
    }
    t->state.count.validations++;
    t->state.count.validated_step = t->state.count.step;
    return ATTN_OK;
}

static void report_validation(const trainer *t, attn_train_event_kind kind, bool best) {
    attn_train_event event = event_of(t, kind);
    event.loss = t->state.real.last_loss;
    event.nll = t->state.real.last_nll;
    event.score = t->state.real.last_score;
    event.best = best;
    report(t, &event);
}

/* A validation without a score is only the best when it is the first. */
static bool better_than_best(const trainer *t) {
    if (t->state.count.best_validation == 0) {
        return true;
    }
    return t->options->best == ATTN_BEST_LOSS ? t->state.real.last_loss < t->state.real.best_loss
                                              : t->state.real.last_score > t->state.real.best_score;
}

static attn_status validate(trainer *t, attn_error *error) {
    int64_t every = t->options->score_every;
    bool score = every > 0 && (t->state.count.validations + 1) % every == 0;
    double pause = now(t);
    attn_status status = measure(t, score, ATTN_TRAIN_VALIDATION, error);
    if (status != ATTN_OK) {
        return status;
    }
    bool best = better_than_best(t);
    if (best) {
        t->state.count.best_validation = t->state.count.validations;
        t->state.count.best_step = t->state.count.step;
        t->state.real.best_loss = t->state.real.last_loss;
        t->state.real.best_score = t->state.real.last_score;
    }
    status = save_snapshot(t, error);
    if (status == ATTN_OK && best && t->job->best_path != NULL) {
        status = save_model(t, 1, t->job->best_path, error);
    }
    if (status == ATTN_OK) {
        report_validation(t, ATTN_TRAIN_VALIDATION, best);
    }
    t->window_started += now(t) - pause; /* units per second are those of training */
    return status;
}

/* ---- an end by the clock, with its cooldown ---- */

enum { STEPS_TO_MEASURE = 10 };

/* The schedule of a training whose end is known now: the optimizer goes on with the same state. */
static attn_status schedule_end(trainer *t, attn_error *error) {
    t->scheduled.max_steps = t->state.count.end_step;
    t->scheduled.cooldown_steps = t->state.count.cooldown;
    attn_learner next;
    attn_optimizer_state state;
    attn_optimizer_state_init(&state);
    attn_status status = attn_learner_create(&t->scheduled, t->task, &next, error);
    if (status == ATTN_OK) {
        status = attn_optimizer_get_state(t->learner.optimizer, &state, error);
    }
    if (status == ATTN_OK) {
        status = attn_optimizer_set_state(next.optimizer, &state, error);
    }
    if (status != ATTN_OK) {
        attn_learner_free(&next);
        return status;
    }
    next.shards = t->shards;
    attn_learner_free(&t->learner);
    t->learner = next;
    return ATTN_OK;
}

/* The cooldown begins when, at the pace so far, it will take what is left of max_minutes. */
static attn_status watch_clock(trainer *t, attn_error *error) {
    const attn_train_options *options = t->options;
    int64_t steps = t->state.count.step;
    if (options->max_minutes <= 0 || options->max_steps > 0 || options->cooldown_steps == 0 ||
        t->state.count.end_step > 0 || steps < STEPS_TO_MEASURE) {
        return ATTN_OK;
    }
    double each = t->state.real.seconds / (double)steps;
    double room = (60 * options->max_minutes - t->state.real.seconds) / each;
    if (room > (double)options->cooldown_steps) {
        return ATTN_OK;
    }
    t->state.count.cooldown = room > 1 ? (int64_t)room : 1;
    t->state.count.end_step = steps + t->state.count.cooldown;
    return schedule_end(t, error);
}

/* ---- one step ---- */

static attn_status begin_epoch(trainer *t, attn_error *error) {
    return t->task->begin_epoch(t->task->self, (uint64_t)t->options->seed, t->state.count.epoch,
                                &t->batches, error);
}

static attn_status count_skipped(trainer *t, attn_error *error) {
    if (!t->learned.skipped) {
        t->state.count.skipped_in_a_row = 0;
        return ATTN_OK;
    }
    t->state.count.skipped++;
    t->state.count.skipped_in_a_row++;
    if (t->state.count.skipped_in_a_row < ATTN_TRAIN_MAX_SKIPPED) {
        return ATTN_OK;
    }
    return attn_fail(
        error, ATTN_ERR_NUMERIC, "training", -1,
        "lower learning_rate, raise warmup_steps or lower clip_norm",
        "the loss or its gradient was NaN or infinite in %d steps in a row, up to step "
        "%lld",
        ATTN_TRAIN_MAX_SKIPPED, (long long)t->state.count.step);
}

/* e += (1 - d) (w - e), where d begins small, so that the first weights, which nothing has taught yet, are soon
 * forgotten. */
static void update_ema(trainer *t) {
    const float *weights = t->ema != NULL ? weights_of(t) : NULL;
    double warm = (1.0 + (double)t->state.count.step) / (10.0 + (double)t->state.count.step);
    float share = (float)(1 - (warm < t->options->ema ? warm : t->options->ema));
    for (int64_t i = 0; t->ema != NULL && i < t->learner.size; i++) {
        t->ema[i] += share * (weights[i] - t->ema[i]);
    }
}

static attn_status step(trainer *t, attn_error *error) {
    t->alone = true; /* until the gradients of all have been summed */
    attn_status status = begin_epoch(t, error);
    if (status != ATTN_OK) {
        return status;
    }
    int64_t left = t->batches - t->state.count.next_batch;
    int64_t count = left < t->options->accumulate ? left : t->options->accumulate;
    int64_t number = t->state.count.step + 1;
    status = attn_learner_update(&t->learner, t->state.count.next_batch, count,
                                 (uint64_t)t->state.count.batches, &t->learned, error);
    if (status != ATTN_OK) {
        return status;
    }
    t->alone = false;
    t->state.count.step = number;
    t->state.count.batches += count;
    t->state.count.next_batch += count;
    t->state.count.units += t->learned.sums.units;
    if (!t->learned.skipped) {
        update_ema(t);
        t->state.count.window_units += t->learned.sums.units;
        t->state.real.window_loss += t->learned.sums.loss;
        t->state.real.window_nll += t->learned.sums.nll;
    }
    t->state.real.seconds = t->seconds_before + (now(t) - t->started);
    return count_skipped(t, error);
}

/* true when the step just done was the last one of its epoch. */
static bool end_epoch(trainer *t) {
    if (t->state.count.next_batch < t->batches) {
        return false;
    }
    t->state.count.epoch++;
    t->state.count.next_batch = 0;
    return true;
}

/* ---- when to do what ---- */

static bool ended(const trainer *t, attn_train_ending *ending) {
    const attn_train_options *options = t->options;
    int64_t worse = t->state.count.validations - t->state.count.best_validation;
    bool timed = t->state.count.end_step > 0;
    if (options->max_steps > 0 && t->state.count.step >= options->max_steps) {
        *ending = ATTN_TRAIN_STEPS_DONE;
    } else if (options->max_epochs > 0 && t->state.count.epoch >= options->max_epochs) {
        *ending = ATTN_TRAIN_EPOCHS_DONE;
    } else if (options->patience > 0 && worse >= options->patience) {
        *ending = ATTN_TRAIN_OUT_OF_PATIENCE;
    } else if (timed ? t->state.count.step >= t->state.count.end_step
                     : options->max_minutes > 0 &&
                           t->state.real.seconds >= 60 * options->max_minutes) {
        *ending = ATTN_TRAIN_OUT_OF_TIME;
    } else {
        return false;
    }
    return true;
}

static bool every(int64_t period, int64_t count) {
    return period > 0 && count % period == 0;
}

/* Says what there is: the best model so far, when there has been a validation. */
static attn_status stopped(const trainer *t, attn_error *error) {
    char hint[1024] = "continue with --resume; there is no model yet";
    if (t->job->best_path != NULL && t->state.count.best_validation > 0) {
        snprintf(hint, sizeof hint,
                 "continue with --resume; %s is the best model so far, of step %lld",
                 t->job->best_path, (long long)t->state.count.best_step);
    }
    return attn_fail(error, ATTN_ERR_INTERRUPTED, "training", -1, hint, "stopped after step %lld",
                     (long long)t->state.count.step);
}

static bool asked_to_stop(const trainer *t) {
    return t->job->stop != NULL && *t->job->stop != 0;
}

/* What follows a step, in an order that a resumed training repeats. */
static attn_status after_step(trainer *t, attn_error *error) {
    attn_train_ending ending;
    report_step(t);
    attn_status status = watch_clock(t, error);
    if (status != ATTN_OK) {
        return status;
    }
    bool epoch_ended = end_epoch(t);
    bool due = t->options->validate_every > 0
                   ? every(t->options->validate_every, t->state.count.step)
                   : epoch_ended;
    bool validated = due || ended(t, &ending);
    status = validated ? validate(t, error) : ATTN_OK;
    if (status != ATTN_OK) {
        return status;
    }
    bool stop = asked_to_stop(t);
    if (stop || validated || epoch_ended || ended(t, &ending) ||
        every(t->options->checkpoint_every, t->state.count.step)) {
        status = save_checkpoint(t, error);
    }
    if (status == ATTN_OK && validated) {
        remove_old_snapshots(t, false);
    }
    if (status == ATTN_OK && stop) {
        status = stopped(t, error);
    }
    return status;
}

/* ---- several ranks ---- */

/* What rank 0 found after a step: the others go on from it, or end as it does. */
typedef struct verdict {
    int64_t status;
    attn_train_state state;
} verdict;

static attn_status follow_leader(trainer *t, attn_status status, attn_error *error) {
    if (t->job->group == NULL || t->alone) {
        return status;
    }
    int64_t end_step = t->state.count.end_step;
    verdict v = {status, t->state};
    attn_status told = attn_group_broadcast(t->job->group, &v, sizeof v, error);
    if (told != ATTN_OK || leads(t)) {
        return told != ATTN_OK ? told : status;
    }
    t->state = v.state;
    if (v.status != ATTN_OK) { /* rank 0 says why */
        return attn_fail(error, (attn_status)v.status, "training", -1, NULL, "rank 0 has ended");
    }
    return t->state.count.end_step != end_step ? schedule_end(t, error) : ATTN_OK;
}

/* Ranks that do not have the same of everything would train something else together. */
static attn_status compare_ranks(const trainer *t, attn_error *error) {
    uint64_t hash = attn_hash64(t->recipe_text, strlen(t->recipe_text), t->layout);
    attn_status status =
        attn_group_same(t->job->group, hash ^ t->task->data_hash, "data or options",
                        "give all of them the same files, and the same attn", error);
    if (status == ATTN_OK) {
        const float *weights = attn_params_data(t->task->params);
        size_t bytes = (size_t)attn_params_size(t->task->params) * sizeof *weights;
        uint64_t own = t->job->group != NULL ? attn_hash64(weights, bytes, 0) : 0;
        status = attn_group_same(t->job->group, own, "weights to start from",
                                 "give all of them the same --init", error);
    }
    return status;
}

/* The line that says how to go on, when rank 0 gave up waiting. */
static void say_checkpoint(const trainer *t, attn_error *error) {
    if (attn_group_is_lost(t->job->group) && error != NULL) {
        snprintf(error->hint, sizeof error->hint,
                 "continue with --resume from the checkpoint of step %lld",
                 (long long)t->checkpoint_step);
    }
}

/* ---- beginning and end ---- */

static attn_status resume_from(trainer *t, const attn_checkpoint *checkpoint, attn_error *error) {
    if (checkpoint->layout != t->layout || checkpoint->size != t->learner.size) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, t->job->checkpoint_path, -1,
            t->room != NULL ? "give the --init and the options that this training started with"
                            : "use the options that this training started with",
            t->room != NULL
                ? "the checkpoint belongs to another model, or to other frozen parameters"
                : "the checkpoint belongs to a model of another shape");
    }
    if (checkpoint->state.count.data != t->state.count.data) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, t->job->checkpoint_path, -1,
            "give the files that this training started with, or start over with --force",
            "the checkpoint was trained on other data");
    }
    t->state = checkpoint->state;
    set_weights(t, checkpoint->weights);
    attn_optimizer_state optimizer;
    attn_optimizer_state_init(&optimizer);
    optimizer.steps = t->state.count.step;
    optimizer.skipped = t->state.count.skipped;
    optimizer.count = checkpoint->size;
    optimizer.m = checkpoint->adam_m;
    optimizer.v = checkpoint->adam_v;
    attn_status status = attn_optimizer_set_state(t->learner.optimizer, &optimizer, error);
    if (t->state.count.step >= t->state.count.end_step) {
        t->state.count.end_step = 0; /* it had come to its end: more time has been given */
    }
    return status == ATTN_OK && t->state.count.end_step > 0 ? schedule_end(t, error) : status;
}

/* Where it begins: the weights, or what the checkpoint had. */
static attn_status begin_ema(trainer *t, attn_error *error) {
    if (t->options->ema <= 0 || !leads(t)) {
        return ATTN_OK;
    }
    size_t bytes = (size_t)t->learner.size * sizeof *t->ema;
    t->ema = attn_alloc(bytes);
    if (t->ema == NULL) {
        return attn_fail_memory(error, bytes);
    }
    bool resumed = t->job->resume != NULL && t->job->resume->ema != NULL;
    memcpy(t->ema, resumed ? t->job->resume->ema : weights_of(t), bytes);
    return ATTN_OK;
}

static attn_status make_parts(trainer *t, attn_error *error) {
    t->scheduled = *t->options;
    if (t->options->max_steps == 0) {
        t->scheduled.cooldown_steps = 0; /* until watch_clock knows the end */
    }
    attn_status status = attn_learner_create(&t->scheduled, t->task, &t->learner, error);
    if (status == ATTN_OK && (t->options->shards > 1 || t->job->group != NULL)) {
        status = attn_shards_create(t->options->shards, t->task, t->job->group, &t->shards, error);
        t->learner.shards = t->shards;
    }
    if (status == ATTN_OK) {
        status = attn_recipe_write(t->job->recipe, &t->recipe_text, error);
    }
    if (status == ATTN_OK && t->learner.size < attn_params_size(t->task->params)) {
        t->room = attn_alloc((size_t)t->learner.size * sizeof *t->room);
        status = t->room != NULL
                     ? ATTN_OK
                     : attn_fail_memory(error, (size_t)t->learner.size * sizeof *t->room);
    }
    return status;
}

/* Where it goes on from, and whether it can. */
static attn_status find_place(trainer *t, attn_error *error) {
    attn_status status = ATTN_OK;
    t->layout = attn_train_layout(t->task->params);
    t->state.count.data = (int64_t)t->task->data_hash;
    t->state.real.last_score = -1;
    if (t->job->resume != NULL) {
        status = resume_from(t, t->job->resume, error);
    }
    t->checkpoint_step = t->state.count.step;
    status = status == ATTN_OK ? begin_ema(t, error) : status;
    t->started = t->window_started = now(t);
    t->seconds_before = t->state.real.seconds;
    t->run_first_step = t->state.count.step;
    if (status == ATTN_OK && t->job->resume == NULL && leads(t)) {
        status = save_checkpoint(t, error); /* an unwritable folder shows now, not in an hour */
    }
    return status;
}

static attn_status begin(trainer *t, attn_error *error) {
    attn_status status = make_parts(t, error);
    status = status == ATTN_OK ? find_place(t, error) : status;
    if (status == ATTN_OK) {
        status = begin_epoch(t, error);
    }
    if (status == ATTN_OK && t->state.count.next_batch > 0 &&
        t->state.count.next_batch >= t->batches) {
        status = attn_fail(error, ATTN_ERR_FORMAT, t->job->checkpoint_path, -1,
                           "use another copy of it, or begin again with --force",
                           "the checkpoint is at batch %lld of an epoch of %lld",
                           (long long)t->state.count.next_batch, (long long)t->batches);
    }
    status = attn_group_agree(t->job->group, status, error);
    status = status == ATTN_OK ? compare_ranks(t, error) : status;
    if (status == ATTN_OK && leads(t)) {
        attn_train_event event = event_of(t, ATTN_TRAIN_BEGIN);
        report(t, &event);
    }
    return status;
}

/* The model becomes the mean of the snapshots first .. last, added up in that order in double. */
static attn_status average(trainer *t, int64_t first, int64_t last, attn_error *error) {
    size_t size = (size_t)t->learner.size;
    float *weights = weights_of(t);
    double *sum = attn_alloc_zero(size, sizeof *sum);
    attn_status status = sum == NULL ? attn_fail_memory(error, size * sizeof *sum) : ATTN_OK;
    for (int64_t i = first; i <= last && status == ATTN_OK; i++) {
        char path[4096];
        snapshot_path(t, i, path, sizeof path);
        status = attn_snapshot_load(path, t->layout, t->learner.size, weights, error);
        for (size_t j = 0; j < size && status == ATTN_OK; j++) {
            sum[j] += weights[j];
        }
    }
    for (size_t j = 0; j < size && status == ATTN_OK; j++) {
        weights[j] = (float)(sum[j] / (double)(last - first + 1));
    }
    if (t->room != NULL) {
        set_weights(t, weights);
    }
    attn_free(sum);
    return status;
}

/* What the model is made of: the average of the validations first .. last, or the moving average. */
typedef struct material {
    bool ema;
    int64_t first, last;
} material;

/* What was measured last is worse than this. */
static bool worse_than(const trainer *t, double loss, double score) {
    return t->options->best == ATTN_BEST_LOSS ? t->state.real.last_loss > loss
                                              : t->state.real.last_score < score;
}

/* The model becomes it, and is measured. */
static attn_status make_model(trainer *t, const material *from, attn_error *error) {
    attn_status status = ATTN_OK;
    if (from->ema) {
        set_weights(t, t->ema);
    } else {
        status = average(t, from->first, from->last, error);
    }
    bool score = t->options->score_every > 0;
    return status == ATTN_OK ? measure(t, score, ATTN_TRAIN_FINAL, error) : status;
}

/* *chosen comes as the average of the last validations; the model becomes what *chosen is in the end. */
static attn_status choose_weights(trainer *t, material *chosen, attn_error *error) {
    const material ema = {.ema = true};
    int keep = t->options->keep;
    int64_t best = t->state.count.best_validation;
    if (keep == ATTN_KEEP_EMA) {
        *chosen = ema;
    }
    attn_status status = make_model(t, chosen, error);
    if (status == ATTN_OK && keep == ATTN_KEEP_BETTER && t->ema != NULL) {
        double loss = t->state.real.last_loss, score = t->state.real.last_score;
        const material of_validations = *chosen;
        *chosen = ema;
        status = make_model(t, chosen, error);
        if (status == ATTN_OK && worse_than(t, loss, score)) {
            *chosen = of_validations;
            status = make_model(t, chosen, error);
        }
    }
    if (status == ATTN_OK && keep == ATTN_KEEP_BETTER &&
        worse_than(t, t->state.real.best_loss, t->state.real.best_score)) {
        *chosen = (material){.first = best, .last = best};
        status = make_model(t, chosen, error);
    }
    return status;
}

static attn_status finish_training(trainer *t, attn_train_summary *summary, attn_error *error) {
    attn_status status = ATTN_OK;
    if (t->state.count.validated_step != t->state.count.step) { /* time ran out between two */
        status = validate(t, error);
        status = status == ATTN_OK ? save_checkpoint(t, error) : status;
    }
    int64_t last = t->options->average_from == ATTN_AVERAGE_BEST ? t->state.count.best_validation
                                                                 : t->state.count.validations;
    int64_t first = last >= t->options->average ? last - t->options->average + 1 : 1;
    material chosen = {.first = first, .last = last};
    status = status == ATTN_OK ? choose_weights(t, &chosen, error) : status;
    summary->averaged = chosen.ema ? 0 : chosen.last - chosen.first + 1;
    if (status == ATTN_OK) {
        report_validation(t, ATTN_TRAIN_FINAL, false);
        status = save_model(t, summary->averaged, t->job->model_path, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (!t->options->keep_checkpoint) {
        unlink(t->job->checkpoint_path);
        remove_old_snapshots(t, true);
    }
    return ATTN_OK;
}

static void summarize(const trainer *t, attn_train_summary *summary) {
    summary->parameters = attn_params_size(t->task->params);
    summary->trained = t->learner.size;
    summary->steps = t->state.count.step;
    summary->epochs = t->state.count.epoch;
    summary->units = t->state.count.units;
    summary->skipped = t->state.count.skipped;
    summary->best_step = t->state.count.best_step;
    summary->best_loss = t->state.real.best_loss;
    summary->seconds = t->state.real.seconds;
    summary->loss = t->state.real.last_loss;
    summary->nll = t->state.real.last_nll;
    summary->score = t->state.real.last_score;
    summary->peak_bytes = attn_tape_peak_bytes(t->task->tape);
}

attn_status attn_training_run(const attn_training *training, attn_train_summary *summary,
                              attn_error *error) {
    trainer t = {.job = training, .options = training->options, .task = training->task};
    *summary = (attn_train_summary){.score = -1};
    attn_status status = begin(&t, error);
    while (status == ATTN_OK && !ended(&t, &summary->ending)) {
        status = step(&t, error);
        if (status == ATTN_OK && leads(&t)) {
            status = after_step(&t, error);
        }
        status = follow_leader(&t, status, error);
    }
    if (status ==
        ATTN_OK) { /* the others wait, so that the launcher does not think they were lost */
        status = leads(&t) ? finish_training(&t, summary, error) : status;
        status = follow_leader(&t, status, error);
    }
    if (leads(&t)) {
        say_checkpoint(&t, error);
    }
    summary->alone = t.alone && status != ATTN_OK && !attn_group_is_lost(t.job->group);
    if (t.learner.optimizer != NULL) {
        summarize(&t, summary);
    }
    attn_learner_free(&t.learner);
    attn_shards_free(t.shards);
    attn_free(t.recipe_text);
    attn_free(t.ema);
    attn_free(t.room);
    return status;
}
