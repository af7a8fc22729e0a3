/* Any bytes as a numpy array, without the zip file around it, whose checksum would stop most changes. Built with
 * clang -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include "io/npz.h"
#include "io/tensor_file.h"
#include "support/fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_tensor_list list = {.where = "fuzz"};
    attn_error error = {.position = -2};
    /* A name of Marian's, so that bytes become a text. */
    const char *name = size % 2 == 0 ? "array" : "special:model.yml";
    attn_status status = attn_npy_read(name, data, size, &list, &error);
    require_outcome(status, &error, size);
    require(status != ATTN_OK || list.count + list.text_count == 1);
    for (size_t i = 0; status == ATTN_OK && i < list.count; i++) {
        require_tensor(&list.tensors[i]);
    }
    attn_tensor_list_free(&list);
    return 0;
}
