/* train/schedule.h: the learning rate of each step.
 *
 *     warm-up    init + (rate - init) * step / warmup           step <= warmup
 *     after it   rate * sqrt(warmup / step), or rate (constant)
 *     cooldown   the rate at its start, falling linearly to 0 just after max_steps
 *
 * In double with exact operations only, so that it is the same on every machine.
 * Source: Vaswani et al. 2017, section 5.3. */
#ifndef ATTN_TRAIN_SCHEDULE_H
#define ATTN_TRAIN_SCHEDULE_H

#include "train/options.h"

/* step counts from 1. */
double attn_train_rate(const attn_train_options *options, int64_t step);

#endif
