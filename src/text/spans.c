/* text/spans.c: a list of parts of a text. */
#include "text/spans.h"

#include <stdlib.h>

#include "base/fail.h"

attn_status attn_spans_add(attn_spans *spans, attn_span span, attn_error *error) {
    if (spans->count == spans->room) {
        size_t room = spans->room > 0 ? 2 * spans->room : 16;
        attn_span *grown = realloc(spans->span, room * sizeof *grown);
        if (grown == NULL) {
            return attn_fail_memory(error, room * sizeof *grown);
        }
        spans->span = grown;
        spans->room = room;
    }
    spans->span[spans->count++] = span;
    return ATTN_OK;
}

void attn_spans_free(attn_spans *spans) {
    free(spans->span);
    *spans = (attn_spans){0};
}
