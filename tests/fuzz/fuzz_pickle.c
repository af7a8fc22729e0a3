/* Any bytes as what follows the preface of an older PyTorch checkpoint: the pickle of the objects, the pickle of the
 * storages' keys, and the storages. Built with clang -fsanitize=fuzzer, or with replay.c to run over the kept
 * corpus. */
#include "io/tensor_file.h"
#include "io/torch_file.h"
#include "support/fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char preface[] = "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."
                                       "\x80\x02M\xE9\x03."
                                       "\x80\x02}X\x0D\0\0\0little_endian\x88s.";
enum { PREFACE_SIZE = sizeof preface - 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_tensor_list list = {.where = "fuzz"};
    attn_error error = {.position = -2};
    unsigned char *bytes = malloc(PREFACE_SIZE + size);
    require(bytes != NULL);
    memcpy(bytes, preface, PREFACE_SIZE);
    if (size > 0) {
        memcpy(bytes + PREFACE_SIZE, data, size);
    }
    attn_status status = attn_torch_read_old(bytes, PREFACE_SIZE + size, &list, &error);
    require_outcome(status, &error, PREFACE_SIZE + size);
    for (size_t i = 0; status == ATTN_OK && i < list.count; i++) {
        require_tensor(&list.tensors[i]);
    }
    attn_tensor_list_free(&list);
    free(bytes);
    return 0;
}
