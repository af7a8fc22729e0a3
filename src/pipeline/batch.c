/* pipeline/batch.c: forming batches of like length, and handing them to the search. */
#include "pipeline/batch.h"

#include <stdlib.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"

/* Memory that cached keys and values may take in one batch. */
static const double CACHE_BYTES = 256e6;

static bool same_search(const attn_search_options *a, const attn_search_options *b) {
    return a == b || (a->beam == b->beam && a->n_best == b->n_best && a->sample == b->sample &&
                      a->temperature == b->temperature && a->top_k == b->top_k &&
                      a->seed == b->seed && a->attention == b->attention &&
                      a->length_penalty == b->length_penalty && a->max_length == b->max_length &&
                      a->length_guard == b->length_guard && a->repeat_guard == b->repeat_guard);
}

bool attn_batch_alike(const attn_sentence *a, const attn_sentence *b) {
    return same_search(a->search, b->search);
}

/* Bytes of cached keys and values of `count` sentences of at most `length` ids. */
static double cache_bytes(const attn_translator_config *c, const attn_search_options *search,
                          int64_t count, int64_t length) {
    double steps = (double)(search->length_guard ? 2 * length + 20 : c->max_length);
    steps = steps < (double)c->max_length ? steps : (double)c->max_length;
    double width = (double)(search->sample ? search->n_best : search->beam);
    double channels = (double)(c->d_model / c->heads * c->kv_heads);
    return 2 * sizeof(float) * (double)c->decoder_layers * channels * steps * width * (double)count;
}

bool attn_batch_fits(const attn_model *model, const attn_search_options *search, int64_t count,
                     int64_t longest) {
    return cache_bytes(attn_translator_get_config(model->translator), search, count, longest) <=
           CACHE_BYTES;
}

/* ---- one batch ---- */

/* The sentences one after another, as the search reads them. */
typedef struct packed {
    int32_t *source;
    int64_t *starts;
    uint64_t *streams;
    attn_search_result *results;
} packed;

static void free_packed(packed *p) {
    free(p->source);
    free(p->starts);
    free(p->streams);
    free(p->results);
}

static attn_status pack_sentences(attn_sentence *const *sentences, int64_t count, packed *out,
                                  attn_error *error) {
    size_t total = 0, n = (size_t)count;
    for (int64_t i = 0; i < count; i++) {
        total += (size_t)sentences[i]->length;
    }
    *out = (packed){calloc(total + 1, sizeof *out->source), calloc(n + 1, sizeof *out->starts),
                    calloc(n + 1, sizeof *out->streams), calloc(n + 1, sizeof *out->results)};
    if (out->source == NULL || out->starts == NULL || out->streams == NULL ||
        out->results == NULL) {
        return attn_fail_memory(error, total * sizeof *out->source);
    }
    out->starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        const attn_sentence *s = sentences[i];
        memcpy(out->source + out->starts[i], s->ids, (size_t)s->length * sizeof *s->ids);
        out->starts[i + 1] = out->starts[i] + s->length;
        out->streams[i] = s->stream;
    }
    return ATTN_OK;
}

attn_status attn_batch_search(const attn_model *model, attn_sentence *const *sentences,
                              int64_t count, const attn_batch_watch *watch, attn_error *error) {
    packed p;
    attn_status status = pack_sentences(sentences, count, &p, error);
    if (status != ATTN_OK) {
        free_packed(&p);
        return status;
    }
    attn_search_options search = *sentences[0]->search;
    search.shortlist = model->shortlist;
    if (watch != NULL) {
        search.progress = watch->progress;
        search.given_up = watch->given_up;
        search.progress_context = search.given_up_context = watch->context;
    }
    status = attn_search(model->translator, count, p.source, p.starts, p.streams, &search,
                         p.results, error);
    for (int64_t i = 0; i < count && status == ATTN_OK; i++) {
        sentences[i]->result = p.results[i];
    }
    if (status != ATTN_OK) {
        attn_search_results_free(p.results, count);
    }
    free_packed(&p);
    return status;
}

/* ---- all of one caller ---- */

/* For qsort: alike ones together, then by length; of equal ones the first comes first. */
static int by_length(const void *a, const void *b) {
    const attn_sentence *x = *(attn_sentence *const *)a, *y = *(attn_sentence *const *)b;
    if (x->search != y->search) {
        return x->search < y->search ? -1 : 1;
    }
    if (x->length != y->length) {
        return x->length < y->length ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

typedef struct reporting {
    const attn_batch_options *options;
    attn_sentence *first; /* of all */
    attn_sentence *const *of_batch;
} reporting;

static void report(void *context, int64_t index, const int32_t *ids, int64_t count) {
    const reporting *r = context;
    r->options->progress(r->options->context, (size_t)(r->of_batch[index] - r->first), ids, count);
}

/* How many of sorted[0 .. left), from its end, make up the next batch. */
static size_t next_batch(const attn_model *model, attn_sentence *const *sorted, size_t left,
                         int64_t batch) {
    const attn_sentence *last = sorted[left - 1];
    /* Each thread searches its own part, and has as many sentences as asked for. */
    size_t most = (size_t)(batch > 1 ? batch * attn_get_threads() : 1), taken = 1;
    while (taken < left && taken < most && attn_batch_alike(sorted[left - 1 - taken], last) &&
           attn_batch_fits(model, last->search, (int64_t)taken + 1, last->length)) {
        taken++;
    }
    return taken;
}

attn_status attn_batch_search_all(const attn_model *model, attn_sentence *sentences, size_t count,
                                  const attn_batch_options *options, attn_error *error) {
    attn_sentence **sorted = malloc((count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        return attn_fail_memory(error, count * sizeof *sorted);
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &sentences[i];
    }
    qsort(sorted, count, sizeof *sorted, by_length);
    attn_status status = ATTN_OK;
    /* The longest first, so that the most memory is asked for at once. */
    for (size_t left = count; left > 0 && status == ATTN_OK;) {
        size_t taken = next_batch(model, sorted, left, options->batch);
        left -= taken;
        reporting r = {options, sentences, sorted + left};
        attn_batch_watch watch = {.progress = report, .context = &r};
        status = attn_batch_search(model, sorted + left, (int64_t)taken,
                                   options->progress != NULL ? &watch : NULL, error);
    }
    free(sorted);
    return status;
}
