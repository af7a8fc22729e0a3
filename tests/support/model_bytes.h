/* tests/support/model_bytes.h: foreign model files written byte by byte, and what every reader has to do with a
 * flawed one: refuse it with one clear line and leak nothing. Include cmocka.h first. */
#ifndef ATTN_TESTS_MODEL_BYTES_H
#define ATTN_TESTS_MODEL_BYTES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/memory.h"
#include "io/tensor_file.h"
#include "support/faulty_heap.h"

/* ---- bytes that grow ---- */

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static inline void put(bytes *b, const void *data, size_t size) {
    b->data = realloc(b->data, b->size + size + 1);
    assert_non_null(b->data);
    if (size > 0) {
        memcpy(b->data + b->size, data, size);
    }
    b->size += size;
}

static inline void put_number(bytes *b, int width, uint64_t value) {
    for (int i = 0; i < width; i++) {
        unsigned char byte = (unsigned char)(value >> 8 * i);
        put(b, &byte, 1);
    }
}

/* The text and its NUL. */
static inline void put_text(bytes *b, const char *text) {
    put(b, text, strlen(text) + 1);
}

/* ---- a zip file of some members ---- */

typedef struct member {
    const char *name;
    bytes content;
} member;

/* The file lies in memory of libzip, which the result owns. */
static inline bytes zip_of(const member *members, size_t count, zip_int32_t method) {
    zip_error_t cause;
    bytes out = {NULL, 0};
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &cause);
    zip_source_keep(target);
    zip_t *zip = zip_open_from_source(target, ZIP_TRUNCATE, &cause);
    assert_non_null(zip);
    for (size_t i = 0; i < count; i++) {
        zip_source_t *from =
            zip_source_buffer(zip, members[i].content.data, members[i].content.size, 0);
        zip_int64_t index = zip_file_add(zip, members[i].name, from, 0);
        assert_true(index >= 0);
        assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)index, method, 0), 0);
    }
    assert_int_equal(zip_close(zip), 0);
    zip_stat_t s;
    assert_int_equal(zip_source_stat(target, &s), 0);
    out.data = malloc(s.size + 1);
    out.size = s.size;
    assert_int_equal(zip_source_open(target), 0);
    assert_int_equal(zip_source_read(target, out.data, s.size), (zip_int64_t)s.size);
    zip_source_close(target);
    zip_source_free(target);
    return out;
}

/* ---- reading them ---- */

static inline attn_status read_model(const bytes *b, attn_tensor_file **file, attn_error *error) {
    /* Exactly as large as the file, so that a sanitizer sees a read past its end. */
    char *copy = attn_alloc(b->size);
    if (copy == NULL) {
        return ATTN_ERR_MEMORY;
    }
    memcpy(copy, b->data, b->size);
    return attn_tensor_file_take(copy, b->size, "model", file, error);
}

static inline attn_tensor_file *good_model(const bytes *b) {
    attn_tensor_file *file = NULL;
    attn_error error = {0};
    if (read_model(b, &file, &error) != ATTN_OK) {
        fail_msg("refused: %s", error.what);
    }
    return file;
}

/* Refused with a word of this, and nothing leaks. */
static inline void assert_refused(const bytes *b, attn_status status, const char *says) {
    attn_tensor_file *file = NULL;
    attn_error error = {0};
    heap = (faulty){0};
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    attn_status given = read_model(b, &file, &error);
    long live = heap.live;
    attn_tensor_file_close(file);
    attn_set_allocator(NULL, NULL, NULL);
    if (given != status || strstr(error.what, says) == NULL) {
        fail_msg("gave %d \"%s\" instead of %d \"%s\"", (int)given, error.what, (int)status, says);
    }
    assert_null(file);
    assert_int_equal(live, 0);
    assert_null(strchr(error.what, '\n'));
    assert_true(error.position <= (int64_t)b->size);
}

/* Cut short at every byte it is refused, or (nothing but unneeded bytes gone) read. */
static inline void assert_cuts_refused(const bytes *b) {
    for (size_t size = 0; size < b->size; size++) {
        attn_tensor_file *file = NULL;
        attn_error error = {0};
        bytes cut = {b->data, size};
        attn_status status = read_model(&cut, &file, &error);
        assert_true(status == ATTN_ERR_FORMAT || status == ATTN_ERR_UNSUPPORTED);
        assert_true(error.what[0] != '\0');
        assert_null(file);
    }
}

/* The n-th allocation fails, for every n: an error each time, and nothing leaks. */
static inline void assert_failures_survived(const bytes *b) {
    attn_status status = ATTN_ERR_MEMORY;
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    for (long n = 1; status != ATTN_OK; n++) {
        attn_tensor_file *file = NULL;
        heap = (faulty){.fail_at = n};
        status = read_model(b, &file, NULL);
        assert_true(status == ATTN_OK || status == ATTN_ERR_MEMORY);
        attn_tensor_file_close(file);
        assert_int_equal(heap.live, 0);
    }
    attn_set_allocator(NULL, NULL, NULL);
}

static inline void assert_floats(const attn_tensor_file *file, const char *name,
                                 const float *wanted, size_t count) {
    float found[64];
    const attn_tensor_info *tensor = attn_tensor_file_find(file, name);
    if (tensor == NULL) {
        fail_msg("no tensor %s", name);
        return;
    }
    assert_true(count <= 64);
    attn_tensor_floats(tensor, found);
    assert_memory_equal(found, wanted, count * sizeof *found);
}

#endif
