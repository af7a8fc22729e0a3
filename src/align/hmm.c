/* align/hmm.c: forward and backward in chances scaled to sum 1 at each word.
 *
 * A state is a position and whether the word came from it or from the empty word. The future depends on the position
 * alone, so alpha of both kinds is kept as one sum, and beta is one number a position. */
#include "align/hmm.h"

#include <string.h>

#include "base/minmax.h"

/* Positions of a sentence within reach of k. */
static int64_t first_near(int64_t k) {
    return k > ATTN_HMM_REACH ? k - ATTN_HMM_REACH : 0;
}

static int64_t last_near(int64_t k, int64_t states) {
    return attn_min(k + ATTN_HMM_REACH, states - 1);
}

void attn_jumps_start(attn_jumps *jumps) {
    for (int64_t d = -ATTN_HMM_REACH; d <= ATTN_HMM_REACH; d++) {
        double away = (double)(d > 1 ? d - 1 : 1 - d);
        jumps->near[d + ATTN_HMM_REACH] = 1 / (1 + away * away);
    }
    jumps->far = jumps->near[0];
}

void attn_jumps_from_counts(const attn_jumps *counts, attn_jumps *jumps) {
    /* One more of each: no jump is impossible. */
    for (int64_t d = 0; d < ATTN_HMM_JUMPS; d++) {
        jumps->near[d] = counts->near[d] + 1;
    }
    jumps->far = counts->far / ATTN_HMM_REACH + 1;
}

/* inverse[i]: 1 / the sum of jumps from position i - 1. */
static void normalize(const attn_jumps *jumps, int64_t states, double *inverse) {
    for (int64_t from = -1; from < states; from++) {
        int64_t first = first_near(from), last = last_near(from, states);
        double sum = jumps->far * (double)(states - (last - first + 1));
        for (int64_t k = first; k <= last; k++) {
            sum += jumps->near[k - from + ATTN_HMM_REACH];
        }
        inverse[from + 1] = 1 / sum;
    }
}

/* before[k]: the sum of x[0 .. k). */
static void sum_up(const double *x, int64_t count, double *before) {
    before[0] = 0;
    for (int64_t k = 0; k < count; k++) {
        before[k + 1] = before[k] + x[k];
    }
}

/* The sum of x outside [first, last], from sums up to each place. */
static double outside(const double *before, int64_t count, int64_t first, int64_t last) {
    return first == 0 && last == count - 1 ? 0 : before[first] + (before[count] - before[last + 1]);
}

/* out[k] = sum over i of from[i] jump(k - i). */
static void jump_forward(const attn_jumps *jumps, int64_t states, const double *from, double *out,
                         double *before) {
    sum_up(from, states, before);
    for (int64_t k = 0; k < states; k++) {
        int64_t first = first_near(k), last = last_near(k, states);
        double sum = jumps->far * outside(before, states, first, last);
        for (int64_t i = first; i <= last; i++) {
            sum += from[i] * jumps->near[k - i + ATTN_HMM_REACH];
        }
        out[k] = sum;
    }
}

/* out[i] = sum over k of to[k] jump(k - i). */
static void jump_backward(const attn_jumps *jumps, int64_t states, const double *to, double *out,
                          double *before) {
    sum_up(to, states, before);
    for (int64_t i = 0; i < states; i++) {
        int64_t first = first_near(i), last = last_near(i, states);
        double sum = jumps->far * outside(before, states, first, last);
        for (int64_t k = first; k <= last; k++) {
            sum += to[k] * jumps->near[k - i + ATTN_HMM_REACH];
        }
        out[i] = sum;
    }
}

/* Adds from[i] jump(k - i) to[k] to the count of each jump. */
static void count_jumps(const attn_jumps *jumps, int64_t states, const double *from,
                        const double *to, attn_jumps *counts, double *before) {
    sum_up(from, states, before);
    for (int64_t k = 0; k < states; k++) {
        int64_t first = first_near(k), last = last_near(k, states);
        counts->far += jumps->far * to[k] * outside(before, states, first, last);
        for (int64_t i = first; i <= last; i++) {
            int64_t d = k - i + ATTN_HMM_REACH;
            counts->near[d] += from[i] * jumps->near[d] * to[k];
        }
    }
}

/* The first word: every jump is from position -1. */
static double first_jump(const attn_jumps *jumps, int64_t k) {
    return k < ATTN_HMM_REACH ? jumps->near[k + 1 + ATTN_HMM_REACH] : jumps->far;
}

typedef struct sentence {
    const attn_jumps *jumps;
    double empty;
    int64_t states, words;
    const float *emission;
    double *inverse;         /* [I + 1] */
    double *reached, *alpha; /* [J, I]: word j from position i; or from the empty word too */
    double *scale;           /* [J] */
    double *from, *to, *sums, *beta; /* [I + 1] each */
} sentence;

/* One row of reached and alpha, scaled. */
static void forward(sentence *s, int64_t j) {
    const float *emission = s->emission + j * (s->states + 1);
    double *reached = s->reached + j * s->states, *alpha = s->alpha + j * s->states;
    const double *before = alpha - s->states;
    double sum = 0;
    if (j == 0) {
        for (int64_t k = 0; k < s->states; k++) {
            reached[k] = s->from[k] = first_jump(s->jumps, k) * s->inverse[0];
        }
    } else {
        for (int64_t i = 0; i < s->states; i++) {
            s->from[i] = before[i] * s->inverse[i + 1];
        }
        jump_forward(s->jumps, s->states, s->from, reached, s->sums);
    }
    for (int64_t k = 0; k < s->states; k++) {
        double stay = j == 0 ? s->from[k] : before[k];
        reached[k] *= (1 - s->empty) * (double)emission[k];
        alpha[k] = reached[k] + s->empty * (double)emission[s->states] * stay;
        sum += alpha[k];
    }
    for (int64_t k = 0; k < s->states; k++) {
        reached[k] /= sum;
        alpha[k] /= sum;
    }
    s->scale[j] = sum;
}

/* The posterior of word j, then beta of the word before, and the jumps to word j. */
static void backward(sentence *s, int64_t j, double *posterior, attn_jumps *counts) {
    const float *emission = s->emission + j * (s->states + 1);
    const double *reached = s->reached + j * s->states, *alpha = s->alpha + j * s->states;
    const double *before = alpha - s->states;
    double rest = 0;
    for (int64_t k = 0; k < s->states; k++) {
        posterior[k] = reached[k] * s->beta[k];
        rest += (alpha[k] - reached[k]) * s->beta[k];
        s->to[k] = (1 - s->empty) * (double)emission[k] * s->beta[k] / s->scale[j];
    }
    posterior[s->states] = rest;
    if (j == 0) {
        for (int64_t k = 0; k < s->states && counts != NULL; k++) {
            double *to = k < ATTN_HMM_REACH ? &counts->near[k + 1 + ATTN_HMM_REACH] : &counts->far;
            *to += first_jump(s->jumps, k) * s->inverse[0] * s->to[k];
        }
        return;
    }
    if (counts != NULL) {
        for (int64_t i = 0; i < s->states; i++) {
            s->from[i] = before[i] * s->inverse[i + 1];
        }
        count_jumps(s->jumps, s->states, s->from, s->to, counts, s->sums);
    }
    double stay = s->empty * (double)emission[s->states] / s->scale[j];
    jump_backward(s->jumps, s->states, s->to, s->from, s->sums);
    for (int64_t i = 0; i < s->states; i++) {
        s->beta[i] = s->from[i] * s->inverse[i + 1] + stay * s->beta[i];
    }
}

int64_t attn_hmm_work(int64_t states, int64_t words) {
    return 2 * states * words + words + 5 * (states + 1);
}

void attn_hmm_posterior(const attn_jumps *jumps, double empty, int64_t states, int64_t words,
                        const float *emission, double *posterior, attn_jumps *counts,
                        double *work) {
    sentence s = {.jumps = jumps,
                  .empty = empty,
                  .states = states,
                  .words = words,
                  .emission = emission,
                  .reached = work,
                  .alpha = work + states * words};
    s.scale = s.alpha + states * words;
    s.inverse = s.scale + words;
    s.from = s.inverse + states + 1;
    s.to = s.from + states + 1;
    s.sums = s.to + states + 1;
    s.beta = s.sums + states + 1;
    normalize(jumps, states, s.inverse);
    for (int64_t j = 0; j < words; j++) {
        forward(&s, j);
    }
    for (int64_t k = 0; k < states; k++) {
        s.beta[k] = 1;
    }
    for (int64_t j = words - 1; j >= 0; j--) {
        backward(&s, j, posterior + j * (states + 1), counts);
    }
}
