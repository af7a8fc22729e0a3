/* cli/output.c: messages on stderr, and a stdout whose failures are noticed. */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fail.h"

int attn_say_error(const attn_error *error) {
    if (error == NULL || error->status == ATTN_OK) {
        return ATTN_EXIT_OK;
    }
    char text[1100];
    fprintf(stderr, "attn: %s\n", attn_error_format(error, text, sizeof text));
    return ATTN_EXIT_FAILURE;
}

int attn_say_misuse(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("attn: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return ATTN_EXIT_MISUSE;
}

void attn_say_warning(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("attn: warning: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

attn_status attn_output_flush(attn_error *error) {
    errno = 0;
    bool lost = fflush(stdout) != 0;
    if (!lost && !ferror(stdout)) {
        return ATTN_OK;
    }
    if (errno == 0) { /* an earlier write failed; its cause is gone */
        errno = EIO;
    }
    return attn_fail_errno(error, "standard output", "cannot write");
}
