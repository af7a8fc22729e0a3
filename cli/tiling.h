/* cli/tiling.h: the options that say how a picture goes through a segmenter, shared by commands. */
#ifndef ATTN_CLI_TILING_H
#define ATTN_CLI_TILING_H

#include "command.h"
#include "pipeline/segment.h"

#define ATTN_TILING_DEFAULTS                                                                       \
    { .size = sizeof(attn_segment_options), .tile = 1024, .overlap = 128 }

/* The group of options for an attn_segment_options. */
extern const attn_option attn_tiling_table[];

#endif
