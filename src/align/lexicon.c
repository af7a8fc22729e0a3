/* align/lexicon.c: a hash table of pairs. Where a pair lies follows from the text alone. */
#include "align/lexicon.h"

#include <string.h>

#include "base/fail.h"
#include "base/math.h"
#include "base/memory.h"

#define COUNT_ONE 4294967296.0 /* 2^32 */
#define LEAST     1e-30f       /* of a chance, so that no sentence becomes impossible */

enum { FIRST_SLOTS = 1 << 16 };

typedef struct cell {
    int32_t unit[2]; /* source, target; source -1: free */
    float chance[2];
    uint64_t count[2]; /* in units of 2^-32 */
} cell;

struct attn_lexicon {
    cell *cells; /* slot_count, a power of two */
    size_t slot_count, count;
    int32_t kinds[2];
    int64_t *partners[2]; /* [kinds + 1]: how many pairs a unit is in */
};

/* Where a pair lies when nothing lies there before it. */
static size_t first_slot(const attn_lexicon *lexicon, int32_t source, int32_t target) {
    uint64_t key = (uint64_t)(uint32_t)source << 32 | (uint32_t)target;
    key *= 0x9e3779b97f4a7c15u; /* Fibonacci hashing: the upper bits depend on all of the key */
    return (size_t)(key ^ key >> 32) & (lexicon->slot_count - 1);
}

static size_t slot_of(const attn_lexicon *lexicon, int32_t source, int32_t target) {
    size_t slot = first_slot(lexicon, source, target);
    for (;;) {
        const cell *c = &lexicon->cells[slot];
        if (c->unit[0] < 0 || (c->unit[0] == source && c->unit[1] == target)) {
            return slot;
        }
        slot = (slot + 1) & (lexicon->slot_count - 1);
    }
}

static bool make_slots(attn_lexicon *lexicon, size_t slots) {
    size_t bytes;
    cell *fresh = attn_size_mul(slots, sizeof *fresh, &bytes) ? attn_alloc_large(bytes) : NULL;
    if (fresh == NULL) {
        return false;
    }
    for (size_t i = 0; i < slots; i++) {
        fresh[i] = (cell){.unit = {-1, 0}};
    }
    cell *old = lexicon->cells;
    size_t old_count = lexicon->slot_count;
    lexicon->cells = fresh;
    lexicon->slot_count = slots;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].unit[0] >= 0) {
            fresh[slot_of(lexicon, old[i].unit[0], old[i].unit[1])] = old[i];
        }
    }
    attn_free(old);
    return true;
}

static bool add(attn_lexicon *lexicon, int32_t source, int32_t target) {
    if (lexicon->count >= lexicon->slot_count / 2 &&
        !make_slots(lexicon, 2 * lexicon->slot_count)) {
        return false;
    }
    cell *c = &lexicon->cells[slot_of(lexicon, source, target)];
    if (c->unit[0] < 0) {
        *c = (cell){.unit = {source, target}, .chance = {1, 1}};
        lexicon->count++;
        lexicon->partners[0][source]++;
        lexicon->partners[1][target]++;
    }
    return true;
}

/* The empty word of each side stands behind the last word of a line. */
static bool add_line(attn_lexicon *lexicon, const attn_bitext *text, int64_t line) {
    int64_t length[2];
    const int32_t *unit[2];
    for (int s = 0; s < 2; s++) {
        length[s] = attn_bitext_length(text, s, line);
        unit[s] = text->unit[s] + text->start[s][line];
    }
    for (int64_t i = 0; i <= length[0]; i++) {
        for (int64_t j = 0; j < length[1] + (i < length[0]); j++) {
            if (!add(lexicon, i < length[0] ? unit[0][i] : text->kinds[0],
                     j < length[1] ? unit[1][j] : text->kinds[1])) {
                return false;
            }
        }
    }
    return true;
}

attn_status attn_lexicon_create(const attn_bitext *text, attn_lexicon **out, attn_error *error) {
    attn_lexicon *lexicon = attn_alloc_zero(1, sizeof *lexicon);
    bool good = lexicon != NULL;
    *out = lexicon;
    for (int s = 0; s < 2 && good; s++) {
        lexicon->kinds[s] = text->kinds[s];
        lexicon->partners[s] =
            attn_alloc_zero((size_t)text->kinds[s] + 1, sizeof *lexicon->partners[s]);
        good = lexicon->partners[s] != NULL;
    }
    good = good && make_slots(lexicon, FIRST_SLOTS);
    for (int64_t line = 0; line < text->count && good; line++) {
        good = !attn_bitext_looked_at(text, line) || add_line(lexicon, text, line);
    }
    if (good) {
        return ATTN_OK;
    }
    size_t slots = lexicon != NULL ? 2 * lexicon->slot_count : 0;
    attn_lexicon_free(lexicon);
    *out = NULL;
    return attn_fail_memory(error, (slots > 0 ? slots : FIRST_SLOTS) * sizeof(cell));
}

void attn_lexicon_free(attn_lexicon *lexicon) {
    if (lexicon != NULL) {
        attn_free(lexicon->cells);
        attn_free(lexicon->partners[0]);
        attn_free(lexicon->partners[1]);
        attn_free(lexicon);
    }
}

size_t attn_lexicon_find(const attn_lexicon *lexicon, int32_t source, int32_t target) {
    size_t slot = slot_of(lexicon, source, target);
    return lexicon->cells[slot].unit[0] >= 0 ? slot : SIZE_MAX;
}

void attn_lexicon_prepare(const attn_lexicon *lexicon, int32_t source, int32_t target) {
    __builtin_prefetch(&lexicon->cells[first_slot(lexicon, source, target)], 1);
}

float attn_lexicon_chance(const attn_lexicon *lexicon, size_t place, int direction) {
    return place != SIZE_MAX ? lexicon->cells[place].chance[direction] : LEAST;
}

void attn_lexicon_count(attn_lexicon *lexicon, size_t place, int direction, double count) {
    uint64_t units = (uint64_t)(count * COUNT_ONE);
    if (place != SIZE_MAX && units > 0) {
        uint64_t *to = &lexicon->cells[place].count[direction];
#pragma omp atomic
        *to += units;
    }
}

size_t attn_lexicon_size(const attn_lexicon *lexicon) {
    return lexicon->count;
}

/* ---- chances from counts ---- */

double attn_exp_digamma(double x) {
    /* digamma(x) = digamma(x + 1) - 1 / x, until the series is good enough. */
    double below = 0;
    while (x < 5) {
        below += 1 / x;
        x += 1;
    }
    double y = x - 0.5;
    double series = y + 1 / (24 * y) - 37 / (5760 * y * y * y);
    return series * (double)real_exp2((real)(-below * 1.4426950408889634));
}

/* exp(digamma(n + a k)) of each unit of a side, as the divisor of its chances. */
static attn_status sum_counts(const attn_lexicon *lexicon, int side, double prior, double *divisor,
                              attn_error *error) {
    size_t kinds = (size_t)lexicon->kinds[side] + 1;
    uint64_t *sum = attn_alloc_zero(kinds, sizeof *sum);
    if (sum == NULL) {
        return attn_fail_memory(error, kinds * sizeof *sum);
    }
    for (size_t i = 0; i < lexicon->slot_count; i++) {
        const cell *c = &lexicon->cells[i];
        if (c->unit[0] >= 0) {
            sum[c->unit[side]] += c->count[side];
        }
    }
    for (size_t x = 0; x < kinds; x++) {
        double n = (double)sum[x] / COUNT_ONE + prior * (double)lexicon->partners[side][x];
        divisor[x] = n > 0 ? attn_exp_digamma(n) : 1;
    }
    attn_free(sum);
    return ATTN_OK;
}

attn_status attn_lexicon_update(attn_lexicon *lexicon, double prior, int threads,
                                attn_error *error) {
    attn_status status = ATTN_OK;
    (void)threads; /* used by OpenMP alone */
    for (int side = 0; side < 2 && status == ATTN_OK; side++) {
        size_t kinds = (size_t)lexicon->kinds[side] + 1;
        double *divisor = attn_alloc_zero(kinds, sizeof *divisor);
        status = divisor != NULL ? sum_counts(lexicon, side, prior, divisor, error)
                                 : attn_fail_memory(error, kinds * sizeof *divisor);
        if (status == ATTN_OK) {
#pragma omp parallel for schedule(static) num_threads(threads > 0 ? threads : 1)
            for (size_t i = 0; i < lexicon->slot_count; i++) {
                cell *c = &lexicon->cells[i];
                if (c->unit[0] >= 0) {
                    double top = attn_exp_digamma((double)c->count[side] / COUNT_ONE + prior);
                    float chance = (float)(top / divisor[c->unit[side]]);
                    c->chance[side] = chance > LEAST ? chance : LEAST;
                    c->count[side] = 0;
                }
            }
        }
        attn_free(divisor);
    }
    return status;
}
