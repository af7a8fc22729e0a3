/* layers/adapter.h: what is learned beside a weight that stays: y = x W^T + scale * (x A^T) B^T, with A [r, C] and B [O, r].
 *
 * r is small, so A and B are few numbers. B begins at zero: the layer computes at first what it computed without. Packing a linear
 * layer adds scale * B A to its weight, so a model that runs knows nothing of adapters. Source: Hu et al. 2021, "LoRA". Next:
 * linear.c. */
#ifndef ATTN_LAYERS_ADAPTER_H
#define ATTN_LAYERS_ADAPTER_H

#include "attn/layers.h"

/* Of one weight; a linear layer has as many as matrices that were declared as one. */
typedef struct attn_adapter {
    attn_linear down; /* A */
    attn_param *up;   /* B */
    int64_t first;    /* the output feature of the layer that is row 0 of B */
    attn_real scale;
    double dropout; /* on x, before A */
} attn_adapter;

enum { ATTN_ADAPTERS_MOST = 3 }; /* of a layer: query, key and value */

/* out [O, C] = W with all that its adapters add. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_linear_merge(const attn_linear *linear, attn_real *out);

#endif
