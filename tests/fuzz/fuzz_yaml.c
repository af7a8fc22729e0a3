/* Any bytes as YAML: refused with the line, or entries that are found again. Built with clang -fsanitize=fuzzer, or
 * with replay.c to run over the kept corpus. */
#include "io/yaml.h"
#include "support/fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_yaml *yaml = NULL;
    attn_error error = {.position = -2};
    attn_status status = attn_yaml_parse((const char *)data, size, "fuzz", &yaml, &error);
    require_outcome(status, &error, size);
    require((status == ATTN_OK) == (yaml != NULL));
    const char *name, *value;
    for (size_t i = 0; yaml != NULL && attn_yaml_at(yaml, i, &name, &value); i++) {
        const char *found = attn_yaml_find(yaml, name);
        /* Of one name the first is found, which lies before. */
        require(found != NULL && found <= value);
    }
    attn_yaml_free(yaml);
    return 0;
}
