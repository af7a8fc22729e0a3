/* serve/router.h: from a request to the route that answers it. */
#ifndef ATTN_SERVE_ROUTER_H
#define ATTN_SERVE_ROUTER_H

#include "serve/route.h"

/* The table, without the files of the page. */
const attn_route *attn_router_routes(size_t *count);

/* NULL: *answer is complete. Else a job to be started, whose answer is the answer. */
attn_job *attn_router_handle(attn_service *service, const attn_http_request *request,
                             attn_http_answer *answer);

/* Whether the answer takes no time worth speaking of: it reads nothing but memory. */
bool attn_router_is_quick(const char *path);

/* Counts an answered request under its route's name. */
void attn_router_count(attn_metrics *metrics, const char *path, int status, double seconds);

/* Whether requests to that path bring a file. */
bool attn_router_takes_file(const char *path);

#endif
