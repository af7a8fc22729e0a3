/* io/strided.c: see strided.h. */
#include "io/strided.h"

#include <string.h>

#include "io/dtype.h"

bool attn_strides_are_plain(const attn_tensor_info *tensor, const int64_t *stride) {
    int64_t next = 1;
    if (tensor->size == 0) {
        return true;
    }
    for (int d = tensor->rank - 1; d >= 0; d--) {
        if (tensor->shape[d] != 1 && stride[d] != next) {
            return false;
        }
        next *= tensor->shape[d];
    }
    return true;
}

bool attn_strides_reach(const attn_tensor_info *tensor, const int64_t *stride, int64_t *last) {
    int64_t reach = 0, step;
    for (int d = 0; d < tensor->rank; d++) {
        if (stride[d] < 0 || __builtin_mul_overflow(tensor->shape[d] - 1, stride[d], &step) ||
            __builtin_add_overflow(reach, step, &reach)) {
            return false;
        }
    }
    *last = reach;
    return true;
}

void attn_copy_strided(const attn_tensor_info *tensor, const int64_t *stride, const void *from,
                       void *to) {
    size_t width = attn_dtype_size(tensor->dtype);
    char *out = to;
    int64_t from_index = 0;
    int64_t index[ATTN_MAX_RANK] = {0};
    for (size_t done = 0; done < tensor->size; done += width) {
        memcpy(out + done, (const char *)from + (size_t)from_index * width, width);
        /* The next index, as an odometer counts. */
        for (int d = tensor->rank - 1; d >= 0; d--) {
            from_index += stride[d];
            if (++index[d] < tensor->shape[d]) {
                break;
            }
            from_index -= tensor->shape[d] * stride[d];
            index[d] = 0;
        }
    }
}
