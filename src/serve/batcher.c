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

/* What a client has had since it joined the queue. */
typedef struct attn_turn {
    struct attn_turn *next;
    uint64_t client;
    double served;  /* tokens; the others' when it joined */
    size_t groups;  /* that have not ended */
    size_t waiting; /* of these, in the queue */
} turn;

/* A sentence of a group. */
typedef struct seat {
    attn_batch_group *group;
    size_t sentence;
} seat;

typedef struct batch {
    seat seat[MOST_SENTENCES];
    int64_t count, tokens, longest;
} batch;

struct attn_batcher {
    attn_batcher_options options;
    attn_metrics *metrics;
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    attn_batch_group *first, *last; /* groups with sentences that no batch took yet */
    size_t waiting;                 /* how many groups those are */
    int64_t tokens;                 /* in their sentences */
    turn *turns;                    /* of the clients with groups */
    double served;                  /* what the client whose turn it was last had had */
    batch formed;                   /* what is searched now */
    attn_batch_group *working;      /* the work that is done now, or NULL */
    bool stopping;                  /* nothing more is submitted */
    bool abandoned;                 /* nothing more is begun */
    bool ended;                     /* the worker has been waited for */
};

/* ---- whose turn it is; the lock is held ---- */

/* The client's, who now has one group more; NULL when memory ran out. */
static turn *join(attn_batcher *b, uint64_t client) {
    turn *t = b->turns;
    while (t != NULL && t->client != client) {
        t = t->next;
    }
    if (t == NULL) {
        t = calloc(1, sizeof *t);
        if (t == NULL) {
            return NULL;
        }
        *t = (turn){.next = b->turns, .client = client, .served = b->served};
        b->turns = t;
    }
    t->groups++;
    return t;
}

static void leave(attn_batcher *b, turn *gone) {
    if (--gone->groups > 0) {
        return;
    }
    turn **link = &b->turns;
    while (*link != gone) {
        link = &(*link)->next;
    }
    *link = gone->next;
    free(gone);
}

static void serve(attn_batcher *b, turn *t, int64_t tokens) {
    b->served = t->served;
    t->served += (double)tokens;
}

/* ---- the queue; the lock is held ---- */

static int64_t tokens_left(const attn_batch_group *g) {
    int64_t tokens = 0;
    for (size_t i = g->taken; i < g->count; i++) {
        tokens += g->sentences[i].length;
    }
    return tokens;
}

static void enqueue(attn_batcher *b, attn_batch_group *g, bool front) {
    g->taken = g->finished = 0;
    g->next = front ? b->first : NULL;
    if (front || b->last == NULL) {
        b->first = g;
    } else {
        b->last->next = g;
    }
    b->last = !front || b->last == NULL ? g : b->last;
    b->waiting++;
    b->tokens += tokens_left(g);
    g->turn->waiting++;
}

/* Takes the group out, if it is there. */
static void dequeue(attn_batcher *b, attn_batch_group *g) {
    attn_batch_group **link = &b->first, *previous = NULL;
    while (*link != NULL && *link != g) {
        previous = *link;
        link = &previous->next;
    }
    if (*link == NULL) {
        return;
    }
    *link = g->next;
    b->last = b->last == g ? previous : b->last;
    b->waiting--;
    b->tokens -= tokens_left(g);
    g->turn->waiting--;
}

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
    if (formed->count == 0) {
        return true;
    }
    const seat *first = &formed->seat[0];
    return g->work == NULL && g->model == first->group->model &&
           attn_batch_alike(&g->sentences[g->taken], &first->group->sentences[first->sentence]);
}

/* Of the groups that may go on with the batch, that of the client who has had least; of equal ones the first. */
static attn_batch_group *next_group(const attn_batcher *b, const batch *formed) {
    attn_batch_group *best = NULL;
    for (attn_batch_group *g = b->first; g != NULL; g = g->next) {
        if ((best == NULL || g->turn->served < best->turn->served) && alike(formed, g)) {
            best = g;
        }
    }
    return best;
}

static void take_sentence(attn_batcher *b, batch *formed, attn_batch_group *g) {
    int64_t length = g->sentences[g->taken].length;
    formed->seat[formed->count++] = (seat){g, g->taken};
    formed->tokens += length;
    formed->longest = length > formed->longest ? length : formed->longest;
    b->tokens -= length;
    if (++g->taken == g->count) {
        dequeue(b, g);
    }
    serve(b, g->turn, length);
}

/* Takes the group whose turn it is, if that is work; else sentences until a batch is full. */
static void take_turns(attn_batcher *b) {
    batch *formed = &b->formed;
    formed->count = formed->tokens = formed->longest = 0;
    attn_batch_group *g = next_group(b, formed);
    if (g->work != NULL) {
        dequeue(b, g);
        g->taken = 1;
        serve(b, g->turn, g->cost);
        b->working = g;
        return;
    }
    for (; g != NULL && fits(b, formed, g); g = next_group(b, formed)) {
        take_sentence(b, formed, g);
    }
}

/* Waits while a batch could still become fuller. */
static void wait_for_company(attn_batcher *b) {
    double until = b->first->since + b->options.wait_seconds;
    struct timespec deadline = {.tv_sec = (time_t)until,
                                .tv_nsec = (long)((until - (double)(time_t)until) * 1e9)};
    while (b->first != NULL && b->first->work == NULL && b->tokens < b->options.batch_tokens &&
           !b->stopping && attn_clock() < until) {
        if (pthread_cond_timedwait(&b->changed, &b->lock, &deadline) == ETIMEDOUT) {
            break;
        }
    }
}

/* false: there is none, and none will come. */
static bool wait_for_work(attn_batcher *b) {
    do {
        while (b->first == NULL && !b->stopping) {
            pthread_cond_wait(&b->changed, &b->lock);
        }
        if (b->first == NULL) {
            return false;
        }
        wait_for_company(b);
    } while (b->first == NULL); /* it was given up meanwhile */
    return true;
}

/* ---- searching; the lock is not held ---- */

static void tell_progress(void *context, int64_t sentence, const int32_t *ids, int64_t count) {
    const seat *s = (const seat *)context + sentence;
    if (s->group->progress != NULL) {
        s->group->progress(s->group->context, s->sentence, ids, count);
    }
}

static bool is_given_up(void *context, int64_t sentence) {
    const seat *s = (const seat *)context + sentence;
    return atomic_load(&s->group->given_up);
}

static attn_status search_seats(seat *seats, int64_t count, attn_error *error) {
    attn_sentence *sentences[MOST_SENTENCES];
    attn_batch_watch watch = {.given_up = is_given_up, .context = seats};
    for (int64_t i = 0; i < count; i++) {
        sentences[i] = &seats[i].group->sentences[seats[i].sentence];
        watch.progress = seats[i].group->progress != NULL ? tell_progress : watch.progress;
    }
    return attn_batch_search(seats[0].group->model, sentences, count, &watch, error);
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

/* Ends the group unless something of it is being searched. true: the caller calls `done`, without the lock. */
static bool end_group(attn_batcher *b, attn_batch_group *g) {
    if (g->ended || g->finished < g->taken) {
        return false;
    }
    dequeue(b, g);
    leave(b, g->turn);
    g->ended = true;
    return true;
}

/* A sentence of the group has its result. Until the lock is held, the group counts as being searched. */
static void finish_sentence(attn_batcher *b, attn_batch_group *g) {
    bool all = g->finished + 1 == g->count, ends = false;
    bool more = all && !atomic_load(&g->given_up) && g->status == ATTN_OK && g->go_on != NULL &&
                g->go_on(g->context);
    pthread_mutex_lock(&b->lock);
    g->finished++;
    if (b->abandoned) {
        atomic_store(&g->given_up, true);
    }
    if (atomic_load(&g->given_up) || (all && !more)) {
        ends = end_group(b, g);
    } else if (more) {
        enqueue(b, g, true); /* it has waited already */
    }
    pthread_mutex_unlock(&b->lock);
    if (ends) {
        g->done(g->context); /* the group may be gone afterwards */
    }
}

static void count_batch(attn_batcher *b) {
    const batch *formed = &b->formed;
    int64_t tokens = 0;
    for (int64_t i = 0; i < formed->count; i++) {
        const attn_search_result *r =
            &formed->seat[i].group->sentences[formed->seat[i].sentence].result;
        tokens += r->count > 0 ? r->hypotheses[0].length + 1 : 0;
    }
    if (b->metrics != NULL) {
        attn_metrics_batch(b->metrics, formed->count, formed->tokens, tokens);
    }
}

static void finish_batch(attn_batcher *b) {
    count_batch(b);
    pthread_mutex_lock(&b->lock);
    while (b->formed.count > 0) {
        attn_batch_group *g = b->formed.seat[--b->formed.count].group;
        pthread_mutex_unlock(&b->lock);
        finish_sentence(b, g);
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
}

static void do_work(attn_batcher *b) {
    attn_batch_group *g = b->working;
    g->work(g->context);
    bool more = g->go_on != NULL && !atomic_load(&g->given_up) && g->status == ATTN_OK &&
                g->go_on(g->context);
    bool ends = false;
    pthread_mutex_lock(&b->lock);
    g->finished = g->taken;
    b->working = NULL;
    if (more && !atomic_load(&g->given_up)) {
        enqueue(b, g, true);
    } else {
        ends = end_group(b, g);
    }
    pthread_mutex_unlock(&b->lock);
    if (ends) {
        g->done(g->context);
    }
}

static void *work(void *argument) {
    attn_batcher *b = argument;
    pthread_mutex_lock(&b->lock);
    while (wait_for_work(b)) {
        take_turns(b);
        pthread_mutex_unlock(&b->lock);
        if (b->working != NULL) {
            do_work(b);
        } else {
            search_batch(&b->formed);
            finish_batch(b);
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
    group->status = ATTN_OK;
    group->since = attn_clock();
    pthread_mutex_lock(&b->lock);
    bool accepted = !b->stopping;
    group->turn = accepted ? join(b, group->client) : NULL;
    accepted = group->turn != NULL;
    if (accepted && b->waiting >= b->options.queue && group->turn->waiting > 0) {
        leave(b, group->turn);
        accepted = false;
    }
    if (accepted) {
        group->ended = false;
        enqueue(b, group, false);
        pthread_cond_signal(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return accepted;
}

void attn_batcher_give_up(attn_batcher *b, attn_batch_group *group) {
    pthread_mutex_lock(&b->lock);
    bool ends = false;
    if (!group->ended) {
        atomic_store(&group->given_up, true);
        ends = end_group(b, group);
    }
    pthread_mutex_unlock(&b->lock);
    if (ends) {
        group->done(group->context);
    }
}

void attn_batcher_give_up_all(attn_batcher *b) {
    pthread_mutex_lock(&b->lock);
    b->stopping = b->abandoned = true;
    pthread_cond_signal(&b->changed);
    for (int64_t i = 0; i < b->formed.count; i++) {
        atomic_store(&b->formed.seat[i].group->given_up, true);
    }
    if (b->working != NULL) {
        atomic_store(&b->working->given_up, true);
    }
    for (attn_batch_group *g = b->first; g != NULL; g = g->next) {
        atomic_store(&g->given_up, true);
    }
    for (attn_batch_group *g = b->first, *next; g != NULL; g = next) {
        next = g->next;
        if (end_group(b, g)) {
            pthread_mutex_unlock(&b->lock);
            g->done(g->context);
            pthread_mutex_lock(&b->lock);
            next = b->first; /* the queue may have changed meanwhile */
        }
    }
    pthread_mutex_unlock(&b->lock);
}

void attn_batcher_stop(attn_batcher *b) {
    pthread_mutex_lock(&b->lock);
    bool running = !b->ended;
    b->stopping = b->ended = true;
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
