/* text/spans.c: a list of parts of a text. */
#include "text/spans.h"

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"

attn_status attn_spans_add(attn_spans *spans, attn_span span, attn_error *error) {
    if (!attn_grow(&spans->span, &spans->room, spans->count + 1, sizeof span)) {
        return attn_fail_memory(error, spans->count * sizeof span);
    }
    spans->span[spans->count++] = span;
    return ATTN_OK;
}

void attn_spans_free(attn_spans *spans) {
    attn_free(spans->span);
    *spans = (attn_spans){0};
}
