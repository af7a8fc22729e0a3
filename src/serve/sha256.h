/* serve/sha256.h: SHA-256 (FIPS 180-4), for the hashes in a page's Content-Security-Policy. */
#ifndef ATTN_SERVE_SHA256_H
#define ATTN_SERVE_SHA256_H

#include <stddef.h>
#include <stdint.h>

void attn_sha256(const void *bytes, size_t size, uint8_t digest[32]);

#endif
