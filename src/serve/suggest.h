/* serve/suggest.h: better translations that readers send in, as JSON lines in a file. */
#ifndef ATTN_SERVE_SUGGEST_H
#define ATTN_SERVE_SUGGEST_H

#include "serve/route.h"

/* The handler of /suggest: appends {"time", "source", "target", "q", "s"} to the service's file. NULL: *answer is complete. */
attn_job *attn_suggest(attn_service *service, const attn_parameters *parameters,
                       attn_http_answer *answer);

#endif
