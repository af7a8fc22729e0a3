/* serve/batcher.h: the queue of many requests, whose sentences one worker has searched together; and its
 * other work.
 *
 * Requests wait in a bounded queue, in order. When the worker is free it takes sentences from the front
 * until a batch has enough tokens; a short wait lets others join an almost empty batch. What a sentence
 * becomes does not depend on the batch it was in (attn/search.h). Work of another kind, such as a
 * picture, waits in the same queue and is done alone. */
#ifndef ATTN_SERVE_BATCHER_H
#define ATTN_SERVE_BATCHER_H

#include <stdbool.h>

#include "pipeline/batch.h"
#include "serve/metrics.h"

/* The sentences of one request. Belongs to the caller, and to the batcher from submitting until `done`
 * has been called. */
typedef struct attn_batch_group {
    const attn_model *model;
    attn_sentence *sentences; /* those that are alike may share a batch with others' */
    size_t count;             /* at least 1, unless there is `work` */
    /* NULL, or what the worker does in the place of translating. */
    void (*work)(void *context);
    /* Called by the worker. progress: NULL, or of a sentence, as in attn/search.h. */
    void (*progress)(void *context, size_t sentence, const int32_t *ids, int64_t count);
    /* NULL, or called when all sentences have results: true when others are to be searched then, which it has put in
     * their place. */
    bool (*go_on)(void *context);
    void (*done)(void *context);
    void *context;
    attn_status status; /* the first failure */
    attn_error error;
    /* Kept by the batcher. */
    struct attn_batch_group *next;
    size_t taken, finished;
    double since;
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
/* false, and nothing done, when the queue is full or the batcher is stopping. Any thread. */
bool attn_batcher_submit(attn_batcher *batcher, attn_batch_group *group);
/* Finishes what was submitted, then ends the worker; whatever is submitted later is refused. */
void attn_batcher_stop(attn_batcher *batcher);
/* Stops it first where that has not been done. NULL is allowed. */
void attn_batcher_free(attn_batcher *batcher);

#endif
