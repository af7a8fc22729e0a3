/* io/ctranslate2.h: CTranslate2's model.bin, versions 1 to 6. */
#ifndef ATTN_IO_CTRANSLATE2_H
#define ATTN_IO_CTRANSLATE2_H

#include "io/tensor_list.h"

/* Whether the bytes can be such a file. */
bool attn_ctranslate2_begins(const void *bytes, size_t size);

/* Adds the variables under their own names, aliases among them, and the texts "spec" (from version 2 on),
 * "revision" and "binary_version". A quantised "NAME" stands beside its "NAME_scale": value = integer / scale.
 * bytes have to outlive the list. */
ATTN_MUST_CHECK attn_status attn_ctranslate2_read(const void *bytes, size_t size,
                                                  attn_tensor_list *list, attn_error *error);

/* Writes the encoder and decoder of a Transformer, version 6, of tensors of float32, int8, int16 and int32; an alias is a key that stands
 * for the tensor of its value. ATTN_ERR_UNSUPPORTED: a tensor of 2 GiB. */
ATTN_MUST_CHECK attn_status attn_ctranslate2_write(const char *path,
                                                   const attn_tensor_info *tensors, size_t count,
                                                   const attn_metadata *aliases, size_t alias_count,
                                                   attn_error *error);

#endif
