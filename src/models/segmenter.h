/* models/segmenter.h: the segmenter's parts, shared by its table of tensors, its wiring and its files.
 *
 * Read segmenter.c first. */
#ifndef ATTN_MODELS_SEGMENTER_H
#define ATTN_MODELS_SEGMENTER_H

#include "attn/segmenter.h"
#include "base/memory.h"
#include "base/real.h"
#include "base/shared.h"

enum { SEGMENTER_STRIDE = 8, SEGMENTER_NORM_GROUPS = 8 };

/* relu(norm(conv(x))), or norm(relu(conv(x))) when a norm is of each place; so too below */
typedef struct conv_norm {
    attn_conv conv;
    attn_group_norm norm;
} conv_norm;

/* x + conv(relu(norm(conv(relu(norm(x)))))) */
typedef struct residual_unit {
    attn_group_norm norm[2];
    attn_conv conv[2];
} residual_unit;

typedef struct segmenter_block {
    attn_norm norm_mixer;
    attn_multi_head attention; /* global and window */
    attn_depthwise shrink;     /* global, when keys and values are shrunk */
    attn_norm norm_shrink;
    attn_depthwise depthwise; /* the depthwise mixer, and its projection */
    attn_linear project;
    attn_norm norm_feed_forward;
    attn_linear up, down;
    attn_depthwise position; /* 3 x 3, between the two: tells a place where it lies */
} segmenter_block;

struct attn_segmenter {
    attn_segmenter_config config;
    attn_params *params;
    conv_norm down_2, stem_2, down_4;
    residual_unit *units_4; /* [units_4] */
    attn_conv down_8;
    residual_unit *units_8;
    segmenter_block *blocks; /* [blocks] */
    attn_norm norm;          /* after the last block */
    attn_linear lateral_4, lateral_2;
    attn_group_norm norm_4, norm_2;
    conv_norm merge_4, merge_2;
    attn_linear classify;
};

/* Creation in two steps, so that a configuration from a file can be held to the file's tensors
 * before memory is spent on it: the table of tensors alone ... */
attn_status attn_segmenter_declare(const attn_segmenter_config *config, attn_segmenter **out,
                                   attn_error *error);
/* ... and the memory, all zero. */
attn_status attn_segmenter_allocate(attn_segmenter *model, bool trainable, attn_error *error);

static inline bool segmenter_attends(const attn_segmenter_config *config) {
    return config->mixer == ATTN_MIXER_GLOBAL || config->mixer == ATTN_MIXER_WINDOW;
}

static inline bool segmenter_shrinks(const attn_segmenter_config *config) {
    return config->mixer == ATTN_MIXER_GLOBAL && config->shrink > 1;
}

/* About how many bytes a forward pass takes for each pixel of the padded picture: the tensors of segmenter_forward.c,
 * which all live until the pass is over. */
ATTN_SHARED size_t attn_segmenter_pixel_bytes(const attn_segmenter_config *config);

#endif
