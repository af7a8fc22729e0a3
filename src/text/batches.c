/* text/batches.c: sort by length, cut, shuffle.
 *
 * Pairs of one length are shuffled among themselves each epoch, so that batches differ from epoch
 * to epoch although they are always cut from the sorted order. */
#include "text/batches.h"

#include <stdlib.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/random.h"

/* The stream of attn_random_key: far from the small numbers a training step counts with. */
static const uint64_t BATCHES_STREAM = 0x62617463686573; /* "batches" */

typedef struct sort_key {
    int64_t target_length, source_length;
    int64_t rank; /* place before sorting: makes the sort stable and its result unique */
    int64_t pair;
} sort_key;

static int compare_keys(const void *left, const void *right) {
    const sort_key *a = left, *b = right;
    if (a->target_length != b->target_length) {
        return a->target_length < b->target_length ? -1 : 1;
    }
    if (a->source_length != b->source_length) {
        return a->source_length < b->source_length ? -1 : 1;
    }
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static void sort_by_length(const attn_corpus *corpus, sort_key *keys, int64_t *pair) {
    for (int64_t i = 0; i < corpus->count; i++) {
        int64_t p = pair[i];
        keys[i] = (sort_key){
            .target_length = corpus->target_start[p + 1] - corpus->target_start[p],
            .source_length = corpus->source_start[p + 1] - corpus->source_start[p],
            .rank = i,
            .pair = p,
        };
    }
    qsort(keys, (size_t)corpus->count, sizeof *keys, compare_keys);
    for (int64_t i = 0; i < corpus->count; i++) {
        pair[i] = keys[i].pair;
    }
}

/* start[0 .. return value] over the sorted keys. A batch closes before the pair that would take
 * either side past max_tokens. */
static int64_t cut(const sort_key *keys, int64_t count, int64_t max_tokens, int64_t *start) {
    int64_t batches = 0, source = 0, target = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t more_source = keys[i].source_length + 1;
        int64_t more_target = keys[i].target_length + 1;
        bool full = source + more_source > max_tokens || target + more_target > max_tokens;
        if (i == 0 || full) {
            start[batches++] = i;
            source = target = 0;
        }
        source += more_source;
        target += more_target;
    }
    start[batches] = count;
    return batches;
}

/* The batches of (pair, start) in another order, written to (shuffled, shuffled_start). */
static void reorder(const int64_t *pair, const int64_t *start, const int64_t *order, int64_t count,
                    int64_t *shuffled, int64_t *shuffled_start) {
    int64_t next = 0;
    for (int64_t b = 0; b < count; b++) {
        shuffled_start[b] = next;
        for (int64_t i = start[order[b]]; i < start[order[b] + 1]; i++) {
            shuffled[next++] = pair[i];
        }
    }
    shuffled_start[count] = next;
}

static void fill_identity(int64_t *items, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        items[i] = i;
    }
}

attn_status attn_batches_make(const attn_corpus *corpus, int64_t max_tokens, bool shuffle,
                              uint64_t seed, uint64_t epoch, attn_batches *out, attn_error *error) {
    *out = (attn_batches){NULL, NULL, 0};
    attn_status status = ATTN_OK;
    size_t count = (size_t)corpus->count;
    attn_random random = attn_random_start(attn_random_key(seed, epoch, BATCHES_STREAM));
    sort_key *keys = attn_alloc_zero(count, sizeof *keys);
    int64_t *pair = attn_alloc_zero(count, sizeof *pair);
    int64_t *start = attn_alloc_zero(count + 1, sizeof *start);
    int64_t *order = attn_alloc_zero(count, sizeof *order);
    out->pair = attn_alloc_zero(count, sizeof *out->pair);
    out->start = attn_alloc_zero(count + 1, sizeof *out->start);
    if (keys == NULL || pair == NULL || start == NULL || order == NULL || out->pair == NULL ||
        out->start == NULL) {
        status = attn_fail_memory(error, count * (sizeof *keys + 5 * sizeof *pair));
        goto out;
    }
    fill_identity(pair, corpus->count);
    if (shuffle) {
        attn_random_shuffle(&random, pair, corpus->count);
    }
    sort_by_length(corpus, keys, pair);
    out->count = cut(keys, corpus->count, max_tokens, start);
    fill_identity(order, out->count);
    if (shuffle) {
        attn_random_shuffle(&random, order, out->count);
    }
    reorder(pair, start, order, out->count, out->pair, out->start);
out:
    attn_free(keys);
    attn_free(pair);
    attn_free(start);
    attn_free(order);
    if (status != ATTN_OK) {
        attn_batches_free(out);
    }
    return status;
}

void attn_batches_free(attn_batches *batches) {
    attn_free(batches->pair);
    attn_free(batches->start);
    *batches = (attn_batches){NULL, NULL, 0};
}
