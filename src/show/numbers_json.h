/* show/numbers_json.h: many numbers as one JSON string: float32, little endian, base64.
 *
 * A page reads them straight into a Float32Array: a third of the size of digits, and exact. Weights of a
 * model that are all bfloat16 are kept as the upper halves of their floats. */
#ifndef ATTN_SHOW_NUMBERS_JSON_H
#define ATTN_SHOW_NUMBERS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "attn/status.h"

/* NULL when out of memory. */
json_t *attn_json_packed(const double *values, int64_t count);
json_t *attn_json_packed_reals(const attn_real *values, int64_t count);
/* {"type": "bf16" or "f32", "data": string}: bf16 where that loses nothing. */
json_t *attn_json_packed_weights(const attn_real *values, int64_t count);

#endif
