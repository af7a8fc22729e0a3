/* serve/spec.h: the description of the interface that /spec gives. */
#ifndef ATTN_SERVE_SPEC_H
#define ATTN_SERVE_SPEC_H

#include "serve/route.h"

/* Swagger 2.0. A new object, NULL when out of memory. */
json_t *attn_serve_spec(const attn_route *routes, size_t count);

#endif
