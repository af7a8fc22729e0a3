/* io/npz_write.c: a .npz file of stored arrays, which is what Marian can read. */
#include "io/npz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/fail.h"

/* What stands before the numbers of an array: a multiple of 64 bytes. */
static size_t write_header(const attn_tensor_info *t, char *header, size_t size) {
    enum { BEFORE = 10, UNIT = 64 };
    static const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    char shape[160] = "";
    size_t used = 0;
    for (int i = 0; i < t->rank; i++) {
        used += (size_t)snprintf(shape + used, sizeof shape - used, i > 0 ? " %lld," : "%lld,",
                                 (long long)t->shape[i]);
    }
    if (t->rank > 1) {
        shape[used - 1] = '\0'; /* only a tuple of one ends in a comma */
    }
    memcpy(header, magic, sizeof magic);
    size_t length = BEFORE + (size_t)snprintf(header + BEFORE, size - BEFORE,
                                              "{'descr': '%s', 'fortran_order': False, "
                                              "'shape': (%s), }",
                                              t->dtype == ATTN_DTYPE_F32 ? "<f4" : "|i1", shape);
    size_t whole = (length + UNIT) / UNIT * UNIT; /* one byte more at least, for the newline */
    memset(header + length, ' ', whole - length);
    header[whole - 1] = '\n';
    header[8] = (char)((whole - BEFORE) & 0xFF);
    header[9] = (char)((whole - BEFORE) >> 8);
    return whole;
}

static bool add(zip_t *zip, const attn_tensor_info *t) {
    char header[512], name[ATTN_TENSOR_NAME_LIMIT + 8];
    size_t before = write_header(t, header, sizeof header);
    char *bytes = malloc(before + t->size); /* libzip frees it */
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, header, before);
    memcpy(bytes + before, t->data, t->size);
    snprintf(name, sizeof name, "%s.npy", t->name);
    zip_source_t *source = zip_source_buffer(zip, bytes, before + t->size, 1);
    if (source == NULL) {
        free(bytes);
        return false;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the bytes are the source's now */
    zip_int64_t index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    zip_uint64_t member = (zip_uint64_t)index;
    /* Equal models give equal files: no date. */
    return zip_set_file_compression(zip, member, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_mtime(zip, member, 0, 0) == 0;
}

attn_status attn_npz_write(const char *path, const attn_tensor_info *tensors, size_t count,
                           attn_error *error) {
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (zip == NULL) {
        zip_error_t cause;
        zip_error_init_with_code(&cause, code);
        attn_status status = attn_fail(error, ATTN_ERR_IO, path, -1, NULL, "cannot write: %s",
                                       zip_error_strerror(&cause));
        zip_error_fini(&cause);
        return status;
    }
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        good = add(zip, &tensors[i]);
    }
    if (good && zip_close(zip) == 0) {
        return ATTN_OK;
    }
    attn_status status = attn_fail(error, ATTN_ERR_IO, path, -1, NULL, "cannot write: %s",
                                   zip_error_strerror(zip_get_error(zip)));
    zip_discard(zip);
    return status;
}
