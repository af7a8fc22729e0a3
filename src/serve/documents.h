/* serve/documents.h: /translate_file and /download_file, as LibreTranslate has them. */
#ifndef ATTN_SERVE_DOCUMENTS_H
#define ATTN_SERVE_DOCUMENTS_H

#include "document/document.h"
#include "serve/job.h"
#include "serve/parameters.h"
#include "serve/shelf.h"

/* In what follows shelf is that of the translated documents; NULL: the server translates none. */

/* The document that a request brings, of at most `limit` bytes; NULL, and an answer, when it brings none that can be
 * translated. */
attn_doc *attn_document_of_request(const attn_shelf *shelf, size_t limit,
                                   const attn_parameters *parameters, attn_http_answer *answer);
/* What becomes of the translated document: it is kept, and the answer says where. false: out of memory. */
bool attn_document_ending(attn_shelf *shelf, const attn_parameters *parameters, const char *target,
                          attn_job_ending *out);
/* The answer to a request below /download_file/. */
void attn_document_download(attn_shelf *shelf, const attn_http_request *request,
                            attn_http_answer *answer);
/* The ends of names that are taken, for /frontend/settings. */
json_t *attn_document_endings(const attn_shelf *shelf);

#endif
