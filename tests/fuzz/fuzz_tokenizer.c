/* Any bytes as a tokenizer: refused, or text goes through it and every id lies in the vocabulary.
 * Built with clang -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdlib.h>

#include "attn/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const attn_tokenizer *tokenizer, const char *text, size_t length) {
    int32_t *ids;
    size_t count;
    char *back;
    if (attn_tokenizer_encode(tokenizer, text, length, &ids, &count, NULL) != ATTN_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= attn_tokenizer_size(tokenizer)) {
            abort();
        }
    }
    if (attn_tokenizer_decode(tokenizer, ids, count, &back, NULL) == ATTN_OK) {
        free(back);
    }
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char plain[] = "The cat sees the house, number 12.";
    static const char mixed[] =
        "caf\xc3\xa9 \xef\xbc\xa1\xc2\xbd <s> \xe2\x96\x81 \xff\xf0\x9f\x98";
    attn_tokenizer *tokenizer;
    attn_error error;
    if (attn_tokenizer_from_bytes(data, size, &tokenizer, &error) != ATTN_OK) {
        return 0;
    }
    round_trip(tokenizer, plain, sizeof plain - 1);
    round_trip(tokenizer, mixed, sizeof mixed - 1);
    round_trip(tokenizer, "", 0);
    attn_tokenizer_free(tokenizer);
    return 0;
}
