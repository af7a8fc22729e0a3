/* serve/parameters.h: the parameters of a request: of its JSON, or of its query and its form. */
#ifndef ATTN_SERVE_PARAMETERS_H
#define ATTN_SERVE_PARAMETERS_H

#include <jansson.h>
#include <stdint.h>

#include "serve/form.h"
#include "serve/http.h"

/* The request outlives it. */
typedef struct attn_parameters {
    const attn_http_request *request;
    json_t *json; /* NULL: no JSON */
    attn_form form;
} attn_parameters;

/* A request's body as a JSON object; a byte order mark before it is skipped. NULL, and an answer, when it is none. */
json_t *attn_body_json(const attn_http_request *request, attn_http_answer *answer);
/* false, and an answer that says why, for a body that is not what its Content-Type says. To be freed
 * either way. */
bool attn_parameters_parse(const attn_http_request *request, attn_parameters *out,
                           attn_http_answer *answer);
void attn_parameters_free(attn_parameters *parameters);

/* NULL when it is missing, empty or no string. */
const char *attn_parameter_text(const attn_parameters *parameters, const char *name);
bool attn_parameter_flag(const attn_parameters *parameters, const char *name);
/* A whole number from 0 to `limit`; `missing` when it is not there. false, and an answer, when it is
 * neither. */
bool attn_parameter_number(const attn_parameters *parameters, const char *name, int64_t limit,
                           int64_t missing, int64_t *out, attn_http_answer *answer);

#endif
