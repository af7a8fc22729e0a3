/* serve/shelf.h: files that wait to be fetched, for a bounded time and in bounded memory.
 *
 * A file is found by a number of 128 random bits: who does not know it does not get it. Any thread may call. */
#ifndef ATTN_SERVE_SHELF_H
#define ATTN_SERVE_SHELF_H

#include "attn/status.h"
#include "text/buffer.h"

enum { ATTN_SHELF_NAME = 160 }; /* of a file, with its number and a dot before it */

typedef struct attn_shelf attn_shelf;

/* memory: bytes of all files; seconds: how long each is kept. */
ATTN_MUST_CHECK attn_status attn_shelf_create(size_t memory, double seconds, attn_shelf **out,
                                              attn_error *error);
void attn_shelf_free(attn_shelf *shelf);

/* Keeps the bytes, which are taken over, and says by which name: NUMBER.NAME, NAME with nothing in it but letters of ASCII,
 * digits, '.', '-' and '_'. The oldest go when there is no room. ATTN_ERR_FORMAT: more than the memory; ATTN_ERR_IO: there
 * are no random numbers. */
ATTN_MUST_CHECK attn_status attn_shelf_put(attn_shelf *shelf, attn_buffer *bytes, const char *name,
                                           char kept[ATTN_SHELF_NAME], attn_error *error);
/* Adds the bytes of what is kept by that name; false when nothing is. */
bool attn_shelf_get(attn_shelf *shelf, const char *kept, attn_buffer *out);
/* Lets go of what is too old. */
void attn_shelf_sweep(attn_shelf *shelf);

#endif
