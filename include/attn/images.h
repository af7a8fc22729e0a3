/* attn/images.h: layers for pictures, each with a hand-written backward, on the tape.
 *
 * A batch of pictures is a tensor [B * H * W, C]: pixel (b, y, x) is row (b * H + y) * W + x. A
 * layer that must know the arrangement of the rows takes an attn_grid. A picture's result depends
 * only on that picture, not on the rest of the batch, the threads or the instruction set.
 * Dimension letters: B pictures, H rows, W columns, C channels in, O channels out, G groups, V
 * classes. Activations are NONE, RELU or GELU. Invalid arguments make the tape fail, see attn/layers.h. Layers that see one pixel at a
 * time (linear, layer norm, feed-forward) are those of attn/layers.h. Next: attn/segmenter.h. */
#ifndef ATTN_IMAGES_H
#define ATTN_IMAGES_H

#include "attn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the rows of a tensor are arranged. None is negative; a batch may be 0. */
typedef struct attn_grid {
    int64_t batch, height, width;
} attn_grid;

/* How a kernel moves over a picture. Output (j, i) reads input (j * stride - padding_height + ky *
 * dilation, the same for columns), ky < kernel_height; outside the picture it reads 0. */
typedef struct attn_window {
    int64_t kernel_height, kernel_width;   /* >= 1; depthwise at most 31 */
    int64_t stride, dilation;              /* >= 1 */
    int64_t padding_height, padding_width; /* >= 0 */
} attn_window;

/* A square kernel, padded so that stride 1 keeps the size of the picture (odd kernels). */
ATTN_API attn_window attn_window_same(int64_t kernel, int64_t stride, int64_t dilation);
/* The grid that a window produces from another: (H + 2 padding - dilation (KH - 1) - 1) / stride +
 * 1 rows; 0 where the kernel does not fit. */
ATTN_API attn_grid attn_window_grid(const attn_window *window, const attn_grid *grid);

/* ---- convolution: y[j, i, o] = activation(sum over ky, kx, c of x * W[o, ky, kx, c] + b[o]) ----
 * Only the rows of the picture under a block of outputs are copied. */
typedef struct attn_conv {
    attn_linear
        kernel; /* weight [O, KH * KW * C], channels fastest; bias [O]; packed as a linear's */
    attn_window window;
    int64_t in, out; /* C, O */
} attn_conv;

/* Declares NAME.weight (He) and, if asked, NAME.bias. A norm that follows makes a bias useless. */
ATTN_API attn_conv attn_conv_declare(attn_params *params, const char *name, int64_t in, int64_t out,
                                     const attn_window *window, bool bias);
/* residual: NULL, or a tensor like y that is added last (then activation must be NONE).
 * ATTN_ERR_SHAPE: x is not [grid, C], or the kernel does not fit into the padded picture. Packing:
 * attn_linear_pack(&conv.kernel). */
ATTN_API attn_tensor *attn_layer_conv(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                                      const attn_conv *conv, attn_activation activation,
                                      attn_tensor *residual);

/* ---- depthwise convolution: a kernel for each channel: W [KH * KW, C], b [C] ---- */
typedef struct attn_depthwise {
    attn_param *weight, *bias;
    attn_window window;
} attn_depthwise;

ATTN_API attn_depthwise attn_depthwise_declare(attn_params *params, const char *name,
                                               int64_t channels, const attn_window *window);
ATTN_API attn_tensor *attn_layer_depthwise(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                                           const attn_depthwise *depthwise,
                                           attn_activation activation);

/* ---- group norm: y = activation((x - mean) / sqrt(variance + 1e-5) * gamma + beta), over the
 *      pixels of a picture and the C / G channels of a group (Wu and He 2018) ---- */
typedef struct attn_group_norm {
    attn_param *gamma, *beta; /* [C] */
    int64_t groups;
} attn_group_norm;

/* groups must divide channels. */
ATTN_API attn_group_norm attn_group_norm_declare(attn_params *params, const char *name,
                                                 int64_t channels, int64_t groups);
ATTN_API attn_tensor *attn_layer_group_norm(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                                            const attn_group_norm *norm,
                                            attn_activation activation);

/* ---- bilinear resize, corners not aligned: output i lies at (i + 1/2) in / out - 1/2 ----
 * from and to differ in height and width only. The same size gives x itself. */
ATTN_API attn_tensor *attn_layer_resize(attn_tape *tape, attn_tensor *x, const attn_grid *from,
                                        const attn_grid *to);

/* ---- rows in another order: y[i] = x[order[i]]; inverse: y[order[i]] = x[i] ----
 * order: a permutation of the rows, kept by reference until the backward. */
ATTN_API attn_tensor *attn_layer_permute(attn_tape *tape, attn_tensor *x, const int64_t *order,
                                         bool inverse);

/* ---- stochastic depth: for each picture, y = x / (1 - p), or 0 with probability p ----
 * Only while recording; for a branch that is then added to its residual. Source: Huang et al.
 * 2016. */
ATTN_API attn_tensor *attn_layer_stochastic_depth(attn_tape *tape, attn_tensor *x,
                                                  const attn_grid *grid, double p);

/* The pictures of a grid as sequences of pixels, for attention over all positions. In the tape's
 * memory. count 0 when the tape has failed. */
ATTN_API attn_sequences attn_grid_sequences(attn_tape *tape, const attn_grid *grid);

/* The pictures cut into windows of size x size pixels (those at the right and lower sides are
 * smaller): permute rows by `order`, and each window is a sequence. */
typedef struct attn_windows {
    attn_sequences sequences;
    int64_t *order; /* [B * H * W]; NULL when the tape has failed */
} attn_windows;

/* size: at least 1. */
ATTN_API attn_windows attn_grid_windows(attn_tape *tape, const attn_grid *grid, int64_t size);

/* ---- loss of pixels: softmax cross-entropy over V <= 256 classes ---- */
/* Initialize it with attn_pixel_labels_init, or in C with {.size = sizeof(attn_pixel_labels), ...}. */
typedef struct attn_pixel_labels {
    size_t size;                    /* of this struct, set by the init */
    const uint8_t *classes;         /* [rows]: below V, or the ignore value */
    int ignore;                     /* rows with this label do not count; -1: none */
    const attn_real *class_weights; /* [V]: of a row of each class, finite, >= 0; NULL: 1 */
    double smoothing;               /* label smoothing (Szegedy et al. 2016), 0 <= e < 1 */
} attn_pixel_labels;

/* No labels yet, none ignored, equal weights, no smoothing. */
ATTN_API void attn_pixel_labels_init_sized(attn_pixel_labels *labels, size_t size);
static inline void attn_pixel_labels_init(attn_pixel_labels *labels) {
    attn_pixel_labels_init_sized(labels, sizeof *labels);
}

/* Adds to *loss the sum over the rows that count of
 *     w[label] * ((1 - e) * -log p[label] + e / V * sum over v of -log p[v])
 * and to *nll that of -log p[label], both in double and in the order of the rows. The gradient is
 * that of gradient_scale times the loss (1 / attn_pixel_labels_weight for the mean).
 * ATTN_ERR_ARGUMENT: a label that is neither a class nor the ignore value, or a class weight that is
 * negative or not finite. */
ATTN_API void attn_layer_pixel_loss(attn_tape *tape, attn_tensor *logits,
                                    const attn_pixel_labels *labels, attn_real gradient_scale,
                                    double *loss, double *nll);
/* The sum of the class weights of the rows that count (their number when there are no weights); V =
 * classes. 0 for labels that were not initialised. */
ATTN_API double attn_pixel_labels_weight(const attn_pixel_labels *labels, int64_t rows,
                                         int64_t classes);

#ifdef __cplusplus
}
#endif
#endif
