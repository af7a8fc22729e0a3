/* serve/look.h: what the page asks for beside translations: attention, its steps, the weights.
 *
 *   GET  /attn/models     the models, and the checkpoints of their trainings
 *   POST /attn/document   all attention of a sentence (show/document.h), packed
 *   POST /attn/layer      every step of one layer (show/layer_json.h)
 *   POST /attn/matrices   the weights behind those steps
 *   POST /attn/intervene  the translation with heads silenced or looking elsewhere (show/intervene.h)
 *
 * A request is a JSON object: model (its place in the list of models), checkpoint (0: the model itself),
 * q, sentence (of a text of several, from 0), target (the translation; else the model's own, of the very
 * pass that /translate makes), part, layer, api_key; to intervene also head (of the layer; all when not given),
 * query and key, [first, count] of pieces: the words whose attention is changed (all when not given) and
 * what they look at (not given: the head is silenced). */
#ifndef ATTN_SERVE_LOOK_H
#define ATTN_SERVE_LOOK_H

#include "serve/service.h"

/* Handlers of the routes (serve/route.h). */
attn_job *attn_look_models(attn_service *service, const attn_parameters *parameters,
                           attn_http_answer *answer);
attn_job *attn_look_document(attn_service *service, const attn_parameters *parameters,
                             attn_http_answer *answer);
attn_job *attn_look_layer(attn_service *service, const attn_parameters *parameters,
                          attn_http_answer *answer);
attn_job *attn_look_matrices(attn_service *service, const attn_parameters *parameters,
                             attn_http_answer *answer);
attn_job *attn_look_intervene(attn_service *service, const attn_parameters *parameters,
                              attn_http_answer *answer);

#endif
