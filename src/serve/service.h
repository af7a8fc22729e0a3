/* serve/service.h: what answers are made of, and those of LibreTranslate's own paths. No sockets here.
 *
 * The interface is LibreTranslate's: the same paths, fields, status codes and texts of errors. Next: router.c. */
#ifndef ATTN_SERVE_SERVICE_H
#define ATTN_SERVE_SERVICE_H

#include "serve/access.h"
#include "serve/job.h"
#include "serve/metrics.h"
#include "serve/parameters.h"
#include "serve/shelf.h"

typedef struct attn_service {
    attn_serve_models *models;
    attn_access *access; /* NULL: all may ask */
    attn_metrics *metrics;
    attn_answers *cache;        /* NULL: answers are not kept */
    const char *suggestions;    /* file for what /suggest is told; NULL: none is taken */
    int64_t character_limit;    /* of one text */
    int64_t batch_limit;        /* texts of one request */
    int64_t alternatives_limit; /* also of n_best */
    int64_t pixel_limit;        /* of one picture */
    int64_t picture_memory;     /* bytes that the model may take for it */
    int64_t file_limit;         /* bytes of a document, and of what is unpacked from it */
    attn_shelf *shelf;          /* of translated documents; NULL: none are translated */
    attn_search_options search; /* beam, length_penalty, guards */
} attn_service;

/* The handlers of /translate, /translate_file, /detect, /languages and /frontend/settings. NULL: *answer is complete. Else a job
 * to be started, whose answer is the answer. */
attn_job *attn_service_translate(attn_service *service, const attn_parameters *parameters,
                                 attn_http_answer *answer);
attn_job *attn_service_translate_file(attn_service *service, const attn_parameters *parameters,
                                      attn_http_answer *answer);
attn_job *attn_service_detect(attn_service *service, const attn_parameters *parameters,
                              attn_http_answer *answer);
attn_job *attn_service_languages(attn_service *service, const attn_parameters *parameters,
                                 attn_http_answer *answer);
attn_job *attn_service_settings(attn_service *service, const attn_parameters *parameters,
                                attn_http_answer *answer);

#endif
