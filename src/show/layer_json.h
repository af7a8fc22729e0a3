/* show/layer_json.h: the numbers of one layer's attention as JSON, for the page.
 *
 * Both have part, layer (from 0), and arrays by the names of attn_explain_layer (numbers_json.h); query_before,
 * keys_before and turns stand only where queries and keys are turned, distance_bias only where distances are added to scores. */
#ifndef ATTN_SHOW_LAYER_JSON_H
#define ATTN_SHOW_LAYER_JSON_H

#include <jansson.h>

#include "show/explain.h"

extern const char *const attn_part_names[]; /* by attn_translator_part */

/* Every step of every query and head, and the sizes. NULL when out of memory. */
json_t *attn_layer_json(const attn_explain_layer *layer, attn_translator_part part, int64_t number);
/* The matrices and biases of the projections, gamma and beta of the norm: the same for any sentence. */
json_t *attn_matrices_json(const attn_explain_layer *layer, attn_translator_part part,
                           int64_t number);

#endif
