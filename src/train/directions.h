/* train/directions.h: which languages a training goes between, and what stands in front of its sources for that.
 *
 * A training that names no languages by file has one direction, that of its recipe, and no tags. */
#ifndef ATTN_TRAIN_DIRECTIONS_H
#define ATTN_TRAIN_DIRECTIONS_H

#include "text/tags.h"

enum { ATTN_DIRECTIONS = 64, ATTN_DIRECTION_CODE = 16 };

typedef struct attn_direction {
    char source[ATTN_DIRECTION_CODE], target[ATTN_DIRECTION_CODE];
    int32_t tag; /* -1: none */
} attn_direction;

typedef struct attn_directions {
    attn_direction item[ATTN_DIRECTIONS];
    size_t count;
    char tags[ATTN_TAG_SIZE * ATTN_DIRECTIONS]; /* all tags, with commas between; "": none */
} attn_directions;

/* "en-fr", or "en-fr+WORD": its tags by name, and where it belongs among the directions, *out, which it is added to unless it is
 * there. ATTN_ERR_ARGUMENT: it is something else, or one too many. */
ATTN_MUST_CHECK attn_status attn_directions_add(attn_directions *directions, const char *text,
                                                attn_error *error);
/* The ids of its tags. ATTN_ERR_ARGUMENT: the tokenizer has no such piece. */
ATTN_MUST_CHECK attn_status attn_directions_tags(const char *text, const attn_tokenizer *tokenizer,
                                                 attn_tags *out, attn_error *error);
/* Notes the tag of each direction. */
ATTN_MUST_CHECK attn_status attn_directions_find_tags(attn_directions *directions,
                                                      const attn_tokenizer *tokenizer,
                                                      attn_error *error);
/* The direction of a source's first id; 0 when there is none. */
size_t attn_directions_of_id(const attn_directions *directions, int32_t id);
/* That of "en-fr"; 0 when there is none. */
size_t attn_directions_of_text(const attn_directions *directions, const char *text);

#endif
