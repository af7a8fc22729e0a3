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

/* class[id]: the lowest id of the tokenizer that counts as the same; `pieces` is room. */
static attn_status find_classes(const attn_tokenizer *tokenizer, keyed *pieces, int32_t *class,
                                attn_error *error) {
    static const char space[] = "\xe2\x96\x81"; /* how SentencePiece writes one */
    int32_t size = attn_tokenizer_size(tokenizer);
    attn_status status = ATTN_OK;
    for (int32_t id = 0; id < size && status == ATTN_OK; id++) {
        const char *text = attn_tokenizer_piece(tokenizer, id);
        text += strncmp(text, space, sizeof space - 1) == 0 ? sizeof space - 1 : 0;
        pieces[id].id = id;
        status = attn_word_key(text, strlen(text), STEM, &pieces[id].key, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    qsort(pieces, (size_t)size, sizeof *pieces, by_key);
    for (int32_t i = 0; i < size; i++) {
        bool same = i > 0 && pieces[i].key == pieces[i - 1].key;
        class[pieces[i].id] = same ? class[pieces[i - 1].id] : pieces[i].id;
    }
    return ATTN_OK;
}

/* The classes of one side's ids. */
static attn_status classify(const attn_tokenizer *tokenizer, const int32_t *ids, int64_t count,
                            int32_t *out, attn_error *error) {
    size_t size = (size_t)attn_tokenizer_size(tokenizer);
    keyed *pieces = attn_alloc_zero(size, sizeof *pieces);
    int32_t *class = attn_alloc_zero(size, sizeof *class);
    attn_status status = pieces == NULL || class == NULL
                             ? attn_fail_memory(error, size * sizeof *pieces)
                             : find_classes(tokenizer, pieces, class, error);
    for (int64_t i = 0; i < count && status == ATTN_OK; i++) {
        out[i] = class[ids[i]];
    }
    attn_free(pieces);
    attn_free(class);
    return status;
}

static attn_status align(const attn_corpus *corpus, const int32_t *source, const int32_t *target,
                         int64_t sources, int64_t targets, int threads, attn_link_set *out,
                         attn_error *error) {
    attn_bitext text = {.unit = {source, target},
                        .start = {corpus->source_start, corpus->target_start},
                        .count = corpus->count,
                        .kinds = {(int32_t)sources, (int32_t)targets}};
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
        return align(corpus, corpus->source, corpus->target, vocabulary, vocabulary, threads, out,
                     error);
    }
    const attn_tokenizer *target = attn_tokenizer_target(tokenizer);
    int32_t *units = attn_alloc_zero((size_t)(sources + targets), sizeof *units);
    attn_status status = units == NULL
                             ? attn_fail_memory(error, (size_t)(sources + targets) * sizeof *units)
                             : classify(tokenizer, corpus->source, sources, units, error);
    if (status == ATTN_OK) {
        status = classify(target, corpus->target, targets, units + sources, error);
    }
    if (status == ATTN_OK) {
        status = align(corpus, units, units + sources, attn_tokenizer_size(tokenizer),
                       attn_tokenizer_size(target), threads, out, error);
    }
    attn_free(units);
    return status;
}
