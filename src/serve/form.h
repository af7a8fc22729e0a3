/* serve/form.h: the two encodings of HTML forms. */
#ifndef ATTN_SERVE_FORM_H
#define ATTN_SERVE_FORM_H

#include "serve/http.h"

/* A file that came with a form: any bytes. */
typedef struct attn_form_file {
    const char *name;  /* that it had, NUL-terminated */
    const char *bytes; /* NULL: there is none */
    size_t size;
} attn_form_file;

/* Decoded fields of a form; the strings belong to it. */
typedef struct attn_form {
    char *bytes;
    attn_parameter field[ATTN_HTTP_PARAMETERS];
    size_t count;
    attn_form_file file; /* the field "file", if it is one */
} attn_form;

/* content_type: application/x-www-form-urlencoded or multipart/form-data with its boundary. Returns
 * what is wrong with the body, NULL when nothing is; the form is to be freed either way. Files
 * in other fields than "file" are fields like others. */
const char *attn_form_parse(const char *content_type, const char *body, size_t size,
                            attn_form *out);
void attn_form_free(attn_form *form);

#endif
