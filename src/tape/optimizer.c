/* tape/optimizer.c: AdamW or Muon over a table of parameters: the schedule, the clipping, the moments.
 *
 * The arithmetic of an update is in kernels/optimizer and tape/muon. Next: examples/layers.c. */
#include "attn/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/sized.h"
#include "kernels/optimizer/optimizer.h"
#include "tape/muon.h"

struct attn_optimizer {
    attn_optimizer_options options;
    attn_params *params;
    attn_optimizer_state state;
    real *m, *v; /* those of the state */
    attn_muon_room room;
};

static const attn_optimizer_options defaults = {
    .size = sizeof(attn_optimizer_options),
    .learning_rate = 1e-3,
    .schedule = ATTN_SCHEDULE_CONSTANT,
    .beta1 = 0.9,
    .beta2 = 0.98,
    .epsilon = 1e-9,
    .momentum = 0.95,
};

void attn_optimizer_options_init_sized(attn_optimizer_options *options, size_t size) {
    attn_sized_init(options, size, &defaults, sizeof defaults);
}

static attn_status read_options(const attn_optimizer_options *given, attn_optimizer_options *out,
                                attn_error *error) {
    *out = defaults;
    return attn_sized_read(given, out, sizeof *out,
                           ATTN_SIZE_UP_TO(attn_optimizer_options, clip_norm),
                           "attn_optimizer_options", error);
}

/* ---- the schedule ---- */

static double before_cooldown(const attn_optimizer_options *options, int64_t step) {
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

static double rate_at(const attn_optimizer_options *options, int64_t step) {
    int64_t start = options->max_steps - options->cooldown_steps;
    if (options->cooldown_steps == 0 || step <= start) {
        return before_cooldown(options, step);
    }
    int64_t left = options->max_steps + 1 - step;
    double share = left > 0 ? (double)left / (double)(options->cooldown_steps + 1) : 0.0;
    return before_cooldown(options, start > 0 ? start : 1) * share;
}

double attn_optimizer_rate(const attn_optimizer_options *options, int64_t step) {
    attn_optimizer_options known;
    return read_options(options, &known, NULL) == ATTN_OK ? rate_at(&known, step) : NAN;
}

/* ---- creation ---- */

static attn_status refuse(attn_error *error, const char *option, double value,
                          const char *expected) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "%s is %g, expected %s", option,
                     value, expected);
}

static attn_status check_options(const attn_optimizer_options *o, attn_error *error) {
    const struct {
        const char *name;
        double value;
    } amounts[] = {{"learning_rate", o->learning_rate},
                   {"warmup_init", o->warmup_init},
                   {"warmup_steps", (double)o->warmup_steps},
                   {"max_steps", (double)o->max_steps},
                   {"cooldown_steps", (double)o->cooldown_steps},
                   {"weight_decay", o->weight_decay},
                   {"clip_norm", o->clip_norm}};
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        if (!(amounts[i].value >= 0 && isfinite(amounts[i].value))) {
            return refuse(error, amounts[i].name, amounts[i].value, "0 or more");
        }
    }
    if (!(o->beta1 >= 0 && o->beta1 < 1)) {
        return refuse(error, "beta1", o->beta1, "0 or more and below 1");
    }
    if (!(o->beta2 >= 0 && o->beta2 < 1)) {
        return refuse(error, "beta2", o->beta2, "0 or more and below 1");
    }
    if (!(o->epsilon > 0 && isfinite(o->epsilon))) {
        return refuse(error, "epsilon", o->epsilon, "a number above 0");
    }
    if (!(o->momentum >= 0 && o->momentum < 1)) {
        return refuse(error, "momentum", o->momentum, "0 or more and below 1");
    }
    if (o->method != ATTN_OPTIMIZER_ADAM && o->method != ATTN_OPTIMIZER_MUON) {
        return refuse(error, "method", (double)o->method, "one of the attn_optimizer_method");
    }
    if (o->schedule != ATTN_SCHEDULE_INVERSE_SQRT && o->schedule != ATTN_SCHEDULE_CONSTANT) {
        return refuse(error, "schedule", (double)o->schedule, "one of the attn_schedule");
    }
    if (o->cooldown_steps > 0 && o->max_steps == 0) {
        return refuse(error, "max_steps", 0, "where the cooldown ends");
    }
    return ATTN_OK;
}

attn_status attn_optimizer_create(const attn_optimizer_options *options, attn_params *params,
                                  attn_optimizer **out, attn_error *error) {
    attn_optimizer_options known;
    *out = NULL;
    attn_status status = read_options(options, &known, error);
    if (status == ATTN_OK) {
        status = check_options(&known, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (params == NULL || attn_params_grad(params) == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "params is NULL or was not allocated with gradients");
    }
    size_t count = (size_t)attn_params_trained(params);
    if (count == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "every parameter is frozen: there is nothing to train");
    }
    attn_optimizer *o = attn_alloc_zero(1, sizeof *o);
    if (o != NULL) {
        o->options = known;
        o->params = params;
        o->m = attn_alloc_zero(count, sizeof(real));
        o->v = attn_alloc_zero(count, sizeof(real));
    }
    if (o == NULL || o->m == NULL || o->v == NULL) {
        attn_optimizer_free(o);
        return attn_fail_memory(error, 2 * count * sizeof(real));
    }
    o->state = (attn_optimizer_state){
        .size = sizeof o->state, .count = (int64_t)count, .m = o->m, .v = o->v};
    if (known.method == ATTN_OPTIMIZER_MUON) {
        status = attn_muon_room_for(params, &o->room, error);
        if (status != ATTN_OK) {
            attn_optimizer_free(o);
            return status;
        }
    }
    *out = o;
    return ATTN_OK;
}

void attn_optimizer_free(attn_optimizer *o) {
    if (o != NULL) {
        attn_free(o->m);
        attn_free(o->v);
        attn_muon_free(&o->room);
        attn_free(o);
    }
}

/* ---- steps ---- */

static double gradient_norm_of(const attn_optimizer *o) {
    return sqrt(attn_sum_squares(o->state.count, attn_params_grad(o->params)));
}

static attn_adam adam_of(const attn_optimizer *o) {
    const attn_optimizer_options *options = &o->options;
    return (attn_adam){
        .learning_rate = (real)rate_at(options, o->state.steps),
        .beta1 = (real)options->beta1,
        .beta2 = (real)options->beta2,
        .epsilon = (real)options->epsilon,
        .weight_decay = (real)options->weight_decay,
        .step = o->state.steps - o->state.skipped,
    };
}

/* All directions before the first weight moves, so that a failure changes nothing. They lie in v,
 * which Muon has no other use for. */
static attn_status find_directions(attn_optimizer *o, real scale, attn_error *error) {
    for (size_t i = 0; i < attn_params_count(o->params); i++) {
        const attn_param *param = attn_params_at(o->params, i);
        if (!param->frozen && attn_muon_takes(param)) {
            int64_t at = param->grad - attn_params_grad(o->params);
            attn_status status = attn_muon_direction(param, scale, (real)o->options.momentum,
                                                     o->m + at, o->v + at, &o->room, error);
            if (status != ATTN_OK) {
                return status;
            }
        }
    }
    return ATTN_OK;
}

/* The parameters by themselves, the frozen ones left out. */
static void move_each(attn_optimizer *o, const attn_adam *adam, real scale) {
    bool muon = o->options.method == ATTN_OPTIMIZER_MUON;
    for (size_t i = 0; i < attn_params_count(o->params); i++) {
        const attn_param *param = attn_params_at(o->params, i);
        if (param->frozen) {
            continue;
        }
        int64_t at = param->grad - attn_params_grad(o->params);
        if (muon && attn_muon_takes(param)) {
            attn_muon_move(param, scale, (real)o->options.momentum, adam->learning_rate,
                           adam->weight_decay, o->v + at, o->m + at);
        } else {
            attn_adam_update(param->rows * param->cols, adam, scale, param->grad, o->m + at,
                             o->v + at, param->data);
        }
    }
}

static attn_status update(attn_optimizer *o, double gradient_norm, attn_error *error) {
    double clip = o->options.clip_norm;
    real scale = (real)(clip > 0 && gradient_norm > clip ? clip / gradient_norm : 1.0);
    if (o->options.method == ATTN_OPTIMIZER_ADAM) {
        o->state.steps++;
        attn_adam adam = adam_of(o);
        if (o->state.count == attn_params_size(o->params)) {
            attn_adam_update(o->state.count, &adam, scale, attn_params_grad(o->params), o->m, o->v,
                             attn_params_data(o->params));
        } else {
            move_each(o, &adam, scale);
        }
        return ATTN_OK;
    }
    attn_status status = find_directions(o, scale, error);
    if (status == ATTN_OK) {
        o->state.steps++;
        attn_adam adam = adam_of(o);
        move_each(o, &adam, scale);
    }
    return status;
}

double attn_optimizer_skip(attn_optimizer *o) {
    o->state.steps++;
    o->state.skipped++;
    return gradient_norm_of(o);
}

attn_status attn_optimizer_step(attn_optimizer *o, double *gradient_norm, attn_error *error) {
    double norm = gradient_norm_of(o);
    if (gradient_norm != NULL) {
        *gradient_norm = norm;
    }
    if (!isfinite(norm)) {
        o->state.steps++;
        o->state.skipped++;
        return attn_fail(error, ATTN_ERR_NUMERIC, NULL, -1,
                         "lower learning_rate, raise warmup_steps or lower clip_norm",
                         "the gradient of step %lld is NaN or infinite", (long long)o->state.steps);
    }
    return update(o, norm, error);
}

/* ---- keeping and going on ---- */

#define STATE_FIRST ATTN_SIZE_UP_TO(attn_optimizer_state, v)

void attn_optimizer_state_init_sized(attn_optimizer_state *state, size_t size) {
    const attn_optimizer_state none = {.size = sizeof none};
    attn_sized_init(state, size, &none, sizeof none);
}

attn_status attn_optimizer_get_state(const attn_optimizer *o, attn_optimizer_state *state,
                                     attn_error *error) {
    return attn_sized_write(state, &o->state, sizeof o->state, STATE_FIRST, "attn_optimizer_state",
                            error);
}

attn_status attn_optimizer_set_state(attn_optimizer *o, const attn_optimizer_state *state,
                                     attn_error *error) {
    attn_optimizer_state known = {.size = sizeof known};
    attn_status status =
        attn_sized_read(state, &known, sizeof known, STATE_FIRST, "attn_optimizer_state", error);
    if (status != ATTN_OK) {
        return status;
    }
    if (known.count != o->state.count || known.m == NULL || known.v == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "the state is of %lld parameters, the optimizer has %lld",
                         (long long)known.count, (long long)o->state.count);
    }
    if (known.skipped < 0 || known.steps < known.skipped) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "the state counts %lld steps, %lld of them skipped",
                         (long long)known.steps, (long long)known.skipped);
    }
    size_t bytes = (size_t)known.count * sizeof(real);
    memmove(o->m, known.m, bytes);
    memmove(o->v, known.v, bytes);
    o->state.steps = known.steps;
    o->state.skipped = known.skipped;
    return ATTN_OK;
}
