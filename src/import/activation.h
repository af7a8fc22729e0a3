/* import/activation.h: what transformers calls the activations. */
#ifndef ATTN_IMPORT_ACTIVATION_H
#define ATTN_IMPORT_ACTIVATION_H

#include <jansson.h>

#include "attn/matmul.h"
#include "attn/status.h"

/* The one that `key` of a configuration names; without the key GELU. ATTN_ERR_UNSUPPORTED: none that attn computes. */
ATTN_MUST_CHECK attn_status attn_import_activation(const json_t *config, const char *key,
                                                   attn_activation *out, attn_error *error);

#endif
