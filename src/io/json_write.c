/* io/json_write.c: jansson's memory, and the end of each JSON value. */
#include "io/json_write.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/fail.h"

static _Thread_local bool ran_out;

static void *allocate(size_t size) {
    void *memory = malloc(size);
    ran_out = ran_out || memory == NULL;
    return memory;
}

void attn_json_begin(void) {
    json_set_alloc_funcs(allocate, free);
}

void attn_json_lost(void) {
    ran_out = true;
}

char *attn_json_dump(json_t *value, size_t flags) {
    char *text = value != NULL ? json_dumps(value, flags) : NULL;
    json_decref(value);
    if (ran_out) {
        free(text);
        text = NULL;
    }
    ran_out = false;
    return text;
}

attn_status attn_json_print(json_t *value, size_t flags, FILE *out, attn_error *error) {
    char *text = attn_json_dump(value, flags);
    if (text == NULL) {
        return attn_fail(error, ATTN_ERR_MEMORY, NULL, -1, NULL,
                         "out of memory, or a text is not UTF-8");
    }
    bool written = fputs(text, out) >= 0 && fputc('\n', out) != EOF;
    free(text);
    return written
               ? ATTN_OK
               : attn_fail_errno(error, out == stdout ? "standard output" : "JSON", "cannot write");
}
