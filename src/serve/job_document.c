/* serve/job_document.c: a document on its way through the batcher.
 *
 * It is cut into sentences slice by slice, each when its turn comes, so that neither a thread nor memory is taken by one
 * document for long. Next: document/document.h. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "serve/job_parts.h"

enum {
    SLICE_BYTES = 16384,
    SLICE_COST = 200 /* tokens whose translation takes about as long as cutting a slice */
};

static void keep_status(attn_job *job, attn_status status) {
    job->group.status = job->group.status == ATTN_OK ? status : job->group.status;
}

/* The texts of the next slice, as a translation. */
static void begin_slice(void *context) {
    attn_job *job = context;
    size_t count, bytes = 0;
    const char *const *texts = attn_doc_texts(job->document, &count);
    job->slice = 0;
    while (job->next + job->slice < count && (job->slice == 0 || bytes < SLICE_BYTES)) {
        bytes += strlen(texts[job->next + job->slice++]);
    }
    if (job->slice > 0) {
        job->model = job->pair.model;
        keep_status(job, attn_job_begin(job, texts + job->next, job->slice, &job->group.error));
    }
}

/* The slice is translated: its texts are kept, and the rest of it goes. */
static void end_slice(attn_job *job) {
    for (size_t i = 0; i < job->slice && job->group.status == ATTN_OK; i++) {
        keep_status(job, attn_translation_text(job->translation, i, 0, &job->done_texts[job->next],
                                               &job->group.error));
        job->next += job->group.status == ATTN_OK;
    }
    attn_translation_free(job->translation);
    job->translation = NULL;
    job->slice = 0;
}

static void write_document(attn_job *job) {
    if (job->group.status == ATTN_OK) {
        keep_status(job, attn_doc_write(job->document, (const char *const *)job->done_texts,
                                        job->target, &job->written, &job->group.error));
    }
}

/* Whether there is more of the slice to search. fresh: it has been cut, and nothing of it searched. */
static bool go_on_in_slice(attn_job *job, bool fresh) {
    return job->translation != NULL && job->group.status == ATTN_OK &&
           ((fresh && job->group.count > 0) || attn_job_go_on(job));
}

/* By the worker, after it has cut a slice or searched what there was. */
static bool go_on(void *context) {
    attn_job *job = context;
    size_t count;
    bool fresh = job->group.work != NULL;
    attn_doc_texts(job->document, &count);
    job->group.work = NULL;
    if (go_on_in_slice(job, fresh)) {
        return true;
    }
    end_slice(job);
    if (job->group.status == ATTN_OK && job->next < count) {
        job->group.work = begin_slice;
        job->group.sentences = NULL;
        job->group.count = 0;
        return true;
    }
    write_document(job);
    return false;
}

attn_status attn_job_create_document(attn_serve_models *models, attn_serve_pair *pair,
                                     attn_doc *document, const char *target,
                                     const attn_job_options *options, const attn_job_ending *ending,
                                     attn_job **out, attn_error *error) {
    size_t count;
    attn_doc_texts(document, &count);
    attn_job *job = calloc(1, sizeof *job);
    char **texts = calloc(count + 1, sizeof *texts);
    *out = NULL;
    if (job == NULL || texts == NULL) {
        free(job);
        free(texts);
        attn_doc_free(document);
        attn_serve_pair_release(models, pair);
        ending->release(ending->context);
        return attn_fail_memory(error, sizeof *job);
    }
    pthread_mutex_init(&job->lock, NULL);
    job->models = models;
    job->pair = *pair;
    job->model = pair->model;
    job->options = *options;
    job->document = document;
    job->done_texts = texts;
    job->ending = *ending;
    job->options.html = attn_doc_is_html(document);
    job->target = target;
    job->group.ended = true;
    job->group.model = pair->model->open;
    job->group.context = job;
    job->group.work = begin_slice;
    job->group.go_on = go_on;
    job->group.cost = SLICE_COST;
    *out = job;
    return ATTN_OK;
}

void attn_job_free_document(attn_job *job) {
    size_t count;
    attn_doc_texts(job->document, &count);
    for (size_t i = 0; i < count; i++) {
        attn_translate_free(job->done_texts[i]);
    }
    free(job->done_texts);
    attn_buffer_free(&job->written);
    attn_doc_free(job->document);
    job->ending.release(job->ending.context);
}
