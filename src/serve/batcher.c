/* serve/batcher.c: the queue, and the worker that takes batches from it (pipeline/batch.h). */
#include "serve/batcher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fail.h"

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

/* ---- forming a batch; the lock is held ---- */

static bool fits(const attn_batcher *b, const batch *formed, const attn_batch_group *g) {
    const attn_sentence *next = &g->sentences[g->taken];
    int64_t longest = next->length > formed->longest ? next->length : formed->longest;
    return formed->count == 0 ||
           (formed->count < MOST_SENTENCES &&
            formed->tokens + next->length <= b->options.batch_tokens &&
            attn_batch_fits(g->model, next->search, formed->count + 1, longest));
}

/* Whether the group's next sentence may be searched with the batch's first. */
static bool alike(const batch *formed, const attn_batch_group *g) {
    if (g->work != NULL || g->taken == g->count) {
        return false;
    }
    if (formed->count == 0) {
        return true;
    }
    const seat *first = &formed->seat[0];
    return g->model == first->group->model &&
           attn_batch_alike(&g->sentences[g->taken], &first->group->sentences[first->sentence]);
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
    formed->count = formed->tokens = formed->longest = 0;
    attn_batch_group **link = &b->first, *previous = NULL;
    while (*link != NULL) {
        attn_batch_group *g = *link;
        while (alike(formed, g) && fits(b, formed, g)) {
            int64_t length = g->sentences[g->taken].length;
            formed->seat[formed->count++] = (seat){g, g->taken++};
            formed->tokens += length;
            formed->longest = length > formed->longest ? length : formed->longest;
        }
        if (alike(formed, g)) {
            break; /* full: nobody overtakes */
        }
        if (g->work != NULL || g->taken < g->count) {
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
           attn_clock() < until) {
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
    attn_sentence *sentences[MOST_SENTENCES];
    bool progress = false;
    for (int64_t i = 0; i < count; i++) {
        sentences[i] = &seats[i].group->sentences[seats[i].sentence];
        progress = progress || seats[i].group->progress != NULL;
    }
    return attn_batch_search(seats[0].group->model, sentences, count,
                             progress ? tell_progress : NULL, seats, error);
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

/* A group that goes on has waited already. */
static void put_first(attn_batcher *b, attn_batch_group *g) {
    pthread_mutex_lock(&b->lock);
    g->taken = g->finished = 0;
    g->next = b->first;
    b->first = g;
    b->last = b->last != NULL ? b->last : g;
    b->waiting++;
    for (size_t i = 0; i < g->count; i++) {
        b->tokens += g->sentences[i].length;
    }
    pthread_mutex_unlock(&b->lock);
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
        if (++g->finished < g->count) {
            continue;
        }
        if (g->status == ATTN_OK && g->go_on != NULL && g->go_on(g->context)) {
            put_first(b, g);
        } else {
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
    group->since = attn_clock();
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
