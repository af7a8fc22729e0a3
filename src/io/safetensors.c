/* io/safetensors.c: .safetensors files, read as if an enemy had written them, and written so that a
 * power cut cannot halve them.
 *
 * The contract is attn/safetensors.h; the JSON part is io/safetensors_header.c. */
#include "attn/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/dtype.h"
#include "io/file.h"
#include "io/safetensors_header.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensor data is little-endian and is used in place: this processor would need a conversion"
#endif

/* ---- reading ---- */

struct attn_safetensors {
    char *bytes; /* the whole file, with a NUL behind it; NULL: read through fd */
    int fd;
    size_t data_start; /* where the tensors' bytes start in the file of fd */
    attn_header header;
    attn_arena aligned; /* copies of tensors that the file puts at odd places */
};

static attn_status header_length(const char *bytes, size_t size, const char *where, size_t *length,
                                 attn_error *error) {
    static const char hint[] = "is it a .safetensors file?";
    if (size < ATTN_HEADER_START) {
        return attn_fail(error, ATTN_ERR_FORMAT, where, (int64_t)size, hint,
                         "%zu bytes are too few for a .safetensors file", size);
    }
    uint64_t value = 0;
    for (int i = 0; i < ATTN_HEADER_START; i++) {
        value |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    }
    if (value > ATTN_HEADER_LIMIT) {
        return attn_fail(error, ATTN_ERR_FORMAT, where, 0, hint,
                         "a header of %llu bytes; at most %d are read", (unsigned long long)value,
                         ATTN_HEADER_LIMIT);
    }
    if (value > size - ATTN_HEADER_START) {
        return attn_fail(error, ATTN_ERR_FORMAT, where, (int64_t)size,
                         "the file was cut short: fetch it again",
                         "a header of %llu bytes, but the file ends after %zu",
                         (unsigned long long)value, size - ATTN_HEADER_START);
    }
    *length = (size_t)value;
    return ATTN_OK;
}

/* Points each tensor at its bytes. Offsets in a foreign file need not suit the type: such a tensor
 * is copied, so that whoever reads it may use it as an array. */
static attn_status place_data(attn_safetensors *file, const char *data, attn_error *error) {
    for (size_t i = 0; i < file->header.count; i++) {
        attn_header_tensor *tensor = &file->header.tensors[i];
        const char *place = data + tensor->begin;
        if ((uintptr_t)place % attn_dtype_size(tensor->info.dtype) != 0 && tensor->info.size > 0) {
            char *copy = attn_arena_alloc(&file->aligned, tensor->info.size);
            if (copy == NULL) {
                return attn_fail_memory(error, tensor->info.size);
            }
            memcpy(copy, place, tensor->info.size);
            place = copy;
        }
        tensor->info.data = place;
    }
    return ATTN_OK;
}

/* Takes over bytes, also on failure. */
static attn_status parse_owned(char *bytes, size_t size, const char *where, attn_safetensors **out,
                               attn_error *error) {
    size_t length = 0;
    attn_safetensors *file = attn_alloc_zero(1, sizeof *file);
    if (file == NULL) {
        attn_free(bytes);
        return attn_fail_memory(error, sizeof *file);
    }
    file->bytes = bytes;
    file->fd = -1;
    attn_status status = header_length(bytes, size, where, &length, error);
    if (status == ATTN_OK) {
        status = attn_header_parse(bytes + ATTN_HEADER_START, length,
                                   size - ATTN_HEADER_START - length, where, &file->header, error);
    }
    if (status == ATTN_OK) {
        status = place_data(file, bytes + ATTN_HEADER_START + length, error);
    }
    if (status != ATTN_OK) {
        attn_safetensors_close(file);
        return status;
    }
    *out = file;
    return ATTN_OK;
}

attn_status attn_safetensors_open(const char *path, attn_safetensors **out, attn_error *error) {
    char *bytes = NULL;
    size_t size = 0;
    attn_status status = attn_file_read(path, 0, &bytes, &size, error);
    return status == ATTN_OK ? parse_owned(bytes, size, path, out, error) : status;
}

attn_status attn_safetensors_parse(const void *bytes, size_t size, const char *name,
                                   attn_safetensors **out, attn_error *error) {
    char *copy = attn_alloc(size);
    if (copy == NULL) {
        return attn_fail_memory(error, size);
    }
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return parse_owned(copy, size, name, out, error);
}

/* ---- reading tensor by tensor ---- */

static attn_status read_at(int fd, const char *where, size_t offset, size_t size, void *to,
                           attn_error *error) {
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return attn_fail_errno(error, where, "cannot read");
        }
        if (got == 0) {
            return attn_fail(error, ATTN_ERR_FORMAT, where, (int64_t)(offset + done),
                             "the file was cut short: fetch it again", "the file ends here");
        }
        done += (size_t)got;
    }
    return ATTN_OK;
}

/* The header of a file of `size` bytes. */
static attn_status read_header(attn_safetensors *file, size_t size, const char *path,
                               attn_error *error) {
    char start[ATTN_HEADER_START];
    size_t length = 0, first = size < sizeof start ? size : sizeof start;
    attn_status status = read_at(file->fd, path, 0, first, start, error);
    status = status == ATTN_OK ? header_length(start, size, path, &length, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    char *text = attn_alloc(length + 1);
    if (text == NULL) {
        return attn_fail_memory(error, length);
    }
    text[length] = '\0';
    file->data_start = ATTN_HEADER_START + length;
    status = read_at(file->fd, path, ATTN_HEADER_START, length, text, error);
    if (status == ATTN_OK) {
        status =
            attn_header_parse(text, length, size - file->data_start, path, &file->header, error);
    }
    attn_free(text);
    return status;
}

attn_status attn_safetensors_open_header(const char *path, attn_safetensors **out,
                                         attn_error *error) {
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return attn_safetensors_open(path, out, error); /* or its error */
    }
    attn_safetensors *file = attn_alloc_zero(1, sizeof *file);
    if (file == NULL) {
        return attn_fail_memory(error, sizeof *file);
    }
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    attn_status status = file->fd >= 0 && fstat(file->fd, &info) == 0
                             ? read_header(file, (size_t)info.st_size, path, error)
                             : attn_fail_errno(error, path, "cannot open");
    if (status != ATTN_OK) {
        attn_safetensors_close(file);
        return status;
    }
    *out = file;
    return ATTN_OK;
}

attn_status attn_safetensors_read(const attn_safetensors *file, const attn_tensor_info *tensor,
                                  size_t from, size_t size, void *to, attn_error *error) {
    if (tensor->data != NULL) {
        memcpy(to, (const char *)tensor->data + from, size);
        return ATTN_OK;
    }
    size_t begin = attn_header_find(&file->header, tensor->name)->begin;
    return read_at(file->fd, NULL, file->data_start + begin + from, size, to, error);
}

void attn_safetensors_close(attn_safetensors *file) {
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    attn_header_free(&file->header);
    attn_arena_free(&file->aligned);
    attn_free(file->bytes);
    attn_free(file);
}

size_t attn_safetensors_count(const attn_safetensors *file) {
    return file->header.count;
}

const attn_tensor_info *attn_safetensors_at(const attn_safetensors *file, size_t index) {
    return index < file->header.count ? &file->header.tensors[index].info : NULL;
}

const attn_tensor_info *attn_safetensors_find(const attn_safetensors *file, const char *name) {
    const attn_header_tensor *found = attn_header_find(&file->header, name);
    return found != NULL ? &found->info : NULL;
}

const char *attn_safetensors_metadata(const attn_safetensors *file, const char *key) {
    return attn_header_metadata(&file->header, key);
}

bool attn_safetensors_metadata_at(const attn_safetensors *file, size_t index, const char **key,
                                  const char **value) {
    if (index >= file->header.metadata_count) {
        return false;
    }
    *key = file->header.metadata[index].key;
    *value = file->header.metadata[index].value;
    return true;
}

/* ---- writing ---- */

static bool good_string(const char *text) {
    return text != NULL && attn_utf8_whole(text, strlen(text));
}

static bool good_shape(const attn_tensor_info *tensor) {
    size_t size = attn_dtype_size(tensor->dtype);
    if (size == 0 || tensor->rank < 0 || tensor->rank > ATTN_MAX_RANK) {
        return false;
    }
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] < 0 || !attn_size_mul(size, (size_t)tensor->shape[i], &size)) {
            return false;
        }
    }
    return size == tensor->size && (size == 0 || tensor->data != NULL);
}

static attn_status check_tensor(const attn_tensor_info *tensor, const char *path,
                                attn_error *error) {
    if (!good_string(tensor->name) || strlen(tensor->name) > ATTN_NAME_LIMIT ||
        strcmp(tensor->name, "__metadata__") == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL,
                         "a tensor's name is missing, longer than %d bytes, reserved or not UTF-8",
                         ATTN_NAME_LIMIT);
    }
    if (!good_shape(tensor)) {
        char quoted[80];
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL,
                         "tensor \"%s\": type, shape, size and data do not fit together",
                         attn_utf8_quote(quoted, sizeof quoted, tensor->name));
    }
    return ATTN_OK;
}

static int compare_tensors(const void *a, const void *b) {
    const attn_tensor_info *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_keys(const void *a, const void *b) {
    const attn_metadata *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* `scratch` holds as many pointers as there are tensors, or pairs of metadata. */
static attn_status check_unique(const attn_tensor_info *tensors, size_t count,
                                const attn_metadata *metadata, size_t metadata_count,
                                const void **scratch, const char *path, attn_error *error) {
    for (size_t i = 0; i < count; i++) {
        scratch[i] = &tensors[i];
    }
    qsort(scratch, count, sizeof *scratch, compare_tensors);
    for (size_t i = 1; i < count; i++) {
        if (compare_tensors(&scratch[i - 1], &scratch[i]) == 0) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL,
                             "two tensors have the same name");
        }
    }
    for (size_t i = 0; i < metadata_count; i++) {
        scratch[i] = &metadata[i];
    }
    qsort(scratch, metadata_count, sizeof *scratch, compare_keys);
    for (size_t i = 1; i < metadata_count; i++) {
        if (compare_keys(&scratch[i - 1], &scratch[i]) == 0) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL,
                             "two metadata pairs have the same key");
        }
    }
    return ATTN_OK;
}

/* Wide types first, otherwise as given: then every tensor stands at a multiple of its element's
 * size without any padding, which the format does not allow. */
static void order_by_width(const attn_tensor_info *tensors, size_t count,
                           const attn_tensor_info **order) {
    size_t used = 0;
    for (size_t width = 8; width > 0; width /= 2) {
        for (size_t i = 0; i < count; i++) {
            if (attn_dtype_size(tensors[i].dtype) == width) {
                order[used++] = &tensors[i];
            }
        }
    }
}

attn_status attn_safetensors_write(const char *path, const attn_tensor_info *tensors, size_t count,
                                   const attn_metadata *metadata, size_t metadata_count,
                                   attn_error *error) {
    attn_status status = ATTN_OK;
    char *start = NULL;
    size_t most = count > metadata_count ? count : metadata_count;
    const attn_tensor_info **order = attn_alloc_zero(count, sizeof *order);
    const void **scratch = attn_alloc_zero(most, sizeof *scratch);
    attn_bytes *pieces = attn_alloc_zero(count + 1, sizeof *pieces);
    if (order == NULL || scratch == NULL || pieces == NULL) {
        status = attn_fail_memory(error, most * sizeof *pieces);
        goto out;
    }
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = check_tensor(&tensors[i], path, error);
    }
    for (size_t i = 0; i < metadata_count && status == ATTN_OK; i++) {
        if (!good_string(metadata[i].key) || !good_string(metadata[i].value)) {
            status = attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL,
                               "a metadata key or value is missing or not UTF-8");
        }
    }
    if (status == ATTN_OK) {
        status = check_unique(tensors, count, metadata, metadata_count, scratch, path, error);
    }
    if (status != ATTN_OK) {
        goto out;
    }
    order_by_width(tensors, count, order);
    status =
        attn_header_print(order, count, metadata, metadata_count, &start, &pieces[0].size, error);
    if (status != ATTN_OK) {
        goto out;
    }
    pieces[0].data = start;
    for (size_t i = 0; i < count; i++) {
        pieces[i + 1] = (attn_bytes){order[i]->data, order[i]->size};
    }
    status = attn_file_replace(path, pieces, count + 1, error);
out:
    attn_free(order);
    attn_free(scratch);
    attn_free(pieces);
    attn_free(start);
    return status;
}
