/* layers/guide.h: teaching one head of an attention over a memory where to look.
 *
 * N rows of x, M memory tokens. Row n of x should look at the memory tokens token[start[n] .. start[n + 1]), counted from
 * the start of its own memory sequence; a row without any is left alone. With p the weights of the head, before dropout,
 *     loss = - sum over guided rows n of (1 / their number) sum over its tokens j of log p[n, j]
 * Source: Garg et al. 2019, "Jointly learning to align and translate with Transformer models", section 3.2. */
#ifndef ATTN_LAYERS_GUIDE_H
#define ATTN_LAYERS_GUIDE_H

#include "attn/layers.h"
#include "base/real.h"

/* start and token must stay until the backward pass is done. */
typedef struct attn_guide {
    int64_t head;         /* from 0 */
    const int64_t *start; /* [N + 1] */
    const int32_t *token;
    real gradient_scale; /* of loss */
    double *loss;        /* += loss */
} attn_guide;

/* attn_layer_attention over a memory, not causal; guide NULL: the same. */
attn_tensor *attn_layers_attention_guided(attn_tape *tape, attn_tensor *x,
                                          const attn_sequences *sequences, attn_tensor *memory,
                                          const attn_sequences *memory_sequences,
                                          const attn_multi_head *attention, double dropout,
                                          const attn_guide *guide);

/* Where the head's parts lie: query row n at query + n * query_row, key m at key + m * key_row, each `size` long. */
typedef struct attn_guide_head {
    const real *query, *key;
    real *d_query, *d_key; /* the same rows; NULL in the forward pass */
    int64_t query_row, key_row, size;
    const real *lse; /* [N]: log of the sum of exp(scale q k) */
    attn_sequences sequences, memory_sequences;
} attn_guide_head;

/* Every token is one of its memory sequence: else *row is the first row of which one is not. */
bool attn_guide_fits(const attn_guide *guide, const attn_guide_head *head, int64_t *row);
double attn_guide_loss(const attn_guide *guide, const attn_guide_head *head);
/* Adds gradient_scale times the gradient of the loss. */
void attn_guide_backward(const attn_guide *guide, const attn_guide_head *head);

#endif
