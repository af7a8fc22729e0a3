/* tape/muon.h: the direction that the optimizer Muon takes for a matrix: its momentum, made orthogonal.
 *
 * The momentum's singular values all become about 1, so that a step moves every direction of the
 * matrix alike, the rare ones as far as those that dominate the gradient. Five steps of Newton and
 * Schulz's iteration do it with products alone:
 *
 *     X = U / |U|_F;   X = a X + (b A + c A^2) X   with A = X X^T,  a, b, c = 3.4445, -4.775, 2.0315
 *
 * Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". Next: muon.c. */
#ifndef ATTN_TAPE_MUON_H
#define ATTN_TAPE_MUON_H

#include "attn/tape.h"
#include "base/memory.h"
#include "base/real.h"

/* Temporary memory, for matrices up to the largest of a table. */
typedef struct attn_muon_room {
    real *next;          /* of the size of the matrix */
    real *gram, *factor; /* the square of its shorter side */
    attn_scratch scratch;
} attn_muon_room;

/* Whether Muon updates it: a matrix that multiplies what flows through the network. Embeddings,
 * which are looked up, and vectors are left to Adam. */
bool attn_muon_takes(const attn_param *param);

/* ATTN_ERR_MEMORY. Freed with attn_muon_free, after a failure too. */
ATTN_MUST_CHECK attn_status attn_muon_room_for(const attn_params *params, attn_muon_room *room,
                                               attn_error *error);
void attn_muon_free(attn_muon_room *room);

/* direction[rows, cols] = orthogonal(g + momentum * m'),  m' = momentum * m + g,  g = scale * grad;
 * m itself stays. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_muon_direction(const attn_param *param, real scale, real momentum,
                                                const real *m, real *direction,
                                                attn_muon_room *room, attn_error *error);

/* m = m';  w = w - rate * (0.2 sqrt(max(rows, cols)) direction + weight_decay w). With the factor an
 * element moves as far as Adam usually moves it (Liu et al. 2025), so that both share a rate. */
void attn_muon_move(const attn_param *param, real scale, real momentum, real rate,
                    real weight_decay, const real *direction, real *m);

#endif
