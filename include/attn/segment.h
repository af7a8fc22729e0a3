/* attn/segment.h: from a picture to the class of each of its pixels.
 *
 *     attn_model *model;
 *     attn_model_open("street.safetensors", NULL, &model, &error);
 *     attn_segment(model, &picture, NULL, classes, &error);
 *
 * Of the second library, libattn-pipeline. Pictures of any size: large ones are done in overlapping
 * tiles, so that memory stays bounded. A result depends on the picture, the model and the options
 * alone. Any number of threads may use one open model. Letters: W width, H height. */
#ifndef ATTN_SEGMENT_H
#define ATTN_SEGMENT_H

#include "attn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A picture in memory, belonging to the caller. */
typedef struct attn_pixels {
    int64_t width, height;
    const uint8_t *rgb; /* [H, W, 3]: red, green, blue */
} attn_pixels;

/* Make one with attn_segment_options_init; NULL stands for what that gives. */
typedef struct attn_segment_options {
    size_t size; /* of this struct, set by the init: a later version may have more members */
    int64_t tile, overlap; /* pixels; pictures of no more than a tile are done whole; 1024, 128 */
    bool flip;             /* the mean of what is said of a tile and of its mirror image */
    const char *scales;    /* "0.75,1,1.25": the mean over these sizes; NULL: its own */
} attn_segment_options;

/* Tiles of 1024 with an overlap of 128, not flipped, the picture's own size. */
ATTN_PIPELINE_API void attn_segment_options_init_sized(attn_segment_options *options, size_t size);
static inline void attn_segment_options_init(attn_segment_options *options) {
    attn_segment_options_init_sized(options, sizeof *options);
}

/* The likeliest class of each pixel: classes [H, W], below attn_model_classes. ATTN_ERR_ARGUMENT: an empty
 * picture, scales that are no such list, or a translator; ATTN_ERR_MEMORY. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_segment(const attn_model *model,
                                                           const attn_pixels *picture,
                                                           const attn_segment_options *options,
                                                           uint8_t *classes, attn_error *error);

/* How many classes a segmenter knows; 0 of a translator. */
ATTN_PIPELINE_API int attn_model_classes(const attn_model *model);
/* The name of a class, and its colour (red, green, blue); owned by the model; NULL when there is none
 * such. */
ATTN_PIPELINE_API const char *attn_model_class_name(const attn_model *model, int number);
ATTN_PIPELINE_API const uint8_t *attn_model_class_color(const attn_model *model, int number);

#ifdef __cplusplus
}
#endif
#endif
