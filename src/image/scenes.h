/* image/scenes.h: pictures drawn by the program itself whose classes cannot be told locally.
 *
 * Along one side of a scene lie markers: small squares whose stripes are of a colour and of white or
 * black. Far from them lie shapes in the same colours. A shape is of class `light` when the marker of
 * its colour is striped with white, of class `dark` when it is striped with black; its own pixels say
 * nothing about that, and colours and stripes are drawn anew for each scene. So a pixel has to ask:
 * which marker is like me, and what are its stripes? Next: image/pairs.h, for pictures from
 * elsewhere. */
#ifndef ATTN_IMAGE_SCENES_H
#define ATTN_IMAGE_SCENES_H

#include "image/classes.h"
#include "image/picture.h"

enum {
    ATTN_SCENE_GROUND,
    ATTN_SCENE_MARKER,
    ATTN_SCENE_LIGHT,
    ATTN_SCENE_DARK,
    ATTN_SCENE_CLASSES
};

typedef struct attn_scene_options {
    int64_t width, height; /* at least 64 each */
    int colors;            /* 1 .. 3, each with a marker of its own; 1: one marker tells all */
    int shapes;            /* 1 .. 16 */
} attn_scene_options;

/* 96 x 96, 2 colours, 8 shapes. */
attn_scene_options attn_scene_options_default(void);
/* How near a shape may come to a marker, in pixels: 7/16 of the shorter side, less where that is under 86. */
int64_t attn_scene_gap(const attn_scene_options *options);

/* Names and colours of the classes. */
void attn_scene_classes(attn_classes *out);

/* Scene `index` of a seed: a function of these and the options alone, the same bytes everywhere.
 * Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY; both outputs are empty then. */
ATTN_MUST_CHECK attn_status attn_scene_draw(const attn_scene_options *options, uint64_t seed,
                                            uint64_t index, attn_picture *picture, attn_mask *mask,
                                            attn_error *error);

#endif
