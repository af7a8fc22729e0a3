/* kernels/group_norm/group_norm.c: group normalization, cut over threads by blocks of 64 rows.
 *
 * B pictures of R pixels, C channels in G groups. Each block's sums are stored, and a group's are then
 * added up by one thread. Picture after picture: each pass cuts the blocks in the same way, so that
 * a thread finds what it read for the sums in its own cache. Next: group_norm_kernels.h. */
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
    const real *x;
    real *mean, *scale, *slope, *shift;
    real *sum, *product; /* of the blocks */
} norm_pass;

/* Block i of a picture. */
typedef struct norm_block {
    int64_t rows, offset; /* offset: of its first element */
    int64_t sums;         /* where its sums lie */
} norm_block;

static norm_block block_at(const norm_pass *p, int64_t picture, int64_t i) {
    const attn_group_norm_shape *s = p->shape;
    int64_t row = i * BLOCK, left = s->pixels - row;
    return (norm_block){.rows = left < BLOCK ? left : BLOCK,
                        .offset = (picture * s->pixels + row) * s->channels,
                        .sums = (picture * p->blocks + i) * s->channels};
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

/* ---- forward: every function is run by all threads of a team ---- */

static void sum_blocks(const norm_pass *p, int64_t picture, bool squared) {
    int64_t channels = p->shape->channels;
#pragma omp for schedule(static)
    for (int64_t i = 0; i < p->blocks; i++) {
        norm_block b = block_at(p, picture, i);
        if (squared) {
            p->kernels->squares(b.rows, channels, p->x + b.offset, p->mean + picture * channels,
                                p->sum + b.sums);
        } else {
            p->kernels->sums(b.rows, channels, p->x + b.offset, p->sum + b.sums);
        }
    }
}

/* The means, for each channel too. */
static void find_means(const norm_pass *p, int64_t picture, real *mean) {
    int64_t groups = p->shape->groups, size = p->shape->channels / groups;
#pragma omp for schedule(static)
    for (int64_t g = 0; g < groups; g++) {
        int64_t place = picture * groups + g;
        mean[place] = (real)group_mean(p, picture, g);
        for (int64_t c = 0; c < size; c++) {
            p->mean[place * size + c] = mean[place];
        }
    }
}

static void find_scales(const norm_pass *p, int64_t picture, real epsilon, const real *gamma,
                        real *rstd) {
    int64_t groups = p->shape->groups, size = p->shape->channels / groups;
#pragma omp for schedule(static)
    for (int64_t g = 0; g < groups; g++) {
        int64_t place = picture * groups + g;
        double variance = group_mean(p, picture, g);
        rstd[place] = (real)(1.0 / sqrt(variance + (double)epsilon));
        for (int64_t c = 0; c < size; c++) {
            p->scale[place * size + c] = rstd[place] * gamma[g * size + c];
        }
    }
}

static void group_norm_activate(attn_activation activation, int64_t count, const real *x, real *y) {
    const attn_elementwise_kernels *kernels = &attn_kernels_current()->elementwise;
    if (activation != ATTN_ACTIVATION_NONE) {
        (activation == ATTN_ACTIVATION_RELU ? kernels->relu : kernels->gelu)(count, x, y);
    }
}

static void group_norm_apply(const norm_pass *p, int64_t picture, const real *beta,
                             attn_activation activation, real *normal, real *y) {
    int64_t channels = p->shape->channels, first = picture * channels;
#pragma omp for schedule(static)
    for (int64_t i = 0; i < p->blocks; i++) {
        norm_block b = block_at(p, picture, i);
        p->kernels->apply(b.rows, channels, p->x + b.offset, p->mean + first, p->scale + first,
                          beta, normal + b.offset);
        group_norm_activate(activation, b.rows * channels, normal + b.offset, y + b.offset);
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
#pragma omp parallel num_threads(p.threads) if (p.threads > 1)
    for (int64_t b = 0; b < s->batch; b++) {
        sum_blocks(&p, b, false);
        find_means(&p, b, mean);
        sum_blocks(&p, b, true);
        find_scales(&p, b, epsilon, gamma, rstd);
        group_norm_apply(&p, b, beta, activation, pre_activation != NULL ? pre_activation : y, y);
    }
    return ATTN_OK;
}

/* ---- backward ---- */

/* A picture's values for each channel. */
static void spread(const norm_pass *p, int64_t picture, const attn_group_norm_gradient *g) {
    int64_t groups = p->shape->groups, size = p->shape->channels / groups;
    for (int64_t c = 0; c < p->shape->channels; c++) {
        int64_t place = picture * p->shape->channels + c, group = picture * groups + c / size;
        p->mean[place] = g->mean[group];
        p->scale[place] = g->rstd[group] * g->gamma[c];
    }
}

static attn_group_norm_rows rows_of(const norm_pass *p, int64_t picture, const norm_block *b,
                                    const attn_group_norm_gradient *g) {
    int64_t first = picture * p->shape->channels;
    return (attn_group_norm_rows){.rows = b->rows,
                                  .channels = p->shape->channels,
                                  .x = g->x + b->offset,
                                  .d_y = g->d_y + b->offset,
                                  .mean = p->mean + first,
                                  .scale = p->scale + first,
                                  .beta = g->relu ? g->beta : NULL};
}

/* With n = (x - mean) * rstd and d_n = d * gamma, d the gradient by norm(x):
 *     d_x += rstd * (d_n - mean of d_n - n * mean of (d_n * n)),  means over the group. */
static void find_slopes(const norm_pass *p, int64_t picture, const attn_group_norm_gradient *g) {
    const attn_group_norm_shape *s = p->shape;
    int64_t size = s->channels / s->groups;
#pragma omp for schedule(static)
    for (int64_t group = 0; group < s->groups; group++) {
        int64_t first = group * size;
        double r = (double)g->rstd[picture * s->groups + group], mean_d = 0.0, mean_product = 0.0;
        for (int64_t c = first; c < first + size; c++) {
            double sum = channel_total(p, p->sum, picture, c);
            double product = channel_total(p, p->product, picture, c) * r;
            if (g->d_beta != NULL) {
                g->d_beta[c] += (real)sum;
            }
            if (g->d_gamma != NULL) {
                g->d_gamma[c] += (real)product;
            }
            mean_d += (double)g->gamma[c] * sum;
            mean_product += (double)g->gamma[c] * product;
        }
        mean_d /= (double)(s->pixels * size);
        mean_product /= (double)(s->pixels * size);
        for (int64_t c = first; c < first + size; c++) {
            int64_t place = picture * s->channels + c;
            p->shift[place] = (real)(-r * mean_d);
            p->slope[place] = (real)(-r * r * mean_product);
        }
    }
}

static void backward_picture(const norm_pass *p, int64_t picture,
                             const attn_group_norm_gradient *g) {
    int64_t first = picture * p->shape->channels;
#pragma omp for schedule(static)
    for (int64_t i = 0; i < p->blocks; i++) {
        norm_block b = block_at(p, picture, i);
        attn_group_norm_rows rows = rows_of(p, picture, &b, g);
        p->kernels->gradient_sums(&rows, p->sum + b.sums, p->product + b.sums);
    }
    find_slopes(p, picture, g);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < p->blocks; i++) {
        norm_block b = block_at(p, picture, i);
        attn_group_norm_rows rows = rows_of(p, picture, &b, g);
        p->kernels->gradient(&rows, p->slope + first, p->shift + first, g->accumulate,
                             g->d_x + b.offset);
    }
}

attn_status attn_group_norm_backward(const attn_group_norm_shape *s,
                                     const attn_group_norm_gradient *g, attn_scratch *scratch) {
    norm_pass p = {.x = g->x};
    if (!start_pass(&p, s, 4, 2, scratch)) {
        return ATTN_ERR_MEMORY;
    }
    for (int64_t b = 0; b < s->batch; b++) {
        spread(&p, b, g);
    }
#pragma omp parallel num_threads(p.threads) if (p.threads > 1)
    for (int64_t b = 0; b < s->batch; b++) {
        backward_picture(&p, b, g);
    }
    return ATTN_OK;
}
