/* show/segmenting.h: a segmenter and its classes, opened together; a picture of any size through it,
 * and what a pixel of one attends to. One thread at a time. */
#ifndef ATTN_SHOW_SEGMENTING_H
#define ATTN_SHOW_SEGMENTING_H

#include <stdbool.h>

#include "attn/segmenter.h"
#include "image/classes.h"
#include "image/picture.h"

typedef struct attn_segmenting {
    char path[4096];
    attn_segmenter *model;
    attn_classes classes;
    attn_tape *tape;
} attn_segmenting;

/* Close it also after a failure. */
ATTN_MUST_CHECK attn_status attn_segmenting_open(const char *path, attn_segmenting *out,
                                                 attn_error *error);
void attn_segmenting_close(attn_segmenting *segmenting);

typedef struct attn_tiling {
    int64_t tile, overlap; /* pixels; pictures of no more than a tile are done whole */
    bool flip;             /* the mean of what is said of a tile and of its mirror image */
    const char *scales;    /* "0.75,1,1.25": the mean over these sizes; NULL: its own */
} attn_tiling;

/* What a picture becomes: rows of the picture as they are ready, from the top. probabilities
 * [rows, W, V]. */
typedef attn_status attn_segmented_rows(void *context, int64_t first, int64_t rows,
                                        const float *probabilities, attn_error *error);
/* Memory is bounded by a row of tiles. ATTN_ERR_ARGUMENT: scales that are no such list. */
ATTN_MUST_CHECK attn_status attn_segment_rows(attn_segmenting *segmenting,
                                              const attn_picture *picture,
                                              const attn_tiling *tiling,
                                              attn_segmented_rows *receive, void *context,
                                              attn_error *error);
/* Of `count` pixels the likeliest class each; of equal ones the first. */
void attn_segment_choose(const float *probabilities, int64_t count, int64_t classes,
                         uint8_t *labels);
/* The picture's mask, which is then to be freed, also after a failure. */
ATTN_MUST_CHECK attn_status attn_segment_mask(attn_segmenting *segmenting,
                                              const attn_picture *picture,
                                              const attn_tiling *tiling, attn_mask *out,
                                              attn_error *error);

/* Which pixel asks, in which block, through which head. */
typedef struct attn_pixel_query {
    int64_t x, y;  /* counted from 0 at the top left */
    int64_t layer; /* from 1; 0: the last */
    int64_t head;  /* from 1; 0: the mean of all */
} attn_pixel_query;

/* What the pixel attends to: *weights [keys->height, keys->width], to be freed with attn_free. The
 * whole picture is run at once. ATTN_ERR_ARGUMENT: no such pixel, layer or head;
 * ATTN_ERR_UNSUPPORTED: the model has no attention. */
ATTN_MUST_CHECK attn_status attn_segment_attend(attn_segmenting *segmenting,
                                                const attn_picture *picture,
                                                const attn_pixel_query *query, attn_grid *keys,
                                                float **weights, attn_error *error);
#endif
