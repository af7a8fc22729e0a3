/* pipeline/labels.h: what the classes of a classifier are called: a name a line, in the order of the classes. */
#ifndef ATTN_PIPELINE_LABELS_H
#define ATTN_PIPELINE_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

typedef struct attn_labels {
    int64_t count;
    char *text;        /* the names, each ends with NUL */
    const char **name; /* [count]: UTF-8 without control characters */
} attn_labels;

/* text of size bytes; path: the model, in errors. ATTN_ERR_FORMAT: not `count` names, or one that cannot be shown. Free it with
 * attn_labels_free, also after a failure. */
ATTN_MUST_CHECK attn_status attn_labels_parse(const char *text, size_t size, const char *path,
                                              int64_t count, attn_labels *out, attn_error *error);
void attn_labels_free(attn_labels *labels);

#endif
