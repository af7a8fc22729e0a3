/* cli/command.c: reading options by table, and the help of one command.
 *
 * Understood: --name value, --name=value, --flag, -x value, -xvalue, flags bundled as -xyz, and --
 * after which everything is an operand. */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "io/recipe.h"

enum { MOST_OPTIONS = 128 };

/* One command line on its way through the parser. */
typedef struct parser {
    const attn_command *command;
    int argc;
    char **argv;
    int next; /* argument to read */
    void *options;
    char **operand; /* grows in place over argv's copy */
    int operand_count;
    bool help;
    bool given[MOST_OPTIONS];   /* on the command line */
    char *values[MOST_OPTIONS]; /* copies from the environment */
} parser;

bool attn_command_option(const attn_command *command, size_t i, attn_option *out) {
    if (i < command->option_count) {
        *out = command->options[i];
        return true;
    }
    i -= command->option_count;
    for (const attn_option_group *group = command->groups; group != NULL && group->options != NULL;
         group++) {
        for (const attn_option *option = group->options; option->name != NULL; option++, i--) {
            if (i == 0) {
                *out = *option;
                out->offset += group->place;
                return true;
            }
        }
    }
    return false;
}

static int unknown_option(const attn_command *command, const char *name) {
    char quoted[64];
    const char *names[64];
    attn_option option;
    size_t count = 0;
    while (count < ATTN_LENGTH(names) - 1 && attn_command_option(command, count, &option)) {
        names[count++] = option.name;
    }
    names[count++] = "help";
    attn_utf8_quote(quoted, sizeof quoted, name);
    const char *near = attn_nearest(name, names, count);
    if (near != NULL) {
        return attn_say_misuse("%s: unknown option --%s: did you mean --%s?", command->name, quoted,
                               near);
    }
    return attn_say_misuse("%s: unknown option --%s: `attn %s --help` lists the options",
                           command->name, quoted, command->name);
}

static int bad_value(const attn_command *command, const attn_option *option, const char *value,
                     const char *wanted) {
    char quoted[64];
    return attn_say_misuse("%s: --%s: '%s' is not %s", command->name, option->name,
                           attn_utf8_quote(quoted, sizeof quoted, value), wanted);
}

static bool out_of_bounds(const attn_option *option, double number) {
    bool bounded = option->low != 0 || option->high != 0;
    return bounded && !(number >= option->low && number <= option->high);
}

static int say_bounds(const attn_command *command, const attn_option *option, const char *value) {
    char wanted[96];
    if (isinf(option->high)) {
        snprintf(wanted, sizeof wanted, "at least %.10g", option->low);
    } else {
        snprintf(wanted, sizeof wanted, "from %.10g to %.10g", option->low, option->high);
    }
    return bad_value(command, option, value, wanted);
}

static int set_number(const attn_command *command, const attn_option *option, const char *value,
                      void *field) {
    char *end;
    errno = 0;
    if (option->type == ATTN_OPTION_INT) {
        long long number = strtoll(value, &end, 10);
        if (end == value || *end != '\0' || errno != 0) {
            return bad_value(command, option, value, "a whole number");
        }
        if (out_of_bounds(option, (double)number)) {
            return say_bounds(command, option, value);
        }
        *(int64_t *)field = number;
        return ATTN_EXIT_OK;
    }
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(number)) {
        return bad_value(command, option, value, "a number");
    }
    if (out_of_bounds(option, number)) {
        return say_bounds(command, option, value);
    }
    *(double *)field = number;
    return ATTN_EXIT_OK;
}

static int set_choice(const attn_command *command, const attn_option *option, const char *value,
                      void *field) {
    char wanted[160] = "one of";
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            *(int *)field = i;
            return ATTN_EXIT_OK;
        }
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%s %s", i > 0 ? "," : "",
                 option->choices[i]);
    }
    return bad_value(command, option, value, wanted);
}

static int set_option(parser *p, const attn_option *option, const char *value) {
    void *field = (char *)p->options + option->offset;
    attn_option_list *list = field;
    switch (option->type) {
    case ATTN_OPTION_FLAG:
        *(bool *)field = true;
        return ATTN_EXIT_OK;
    case ATTN_OPTION_INT:
    case ATTN_OPTION_REAL:
        return set_number(p->command, option, value, field);
    case ATTN_OPTION_TEXT:
    case ATTN_OPTION_FILE:
        *(const char **)field = value;
        return ATTN_EXIT_OK;
    case ATTN_OPTION_CHOICE:
        return set_choice(p->command, option, value, field);
    case ATTN_OPTION_LIST:
    case ATTN_OPTION_FILES:
        if (list->count == ATTN_OPTION_LIST_MAX) {
            return attn_say_misuse("%s: --%s may be given %d times at most", p->command->name,
                                   option->name, ATTN_OPTION_LIST_MAX);
        }
        list->item[list->count++] = value;
        return ATTN_EXIT_OK;
    }
    return ATTN_EXIT_FAILURE;
}

/* The value of an option that was not attached to it: the next argument. */
static int take_value(parser *p, const attn_option *option) {
    if (p->next == p->argc) {
        return attn_say_misuse("%s: --%s needs a value (%s)", p->command->name, option->name,
                               option->value);
    }
    return set_option(p, option, p->argv[p->next++]);
}

static int parse_long(parser *p, const char *text) {
    const char *equals = strchr(text, '=');
    size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
    if (strcmp(text, "help") == 0) {
        p->help = true;
        return ATTN_EXIT_OK;
    }
    attn_option option;
    for (size_t i = 0; attn_command_option(p->command, i, &option); i++) {
        if (strncmp(option.name, text, length) != 0 || option.name[length] != '\0') {
            continue;
        }
        p->given[i] = true;
        if (option.type == ATTN_OPTION_FLAG && equals != NULL) {
            return attn_say_misuse("%s: --%s takes no value", p->command->name, option.name);
        }
        if (option.type == ATTN_OPTION_FLAG || equals != NULL) {
            return set_option(p, &option, equals != NULL ? equals + 1 : NULL);
        }
        return take_value(p, &option);
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), text);
    return unknown_option(p->command, name);
}

static bool find_letter(parser *p, char letter, attn_option *out) {
    for (size_t i = 0; attn_command_option(p->command, i, out); i++) {
        if (out->letter == letter) {
            p->given[i] = true;
            return true;
        }
    }
    return false;
}

static int parse_short(parser *p, const char *letters) {
    for (; *letters != '\0'; letters++) {
        if (*letters == 'h') {
            p->help = true;
            return ATTN_EXIT_OK;
        }
        attn_option option;
        if (!find_letter(p, *letters, &option)) {
            char quoted[16];
            return attn_say_misuse(
                "%s: unknown option -%s: `attn %s --help` lists the options", p->command->name,
                attn_utf8_quote(quoted, sizeof quoted, letters), p->command->name);
        }
        if (option.type != ATTN_OPTION_FLAG) {
            return letters[1] != '\0' ? set_option(p, &option, letters + 1)
                                      : take_value(p, &option);
        }
        int result = set_option(p, &option, NULL);
        if (result != ATTN_EXIT_OK) {
            return result;
        }
    }
    return ATTN_EXIT_OK;
}

static int parse_all(parser *p) {
    bool only_operands = false;
    while (p->next < p->argc && !p->help) {
        char *argument = p->argv[p->next++];
        int result = ATTN_EXIT_OK;
        if (only_operands || argument[0] != '-' || argument[1] == '\0') {
            p->operand[p->operand_count++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            only_operands = true;
        } else if (argument[1] == '-') {
            result = parse_long(p, argument + 2);
        } else {
            result = parse_short(p, argument + 1);
        }
        if (result != ATTN_EXIT_OK) {
            return result;
        }
    }
    return ATTN_EXIT_OK;
}

/* ---- the environment ---- */

static void variable_of(const attn_option *option, char name[64]) {
    snprintf(name, 64, "ATTN_%s", option->name);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    }
}

/* "1" and "true" set a flag, "0" and "false" do not. */
static int set_flag(parser *p, const attn_option *option, const char *value) {
    static const char *const words[][2] = {
        {"0", "1"}, {"false", "true"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < ATTN_LENGTH(words); i++) {
        for (int on = 0; on < 2; on++) {
            if (strcasecmp(value, words[i][on]) == 0) {
                return on ? set_option(p, option, NULL) : ATTN_EXIT_OK;
            }
        }
    }
    return bad_value(p->command, option, value, "1 or 0");
}

static int set_list(parser *p, const attn_option *option, char *values) {
    int result = ATTN_EXIT_OK;
    for (char *rest = NULL, *item = strtok_r(values, ",", &rest);
         item != NULL && result == ATTN_EXIT_OK; item = strtok_r(NULL, ",", &rest)) {
        result = set_option(p, option, item);
    }
    return result;
}

/* What the command line leaves open. */
static int read_environment(parser *p) {
    attn_option option;
    for (size_t i = 0; attn_command_option(p->command, i, &option); i++) {
        char name[64];
        variable_of(&option, name);
        const char *value = getenv(name);
        if (p->given[i] || value == NULL || value[0] == '\0') {
            continue;
        }
        p->values[i] = strdup(value);
        if (p->values[i] == NULL) {
            fputs("attn: out of memory\n", stderr);
            return ATTN_EXIT_FAILURE;
        }
        bool list = option.type == ATTN_OPTION_LIST || option.type == ATTN_OPTION_FILES;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): attn_command_run frees all values */
        int result = option.type == ATTN_OPTION_FLAG ? set_flag(p, &option, p->values[i])
                     : list                          ? set_list(p, &option, p->values[i])
                                                     : set_option(p, &option, p->values[i]);
        if (result != ATTN_EXIT_OK) {
            fprintf(stderr, "attn: the value is that of the environment variable %s\n", name);
            return result;
        }
    }
    return ATTN_EXIT_OK;
}

static int check_operands(const parser *p) {
    const attn_command *command = p->command;
    if (p->operand_count < command->min_operands) {
        return attn_say_misuse("%s: an argument is missing: usage: attn %s %.*s", command->name,
                               command->name, (int)strcspn(command->usage, "\n"), command->usage);
    }
    if (p->operand_count > command->max_operands) {
        char quoted[64];
        return attn_say_misuse(
            "%s: unexpected argument '%s': `attn %s --help` shows the usage", command->name,
            attn_utf8_quote(quoted, sizeof quoted, p->operand[command->max_operands]),
            command->name);
    }
    return ATTN_EXIT_OK;
}

int attn_command_run(const attn_command *command, int argc, char **argv) {
    size_t size = command->options_size > 0 ? command->options_size : 1;
    parser p = {.command = command, .argc = argc, .argv = argv};
    int result = ATTN_EXIT_FAILURE;
    p.options = calloc(1, size);
    p.operand = calloc((size_t)argc + 1, sizeof *p.operand);
    if (p.options == NULL || p.operand == NULL) {
        fputs("attn: out of memory\n", stderr);
        goto out;
    }
    if (command->defaults != NULL) {
        memcpy(p.options, command->defaults, command->options_size);
    }
    result = parse_all(&p);
    if (result == ATTN_EXIT_OK && p.help) {
        attn_command_help(command, stdout);
        goto out;
    }
    if (result == ATTN_EXIT_OK && command->environment) {
        result = read_environment(&p);
    }
    if (result == ATTN_EXIT_OK) {
        result = check_operands(&p);
    }
    if (result == ATTN_EXIT_OK) {
        result = command->run(p.options, p.operand_count, p.operand);
    }
out:
    for (size_t i = 0; i < MOST_OPTIONS; i++) {
        free(p.values[i]);
    }
    free(p.options);
    free(p.operand);
    return result;
}

int attn_command_match(const attn_command *command, int argc, char **argv) {
    const char *space = strchr(command->name, ' ');
    if (space == NULL) {
        return argc >= 1 && strcmp(command->name, argv[0]) == 0;
    }
    size_t length = (size_t)(space - command->name);
    bool same = argc >= 2 && strlen(argv[0]) == length &&
                strncmp(command->name, argv[0], length) == 0 && strcmp(space + 1, argv[1]) == 0;
    return same ? 2 : 0;
}

/* Text wrapped at 78 columns, each line indented; '\n' begins a new line. */
static void print_wrapped(FILE *out, const char *text, int indent) {
    int column = indent;
    const char *before = "";
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (column + (int)(strlen(before) + word) > 78 && column > indent) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            before = "";
        }
        fprintf(out, "%s%.*s", before, (int)word, text);
        column += (int)(strlen(before) + word);
        before = " ";
        text += word;
        if (*text == '\n') {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            before = "";
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const char *name, char letter, const char *value,
                         const char *help) {
    char left[64], dash[8] = "    ";
    if (letter != '\0') {
        snprintf(dash, sizeof dash, "-%c, ", letter);
    }
    snprintf(left, sizeof left, "  %s--%s%s%s", dash, name, value != NULL ? " " : "",
             value != NULL ? value : "");
    enum { COLUMN = 30 };
    if (strlen(left) + 2 > COLUMN) {
        fprintf(out, "%s\n%*s", left, COLUMN, "");
    } else {
        fprintf(out, "%-*s", COLUMN, left);
    }
    print_wrapped(out, help, COLUMN);
}

void attn_command_help(const attn_command *command, FILE *out) {
    const char *usage = command->usage;
    const char *start = "usage:";
    while (true) {
        size_t length = strcspn(usage, "\n");
        fprintf(out, "%s attn %s %.*s\n", start, command->name, (int)length, usage);
        if (usage[length] == '\0') {
            break;
        }
        usage += length + 1;
        start = "      ";
    }
    fprintf(out, "\n%s.\n", command->summary);
    if (command->description != NULL) {
        fputc('\n', out);
        print_wrapped(out, command->description, 0);
    }
    fputs("\noptions:\n", out);
    attn_option option;
    for (size_t i = 0; attn_command_option(command, i, &option); i++) {
        print_option(out, option.name, option.letter, option.value, option.help);
    }
    print_option(out, "help", 'h', NULL, "print this");
}
