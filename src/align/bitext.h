/* align/bitext.h: parallel text as an aligner sees it: two sides of numbers, in pairs of lines.
 *
 * What a number stands for (a word, its stem, a piece of a tokenizer) is the caller's business. Side 0 is the
 * source, side 1 the target. Next: align/aligner.h. */
#ifndef ATTN_ALIGN_BITEXT_H
#define ATTN_ALIGN_BITEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Line n of side s: unit[s][start[s][n] .. start[s][n + 1]), each below kinds[s]. A line may be empty. */
typedef struct attn_bitext {
    const int32_t *unit[2];
    const int64_t *start[2]; /* count + 1 */
    int64_t count;
    int32_t kinds[2];
} attn_bitext;

static inline int64_t attn_bitext_length(const attn_bitext *text, int side, int64_t line) {
    return text->start[side][line + 1] - text->start[side][line];
}

/* Words of the one side times words of the other of the largest pair of lines that is looked at. */
enum { ATTN_BITEXT_MOST_CELLS = 1 << 22 };

/* Whether there is something to link, and not too much. */
static inline bool attn_bitext_looked_at(const attn_bitext *text, int64_t line) {
    int64_t sources = attn_bitext_length(text, 0, line),
            targets = attn_bitext_length(text, 1, line);
    return sources > 0 && targets > 0 && sources <= ATTN_BITEXT_MOST_CELLS / targets;
}

/* Position `source` of a line belongs to position `target` of its translation, both from 0. */
typedef struct attn_link {
    int32_t source, target;
} attn_link;

/* The links of line n: link[start[n] .. start[n + 1]), sorted by source, then target. */
typedef struct attn_link_set {
    attn_link *link;
    int64_t *start; /* count + 1 */
    int64_t count;
} attn_link_set;

void attn_link_set_free(attn_link_set *set);

#endif
