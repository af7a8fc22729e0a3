/* cli/evaluate_pictures.h: `attn evaluate --images`: how well a segmenter does, as the field counts
 * it; see src/image/confusion.h. */
#ifndef ATTN_CLI_EVALUATE_PICTURES_H
#define ATTN_CLI_EVALUATE_PICTURES_H

#include "tiling.h"

typedef struct attn_evaluate_pictures_options {
    const char *images, *masks, *pairs, *classes, *matrix, *csv;
    int64_t ignore; /* of the masks; -1: the classes' own */
    int64_t max_pixels;
    bool colors;
    attn_segment_options tiling;
} attn_evaluate_pictures_options;

#define ATTN_EVALUATE_PICTURES_DEFAULTS                                                            \
    { .ignore = -1, .tiling = ATTN_TILING_DEFAULTS }

/* Lines for the option table of a command whose options have them as `field`. */
/* clang-format off */
#define ATTN_EVALUATE_PICTURES_TABLE(T, field)                                                     \
    {"images", 0, ATTN_OPTION_FILE, offsetof(T, field.images), .value = "DIR",                     \
     .help = "a segmenter: the pictures to run it on"},                                            \
    {"masks", 0, ATTN_OPTION_FILE, offsetof(T, field.masks), .value = "DIR",                       \
     .help = "their true masks (PNG), by the same names"},                                         \
    {"pairs", 0, ATTN_OPTION_FILE, offsetof(T, field.pairs), .value = "FILE",                      \
     .help = "instead of both: a list with one picture<TAB>mask per line"},                            \
    {"classes", 0, ATTN_OPTION_FILE, offsetof(T, field.classes), .value = "FILE",                  \
     .help = "the classes of the masks (default: the model's)"},                                   \
    {"ignore", 0, ATTN_OPTION_INT, offsetof(T, field.ignore), 0, 255, .value = "N",                \
     .help = "mask value to ignore in training and scores (default 255)"},                                      \
    {"mask-colors", 0, ATTN_OPTION_FLAG, offsetof(T, field.colors),                                \
     .help = "masks hold the colours of the classes, not their ids"},                              \
    {"confusion", 0, ATTN_OPTION_FILE, offsetof(T, field.matrix), .value = "FILE",                 \
     .help = "draw the confusion matrix to FILE.png, .svg or .pdf"},                               \
    {"csv", 0, ATTN_OPTION_FILE, offsetof(T, field.csv), .value = "FILE",                          \
     .help = "write the confusion matrix as comma-separated values"},                              \
    {"max-pixels", 0, ATTN_OPTION_INT, offsetof(T, field.max_pixels), 1, 1e12, .value = "N",       \
     .help = "refuse larger pictures (default 100 million)"},                                      \
    ATTN_TILING_TABLE(T, field.tiling)
/* clang-format on */

/* Runs the model (NULL: the default) on every picture at its own size, counts, prints. */
ATTN_MUST_CHECK attn_status attn_evaluate_pictures(const attn_evaluate_pictures_options *options,
                                                   const char *model, bool json, attn_error *error);

#endif
