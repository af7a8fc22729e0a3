/* text/alignment.c: IBM model 1 over the pairs of tokens that occur together.
 *
 * A pair is found by hashing; its number is the order in which the text first shows it, so nothing
 * depends on the hash. Of source tokens, `vocabulary` stands for the empty word. */
#include "text/alignment.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

typedef struct pair {
    int32_t source, target;
    double chance; /* t(target | source) */
    double count;  /* expected, in this iteration */
} pair;

typedef struct table {
    pair *pairs;
    size_t count, room;
    uint32_t *slots; /* number of a pair + 1; 0: free */
    size_t slot_count;
    double *totals; /* [vocabulary + 1]: of counts, by source */
} table;

enum { FIRST_SLOTS = 1 << 16 };

static size_t slot_of(const table *t, int32_t source, int32_t target) {
    uint64_t key = (uint64_t)(uint32_t)source << 32 | (uint32_t)target;
    key *= 0x9e3779b97f4a7c15u; /* Fibonacci hashing */
    size_t slot = (size_t)(key >> 20) & (t->slot_count - 1);
    while (t->slots[slot] != 0) {
        const pair *p = &t->pairs[t->slots[slot] - 1];
        if (p->source == source && p->target == target) {
            break;
        }
        slot = (slot + 1) & (t->slot_count - 1);
    }
    return slot;
}

static bool grow(table *t) {
    size_t slots = t->slot_count > 0 ? 2 * t->slot_count : FIRST_SLOTS;
    pair *pairs = slots / 2 < UINT32_MAX ? realloc(t->pairs, slots / 2 * sizeof *pairs) : NULL;
    uint32_t *fresh = pairs != NULL ? calloc(slots, sizeof *fresh) : NULL;
    t->pairs = pairs != NULL ? pairs : t->pairs;
    if (fresh == NULL) {
        return false;
    }
    free(t->slots);
    t->slots = fresh;
    t->slot_count = slots;
    t->room = slots / 2;
    for (size_t i = 0; i < t->count; i++) {
        t->slots[slot_of(t, t->pairs[i].source, t->pairs[i].target)] = (uint32_t)(i + 1);
    }
    return true;
}

/* The pair, made when it is new; NULL when out of memory. */
static pair *find_pair(table *t, int32_t source, int32_t target) {
    if (t->count == t->room && !grow(t)) {
        return NULL;
    }
    size_t slot = slot_of(t, source, target);
    if (t->slots[slot] == 0) {
        t->pairs[t->count++] = (pair){.source = source, .target = target};
        t->slots[slot] = (uint32_t)t->count;
    }
    return &t->pairs[t->slots[slot] - 1];
}

/* Every pair of a sentence, the empty word's too, with equal chances. */
static bool collect(table *t, const attn_corpus *corpus, int32_t empty) {
    for (int64_t i = 0; i < corpus->count; i++) {
        for (int64_t y = corpus->target_start[i]; y < corpus->target_start[i + 1]; y++) {
            for (int64_t x = corpus->source_start[i]; x <= corpus->source_start[i + 1]; x++) {
                bool last = x == corpus->source_start[i + 1];
                pair *p = find_pair(t, last ? empty : corpus->source[x], corpus->target[y]);
                if (p == NULL) {
                    return false;
                }
                p->chance = 1;
            }
        }
    }
    return true;
}

/* Shares one target token out among the source tokens of its sentence, by their chances. */
static void expect(table *t, const attn_corpus *corpus, int64_t i, int32_t target, int32_t empty,
                   pair **seen) {
    int64_t first = corpus->source_start[i], length = corpus->source_start[i + 1] - first;
    double sum = 0;
    for (int64_t x = 0; x <= length; x++) {
        seen[x] = find_pair(t, x < length ? corpus->source[first + x] : empty, target);
        sum += seen[x]->chance;
    }
    for (int64_t x = 0; sum > 0 && x <= length; x++) {
        double share = seen[x]->chance / sum;
        seen[x]->count += share;
        t->totals[seen[x]->source] += share;
    }
}

static void iterate(table *t, const attn_corpus *corpus, int32_t empty, pair **seen) {
    memset(t->totals, 0, ((size_t)empty + 1) * sizeof *t->totals);
    for (int64_t i = 0; i < corpus->count; i++) {
        for (int64_t y = corpus->target_start[i]; y < corpus->target_start[i + 1]; y++) {
            expect(t, corpus, i, corpus->target[y], empty, seen);
        }
    }
    for (size_t i = 0; i < t->count; i++) {
        pair *p = &t->pairs[i];
        double total = t->totals[p->source];
        p->chance = total > 0 ? p->count / total : 0;
        p->count = 0;
    }
}

/* By source, then likeliest first, then lower id. */
static int by_chance(const void *a, const void *b) {
    const pair *x = a, *y = b;
    if (x->source != y->source) {
        return x->source < y->source ? -1 : 1;
    }
    if (x->chance != y->chance) {
        return x->chance > y->chance ? -1 : 1;
    }
    return x->target < y->target ? -1 : x->target > y->target;
}

static void pick(table *t, int64_t vocabulary, int64_t per_token, int32_t *likely) {
    qsort(t->pairs, t->count, sizeof *t->pairs, by_chance);
    for (int64_t i = 0; i < vocabulary * per_token; i++) {
        likely[i] = -1;
    }
    int64_t rank = 0;
    for (size_t i = 0; i < t->count; i++) {
        const pair *p = &t->pairs[i];
        rank = i > 0 && p->source == t->pairs[i - 1].source ? rank + 1 : 0;
        if (p->source < vocabulary && rank < per_token) {
            likely[p->source * per_token + rank] = p->target;
        }
    }
}

attn_status attn_alignment_likely(const attn_corpus *corpus, int64_t vocabulary, int64_t iterations,
                                  int64_t per_token, int32_t *likely, attn_error *error) {
    int64_t longest = 0;
    for (int64_t i = 0; i < corpus->count; i++) {
        int64_t length = corpus->source_start[i + 1] - corpus->source_start[i];
        longest = length > longest ? length : longest;
    }
    table t = {.totals = calloc((size_t)vocabulary + 1, sizeof *t.totals)};
    pair **seen = malloc(((size_t)longest + 1) * sizeof *seen);
    int32_t empty = (int32_t)vocabulary;
    bool good = t.totals != NULL && seen != NULL && collect(&t, corpus, empty);
    for (int64_t i = 0; i < iterations && good; i++) {
        iterate(&t, corpus, empty, seen);
    }
    if (good) {
        pick(&t, vocabulary, per_token, likely);
    }
    size_t bytes = t.room * (sizeof(pair) + 2 * sizeof(uint32_t));
    free(seen);
    free(t.totals);
    free(t.slots);
    free(t.pairs);
    return good ? ATTN_OK : attn_fail_memory(error, 2 * bytes);
}

/* ---- frequent targets ---- */

typedef struct tally {
    int64_t count;
    int32_t id;
} tally;

static int by_count(const void *a, const void *b) {
    const tally *x = a, *y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

attn_status attn_alignment_frequent(const attn_corpus *corpus, int64_t vocabulary, int64_t count,
                                    int32_t *frequent, attn_error *error) {
    tally *tallies = calloc((size_t)vocabulary, sizeof *tallies);
    if (tallies == NULL) {
        return attn_fail_memory(error, (size_t)vocabulary * sizeof *tallies);
    }
    for (int64_t id = 0; id < vocabulary; id++) {
        tallies[id].id = (int32_t)id;
    }
    for (int64_t i = 0; i < corpus->target_start[corpus->count]; i++) {
        tallies[corpus->target[i]].count++;
    }
    qsort(tallies, (size_t)vocabulary, sizeof *tallies, by_count);
    for (int64_t i = 0; i < count; i++) {
        bool occurs = i < vocabulary && tallies[i].count > 0;
        frequent[i] = occurs ? tallies[i].id : -1;
    }
    free(tallies);
    return ATTN_OK;
}
