/* Any bytes as a model file of whatever kind they begin like: refused, or tensors that are whole. Built with clang
 * -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include "base/memory.h"
#include "io/tensor_file.h"
#include "support/fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_tensor_file *file = NULL;
    attn_error error = {.position = -2};
    char *bytes = attn_alloc(size);
    require(bytes != NULL);
    if (size > 0) {
        memcpy(bytes, data, size);
    }
    attn_status status = attn_tensor_file_take(bytes, size, "/nowhere/fuzz", &file, &error);
    require_outcome(status, &error, size);
    require((status == ATTN_OK) == (file != NULL));
    if (file == NULL) {
        return 0;
    }
    for (size_t i = 0; i < attn_tensor_file_count(file); i++) {
        const attn_tensor_info *tensor = attn_tensor_file_at(file, i);
        require_tensor(tensor);
        require(attn_tensor_file_find(file, tensor->name) == tensor);
    }
    const char *key, *value;
    for (size_t i = 0; attn_tensor_file_text_at(file, i, &key, &value); i++) {
        require(attn_tensor_file_text(file, key) != NULL);
    }
    attn_tensor_file_close(file);
    return 0;
}
