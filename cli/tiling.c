/* cli/tiling.c: see tiling.h. */
#include "tiling.h"

const attn_option attn_tiling_table[] = {
    {"tile", 0, ATTN_OPTION_INT, offsetof(attn_segment_options, tile), 64, 16384, .value = "N",
     .help = "process larger pictures in tiles of this side (default 1024)"},
    {"overlap", 0, ATTN_OPTION_INT, offsetof(attn_segment_options, overlap), 0, 8192, .value = "N",
     .help = "overlap of neighbouring tiles, in pixels (default 128)"},
    {"flip", 0, ATTN_OPTION_FLAG, offsetof(attn_segment_options, flip),
     .help = "average with the result for the mirror image: twice the work"},
    {"scales", 0, ATTN_OPTION_TEXT, offsetof(attn_segment_options, scales), .value = "A,B,...",
     .help = "average over the picture at these scales, such as 0.75,1,1.25"},
    {.name = NULL},
};
