/* cli/output.h: what the tool says, and how it ends.
 *
 * Errors are one line, `attn: FILE:LINE: what is wrong: what to do`, on stderr. */
#ifndef ATTN_CLI_OUTPUT_H
#define ATTN_CLI_OUTPUT_H

#include <stdbool.h>

#include "attn/status.h"

enum { ATTN_EXIT_OK = 0, ATTN_EXIT_FAILURE = 1, ATTN_EXIT_MISUSE = 2 };

/* Prints the error; returns ATTN_EXIT_FAILURE, or ATTN_EXIT_OK for a NULL error. */
int attn_say_error(const attn_error *error);
/* The command was called wrongly: "attn: MESSAGE"; returns ATTN_EXIT_MISUSE. */
__attribute__((format(printf, 1, 2))) int attn_say_misuse(const char *format, ...);
/* Something the user should know, after which work goes on: "attn: warning: MESSAGE". */
__attribute__((format(printf, 1, 2))) void attn_say_warning(const char *format, ...);
/* Sends on what stdout still holds. ATTN_ERR_IO when anything written to it since the start was
 * lost (a full disk, a closed pipe). */
ATTN_MUST_CHECK attn_status attn_output_flush(attn_error *error);

#endif
