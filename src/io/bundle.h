/* io/bundle.h: the files of a model, whether they lie in a folder or in a zip file (an Argos package is one).
 *
 * A zip file whose members all lie in one folder is seen from inside that folder, so "metadata.json" is found in
 * both. Nothing is unpacked to disk. Next: io/tensor_file.h. */
#ifndef ATTN_IO_BUNDLE_H
#define ATTN_IO_BUNDLE_H

#include "io/tensor_file.h"

typedef struct attn_bundle attn_bundle;

/* ATTN_ERR_ARGUMENT: neither a folder nor a zip file. ATTN_ERR_FORMAT: a zip file that is damaged, or with a
 * member that leads out of it; a folder of too many files. ATTN_ERR_IO, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_bundle_open(const char *path, attn_bundle **out,
                                             attn_error *error);
void attn_bundle_close(attn_bundle *bundle);

/* The files, sorted by name: those of the folder and of its own folders ("model/model.bin"), hidden ones left
 * out. NULL past the end. */
size_t attn_bundle_count(const attn_bundle *bundle);
const char *attn_bundle_name(const attn_bundle *bundle, size_t index);
bool attn_bundle_has(const attn_bundle *bundle, const char *name);

/* A whole file, of at most `limit` bytes (0: no limit), in attn_alloc'ed memory with a NUL byte behind it that
 * *size does not count. ATTN_ERR_ARGUMENT: a name that leads out of the bundle; ATTN_ERR_IO: not there. */
ATTN_MUST_CHECK attn_status attn_bundle_read(attn_bundle *bundle, const char *name, size_t limit,
                                             char **data, size_t *size, attn_error *error);
/* The tensors in one of the files, which may outlive the bundle. */
ATTN_MUST_CHECK attn_status attn_bundle_tensors(attn_bundle *bundle, const char *name,
                                                attn_tensor_file **out, attn_error *error);

#endif
