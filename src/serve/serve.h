/* serve/serve.h: the translation server. Next: server.c (connections), service.h (answers). */
#ifndef ATTN_SERVE_SERVE_H
#define ATTN_SERVE_SERVE_H

#include "serve/access.h"
#include "serve/models.h"

typedef struct attn_serve_options {
    attn_serve_sources sources;
    const char *host;
    int64_t port; /* 0: any free one */
    attn_access_options access;
    const char *access_log;  /* path; NULL: none; "-": stdout */
    const char *suggestions; /* path; NULL: none are taken */
    int64_t beam;
    double length_penalty;
    int64_t batch_tokens, batch_wait; /* ms */
    int64_t queue;
    int64_t body_limit, header_limit, header_lines, receive_seconds;
    int64_t connections, connections_per_address;
    int64_t character_limit, text_limit, alternatives_limit, pixel_limit;
    int64_t picture_memory; /* MiB */
    int64_t cache;          /* MiB of answers that are kept; 0: none */
    int64_t file_limit;     /* bytes of a document; 0: none are translated */
    int64_t file_memory;    /* MiB of translated documents that wait to be fetched */
    int64_t file_seconds;   /* how long each waits */
    int64_t drain_seconds;  /* for what is under way when asked to stop */
    bool no_watch;          /* reload on SIGHUP alone */
} attn_serve_options;

/* Serves until SIGTERM or SIGINT, then finishes what is under way. SIGHUP loads models
 * and keys again, a changed file its model. Says on stderr where it listens. Once a process. */
ATTN_MUST_CHECK attn_status attn_serve_run(const attn_serve_options *options, attn_error *error);

#endif
