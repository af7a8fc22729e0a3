/* image/pairs.h: which picture goes with which mask. */
#ifndef ATTN_IMAGE_PAIRS_H
#define ATTN_IMAGE_PAIRS_H

#include <stddef.h>

#include "attn/status.h"

typedef struct attn_pairs {
    char **picture; /* paths */
    char **mask;    /* NULL for a folder of pictures alone */
    size_t count;   /* at least 1 */
} attn_pairs;

/* The pictures (.jpg, .jpeg, .png, .tif, .tiff, .webp, in any case) of one folder and the masks (the same
 * but JPEG) of another with the same name up to the extension, sorted by that name as bytes. Other files, and what begins
 * with a dot, are left alone; subfolders are not entered. ATTN_ERR_IO; ATTN_ERR_FORMAT: a picture
 * without a mask or a mask without a picture (it is named), two of one name, nothing there. */
ATTN_MUST_CHECK attn_status attn_pairs_from_folders(const char *pictures, const char *masks,
                                                    attn_pairs *out, attn_error *error);
/* The pictures of a folder, in the same order; mask is NULL. */
ATTN_MUST_CHECK attn_status attn_pairs_from_folder(const char *pictures, attn_pairs *out,
                                                   attn_error *error);
/* A text file with a line `picture<TAB>mask` for each pair, in its order; paths are relative to the
 * file's folder; empty lines are skipped. ATTN_ERR_FORMAT with the line: no TAB, an empty path, a
 * file that is not there. */
ATTN_MUST_CHECK attn_status attn_pairs_from_list(const char *path, attn_pairs *out,
                                                 attn_error *error);
void attn_pairs_free(attn_pairs *pairs);

#endif
