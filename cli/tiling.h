/* cli/tiling.h: the options that say how a picture goes through a segmenter, shared by commands. */
#ifndef ATTN_CLI_TILING_H
#define ATTN_CLI_TILING_H

#include "command.h"
#include "pipeline/segment.h"

#define ATTN_TILING_DEFAULTS                                                                       \
    { .size = sizeof(attn_segment_options), .tile = 1024, .overlap = 128 }

/* Lines for the option table of a command whose options have an attn_segment_options `field`. */
/* clang-format off */
#define ATTN_TILING_TABLE(T, field)                                                                \
    {"tile", 0, ATTN_OPTION_INT, offsetof(T, field.tile), 64, 16384, .value = "N",                 \
     .help = "process larger pictures in tiles of this side (default 1024)"},                     \
    {"overlap", 0, ATTN_OPTION_INT, offsetof(T, field.overlap), 0, 8192, .value = "N",             \
     .help = "overlap of neighbouring tiles, in pixels (default 128)"},                                    \
    {"flip", 0, ATTN_OPTION_FLAG, offsetof(T, field.flip),                                         \
     .help = "average with the result for the mirror image: twice the work"},                \
    {"scales", 0, ATTN_OPTION_TEXT, offsetof(T, field.scales), .value = "A,B,...",                 \
     .help = "average over the picture at these scales, such as 0.75,1,1.25"}
/* clang-format on */

#endif
