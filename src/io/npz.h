/* io/npz.h: numpy's .npz, a zip file of .npy arrays, as Marian keeps its models. */
#ifndef ATTN_IO_NPZ_H
#define ATTN_IO_NPZ_H

#include "io/archive.h"
#include "io/tensor_list.h"

/* Whether one of the members is an array. */
bool attn_npz_is(const attn_archive *archive);

/* Adds every array under its name without ".npy", in C order whatever order it is in; Marian's
 * "special:model.yml" becomes a text. ATTN_ERR_UNSUPPORTED: numbers in the other byte order, or no numbers. */
ATTN_MUST_CHECK attn_status attn_npz_read(attn_archive *archive, attn_tensor_list *list,
                                          attn_error *error);
/* Writes float32 and 8-bit arrays as a new file. ATTN_ERR_IO, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_npz_write(const char *path, const attn_tensor_info *tensors,
                                           size_t count, attn_error *error);
/* One array, of the file `list->where`; bytes have to outlive the list. */
ATTN_MUST_CHECK attn_status attn_npy_read(const char *name, const void *bytes, size_t size,
                                          attn_tensor_list *list, attn_error *error);

#endif
