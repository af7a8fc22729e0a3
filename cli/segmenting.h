/* cli/segmenting.h: a segmenter and its classes, opened together; a picture of any size through it.
 */
#ifndef ATTN_CLI_SEGMENTING_H
#define ATTN_CLI_SEGMENTING_H

#include "attn/segmenter.h"
#include "image/classes.h"
#include "image/picture.h"

typedef struct attn_segmenting {
    char path[4096];
    attn_segmenter *model;
    attn_classes classes;
    attn_tape *tape;
} attn_segmenting;

/* path NULL: $ATTN_SEGMENTER, else models/street.safetensors here, beside the program's folder or
 * installed. Close it also after a failure. */
ATTN_MUST_CHECK attn_status attn_segmenting_open(const char *path, attn_segmenting *out,
                                                 attn_error *error);
void attn_segmenting_close(attn_segmenting *segmenting);

typedef struct attn_tiling {
    int64_t tile, overlap; /* pixels; pictures of no more than a tile are done whole */
} attn_tiling;

/* What a picture becomes: rows of the picture as they are ready, from the top. probabilities
 * [rows, W, V]. */
typedef attn_status attn_segmented_rows(void *context, int64_t first, int64_t rows,
                                        const float *probabilities, attn_error *error);
/* Memory is bounded by a row of tiles. */
ATTN_MUST_CHECK attn_status attn_segment_rows(attn_segmenting *segmenting,
                                              const attn_picture *picture,
                                              const attn_tiling *tiling,
                                              attn_segmented_rows *receive, void *context,
                                              attn_error *error);
#endif
