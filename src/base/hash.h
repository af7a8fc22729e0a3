/* base/hash.h: a 64-bit hash for checkpoint sections and for comparing weights.
 *
 * It finds accidents (a flipped bit, a cut file), not an adversary. */
#ifndef ATTN_BASE_HASH_H
#define ATTN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The same value on every machine: the bytes are read as little-endian 64-bit words w (the last one
 * filled up with zero bytes), and
 *     h = seed ^ 0xcbf29ce484222325
 *     for each w, then for the size:  h = (h ^ w) * 0x9e3779b97f4a7c15;  h ^= h >> 32
 * To hash several buffers, pass the hash of the first as the seed of the next. data may be NULL
 * when size is 0. */
uint64_t attn_hash64(const void *data, size_t size, uint64_t seed);

#endif
