/* io/ctranslate2_write.c: a model.bin of version 6.
 *
 *     u32 version, text spec, u32 revision, u32 count, then of each variable: text name, u8 rank, u32 each dimension, u8 type, u32
 *     bytes, the bytes; u32 count, then of each alias: text alias, text name.    A text: u16 length with its NUL, the bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "io/ctranslate2.h"
#include "io/file.h"

enum { VERSION = 6, REVISION = 7, HEAD = 2048, WHOLE_LIMIT = 0xFFFFFFFF / 2 };

/* Numbers and texts of the file, which stand between the tensors' bytes. */
typedef struct heads {
    char *bytes;
    size_t used, room;
} heads;

static void put(heads *h, uint64_t value, int size) {
    for (int i = 0; i < size; i++) {
        h->bytes[h->used++] = (char)(value >> 8 * i & 0xFF);
    }
}

static void put_text(heads *h, const char *text) {
    size_t length = strlen(text) + 1;
    put(h, length, 2);
    memcpy(h->bytes + h->used, text, length);
    h->used += length;
}

static int type_of(attn_dtype dtype) {
    return dtype == ATTN_DTYPE_F32   ? 0
           : dtype == ATTN_DTYPE_I8  ? 1
           : dtype == ATTN_DTYPE_I16 ? 2
                                     : 3;
}

static void put_variable(heads *h, const attn_tensor_info *t) {
    put_text(h, t->name);
    put(h, (uint64_t)t->rank, 1);
    for (int i = 0; i < t->rank; i++) {
        put(h, (uint64_t)t->shape[i], 4);
    }
    put(h, (uint64_t)type_of(t->dtype), 1);
    put(h, t->size, 4);
}

attn_status attn_ctranslate2_write(const char *path, const attn_tensor_info *tensors, size_t count,
                                   const attn_metadata *aliases, size_t alias_count,
                                   attn_error *error) {
    heads h = {.room = (count + alias_count + 1) * HEAD};
    h.bytes = malloc(h.room);
    attn_bytes *pieces = calloc(2 * count + 1, sizeof *pieces);
    if (h.bytes == NULL || pieces == NULL) {
        free(h.bytes);
        free(pieces);
        return attn_fail_memory(error, h.room);
    }
    attn_status status = ATTN_OK;
    size_t begin = 0;
    put(&h, VERSION, 4);
    put_text(&h, "TransformerSpec");
    put(&h, REVISION, 4);
    put(&h, count, 4);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        if (tensors[i].size > WHOLE_LIMIT) {
            status = attn_fail(error, ATTN_ERR_UNSUPPORTED, path, -1, NULL,
                               "tensor %s is too large for the format", tensors[i].name);
        }
        put_variable(&h, &tensors[i]);
        pieces[2 * i] = (attn_bytes){h.bytes + begin, h.used - begin};
        pieces[2 * i + 1] = (attn_bytes){tensors[i].data, tensors[i].size};
        begin = h.used;
    }
    put(&h, alias_count, 4);
    for (size_t i = 0; i < alias_count; i++) {
        put_text(&h, aliases[i].key);
        put_text(&h, aliases[i].value);
    }
    pieces[2 * count] = (attn_bytes){h.bytes + begin, h.used - begin};
    if (status == ATTN_OK) {
        status = attn_file_replace(path, pieces, 2 * count + 1, error);
    }
    free(h.bytes);
    free(pieces);
    return status;
}
