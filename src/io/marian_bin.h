/* io/marian_bin.h: Marian's own binary file (.bin, version 1), of students and of browsers' translators too. */
#ifndef ATTN_IO_MARIAN_BIN_H
#define ATTN_IO_MARIAN_BIN_H

#include "io/tensor_list.h"

/* Whether the bytes can be such a file. */
bool attn_marian_bin_begins(const void *bytes, size_t size);

/* Adds the parameters, and "special:model.yml" as a text. A quantised (intgemm) parameter NAME becomes
 *     NAME             I8 or I16; a matrix [in, out] of the model lies, and is given, as [out, in],
 *                      an embedding (Wemb in its name) as it is
 *     NAME.multiplier  F32, one number: value = integer * (1 / multiplier)
 * bytes have to outlive the list. ATTN_ERR_UNSUPPORTED: packed for one kind of processor. */
ATTN_MUST_CHECK attn_status attn_marian_bin_read(const void *bytes, size_t size,
                                                 attn_tensor_list *list, attn_error *error);

#endif
