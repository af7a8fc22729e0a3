/* kernels/group_norm/group_norm.c: group normalization, cut over threads by blocks of 64 rows.
 *
 * B pictures of R pixels, C channels in G groups. Each block's sums are stored and then added up by
 * one thread. Next: group_norm_kernels.h. */
#include "kernels/group_norm/group_norm.h"

#include "kernels/table.h"

enum {
    BLOCK = 64,   /* rows of one chain; a change of it changes bits */
    PART = 16384, /* elements worth a second thread */
};

/* What the passes share. Per-channel arrays are [B, C], block sums [B * blocks, C]. */
typedef struct norm_pass {
    const attn_group_norm_shape *shape;
    const attn_group_norm_kernels *kernels;
    int64_t blocks; /* of a picture */
    int threads;
    const real *x, *d_y;
    real *mean, *scale, *slope, *shift;
    real *sum, *product; /* of the blocks */
} norm_pass;

/* Block i of all pictures' blocks. */
typedef struct norm_block {
    int64_t picture, rows, offset; /* offset: of its first element */
} norm_block;

static norm_block block_at(const norm_pass *p, int64_t i) {
    const attn_group_norm_shape *s = p->shape;
    int64_t row = i % p->blocks * BLOCK, left = s->pixels - row;
    norm_block b = {.picture = i / p->blocks, .rows = left < BLOCK ? left : BLOCK};
    b.offset = (b.picture * s->pixels + row) * s->channels;
    return b;
}

static bool start_pass(norm_pass *p, const attn_group_norm_shape *s, int arrays, int sums,
                       attn_scratch *scratch) {
    p->shape = s;
    p->kernels = &attn_kernels_current()->group_norm;
    p->blocks = (s->pixels + BLOCK - 1) / BLOCK;
    p->threads = s->batch * s->pixels * s->channels > PART ? attn_get_threads() : 1;
    size_t channels = (size_t)(s->batch * s->channels), all = channels * (size_t)p->blocks;
    real *room =
        attn_scratch_get(scratch, (channels * (size_t)arrays + all * (size_t)sums) * sizeof(real));
    if (room == NULL) {
        return false;
    }
    p->mean = room;
    p->scale = room + channels;
    p->shift = room + 2 * channels;
    p->slope = room + 3 * channels;
    p->sum = room + channels * (size_t)arrays;
    p->product = p->sum + all;
    return true;
}

/* The sum of a channel's block sums. */
static double channel_total(const norm_pass *p, const real *sums, int64_t picture, int64_t c) {
    double total = 0.0;
    for (int64_t i = 0; i < p->blocks; i++) {
        total += (double)sums[(picture * p->blocks + i) * p->shape->channels + c];
    }
    return total;
}

/* The mean of the block sums over a group. */
static double group_mean(const norm_pass *p, int64_t picture, int64_t group) {
    int64_t size = p->shape->channels / p->shape->groups;
    double total = 0.0;
    for (int64_t c = group * size; c < (group + 1) * size; c++) {
        total += channel_total(p, p->sum, picture, c);
    }
    return total / (double)(p->shape->pixels * size);
}

/* Writes the groups' values [B, G] out for each channel [B, C]. */
static void spread(const attn_group_norm_shape *s, const real *groups, real *channels) {
    int64_t size = s->channels / s->groups;
    for (int64_t i = 0; i < s->batch * s->channels; i++) {
        channels[i] = groups[i / size];
    }
}

static void sum_blocks(const norm_pass *p, bool squared) {
    int64_t channels = p->shape->channels;
#pragma omp parallel for schedule(static) num_threads(p->threads) if (p->threads > 1)
    for (int64_t i = 0; i < p->shape->batch * p->blocks; i++) {
        norm_block b = block_at(p, i);
        if (squared) {
            p->kernels->squares(b.rows, channels, p->x + b.offset, p->mean + b.picture * channels,
                                p->sum + i * channels);
        } else {
            p->kernels->sums(b.rows, channels, p->x + b.offset, p->sum + i * channels);
        }
    }
}

static void statistics(const norm_pass *p, real epsilon, real *mean, real *rstd) {
    const attn_group_norm_shape *s = p->shape;
    sum_blocks(p, false);
    for (int64_t i = 0; i < s->batch * s->groups; i++) {
        mean[i] = (real)group_mean(p, i / s->groups, i % s->groups);
    }
    spread(s, mean, p->mean);
    sum_blocks(p, true);
    for (int64_t i = 0; i < s->batch * s->groups; i++) {
        double variance = group_mean(p, i / s->groups, i % s->groups);
        rstd[i] = (real)(1.0 / sqrt(variance + (double)epsilon));
    }
}

static void activate(attn_activation activation, int64_t count, const real *x, real *y) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    if (activation != ATTN_ACTIVATION_NONE) {
        (activation == ATTN_ACTIVATION_RELU ? kernels->relu : kernels->gelu)(count, x, y);
    }
}

attn_status attn_group_norm_forward(const attn_group_norm_shape *s, const real *x,
                                    const real *gamma, const real *beta, real epsilon,
                                    attn_activation activation, real *y, real *mean, real *rstd,
                                    real *pre_activation, attn_scratch *scratch) {
    norm_pass p = {.x = x};
    if (!start_pass(&p, s, 2, 1, scratch)) {
        return ATTN_ERR_MEMORY;
    }
    statistics(&p, epsilon, mean, rstd);
    spread(s, rstd, p.scale);
    for (int64_t i = 0; i < s->batch * s->channels; i++) {
        p.scale[i] *= gamma[i % s->channels];
    }
#pragma omp parallel for schedule(static) num_threads(p.threads) if (p.threads > 1)
    for (int64_t i = 0; i < s->batch * p.blocks; i++) {
        norm_block b = block_at(&p, i);
        real *out = pre_activation != NULL ? pre_activation : y;
        int64_t first = b.picture * s->channels;
        p.kernels->apply(b.rows, s->channels, x + b.offset, p.mean + first, p.scale + first, beta,
                         out + b.offset);
        activate(activation, b.rows * s->channels, out + b.offset, y + b.offset);
    }
    return ATTN_OK;
}

/* With n = (x - mean) * rstd and d_n = d_y * gamma:
 *     d_x += rstd * (d_n - mean of d_n - n * mean of (d_n * n)),  means over the group. */
static void gradient_slopes(const norm_pass *p, const real *gamma, const real *rstd, real *d_gamma,
                            real *d_beta) {
    const attn_group_norm_shape *s = p->shape;
    int64_t size = s->channels / s->groups;
    for (int64_t i = 0; i < s->batch * s->groups; i++) {
        int64_t picture = i / s->groups, first = i % s->groups * size;
        double r = (double)rstd[i], mean_d = 0.0, mean_product = 0.0;
        for (int64_t c = first; c < first + size; c++) {
            double sum = channel_total(p, p->sum, picture, c);
            double product = channel_total(p, p->product, picture, c) * r;
            d_beta[c] += (real)sum;
            d_gamma[c] += (real)product;
            mean_d += (double)gamma[c] * sum;
            mean_product += (double)gamma[c] * product;
        }
        mean_d /= (double)(s->pixels * size);
        mean_product /= (double)(s->pixels * size);
        for (int64_t c = first; c < first + size; c++) {
            int64_t place = picture * s->channels + c;
            p->scale[place] = rstd[i] * gamma[c];
            p->shift[place] = (real)(-r * mean_d);
            p->slope[place] = (real)(-r * r * mean_product);
        }
    }
}

attn_status attn_group_norm_backward(const attn_group_norm_shape *s, const real *x,
                                     const real *gamma, const real *mean, const real *rstd,
                                     const real *d_y, real *d_x, real *d_gamma, real *d_beta,
                                     attn_scratch *scratch) {
    norm_pass p = {.x = x, .d_y = d_y};
    if (!start_pass(&p, s, 4, 2, scratch)) {
        return ATTN_ERR_MEMORY;
    }
    spread(s, mean, p.mean);
#pragma omp parallel for schedule(static) num_threads(p.threads) if (p.threads > 1)
    for (int64_t i = 0; i < s->batch * p.blocks; i++) {
        norm_block b = block_at(&p, i);
        p.kernels->gradient_sums(b.rows, s->channels, x + b.offset,
                                 p.mean + b.picture * s->channels, d_y + b.offset,
                                 p.sum + i * s->channels, p.product + i * s->channels);
    }
    gradient_slopes(&p, gamma, rstd, d_gamma, d_beta);
#pragma omp parallel for schedule(static) num_threads(p.threads) if (p.threads > 1)
    for (int64_t i = 0; i < s->batch * p.blocks; i++) {
        norm_block b = block_at(&p, i);
        int64_t first = b.picture * s->channels;
        p.kernels->gradient(b.rows, s->channels, x + b.offset, p.mean + first, d_y + b.offset,
                            p.scale + first, p.slope + first, p.shift + first, d_x + b.offset);
    }
    return ATTN_OK;
}
