/* cli/main.c: the table of commands, and finding the one that was asked for.
 *
 * A new command is a file cli/cmd_NAME.c and one line in the table. Next: cli/command.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "attn/threads.h"
#include "attn/version.h"
#include "base/utf8.h"
#include "command.h"
#include "io/json_write.h"
#include "manual.h"
#include "io/recipe.h"

/* The table: one line a command, in the order of `attn help`; above it,
 * `extern const attn_command attn_cmd_NAME;`. */
extern const attn_command attn_cmd_translate;
extern const attn_command attn_cmd_train_translator;
extern const attn_command attn_cmd_segment;
extern const attn_command attn_cmd_train_segmenter;
extern const attn_command attn_cmd_attend;
extern const attn_command attn_cmd_classify;
extern const attn_command attn_cmd_scenes;
extern const attn_command attn_cmd_evaluate;
extern const attn_command attn_cmd_score;
extern const attn_command attn_cmd_explain;
extern const attn_command attn_cmd_probe;
extern const attn_command attn_cmd_show;
extern const attn_command attn_cmd_align;
extern const attn_command attn_cmd_detect;
extern const attn_command attn_cmd_shortlist;
extern const attn_command attn_cmd_embed;
extern const attn_command attn_cmd_nearest;
extern const attn_command attn_cmd_generate;
extern const attn_command attn_cmd_import;
extern const attn_command attn_cmd_export;
extern const attn_command attn_cmd_info;
extern const attn_command attn_cmd_verify;
extern const attn_command attn_cmd_serve;
extern const attn_command attn_cmd_bench;

/* clang-format off */
static const attn_command *const commands[] = {
    &attn_cmd_translate,
    &attn_cmd_train_translator,
    &attn_cmd_segment,
    &attn_cmd_train_segmenter,
    &attn_cmd_attend,
    &attn_cmd_classify,
    &attn_cmd_scenes,
    &attn_cmd_evaluate,
    &attn_cmd_score,
    &attn_cmd_explain,
    &attn_cmd_probe,
    &attn_cmd_show,
    &attn_cmd_align,
    &attn_cmd_detect,
    &attn_cmd_shortlist,
    &attn_cmd_embed,
    &attn_cmd_nearest,
    &attn_cmd_generate,
    &attn_cmd_import,
    &attn_cmd_export,
    &attn_cmd_info,
    &attn_cmd_verify,
    &attn_cmd_serve,
    &attn_cmd_bench,
};
/* clang-format on */
enum { COMMAND_COUNT = ATTN_LENGTH(commands) };

static void print_help(FILE *out) {
    fputs("attn: self-attention in C\n\nusage: attn COMMAND [OPTION]... [ARGUMENT]...\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-18s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\n`attn help COMMAND` or `attn COMMAND --help` describes a command. Further options: "
          "--version,\n--man (the manual page), --completion bash.\n",
          out);
}

/* Whether it is one of several commands that begin with `word`: "train translator". */
static bool is_of_family(const attn_command *command, const char *word) {
    size_t length = strlen(word);
    return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

/* The help of all commands that begin with `word`; false when there are none. */
static bool print_family(const char *word, FILE *out) {
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (is_of_family(commands[i], word)) {
            fprintf(out, "%s attn %s %s\n", count++ == 0 ? "usage:" : "      ", commands[i]->name,
                    commands[i]->usage);
        }
    }
    for (size_t i = 0; i < COMMAND_COUNT && count > 0; i++) {
        if (is_of_family(commands[i], word)) {
            fprintf(out, "\n%s.\n`attn %s --help` tells more.\n", commands[i]->summary,
                    commands[i]->name);
        }
    }
    return count > 0;
}

/* "attn train": which of them? */
static int half_a_command(const char *word) {
    char list[200] = "";
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t used = strlen(list);
        if (is_of_family(commands[i], word)) {
            snprintf(list + used, sizeof list - used, "%s`attn %s`", used > 0 ? " or " : "",
                     commands[i]->name);
        }
    }
    return attn_say_misuse("%s needs a second word: %s", word, list);
}

static int unknown_command(char **argv) {
    const char *names[2 * COMMAND_COUNT + 1];
    char quoted[64], first[COMMAND_COUNT][32];
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (is_of_family(commands[i], argv[0])) {
            return half_a_command(argv[0]);
        }
        size_t length = strcspn(commands[i]->name, " ");
        snprintf(first[i], sizeof first[i], "%.*s", (int)length, commands[i]->name);
        names[count++] = first[i];
    }
    names[count++] = "help";
    attn_utf8_quote(quoted, sizeof quoted, argv[0]);
    const char *near = attn_nearest(argv[0], names, count);
    if (near != NULL) {
        return attn_say_misuse("unknown command '%s': did you mean `attn %s`?", quoted, near);
    }
    return attn_say_misuse("unknown command '%s': `attn help` lists the commands", quoted);
}

static const attn_command *find_command(int argc, char **argv, int *words) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        *words = attn_command_match(commands[i], argc, argv);
        if (*words > 0) {
            return commands[i];
        }
    }
    return NULL;
}

/* What one batch gives back the next one takes: from the C library, not from the system, which would
 * clear each page again. A server runs on when there is little to do, and gives back. */
static void set_allocator(bool gives_back) {
#ifdef __GLIBC__
    if (gives_back) {
        (void)mallopt(M_MMAP_THRESHOLD, 256 << 10); /* also ends its growth */
        (void)mallopt(M_ARENA_MAX, 2);
    } else {
        (void)mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the largest it takes */
        (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    }
#else
    (void)gives_back;
#endif
}

static bool asks_for_help(const char *argument) {
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* argv without the program's name. */
static int run_tool(int argc, char **argv) {
    if (argc == 0) {
        print_help(stderr);
        return ATTN_EXIT_MISUSE;
    }
    bool help = strcmp(argv[0], "help") == 0;
    if (asks_for_help(argv[0]) || (help && argc == 1)) {
        print_help(stdout);
    } else if (strcmp(argv[0], "--version") == 0) {
        printf("attn %s\n", attn_version());
    } else if (strcmp(argv[0], "--man") == 0) {
        attn_manual_print(commands, COMMAND_COUNT, stdout);
    } else if (strcmp(argv[0], "--completion") == 0) {
        if (argc != 2 || strcmp(argv[1], "bash") != 0) {
            return attn_say_misuse("--completion needs the name of a shell: bash");
        }
        attn_completion_print_bash(commands, COMMAND_COUNT, stdout);
    } else {
        int words = 0;
        argc -= help;
        argv += help;
        const attn_command *command = find_command(argc, argv, &words);
        if (command == NULL) {
            help = help || (argc > 1 && asks_for_help(argv[1]));
            return help && print_family(argv[0], stdout) ? ATTN_EXIT_OK : unknown_command(argv);
        }
        attn_error error;
        if (!help && attn_isa_check(&error) != ATTN_OK) {
            attn_say_error(&error);
            return ATTN_EXIT_MISUSE;
        }
        if (!help) {
            set_allocator(command->gives_back);
            return attn_command_run(command, argc - words, argv + words);
        }
        attn_command_help(command, stdout);
    }
    return ATTN_EXIT_OK;
}

int main(int argc, char **argv) {
    /* A limit on the size of files is a full disk, of which the command can say which file it was. */
    (void)signal(SIGXFSZ, SIG_IGN);
    attn_json_begin();
    int result = run_tool(argc - (argc > 0), argv + (argc > 0));
    attn_error error;
    /* A command that failed has said why. */
    if (attn_output_flush(&error) != ATTN_OK && result == ATTN_EXIT_OK) {
        return attn_say_error(&error);
    }
    return result;
}
