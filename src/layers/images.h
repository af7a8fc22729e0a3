/* layers/images.h: what the layers of pictures share. */
#ifndef ATTN_LAYERS_IMAGES_H
#define ATTN_LAYERS_IMAGES_H

#include "attn/images.h"
#include "kernels/conv/conv.h"
#include "layers/layers.h"

static inline int64_t attn_grid_pixels(const attn_grid *grid) {
    return grid->batch * grid->height * grid->width;
}

/* Whether there can be such a grid: nothing negative, and no more pixels than can be counted. */
static inline bool attn_layers_grid(attn_tape *tape, const attn_grid *grid) {
    size_t pixels;
    if (!attn_layers_given(tape, grid, "grid")) {
        return false;
    }
    bool good = grid->batch >= 0 && grid->height >= 0 && grid->width >= 0 &&
                attn_size_mul((size_t)grid->batch, (size_t)grid->height, &pixels) &&
                attn_size_mul(pixels, (size_t)grid->width, &pixels) &&
                pixels <= (size_t)INT64_MAX / sizeof(real);
    if (!good) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "there can be no grid of %lld x %lld x %lld",
                       (long long)grid->batch, (long long)grid->height, (long long)grid->width);
    }
    return good;
}

/* Whether x is [pixels of the grid, channels]; else the tape fails with ATTN_ERR_SHAPE. */
static inline bool attn_layers_on_grid(attn_tape *tape, const attn_tensor *x, const attn_grid *grid,
                                       int64_t channels) {
    if (!attn_layers_given(tape, x, "x") || !attn_layers_grid(tape, grid)) {
        return false;
    }
    bool good = x->rows == attn_grid_pixels(grid) && x->cols == channels;
    if (!good) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE,
                       "x is [%lld, %lld], a grid of %lld x %lld x %lld takes [%lld, %lld]",
                       (long long)x->rows, (long long)x->cols, (long long)grid->batch,
                       (long long)grid->height, (long long)grid->width,
                       (long long)attn_grid_pixels(grid), (long long)channels);
    }
    return good;
}

/* Whether a window is possible and fits into the padded pictures: then *to is the grid it makes. */
bool attn_layers_window(attn_tape *tape, const attn_window *window, const attn_grid *grid,
                        attn_grid *to);

attn_conv_shape attn_layers_conv_shape(const attn_window *window, const attn_grid *grid, int64_t in,
                                       int64_t out);

/* The layers of pictures know none, ReLU and GELU. */
static inline bool attn_layers_picture_activation(attn_tape *tape, attn_activation activation) {
    bool known = activation <= ATTN_ACTIVATION_GELU;
    if (!known) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "the activation must be NONE, RELU or GELU");
    }
    return known;
}

/* The pre-activation that a backward needs: relu's output says enough, GELU's input is kept.
 * Returns room for it, or NULL where none is needed (and when out of memory: the tape fails). */
static inline real *attn_layers_pre_activation(attn_tape *tape, attn_activation activation,
                                               const attn_tensor *y) {
    if (!attn_tape_recording(tape) || activation != ATTN_ACTIVATION_GELU) {
        return NULL;
    }
    return attn_tape_alloc(tape, (size_t)(y->rows * y->cols) * sizeof(real));
}

/* From here on d_y holds the gradient by the pre-activation. */
static inline void attn_layers_activation_backward(attn_activation activation, attn_tensor *y,
                                                   const real *pre_activation) {
    if (activation != ATTN_ACTIVATION_NONE) {
        attn_activation_backward(activation, y->rows * y->cols,
                                 pre_activation != NULL ? pre_activation : y->data, y->grad,
                                 y->grad);
    }
}

#endif
