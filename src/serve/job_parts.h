/* serve/job_parts.h: what job.c and job_answer.c share. */
#ifndef ATTN_SERVE_JOB_PARTS_H
#define ATTN_SERVE_JOB_PARTS_H

#include <pthread.h>

#include "pipeline/translation.h"
#include "serve/job.h"

struct attn_job {
    /* NULL for a translation, which has all that follows. */
    void (*work)(void *context, attn_http_answer *answer);
    void (*release)(void *context);
    void *work_context;
    attn_http_answer answer; /* of the work, until it is handed out */
    attn_answers *cache;     /* NULL: the answer is not kept */
    attn_buffer key;
    attn_serve_models *models;
    attn_serve_pair pair;
    attn_serve_model *model; /* of the pair: the one that translates now */
    attn_job_options options;
    attn_translation *translation; /* of a document, of the slice under way */
    attn_doc *document;            /* NULL, or what is translated; with all that follows */
    const char *target;            /* that it is translated into */
    char **done_texts;             /* of the document, those before `next` */
    size_t next, slice;            /* texts of the slice: [next, next + slice) */
    attn_buffer written;           /* the translated document */
    attn_job_ending ending;
    attn_batch_group group;
    void (*wake)(void *context, bool done);
    void *wake_context;
    pthread_mutex_t lock; /* guards what follows while the job runs */
    bool done;
    char *last_event; /* text of the last partial event */
    attn_buffer events;
    size_t read; /* bytes of `events` that were handed out */
};

/* Sets the job's translation, of the model that translates now. */
ATTN_MUST_CHECK attn_status attn_job_begin(attn_job *job, const char *const *texts, size_t count,
                                           attn_error *error);
/* What was searched last goes into the texts; whether more is to be searched. */
bool attn_job_go_on(void *job);
/* What a job has for its document. */
void attn_job_free_document(attn_job *job);
/* One event: the text so far, and which sentence grew. */
void attn_job_write_partial(const attn_job *job, size_t sentence, const char *text,
                            attn_buffer *out);

#endif
