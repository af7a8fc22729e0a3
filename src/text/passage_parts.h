/* text/passage_parts.h: what passage.c makes and passage_join.c reads. */
#ifndef ATTN_TEXT_PASSAGE_PARTS_H
#define ATTN_TEXT_PASSAGE_PARTS_H

#include "text/buffer.h"
#include "text/passage.h"

enum { ATTN_MOST_MASKED = 3 };

typedef enum part_kind {
    PART_LITERAL, /* literals[start .. start + length) as it is */
    PART_UNIT,    /* the translation of a unit */
    PART_WHOLE,   /* that of a unit with stand-ins; the next `skip` parts say the same in pieces */
} part_kind;

typedef struct part {
    part_kind kind;
    size_t start, length;
    size_t unit, skip;
    size_t mark, mark_count; /* tags within the unit */
    size_t masked;           /* stand-ins, and what each stands for */
    const char *stand_in[ATTN_MOST_MASKED];
    size_t output_start[ATTN_MOST_MASKED], output_length[ATTN_MOST_MASKED];
} part;

typedef struct unit {
    size_t start; /* in unit_text */
    bool marked;
} unit;

struct attn_passage {
    bool html;
    part *parts;
    size_t part_count, part_room;
    attn_buffer literals;  /* what literal parts, stand-ins and tags give, as it is written out */
    attn_buffer unit_text; /* the units, each NUL-terminated */
    unit *units;
    size_t unit_count, unit_room;
    attn_mark *marks;
    size_t mark_count, mark_room;
};

#endif
