/* io/safetensors_hash.c: one number for all that a .safetensors file holds. Next: base/hash.h. */
#include "io/safetensors_hash.h"

#include <string.h>

#include "base/hash.h"
#include "io/dtype.h"

static uint64_t text_hash(const char *text, uint64_t seed) {
    return attn_hash64(text, strlen(text), seed);
}

static uint64_t tensor_hash(const attn_tensor_info *tensor) {
    uint64_t hash = text_hash(attn_dtype_name(tensor->dtype), text_hash(tensor->name, 1));
    for (int i = 0; i < tensor->rank; i++) {
        unsigned char side[8];
        for (size_t byte = 0; byte < sizeof side; byte++) {
            side[byte] = (unsigned char)((uint64_t)tensor->shape[i] >> 8 * byte);
        }
        hash = attn_hash64(side, sizeof side, hash);
    }
    return attn_hash64(tensor->data, tensor->size, hash);
}

uint64_t attn_tensors_hash(const attn_tensor_info *const *tensors, size_t count,
                           const attn_metadata *metadata, size_t metadata_count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += tensor_hash(tensors[i]);
    }
    for (size_t i = 0; i < metadata_count; i++) {
        sum += text_hash(metadata[i].value, text_hash(metadata[i].key, 2));
    }
    return sum;
}
