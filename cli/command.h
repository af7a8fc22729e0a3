/* cli/command.h: what a command of the tool is, and how its options are read.
 *
 * A command is one value of type attn_command: its name, its help and a table of its options, which
 * fill a struct of the command's own. Parsing, --help, the manual page and the shell completion all
 * come from it. To add a command: write cli/cmd_NAME.c that defines `const attn_command
 * attn_cmd_NAME`, and add one line to the table in main.c. Next: cli/output.h, cli/cmd_info.c. */
#ifndef ATTN_CLI_COMMAND_H
#define ATTN_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "output.h"

typedef enum attn_option_type {
    ATTN_OPTION_FLAG,   /* bool: true when given */
    ATTN_OPTION_INT,    /* int64_t */
    ATTN_OPTION_REAL,   /* double */
    ATTN_OPTION_TEXT,   /* const char * */
    ATTN_OPTION_FILE,   /* const char *, completed as a file name */
    ATTN_OPTION_CHOICE, /* int: index into `choices` */
    ATTN_OPTION_LIST,   /* attn_option_list: may be given several times */
    ATTN_OPTION_FILES,  /* the same, completed as file names */
} attn_option_type;

enum { ATTN_OPTION_LIST_MAX = 64 };

typedef struct attn_option_list {
    const char *item[ATTN_OPTION_LIST_MAX];
    size_t count;
} attn_option_list;

typedef struct attn_option {
    const char *name; /* without the dashes */
    char letter;      /* of the short form, or 0 */
    attn_option_type type;
    size_t offset;              /* of the field in the command's struct of options */
    double low, high;           /* bounds, inclusive, of INT and REAL; both 0: none */
    const char *const *choices; /* NULL-terminated, for CHOICE */
    const char *value;          /* what the value is called in help: "FILE", "N"; NULL for FLAG */
    const char *help;           /* one line, with the default where there is one */
} attn_option;

/* Options that several commands have, for a struct of their own within each command's. */
typedef struct attn_option_group {
    const attn_option *options; /* ends with a row without a name */
    size_t place;               /* of that struct in the command's */
} attn_option_group;

typedef struct attn_command {
    const char *name;        /* one word, or two: "train translator" */
    const char *summary;     /* one line without a full stop */
    const char *usage;       /* what follows the name; several usages are separated by '\n' */
    const char *description; /* paragraphs separated by '\n', or NULL */
    const attn_option *options;
    size_t option_count;
    const attn_option_group *groups; /* more options, after those; ends with {NULL}. Or NULL */
    const void *defaults;            /* what the struct of options holds before parsing */
    size_t options_size;             /* of that struct */
    int min_operands, max_operands;
    bool gives_back; /* memory goes back to the system at once: it runs for long */
    /* Options may come from the environment: ATTN_API_KEYS is --api-keys, and commas part the values of one that may be
     * repeated. The command line goes before. */
    bool environment;
    /* Returns the exit status: ATTN_EXIT_OK, _FAILURE or _MISUSE. main checks that stdout was
     * written. operand[operand_count] is NULL. */
    int (*run)(const void *options, int operand_count, char **operand);
} attn_command;

#define ATTN_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Option `i`, with its offset in the command's struct; false after the last. */
bool attn_command_option(const attn_command *command, size_t i, attn_option *out);
/* Parses the arguments after the command's name and runs it; --help prints the command's help. */
int attn_command_run(const attn_command *command, int argc, char **argv);
void attn_command_help(const attn_command *command, FILE *out);
/* The number of words in the command's name when argv begins with them, else 0. */
int attn_command_match(const attn_command *command, int argc, char **argv);

#endif
