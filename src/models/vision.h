/* models/vision.h: Transformers over pictures that were trained elsewhere: ViT and SegFormer.
 *
 * ViT (Dosovitskiy et al. 2021) cuts a picture of one size into patches, puts a class token before them, adds positions that were
 * learned, and is one stage of blocks. SegFormer (Xie et al. 2021) takes a picture of any size through stages on ever smaller
 * grids: patches overlap, keys and values come from a grid that is smaller still, and a depthwise convolution in the feed-forward
 * tells positions. Both are run and looked at, not trained. Read vision.c first.
 * Dimension letters: B pictures, H x W pixels, C channels of a stage, V classes. */
#ifndef ATTN_MODELS_VISION_H
#define ATTN_MODELS_VISION_H

#include "attn/encoder.h"
#include "attn/images.h"
#include "attn/segmenter.h"
#include "base/real.h"
#include "base/shared.h"

typedef enum attn_vision_network { ATTN_VISION_VIT, ATTN_VISION_SEGFORMER } attn_vision_network;

/* What is said of a picture, beside its vector. */
typedef enum attn_vision_head {
    ATTN_VISION_NO_HEAD,
    ATTN_VISION_CLASSIFY, /* its class */
    ATTN_VISION_SEGMENT,  /* the class of each pixel; of SegFormer alone */
} attn_vision_head;

/* By value, with NULL at the end. */
extern const char *const attn_vision_network_names[];
extern const char *const attn_vision_head_names[];

enum { ATTN_VISION_STAGES = 4 };

typedef struct attn_vision_stage {
    int64_t channels, heads, layers, ffn;
    int64_t kernel, stride; /* of the patches, in pixels of the stage before */
    int64_t
        shrink; /* the grid of keys and values is smaller by this; 1: it is the grid of the queries */
} attn_vision_stage;

typedef struct attn_vision_config {
    attn_vision_network network;
    attn_vision_head head;
    int64_t stages; /* 1 .. ATTN_VISION_STAGES; ViT has 1 */
    attn_vision_stage stage[ATTN_VISION_STAGES];
    int64_t height, width; /* what pictures are resized to; 0: they are seen as they are */
    int64_t classes,
        decoder; /* of the head: V, and the channels of the one that segments; else 0 */
    attn_activation activation; /* of the feed-forward */
    double norm_epsilon;
    double mean[3],
        deviation[3]; /* of red, green and blue in 0 .. 1: what pixels are shifted and divided by */
} attn_vision_config;

ATTN_MUST_CHECK attn_status attn_vision_config_check(const attn_vision_config *config,
                                                     attn_error *error);

typedef struct attn_vision attn_vision;

/* Creation in two steps: the table of tensors alone; and the memory, all zero. */
ATTN_MUST_CHECK attn_status attn_vision_declare(const attn_vision_config *config, attn_vision **out,
                                                attn_error *error);
ATTN_MUST_CHECK attn_status attn_vision_allocate(attn_vision *model, attn_error *error);
ATTN_SHARED void attn_vision_free(attn_vision *model);
ATTN_SHARED const attn_vision_config *attn_vision_get_config(const attn_vision *model);
attn_params *attn_vision_params(const attn_vision *model);
/* For inference. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_vision_pack(attn_vision *model, attn_error *error);

/* ---- files ---- */

/* labels: the model's own bytes, what its classes are called; NULL: none. */
ATTN_MUST_CHECK attn_status attn_vision_save(const attn_vision *model, attn_storage storage,
                                             const void *labels, size_t labels_size,
                                             const attn_metadata *metadata, size_t metadata_count,
                                             const char *path, attn_error *error);
/* Packed. *labels is freed with attn_free, also after a failure. */
ATTN_SHARED ATTN_MUST_CHECK attn_status attn_vision_read(const attn_safetensors *file,
                                                         const char *path, attn_vision **out,
                                                         void **labels, size_t *labels_size,
                                                         attn_error *error);

/* ---- passes, on a tape that has begun and does not record ----
 * NULL: the tape has failed, with ATTN_ERR_ARGUMENT for pictures of a size that the network does not take. */

/* What the last stage makes of the pictures: [B * tokens, C]. Of a ViT, tokens are the class token and the patches; else the
 * places of a grid. */
ATTN_SHARED attn_tensor *attn_vision_forward(const attn_vision *model, attn_tape *tape,
                                             const attn_pictures *pictures);
/* Of what attn_vision_forward returned, one vector a picture: [B, C]. ATTN_POOLING_FIRST: of a ViT the class token. */
ATTN_SHARED attn_tensor *attn_vision_pool(const attn_vision *model, attn_tape *tape,
                                          const attn_tensor *tokens, int64_t pictures,
                                          attn_pooling pooling);
/* How its makers pool: ViT by the class token, SegFormer by the mean. */
ATTN_SHARED attn_pooling attn_vision_pooling(const attn_vision *model);
/* The probabilities of the classes of each picture: [B, V]. */
ATTN_SHARED attn_tensor *attn_vision_classify(const attn_vision *model, attn_tape *tape,
                                              const attn_pictures *pictures);
/* The logits of classes on the grid of the first stage: [B * places, V]. */
ATTN_SHARED attn_tensor *attn_vision_segment(const attn_vision *model, attn_tape *tape,
                                             const attn_pictures *pictures, attn_grid *grid);
/* From those of one picture, the probabilities of rows first .. first + rows - 1 of a picture of height x width pixels, between
 * the nearest places: [rows, width, V]. ATTN_ERR_MEMORY. */
ATTN_SHARED ATTN_MUST_CHECK attn_status attn_vision_rows(attn_tape *tape, const attn_tensor *logits,
                                                         const attn_grid *grid, int64_t height,
                                                         int64_t width, int64_t first, int64_t rows,
                                                         real *probabilities);

/* About how many bytes a pass takes for each pixel. */
ATTN_SHARED size_t attn_vision_pixel_bytes(const attn_vision_config *config);

/* ---- looking inside ---- */

/* Of all stages together; blocks count from 0. */
ATTN_SHARED int64_t attn_vision_blocks(const attn_vision *model);
ATTN_SHARED int64_t attn_vision_heads(const attn_vision *model, int64_t block);
/* On which grids a block's queries and keys lie. A class token stands before both. */
ATTN_SHARED void attn_vision_grids(const attn_vision *model, int64_t height, int64_t width,
                                   int64_t block, attn_grid *queries, attn_grid *keys);
/* What query `token` of picture 0 attends to, after a pass that the tape watched: weights [heads, keys], the class token's first.
 * ATTN_ERR_ARGUMENT: no such block or token, or no notes of it. */
ATTN_SHARED ATTN_MUST_CHECK attn_status attn_vision_attend(const attn_vision *model,
                                                           const attn_tape *tape, int64_t height,
                                                           int64_t width, int64_t block,
                                                           int64_t token, real *weights,
                                                           attn_error *error);

/* ---- the parts, shared by the wiring ---- */

typedef struct vision_block {
    attn_norm norm_self;
    attn_multi_head self;
    attn_conv shrink; /* where the stage shrinks */
    attn_norm norm_shrink;
    attn_norm norm_feed_forward;
    attn_linear up, down;
    attn_depthwise position; /* 3 x 3, between the two; SegFormer's */
} vision_block;

typedef struct vision_stage {
    attn_conv patches;
    attn_norm norm_patches; /* SegFormer's */
    vision_block *blocks;   /* [layers] */
    attn_norm norm;         /* after the last */
} vision_stage;

struct attn_vision {
    attn_vision_config config;
    attn_params *params;
    attn_param *class_token, *positions; /* ViT's */
    vision_stage stage[ATTN_VISION_STAGES];
    /* The head that segments: each stage to `decoder` channels, its share of the layer that joins them, and the classes. */
    attn_linear decode[ATTN_VISION_STAGES], join[ATTN_VISION_STAGES];
    attn_linear classify;
};

static inline bool vision_has_class_token(const attn_vision *m) {
    return m->config.network == ATTN_VISION_VIT;
}

#endif
