/* show/curves.h: the curves of a training, drawn from its log. */
#ifndef ATTN_SHOW_CURVES_H
#define ATTN_SHOW_CURVES_H

#include "attn/status.h"

/* Reads a log of train/log.h and writes an SVG (over what was there): losses of training and
 * validation, BLEU when there is any, the learning rate; each against the step. A log with fewer
 * than two points gives axes alone. ATTN_ERR_IO, ATTN_ERR_FORMAT, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_curves_draw(const char *log_path, const char *svg_path,
                                             attn_error *error);

#endif
