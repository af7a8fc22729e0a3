/* align/pieces.c: see pieces.h. */
#include "align/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "align/aligner.h"
#include "align/words.h"
#include "base/fail.h"
#include "base/memory.h"

enum { STEM = 5 };
static const double THRESHOLD = 0.3;

typedef struct keyed {
    uint64_t key;
    int32_t id;
} keyed;

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : x->id - y->id;
}

/* class[id]: the lowest id that counts as the same. */
static attn_status find_classes(const attn_tokenizer *tokenizer, int64_t vocabulary, keyed *pieces,
                                int32_t *class, attn_error *error) {
    static const char space[] = "\xe2\x96\x81"; /* how SentencePiece writes one */
    attn_status status = ATTN_OK;
    for (int32_t id = 0; id < vocabulary && status == ATTN_OK; id++) {
        const char *text = attn_tokenizer_piece(tokenizer, id);
        text = text == NULL ? "" : text;
        text += strncmp(text, space, sizeof space - 1) == 0 ? sizeof space - 1 : 0;
        pieces[id].id = id;
        status = attn_word_key(text, strlen(text), STEM, &pieces[id].key, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    qsort(pieces, (size_t)vocabulary, sizeof *pieces, by_key);
    for (int64_t i = 0; i < vocabulary; i++) {
        bool same = i > 0 && pieces[i].key == pieces[i - 1].key;
        class[pieces[i].id] = same ? class[pieces[i - 1].id] : pieces[i].id;
    }
    return ATTN_OK;
}

static void map(const int32_t *ids, int64_t count, const int32_t *class, int32_t *out) {
    for (int64_t i = 0; i < count; i++) {
        out[i] = class[ids[i]];
    }
}

static attn_status align(const attn_corpus *corpus, const int32_t *source, const int32_t *target,
                         int64_t vocabulary, int threads, attn_link_set *out, attn_error *error) {
    attn_bitext text = {.unit = {source, target},
                        .start = {corpus->source_start, corpus->target_start},
                        .count = corpus->count,
                        .kinds = {(int32_t)vocabulary, (int32_t)vocabulary}};
    attn_aligner_options options;
    int64_t too_long;
    attn_aligner_options_init(&options);
    options.threads = threads;
    return attn_align(&text, &options, ATTN_SYMMETRY_POSTERIOR, THRESHOLD, out, &too_long, error);
}

attn_status attn_align_pieces(const attn_corpus *corpus, const attn_tokenizer *tokenizer,
                              int64_t vocabulary, int threads, attn_link_set *out,
                              attn_error *error) {
    int64_t sources = corpus->source_start[corpus->count];
    int64_t targets = corpus->target_start[corpus->count];
    *out = (attn_link_set){.count = 0};
    if (tokenizer == NULL) {
        return align(corpus, corpus->source, corpus->target, vocabulary, threads, out, error);
    }
    keyed *pieces = attn_alloc_zero((size_t)vocabulary, sizeof *pieces);
    int32_t *class = attn_alloc_zero((size_t)vocabulary, sizeof *class);
    int32_t *units = attn_alloc_zero((size_t)(sources + targets), sizeof *units);
    attn_status status = pieces == NULL || class == NULL || units == NULL
                             ? attn_fail_memory(error, (size_t)(sources + targets) * sizeof *units)
                             : find_classes(tokenizer, vocabulary, pieces, class, error);
    if (status == ATTN_OK) {
        map(corpus->source, sources, class, units);
        map(corpus->target, targets, class, units + sources);
        status = align(corpus, units, units + sources, vocabulary, threads, out, error);
    }
    attn_free(pieces);
    attn_free(class);
    attn_free(units);
    return status;
}
