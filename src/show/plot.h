/* show/plot.h: panels of lines over a common x, one above the other, as SVG. Next: show/curves.h. */
#ifndef ATTN_SHOW_PLOT_H
#define ATTN_SHOW_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_plot_point {
    double x, y;
} attn_plot_point;

typedef struct attn_plot_line {
    const char *label; /* in the legend of a panel of several lines */
    const attn_plot_point *point;
    size_t count;
} attn_plot_line;

enum { ATTN_PLOT_LINES = 2 };

typedef struct attn_plot_panel {
    const char *title, *x_label;
    attn_plot_line line[ATTN_PLOT_LINES];
    int lines;
    bool from_zero; /* the y axis; not together with logarithmic */
    bool
        logarithmic; /* both axes; points that are not above 0 are left out. Of all panels or none */
} attn_plot_panel;

/* Writes over what was there, whatever the name's extension. A panel with fewer than two points has axes alone.
 * ATTN_ERR_IO, ATTN_ERR_MEMORY, ATTN_ERR_UNSUPPORTED. */
ATTN_MUST_CHECK attn_status attn_plot_write(const char *svg_path, const attn_plot_panel *panel,
                                            size_t count, attn_error *error);

#endif
