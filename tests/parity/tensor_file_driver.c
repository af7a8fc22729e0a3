/* For tensor_file_compare.py:
 *   tensor_file_driver FILE    prints what attn reads in a model file, one line an item: names, bytes and texts as
 *                              hex; and the hex of the tensor's floats where it has another type
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/dtype.h"
#include "io/tensor_file.h"

static void print_hex(const void *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        printf("%02x", ((const unsigned char *)data)[i]);
    }
}

static void print_floats(const attn_tensor_info *tensor) {
    size_t count = tensor->size / attn_dtype_size(tensor->dtype);
    float *floats = malloc((count + 1) * sizeof *floats);
    if (floats != NULL) {
        attn_tensor_floats(tensor, floats);
        print_hex(floats, count * sizeof *floats);
    }
    free(floats);
}

static void print_tensor(const attn_tensor_info *tensor) {
    printf("tensor ");
    print_hex(tensor->name, strlen(tensor->name));
    printf(" %s ", attn_dtype_name(tensor->dtype));
    for (int d = 0; d < tensor->rank; d++) {
        printf("%s%" PRId64, d > 0 ? "x" : "", tensor->shape[d]);
    }
    printf(" ");
    print_hex(tensor->data, tensor->size);
    printf(" ");
    print_floats(tensor);
    printf("\n");
}

int main(int argc, char **argv) {
    attn_tensor_file *file = NULL;
    attn_error error = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: tensor_file_driver FILE\n");
        return 2;
    }
    if (attn_tensor_file_open(argv[1], &file, &error) != ATTN_OK) {
        char message[1200];
        fprintf(stderr, "%s\n", attn_error_format(&error, message, sizeof message));
        return 1;
    }
    printf("kind %s\n", attn_tensor_file_kind_name(attn_tensor_file_kind_of(file)));
    for (size_t i = 0; i < attn_tensor_file_count(file); i++) {
        print_tensor(attn_tensor_file_at(file, i));
    }
    const char *key, *value;
    for (size_t i = 0; attn_tensor_file_text_at(file, i, &key, &value); i++) {
        printf("text ");
        print_hex(key, strlen(key));
        printf(" ");
        print_hex(value, strlen(value));
        printf("\n");
    }
    attn_tensor_file_close(file);
    return 0;
}
