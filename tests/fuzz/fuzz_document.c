/* Any bytes as a document: the first line is its name, the rest the file. It is refused, or it comes out as it was when
 * each text is its own translation, and can be read again after it was translated. Built with clang -fsanitize=fuzzer, or
 * with replay.c to run over the kept corpus. */
#include <stdint.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/document.h"
#include "support/fuzz_tensors.h"
#include "support/shouting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static attn_status open_copy(const void *bytes, size_t size, const char *name, attn_doc **out,
                             attn_error *error) {
    char *copy = attn_alloc(size + 1);
    require(copy != NULL);
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    return attn_doc_open(copy, size, name, 1 << 20, true, out, error);
}

/* A packed file whose other members are damaged is found to be so at the end. */
static bool write_again(const attn_doc *d, const char *const *translations, attn_buffer *out) {
    attn_error error = {0};
    attn_status status = attn_doc_write(d, translations, "fr", out, &error);
    require(status == ATTN_OK || (status == ATTN_ERR_FORMAT && strstr(error.what, "zip") != NULL));
    attn_buffer_add(out, "", 0);
    return status == ATTN_OK;
}

static void check(const attn_doc *d, const void *bytes, size_t size, const char *name) {
    attn_buffer same = {0}, loud = {0};
    attn_error error = {0};
    attn_doc *again = NULL;
    size_t count;
    const char *const *texts = attn_doc_texts(d, &count);
    for (size_t i = 0; i < count; i++) {
        require(attn_utf8_whole(texts[i], strlen(texts[i])));
    }
    require(!write_again(d, texts, &same) || attn_doc_fills(d) ||
            (same.length == size && memcmp(same.data, bytes, size) == 0));
    char **shouted = shout(texts, count);
    if (write_again(d, (const char *const *)shouted, &loud)) {
        require(open_copy(loud.data, loud.length, name, &again, &error) == ATTN_OK);
    }
    attn_doc_free(again);
    shout_free(shouted, count);
    attn_buffer_free(&same);
    attn_buffer_free(&loud);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char name[64] = "";
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    attn_doc *d = NULL;
    attn_error error = {.position = -2};
    if (line == NULL || (size_t)(line - data) >= sizeof name) {
        return 0;
    }
    memcpy(name, data, (size_t)(line - data));
    size -= (size_t)(line - data) + 1;
    data = line + 1;
    attn_status status = open_copy(data, size, name, &d, &error);
    require((status == ATTN_OK) == (d != NULL));
    require(status == ATTN_OK || error.what[0] != '\0');
    if (d != NULL) {
        check(d, data, size, name);
    }
    attn_doc_free(d);
    return 0;
}
