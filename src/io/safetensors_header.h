/* io/safetensors_header.h: the JSON header of a .safetensors file, from text and to text.
 *
 * Only the JSON that the format allows is understood: one object of tensors, each an object of
 * dtype, shape and data_offsets, and "__metadata__", an object of strings. Nothing nests deeper, so
 * nothing recurses. Next: safetensors.c. */
#ifndef ATTN_IO_SAFETENSORS_HEADER_H
#define ATTN_IO_SAFETENSORS_HEADER_H

#include "attn/safetensors.h"

enum {
    ATTN_HEADER_START = 8,       /* bytes before the header: its length, little-endian */
    ATTN_HEADER_LIMIT = 1 << 24, /* bytes of header; about a hundred thousand tensors */
    ATTN_NAME_LIMIT = 512,       /* bytes of a tensor's name */
};

typedef struct attn_header_tensor {
    attn_tensor_info info; /* data is NULL */
    size_t begin;          /* of its bytes, counted from the end of the header */
    size_t position;       /* of its name in the file, for messages */
} attn_header_tensor;

typedef struct attn_header {
    attn_header_tensor *tensors; /* in the order of their data */
    size_t count;
    attn_metadata *metadata; /* in the order of the file */
    size_t metadata_count;
    const attn_header_tensor **by_name; /* both sorted by bytes */
    const attn_metadata **by_key;
    char *strings; /* all names, keys and values */
} attn_header;

/* Reads the header text, which stood ATTN_HEADER_START bytes into the file that `where` names and
 * was followed by data_size bytes of data. On success: names and keys are unique, UTF-8, without
 * NUL; every size is the product of its shape; the tensors fill the data without overlap or hole.
 * On failure nothing needs freeing. ATTN_ERR_FORMAT, with the byte's place in the file, or
 * ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_header_parse(const char *text, size_t length, size_t data_size,
                                              const char *where, attn_header *header,
                                              attn_error *error);
void attn_header_free(attn_header *header);

/* NULL when there is none. */
const attn_header_tensor *attn_header_find(const attn_header *header, const char *name);
const char *attn_header_metadata(const attn_header *header, const char *key);

/* The start of a file: length, header, and spaces up to a multiple of 8, for tensors whose bytes
 * follow one another in this order. *bytes is to be freed with attn_free. The caller has checked
 * names, shapes and sizes. ATTN_ERR_ARGUMENT when the header gets longer than ATTN_HEADER_LIMIT. */
ATTN_MUST_CHECK attn_status attn_header_print(const attn_tensor_info *const *tensors, size_t count,
                                              const attn_metadata *metadata, size_t metadata_count,
                                              char **bytes, size_t *size, attn_error *error);

#endif
