/* io/archive_replace.c: a zip file with some of its members exchanged, over libzip. */
#include <string.h>
#include <zip.h>

#include "base/fail.h"
#include "base/memory.h"
#include "io/archive.h"

static attn_status failed(zip_error_t *cause, const char *name, attn_error *error) {
    if (zip_error_code_zip(cause) == ZIP_ER_MEMORY) {
        return attn_fail_memory(error, 0);
    }
    return attn_fail(error, ATTN_ERR_FORMAT, name, -1,
                     "the file is damaged or was cut short: fetch it again",
                     "it cannot be written again as a zip file: %s", zip_error_strerror(cause));
}

/* The member keeps its way of packing and its time. */
static bool exchange(zip_t *zip, const attn_archive_member *member) {
    zip_stat_t s;
    if (zip_stat_index(zip, member->index, 0, &s) != 0) {
        return false;
    }
    zip_source_t *source = zip_source_buffer(zip, member->bytes, member->size, 0);
    if (source == NULL || zip_file_replace(zip, member->index, source, 0) != 0) {
        zip_source_free(source);
        return false;
    }
    bool stored = (s.valid & ZIP_STAT_COMP_METHOD) != 0 && s.comp_method == ZIP_CM_STORE;
    bool good = zip_set_file_compression(zip, member->index, stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE,
                                         0) == 0;
    if (good && (s.valid & ZIP_STAT_MTIME) != 0) {
        good = zip_file_set_mtime(zip, member->index, s.mtime, 0) == 0;
    }
    return good;
}

static attn_status read_source(zip_source_t *source, const char *name, char **out, size_t *size,
                               attn_error *error) {
    zip_stat_t s;
    zip_stat_init(&s);
    if (zip_source_stat(source, &s) != 0 || (s.valid & ZIP_STAT_SIZE) == 0 ||
        zip_source_open(source) != 0) {
        return failed(zip_source_error(source), name, error);
    }
    char *bytes = attn_alloc((size_t)s.size + 1);
    bool whole = bytes != NULL && zip_source_read(source, bytes, s.size) == (zip_int64_t)s.size;
    zip_source_close(source);
    if (!whole) {
        attn_free(bytes);
        return attn_fail_memory(error, (size_t)s.size);
    }
    *out = bytes;
    *size = (size_t)s.size;
    return ATTN_OK;
}

attn_status attn_archive_replace(const void *bytes, size_t size, const char *name,
                                 const attn_archive_member *members, size_t count, char **out,
                                 size_t *out_size, attn_error *error) {
    zip_error_t cause;
    zip_error_init(&cause);
    zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &cause);
    attn_status status = source != NULL ? ATTN_OK : failed(&cause, name, error);
    zip_t *zip = NULL;
    if (status == ATTN_OK) {
        zip_source_keep(source);
        zip = zip_open_from_source(source, 0, &cause);
        if (zip == NULL) {
            zip_source_free(source); /* the one that it would have taken */
            status = failed(&cause, name, error);
        }
    }
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = exchange(zip, &members[i]) ? ATTN_OK : failed(zip_get_error(zip), name, error);
    }
    if (status == ATTN_OK && zip_close(zip) != 0) {
        status = failed(zip_get_error(zip), name, error);
    } else if (status == ATTN_OK) {
        zip = NULL;
    }
    if (zip != NULL) {
        zip_discard(zip);
    }
    if (status == ATTN_OK) {
        status = read_source(source, name, out, out_size, error);
    }
    zip_source_free(source);
    zip_error_fini(&cause);
    return status;
}
