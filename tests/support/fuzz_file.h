/* tests/support/fuzz_file.h: for fuzz targets of readers that take a path. */
#ifndef ATTN_TESTS_FUZZ_FILE_H
#define ATTN_TESTS_FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/status.h"
#include "base/utf8.h"

static inline void fuzz_require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* Refused with words that can be printed, or good. */
static inline void fuzz_require_outcome(attn_status status, const attn_error *error) {
    fuzz_require(status == ATTN_OK || status == ATTN_ERR_FORMAT || status == ATTN_ERR_UNSUPPORTED ||
                 status == ATTN_ERR_IO || status == ATTN_ERR_ARGUMENT || status == ATTN_ERR_SHAPE);
    fuzz_require(status == ATTN_OK ||
                 (error->what[0] != '\0' && strchr(error->what, '\n') == NULL &&
                  attn_utf8_whole(error->what, strlen(error->what))));
}

static char fuzz_path[64];

static inline void fuzz_remove(void) {
    unlink(fuzz_path);
}

/* The path of a file that holds these bytes until the next call, one a process. */
static inline const char *fuzz_file(const void *bytes, size_t size) {
    if (fuzz_path[0] == '\0') {
        snprintf(fuzz_path, sizeof fuzz_path, "%s/attn-fuzz-%ld",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
        atexit(fuzz_remove);
    }
    const char *path = fuzz_path;
    FILE *file = fopen(path, "wb");
    fuzz_require(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    return path;
}

#endif
