/* image/classes.h: the classes of a segmentation: their names and colours, from a file.
 *
 * A line is `id name r g b`: `3 road 128 64 128`. The name may have spaces; a line that begins with
 * # is a comment. Ids run from 0 without a gap. A line whose id is the ignore value names the
 * pixels that are left out, so that a mask in colours can have them. Next: image/mask.h. */
#ifndef ATTN_IMAGE_CLASSES_H
#define ATTN_IMAGE_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

enum { ATTN_MAX_CLASSES = 256, ATTN_CLASS_NAME_SIZE = 64, ATTN_DEFAULT_IGNORE = 255 };

typedef struct attn_class {
    char name[ATTN_CLASS_NAME_SIZE]; /* UTF-8 without control characters */
    uint8_t color[3];
} attn_class;

/* Plain data. */
typedef struct attn_classes {
    int count;            /* classes are 0 .. count - 1 */
    int ignore;           /* 0 .. 255, never below count */
    bool ignore_is_named; /* the file has a line for it: item[ignore] */
    attn_class item[ATTN_MAX_CLASSES];
} attn_classes;

/* ignore: 0 .. 255 (else ATTN_ERR_ARGUMENT). ATTN_ERR_IO; ATTN_ERR_FORMAT with the line: not five
 * fields, a number out of range, an id, name or colour given twice (both lines are named), a gap
 * in the ids, no class at all. */
ATTN_MUST_CHECK attn_status attn_classes_read(const char *path, int ignore, attn_classes *out,
                                              attn_error *error);
/* The same from memory; name goes into errors. */
ATTN_MUST_CHECK attn_status attn_classes_parse(const char *text, size_t size, const char *name,
                                               int ignore, attn_classes *out, attn_error *error);
/* The classes as such a text, to keep in a model file: NUL-terminated, free it with attn_free. NULL
 * when out of memory. */
char *attn_classes_print(const attn_classes *classes);
/* The class or ignore value of a colour; -1 when no line has it. */
int attn_classes_find_color(const attn_classes *classes, const uint8_t color[3]);
/* Name and colour of a mask value; one that has no line is "ignored", black. */
const attn_class *attn_classes_at(const attn_classes *classes, int value);

#endif
