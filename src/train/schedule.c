/* train/schedule.c: warm-up, decay, cooldown. */
#include "train/schedule.h"

#include <math.h>

static double before_cooldown(const attn_train_options *options, int64_t step) {
    int64_t warmup = options->warmup_steps;
    if (step < warmup) {
        double rise = options->learning_rate - options->warmup_init;
        return options->warmup_init + rise * ((double)step / (double)warmup);
    }
    if (options->schedule == ATTN_SCHEDULE_CONSTANT) {
        return options->learning_rate;
    }
    double from = warmup > 0 ? (double)warmup : 1.0;
    return options->learning_rate * sqrt(from / (double)step);
}

double attn_train_rate(const attn_train_options *options, int64_t step) {
    int64_t start = options->max_steps - options->cooldown_steps;
    if (options->cooldown_steps == 0 || step <= start) {
        return before_cooldown(options, step);
    }
    int64_t left = options->max_steps + 1 - step;
    double share = left > 0 ? (double)left / (double)(options->cooldown_steps + 1) : 0.0;
    return before_cooldown(options, start > 0 ? start : 1) * share;
}
