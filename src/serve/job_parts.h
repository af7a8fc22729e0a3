/* serve/job_parts.h: what job.c and job_answer.c share. */
#ifndef ATTN_SERVE_JOB_PARTS_H
#define ATTN_SERVE_JOB_PARTS_H

#include <pthread.h>

#include "serve/job.h"
#include "text/passage.h"

/* The sentences that a unit became: group.sentences[first .. first + count). */
typedef struct attn_job_unit {
    size_t first, count;
} attn_job_unit;

typedef struct attn_job_text {
    attn_passage *passage;
    attn_job_unit *units;
    size_t unit_count;
} attn_job_text;

struct attn_job {
    /* NULL for a translation, which has all that follows. */
    void (*work)(void *context, attn_http_answer *answer);
    void (*release)(void *context);
    void *work_context;
    attn_http_answer answer; /* of the work, until it is handed out */
    attn_serve_models *models;
    attn_serve_model *model;
    attn_job_options options;
    attn_job_text *texts;
    size_t text_count;
    attn_batch_group group;
    size_t sentence_room;
    void (*wake)(void *context, bool done);
    void *wake_context;
    pthread_mutex_t lock; /* guards what follows while the job runs */
    bool done;
    char **partial;   /* [sentences]: what a streamed one reads so far, or NULL */
    char *last_event; /* text of the last partial event */
    attn_buffer events;
    size_t read; /* bytes of `events` that were handed out */
};

/* The text with what the sentences read so far; of a stream. */
ATTN_MUST_CHECK attn_status attn_job_text_so_far(const attn_job *job, char **text);
/* One event: the text so far, and which sentence grew. */
void attn_job_write_partial(const attn_job *job, size_t sentence, const char *text,
                            attn_buffer *out);

#endif
