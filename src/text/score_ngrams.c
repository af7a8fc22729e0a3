/* text/score_ngrams.c: counting the n-grams that two sequences share.
 *
 * Every n-gram gets a number, equal for equal n-grams of either sequence: order n is numbered by
 * sorting the pairs (number of its first n - 1 symbols, last symbol). Exact, without hashing. */
#include <stdlib.h>

#include "base/grow.h"
#include "base/memory.h"
#include "text/score_parts.h"

bool attn_symbols_add(attn_symbols *symbols, int32_t symbol) {
    if (!attn_grow(&symbols->item, &symbols->capacity, symbols->count + 1, sizeof symbol)) {
        return false;
    }
    symbols->item[symbols->count++] = symbol;
    return true;
}

void attn_symbols_free(attn_symbols *symbols) {
    attn_free(symbols->item);
    *symbols = (attn_symbols){NULL, 0, 0};
}

static int compare_grams(const void *left, const void *right) {
    const attn_gram *a = left, *b = right;
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    return a->symbol < b->symbol ? -1 : a->symbol > b->symbol;
}

static bool reserve(attn_gram_space *space, size_t count) {
    if (count <= space->capacity) {
        return true;
    }
    attn_gram_space_free(space);
    size_t capacity = 2 * count;
    space->gram = attn_alloc_zero(capacity, sizeof *space->gram);
    space->number = attn_alloc_zero(capacity, sizeof *space->number);
    if (space->gram == NULL || space->number == NULL) {
        return false;
    }
    space->capacity = capacity;
    return true;
}

void attn_gram_space_free(attn_gram_space *space) {
    attn_free(space->gram);
    attn_free(space->number);
    *space = (attn_gram_space){NULL, NULL, 0};
}

/* Appends the n-grams of one sequence, whose places begin at `base`. */
static size_t collect(const attn_symbols *symbols, size_t n, size_t base, const int32_t *number,
                      attn_gram *gram, size_t count) {
    for (size_t i = 0; i + n <= symbols->count; i++) {
        gram[count++] = (attn_gram){.prefix = number[base + i],
                                    .symbol = symbols->item[i + n - 1],
                                    .place = (int32_t)(base + i)};
    }
    return count;
}

/* Numbers the sorted grams; returns the matches. */
static int64_t number_and_match(const attn_gram *gram, size_t count, size_t hypothesis_count,
                                int32_t *number) {
    int64_t match = 0;
    int32_t next = 0;
    for (size_t i = 0; i < count; next++) {
        int64_t in_hypothesis = 0, in_reference = 0;
        size_t first = i;
        for (; i < count && compare_grams(&gram[first], &gram[i]) == 0; i++) {
            bool hypothesis = (size_t)gram[i].place < hypothesis_count;
            in_hypothesis += hypothesis;
            in_reference += !hypothesis;
            number[gram[i].place] = next;
        }
        match += in_hypothesis < in_reference ? in_hypothesis : in_reference;
    }
    return match;
}

bool attn_ngrams_match(const attn_symbols *hypothesis, const attn_symbols *reference, int orders,
                       attn_gram_space *space, int64_t *match) {
    size_t total = hypothesis->count + reference->count;
    if (!reserve(space, total)) {
        return false;
    }
    for (size_t i = 0; i < total; i++) {
        space->number[i] = 0; /* the one 0-gram */
    }
    for (size_t n = 1; n <= (size_t)orders; n++) {
        size_t count = collect(hypothesis, n, 0, space->number, space->gram, 0);
        count = collect(reference, n, hypothesis->count, space->number, space->gram, count);
        if (count == 0) {
            break;
        }
        qsort(space->gram, count, sizeof *space->gram, compare_grams);
        match[n - 1] += number_and_match(space->gram, count, hypothesis->count, space->number);
    }
    return true;
}
