/* serve/pictures.h: the answers about pictures: their masks, and what a pixel attends to. */
#ifndef ATTN_SERVE_PICTURES_H
#define ATTN_SERVE_PICTURES_H

#include "serve/parameters.h"
#include "serve/service.h"

/* A job for the picture (JPEG or PNG) that is the request's body; NULL, and an answer, when there is
 * none or nobody can do it. attend: /attn/attend with x, y, layer and head, else /attn/segment. */
attn_job *attn_picture_job(attn_service *service, const attn_parameters *parameters, bool attend,
                           attn_http_answer *answer);

#endif
