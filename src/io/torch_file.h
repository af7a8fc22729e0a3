/* io/torch_file.h: PyTorch checkpoints, of torch.save's zip files and of the older kind, without Python.
 *
 * What a checkpoint nests is flattened: {"model": {"fc1.weight": ..}} gives the tensor "model.fc1.weight", a list
 * counts its items ("args.betas.0"), an object gives its attributes. Numbers and texts become texts (true, false,
 * decimal), None and bytes are left out, as are texts that are no UTF-8 or would have a name that is none. A tensor
 * lies in C order afterwards, whatever view it was; tensors that share their memory still do. */
#ifndef ATTN_IO_TORCH_FILE_H
#define ATTN_IO_TORCH_FILE_H

#include "io/archive.h"
#include "io/tensor_list.h"

/* Whether the archive is a checkpoint: one with a data.pkl in its folder. */
bool attn_torch_is(const attn_archive *archive);
/* Whether the bytes begin as a pickle does: the older kind is several, and then the storages. */
bool attn_torch_begins(const void *bytes, size_t size);

/* ATTN_ERR_FORMAT: damaged; ATTN_ERR_UNSUPPORTED: it needs a function of Python, or holds other types. */
ATTN_MUST_CHECK attn_status attn_torch_read_zip(attn_archive *archive, attn_tensor_list *list,
                                                attn_error *error);
/* bytes have to outlive the list. */
ATTN_MUST_CHECK attn_status attn_torch_read_old(const void *bytes, size_t size,
                                                attn_tensor_list *list, attn_error *error);

#endif
