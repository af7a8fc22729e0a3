/* cli/manual.h: the manual page and the shell completion, written from the table of commands. */
#ifndef ATTN_CLI_MANUAL_H
#define ATTN_CLI_MANUAL_H

#include "command.h"

/* attn(1) in the language of man(7). */
void attn_manual_print(const attn_command *const *commands, size_t count, FILE *out);
/* A script that bash sources. */
void attn_completion_print_bash(const attn_command *const *commands, size_t count, FILE *out);

#endif
