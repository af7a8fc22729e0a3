/* kernels/optimizer/optimizer.c: Adam and the norm of the gradient, cut over threads.
 *
 * Next: kernels/optimizer/optimizer_ref.c. */
#include "kernels/optimizer/optimizer.h"

#include "kernels/table.h"

enum {
    PART = 16384, /* elements worth a thread's while */
    CHUNK = 4096, /* elements summed in one go */
    CHUNKS = 256, /* chunks whose sums are kept at a time */
};

static int64_t optimizer_least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* base^exponent by squaring: multiplications alone, so the same bits everywhere. */
static double power(double base, int64_t exponent) {
    double result = 1.0;
    for (; exponent > 0; exponent /= 2, base *= base) {
        if (exponent % 2 == 1) {
            result *= base;
        }
    }
    return result;
}

void attn_adam_update(int64_t count, const attn_adam *adam, real gradient_scale,
                      const real *gradient, real *m, real *v, real *weight) {
    const attn_optimizer_kernels *kernels = &attn_kernels_current()->optimizer;
    double beta1 = (double)adam->beta1, beta2 = (double)adam->beta2;
    double rate = (double)adam->learning_rate;
    const attn_adam_factors factors = {
        .gradient = gradient_scale,
        .beta1 = adam->beta1,
        .one_less_beta1 = (real)(1.0 - beta1),
        .beta2 = adam->beta2,
        .one_less_beta2 = (real)(1.0 - beta2),
        .step = (real)(rate / (1.0 - power(beta1, adam->step))),
        .correction = (real)(1.0 / (1.0 - power(beta2, adam->step))),
        .epsilon = adam->epsilon,
        .decay = (real)(rate * (double)adam->weight_decay),
    };
    int64_t parts = (count + PART - 1) / PART;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        int64_t at = i * PART;
        kernels->adam(optimizer_least(PART, count - at), &factors, gradient + at, m + at, v + at,
                      weight + at);
    }
}

double attn_sum_squares(int64_t count, const real *values) {
    const attn_optimizer_kernels *kernels = &attn_kernels_current()->optimizer;
    double sum = 0.0, part[CHUNKS];
    for (int64_t start = 0; start < count; start += (int64_t)CHUNKS * CHUNK) {
        int64_t chunks = optimizer_least(CHUNKS, (count - start + CHUNK - 1) / CHUNK);
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (chunks > 8)
        for (int64_t i = 0; i < chunks; i++) {
            int64_t at = start + i * CHUNK;
            part[i] = (double)kernels->sum_squares(optimizer_least(CHUNK, count - at), values + at);
        }
        for (int64_t i = 0; i < chunks; i++) {
            sum += part[i];
        }
    }
    return sum;
}
