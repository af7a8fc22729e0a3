/* kernels/attention/attention.h: attention for layers that bring their own temporary memory.
 *
 * The definition of the forward, which every kernel repeats to the bit, per query row:
 *   unit = log2(e) in real; with a score hook 1, for what the hook is handed is in natural units
 *   q' = q * factor, rounded; factor = scale * log2(e), with a hook scale, with softcap scale /
 *        softcap: in double, rounded once to real
 *   s[j] = chain over d of q'[d] * k[j][d], from 0
 *   with softcap: t[j] = tanh(s[j]), s[j] = t[j] * c; c = softcap * log2(e), with a hook softcap, in
 *        double, rounded once
 *   with ALiBi: s[j] = fma(-(slope * unit), distance, s[j]);
 *        distance = |real(i + shift - (j - j % 16)) - real(j % 16)|
 *   with bias: s[j] = fma(bias, unit, s[j]);  with a hook: s[j] = hook(s[j]) * log2(e)
 *   with a mask: s[j] = -infinity where it is 0
 *   keys in blocks of ATTN_KEY_BLOCK at absolute positions; per block that holds a visible key:
 *     m' = max(m, largest s)
 *     when m' != m: factor = exp2(m - m'), acc and the 16 sums times factor
 *     p[j] = exp2(s[j] - m'), masked: 0;  sums[j % 16] += p[j]
 *     with dropout: p[j] = kept ? p[j] * (1 / (1 - dropout)) : 0
 *     acc[e] = chain over visible j of p[j] * v[j][e], going on from acc
 *   with a sink m starts at sink * log2(e), rounded, and sums[0] at 1, unless that is -infinity
 *   l = lanes_sum(sums);  o[e] = acc[e] / l;  LSE = fma(m, ln(2), log2(l) * ln(2))
 *   l = 0: o = 0, LSE = -inf
 * m otherwise starts at -infinity; a maximum of -infinity counts as 0 in s - m; NaN never becomes the maximum.
 *
 * The definition of the backward, with s[i,j] as above, for the places that a query sees; the
 * others contribute nothing at all:
 *   P[i,j] = exp2(x[i,j]);  x[i,j] = fma(-LSE[i], log2(e), s[i,j])
 *            where |LSE[i]| > 64, of which one float holds too little, and m and l of the same keys give
 *            this LSE: x[i,j] = (s[i,j] - m) - log2(l), at most 0
 *   dP[i,j] = chain over e of dO[i][e] * v[j][e], from 0
 *   D[i] = lanes_sum of 16 lanes, lane[e % 16] = chain over e of dO[i][e] * O[i][e], from 0; less the
 *          gradient by LSE[i], if there is one
 *   with dropout: Pd = kept ? P * (1 / (1 - dropout)) : 0 and dP likewise; without: Pd = P
 *   dS[i,j] = P * (dP - D[i]);  with a hook: dS = its backward of dS
 *   with softcap, for dK and dQ: dS = dS * fma(-t, t, 1)
 *   dV[j][e] = chain of Pd[i,j] * dO[i][e], from 0, over the query heads of the group in order, and
 *              within a head over i ascending
 *   dK[j][d] = scale * (the same chain of dS[i,j] * q[i][d]), one rounding for scale at the end
 *   dQ[i][d] = scale * (chain over j ascending of dS[i,j] * k[j][d], from 0)
 *   d_bias   = d_bias + dS[i,j], one addition after the other in the order of b, h, i; where rows overlap
 *              in that of b, h, blocks of queries, blocks of keys, i
 *   d_sink[h] = d_sink[h] + chain of -P * D[i], from 0, over b and then i ascending; P: that of a score
 *              sink * log2(e); no sink: 0
 * A row with LSE = -infinity counts as P = Pd = dS = 0, dO = 0, q = 0, and its dQ is 0.
 *
 * The definition of the statistics of P, over the places that a query with LSE > -infinity sees:
 *   x[i,j] and P as in the backward
 *   entropy[i] = 0 - lanes_sum * ln(2), at least 0, of lane[j % 16] = chain of P * max(x, -127)
 *   column_sums[j] = sum of P[i,j] from 0, over i ascending
 *
 * Dropout keeps element (b, h, i, j) when word (j / 16) % 4 of
 * philox(counter {(j / 64) * 16 + j % 16, i, h, b}, key {low32, high32 of dropout_key})
 * is at least attn_dropout_threshold(dropout). b is the number of the sequence in the call. */
#ifndef ATTN_KERNELS_ATTENTION_H
#define ATTN_KERNELS_ATTENTION_H

#include "attn/attention.h"
#include "base/memory.h"
#include "base/real.h"

enum { ATTN_KEY_BLOCK = 128 };

/* Memory that calls reuse: grows on first use and is then kept. Not shared by concurrent calls. */
ATTN_MUST_CHECK attn_status attn_attention_forward_scratch(const attn_attention *attention,
                                                           const real *query, const real *key,
                                                           const real *value, real *output,
                                                           real *lse, attn_scratch *scratch,
                                                           attn_error *error);
ATTN_MUST_CHECK attn_status attn_attention_backward_scratch(
    const attn_attention *attention, const real *query, const real *key, const real *value,
    const real *output, const real *lse, const real *d_output,
    const attn_attention_gradients *gradients, attn_scratch *scratch, attn_error *error);

#endif
