/* io/safetensors_read.h: tensors of a file one by one, for files that need not be in memory whole.
 *
 * The file is never mapped: one that is cut short while in use gives an error. Next: safetensors.c. */
#ifndef ATTN_IO_SAFETENSORS_READ_H
#define ATTN_IO_SAFETENSORS_READ_H

#include "attn/safetensors.h"

/* Reads the header and keeps the file open: the tensors' data is NULL. What is not a regular file is
 * read whole. Errors as those of attn_safetensors_open. */
ATTN_MUST_CHECK attn_status attn_safetensors_open_header(const char *path, attn_safetensors **out,
                                                         attn_error *error);
/* Bytes from .. from + size - 1 of a tensor of this file, however it was opened. The range is the
 * caller's to keep inside the tensor. ATTN_ERR_IO, ATTN_ERR_FORMAT (cut short meanwhile). */
ATTN_MUST_CHECK attn_status attn_safetensors_read(const attn_safetensors *file,
                                                  const attn_tensor_info *tensor, size_t from,
                                                  size_t size, void *to, attn_error *error);

#endif
