/* show/palette.c: tables of colours, and going between two of them. */
#include "show/palette.h"

#include <math.h>

typedef struct rgb {
    uint8_t red, green, blue;
} rgb;

/* By theme. */
static const rgb background[] = {{0xFF, 0xFF, 0xFF}, {0x12, 0x17, 0x1F}};
static const rgb ink[] = {{0x1B, 0x1F, 0x24}, {0xE8, 0xEC, 0xF1}};
static const rgb muted[] = {{0x5B, 0x64, 0x70}, {0x9A, 0xA6, 0xB4}};
static const rgb rule[] = {{0xD5, 0xDA, 0xE0}, {0x36, 0x40, 0x4D}};
static const rgb accent[] = {{0xD5, 0x5E, 0x00}, {0xE6, 0x9F, 0x00}};

/* Okabe and Ito's, those first that stand out best; their black is the ink of the theme. */
static const rgb heads[ATTN_HEAD_COLORS - 1] = {
    {0x00, 0x72, 0xB2}, {0xD5, 0x5E, 0x00}, {0x00, 0x9E, 0x73}, {0xCC, 0x79, 0xA7},
    {0xE6, 0x9F, 0x00}, {0x56, 0xB4, 0xE9}, {0xF0, 0xE4, 0x42},
};

/* Equal steps along a line in OKLab (Ottosson 2020): lightness 0.975 to 0.30 at hue 240 to 262
 * degrees for light, 0.235 to 0.96 at hue 258 to 225 for dark, with most chroma in the middle. */
enum { STEPS = 9 };
static const rgb weights[][STEPS] = {
    {{0xF3, 0xF7, 0xFA},
     {0xC3, 0xE2, 0xFB},
     {0x96, 0xC9, 0xF5},
     {0x6F, 0xAE, 0xE9},
     {0x4F, 0x92, 0xD6},
     {0x36, 0x76, 0xBE},
     {0x26, 0x5A, 0x9F},
     {0x1C, 0x41, 0x7D},
     {0x15, 0x2C, 0x58}},
    {{0x18, 0x1E, 0x28},
     {0x1C, 0x34, 0x51},
     {0x1D, 0x4D, 0x7A},
     {0x20, 0x68, 0x9F},
     {0x2D, 0x86, 0xC0},
     {0x4A, 0xA5, 0xDA},
     {0x73, 0xC3, 0xEE},
     {0xA3, 0xDF, 0xFB},
     {0xDA, 0xF7, 0xFF}},
};

static attn_color from_rgb(rgb c) {
    return (attn_color){c.red / 255.0, c.green / 255.0, c.blue / 255.0, 1};
}

attn_color attn_palette_background(attn_theme theme) {
    return from_rgb(background[theme]);
}

attn_color attn_palette_ink(attn_theme theme) {
    return from_rgb(ink[theme]);
}

attn_color attn_palette_muted(attn_theme theme) {
    return from_rgb(muted[theme]);
}

attn_color attn_palette_rule(attn_theme theme) {
    return from_rgb(rule[theme]);
}

attn_color attn_palette_accent(attn_theme theme) {
    return from_rgb(accent[theme]);
}

attn_color attn_palette_head(attn_theme theme, int64_t head) {
    int64_t i = head % ATTN_HEAD_COLORS;
    return from_rgb(i < ATTN_HEAD_COLORS - 1 ? heads[i] : ink[theme]);
}

attn_color attn_palette_weight(attn_theme theme, double share) {
    double at = fmin(fmax(share, 0), 1) * (STEPS - 1);
    int step = at < STEPS - 1 ? (int)at : STEPS - 2;
    attn_color a = from_rgb(weights[theme][step]), b = from_rgb(weights[theme][step + 1]);
    double t = at - step;
    return (attn_color){a.red + t * (b.red - a.red), a.green + t * (b.green - a.green),
                        a.blue + t * (b.blue - a.blue), 1};
}

attn_color attn_palette_on_weight(attn_theme theme, double share) {
    static const rgb dark = {0x12, 0x17, 0x1F}, light = {0xFF, 0xFF, 0xFF};
    attn_color under = attn_palette_weight(theme, share);
    double bright = 0.299 * under.red + 0.587 * under.green + 0.114 * under.blue;
    return from_rgb(bright > 0.45 ? dark : light);
}
