/* Any bytes as a model file: refused, or understood so well that they can be printed and read
 * again. Built with clang -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attn/safetensors.h"
#include "base/memory.h"
#include "io/dtype.h"
#include "io/safetensors_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void check_tensor(const attn_safetensors *file, const attn_tensor_info *tensor) {
    size_t elements = 1;
    require(tensor->rank >= 0 && tensor->rank <= ATTN_MAX_RANK);
    for (int i = 0; i < tensor->rank; i++) {
        require(tensor->shape[i] >= 0);
        elements *= (size_t)tensor->shape[i];
    }
    require(elements * attn_dtype_size(tensor->dtype) == tensor->size);
    require(tensor->size == 0 || (uintptr_t)tensor->data % attn_dtype_size(tensor->dtype) == 0);
    require(attn_safetensors_find(file, tensor->name) == tensor);
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < tensor->size; i++) {
        sum = (unsigned char)(sum + ((const unsigned char *)tensor->data)[i]);
    }
}

static bool same_tensor(const attn_tensor_info *a, const attn_tensor_info *b) {
    return strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0;
}

/* A printed header says the same as the one it came from. */
static void check_reprint(const attn_tensor_info *const *tensors, size_t count,
                          const attn_metadata *pairs, size_t pair_count, size_t data_size) {
    char *text = NULL;
    size_t size = 0;
    attn_header header;
    if (attn_header_print(tensors, count, pairs, pair_count, &text, &size, NULL) != ATTN_OK) {
        return;
    }
    require(size % 8 == 0);
    require(attn_header_parse(text + ATTN_HEADER_START, size - ATTN_HEADER_START, data_size, "",
                              &header, NULL) == ATTN_OK);
    require(header.count == count && header.metadata_count == pair_count);
    for (size_t i = 0; i < count; i++) {
        require(same_tensor(&attn_header_find(&header, tensors[i]->name)->info, tensors[i]));
    }
    for (size_t i = 0; i < pair_count; i++) {
        require(strcmp(header.metadata[i].key, pairs[i].key) == 0);
        require(strcmp(header.metadata[i].value, pairs[i].value) == 0);
    }
    attn_header_free(&header);
    attn_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_safetensors *file = NULL;
    attn_error error = {.position = -2};
    attn_status status = attn_safetensors_parse(data, size, "fuzz", &file, &error);
    if (status != ATTN_OK) {
        char message[1200];
        require(file == NULL && status == ATTN_ERR_FORMAT && error.position >= -1 &&
                error.position <= (int64_t)size && error.what[0] != '\0');
        attn_error_format(&error, message, sizeof message);
        return 0;
    }
    size_t count = attn_safetensors_count(file);
    const attn_tensor_info **tensors = calloc(count + 1, sizeof *tensors);
    attn_metadata *pairs = calloc(size, sizeof *pairs);
    require(tensors != NULL && pairs != NULL);
    size_t data_size = 0;
    for (size_t i = 0; i < count; i++) {
        tensors[i] = attn_safetensors_at(file, i);
        check_tensor(file, tensors[i]);
        data_size += tensors[i]->size;
    }
    size_t pair_count = 0;
    while (attn_safetensors_metadata_at(file, pair_count, &pairs[pair_count].key,
                                        &pairs[pair_count].value)) {
        const attn_metadata *pair = &pairs[pair_count++];
        require(attn_safetensors_metadata(file, pair->key) == pair->value);
    }
    check_reprint(tensors, count, pairs, pair_count, data_size);
    free(tensors);
    free(pairs);
    attn_safetensors_close(file);
    return 0;
}
