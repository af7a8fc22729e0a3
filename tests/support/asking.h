/* tests/support/asking.h: the server without sockets: requests go to the router, their jobs to a batcher. Include cmocka.h
 * first. */
#ifndef ATTN_TESTS_ASKING_H
#define ATTN_TESTS_ASKING_H

#include <pthread.h>
#include <string.h>

#include "serve/router.h"

static attn_metrics metrics;
static attn_service service;
static attn_batcher *batcher;
static attn_http_answer answer;

/* A service with small limits; its models are the test's business. */
static inline void set_service(void) {
    service = (attn_service){.metrics = &metrics,
                             .character_limit = 5000,
                             .batch_limit = 8,
                             .alternatives_limit = 4,
                             .pixel_limit = 10000,
                             .picture_memory = 64 << 20};
    attn_search_options_init(&service.search);
}

static inline void start_batcher(int64_t tokens, double wait, size_t queue) {
    attn_batcher_options options = {tokens, wait, queue};
    assert_int_equal(attn_batcher_start(&options, &metrics, &batcher, NULL), ATTN_OK);
}

/* ---- running a job to its end ---- */

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
} waiter;

static inline void woken(void *context, bool done) {
    waiter *w = context;
    pthread_mutex_lock(&w->lock);
    w->done = w->done || done;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static inline void finish(attn_job *job, waiter *w) {
    pthread_mutex_lock(&w->lock);
    while (!w->done) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    assert_true(attn_job_done(job));
}

static inline waiter new_waiter(void) {
    return (waiter){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
}

/* Handles a request; its answer is then in `answer`. */
static inline int finish_request(const attn_http_request *request) {
    attn_http_answer_free(&answer);
    attn_job *job = attn_router_handle(&service, request, &answer);
    if (job != NULL) {
        waiter w = new_waiter();
        assert_true(attn_job_start(job, batcher, 0, woken, &w));
        finish(job, &w);
        answer = (attn_http_answer){0};
        attn_job_answer(job, &answer);
        attn_job_free(job);
    }
    return answer.status;
}

static inline int ask(const char *method, const char *path, const char *type, const char *body) {
    attn_http_request request = {.method = method,
                                 .path = path,
                                 .content_type = type,
                                 .body = body,
                                 .body_size = strlen(body)};
    return finish_request(&request);
}

static inline int post(const char *json) {
    return ask("POST", "/translate", "application/json", json);
}

#endif
