/* io/bundle.c: see bundle.h. */
#include "io/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/archive.h"
#include "io/file.h"

enum { MOST_FILES = 10000, MOST_FOLDERS_DEEP = 2 };

struct attn_bundle {
    char *path;
    attn_archive *archive; /* NULL: path is a folder */
    size_t top;            /* of a zip file: bytes of the folder that all lies in, "NAME/" */
    char **names;
    size_t count, room;
};

static attn_status add_name(attn_bundle *b, const char *name, attn_error *error) {
    size_t size = strlen(name) + 1;
    if (b->count == MOST_FILES) {
        return attn_fail(error, ATTN_ERR_FORMAT, b->path, -1, "name the folder of the model alone",
                         "more than %d files", MOST_FILES);
    }
    if (!attn_grow(&b->names, &b->room, b->count + 1, sizeof *b->names)) {
        return attn_fail_memory(error, b->count * sizeof *b->names);
    }
    char *copy = attn_alloc(size);
    if (copy == NULL) {
        return attn_fail_memory(error, size);
    }
    memcpy(copy, name, size);
    b->names[b->count++] = copy;
    return ATTN_OK;
}

/* ---- a folder ---- */

static bool join(char out[PATH_MAX], const char *folder, const char *name) {
    const char *slash = folder[0] != '\0' ? "/" : "";
    return snprintf(out, PATH_MAX, "%s%s%s", folder, slash, name) < PATH_MAX;
}

static attn_status list_folder(attn_bundle *b, const char *inside, int depth, attn_error *error);

static attn_status list_entry(attn_bundle *b, const char *inside, const char *entry, int depth,
                              attn_error *error) {
    char name[PATH_MAX], path[PATH_MAX];
    struct stat info;
    if (entry[0] == '.' || !join(name, inside, entry) || !join(path, b->path, name) ||
        stat(path, &info) != 0) {
        return ATTN_OK;
    }
    if (S_ISDIR(info.st_mode)) {
        return depth < MOST_FOLDERS_DEEP ? list_folder(b, name, depth + 1, error) : ATTN_OK;
    }
    return S_ISREG(info.st_mode) ? add_name(b, name, error) : ATTN_OK;
}

static attn_status list_folder(attn_bundle *b, const char *inside, int depth, attn_error *error) {
    char path[PATH_MAX];
    DIR *folder = join(path, b->path, inside) ? opendir(path) : NULL;
    if (folder == NULL) {
        return attn_fail_errno(error, path, "cannot read the folder");
    }
    attn_status status = ATTN_OK;
    struct dirent *entry;
    while (status == ATTN_OK && (entry = readdir(folder)) != NULL) {
        status = list_entry(b, inside, entry->d_name, depth, error);
    }
    closedir(folder);
    return status;
}

/* ---- a zip file ---- */

/* The bytes of "NAME/" when every member lies in that folder, else 0. */
static size_t common_folder(const attn_archive *archive) {
    const char *first = attn_archive_count(archive) > 0 ? attn_archive_name(archive, 0) : "";
    const char *slash = strchr(first, '/');
    size_t length = slash != NULL ? (size_t)(slash - first) + 1 : 0;
    for (size_t i = 1; length > 0 && i < attn_archive_count(archive); i++) {
        length = strncmp(attn_archive_name(archive, i), first, length) == 0 ? length : 0;
    }
    return length;
}

static attn_status list_archive(attn_bundle *b, attn_error *error) {
    b->top = common_folder(b->archive);
    attn_status status = ATTN_OK;
    for (size_t i = 0; status == ATTN_OK && i < attn_archive_count(b->archive); i++) {
        const char *name = attn_archive_name(b->archive, i) + b->top;
        size_t length = strlen(name);
        if (length > 0 && name[length - 1] != '/') {
            status = add_name(b, name, error);
        }
    }
    return status;
}

/* ---- opening ---- */

static bool is_zip(const char *path) {
    char start[4];
    FILE *stream = fopen(path, "rb");
    size_t size = stream != NULL ? fread(start, 1, sizeof start, stream) : 0;
    if (stream != NULL) {
        fclose(stream);
    }
    return attn_archive_begins(start, size);
}

static int compare_names(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static attn_status list_files(attn_bundle *b, attn_error *error) {
    struct stat info;
    if (stat(b->path, &info) != 0) {
        return attn_fail_errno(error, b->path, "cannot open");
    }
    if (S_ISDIR(info.st_mode)) {
        return list_folder(b, "", 1, error);
    }
    if (!is_zip(b->path)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, b->path, -1, NULL,
                         "it is neither a folder nor a zip file");
    }
    attn_status status = attn_archive_open(b->path, &b->archive, error);
    return status == ATTN_OK ? list_archive(b, error) : status;
}

attn_status attn_bundle_open(const char *path, attn_bundle **out, attn_error *error) {
    attn_bundle *b = attn_alloc_zero(1, sizeof *b);
    char *copy = attn_alloc(strlen(path) + 1);
    if (b == NULL || copy == NULL) {
        attn_free(b);
        attn_free(copy);
        return attn_fail_memory(error, strlen(path) + 1);
    }
    memcpy(copy, path, strlen(path) + 1);
    b->path = copy;
    attn_status status = list_files(b, error);
    if (status != ATTN_OK) {
        attn_bundle_close(b);
        return status;
    }
    if (b->count > 0) {
        qsort(b->names, b->count, sizeof *b->names, compare_names);
    }
    *out = b;
    return ATTN_OK;
}

void attn_bundle_close(attn_bundle *bundle) {
    if (bundle == NULL) {
        return;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        attn_free(bundle->names[i]);
    }
    attn_archive_close(bundle->archive);
    attn_free(bundle->names);
    attn_free(bundle->path);
    attn_free(bundle);
}

/* ---- the files ---- */

size_t attn_bundle_count(const attn_bundle *bundle) {
    return bundle->count;
}

const char *attn_bundle_name(const attn_bundle *bundle, size_t index) {
    return index < bundle->count ? bundle->names[index] : NULL;
}

bool attn_bundle_has(const attn_bundle *bundle, const char *name) {
    return bundle->count > 0 && bsearch(&name, bundle->names, bundle->count, sizeof *bundle->names,
                                        compare_names) != NULL;
}

/* The path of a file in the folder, or in the zip file for messages. */
static attn_status path_of(const attn_bundle *b, const char *name, char path[PATH_MAX],
                           attn_error *error) {
    if (attn_path_stays_below(name) && join(path, b->path, name)) {
        return ATTN_OK;
    }
    char quoted[120];
    return attn_fail(error, ATTN_ERR_ARGUMENT, b->path, -1, "do not trust this model",
                     "\"%s\" is not a file inside it",
                     attn_utf8_quote(quoted, sizeof quoted, name));
}

static attn_status read_member(attn_bundle *b, const char *name, size_t limit, char **data,
                               size_t *size, attn_error *error) {
    for (size_t i = 0; i < attn_archive_count(b->archive); i++) {
        if (strcmp(attn_archive_name(b->archive, i) + b->top, name) == 0) {
            return attn_archive_read(b->archive, i, limit, data, size, error);
        }
    }
    char quoted[120];
    return attn_fail(error, ATTN_ERR_IO, b->path, -1, NULL, "it holds no \"%s\"",
                     attn_utf8_quote(quoted, sizeof quoted, name));
}

attn_status attn_bundle_read(attn_bundle *bundle, const char *name, size_t limit, char **data,
                             size_t *size, attn_error *error) {
    char path[PATH_MAX];
    attn_status status = path_of(bundle, name, path, error);
    if (status != ATTN_OK) {
        return status;
    }
    return bundle->archive != NULL ? read_member(bundle, name, limit, data, size, error)
                                   : attn_file_read(path, limit, data, size, error);
}

attn_status attn_bundle_tensors(attn_bundle *bundle, const char *name, attn_tensor_file **out,
                                attn_error *error) {
    char path[PATH_MAX], *data = NULL;
    size_t size = 0;
    attn_status status = path_of(bundle, name, path, error);
    if (status != ATTN_OK || bundle->archive == NULL) {
        return status == ATTN_OK ? attn_tensor_file_open(path, out, error) : status;
    }
    status = read_member(bundle, name, 0, &data, &size, error);
    return status == ATTN_OK ? attn_tensor_file_take(data, size, path, out, error) : status;
}
