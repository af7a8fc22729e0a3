/* cli/cmd_detect.c: `attn detect`: which language each line is written in. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "lines.h"
#include "text/language.h"

typedef struct options {
    int64_t best;
    bool list;
} options;

static const options defaults = {.best = 1};

/* clang-format off */
static const attn_option table[] = {
    {"best", 'n', ATTN_OPTION_INT, offsetof(options, best), 1, 100, .value = "N",
     .help = "print the N likeliest languages of each line (default 1)"},
    {"list", 0, ATTN_OPTION_FLAG, offsetof(options, list),
     .help = "print the languages that are known, and nothing else"},
};
/* clang-format on */

static void print_line(const options *o, const char *line) {
    attn_language_guess guesses[100];
    size_t count = attn_language_rank(line, strlen(line), guesses, (size_t)o->best);
    for (size_t i = 0; i < count; i++) {
        printf("%s%s\t%.2f", i > 0 ? "\t" : "", guesses[i].code, guesses[i].confidence);
    }
    puts(count == 0 ? "-\t0.00" : "");
}

static attn_status detect_all(const options *o, attn_line_reader *reader, attn_error *error) {
    char *line = NULL;
    attn_status status = attn_line_reader_next(reader, true, &line, error);
    while (status == ATTN_OK && line != NULL) {
        print_line(o, line);
        free(line);
        status = attn_line_reader_next(reader, false, &line, error);
        if (status == ATTN_OK && line == NULL) { /* nothing more has come yet, or ever will */
            status = attn_output_flush(error);
            status = status == ATTN_OK ? attn_line_reader_next(reader, true, &line, error) : status;
        }
    }
    return status;
}

static int detect_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    attn_line_reader reader;
    attn_error error;
    if (o->list) {
        for (size_t i = 0; i < attn_language_count(); i++) {
            printf("%s\t%s\n", attn_language_code(i), attn_language_name(attn_language_code(i)));
        }
        return ATTN_EXIT_OK;
    }
    if (attn_line_reader_open(operand_count > 0 ? operand[0] : NULL, &reader, &error) != ATTN_OK) {
        return attn_say_error(&error);
    }
    attn_status status = detect_all(o, &reader, &error);
    attn_line_reader_close(&reader);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_detect = {
    .name = "detect",
    .summary = "Tell which language lines are written in",
    .usage = "[OPTION]... [FILE]",
    .description =
        "Reads FILE, or standard input, and prints for each line the code of its language and a "
        "confidence from 0 to 100, separated by a tab; `-` where a line holds nothing to go by. "
        "The confidences of all languages, and of one that is not known, make 100: a short line "
        "that could be many things gives none of them much.\nIt needs no model. /detect of `attn "
        "serve` answers the same.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 1,
    .run = detect_run,
};
