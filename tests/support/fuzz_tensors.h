/* tests/support/fuzz_tensors.h: what holds of every list of tensors and texts that a reader gave, whatever bytes it
 * was given. */
#ifndef ATTN_TESTS_FUZZ_TENSORS_H
#define ATTN_TESTS_FUZZ_TENSORS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "io/dtype.h"
#include "io/tensor_list.h"

static inline void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* Refused with a word and a place, or good. */
static inline void require_outcome(attn_status status, const attn_error *error, size_t size) {
    require(status == ATTN_OK || status == ATTN_ERR_FORMAT || status == ATTN_ERR_UNSUPPORTED ||
            status == ATTN_ERR_IO);
    if (status != ATTN_OK) {
        require(error->what[0] != '\0' && strchr(error->what, '\n') == NULL);
        require(error->position >= -1 && error->position <= (int64_t)size + 1);
        require(attn_utf8_whole(error->what, strlen(error->what)));
    }
}

/* Size and alignment are right, and every byte is there. */
static inline void require_tensor(const attn_tensor_info *tensor) {
    size_t size = 0;
    volatile unsigned char sum = 0;
    require(attn_tensor_bytes(tensor->dtype, tensor->rank, tensor->shape, &size));
    require(size == tensor->size && tensor->name[0] != '\0');
    require(size == 0 || (uintptr_t)tensor->data % attn_dtype_size(tensor->dtype) == 0);
    for (size_t i = 0; i < size; i++) {
        sum = (unsigned char)(sum + ((const unsigned char *)tensor->data)[i]);
    }
}

#endif
