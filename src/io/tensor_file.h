/* io/tensor_file.h: a model file of somebody else's, as named tensors and named texts.
 *
 * What kind of file it is, its bytes say, not its name:
 *     safetensors              io/safetensors.c, and the index of a model in several files
 *     numpy .npz               io/npz.c (Marian)
 *     Marian .bin              io/marian_bin.c
 *     CTranslate2 model.bin    io/ctranslate2.c
 *     PyTorch checkpoint       io/torch_file.c
 * What the names mean is for whoever opens it. No byte is trusted, and nothing in a file is ever run. */
#ifndef ATTN_IO_TENSOR_FILE_H
#define ATTN_IO_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/safetensors.h"

typedef enum attn_tensor_file_kind {
    ATTN_FILE_SAFETENSORS,
    ATTN_FILE_NPZ,
    ATTN_FILE_MARIAN,
    ATTN_FILE_CTRANSLATE2,
    ATTN_FILE_TORCH,
} attn_tensor_file_kind;

typedef struct attn_tensor_file attn_tensor_file;

/* Reads the whole file. ATTN_ERR_IO; ATTN_ERR_MEMORY; ATTN_ERR_FORMAT, with the offset where there is one;
 * ATTN_ERR_UNSUPPORTED: a good file that attn cannot read, and how to make one that it can. */
ATTN_MUST_CHECK attn_status attn_tensor_file_open(const char *path, attn_tensor_file **out,
                                                  attn_error *error);
/* The same from memory, which is taken over (attn_alloc'ed), also on failure. `name` stands for the path in
 * errors; the parts of a model in several files are looked for beside it. */
ATTN_MUST_CHECK attn_status attn_tensor_file_take(char *bytes, size_t size, const char *name,
                                                  attn_tensor_file **out, attn_error *error);
void attn_tensor_file_close(attn_tensor_file *file);

attn_tensor_file_kind attn_tensor_file_kind_of(const attn_tensor_file *file);
/* "a PyTorch checkpoint", for messages. */
const char *attn_tensor_file_kind_name(attn_tensor_file_kind kind);

/* In the order of the file; NULL past the end. What is returned lives until the file is closed; data is in C
 * order, little-endian and aligned for its type. Several names may share their data. */
size_t attn_tensor_file_count(const attn_tensor_file *file);
const attn_tensor_info *attn_tensor_file_at(const attn_tensor_file *file, size_t index);
/* By name; NULL when there is none. */
const attn_tensor_info *attn_tensor_file_find(const attn_tensor_file *file, const char *name);

/* The texts: "special:model.yml" of a Marian model, "spec" of a CTranslate2 model, a checkpoint's settings. */
const char *attn_tensor_file_text(const attn_tensor_file *file, const char *key);
/* Text i in the order of the file; false past the end. */
bool attn_tensor_file_text_at(const attn_tensor_file *file, size_t index, const char **key,
                              const char **value);

/* All elements of a tensor of numbers (io/dtype.h) as float32: exact, or rounded to nearest for F64, I32 and I64. Quantised integers
 * come as they are: the caller applies their scale. */
void attn_tensor_floats(const attn_tensor_info *tensor, float *out);

#endif
