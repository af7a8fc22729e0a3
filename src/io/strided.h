/* io/strided.h: a tensor that does not lie in C order, copied into it. tensor->size is right everywhere. */
#ifndef ATTN_IO_STRIDED_H
#define ATTN_IO_STRIDED_H

#include "attn/safetensors.h"

/* Whether elements with these strides (in elements) lie in C order without gaps. */
bool attn_strides_are_plain(const attn_tensor_info *tensor, const int64_t *stride);

/* The index of the last element that the strides reach, from 0; false when a stride is negative or it does
 * not fit. The tensor is not empty. */
bool attn_strides_reach(const attn_tensor_info *tensor, const int64_t *stride, int64_t *last);

/* to[i][j].. = from[i * stride[0] + j * stride[1] ..]: all that the strides reach has to be there. */
void attn_copy_strided(const attn_tensor_info *tensor, const int64_t *stride, const void *from,
                       void *to);

#endif
