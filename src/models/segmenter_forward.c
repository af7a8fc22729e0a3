/* models/segmenter_forward.c: the segmenter's wiring: pictures, stem, blocks, decoder, loss.
 *
 * No arithmetic here but that of sizes and of bytes into numbers. Next: attn/images.h. */
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/minmax.h"
#include "kernels/pixel_loss/pixel_loss.h"
#include "models/segmenter.h"

/* ---- pictures as rows ---- */

static attn_grid padded_grid(const attn_pictures *p) {
    return (attn_grid){p->count, attn_round_up(p->height, SEGMENTER_STRIDE),
                       attn_round_up(p->width, SEGMENTER_STRIDE)};
}

static bool possible(const attn_pictures *p) {
    enum { LARGEST = 1 << 20 };
    return p->count >= 1 && p->height >= 1 && p->width >= 1 && p->height <= LARGEST &&
           p->width <= LARGEST && p->count <= LARGEST;
}

enum { PART = 16384 }; /* pixels worth a second thread */

/* [B H W, 3] in -2 .. 2; the last column and row are repeated over the padding. */
static attn_tensor *read_pictures(attn_tape *tape, const attn_pictures *p, const attn_grid *grid) {
    attn_tensor *x = attn_tape_tensor(tape, grid->batch * grid->height * grid->width, 3);
    if (x == NULL) {
        return NULL;
    }
    x->constant = true;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (x->rows > PART)
    for (int64_t row = 0; row < grid->batch * grid->height; row++) {
        real *out = x->data + row * grid->width * 3;
        int64_t y = row % grid->height;
        y = y < p->height ? y : p->height - 1;
        const uint8_t *in = p->pixels + (row / grid->height * p->height + y) * p->width * 3;
        for (int64_t i = 0; i < grid->width * 3; i++) {
            int64_t from = i < p->width * 3 ? i : (p->width - 1) * 3 + i % 3;
            *out++ = ((real)in[from] - (real)127.5) / 64;
        }
    }
    return x;
}

/* ---- wiring ---- */

/* What follows a convolution: RELU after the norm of a picture, before that of a place. */
static attn_activation before_norm(const attn_segmenter *m) {
    return m->config.norm == ATTN_SEGMENTER_NORM_PLACE ? ATTN_ACTIVATION_RELU
                                                       : ATTN_ACTIVATION_NONE;
}

static attn_tensor *normalize(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                              const attn_grid *grid, const attn_group_norm *norm) {
    if (m->config.norm == ATTN_SEGMENTER_NORM_PLACE) {
        return attn_layer_norm(tape, x, &(attn_norm){.gamma = norm->gamma, .beta = norm->beta});
    }
    return attn_layer_group_norm(tape, x, grid, norm, ATTN_ACTIVATION_RELU);
}

/* Convolves and moves the grid on. */
static attn_tensor *convolve(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                             attn_grid *grid, const conv_norm *c) {
    x = attn_layer_conv(tape, x, grid, &c->conv, before_norm(m), NULL);
    *grid = attn_window_grid(&c->conv.window, grid);
    return normalize(m, tape, x, grid, &c->norm);
}

static attn_tensor *residual_units(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                                   const attn_grid *grid, const residual_unit *units,
                                   int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const residual_unit *u = &units[i];
        attn_tensor *h = normalize(m, tape, x, grid, &u->norm[0]);
        h = attn_layer_conv(tape, h, grid, &u->conv[0], before_norm(m), NULL);
        h = normalize(m, tape, h, grid, &u->norm[1]);
        x = attn_layer_conv(tape, h, grid, &u->conv[1], ATTN_ACTIVATION_NONE, x);
    }
    return x;
}

/* x + dropout(stochastic depth(branch W^T + b)) */
static attn_tensor *join(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                         const attn_grid *grid, attn_tensor *branch, const segmenter_block *block,
                         const attn_linear *linear) {
    const attn_segmenter_config *c = &m->config;
    if (attn_tape_recording(tape) && (c->dropout > 0.0 || c->stochastic_depth > 0.0)) {
        int64_t number = block - m->blocks + 1;
        branch = attn_layer_linear(tape, branch, linear, ATTN_ACTIVATION_NONE);
        branch = attn_layer_stochastic_depth(
            tape, branch, grid, c->stochastic_depth * (double)number / (double)c->blocks);
        return attn_layer_residual(tape, x, branch, m->config.dropout);
    }
    return attn_layer_linear_residual(tape, branch, linear, x);
}

static attn_tensor *global_attention(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                                     const attn_grid *grid, const segmenter_block *block) {
    attn_sequences places = attn_grid_sequences(tape, grid), asked = places;
    attn_tensor *memory = NULL;
    if (segmenter_shrinks(&m->config)) {
        attn_grid small = attn_window_grid(&block->shrink.window, grid);
        asked = attn_grid_sequences(tape, &small);
        memory = attn_layer_depthwise(tape, x, grid, &block->shrink, ATTN_ACTIVATION_NONE);
        memory = attn_layer_norm(tape, memory, &block->norm_shrink);
        if (memory == NULL) {
            return NULL; /* or x would attend to itself */
        }
    }
    return attn_layer_attention(tape, x, &places, memory, &asked, &block->attention, false,
                                m->config.attention_dropout);
}

static attn_tensor *window_attention(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                                     const attn_grid *grid, const segmenter_block *block) {
    attn_windows windows = attn_grid_windows(tape, grid, m->config.window);
    x = attn_layer_permute(tape, x, windows.order, false);
    x = attn_layer_attention(tape, x, &windows.sequences, NULL, NULL, &block->attention, false,
                             m->config.attention_dropout);
    return attn_layer_permute(tape, x, windows.order, true);
}

static attn_tensor *mix(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                        const attn_grid *grid, const segmenter_block *block) {
    if (m->config.mixer == ATTN_MIXER_NONE) {
        return x;
    }
    attn_tensor *h = attn_layer_norm(tape, x, &block->norm_mixer);
    if (m->config.mixer == ATTN_MIXER_DEPTHWISE) {
        h = attn_layer_depthwise(tape, h, grid, &block->depthwise, ATTN_ACTIVATION_GELU);
        return join(m, tape, x, grid, h, block, &block->project);
    }
    h = m->config.mixer == ATTN_MIXER_GLOBAL ? global_attention(m, tape, h, grid, block)
                                             : window_attention(m, tape, h, grid, block);
    return join(m, tape, x, grid, h, block, &block->attention.output);
}

static attn_tensor *feed_forward(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                                 const attn_grid *grid, const segmenter_block *block) {
    attn_tensor *h = attn_layer_norm(tape, x, &block->norm_feed_forward);
    h = attn_layer_linear(tape, h, &block->up, ATTN_ACTIVATION_NONE);
    h = attn_layer_depthwise(tape, h, grid, &block->position, m->config.activation);
    return join(m, tape, x, grid, h, block, &block->down);
}

/* What the convolutions saw, on their grids. */
typedef struct pyramid {
    attn_tensor *x2, *x4, *x8;
    attn_grid grid2, grid4, grid8;
} pyramid;

static pyramid stem(const attn_segmenter *m, attn_tape *tape, attn_tensor *x, attn_grid grid) {
    pyramid p;
    x = convolve(m, tape, x, &grid, &m->down_2);
    p.x2 = x = convolve(m, tape, x, &grid, &m->stem_2);
    p.grid2 = grid;
    x = convolve(m, tape, x, &grid, &m->down_4);
    p.x4 = x = residual_units(m, tape, x, &grid, m->units_4, m->config.units_4);
    p.grid4 = grid;
    x = attn_layer_conv(tape, x, &grid, &m->down_8, ATTN_ACTIVATION_NONE, NULL);
    p.grid8 = attn_window_grid(&m->down_8.window, &grid);
    p.x8 = residual_units(m, tape, x, &p.grid8, m->units_8, m->config.units_8);
    return p;
}

/* relu(conv(relu(norm(skip + resize(x W^T + b))))), each with its norm */
static attn_tensor *merge(const attn_segmenter *m, attn_tape *tape, attn_tensor *x,
                          const attn_grid *from, attn_tensor *skip, attn_grid *to,
                          const attn_linear *lateral, const attn_group_norm *norm,
                          const conv_norm *conv) {
    x = attn_layer_linear(tape, x, lateral, ATTN_ACTIVATION_NONE);
    x = attn_layer_resize(tape, x, from, to);
    x = attn_layer_residual(tape, skip, x, 0.0);
    x = normalize(m, tape, x, to, norm);
    return convolve(m, tape, x, to, conv);
}

attn_tensor *attn_segmenter_forward(const attn_segmenter *m, attn_tape *tape,
                                    const attn_pictures *pictures, attn_grid *grid) {
    if (!possible(pictures)) {
        attn_tape_fail(
            tape, ATTN_ERR_ARGUMENT, "%lld pictures of %lld x %lld pixels: each from 1 to 1048576",
            (long long)pictures->count, (long long)pictures->height, (long long)pictures->width);
        return NULL;
    }
    *grid = padded_grid(pictures);
    pyramid p = stem(m, tape, read_pictures(tape, pictures, grid), *grid);
    attn_tensor *x = p.x8;
    for (int64_t i = 0; i < m->config.blocks; i++) {
        attn_tape_scope(tape, "block.%lld", (long long)i);
        x = mix(m, tape, x, &p.grid8, &m->blocks[i]);
        x = feed_forward(m, tape, x, &p.grid8, &m->blocks[i]);
        attn_tape_note(tape, "output", x);
    }
    x = attn_layer_norm(tape, x, &m->norm);
    x = merge(m, tape, x, &p.grid8, p.x4, &p.grid4, &m->lateral_4, &m->norm_4, &m->merge_4);
    x = merge(m, tape, x, &p.grid4, p.x2, &p.grid2, &m->lateral_2, &m->norm_2, &m->merge_2);
    x = attn_layer_linear(tape, x, &m->classify, ATTN_ACTIVATION_NONE);
    return attn_layer_resize(tape, x, &p.grid2, grid);
}

/* ---- loss ---- */

double attn_segmenter_batch_weight(const attn_segmenter *m, const attn_segmenter_batch *batch) {
    const attn_pictures *p = &batch->pictures;
    attn_pixel_labels labels = {sizeof labels, batch->labels, ATTN_IGNORE_LABEL,
                                batch->class_weights, 0.0};
    return attn_pixel_labels_weight(&labels, p->count * p->height * p->width, m->config.classes);
}

/* Labels on the padded grid, where the padding is left out. */
static const uint8_t *pad_labels(attn_tape *tape, const attn_segmenter_batch *batch,
                                 const attn_grid *grid) {
    const attn_pictures *p = &batch->pictures;
    if (grid->height == p->height && grid->width == p->width) {
        return batch->labels;
    }
    size_t size = (size_t)(grid->batch * grid->height * grid->width);
    uint8_t *padded = attn_tape_alloc(tape, size);
    if (padded == NULL) {
        return NULL;
    }
    memset(padded, ATTN_IGNORE_LABEL, size);
    for (int64_t row = 0; row < p->count * p->height; row++) {
        int64_t to = row / p->height * grid->height + row % p->height;
        memcpy(padded + to * grid->width, batch->labels + row * p->width, (size_t)p->width);
    }
    return padded;
}

attn_status attn_segmenter_loss(const attn_segmenter *m, attn_tape *tape,
                                const attn_segmenter_batch *batch, attn_real gradient_scale,
                                double *loss, double *nll, attn_error *error) {
    if (attn_tape_recording(tape) && attn_params_grad(m->params) == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "create or load it trainable",
                         "the tape records, but the model has no gradients");
    }
    attn_grid grid;
    attn_tensor *logits = attn_segmenter_forward(m, tape, &batch->pictures, &grid);
    const uint8_t *labels = logits != NULL ? pad_labels(tape, batch, &grid) : NULL;
    if (labels != NULL) {
        attn_pixel_labels pixels = {sizeof pixels, labels, ATTN_IGNORE_LABEL, batch->class_weights,
                                    m->config.label_smoothing};
        attn_layer_pixel_loss(tape, logits, &pixels, gradient_scale, loss, nll);
    }
    return attn_tape_check(tape, error);
}

/* ---- prediction ---- */

static void crop(const attn_pictures *p, const attn_grid *grid, const void *padded, size_t size,
                 void *out) {
    for (int64_t row = 0; row < p->count * p->height; row++) {
        int64_t from = row / p->height * grid->height + row % p->height;
        memcpy((char *)out + (size_t)(row * p->width) * size,
               (const char *)padded + (size_t)(from * grid->width) * size, (size_t)p->width * size);
    }
}

attn_status attn_segmenter_predict(const attn_segmenter *m, attn_tape *tape,
                                   const attn_pictures *pictures, uint8_t *classes,
                                   attn_real *probabilities, attn_error *error) {
    attn_grid grid;
    attn_tape_begin(tape, false, 0, 0);
    attn_tensor *logits = attn_segmenter_forward(m, tape, pictures, &grid);
    uint8_t *largest = logits != NULL ? attn_tape_alloc(tape, (size_t)logits->rows) : NULL;
    if (largest == NULL) {
        return attn_tape_check(tape, error);
    }
    if (classes != NULL) {
        attn_pixel_argmax(logits->rows, logits->cols, logits->data, largest);
        crop(pictures, &grid, largest, sizeof *classes, classes);
    }
    if (probabilities != NULL) {
        attn_pixel_softmax(logits->rows, logits->cols, logits->data, logits->data);
        crop(pictures, &grid, logits->data, (size_t)logits->cols * sizeof(real), probabilities);
    }
    return ATTN_OK;
}
