/* attn/safetensors.h: reading and writing .safetensors files.
 *
 * The format: 8 bytes little-endian header length, a JSON header naming dtype, shape and
 * data_offsets of each tensor plus a "__metadata__" object of strings, then the bytes. Python's
 * safetensors package reads the files written here, and attn reads Python's. No byte of a file is
 * trusted: the header is bounded, products are checked, and overlaps, holes and duplicate keys are
 * refused. An open file is only read, so threads may share it. */
#ifndef ATTN_SAFETENSORS_H
#define ATTN_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_dtype {
    ATTN_DTYPE_F32,
    ATTN_DTYPE_BF16,
    ATTN_DTYPE_I8,
    ATTN_DTYPE_U8,
    ATTN_DTYPE_I32,
    ATTN_DTYPE_I64,
    ATTN_DTYPE_F64,
    ATTN_DTYPE_F16,
    ATTN_DTYPE_I16,
    /* Such tensors are found and read, but nothing in the library computes with them. */
    ATTN_DTYPE_BOOL,
    ATTN_DTYPE_U16,
    ATTN_DTYPE_U32,
    ATTN_DTYPE_U64,
    ATTN_DTYPE_F8_E4M3,
    ATTN_DTYPE_F8_E5M2,
    ATTN_DTYPE_F8_E8M0,
    ATTN_DTYPE_C64,
} attn_dtype;

enum { ATTN_MAX_RANK = 8 };

/* How a model's weight matrices are stored; vectors are always float32. */
typedef enum attn_storage { ATTN_STORE_F32, ATTN_STORE_BF16, ATTN_STORE_I8 } attn_storage;

typedef struct attn_tensor_info {
    const char *name; /* UTF-8 */
    attn_dtype dtype;
    int rank;
    int64_t shape[ATTN_MAX_RANK];
    const void *data; /* size bytes, little-endian */
    size_t size;
} attn_tensor_info;

/* ---- reading ---- */

typedef struct attn_safetensors attn_safetensors;

/* *out is freed with attn_safetensors_close. Reads the whole file into memory (and never maps it, so that a file truncated while in use cannot
 * crash the process). Errors: ATTN_ERR_IO, ATTN_ERR_MEMORY, ATTN_ERR_FORMAT with the byte
 * offset. */
ATTN_API ATTN_MUST_CHECK attn_status attn_safetensors_open(const char *path, attn_safetensors **out,
                                                           attn_error *error);
/* The same from memory, which is copied. `name` stands for the path in errors. */
ATTN_API ATTN_MUST_CHECK attn_status attn_safetensors_parse(const void *bytes, size_t size,
                                                            const char *name,
                                                            attn_safetensors **out,
                                                            attn_error *error);
/* Reads the header alone and keeps the file open: the tensors' data is NULL, attn_safetensors_read gives
 * it. The file is never mapped: one that is cut short while in use gives an error. What is not a regular
 * file is read whole. Errors as those of attn_safetensors_open. */
ATTN_API ATTN_MUST_CHECK attn_status attn_safetensors_open_header(const char *path,
                                                                  attn_safetensors **out,
                                                                  attn_error *error);
/* Bytes from .. from + size - 1 of a tensor of this file, however it was opened. The range is the
 * caller's to keep inside the tensor. ATTN_ERR_IO, ATTN_ERR_FORMAT (cut short meanwhile). */
ATTN_API ATTN_MUST_CHECK attn_status attn_safetensors_read(const attn_safetensors *file,
                                                           const attn_tensor_info *tensor,
                                                           size_t from, size_t size, void *to,
                                                           attn_error *error);
ATTN_API void attn_safetensors_close(attn_safetensors *file);
ATTN_API size_t attn_safetensors_count(const attn_safetensors *file);
/* Tensors in the order of their data; NULL past the end. The pointers live until the file is
 * closed; `data` is aligned for its type. */
ATTN_API const attn_tensor_info *attn_safetensors_at(const attn_safetensors *file, size_t index);
/* By name; NULL when there is none. */
ATTN_API const attn_tensor_info *attn_safetensors_find(const attn_safetensors *file,
                                                       const char *name);
/* A metadata string, or NULL. */
ATTN_API const char *attn_safetensors_metadata(const attn_safetensors *file, const char *key);
/* Pair i of the metadata in file order; false past the end. */
ATTN_API bool attn_safetensors_metadata_at(const attn_safetensors *file, size_t index,
                                           const char **key, const char **value);

/* ---- writing ---- */

typedef struct attn_metadata {
    const char *key, *value;
} attn_metadata;

/* Writes to a temporary name beside path, fsyncs, renames, fsyncs the folder: after a failure or a
 * power cut, path holds either the old file or the complete new one. The data begins at a multiple
 * of 8 and tensors are stored wide element types first (otherwise in the order given), so that each
 * is aligned; the format allows no padding between them. Errors: ATTN_ERR_ARGUMENT (a name that
 * occurs twice, is not UTF-8 or is over 512 bytes; a size that does not match the shape),
 * ATTN_ERR_IO, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status
attn_safetensors_write(const char *path, const attn_tensor_info *tensors, size_t count,
                       const attn_metadata *metadata, size_t metadata_count, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
