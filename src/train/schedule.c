/* train/schedule.c: a recipe's options as the optimizer's. */
#include "train/schedule.h"

attn_optimizer_options attn_train_optimizer(const attn_train_options *options) {
    attn_optimizer_options out;
    attn_optimizer_options_init(&out);
    out.learning_rate = options->learning_rate;
    out.warmup_init = options->warmup_init;
    out.warmup_steps = options->warmup_steps;
    out.schedule = (attn_schedule)options->schedule;
    out.max_steps = options->max_steps;
    out.cooldown_steps = options->cooldown_steps;
    out.beta1 = options->adam_beta1;
    out.beta2 = options->adam_beta2;
    out.epsilon = options->adam_epsilon;
    out.weight_decay = options->weight_decay;
    out.clip_norm = options->clip_norm;
    out.method = (attn_optimizer_method)options->optimizer;
    out.momentum = options->muon_momentum;
    return out;
}

double attn_train_rate(const attn_train_options *options, int64_t step) {
    attn_optimizer_options optimizer = attn_train_optimizer(options);
    return attn_optimizer_rate(&optimizer, step);
}
