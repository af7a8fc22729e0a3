/* For safetensors_compare.py:
 *   safetensors_driver write FILE    writes a fixed set of tensors and metadata
 *   safetensors_driver show FILE     prints what attn reads in FILE, one line an item, bytes as hex
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attn/safetensors.h"
#include "io/dtype.h"

static int report(const attn_error *error) {
    char message[1200];
    fprintf(stderr, "%s\n", attn_error_format(error, message, sizeof message));
    return 1;
}

static int write_file(const char *path) {
    static const float weights[6] = {1, -2, 3.5f, 1e-30f, 0, 7};
    static const double third = 1.0 / 3;
    static const int64_t counts[2] = {INT64_MIN, INT64_MAX};
    static const int32_t ids[3] = {-1, 0, 1};
    static const uint16_t halves[2] = {0x3C00, 0xC000};
    static const attn_tensor_info tensors[] = {
        {"levels", ATTN_DTYPE_I8, 1, {3}, "\x81\x00\x7F", 3},
        {"encoder.0.\"weight\"\n\\", ATTN_DTYPE_F32, 2, {2, 3}, weights, sizeof weights},
        {"tokenizer \xC3\xA9\xF0\x9F\x98\x80", ATTN_DTYPE_U8, 3, {1, 5, 1}, "bytes", 5},
        {"counts", ATTN_DTYPE_I64, 1, {2}, counts, sizeof counts},
        {"ids", ATTN_DTYPE_I32, 1, {3}, ids, sizeof ids},
        {"empty", ATTN_DTYPE_F32, 2, {0, 5}, NULL, 0},
        {"scalar", ATTN_DTYPE_F64, 0, {0}, &third, sizeof third},
        {"brain", ATTN_DTYPE_BF16, 1, {2}, halves, sizeof halves},
        {"half", ATTN_DTYPE_F16, 2, {2, 1}, halves, sizeof halves},
    };
    static const attn_metadata metadata[] = {{"format", "pt"}, {"a \"key\"", "line\n\xE2\x82\xAC"}};
    attn_error error = {0};
    if (attn_safetensors_write(path, tensors, sizeof tensors / sizeof *tensors, metadata, 2,
                               &error) != ATTN_OK) {
        return report(&error);
    }
    return 0;
}

static void print_hex(const void *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        printf("%02x", ((const unsigned char *)data)[i]);
    }
}

static int show_file(const char *path) {
    attn_safetensors *file = NULL;
    attn_error error = {0};
    if (attn_safetensors_open(path, &file, &error) != ATTN_OK) {
        return report(&error);
    }
    for (size_t i = 0; i < attn_safetensors_count(file); i++) {
        const attn_tensor_info *tensor = attn_safetensors_at(file, i);
        printf("tensor ");
        print_hex(tensor->name, strlen(tensor->name));
        printf(" %s ", attn_dtype_name(tensor->dtype));
        for (int d = 0; d < tensor->rank; d++) {
            printf("%s%" PRId64, d > 0 ? "x" : "", tensor->shape[d]);
        }
        printf(" ");
        print_hex(tensor->data, tensor->size);
        printf("\n");
    }
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; attn_safetensors_metadata_at(file, i, &key, &value); i++) {
        printf("metadata ");
        print_hex(key, strlen(key));
        printf(" ");
        print_hex(value, strlen(value));
        printf("\n");
    }
    attn_safetensors_close(file);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "write") == 0) {
        return write_file(argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "show") == 0) {
        return show_file(argv[2]);
    }
    fprintf(stderr, "usage: safetensors_driver write|show FILE\n");
    return 2;
}
