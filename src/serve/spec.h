/* serve/spec.h: the description of the interface that /spec gives. */
#ifndef ATTN_SERVE_SPEC_H
#define ATTN_SERVE_SPEC_H

#include <jansson.h>

/* Swagger 2.0. A new object, NULL when out of memory. */
json_t *attn_serve_spec(void);

#endif
