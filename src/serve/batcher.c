/* serve/batcher.c: the queue, and the worker that forms batches and searches them. */
#include "serve/batcher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"

/* Memory that cached keys and values may take in one batch. */
static const double CACHE_BYTES = 256e6;
enum { MOST_SENTENCES = 256 };

struct attn_batcher {
    attn_batcher_options options;
    attn_metrics *metrics;
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    attn_batch_group *first, *last; /* groups with sentences that no batch took yet */
    size_t waiting;                 /* how many groups those are */
    int64_t tokens;                 /* in their sentences */
    bool stopping;
};

/* A sentence of a group. */
typedef struct seat {
    attn_batch_group *group;
    size_t sentence;
} seat;

typedef struct batch {
    seat seat[MOST_SENTENCES];
    int64_t count, tokens, longest;
} batch;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- forming a batch; the lock is held ---- */

/* Bytes of cached keys and values of `count` sentences of at most `length` ids. */
static double cache_bytes(const attn_batch_group *g, int64_t count, int64_t length) {
    const attn_translator_config *c = attn_translator_get_config(g->model);
    double steps = (double)(g->search.length_guard ? 2 * length + 20 : c->max_length);
    steps = steps < (double)c->max_length ? steps : (double)c->max_length;
    double channels = (double)(c->d_model / c->heads * c->kv_heads);
    return 2 * sizeof(float) * (double)c->decoder_layers * channels * steps *
           (double)g->search.beam * (double)count;
}

static bool fits(const attn_batcher *b, const batch *formed, const attn_batch_group *g,
                 int64_t length) {
    int64_t longest = length > formed->longest ? length : formed->longest;
    return formed->count == 0 ||
           (formed->count < MOST_SENTENCES && formed->tokens + length <= b->options.batch_tokens &&
            cache_bytes(g, formed->count + 1, longest) <= CACHE_BYTES);
}

static bool same_search(const attn_search_options *a, const attn_search_options *b) {
    return a->beam == b->beam && a->n_best == b->n_best && a->attention == b->attention &&
           a->length_penalty == b->length_penalty && a->max_length == b->max_length &&
           a->length_guard == b->length_guard && a->repeat_guard == b->repeat_guard;
}

/* Takes the first group, which is no translation. */
static attn_batch_group *take_work(attn_batcher *b) {
    attn_batch_group *g = b->first;
    b->first = g->next;
    b->last = b->first != NULL ? b->last : NULL;
    b->waiting--;
    return g;
}

/* Takes sentences from the front of the queue that can be searched like the first one. */
static void form_batch(attn_batcher *b, batch *formed) {
    const attn_batch_group *head = b->first;
    formed->count = formed->tokens = formed->longest = 0;
    attn_batch_group **link = &b->first, *previous = NULL;
    while (*link != NULL) {
        attn_batch_group *g = *link;
        bool alike =
            g->work == NULL && g->model == head->model && same_search(&g->search, &head->search);
        while (alike && g->taken < g->count && fits(b, formed, g, g->sentences[g->taken].length)) {
            int64_t length = g->sentences[g->taken].length;
            formed->seat[formed->count++] = (seat){g, g->taken++};
            formed->tokens += length;
            formed->longest = length > formed->longest ? length : formed->longest;
        }
        if (g->work != NULL || g->taken < g->count) {
            if (alike) {
                break; /* full: nobody overtakes */
            }
            previous = g;
            link = &g->next;
            continue;
        }
        *link = g->next;
        b->last = b->last == g ? previous : b->last;
        b->waiting--;
    }
    b->tokens -= formed->tokens;
}

/* Waits until there is work, and then until a batch is full or has waited long enough. */
static bool wait_for_work(attn_batcher *b) {
    while (b->first == NULL && !b->stopping) {
        pthread_cond_wait(&b->changed, &b->lock);
    }
    if (b->first == NULL) {
        return false;
    }
    double until = b->first->since + b->options.wait_seconds;
    struct timespec deadline = {.tv_sec = (time_t)until,
                                .tv_nsec = (long)((until - (double)(time_t)until) * 1e9)};
    while (b->first->work == NULL && b->tokens < b->options.batch_tokens && !b->stopping &&
           now() < until) {
        if (pthread_cond_timedwait(&b->changed, &b->lock, &deadline) == ETIMEDOUT) {
            break;
        }
    }
    return true;
}

/* ---- searching; the lock is not held ---- */

static void tell_progress(void *context, int64_t sentence, const int32_t *ids, int64_t count) {
    const seat *s = (const seat *)context + sentence;
    if (s->group->progress != NULL) {
        s->group->progress(s->group->context, s->sentence, ids, count);
    }
}

static attn_status search_seats(seat *seats, int64_t count, attn_error *error) {
    int64_t total = 0;
    bool progress = false;
    for (int64_t i = 0; i < count; i++) {
        total += seats[i].group->sentences[seats[i].sentence].length;
        progress = progress || seats[i].group->progress != NULL;
    }
    int64_t starts[MOST_SENTENCES + 1] = {0};
    attn_search_result results[MOST_SENTENCES];
    int32_t *source = malloc((size_t)(total + 1) * sizeof *source);
    if (source == NULL) {
        return attn_fail_memory(error, (size_t)total * sizeof *source);
    }
    for (int64_t i = 0; i < count; i++) {
        const attn_batch_sentence *s = &seats[i].group->sentences[seats[i].sentence];
        memcpy(source + starts[i], s->ids, (size_t)s->length * sizeof *source);
        starts[i + 1] = starts[i] + s->length;
    }
    attn_search_options options = seats[0].group->search;
    options.progress = progress ? tell_progress : NULL;
    options.progress_context = seats;
    attn_status status =
        attn_search(seats[0].group->model, count, source, starts, NULL, &options, results, error);
    for (int64_t i = 0; i < count && status == ATTN_OK; i++) {
        seats[i].group->sentences[seats[i].sentence].result = results[i];
    }
    if (status != ATTN_OK) {
        attn_search_results_free(results, count);
    }
    free(source);
    return status;
}

/* A failure in company says nothing about one sentence: each is then tried alone. */
static void search_batch(batch *formed) {
    attn_error error;
    if (search_seats(formed->seat, formed->count, &error) == ATTN_OK) {
        return;
    }
    for (int64_t i = 0; i < formed->count; i++) {
        attn_batch_group *g = formed->seat[i].group;
        attn_status status = search_seats(&formed->seat[i], 1, &error);
        if (status != ATTN_OK && g->status == ATTN_OK) {
            g->status = status;
            g->error = error;
        }
    }
}

static void finish_batch(attn_batcher *b, batch *formed) {
    int64_t tokens = 0;
    for (int64_t i = 0; i < formed->count; i++) {
        const attn_search_result *r =
            &formed->seat[i].group->sentences[formed->seat[i].sentence].result;
        tokens += r->count > 0 ? r->hypotheses[0].length + 1 : 0;
    }
    if (b->metrics != NULL) {
        attn_metrics_batch(b->metrics, formed->count, formed->tokens, tokens);
    }
    for (int64_t i = 0; i < formed->count; i++) {
        attn_batch_group *g = formed->seat[i].group;
        if (++g->finished == g->count) {
            g->done(g->context); /* the group may be gone afterwards */
        }
    }
}

static void *work(void *argument) {
    attn_batcher *b = argument;
    batch formed;
    pthread_mutex_lock(&b->lock);
    while (wait_for_work(b)) {
        attn_batch_group *other = b->first->work != NULL ? take_work(b) : NULL;
        if (other == NULL) {
            form_batch(b, &formed);
        }
        pthread_mutex_unlock(&b->lock);
        if (other != NULL) {
            other->work(other->context);
            other->done(other->context);
        } else {
            search_batch(&formed);
            finish_batch(b, &formed);
        }
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* ---- from outside ---- */

attn_status attn_batcher_start(const attn_batcher_options *options, attn_metrics *metrics,
                               attn_batcher **out, attn_error *error) {
    *out = NULL;
    attn_batcher *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return attn_fail_memory(error, sizeof *b);
    }
    b->options = *options;
    b->metrics = metrics;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&b->lock, NULL);
    int code = pthread_create(&b->worker, NULL, work, b);
    if (code != 0) {
        pthread_mutex_destroy(&b->lock);
        pthread_cond_destroy(&b->changed);
        free(b);
        return attn_fail(error, ATTN_ERR_IO, NULL, -1, NULL, "cannot start a thread: %s",
                         strerror(code));
    }
    *out = b;
    return ATTN_OK;
}

bool attn_batcher_submit(attn_batcher *b, attn_batch_group *group) {
    group->next = NULL;
    group->taken = group->finished = 0;
    group->status = ATTN_OK;
    group->since = now();
    pthread_mutex_lock(&b->lock);
    bool accepted = !b->stopping && b->waiting < b->options.queue;
    if (accepted) {
        if (b->last != NULL) {
            b->last->next = group;
        } else {
            b->first = group;
        }
        b->last = group;
        b->waiting++;
        for (size_t i = 0; i < group->count; i++) {
            b->tokens += group->sentences[i].length;
        }
        pthread_cond_signal(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return accepted;
}

void attn_batcher_stop(attn_batcher *b) {
    pthread_mutex_lock(&b->lock);
    bool running = !b->stopping;
    b->stopping = true;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
    if (running) {
        pthread_join(b->worker, NULL);
    }
}

void attn_batcher_free(attn_batcher *b) {
    if (b == NULL) {
        return;
    }
    attn_batcher_stop(b);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->changed);
    free(b);
}
