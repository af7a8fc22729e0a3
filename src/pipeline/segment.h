/* pipeline/segment.h: a picture of any size through a segmenter, and what a pixel of one attends to.
 * The door is attn/segment.h. */
#ifndef ATTN_PIPELINE_SEGMENT_H
#define ATTN_PIPELINE_SEGMENT_H

#include "attn/segment.h"
#include "image/picture.h"
#include "pipeline/model.h"

/* What pictures of results say of their maker: `attn segment` knows its own by it. */
#define ATTN_SEGMENT_MARK "attn segment"

/* A model at work on one picture after another; one thread at a time. */
typedef struct attn_segmenting {
    const attn_model *model;
    attn_tape *tape;
} attn_segmenting;

/* ATTN_ERR_ARGUMENT: the model is a translator. End it also after a failure. */
ATTN_MUST_CHECK attn_status attn_segmenting_start(const attn_model *model, attn_segmenting *out,
                                                  attn_error *error);
/* The same of any model that looks at pictures, for attn_segment_attend alone. */
ATTN_MUST_CHECK attn_status attn_segmenting_look(const attn_model *model, attn_segmenting *out,
                                                 attn_error *error);
void attn_segmenting_end(attn_segmenting *segmenting);

/* What a picture becomes: rows of the picture as they are ready, from the top. probabilities
 * [rows, W, V]. */
typedef attn_status attn_segmented_rows(void *context, int64_t first, int64_t rows,
                                        const float *probabilities, attn_error *error);
/* Memory is bounded by a row of tiles. Errors as those of attn_segment. */
ATTN_MUST_CHECK attn_status attn_segment_rows(attn_segmenting *segmenting,
                                              const attn_pixels *picture,
                                              const attn_segment_options *options,
                                              attn_segmented_rows *receive, void *context,
                                              attn_error *error);
/* Of `count` pixels the likeliest class each; of equal ones the first. */
void attn_segment_choose(const float *probabilities, int64_t count, int64_t classes,
                         uint8_t *labels);
/* The picture's mask, which is then to be freed, also after a failure. */
ATTN_MUST_CHECK attn_status attn_segment_mask(attn_segmenting *segmenting,
                                              const attn_picture *picture,
                                              const attn_segment_options *options, attn_mask *out,
                                              attn_error *error);

/* Which pixel asks, in which block, through which head. */
typedef struct attn_pixel_query {
    int64_t x, y;     /* counted from 0 at the top left */
    int64_t layer;    /* from 1; 0: the last */
    int64_t head;     /* from 1; 0: the mean of all */
    bool class_token; /* it asks in place of a pixel */
} attn_pixel_query;

/* Blocks of a model that looks at pictures, and heads of one (from 1; 0: the last). */
int64_t attn_segment_layers(const attn_model *model);
int64_t attn_segment_heads(const attn_model *model, int64_t layer);
/* Whether there is a token for the whole picture, which places look at too. */
bool attn_segment_has_class_token(const attn_model *model);

/* About the pixels, at once, that keep the model within that memory: of a tile, or of a picture whose attention is asked for.
 * At least 64 x 64. */
int64_t attn_segment_pixels_within(const attn_model *model, int64_t bytes);

/* What the pixel attends to: *weights [keys->height, keys->width], to be freed with attn_free. The
 * whole picture is run at once, made smaller first where it has more than `most` pixels, or of the size that the model sees. What
 * goes to a class token is left out of the map. ATTN_ERR_ARGUMENT: no such pixel, layer or head;
 * ATTN_ERR_UNSUPPORTED: the model has no attention. */
ATTN_MUST_CHECK attn_status attn_segment_attend(attn_segmenting *segmenting,
                                                const attn_picture *picture,
                                                const attn_pixel_query *query, int64_t most,
                                                attn_grid *keys, float **weights,
                                                attn_error *error);
#endif
