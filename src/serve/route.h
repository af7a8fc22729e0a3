/* serve/route.h: what a path of the server is: who answers it, and what /spec says of it.
 *
 * The table of all routes, and the way from a request to its row, are in router.c. */
#ifndef ATTN_SERVE_ROUTE_H
#define ATTN_SERVE_ROUTE_H

#include "serve/parameters.h"
#include "serve/service.h"

/* What a request brings. */
typedef enum attn_route_body {
    ATTN_ROUTE_ASKED,    /* GET or HEAD: nothing */
    ATTN_ROUTE_OPERATOR, /* the same, for those alone who know the server (access.h) */
    ATTN_ROUTE_FORM,     /* POST: parameters as JSON, as a form or in the query */
    ATTN_ROUTE_FILE,     /* POST: a form with a file */
    ATTN_ROUTE_JSON,     /* POST: a JSON object that the handler reads by itself */
    ATTN_ROUTE_PICTURE,  /* POST: the bytes of a JPEG or PNG; parameters in the query */
} attn_route_body;

typedef struct attn_route_parameter {
    const char *name, *type; /* "string", "integer", "boolean" */
    bool required;
    const char *description;
} attn_route_parameter;

/* As attn_router_handle. parameters->request is the request; the other fields are empty unless the body
 * is a form. */
typedef attn_job *attn_route_handler(attn_service *service, const attn_parameters *parameters,
                                     attn_http_answer *answer);

typedef struct attn_route {
    /* Its last part is its name in /metrics. One that ends in "{name}" stands for all paths that begin so, and the part
     * before is its name. */
    const char *path;
    attn_route_body body;
    attn_route_handler *handler;
    const char *summary, *answers; /* what it does; what 200 brings */
    const attn_route_parameter *parameters;
    size_t parameter_count;
} attn_route;

static inline bool attn_route_is_post(const attn_route *route) {
    return route->body != ATTN_ROUTE_ASKED && route->body != ATTN_ROUTE_OPERATOR;
}

#endif
