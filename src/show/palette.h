/* show/palette.h: the colours of the pictures, light and dark, for every eye.
 *
 * Heads: the eight colours of Okabe and Ito (2008), told apart with any colour vision. Weights: one
 * blue whose lightness moves evenly from the background's to its opposite, so that it reads in grey
 * too. */
#ifndef ATTN_SHOW_PALETTE_H
#define ATTN_SHOW_PALETTE_H

#include <stdint.h>

typedef struct attn_color {
    double red, green, blue, alpha; /* 0 to 1 */
} attn_color;

typedef enum attn_theme { ATTN_THEME_LIGHT, ATTN_THEME_DARK } attn_theme;

enum { ATTN_HEAD_COLORS = 8 };

/* The surface, text on it, lesser text, thin lines. */
attn_color attn_palette_background(attn_theme theme);
attn_color attn_palette_ink(attn_theme theme);
attn_color attn_palette_muted(attn_theme theme);
attn_color attn_palette_rule(attn_theme theme);
/* What marks the chosen word. */
attn_color attn_palette_accent(attn_theme theme);
/* Of head `head`, from 0; they repeat after ATTN_HEAD_COLORS. */
attn_color attn_palette_head(attn_theme theme, int64_t head);
/* Of a share from 0 to 1. */
attn_color attn_palette_weight(attn_theme theme, double share);
/* Text that stands out from attn_palette_weight of the same share. */
attn_color attn_palette_on_weight(attn_theme theme, double share);

#endif
