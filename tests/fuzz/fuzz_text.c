/* Any bytes as a file of text: unpacked, as a translation memory and as a table of columns. Built with clang
 * -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/lines.h"
#include "io/parallel.h"
#include "io/tmx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* As many pairs as it says, within its bytes. */
static void check_memory(const uint8_t *data, size_t size) {
    char *pairs;
    size_t count;
    attn_status status =
        attn_tmx_read((const char *)data, size, "fuzz", "en", "fr", &pairs, &count, NULL);
    require((status == ATTN_OK) == (pairs != NULL));
    size_t length = 0;
    for (size_t i = 0; status == ATTN_OK && i < 2 * count; i++) {
        length += strlen(pairs + length) + 1;
    }
    attn_free(pairs);
}

static void check_table(const uint8_t *data, size_t size) {
    char path[64] = "/tmp/attn-fuzz-XXXXXX", named[80];
    int file = mkstemp(path);
    require(file >= 0 && write(file, data, size) == (ssize_t)size);
    close(file);
    snprintf(named, sizeof named, "%s:2,1", path);
    attn_parallel_source source = {.pairs = named};
    attn_parallel pairs;
    if (attn_parallel_read(&source, 1, &pairs, NULL) == ATTN_OK) {
        require(pairs.source.count > 0 && pairs.source.count == pairs.target.count);
        for (size_t i = 0; i < pairs.source.count; i++) {
            require(strlen(pairs.source.line[i]) == pairs.source.length[i]);
            require(strlen(pairs.target.line[i]) == pairs.target.length[i]);
        }
        attn_parallel_free(&pairs);
    }
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_memory(data, size);
    check_table(data, size);
    return 0;
}
