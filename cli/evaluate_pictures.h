/* cli/evaluate_pictures.h: `attn evaluate --images`: how well a segmenter does, as the field counts
 * it; see src/image/confusion.h. */
#ifndef ATTN_CLI_EVALUATE_PICTURES_H
#define ATTN_CLI_EVALUATE_PICTURES_H

#include "tiling.h"

typedef struct attn_evaluate_pictures_options {
    const char *images, *masks, *pairs, *classes, *matrix, *csv;
    int64_t ignore; /* of the masks; -1: the classes' own */
    int64_t first;  /* the value of class 0 in the masks */
    int64_t max_pixels;
    bool colors;
    attn_segment_options tiling;
} attn_evaluate_pictures_options;

#define ATTN_EVALUATE_PICTURES_DEFAULTS                                                            \
    { .ignore = -1, .tiling = ATTN_TILING_DEFAULTS }

/* The group of options for them, but for the tiling. */
extern const attn_option attn_evaluate_pictures_table[];

/* Runs the model (NULL: the default) on every picture at its own size, counts, prints. */
ATTN_MUST_CHECK attn_status attn_evaluate_pictures(const attn_evaluate_pictures_options *options,
                                                   const char *model, bool json, attn_error *error);

#endif
