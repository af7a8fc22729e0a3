/* kernels/pixel_loss/pixel_loss.h: softmax over few classes for many pixels: loss, gradient,
 * probabilities, the most likely class.
 *
 * R rows (pixels), V classes, at most 256. Every sum is one chain over the classes in order; vectors
 * run across rows. exp is exp2((x - max) * log2(e)). With target t, class weight w[t] and label
 * smoothing e:
 *     nll  = log(sum of exp(x - max)) - (x[t] - max)
 *     loss = w[t] * ((1 - e) * nll + e * mean over v of -log p[v])
 * Threaded over blocks of rows. Next: pixel_loss_kernels.h. */
#ifndef ATTN_KERNELS_PIXEL_LOSS_H
#define ATTN_KERNELS_PIXEL_LOSS_H

#include "base/real.h"

enum { ATTN_MAX_PIXEL_CLASSES = 256 };

typedef struct attn_pixel_targets {
    int64_t rows, classes;
    const uint8_t *targets;    /* [R], below V or the ignore value */
    int ignore;                /* rows with this target are left out; negative: none are */
    const real *class_weights; /* [V]; NULL: 1 */
    real smoothing;
} attn_pixel_targets;

/* loss and nll: [R], 0 in rows left out. gradient: NULL, or [R, V], written:
 * gradient_scale * w[t] * (p[v] - (1 - e) [v = t] - e / V), 0 in rows left out. */
void attn_pixel_cross_entropy(const attn_pixel_targets *targets, const real *logits,
                              real gradient_scale, real *loss, real *nll, real *gradient);
/* probabilities: [R, V]; may be logits. */
void attn_pixel_softmax(int64_t rows, int64_t classes, const real *logits, real *probabilities);
/* The first class with the largest logit. */
void attn_pixel_argmax(int64_t rows, int64_t classes, const real *logits, uint8_t *largest);

#endif
