/* serve/batcher.h: the queue of many requests, whose sentences one worker has searched together; and its
 * other work.
 *
 * Requests wait in a bounded queue. When the worker is free it takes sentences until a batch has enough
 * tokens; a short wait lets others join an almost empty batch. What a sentence becomes does not depend on
 * the batch it was in (attn/search.h). Work of another kind, such as a picture, waits in the same queue and
 * is done alone.
 *
 * Clients take turns (start-time fair queueing, Goyal, Vin and Cheng 1996): the next sentence is that of the client
 * with the fewest tokens so far, counted from when it joined the queue. So one with a book waits as long as it
 * takes, and one with a line waits for a batch or two. */
#ifndef ATTN_SERVE_BATCHER_H
#define ATTN_SERVE_BATCHER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "pipeline/batch.h"
#include "serve/metrics.h"

/* The sentences of one request. Begins with `ended` set. Belongs to the caller, and to the batcher from submitting until
 * `done` has been called. */
typedef struct attn_batch_group {
    const attn_model *model;
    attn_sentence *sentences; /* those that are alike may share a batch with others' */
    size_t count;             /* at least 1, unless there is `work` */
    /* NULL, or what the worker does in the place of translating, and what it counts for in tokens. */
    void (*work)(void *context);
    int64_t cost;
    uint64_t client; /* who takes turns with others */
    /* Called by the worker. progress: NULL, or of a sentence, as in attn/search.h. */
    void (*progress)(void *context, size_t sentence, const int32_t *ids, int64_t count);
    /* NULL, or called when all sentences have results, or work is done: true when others are to be searched then, which it
     * has put in their place, or other work is to be done. */
    bool (*go_on)(void *context);
    /* Called once, by the worker or by who gave the group up. */
    void (*done)(void *context);
    void *context;
    attn_status status; /* the first failure */
    attn_error error;
    atomic_bool given_up; /* nobody wants it any more: sentences may lack results */
    /* Kept by the batcher. */
    struct attn_batch_group *next;
    struct attn_turn *turn;
    size_t taken, finished;
    double since;
    bool ended; /* not submitted yet, or `done` is called or about to be */
} attn_batch_group;

typedef struct attn_batcher_options {
    int64_t batch_tokens; /* source tokens of a batch */
    double wait_seconds;  /* longest that a batch waits for more */
    size_t queue;         /* most groups that wait */
} attn_batcher_options;

typedef struct attn_batcher attn_batcher;

/* metrics may be NULL. */
ATTN_MUST_CHECK attn_status attn_batcher_start(const attn_batcher_options *options,
                                               attn_metrics *metrics, attn_batcher **out,
                                               attn_error *error);
/* false, and nothing done, when the queue is full or the batcher is stopping. A client that has nothing waiting finds
 * a place in a full queue too. Any thread. */
bool attn_batcher_submit(attn_batcher *batcher, attn_batch_group *group);
/* Nobody wants the group any more: what waits is not begun, a search ends at its next step, work goes on to its end. `done`
 * is called here or by the worker. Nothing happens to a group that has ended. Any thread. */
void attn_batcher_give_up(attn_batcher *batcher, attn_batch_group *group);
/* Gives up whatever was submitted; whatever is submitted later is refused. */
void attn_batcher_give_up_all(attn_batcher *batcher);
/* Finishes what was submitted, then ends the worker; whatever is submitted later is refused. */
void attn_batcher_stop(attn_batcher *batcher);
/* Stops it first where that has not been done. NULL is allowed. */
void attn_batcher_free(attn_batcher *batcher);

#endif
