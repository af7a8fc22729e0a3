/* pipeline/labels.c: see labels.h. */
#include "pipeline/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"

static bool can_be_shown(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 127) {
            return false;
        }
    }
    return length > 0 && attn_utf8_whole(name, length);
}

/* Every line end becomes a NUL; returns how many names there are, those past `most` only counted. */
static int64_t split(char *text, size_t size, const char **name, int64_t most) {
    int64_t count = 0;
    for (char *at = text, *end = text + size; at < end; count++) {
        char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end != NULL ? line_end : end;
        *line_end = '\0';
        if (count < most) {
            name[count] = at;
        }
        at = line_end + 1;
    }
    return count;
}

attn_status attn_labels_parse(const char *text, size_t size, const char *path, int64_t count,
                              attn_labels *out, attn_error *error) {
    *out = (attn_labels){.count = count};
    out->text = malloc(size + 1);
    out->name = calloc((size_t)count, sizeof *out->name);
    if (out->text == NULL || out->name == NULL) {
        return attn_fail_memory(error, size + (size_t)count * sizeof *out->name);
    }
    if (size > 0) {
        memcpy(out->text, text, size);
    }
    out->text[size] = '\0';
    int64_t found = split(out->text, size, out->name, count);
    if (found != count) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, "import the model again",
                         "it names %lld classes, but the model has %lld", (long long)found,
                         (long long)count);
    }
    for (int64_t i = 0; i < count; i++) {
        if (!can_be_shown(out->name[i])) {
            return attn_fail(error, ATTN_ERR_FORMAT, path, -1, "import the model again",
                             "the name of class %lld is empty, not UTF-8 or has control characters",
                             (long long)i);
        }
    }
    return ATTN_OK;
}

void attn_labels_free(attn_labels *labels) {
    free(labels->text);
    free((void *)labels->name);
    *labels = (attn_labels){.count = 0};
}
