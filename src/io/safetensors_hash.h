/* io/safetensors_hash.h: one number for all that a .safetensors file holds.
 *
 * It finds accidents: a flipped bit, a tensor of another file. It is no signature; whoever changes a file on
 * purpose can change the number with it. */
#ifndef ATTN_IO_SAFETENSORS_HASH_H
#define ATTN_IO_SAFETENSORS_HASH_H

#include "attn/safetensors.h"

/* The sum, modulo 2^64, of a hash of each tensor (name, type, shape, bytes) and of each pair of metadata (key,
 * value): a program that stores the same in another order changes nothing. Tensors have their data. */
uint64_t attn_tensors_hash(const attn_tensor_info *const *tensors, size_t count,
                           const attn_metadata *metadata, size_t metadata_count);

#endif
