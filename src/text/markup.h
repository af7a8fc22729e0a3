/* text/markup.h: tags within a sentence, put where they belong in its translation.
 *
 * Tags are taken out, the sentence is translated whole, and each element is put around the words of the
 * translation that look most at the words it was around. Next: passage.h. */
#ifndef ATTN_TEXT_MARKUP_H
#define ATTN_TEXT_MARKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

/* Where the parts of a translation came from: part t ends before byte target_end[t] of the translation, part s
 * before byte source_end[s] of the unit (each begins where the one before it ends), and weight[t, s] says how
 * much t looked at s. targets 0: unknown, and the translation is taken to go along with the unit. */
typedef struct attn_links {
    size_t targets, sources;
    const size_t *target_end, *source_end;
    const float *weight;
} attn_links;

typedef enum attn_mark_kind {
    ATTN_MARK_OPEN,
    ATTN_MARK_CLOSE,
    ATTN_MARK_POINT, /* stands between words: an image, a comment */
} attn_mark_kind;

#define ATTN_NO_MARK ((size_t)-1)
enum { ATTN_MOST_MARKS = 256 };

typedef struct attn_mark {
    attn_mark_kind kind;
    size_t at;      /* byte of the unit before which it stands */
    size_t partner; /* the element's other tag in the array; ATTN_NO_MARK: not in this sentence */
    size_t start, length; /* the tag itself, in a text of the caller's */
    /* Set by placing. */
    size_t to; /* byte of the translation before which it goes */
    int side;  /* 0: it belongs to what is before it, 1: to what follows */
    size_t rank;
} attn_mark;

/* Sets `to` and puts the marks, at most ATTN_MOST_MARKS in the order of their sentence, into the order in
 * which they are to be written. Elements that were well nested stay so, whatever the links. */
ATTN_MUST_CHECK attn_status attn_markup_place(attn_mark *marks, size_t count, const char *unit,
                                              const char *translation, const attn_links *links,
                                              attn_error *error);

#endif
