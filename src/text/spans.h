/* text/spans.h: parts of a text, as offsets in bytes, in order and without overlap. */
#ifndef ATTN_TEXT_SPANS_H
#define ATTN_TEXT_SPANS_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

/* What a protected part is to the sentence around it. */
typedef enum attn_span_kind {
    ATTN_SPAN_NAME,    /* stands like a name: a template, an address */
    ATTN_SPAN_CODE,    /* the same, made of letters: an identifier, a file, a path */
    ATTN_SPAN_NUMBER,  /* a number, with what is written onto it */
    ATTN_SPAN_COUNT,   /* a number of things, before their name */
    ATTN_SPAN_FOREIGN, /* words in letters that the text's language, or the model, does not write */
    ATTN_SPAN_UNKNOWN, /* a name that the model has never met */
    ATTN_SPAN_SIGN,    /* no word: an emoji, a sign that the model does not write */
} attn_span_kind;

typedef struct attn_span {
    size_t start, length;
    /* What stands for it in the translation, NUL-terminated; NULL: the part itself. Not owned. */
    const char *output;
    bool raw; /* it is markup already: not to be escaped */
    attn_span_kind kind;
} attn_span;

typedef struct attn_spans {
    attn_span *span;
    size_t count, room;
} attn_spans;

ATTN_MUST_CHECK attn_status attn_spans_add(attn_spans *spans, attn_span span, attn_error *error);
void attn_spans_free(attn_spans *spans);

#endif
