/* Any bytes as a tokenizer.json and as a vocab.txt: refused, or text goes through what they become.
 * Built with clang -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdlib.h>

#include "attn/tokenizer.h"
#include "text/tokenizer_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const attn_tokenizer *tokenizer, const char *text, size_t length) {
    int32_t *ids;
    size_t count;
    if (attn_tokenizer_encode(tokenizer, text, length, &ids, &count, NULL) != ATTN_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= attn_tokenizer_size(tokenizer)) {
            abort();
        }
    }
    char *back;
    if (attn_tokenizer_decode(tokenizer, ids, count, &back, NULL) == ATTN_OK) {
        free(back);
    }
    free(ids);
}

static void use(char *bytes, size_t size) {
    static const char mixed[] = "The caf\xc3\xa9, \xe5\xa5\xbd <0x41> \xff\xf0\x9f\x98";
    attn_tokenizer *tokenizer;
    if (attn_tokenizer_from_bytes(bytes, size, &tokenizer, NULL) == ATTN_OK) {
        encode(tokenizer, mixed, sizeof mixed - 1);
        attn_tokenizer_free(tokenizer);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *bytes;
    size_t bytes_size;
    attn_error error;
    const char *text = (const char *)data;
    if (attn_tokenizer_json(text, size, &bytes, &bytes_size, &error) == ATTN_OK) {
        use(bytes, bytes_size);
    }
    if (attn_tokenizer_vocab_txt(text, size, true, &bytes, &bytes_size, &error) == ATTN_OK) {
        use(bytes, bytes_size);
    }
    return 0;
}
