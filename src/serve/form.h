/* serve/form.h: the two encodings of HTML forms. */
#ifndef ATTN_SERVE_FORM_H
#define ATTN_SERVE_FORM_H

#include "serve/http.h"

/* Decoded fields of a form; the strings belong to it. */
typedef struct attn_form {
    char *bytes;
    attn_parameter field[ATTN_HTTP_PARAMETERS];
    size_t count;
} attn_form;

/* content_type: application/x-www-form-urlencoded or multipart/form-data with its boundary. Returns
 * what is wrong with the body, NULL when nothing is; the form is to be freed either way. Uploaded
 * files are fields like others. */
const char *attn_form_parse(const char *content_type, const char *body, size_t size,
                            attn_form *out);
void attn_form_free(attn_form *form);

#endif
