/* serve/job.c: units and sentences of a request, and its stream. The JSON is in job_answer.c. */
#include "serve/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "serve/job_parts.h"

enum { WORK_COST = 1000 /* tokens whose translation takes about as long as a picture */ };

static attn_search_options search_of(const attn_job_options *options) {
    attn_search_options search = options->search;
    int64_t n = options->n_best > 1 ? options->n_best : 1;
    search.n_best = options->alternatives + 1 > n ? options->alternatives + 1 : n;
    search.attention = options->attention;
    return search;
}

attn_status attn_job_begin(attn_job *job, const char *const *texts, size_t count,
                           attn_error *error) {
    const attn_job_options *options = &job->options;
    attn_search_options search = search_of(options);
    attn_translate_options translate;
    attn_translate_options_init(&translate);
    translate.format = options->html ? ATTN_TEXT_HTML : ATTN_TEXT_PLAIN;
    translate.search = &search;
    translate.attributes = options->attributes;
    translate.translate_all = options->translate_all;
    attn_status status =
        options->unchanged
            ? attn_translation_copy(job->model->open, texts, count, &job->translation, error)
            : attn_translation_create(job->model->open, texts, count, &translate, &job->translation,
                                      error);
    if (status == ATTN_OK) {
        job->group.model = job->model->open;
        job->group.sentences = attn_translation_to_search(job->translation, &job->group.count);
    }
    return status;
}

/* The second model of the pair gets what the first has written. */
static attn_status begin_second(attn_job *job, attn_error *error) {
    size_t count = attn_translation_count(job->translation);
    char **texts = calloc(count + 1, sizeof *texts);
    attn_status status = texts != NULL ? ATTN_OK : attn_fail_memory(error, count * sizeof *texts);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = attn_translation_text(job->translation, i, 0, &texts[i], error);
    }
    if (status == ATTN_OK) {
        attn_translation_free(job->translation);
        job->translation = NULL;
        job->model = job->pair.then;
        status = attn_job_begin(job, (const char *const *)texts, count, error);
    }
    for (size_t i = 0; i < count && texts != NULL; i++) {
        attn_translate_free(texts[i]);
    }
    free(texts);
    return status;
}

bool attn_job_go_on(void *context) {
    attn_job *job = context;
    attn_batch_group *group = &job->group;
    bool more = false;
    pthread_mutex_lock(&job->lock);
    group->status = attn_translation_go_on(job->translation, &more, &group->error);
    if (group->status == ATTN_OK && !more && job->pair.then != NULL &&
        job->model == job->pair.model) {
        group->status = begin_second(job, &group->error);
        more = group->status == ATTN_OK && group->count > 0;
        if (group->status == ATTN_OK && !more) {
            group->status = attn_translation_go_on(job->translation, &more, &group->error);
        }
    } else if (more) {
        group->sentences = attn_translation_to_search(job->translation, &group->count);
    }
    pthread_mutex_unlock(&job->lock);
    return more && group->status == ATTN_OK;
}

attn_status attn_job_create(attn_serve_models *models, attn_serve_pair *pair,
                            const char *const *texts, size_t count, const attn_job_options *options,
                            attn_job **out, attn_error *error) {
    *out = NULL;
    attn_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        attn_serve_pair_release(models, pair);
        return attn_fail_memory(error, sizeof *job);
    }
    pthread_mutex_init(&job->lock, NULL);
    job->group.ended = true;
    job->models = models;
    job->pair = *pair;
    job->model = pair->model;
    job->options = *options;
    job->group.go_on = attn_job_go_on;
    job->group.context = job;
    attn_status status = attn_job_begin(job, texts, count, error);
    if (status != ATTN_OK) {
        attn_job_free(job);
        return status;
    }
    *out = job;
    return ATTN_OK;
}

static void do_work(void *context) {
    attn_job *job = context;
    job->work(job->work_context, &job->answer);
}

attn_status attn_job_create_work(void (*work)(void *context, attn_http_answer *answer),
                                 void (*release)(void *context), void *context, attn_job **out,
                                 attn_error *error) {
    *out = NULL;
    attn_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        release(context);
        return attn_fail_memory(error, sizeof *job);
    }
    pthread_mutex_init(&job->lock, NULL);
    job->work = work;
    job->release = release;
    job->work_context = context;
    job->group.ended = true;
    job->group.context = job;
    job->group.work = do_work;
    job->group.cost = WORK_COST;
    *out = job;
    return ATTN_OK;
}

void attn_job_keep(attn_job *job, attn_answers *cache, attn_buffer *key) {
    job->cache = cache;
    job->key = *key;
    *key = (attn_buffer){0};
}

void attn_job_free(attn_job *job) {
    if (job == NULL) {
        return;
    }
    attn_buffer_free(&job->key);
    if (job->work != NULL) {
        job->release(job->work_context);
        attn_http_answer_free(&job->answer);
    } else {
        attn_serve_pair_release(job->models, &job->pair);
    }
    if (job->document != NULL) {
        attn_job_free_document(job);
    }
    attn_translation_free(job->translation);
    attn_buffer_free(&job->events);
    free(job->last_event);
    pthread_mutex_destroy(&job->lock);
    free(job);
}

attn_batch_group *attn_job_group(attn_job *job) {
    return &job->group;
}

/* ---- running ---- */

/* Adds an event for what is translated so far, unless the text is the same as before. */
static void add_partial_event(attn_job *job, size_t sentence) {
    char *text = NULL;
    if (attn_translation_so_far(job->translation, 0, &text, NULL) != ATTN_OK) {
        return; /* the answer at the end will say so */
    }
    if (job->last_event != NULL && strcmp(text, job->last_event) == 0) {
        free(text);
        return;
    }
    attn_job_write_partial(job, sentence, text, &job->events);
    free(job->last_event);
    job->last_event = text;
}

static void progress(void *context, size_t sentence, const int32_t *ids, int64_t count) {
    attn_job *job = context;
    size_t text;
    pthread_mutex_lock(&job->lock);
    bool last = job->pair.then == NULL || job->model == job->pair.then;
    bool seen = attn_translation_note(job->translation, sentence, ids, count, &text) && last;
    if (seen) {
        add_partial_event(job, sentence);
    }
    pthread_mutex_unlock(&job->lock);
    if (seen) {
        job->wake(job->wake_context, false);
    }
}

static void finish(void *context) {
    attn_job *job = context;
    pthread_mutex_lock(&job->lock);
    if (job->options.stream) {
        attn_http_answer answer = {0};
        attn_job_answer(job, &answer);
        attn_buffer_format(&job->events,
                           "event: %s\ndata: ", answer.status == 200 ? "done" : "error");
        attn_buffer_add(&job->events, answer.body.data, answer.body.length);
        attn_buffer_text(&job->events, "\n");
        attn_http_answer_free(&answer);
    }
    job->done = true;
    void (*wake)(void *, bool) = job->wake;
    void *wake_context = job->wake_context;
    pthread_mutex_unlock(&job->lock);
    wake(wake_context, true); /* the job may be gone from here on */
}

bool attn_job_start(attn_job *job, attn_batcher *batcher, uint64_t client,
                    void (*wake)(void *context, bool done), void *context) {
    job->group.client = client;
    job->wake = wake;
    job->wake_context = context;
    job->group.done = finish;
    job->group.progress = job->options.stream ? progress : NULL;
    job->group.context = job;
    if (job->group.count == 0 && job->group.work == NULL && !attn_job_go_on(job)) {
        finish(job);
        return true;
    }
    return attn_batcher_submit(batcher, &job->group);
}

void attn_job_give_up(attn_job *job, attn_batcher *batcher) {
    attn_batcher_give_up(batcher, &job->group);
}

bool attn_job_done(attn_job *job) {
    pthread_mutex_lock(&job->lock);
    bool done = job->done;
    pthread_mutex_unlock(&job->lock);
    return done;
}

bool attn_job_streams(const attn_job *job) {
    return job->options.stream;
}

long attn_job_read(attn_job *job, char *buffer, size_t size) {
    pthread_mutex_lock(&job->lock);
    size_t left = job->events.length - job->read;
    long count = left < size ? (long)left : (long)size;
    if (job->events.failed) {
        count = -1;
    } else if (count == 0) {
        count = job->done ? -1 : 0;
    } else {
        memcpy(buffer, job->events.data + job->read, (size_t)count);
        job->read += (size_t)count;
        if (job->read == job->events.length) {
            job->read = job->events.length = 0;
        }
    }
    pthread_mutex_unlock(&job->lock);
    return count;
}
