/* tape/tape.h: what layers need of the tape beyond the public header. */
#ifndef ATTN_TAPE_TAPE_H
#define ATTN_TAPE_TAPE_H

#include "attn/tape.h"
#include "base/memory.h"
#include "base/real.h"

/* The scratch memory that kernels share within one tape. */
attn_scratch *attn_tape_scratch(attn_tape *tape);
/* attn_params_allocate of the wanted ones (NULL: all); the others' data stays NULL. */
ATTN_MUST_CHECK attn_status attn_params_allocate_some(attn_params *params, bool with_grad,
                                                      bool (*wanted)(const attn_param *row));
/* Gives every parameter a row_scale, all 0. */
ATTN_MUST_CHECK attn_status attn_params_allocate_row_scales(attn_params *params);

/* The gradient of a tensor for a product that can either write or add: *accumulate is false, and
 * the contents are undefined, when this is the first contribution. NULL (the tape fails) when out
 * of memory. */
real *attn_tape_grad_first(attn_tape *tape, attn_tensor *tensor, bool *accumulate);

/* Whether a declare has failed, which attn_params_allocate would report. */
bool attn_params_failed(const attn_params *params);

#endif
