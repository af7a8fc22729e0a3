/* cli/probe_pixels.h: the probe of a segmenter: a pixel and its class. */
#ifndef ATTN_CLI_PROBE_PIXELS_H
#define ATTN_CLI_PROBE_PIXELS_H

#include "pipeline/model.h"
#include "show/probe.h"

/* Of the pictures and masks that the list names (image/pairs.h): for every 4th position of the grid each way, whether
 * the position that it looks at most, itself and what is of no class left out, is of its class. ignore: the masks' value for no class; negative: the model's. first: their value
 * for class 0. */
ATTN_MUST_CHECK attn_status attn_probe_pixels(const attn_model *model, const char *list, int ignore,
                                              int first, attn_probe *out, attn_error *error);

#endif
