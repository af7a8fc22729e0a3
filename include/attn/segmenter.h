/* attn/segmenter.h: a semantic segmenter with self-attention, which assigns a class to each pixel.
 *
 * Convolutions reduce the picture to a grid of every 8th pixel. There, blocks of self-attention and
 * feed-forward let each position attend to all others. A light decoder brings the result back to
 * the picture's size and adds what the convolutions saw at strides 4 and 2.
 * Sources: Vaswani et al. 2017. Xie et al. 2021 (SegFormer) for smaller grids of keys and values,
 * and for positions from a depthwise convolution in the feed-forward, which makes any picture size
 * work.
 * Dimension letters: B pictures, H x W pixels, V classes. */
#ifndef ATTN_SEGMENTER_H
#define ATTN_SEGMENTER_H

#include "attn/images.h"
#include "attn/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The label of a pixel whose class is unknown; such pixels do not count. */
enum { ATTN_IGNORE_LABEL = 255 };

/* How positions of the grid exchange information. */
typedef enum attn_mixer {
    ATTN_MIXER_GLOBAL,    /* attention over all positions; keys and values shrunk by `shrink` */
    ATTN_MIXER_WINDOW,    /* attention within windows of `window` x `window` positions */
    ATTN_MIXER_DEPTHWISE, /* depthwise convolution, `window` x `window`, GELU, projection */
    ATTN_MIXER_NONE,      /* not at all */
} attn_mixer;

/* What the norms of the convolutions take mean and variance over. */
typedef enum attn_segmenter_norm {
    /* group norm, then RELU: over a picture's pixels and an eighth of the channels, so every
     * position learns a little about the whole picture */
    ATTN_SEGMENTER_NORM_PICTURE,
    /* RELU, then layer norm: over the channels of each position; only the mixer then passes
     * information over long distances */
    ATTN_SEGMENTER_NORM_PLACE,
} attn_segmenter_norm;

/* Initialize it with attn_segmenter_config_init. */
typedef struct attn_segmenter_config {
    size_t size;                       /* of this struct, set by the init */
    int64_t classes;                   /* V, 2 .. 255 */
    int64_t width_2, width_4, d_model; /* channels at strides 2, 4 and 8, multiples of 8 */
    int64_t units_4, units_8;          /* residual units of two 3 x 3 convolutions each */
    int64_t blocks, heads;             /* heads divides d_model */
    /* Channels inside the feed-forward of a block with global attention. Blocks with another mixer
     * get more channels, to make up for the parameters that their mixer lacks. */
    int64_t ffn;
    attn_mixer mixer;
    int64_t window;             /* odd for the depthwise mixer, at most 31 */
    int64_t shrink;             /* 1: keys and values of all positions */
    attn_activation activation; /* of the feed-forward; RELU or GELU */
    attn_segmenter_norm norm;
    /* Used only in training. */
    double dropout, attention_dropout, label_smoothing;
    double stochastic_depth; /* of the last block's branches; rises linearly over the blocks */
} attn_segmenter_config;

/* For CamVid: 11 classes, about 1.35 million parameters. */
ATTN_API void attn_segmenter_config_init_sized(attn_segmenter_config *config, size_t size);
static inline void attn_segmenter_config_init(attn_segmenter_config *config) {
    attn_segmenter_config_init_sized(config, sizeof *config);
}
ATTN_API ATTN_MUST_CHECK attn_status
attn_segmenter_config_check(const attn_segmenter_config *config, attn_error *error);

typedef struct attn_segmenter attn_segmenter;

/* Creates a model with all parameters zero; attn_params_init fills them. trainable: with
 * gradients. */
ATTN_API ATTN_MUST_CHECK attn_status attn_segmenter_create(const attn_segmenter_config *config,
                                                           bool trainable, attn_segmenter **out,
                                                           attn_error *error);
ATTN_API void attn_segmenter_free(attn_segmenter *model);
ATTN_API const attn_segmenter_config *attn_segmenter_get_config(const attn_segmenter *model);
ATTN_API attn_params *attn_segmenter_params(const attn_segmenter *model);
/* Packs the weights for inference (load does it when not trainable). While packed, the weights must
 * not change. Recording passes never read the packed form. ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_segmenter_pack(attn_segmenter *model, attn_error *error);
ATTN_API void attn_segmenter_unpack(attn_segmenter *model);

/* ---- files ---- */

/* One .safetensors file: the weights, the configuration in the metadata (with the caller's own
 * pairs after it), and the caller's description of the classes (bytes of any kind, NULL: none) as
 * the tensor "classes". Written atomically. */
ATTN_API ATTN_MUST_CHECK attn_status attn_segmenter_save(
    const attn_segmenter *model, attn_storage storage, const void *classes, size_t classes_size,
    const attn_metadata *metadata, size_t metadata_count, const char *path, attn_error *error);
/* Loads for inference (trainable false: weights packed) or for further training. *classes (may be
 * NULL) receives an allocated copy of those bytes, freed with attn_segmenter_free_bytes; NULL when
 * the file has none. */
ATTN_API ATTN_MUST_CHECK attn_status attn_segmenter_load(const char *path, bool trainable,
                                                         attn_segmenter **out, void **classes,
                                                         size_t *classes_size, attn_error *error);
/* The same from a file that is open already (attn_safetensors_open_header), for who reads its metadata
 * too. path: its name in errors. */
ATTN_API ATTN_MUST_CHECK attn_status attn_segmenter_read(const attn_safetensors *file,
                                                         const char *path, bool trainable,
                                                         attn_segmenter **out, void **classes,
                                                         size_t *classes_size, attn_error *error);
ATTN_API void attn_segmenter_free_bytes(void *bytes);

/* ---- pictures in, classes out ----
 * Pictures may have any size from 1 x 1. Internally they are extended to the right and below to a
 * multiple of 8 by repeating their last column and row; the results there are dropped. The model is
 * only read, so several threads, each with a tape, may share one. */
typedef struct attn_pictures {
    int64_t count, height, width;
    const uint8_t *pixels; /* [count, height, width, 3]: red, green, blue */
} attn_pictures;

/* The logits [count * grid->height * grid->width, V] on a tape that has begun, over the extended
 * pictures. NULL: the tape has failed, with ATTN_ERR_ARGUMENT for an empty picture. */
ATTN_API attn_tensor *attn_segmenter_forward(const attn_segmenter *model, attn_tape *tape,
                                             const attn_pictures *pictures, attn_grid *grid);
/* classes: [count, height, width], the most likely class; probabilities: [count, height, width, V];
 * either may be NULL. Begins the tape. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status
attn_segmenter_predict(const attn_segmenter *model, attn_tape *tape, const attn_pictures *pictures,
                       uint8_t *classes, attn_real *probabilities, attn_error *error);

/* ---- training ---- */

typedef struct attn_segmenter_batch {
    attn_pictures pictures;
    const uint8_t *labels;          /* [count, height, width]: below V, or ATTN_IGNORE_LABEL */
    const attn_real *class_weights; /* [V]: the weight of a pixel of each class; NULL: 1 */
} attn_segmenter_batch;

/* The sum of the class weights of the pixels that count. Its inverse as gradient_scale makes the
 * loss a mean. */
ATTN_API double attn_segmenter_batch_weight(const attn_segmenter *model,
                                            const attn_segmenter_batch *batch);
/* The forward pass on a tape that has begun. Adds the sums over the pixels that count of the
 * weighted, smoothed losses and of -log p to *loss and *nll. Then attn_tape_backward adds the
 * gradients, times gradient_scale. ATTN_ERR_ARGUMENT: a label out of range, an empty picture, or a
 * tape that records for a model that is not trainable. */
ATTN_API ATTN_MUST_CHECK attn_status attn_segmenter_loss(const attn_segmenter *model,
                                                         attn_tape *tape,
                                                         const attn_segmenter_batch *batch,
                                                         attn_real gradient_scale, double *loss,
                                                         double *nll, attn_error *error);

/* ---- looking inside ---- */

/* The grids of queries and of keys of a picture (the latter smaller by `shrink` with global
 * attention). Position (y, x) of the first stands for the 8 x 8 pixels from (8 y, 8 x) on. */
ATTN_API attn_grid attn_segmenter_query_grid(const attn_segmenter *model, int64_t height,
                                             int64_t width);
ATTN_API attn_grid attn_segmenter_key_grid(const attn_segmenter *model, int64_t height,
                                           int64_t width);
/* What position (y, x) of picture 0 attends to in a block: weights [heads, key rows, key columns];
 * those of each head sum to 1. Run a forward pass of pictures of this size first, while the tape
 * watches (attn_tape_watch). ATTN_ERR_ARGUMENT: no such block or position, or no notes of it;
 * ATTN_ERR_UNSUPPORTED: the mixer is not attention. */
ATTN_API ATTN_MUST_CHECK attn_status attn_segmenter_attend(const attn_segmenter *model,
                                                           attn_tape *tape, int64_t height,
                                                           int64_t width, int64_t block, int64_t y,
                                                           int64_t x, attn_real *weights,
                                                           attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
