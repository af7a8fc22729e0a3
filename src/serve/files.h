/* serve/files.h: the files of the page, embedded in the program.
 *
 * Every file of src/serve/page becomes one here under its path in that folder (index.html is also "/"):
 * cmake/embed.cmake compresses it and writes it as a C array. To add to the page, add a file there. */
#ifndef ATTN_SERVE_FILES_H
#define ATTN_SERVE_FILES_H

#include "serve/http.h"

/* One embedded file; the table ends with path NULL. */
typedef struct attn_embedded_file {
    const char *path; /* "/index.html" */
    const unsigned char *gzip;
    size_t gzip_size, size; /* compressed, and as it was */
} attn_embedded_file;

extern const attn_embedded_file attn_embedded_files[];

/* What the browser may do with a page of ours: only what comes from this server, no inline script. */
extern const char attn_content_security_policy[];

bool attn_file_exists(const char *path);
/* Adds the text of the file at path, which exists; false when out of memory. */
bool attn_embedded_text(const char *path, attn_buffer *out);
/* The file at request->path, which exists: compressed for who accepts that, 304 for who has it. */
void attn_file_answer(const attn_http_request *request, attn_http_answer *answer);

#endif
