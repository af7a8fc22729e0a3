/* image/scenes.h: pictures drawn by the program itself whose classes cannot be told locally.
 *
 * Along one side of a scene lie markers: small squares with a texture inside a frame that is orange
 * or blue. Far from them lie shapes with the same textures. A shape is of class `warm` when the
 * marker of its texture has the orange frame, of class `cold` when it has the blue one; its own
 * pixels say nothing about that. So a pixel has to ask: which marker is like me, and what colour is
 * its frame? Next: image/pairs.h, for pictures from elsewhere. */
#ifndef ATTN_IMAGE_SCENES_H
#define ATTN_IMAGE_SCENES_H

#include "image/classes.h"
#include "image/picture.h"

enum { ATTN_SCENE_GROUND, ATTN_SCENE_MARKER, ATTN_SCENE_WARM, ATTN_SCENE_COLD, ATTN_SCENE_CLASSES };

typedef struct attn_scene_options {
    int64_t width, height; /* at least 64 each */
    int textures;          /* 1 .. 3, each with a marker of its own; 1: one marker tells all */
    int shapes;            /* 1 .. 16 */
} attn_scene_options;

/* 64 x 64, 2 textures, 3 shapes. */
attn_scene_options attn_scene_options_default(void);
/* How near a shape may come to a marker, in pixels: a quarter of the width or height. */
int64_t attn_scene_gap(const attn_scene_options *options);

/* Names and colours of the classes. */
void attn_scene_classes(attn_classes *out);

/* Scene `index` of a seed: a function of these and the options alone, the same bytes everywhere.
 * Thread-safe. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY; both outputs are empty then. */
ATTN_MUST_CHECK attn_status attn_scene_draw(const attn_scene_options *options, uint64_t seed,
                                            uint64_t index, attn_picture *picture, attn_mask *mask,
                                            attn_error *error);

#endif
