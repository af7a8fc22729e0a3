/* io/archive.c: over libzip. */
#include "io/archive.h"

#include <errno.h>
#include <string.h>
#include <zip.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"

/* A member may be this large whatever is packed, and this many times what is packed: weights hardly pack, and
 * the texts beside them not so well. The same holds for all that is read of one archive. */
static const zip_uint64_t free_size = (zip_uint64_t)64 << 20;
enum { MOST_INFLATED = 100 };

struct attn_archive {
    zip_t *zip;
    const char *where;
    zip_uint64_t size, read; /* bytes of the archive, and bytes that were read out of it */
};

bool attn_archive_begins(const void *bytes, size_t size) {
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

bool attn_path_stays_below(const char *path) {
    if (path[0] == '\0' || path[0] == '/' || strchr(path, '\\') != NULL) {
        return false;
    }
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        size_t length = strcspn(part, "/");
        if (length == 2 && part[0] == '.' && part[1] == '.') {
            return false;
        }
    }
    return true;
}

/* ---- opening ---- */

static attn_status zip_failed(zip_error_t *cause, const char *where, attn_error *error) {
    int system = zip_error_code_system(cause);
    switch (zip_error_code_zip(cause)) {
    case ZIP_ER_MEMORY:
        return attn_fail_memory(error, 0);
    case ZIP_ER_OPEN:
    case ZIP_ER_NOENT:
    case ZIP_ER_READ:
        errno = system;
        return attn_fail_errno(error, where, "cannot read");
    default:
        break;
    }
    return attn_fail(error, ATTN_ERR_FORMAT, where, -1,
                     "the file is damaged or was cut short: fetch it again",
                     "it cannot be read as a zip file: %s", zip_error_strerror(cause));
}

static attn_status check_member(attn_archive *a, zip_uint64_t index, attn_error *error) {
    char quoted[120];
    zip_stat_t s;
    if (zip_stat_index(a->zip, index, 0, &s) != 0) {
        return zip_failed(zip_get_error(a->zip), a->where, error);
    }
    if ((s.valid & ZIP_STAT_NAME) == 0 || !attn_path_stays_below(s.name)) {
        return attn_fail(
            error, ATTN_ERR_FORMAT, a->where, -1,
            "do not trust this file: pack what you need of it again",
            "the member \"%s\" leads out of the archive",
            attn_utf8_quote(quoted, sizeof quoted, (s.valid & ZIP_STAT_NAME) != 0 ? s.name : ""));
    }
    return ATTN_OK;
}

/* Takes over the source, also on failure. */
static attn_status open_source(zip_source_t *source, zip_error_t *cause, const char *where,
                               attn_archive **out, attn_error *error) {
    zip_stat_t whole;
    attn_archive *a = attn_alloc_zero(1, sizeof *a);
    if (a == NULL) {
        zip_source_free(source);
        return attn_fail_memory(error, sizeof *a);
    }
    zip_stat_init(&whole);
    if (zip_source_stat(source, &whole) == 0 && (whole.valid & ZIP_STAT_SIZE) != 0) {
        a->size = whole.size;
    }
    a->where = where;
    a->zip = zip_open_from_source(source, ZIP_RDONLY, cause);
    if (a->zip == NULL) {
        zip_source_free(source);
        attn_free(a);
        return zip_failed(cause, where, error);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; status == ATTN_OK && i < attn_archive_count(a); i++) {
        status = check_member(a, i, error);
    }
    if (status != ATTN_OK) {
        attn_archive_close(a);
        return status;
    }
    *out = a;
    return ATTN_OK;
}

attn_status attn_archive_open(const char *path, attn_archive **out, attn_error *error) {
    zip_error_t cause;
    zip_error_init(&cause);
    zip_source_t *source = zip_source_file_create(path, 0, -1, &cause);
    attn_status status = source != NULL ? open_source(source, &cause, path, out, error)
                                        : zip_failed(&cause, path, error);
    zip_error_fini(&cause);
    return status;
}

attn_status attn_archive_parse(const void *bytes, size_t size, const char *name, attn_archive **out,
                               attn_error *error) {
    zip_error_t cause;
    zip_error_init(&cause);
    zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &cause);
    attn_status status = source != NULL ? open_source(source, &cause, name, out, error)
                                        : zip_failed(&cause, name, error);
    zip_error_fini(&cause);
    return status;
}

void attn_archive_close(attn_archive *archive) {
    if (archive != NULL) {
        zip_discard(archive->zip);
        attn_free(archive);
    }
}

/* ---- members ---- */

size_t attn_archive_count(const attn_archive *archive) {
    zip_int64_t count = zip_get_num_entries(archive->zip, 0);
    return count > 0 ? (size_t)count : 0;
}

const char *attn_archive_name(const attn_archive *archive, size_t index) {
    return zip_get_name(archive->zip, index, 0);
}

bool attn_archive_find(const attn_archive *archive, const char *name, size_t *index) {
    zip_int64_t found = zip_name_locate(archive->zip, name, 0);
    *index = found >= 0 ? (size_t)found : 0;
    return found >= 0;
}

static attn_status bad_member(const attn_archive *a, const char *name, attn_status status,
                              const char *hint, const char *what, attn_error *error) {
    char quoted[120];
    return attn_fail(error, status, a->where, -1, hint, "the member \"%s\" %s",
                     attn_utf8_quote(quoted, sizeof quoted, name), what);
}

static bool inflates_too_far(zip_uint64_t size, zip_uint64_t packed) {
    return size > free_size && (size - free_size) / MOST_INFLATED > packed;
}

/* What a member says of itself has to be possible before memory is asked for. */
static attn_status check_sizes(const attn_archive *a, const zip_stat_t *s, size_t limit,
                               attn_error *error) {
    static const zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((s->valid & needed) != needed || s->size >= SIZE_MAX / 2 || s->comp_size > a->size) {
        return bad_member(a, s->name, ATTN_ERR_FORMAT, "the file is damaged",
                          "has a size that cannot be", error);
    }
    if (s->encryption_method != ZIP_EM_NONE) {
        return bad_member(a, s->name, ATTN_ERR_UNSUPPORTED, "unpack it first", "is encrypted",
                          error);
    }
    if (s->comp_method != ZIP_CM_STORE && s->comp_method != ZIP_CM_DEFLATE) {
        return bad_member(a, s->name, ATTN_ERR_UNSUPPORTED, "pack it again with zip",
                          "is neither stored nor deflated", error);
    }
    if (inflates_too_far(s->size, s->comp_size) || inflates_too_far(a->read + s->size, a->size)) {
        return bad_member(a, s->name, ATTN_ERR_FORMAT,
                          "if you trust it, unpack it and pack it again without compression",
                          "would unpack to far more than a model can: it may be a zip bomb", error);
    }
    if (limit != 0 && s->size > limit) {
        return bad_member(a, s->name, ATTN_ERR_FORMAT, "is it the file you meant?",
                          "is larger than such a file can be", error);
    }
    return ATTN_OK;
}

/* Reads exactly s->size bytes; at the end libzip compares the checksum. */
static attn_status inflate_member(attn_archive *a, zip_uint64_t index, const zip_stat_t *s,
                                  char *to, attn_error *error) {
    zip_file_t *file = zip_fopen_index(a->zip, index, 0);
    if (file == NULL) {
        return zip_failed(zip_get_error(a->zip), a->where, error);
    }
    zip_uint64_t done = 0;
    zip_int64_t got = 1;
    while (got > 0 && done <= s->size) {
        char past_end;
        got = done < s->size ? zip_fread(file, to + done, s->size - done)
                             : zip_fread(file, &past_end, 1);
        done += got > 0 ? (zip_uint64_t)got : 0;
    }
    zip_fclose(file);
    if (got < 0 || done != s->size) {
        return bad_member(a, s->name, ATTN_ERR_FORMAT,
                          "the file is damaged or was cut short: fetch it again",
                          "does not unpack to what the archive says", error);
    }
    return ATTN_OK;
}

attn_status attn_archive_read(attn_archive *archive, size_t index, size_t limit, char **data,
                              size_t *size, attn_error *error) {
    zip_stat_t s;
    if (zip_stat_index(archive->zip, index, 0, &s) != 0) {
        return zip_failed(zip_get_error(archive->zip), archive->where, error);
    }
    attn_status status = check_sizes(archive, &s, limit, error);
    if (status != ATTN_OK) {
        return status;
    }
    char *bytes = attn_alloc((size_t)s.size + 1);
    if (bytes == NULL) {
        return attn_fail_memory(error, (size_t)s.size + 1);
    }
    status = inflate_member(archive, index, &s, bytes, error);
    if (status != ATTN_OK) {
        attn_free(bytes);
        return status;
    }
    bytes[s.size] = '\0';
    archive->read += s.size;
    *data = bytes;
    *size = (size_t)s.size;
    return ATTN_OK;
}
