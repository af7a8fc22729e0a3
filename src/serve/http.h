/* serve/http.h: what a request and an answer are, apart from any connection.
 *
 * Everything between the two works on these, so that tests and the fuzzer need no socket. Next:
 * service.h. */
#ifndef ATTN_SERVE_HTTP_H
#define ATTN_SERVE_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/buffer.h"

enum { ATTN_HTTP_PARAMETERS = 64 };

/* NUL-terminated, decoded; not checked to be UTF-8. */
typedef struct attn_parameter {
    const char *name, *value;
} attn_parameter;

/* The strings belong to whoever made the request. */
typedef struct attn_http_request {
    const char *method, *path;   /* path without the query */
    const char *content_type;    /* or NULL */
    const char *authorization;   /* or NULL */
    const char *accept_encoding; /* or NULL */
    const char *if_none_match;   /* or NULL */
    const char *host;            /* or NULL */
    bool secure;                 /* a trusted proxy was asked by TLS */
    uint64_t client;             /* who asks: a number of the address (connection.c) */
    const char *body;
    size_t body_size;
    attn_parameter query[ATTN_HTTP_PARAMETERS];
    size_t query_count;
} attn_http_request;

typedef struct attn_http_answer {
    int status;
    const char *content_type; /* a string constant */
    attn_buffer body;         /* owned */
    int retry_after;          /* seconds; 0: not said */
    const char *allow;        /* methods, with 405 */
    const char *etag;         /* of an embedded file, with its policies; else NULL */
    bool gzip;                /* the body is compressed */
    bool own;                 /* no page of another server may read it */
    char attachment[160];     /* the name of a file that is to be saved, or "" */
} attn_http_answer;

void attn_http_answer_free(attn_http_answer *answer);
/* Makes the value, which is taken over, the answer. */
void attn_http_json(attn_http_answer *answer, json_t *value);
/* Makes the answer {"error": TEXT}. */
__attribute__((format(printf, 3, 4))) void attn_http_error(attn_http_answer *answer, int status,
                                                           const char *format, ...);

#endif
