/* base/fail.c: status names and error text. */
#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

const char *attn_status_name(attn_status status) {
    switch (status) {
    case ATTN_OK:
        return "ok";
    case ATTN_ERR_ARGUMENT:
        return "invalid argument";
    case ATTN_ERR_MEMORY:
        return "out of memory";
    case ATTN_ERR_IO:
        return "input/output error";
    case ATTN_ERR_FORMAT:
        return "malformed data";
    case ATTN_ERR_SHAPE:
        return "wrong shape";
    case ATTN_ERR_UNSUPPORTED:
        return "not supported";
    case ATTN_ERR_NUMERIC:
        return "numerical failure";
    case ATTN_ERR_INTERRUPTED:
        return "interrupted";
    }
    return "unknown status";
}

char *attn_error_format(const attn_error *error, char *buffer, int size) {
    char position[32] = "";
    if (error->position >= 0) {
        snprintf(position, sizeof position, ":%lld", (long long)error->position);
    }
    snprintf(buffer, (size_t)size, "%s%s%s%s%s%s", error->where, position,
             error->where[0] != '\0' ? ": " : "", error->what, error->hint[0] != '\0' ? ": " : "",
             error->hint);
    return buffer;
}

attn_status attn_fail(attn_error *error, attn_status status, const char *where, int64_t position,
                      const char *hint, const char *what, ...) {
    if (error == NULL) {
        return status;
    }
    char text[2 * sizeof error->what];
    error->status = status;
    error->position = position;
    /* Names and values from a stranger's file may be among them. */
    attn_utf8_quote(error->where, sizeof error->where, where != NULL ? where : "");
    attn_utf8_quote(error->hint, sizeof error->hint, hint != NULL ? hint : "");
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    attn_utf8_quote(error->what, sizeof error->what, text);
    return status;
}

attn_status attn_fail_memory(attn_error *error, size_t bytes) {
    static const char hint[] = "use a smaller batch or model";
    return bytes > 0 ? attn_fail(error, ATTN_ERR_MEMORY, NULL, -1, hint,
                                 "out of memory (%zu bytes wanted)", bytes)
                     : attn_fail(error, ATTN_ERR_MEMORY, NULL, -1, hint, "out of memory");
}

attn_status attn_fail_errno(attn_error *error, const char *where, const char *doing) {
    int cause = errno;
    return attn_fail(error, ATTN_ERR_IO, where, -1, NULL, "%s: %s", doing, strerror(cause));
}
