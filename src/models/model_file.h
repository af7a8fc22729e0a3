/* models/model_file.h: what the files of all models have in common.
 *
 * One .safetensors file: the weights by their names in the table of tensors, the configuration in the
 * metadata, and bytes of the model's own (a tokenizer, a list of classes). Matrices may be stored as
 * bfloat16, or as int8 with one scale a row in NAME.scale; vectors are always float32. Next:
 * translator_file.c, segmenter_file.c. */
#ifndef ATTN_MODELS_MODEL_FILE_H
#define ATTN_MODELS_MODEL_FILE_H

#include "attn/layers.h"
#include "attn/safetensors.h"
#include "models/config.h"

typedef struct attn_model_format {
    const char *name;  /* "translator": the metadata attn.model */
    const char *hint;  /* what to do with a file of something else */
    const char *extra; /* the name of the tensor that holds the model's own bytes */
    const attn_config_key *keys;
    size_t key_count;
} attn_model_format;

/* The model's own bytes; data NULL: none. */
typedef struct attn_model_extra {
    const void *data;
    size_t size;
} attn_model_extra;

/* What a file holds. */
typedef struct attn_model_content {
    const void *config; /* the struct that the format's keys are of */
    const attn_params *params;
    attn_storage storage;
    attn_model_extra extra;
    const attn_metadata *metadata; /* more of it, after the format's own */
    size_t metadata_count;
} attn_model_content;

/* Written atomically. */
ATTN_MUST_CHECK attn_status attn_model_file_save(const attn_model_format *format,
                                                 const attn_model_content *content,
                                                 const char *path, attn_error *error);

/* Whether the file holds what attn_model_file_save wrote, to the bit: it compares the hash in the metadata,
 * which finds accidents and no forgery. ATTN_ERR_FORMAT: it does not, or is damaged; ATTN_ERR_UNSUPPORTED: it
 * has no hash; ATTN_ERR_IO, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_model_file_verify(const char *path, attn_error *error);

/* Loading: the configuration; then, with the table of tensors that it declares, whether the file holds
 * those and no others (a configuration can promise far more memory than the file holds); and when they
 * are allocated, their values. */
ATTN_MUST_CHECK attn_status attn_model_file_config(const attn_model_format *format,
                                                   const attn_safetensors *file, const char *path,
                                                   void *config, attn_error *error);
ATTN_MUST_CHECK attn_status attn_model_file_check(const attn_model_format *format,
                                                  const attn_safetensors *file, const char *path,
                                                  const attn_params *params, attn_error *error);
/* Whether every matrix is stored as int8: only then do the scales of joined matrices stand together. */
bool attn_model_file_all_i8(const attn_safetensors *file, const attn_params *params);
/* After attn_model_file_check: the values of all that are allocated, or of one. */
ATTN_MUST_CHECK attn_status attn_model_file_read(const attn_safetensors *file, const char *path,
                                                 const attn_params *params, attn_error *error);
ATTN_MUST_CHECK attn_status attn_model_file_read_param(const attn_safetensors *file,
                                                       const attn_param *param, attn_error *error);
/* The rows of one layer's weight, which may be those of several parameters: into data [out, in]. */
ATTN_MUST_CHECK attn_status attn_model_file_read_weight(const attn_safetensors *file,
                                                        const attn_params *params,
                                                        const attn_linear *linear, attn_real *data,
                                                        attn_error *error);
/* Packs a layer whose weight is in the file. Unless its values are there already, they are floats only here, so that of a model's
 * matrices one at a time is. ATTN_ERR_MEMORY; and what reading gives. */
ATTN_MUST_CHECK attn_status attn_model_file_pack(const attn_safetensors *file,
                                                 const attn_params *params, attn_linear *linear,
                                                 attn_compute compute, attn_error *error);
/* For training on from a finished model: the values of its tensors that have the name and shape of one
 * of params; the others keep theirs, and their names go to `left`, separated by spaces, as far as they
 * fit. kind: "translator". ATTN_ERR_FORMAT: a model of another kind; ATTN_ERR_SHAPE: not one tensor
 * fits. */
ATTN_MUST_CHECK attn_status attn_model_file_start_from(const char *path, const char *kind,
                                                       const attn_params *params, size_t *taken,
                                                       char *left, size_t left_size,
                                                       attn_error *error);
/* An allocated copy of the model's own bytes, to be freed also after a failure; *bytes stays as it
 * is when the file has none. */
ATTN_MUST_CHECK attn_status attn_model_file_extra(const attn_model_format *format,
                                                  const attn_safetensors *file, const char *path,
                                                  void **bytes, size_t *size, attn_error *error);

#endif
