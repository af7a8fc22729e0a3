/* base/hash.c: FNV-1a's shape, eight bytes at a time. */
#include "base/hash.h"

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    /* A product carries only upward: without this fold the top bit of a word (the sign of a float)
     * would reach nothing but the top bit of the hash, and two of them would cancel. */
    return hash ^ hash >> 32;
}

static uint64_t little_endian(const unsigned char *bytes, size_t count) {
    uint64_t word = 0;
    for (size_t i = 0; i < count; i++) {
        word |= (uint64_t)bytes[i] << (8 * i);
    }
    return word;
}

uint64_t attn_hash64(const void *data, size_t size, uint64_t seed) {
    const unsigned char *bytes = data;
    uint64_t hash = seed ^ 0xcbf29ce484222325U;
    size_t i = 0;
    for (; size - i >= 8; i += 8) {
        hash = mix(hash, little_endian(bytes + i, 8)); /* compilers make one load of it */
    }
    if (i < size) {
        hash = mix(hash, little_endian(bytes + i, size - i));
    }
    return mix(hash, size);
}
