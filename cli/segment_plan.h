/* cli/segment_plan.h: which pictures `attn segment` takes and where their results go, settled before any work.
 *
 * No result takes the place of another one or of a file that is no result of attn's: what is there already may be the ground
 * truth. Next: cmd_segment.c. */
#ifndef ATTN_CLI_SEGMENT_PLAN_H
#define ATTN_CLI_SEGMENT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_segment_item {
    char *picture; /* its path */
    char *stem;    /* of its results: DIR/NAME, without the picture's extension */
} attn_segment_item;

typedef struct attn_segment_plan {
    attn_segment_item *item;
    size_t count, room;
} attn_segment_plan;

/* The pictures of operands that are files or folders; from folders, not those that attn wrote itself. endings: of the files to
 * be written for each picture, NULL after the last. force: over files of others too.
 * ATTN_ERR_ARGUMENT: two pictures whose results would have one name, a result's name that is taken, or no picture at all. */
ATTN_MUST_CHECK attn_status attn_segment_plan_make(char *const *operand, int operand_count,
                                                   const char *folder, const char *const *endings,
                                                   bool force, attn_segment_plan *out,
                                                   attn_error *error);
void attn_segment_plan_free(attn_segment_plan *plan);

#endif
