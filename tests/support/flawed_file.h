/* tests/support/flawed_file.h: model files with one thing wrong, and an allocator that keeps count, for
 * tests that such files are refused with a clear word and without much memory.
 *
 * A flawed file is a good one read with attn_safetensors and written again with one thing changed.
 * Include cmocka.h first. */
#ifndef ATTN_TESTS_FLAWED_FILE_H
#define ATTN_TESTS_FLAWED_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/memory.h"
#include "attn/safetensors.h"

enum { MAX_TENSORS = 512, MAX_METADATA = 64 };

/* A model file opened for changes. */
typedef struct parts {
    attn_safetensors *file;
    attn_tensor_info tensors[MAX_TENSORS];
    attn_metadata metadata[MAX_METADATA];
    size_t tensor_count, metadata_count;
} parts;

static inline attn_tensor_info *tensor_of(parts *p, const char *name) {
    for (size_t i = 0; i < p->tensor_count; i++) {
        if (strcmp(p->tensors[i].name, name) == 0) {
            return &p->tensors[i];
        }
    }
    fail_msg("no tensor %s", name);
    return NULL;
}

static inline attn_metadata *metadata_of(parts *p, const char *key) {
    for (size_t i = 0; i < p->metadata_count; i++) {
        if (strcmp(p->metadata[i].key, key) == 0) {
            return &p->metadata[i];
        }
    }
    fail_msg("no metadata %s", key);
    return NULL;
}

static inline void set_metadata(parts *p, const char *key, const char *value) {
    metadata_of(p, key)->value = value;
}

static inline void take_metadata(parts *p, const char *key) {
    attn_metadata *taken = metadata_of(p, key); /* it may be the last */
    *taken = p->metadata[--p->metadata_count];
}

static inline void take_tensor(parts *p, const char *name) {
    attn_tensor_info *taken = tensor_of(p, name);
    *taken = p->tensors[--p->tensor_count];
}

static inline void swap_shape(parts *p, const char *name) {
    attn_tensor_info *t = tensor_of(p, name);
    int64_t first = t->shape[0];
    t->shape[0] = t->shape[1];
    t->shape[1] = first;
}

static inline void add_tensor(parts *p, const char *name, attn_dtype dtype, int64_t size) {
    static const char zeros[4096];
    p->tensors[p->tensor_count++] =
        (attn_tensor_info){.name = name,
                           .dtype = dtype,
                           .rank = 1,
                           .shape = {size},
                           .data = zeros,
                           .size = (size_t)size * (dtype == ATTN_DTYPE_F32 ? 4 : 1)};
}

/* Opens a file for changes; p->file is closed by whoever writes it again. */
static inline void parts_open(parts *p, const char *path) {
    attn_error error = {0};
    memset(p, 0, sizeof *p);
    assert_int_equal(attn_safetensors_open(path, &p->file, &error), ATTN_OK);
    for (; p->tensor_count < attn_safetensors_count(p->file); p->tensor_count++) {
        p->tensors[p->tensor_count] = *attn_safetensors_at(p->file, p->tensor_count);
    }
    while (attn_safetensors_metadata_at(p->file, p->metadata_count,
                                        &p->metadata[p->metadata_count].key,
                                        &p->metadata[p->metadata_count].value)) {
        p->metadata_count++;
    }
}

static inline void parts_write(parts *p, const char *path) {
    attn_error error = {0};
    assert_int_equal(attn_safetensors_write(path, p->tensors, p->tensor_count, p->metadata,
                                            p->metadata_count, &error),
                     ATTN_OK);
    attn_safetensors_close(p->file);
}

/* What a change does to the file. */
typedef enum change { TAKE, SWAP, ADD_F32, ADD_BYTES, AS_BYTES, METADATA } change;

typedef struct flaw {
    const char *name;
    change change;
    const char *value; /* of METADATA */
    bool int8;         /* start from the file with int8 weights */
    attn_status status;
    const char *says;
} flaw;

/* Writes `to`: the file `from` with a flaw. */
static inline void change_file(const flaw *f, const char *from, const char *to) {
    parts *p = malloc(sizeof *p);
    assert_non_null(p);
    parts_open(p, from);
    switch (f->change) {
    case TAKE:
        take_tensor(p, f->name);
        break;
    case SWAP:
        swap_shape(p, f->name);
        break;
    case ADD_F32:
        add_tensor(p, f->name, ATTN_DTYPE_F32, 12);
        break;
    case ADD_BYTES:
        add_tensor(p, f->name, ATTN_DTYPE_U8, 12);
        break;
    case AS_BYTES:
        take_tensor(p, f->name);
        add_tensor(p, f->name, ATTN_DTYPE_U8, 24);
        break;
    case METADATA:
        set_metadata(p, f->name, f->value);
        break;
    }
    parts_write(p, to);
    free(p);
}

/* An allocator that keeps count. */
typedef struct counter {
    size_t live, peak;
} counter;

static inline void *count_allocate(size_t size, void *context) {
    counter *c = context;
    size_t *memory = malloc(size + 16);
    if (memory == NULL) {
        return NULL;
    }
    *memory = size;
    c->live += size;
    c->peak = c->live > c->peak ? c->live : c->peak;
    return (char *)memory + 16;
}

static inline void count_release(void *pointer, void *context) {
    counter *c = context;
    size_t *memory = (size_t *)(void *)((char *)pointer - 16);
    c->live -= *memory;
    free(memory);
}

#endif
