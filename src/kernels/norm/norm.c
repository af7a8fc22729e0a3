/* kernels/norm/norm.c: layer normalization, cut over threads.
 *
 * Rows are independent except in d_gamma and d_beta, whose sums run over the rows in order: there
 * each thread takes columns. Next: kernels/norm/norm_ref.c. */
#include "kernels/norm/norm.h"

#include "kernels/table.h"

enum {
    PART = 16384, /* elements worth a thread's while */
    COLUMNS = 32, /* columns of one part: whole cache lines, so that threads do not share any */
};

static int64_t norm_least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t rows_per_part(int64_t channels) {
    return channels < PART ? PART / (channels > 0 ? channels : 1) : 1;
}

void attn_norm_forward(int64_t rows, int64_t channels, const real *x, const real *gamma,
                       const real *beta, real epsilon, bool centred, real *y, real *mean,
                       real *rstd) {
    const attn_norm_kernels *kernels = &attn_kernels_current()->norm;
    int64_t part = rows_per_part(channels);
    int64_t parts = (rows + part - 1) / part;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        int64_t r = i * part;
        kernels->forward(norm_least(part, rows - r), channels, x + r * channels, gamma, beta,
                         epsilon, centred, y + r * channels, mean ? mean + r : NULL,
                         rstd ? rstd + r : NULL);
    }
}

static void norm_backward_input(int64_t rows, int64_t channels, const real *x, const real *gamma,
                                const real *mean, const real *rstd, const real *d_y, real *d_x,
                                bool centred) {
    const attn_norm_kernels *kernels = &attn_kernels_current()->norm;
    int64_t part = rows_per_part(channels);
    int64_t parts = (rows + part - 1) / part;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        int64_t r = i * part;
        kernels->backward_input(norm_least(part, rows - r), channels, x + r * channels, gamma,
                                mean + r, rstd + r, d_y + r * channels, d_x + r * channels,
                                centred);
    }
}

static void norm_backward_parameters(int64_t rows, int64_t channels, const real *x,
                                     const real *mean, const real *rstd, const real *d_y,
                                     real *d_gamma, real *d_beta) {
    const attn_norm_kernels *kernels = &attn_kernels_current()->norm;
    int64_t part = rows * channels > PART ? COLUMNS : channels;
    int64_t parts = (channels + part - 1) / part;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (parts > 1)
    for (int64_t i = 0; i < parts; i++) {
        int64_t c = i * part;
        kernels->backward_parameters(rows, norm_least(part, channels - c), channels, x + c, mean,
                                     rstd, d_y + c, d_gamma ? d_gamma + c : NULL,
                                     d_beta ? d_beta + c : NULL);
    }
}

void attn_norm_backward(int64_t rows, int64_t channels, const real *x, const real *gamma,
                        const real *mean, const real *rstd, const real *d_y, real *d_x,
                        real *d_gamma, real *d_beta, bool centred) {
    if (rows <= 0 || channels <= 0) {
        return;
    }
    if (d_gamma || d_beta) {
        norm_backward_parameters(rows, channels, x, mean, rstd, d_y, d_gamma, d_beta);
    }
    if (d_x) {
        norm_backward_input(rows, channels, x, gamma, mean, rstd, d_y, d_x, centred);
    }
}
