/* serve/connection.h: what is kept for a connection and for a request on it. */
#ifndef ATTN_SERVE_CONNECTION_H
#define ATTN_SERVE_CONNECTION_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "serve/serve.h"
#include "serve/service.h"

/* An open connection. Its request has to have arrived by `deadline`. */
typedef struct attn_socket {
    int descriptor;
    double deadline;
    struct attn_request *request; /* under way, or NULL */
    size_t target_size;           /* of the request under way: its target as it was sent */
    bool bad_target;
    struct attn_socket *previous, *next;
} attn_socket;

typedef struct attn_server {
    const attn_serve_options *options;
    attn_service service;
    attn_metrics metrics;
    attn_batcher *desk;    /* reads requests and writes answers */
    attn_batcher *batcher; /* does what they ask for */
    struct MHD_Daemon *daemon;
    atomic_bool stopping; /* each answer is the last of its connection */
    FILE *log;            /* or NULL */
    pthread_mutex_t lock; /* guards the list of sockets, and which request each has */
    attn_socket *sockets;
} attn_server;

/* microhttpd's callbacks; their context is the server. */
enum MHD_Result attn_connection_handle(void *context, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload, size_t *upload_size, void **request);
/* Looks at a request's target as it was sent, before its header. */
void *attn_connection_target(void *context, const char *target, struct MHD_Connection *connection);
void attn_connection_completed(void *context, struct MHD_Connection *connection, void **request,
                               enum MHD_RequestTerminationCode why);
void attn_connection_notify(void *context, struct MHD_Connection *connection, void **socket,
                            enum MHD_ConnectionNotificationCode what);
/* Closes connections whose request is late, and gives up the requests of clients that left. */
void attn_connections_sweep(attn_server *server);

#endif
