/* serve/job.h: one request for translation, from its texts to its JSON answer.
 *
 * The way between is pipeline/translation.h's; the sentences wait in the batcher with those of others.
 * Next: batcher.h. */
#ifndef ATTN_SERVE_JOB_H
#define ATTN_SERVE_JOB_H

#include "document/document.h"
#include "serve/batcher.h"
#include "serve/answers.h"
#include "serve/http.h"
#include "serve/pair.h"

typedef struct attn_job_options {
    bool list; /* q was a list: the answers are lists too */
    bool html, attributes, translate_all;
    bool unchanged; /* the texts are their own translations */
    bool stream;
    bool scores, attention; /* add "sentences", with what each token attended to */
    int64_t alternatives;   /* -1: not asked for */
    int64_t n_best;         /* hypotheses of each sentence in "sentences"; 0: not asked for */
    const char
        *detected; /* the language found, a string that outlives the job; NULL: it was given */
    double confidence;
    attn_search_options search; /* n_best, beam and attention are set from the above */
} attn_job_options;

typedef struct attn_job attn_job;

/* texts: UTF-8. Takes the pair's references over, also on failure. */
ATTN_MUST_CHECK attn_status attn_job_create(attn_serve_models *models, attn_serve_pair *pair,
                                            const char *const *texts, size_t count,
                                            const attn_job_options *options, attn_job **out,
                                            attn_error *error);
/* What is made of a translated document: finish(context, bytes, answer), at the desk; it may take the bytes over.
 * release(context) is called when the job goes, also after a failure to make it. */
typedef struct attn_job_ending {
    void (*finish)(void *context, attn_buffer *bytes, attn_http_answer *answer);
    void (*release)(void *context);
    void *context;
} attn_job_ending;

/* A job that translates a document, which is taken over too, also on failure. target: the language's code, a string
 * that outlives the job. */
ATTN_MUST_CHECK attn_status attn_job_create_document(attn_serve_models *models,
                                                     attn_serve_pair *pair, attn_doc *document,
                                                     const char *target,
                                                     const attn_job_options *options,
                                                     const attn_job_ending *ending, attn_job **out,
                                                     attn_error *error);
/* A job of another kind: work(context, answer) makes the whole answer, on the worker's thread, when its
 * turn comes. release(context) is called when the job goes, also after a failure here. */
ATTN_MUST_CHECK attn_status attn_job_create_work(void (*work)(void *context,
                                                              attn_http_answer *answer),
                                                 void (*release)(void *context), void *context,
                                                 attn_job **out, attn_error *error);
void attn_job_free(attn_job *job);
/* The answer, if it is a translation, goes into the cache too. Takes the key over. */
void attn_job_keep(attn_job *job, attn_answers *cache, attn_buffer *key);

/* Gives the job to the batcher, for the client (batcher.h). wake(context) is called once when it is done and, for a
 * stream, whenever there is more to read; from the worker's thread, from this one when nothing needs the model, or from
 * one that gives the job up. false: the queue is full. */
bool attn_job_start(attn_job *job, attn_batcher *batcher, uint64_t client,
                    void (*wake)(void *context, bool done), void *context);
/* Nobody wants it any more: it is soon done, its answer an error. Also before it is started, and after. */
void attn_job_give_up(attn_job *job, attn_batcher *batcher);
bool attn_job_done(attn_job *job);
bool attn_job_streams(const attn_job *job);
/* The whole answer, once done. */
void attn_job_answer(attn_job *job, attn_http_answer *answer);
/* The next bytes of the stream of events, at most size; 0 when there is nothing now; -1 at its end. */
long attn_job_read(attn_job *job, char *buffer, size_t size);

/* What the batcher is given; for tests and the fuzzer, which fill in the results themselves. */
attn_batch_group *attn_job_group(attn_job *job);

#endif
