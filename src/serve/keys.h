/* serve/keys.h: the keys that clients must know, from a file with one a line, perhaps with a limit behind it. */
#ifndef ATTN_SERVE_KEYS_H
#define ATTN_SERVE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "attn/status.h"

typedef struct attn_keys attn_keys;

/* A line is KEY or KEY N, with N requests a minute. Empty lines and lines that begin with '#' do not count. Errors
 * name the line: a key shorter than 22 or longer than 128 bytes, fewer than 8 different ones, more than a key and a
 * number; and a file without a key. */
ATTN_MUST_CHECK attn_status attn_keys_read(const char *path, attn_keys **out, attn_error *error);
void attn_keys_free(attn_keys *keys);
/* Whether `key` is one of them. The time it takes depends on the number of keys alone, not on where a
 * wrong key differs. *limit: NULL, or set to the N of its line, or to -1. */
bool attn_keys_match(const attn_keys *keys, const char *key, int64_t *limit);

#endif
