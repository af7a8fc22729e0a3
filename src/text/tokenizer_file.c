/* text/tokenizer_file.c: the tokenizer that a model file carries. */
#include <stdlib.h>

#include "attn/safetensors.h"
#include "attn/tokenizer.h"
#include "base/fail.h"

static attn_status read_bytes(const attn_safetensors *file, const attn_tensor_info *tensor,
                              attn_tokenizer **out, attn_error *error) {
    void *bytes = malloc(tensor->size + 1);
    if (bytes == NULL) {
        return attn_fail_memory(error, tensor->size);
    }
    attn_status status = attn_safetensors_read(file, tensor, 0, tensor->size, bytes, error);
    if (status == ATTN_OK) {
        status = attn_tokenizer_from_bytes(bytes, tensor->size, out, error);
    }
    free(bytes);
    return status;
}

attn_status attn_tokenizer_open(const char *path, attn_tokenizer **out, attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    attn_status status = attn_safetensors_open_header(path, &file, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_tensor_info *tensor = attn_safetensors_find(file, "tokenizer");
    status = tensor != NULL
                 ? read_bytes(file, tensor, out, error)
                 : attn_fail(error, ATTN_ERR_FORMAT, path, -1,
                             "save it with `attn train translator`", "the model has no tokenizer");
    attn_safetensors_close(file);
    return status;
}

void attn_tokenizer_release(void *memory) {
    free(memory);
}
