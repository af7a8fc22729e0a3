/* train/schedule.h: what a recipe says of the optimizer, and the learning rate of each step.
 *
 * Next: attn/optimizer.h, which has the formulas. */
#ifndef ATTN_TRAIN_SCHEDULE_H
#define ATTN_TRAIN_SCHEDULE_H

#include "train/options.h"

attn_optimizer_options attn_train_optimizer(const attn_train_options *options);
/* step counts from 1. */
double attn_train_rate(const attn_train_options *options, int64_t step);

#endif
