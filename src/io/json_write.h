/* io/json_write.h: JSON that is whole or not there at all.
 *
 * jansson tells that memory ran out by a NULL at one call of many, and the next call then leaves that field out. So its
 * memory comes from here, where a failure is remembered until the value is written. */
#ifndef ATTN_IO_JSON_WRITE_H
#define ATTN_IO_JSON_WRITE_H

#include <jansson.h>
#include <stdio.h>

#include "attn/status.h"

/* Once, at the start of a program, before anything else of jansson's. */
void attn_json_begin(void);

/* Something that belongs into the value could not be made: memory ran out. */
void attn_json_lost(void);

/* The value, which is taken over, as text to be freed with free; NULL: memory ran out, here or since this thread last
 * wrote JSON. */
char *attn_json_dump(json_t *value, size_t flags);
/* The same, as a line to a file. ATTN_ERR_MEMORY; ATTN_ERR_IO. */
ATTN_MUST_CHECK attn_status attn_json_print(json_t *value, size_t flags, FILE *out,
                                            attn_error *error);

#endif
