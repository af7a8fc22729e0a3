/* tape/tape.h: what layers need of the tape beyond the public header. */
#ifndef ATTN_TAPE_TAPE_H
#define ATTN_TAPE_TAPE_H

#include "attn/tape.h"
#include "base/memory.h"
#include "base/real.h"

/* The scratch memory that kernels share within one tape. */
attn_scratch *attn_tape_scratch(attn_tape *tape);
/* The failure of something below a layer: a kernel, a cache. */
void attn_tape_fail_as(attn_tape *tape, const attn_error *error);
/* attn_params_allocate of the wanted ones (NULL: all); the others' data stays NULL. */
ATTN_MUST_CHECK attn_status attn_params_allocate_some(attn_params *params, bool with_grad,
                                                      bool (*wanted)(const attn_param *row),
                                                      attn_error *error);
/* Those that are not frozen, one after another: out of the parameters, and into them. */
void attn_params_gather(const attn_params *params, real *to);
void attn_params_scatter(const attn_params *params, const real *from);
/* Gives every parameter a row_scale, all 0. */
ATTN_MUST_CHECK attn_status attn_params_allocate_row_scales(attn_params *params, attn_error *error);

/* The gradient of a tensor for a product that can either write or add: *accumulate is false, and
 * the contents are undefined, when this is the first contribution. NULL (the tape fails) when out
 * of memory. */
real *attn_tape_grad_first(attn_tape *tape, attn_tensor *tensor, bool *accumulate);

/* Who wants to know when the gradient of a parameter is complete. While a pass is recorded, `uses` is called before the
 * record of a layer that adds to the gradient: `record` of them were there before. While it is played back, `played` is called
 * after each: what is used by this record, and by those with higher numbers, alone, is complete. */
typedef struct attn_tape_follower {
    void *context;
    void (*uses)(void *context, const attn_param *param, int64_t record);
    void (*played)(void *context, int64_t record);
} attn_tape_follower;

/* Of the passes to come; NULL: nobody. Only the pointer is kept. */
void attn_tape_follow(attn_tape *tape, const attn_tape_follower *follower);
/* Layers say so of each parameter before their record. Of one that no layer names nothing is known, until the pass is
 * over. */
void attn_tape_uses(attn_tape *tape, const attn_param *param);

/* Whether every declare went well; else what attn_params_allocate would report. */
ATTN_MUST_CHECK attn_status attn_params_check(const attn_params *params, attn_error *error);
/* Makes the table fail: `name` cannot be declared, and why (the first reason stays). */
ATTN_PRINTF(4, 5)
void attn_params_fail(attn_params *params, attn_status status, const char *name, const char *reason,
                      ...);

#endif
