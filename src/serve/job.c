/* serve/job.c: units and sentences of a request, and its stream. The JSON is in job_answer.c. */
#include "serve/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "serve/job_parts.h"
#include "text/pieces.h"

/* ---- from texts to sentences ---- */

static attn_status add_sentence(attn_job *job, const int32_t *ids, int64_t length,
                                attn_error *error) {
    if (job->group.count == job->sentence_room) {
        size_t room = job->sentence_room > 0 ? 2 * job->sentence_room : 8;
        attn_batch_sentence *grown = realloc(job->group.sentences, room * sizeof *grown);
        if (grown == NULL) {
            return attn_fail_memory(error, room * sizeof *grown);
        }
        job->group.sentences = grown;
        job->sentence_room = room;
    }
    int32_t *copy = malloc((size_t)(length + 1) * sizeof *copy);
    if (copy == NULL) {
        return attn_fail_memory(error, (size_t)length * sizeof *copy);
    }
    memcpy(copy, ids, (size_t)length * sizeof *copy);
    copy[length] = ATTN_EOS;
    job->group.sentences[job->group.count++] =
        (attn_batch_sentence){.ids = copy, .length = length + 1};
    return ATTN_OK;
}

/* A unit as sentences of ids, each as long as the model can read. */
static attn_status add_unit(attn_job *job, const char *text, attn_job_unit *unit,
                            attn_error *error) {
    const attn_tokenizer *tokenizer = job->model->tokenizer;
    int64_t most = attn_translator_get_config(job->model->translator)->max_length - 1;
    int32_t *ids;
    size_t count;
    unit->first = job->group.count;
    attn_status status = attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, error);
    for (int64_t done = 0; status == ATTN_OK && done < (int64_t)count;) {
        bool clean;
        int64_t length =
            attn_piece_length(tokenizer, ids + done, (int64_t)count - done, most, &clean);
        status = add_sentence(job, ids + done, length, error);
        done += length;
    }
    if (status == ATTN_OK) {
        free(ids);
    }
    unit->count = job->group.count - unit->first;
    return status;
}

static attn_status add_text(attn_job *job, const char *text, attn_error *error) {
    attn_passage_options options = {.language = job->model->source,
                                    .html = job->options.html,
                                    .glossary = job->model->glossary};
    attn_job_text *added = &job->texts[job->text_count];
    attn_status status = attn_passage_parse(text, strlen(text), &options, &added->passage, error);
    if (status != ATTN_OK) {
        return status;
    }
    job->text_count++;
    added->unit_count = attn_passage_unit_count(added->passage);
    added->units = calloc(added->unit_count + 1, sizeof *added->units);
    if (added->units == NULL) {
        return attn_fail_memory(error, added->unit_count * sizeof *added->units);
    }
    for (size_t i = 0; i < added->unit_count && status == ATTN_OK; i++) {
        /* Where tags go is read from it. */
        job->group.search.attention =
            job->group.search.attention || attn_passage_unit_is_marked(added->passage, i);
        status = add_unit(job, attn_passage_unit(added->passage, i), &added->units[i], error);
    }
    return status;
}

static void set_search(attn_job *job) {
    attn_search_options *search = &job->group.search;
    int64_t n = job->options.n_best > 1 ? job->options.n_best : 1;
    n = job->options.alternatives + 1 > n ? job->options.alternatives + 1 : n;
    *search = job->options.search;
    search->n_best = n;
    search->beam = search->beam > n ? search->beam : n;
    search->attention = job->options.attention;
}

attn_status attn_job_create(attn_serve_models *models, attn_serve_model *model,
                            const char *const *texts, size_t count, const attn_job_options *options,
                            attn_job **out, attn_error *error) {
    *out = NULL;
    attn_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        attn_serve_model_release(models, model);
        return attn_fail_memory(error, sizeof *job);
    }
    pthread_mutex_init(&job->lock, NULL);
    job->models = models;
    job->model = model;
    job->options = *options;
    job->group.model = model->translator;
    set_search(job);
    job->texts = calloc(count + 1, sizeof *job->texts);
    attn_status status =
        job->texts == NULL ? attn_fail_memory(error, count * sizeof *job->texts) : ATTN_OK;
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = add_text(job, texts[i], error);
    }
    if (status == ATTN_OK && options->stream) {
        job->partial = calloc(job->group.count + 1, sizeof *job->partial);
        status = job->partial == NULL ? attn_fail_memory(error, job->group.count) : ATTN_OK;
    }
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
    job->group.work = do_work;
    *out = job;
    return ATTN_OK;
}

void attn_job_free(attn_job *job) {
    if (job == NULL) {
        return;
    }
    if (job->work != NULL) {
        job->release(job->work_context);
        attn_http_answer_free(&job->answer);
    } else {
        attn_serve_model_release(job->models, job->model);
    }
    for (size_t i = 0; i < job->group.count; i++) {
        free((void *)(uintptr_t)job->group.sentences[i].ids);
        attn_search_results_free(&job->group.sentences[i].result, 1);
        free(job->partial != NULL ? job->partial[i] : NULL);
    }
    for (size_t i = 0; i < job->text_count; i++) {
        attn_passage_free(job->texts[i].passage);
        free(job->texts[i].units);
    }
    free(job->texts);
    free(job->partial);
    free(job->group.sentences);
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
    if (attn_job_text_so_far(job, &text) != ATTN_OK) {
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
    char *text;
    if (attn_tokenizer_decode(job->model->tokenizer, ids, (size_t)count, &text, NULL) != ATTN_OK) {
        return;
    }
    pthread_mutex_lock(&job->lock);
    free(job->partial[sentence]);
    job->partial[sentence] = text;
    add_partial_event(job, sentence);
    pthread_mutex_unlock(&job->lock);
    job->wake(job->wake_context, false);
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

bool attn_job_start(attn_job *job, attn_batcher *batcher, void (*wake)(void *context, bool done),
                    void *context) {
    job->wake = wake;
    job->wake_context = context;
    job->group.done = finish;
    job->group.progress = job->options.stream ? progress : NULL;
    job->group.context = job;
    if (job->group.count == 0 && job->work == NULL) {
        finish(job);
        return true;
    }
    return attn_batcher_submit(batcher, &job->group);
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
