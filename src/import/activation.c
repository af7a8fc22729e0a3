/* import/activation.c: see activation.h. */
#include "import/activation.h"

#include <string.h>

#include "base/fail.h"
#include "import/json.h"

attn_status attn_import_activation(const json_t *config, const char *key, attn_activation *out,
                                   attn_error *error) {
    static const struct {
        const char *name;
        attn_activation activation;
    } known[] = {
        {"gelu", ATTN_ACTIVATION_GELU},           {"gelu_python", ATTN_ACTIVATION_GELU},
        {"gelu_new", ATTN_ACTIVATION_GELU_TANH},  {"gelu_pytorch_tanh", ATTN_ACTIVATION_GELU_TANH},
        {"gelu_fast", ATTN_ACTIVATION_GELU_TANH}, {"quick_gelu", ATTN_ACTIVATION_GELU_SIGMOID},
        {"relu", ATTN_ACTIVATION_RELU},           {"silu", ATTN_ACTIVATION_SWISH},
        {"swish", ATTN_ACTIVATION_SWISH},
    };
    const char *name = attn_json_text(config, key, "gelu");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].activation;
            return ATTN_OK;
        }
    }
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, "config.json", -1, NULL,
                     "%s is \"%.40s\", which attn does not compute", key, name);
}
