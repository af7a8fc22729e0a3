/* text/corpus_vary.c: ids to text, the text a little different, to ids again; each pair on its own. */
#include "text/corpus_vary.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "text/corpus_edit.h"
#include "text/tags.h"
#include "text/tokenizer_dropout.h"

/* Sets these random numbers apart from those of dropout and of shuffling. */
static const uint64_t STREAM = 0x7661727900000000; /* "vary" */

typedef struct side {
    int32_t *id; /* malloc'ed; NULL when count is 0 */
    size_t count;
} side;

/* What becomes of one pair, or of two joined. */
typedef struct item {
    int64_t pair;
    int pairs; /* 1 or 2 */
    side source, target;
} item;

typedef struct work {
    const attn_corpus *corpus;
    const attn_tokenizer *tokenizer, *target; /* the sides */
    const attn_corpus_variation *variation;
    int64_t max_tokens;
    uint64_t seed, epoch;
} work;

/* What was drawn for a pair: the same numbers whichever variations are on. */
typedef struct draw {
    double join, capitals, end, copy;
    attn_random random; /* for the rest */
} draw;

bool attn_corpus_varies(const attn_corpus_variation *v) {
    return v->join > 0 || v->capitals > 0 || v->end > 0 || v->copy > 0 || v->source_dropout > 0 ||
           v->target_dropout > 0;
}

static draw draw_pair(const work *w, int64_t pair) {
    draw d = {.random =
                  attn_random_start(attn_random_key(w->seed, w->epoch, STREAM | (uint64_t)pair))};
    d.join = attn_random_uniform(&d.random);
    d.capitals = attn_random_uniform(&d.random);
    d.end = attn_random_uniform(&d.random);
    d.copy = attn_random_uniform(&d.random);
    return d;
}

/* ---- which pairs ---- */

static int64_t tokens(const int64_t *start, int64_t pair, int pairs) {
    return start[pair + pairs] - start[pair];
}

static bool fits(const work *w, int64_t pair, int pairs) {
    return tokens(w->corpus->source_start, pair, pairs) <= w->max_tokens &&
           tokens(w->corpus->target_start, pair, pairs) <= w->max_tokens;
}

static size_t tags_of(const work *w, int64_t pair) {
    const attn_corpus *c = w->corpus;
    return attn_tags_before(w->tokenizer, c->source + c->source_start[pair],
                            (size_t)tokens(c->source_start, pair, 1));
}

/* Two pairs with other tags are not one passage. */
static bool same_tags(const work *w, int64_t pair) {
    const attn_corpus *c = w->corpus;
    size_t count = tags_of(w, pair);
    return count == tags_of(w, pair + 1) &&
           memcmp(c->source + c->source_start[pair], c->source + c->source_start[pair + 1],
                  count * sizeof *c->source) == 0;
}

static int64_t plan(const work *w, item *items) {
    int64_t count = 0;
    for (int64_t pair = 0; pair < w->corpus->count; pair += items[count++].pairs) {
        bool both = w->variation->join > 0 && pair + 1 < w->corpus->count && fits(w, pair, 2) &&
                    draw_pair(w, pair).join < w->variation->join && same_tags(w, pair);
        items[count] = (item){.pair = pair, .pairs = both ? 2 : 1};
    }
    return count;
}

/* ---- one of them ---- */

/* The text of one side, of both pairs when they are joined. */
static attn_status text_of(const attn_tokenizer *tokenizer, const int32_t *ids,
                           const int64_t *start, const item *it, char **out, attn_error *error) {
    char *text[2] = {NULL, NULL};
    attn_status status = ATTN_OK;
    *out = NULL;
    for (int i = 0; i < it->pairs && status == ATTN_OK; i++) {
        int64_t from = start[it->pair + i];
        status = attn_tokenizer_decode(tokenizer, ids + from,
                                       (size_t)tokens(start, it->pair + i, 1), &text[i], error);
    }
    if (status == ATTN_OK && it->pairs == 2) {
        status = attn_edit_join(text[0], text[1], out, error);
    } else if (status == ATTN_OK) {
        *out = text[0];
        text[0] = NULL;
    }
    free(text[0]);
    free(text[1]);
    return status;
}

static attn_status edit(const work *w, draw *d, char **source, char **target, attn_error *error) {
    const attn_corpus_variation *v = w->variation;
    attn_status status = ATTN_OK;
    if (d->copy < v->copy) {
        status = attn_edit_copy(&d->random, source, target, error);
    }
    if (status == ATTN_OK && d->capitals < v->capitals) {
        status = attn_edit_case(d->capitals < v->capitals / 2, source, target, error);
    }
    if (status == ATTN_OK && d->end < v->end) {
        attn_edit_end(*source, *target);
    }
    return status;
}

/* tags: how many of the first pair's stand in front. */
static attn_status encode(const work *w, const attn_tokenizer *tokenizer, const char *text,
                          const item *it, size_t tags, side *out, attn_error *error) {
    int32_t *ids = NULL;
    size_t count = 0;
    attn_status status = attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, error);
    if (status == ATTN_OK && count > 0) {
        out->id = malloc((tags + count) * sizeof *ids);
        status = out->id != NULL ? ATTN_OK : attn_fail_memory(error, count * sizeof *ids);
    }
    if (status == ATTN_OK && count > 0) {
        memcpy(out->id, w->corpus->source + w->corpus->source_start[it->pair], tags * sizeof *ids);
        memcpy(out->id + tags, ids, count * sizeof *ids);
        out->count = tags + count;
    }
    free(ids);
    return status;
}

static attn_status as_text(const work *w, draw *d, item *it, attn_error *error) {
    const attn_corpus *c = w->corpus;
    char *source = NULL, *target = NULL;
    attn_status status = text_of(w->tokenizer, c->source, c->source_start, it, &source, error);
    if (status == ATTN_OK) {
        status = text_of(w->target, c->target, c->target_start, it, &target, error);
    }
    if (status == ATTN_OK) {
        status = edit(w, d, &source, &target, error);
    }
    if (status == ATTN_OK) {
        status = encode(w, w->tokenizer, source, it, tags_of(w, it->pair), &it->source, error);
    }
    if (status == ATTN_OK) {
        status = encode(w, w->target, target, it, 0, &it->target, error);
    }
    free(source);
    free(target);
    return status;
}

/* tags: those of a second pair are left out. */
static attn_status as_it_is(const int32_t *ids, const int64_t *start, const item *it, size_t tags,
                            side *out, attn_error *error) {
    size_t first = (size_t)tokens(start, it->pair, 1), second = 0;
    if (it->pairs == 2) {
        second = (size_t)tokens(start, it->pair + 1, 1) - tags;
    }
    int32_t *copy = malloc((first + second + 1) * sizeof *copy);
    if (copy == NULL) {
        return attn_fail_memory(error, (first + second) * sizeof *copy);
    }
    memcpy(copy, ids + start[it->pair], first * sizeof *copy);
    memcpy(copy + first, ids + start[it->pair + it->pairs] - second, second * sizeof *copy);
    free(out->id);
    *out = (side){copy, first + second};
    return ATTN_OK;
}

static attn_status both_as_they_are(const work *w, item *it, attn_error *error) {
    const attn_corpus *c = w->corpus;
    size_t tags = tags_of(w, it->pair);
    attn_status status = as_it_is(c->source, c->source_start, it, tags, &it->source, error);
    return status == ATTN_OK ? as_it_is(c->target, c->target_start, it, 0, &it->target, error)
                             : status;
}

static attn_status drop_merges(const attn_tokenizer *tokenizer, double dropout, attn_random *random,
                               side *s, attn_error *error) {
    side merged;
    if (dropout <= 0) {
        return ATTN_OK;
    }
    attn_status status = attn_tokenizer_remerge(tokenizer, s->id, s->count, dropout, random,
                                                &merged.id, &merged.count, error);
    if (status == ATTN_OK) {
        free(s->id);
        *s = merged;
    }
    return status;
}

static bool has_unknown(const attn_tokenizer *tokenizer, const int32_t *ids, const int64_t *start,
                        const item *it) {
    int32_t unknown = attn_tokenizer_special(tokenizer).unk;
    for (int64_t i = start[it->pair]; i < start[it->pair + it->pairs]; i++) {
        if (ids[i] == unknown) {
            return true;
        }
    }
    return false;
}

static bool changes_text(const work *w, const draw *d, const item *it) {
    const attn_corpus *c = w->corpus;
    const attn_corpus_variation *v = w->variation;
    return (it->pairs > 1 || d->capitals < v->capitals || d->end < v->end || d->copy < v->copy) &&
           !has_unknown(w->tokenizer, c->source, c->source_start, it) &&
           !has_unknown(w->target, c->target, c->target_start, it);
}

static bool usable(const work *w, const item *it) {
    return it->source.count > 0 && it->target.count > 0 &&
           (int64_t)it->source.count <= w->max_tokens && (int64_t)it->target.count <= w->max_tokens;
}

static attn_status vary(const work *w, item *it, attn_error *error) {
    draw d = draw_pair(w, it->pair);
    attn_status status =
        changes_text(w, &d, it) ? as_text(w, &d, it, error) : both_as_they_are(w, it, error);
    if (status == ATTN_OK) {
        status =
            drop_merges(w->tokenizer, w->variation->source_dropout, &d.random, &it->source, error);
    }
    if (status == ATTN_OK) {
        status =
            drop_merges(w->target, w->variation->target_dropout, &d.random, &it->target, error);
    }
    return status == ATTN_OK && !usable(w, it) ? both_as_they_are(w, it, error) : status;
}

/* The error kept is that of the first item, whichever thread met it. */
static attn_status vary_all(const work *w, item *items, int64_t count, int threads,
                            attn_error *error) {
    attn_status status = ATTN_OK;
    int64_t failed = count;
    (void)threads; /* used by OpenMP alone */
#pragma omp parallel for schedule(dynamic, 64) num_threads(threads > 0 ? threads : 1)
    for (int64_t i = 0; i < count; i++) {
        attn_error item_error;
        attn_status item_status = vary(w, &items[i], &item_error);
        if (item_status != ATTN_OK) {
#pragma omp critical(attn_vary_error)
            if (i < failed) {
                failed = i;
                status = item_status;
                if (error != NULL) {
                    *error = item_error;
                }
            }
        }
    }
    return status;
}

/* ---- all together ---- */

static void append(const side *s, int32_t *ids, int64_t *start, int64_t pair) {
    memcpy(ids + start[pair], s->id, s->count * sizeof *ids);
    start[pair + 1] = start[pair] + (int64_t)s->count;
}

static attn_status gather(const item *items, int64_t count, attn_corpus *out, attn_error *error) {
    size_t sources = 0, targets = 0, starts = (size_t)count + 1;
    for (int64_t i = 0; i < count; i++) {
        sources += items[i].source.count;
        targets += items[i].target.count;
    }
    out->source = attn_alloc_zero(sources, sizeof *out->source);
    out->target = attn_alloc_zero(targets, sizeof *out->target);
    out->source_start = attn_alloc_zero(starts, sizeof *out->source_start);
    out->target_start = attn_alloc_zero(starts, sizeof *out->target_start);
    if (out->source == NULL || out->target == NULL || out->source_start == NULL ||
        out->target_start == NULL) {
        return attn_fail_memory(error, (sources + targets) * sizeof(int32_t));
    }
    for (int64_t i = 0; i < count; i++) {
        append(&items[i].source, out->source, out->source_start, i);
        append(&items[i].target, out->target, out->target_start, i);
    }
    out->count = count;
    return ATTN_OK;
}

attn_status attn_corpus_vary(const attn_corpus *corpus, const attn_tokenizer *tokenizer,
                             const attn_corpus_variation *variation, int64_t max_tokens,
                             uint64_t seed, uint64_t epoch, int threads, attn_corpus *out,
                             attn_error *error) {
    const work w = {.corpus = corpus,
                    .tokenizer = tokenizer,
                    .target = attn_tokenizer_target(tokenizer),
                    .variation = variation,
                    .max_tokens = max_tokens,
                    .seed = seed,
                    .epoch = epoch};
    *out = (attn_corpus){0};
    item *items = attn_alloc_zero((size_t)corpus->count, sizeof *items);
    if (items == NULL) {
        return attn_fail_memory(error, (size_t)corpus->count * sizeof *items);
    }
    int64_t count = plan(&w, items);
    attn_status status = vary_all(&w, items, count, threads, error);
    status = status == ATTN_OK ? gather(items, count, out, error) : status;
    for (int64_t i = 0; i < count; i++) {
        free(items[i].source.id);
        free(items[i].target.id);
    }
    attn_free(items);
    if (status != ATTN_OK) {
        attn_corpus_free(out);
    }
    return status;
}
