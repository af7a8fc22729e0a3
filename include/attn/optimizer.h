/* attn/optimizer.h: from gradients to new weights: AdamW or Muon with warm-up, as `attn train` uses it.
 *
 * A training step of a network of one's own, in the order of the calls:
 *
 *     attn_params_zero_grad(params);
 *     attn_tape_begin(tape, true, seed, step);
 *     ... the layers, then the loss and its gradient ...
 *     status = attn_tape_backward(tape, &error);
 *     status = attn_optimizer_step(optimizer, &gradient_norm, &error);
 *
 * Several passes before one step add their gradients up. examples/layers.c is a whole program.
 * The same parameters, gradients and options give the same weights, to the last bit, everywhere.
 * Source: Kingma and Ba 2015; decoupled weight decay: Loshchilov and Hutter 2019; the schedule: Vaswani
 * et al. 2017, section 5.3; Muon: Jordan et al. 2024, its scale: Liu et al. 2025, "Muon is scalable for
 * LLM training". */
#ifndef ATTN_OPTIMIZER_H
#define ATTN_OPTIMIZER_H

#include "attn/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The learning rate after the warm-up. */
typedef enum attn_schedule {
    ATTN_SCHEDULE_INVERSE_SQRT, /* falls with the root of the step */
    ATTN_SCHEDULE_CONSTANT,
} attn_schedule;

/* How a step is made from the gradient. */
typedef enum attn_optimizer_method {
    ATTN_OPTIMIZER_ADAM, /* AdamW for all */
    /* Muon for the matrices that multiply (those with an init of Xavier or He), AdamW for embeddings
     * and vectors. A step costs 10 shorter^2 (2 longer + shorter) operations for each matrix more; it
     * pays where a batch has some thousands of tokens. */
    ATTN_OPTIMIZER_MUON,
} attn_optimizer_method;

/* Initialize it with attn_optimizer_options_init. */
typedef struct attn_optimizer_options {
    size_t size;            /* of this struct, set by the init */
    double learning_rate;   /* the highest, at the end of the warm-up; >= 0 */
    double warmup_init;     /* the rate at the start of the warm-up; >= 0 */
    int64_t warmup_steps;   /* >= 0 */
    attn_schedule schedule; /* after the warm-up */
    int64_t max_steps;      /* where the cooldown ends; 0: no end */
    int64_t cooldown_steps; /* the last ones, over which the rate falls to 0; needs max_steps */
    double beta1, beta2;    /* decay of the mean and of the mean of squares; 0 <= b < 1 */
    double epsilon;         /* > 0 */
    double weight_decay;    /* >= 0 */
    double clip_norm;       /* the largest norm of the gradient; 0: no limit */
    attn_optimizer_method method;
    double momentum; /* of Muon; 0 <= momentum < 1 */
} attn_optimizer_options;

/* Adam with rate 0.001, no warm-up, a constant rate, beta 0.9 and 0.98, epsilon 1e-9, no decay and no
 * clipping; should the method be set to Muon, momentum 0.95. */
ATTN_API void attn_optimizer_options_init_sized(attn_optimizer_options *options, size_t size);
static inline void attn_optimizer_options_init(attn_optimizer_options *options) {
    attn_optimizer_options_init_sized(options, sizeof *options);
}

/* The learning rate of a step, counted from 1:
 *     warm-up    init + (rate - init) * step / warmup           step < warmup
 *     after it   rate * sqrt(warmup / step), or rate (constant)
 *     cooldown   the rate at its start, falling linearly to 0 just after max_steps
 * In double with exact operations only, so that it is the same on every machine. NaN for options that
 * attn_optimizer_create refuses. Thread-safe. */
ATTN_API double attn_optimizer_rate(const attn_optimizer_options *options, int64_t step);

typedef struct attn_optimizer attn_optimizer;

/* *out is the caller's, freed with attn_optimizer_free (NULL is allowed). params: allocated with
 * gradients; they must outlive the optimizer. An optimizer belongs to one thread at a time.
 * ATTN_ERR_ARGUMENT names the option, or says that params has no gradients or nothing to train; ATTN_ERR_MEMORY: it takes
 * twice the memory of the weights that are not frozen. */
ATTN_API ATTN_MUST_CHECK attn_status attn_optimizer_create(const attn_optimizer_options *options,
                                                           attn_params *params,
                                                           attn_optimizer **out, attn_error *error);
ATTN_API void attn_optimizer_free(attn_optimizer *optimizer);

/* One update from the gradients g that lie in params, at step t (skipped ones not counted):
 *     g = g * clip_norm / |g|   when |g| > clip_norm
 *     m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
 *     w = w - rate * (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay * w)
 * and of a matrix [rows, cols] that Muon takes
 *     m = momentum m + g;   u = g + momentum m
 *     w = w - rate * (0.2 sqrt(max(rows, cols)) orthogonal(u) + weight_decay * w)
 * where orthogonal(u) has the singular vectors of u and singular values of about 1 (0.7 .. 1.2, by five
 * steps of Newton and Schulz's iteration).
 * *gradient_norm (may be NULL) receives |g| before clipping. The gradients stay as they are.
 * ATTN_ERR_NUMERIC: the gradient holds NaN or infinity; the step is counted as skipped and changes
 * nothing, so a training may go on after it. ATTN_ERR_MEMORY (Muon alone): nothing has changed. */
ATTN_API ATTN_MUST_CHECK attn_status attn_optimizer_step(attn_optimizer *optimizer,
                                                         double *gradient_norm, attn_error *error);
/* Counts a step as skipped and changes nothing else, for a caller that finds the loss itself wrong.
 * Returns |g|. */
ATTN_API double attn_optimizer_skip(attn_optimizer *optimizer);

/* Everything that a step changes beside the weights: to keep, and to go on from, bit for bit. */
typedef struct attn_optimizer_state {
    size_t size;   /* of this struct, set by attn_optimizer_state_init */
    int64_t steps; /* so far, skipped ones counted */
    int64_t skipped;
    int64_t count;          /* attn_params_trained */
    const attn_real *m, *v; /* [count]; v of a matrix that Muon takes: its last direction */
} attn_optimizer_state;

ATTN_API void attn_optimizer_state_init_sized(attn_optimizer_state *state, size_t size);
static inline void attn_optimizer_state_init(attn_optimizer_state *state) {
    attn_optimizer_state_init_sized(state, sizeof *state);
}
/* The arrays are the optimizer's and change with its steps. ATTN_ERR_ARGUMENT: state was not
 * initialised. */
ATTN_API ATTN_MUST_CHECK attn_status attn_optimizer_get_state(const attn_optimizer *optimizer,
                                                              attn_optimizer_state *state,
                                                              attn_error *error);
/* Copies the arrays. ATTN_ERR_ARGUMENT: state was not initialised, is of another number of parameters,
 * or counts below 0. */
ATTN_API ATTN_MUST_CHECK attn_status attn_optimizer_set_state(attn_optimizer *optimizer,
                                                              const attn_optimizer_state *state,
                                                              attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
