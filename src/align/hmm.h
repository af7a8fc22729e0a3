/* align/hmm.h: one sentence generated from its translation, word by word, by a hidden Markov model.
 *
 * I states: the positions of the side that generates; J words are generated. The position of word j depends on that of
 * the word before by how far one jumps: p(k | i) = jump(k - i) / sum over positions m of jump(m - i). With chance
 * `empty` a word comes from the empty word, and the position stays as it was. The first word jumps from position -1.
 * Sources: Vogel, Ney and Tillmann 1996; the empty word as in Och and Ney 2003, section 2.1. */
#ifndef ATTN_ALIGN_HMM_H
#define ATTN_ALIGN_HMM_H

#include <stdint.h>

/* Jumps of more than this are all alike, so that a word costs no more than 2 x this many steps a position. */
enum { ATTN_HMM_REACH = 50, ATTN_HMM_JUMPS = 2 * ATTN_HMM_REACH + 1 };

typedef struct attn_jumps {
    double near[ATTN_HMM_JUMPS]; /* by jump + ATTN_HMM_REACH */
    double far;                  /* of one position that lies farther off */
} attn_jumps;

/* Mostly to the next word; for the first iteration. */
void attn_jumps_start(attn_jumps *jumps);
/* Shares from expected counts, in which `far` holds all jumps that are farther. */
void attn_jumps_from_counts(const attn_jumps *counts, attn_jumps *jumps);

/* emission: [J, I + 1], t(word j | word i), the empty word last. posterior: the same shape; row j are the chances of
 * each position given the whole sentence, their sum 1. counts: NULL, or where expected jumps are added.
 * work: attn_hmm_work(I, J) doubles. I, J >= 1; emissions above 0. */
void attn_hmm_posterior(const attn_jumps *jumps, double empty, int64_t states, int64_t words,
                        const float *emission, double *posterior, attn_jumps *counts, double *work);
int64_t attn_hmm_work(int64_t states, int64_t words);

#endif
