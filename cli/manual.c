/* cli/manual.c: the manual page and the bash completion, from the table of commands. */
#include "manual.h"

#include <string.h>

#include "attn/threads.h"
#include "attn/version.h"

/* Text in a troff line: backslashes and dashes escaped, '\n' a new paragraph. */
static void roff(FILE *out, const char *text) {
    bool start = true;
    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        start = *text == '\n';
        if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else if (start) {
            fputs("\n.PP\n", out);
        } else {
            fputc(*text, out);
        }
    }
    fputc('\n', out);
}

static void manual_command(const attn_command *command, FILE *out) {
    fprintf(out, ".SS attn %s\n", command->name);
    for (const char *usage = command->usage;; usage++) {
        char line[512];
        size_t length = strcspn(usage, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, usage);
        fprintf(out, ".B attn %s\n", command->name);
        roff(out, line);
        fputs(".br\n", out);
        usage += length;
        if (*usage == '\0') {
            break;
        }
    }
    fputs(".PP\n", out);
    char summary[256];
    snprintf(summary, sizeof summary, "%s.", command->summary);
    roff(out, summary);
    if (command->description != NULL) {
        fputs(".PP\n", out);
        roff(out, command->description);
    }
    attn_option option;
    for (size_t i = 0; attn_command_option(command, i, &option); i++) {
        fputs(".TP\n.B ", out);
        char left[96], dash[8] = "";
        if (option.letter != '\0') {
            snprintf(dash, sizeof dash, "-%c, ", option.letter);
        }
        snprintf(left, sizeof left, "%s--%s%s%s", dash, option.name,
                 option.value != NULL ? " " : "", option.value != NULL ? option.value : "");
        roff(out, left);
        roff(out, option.help);
    }
}

void attn_manual_print(const attn_command *const *commands, size_t count, FILE *out) {
    fprintf(out, ".TH ATTN 1 \"\" \"attn %s\" \"User Commands\"\n", attn_version());
    fputs(".SH NAME\nattn \\- self\\-attention in C: train, translate, explain\n"
          ".SH SYNOPSIS\n.B attn\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
          ".SH DESCRIPTION\nattn trains a Transformer from parallel text, translates with it, "
          "measures it and shows what each word attends to. Results depend only on the input: "
          "neither the number of threads nor the batch changes them.\n.SH COMMANDS\n",
          out);
    for (size_t i = 0; i < count; i++) {
        manual_command(commands[i], out);
    }
    fputs(
        ".SH EXIT STATUS\n0: success. 1: failure; the reason is on stderr. 2: wrong usage.\n"
        ".SH ENVIRONMENT\n"
        ".TP\n.B ATTN_MODEL\nthe model file where \\-\\-model is not given\n"
        ".TP\n.B ATTN_ISA\nforces an instruction set; the results stay the same. This machine has",
        out);
    for (int i = 0; attn_isa_at(i) != NULL; i++) {
        fprintf(out, "%s %s", i > 0 ? "," : "", attn_isa_at(i));
    }
    fputs("\n.TP\n.B OMP_NUM_THREADS\nthe number of threads where \\-\\-threads is not given\n"
          ".TP\n.B GOMP_SPINCOUNT, OMP_WAIT_POLICY\nhow long a thread that waits for others keeps "
          "its "
          "processor. Where neither is set, some tens of microseconds\n",
          out);
}

static bool is_file(const attn_option *option) {
    return option->type == ATTN_OPTION_FILE || option->type == ATTN_OPTION_FILES;
}

/* Words that may follow a command, options first. */
static void completion_command(const attn_command *command, FILE *out) {
    fprintf(out, "    '%s') words='--help", command->name);
    attn_option option;
    for (size_t i = 0; attn_command_option(command, i, &option); i++) {
        fprintf(out, " --%s", option.name);
    }
    fputs("'\n        case $previous in\n", out);
    for (size_t i = 0; attn_command_option(command, i, &option); i++) {
        if (option.type == ATTN_OPTION_FLAG) {
            continue;
        }
        fprintf(out, "        --%s) ", option.name);
        if (option.type == ATTN_OPTION_CHOICE) {
            fputs("words='", out);
            for (int c = 0; option.choices[c] != NULL; c++) {
                fprintf(out, "%s%s", c > 0 ? " " : "", option.choices[c]);
            }
            fputs("' files=no", out);
        } else {
            fprintf(out, "words='' files=%s", is_file(&option) ? "yes" : "no");
        }
        fputs(" ;;\n", out);
    }
    fputs("        esac ;;\n", out);
}

void attn_completion_print_bash(const attn_command *const *commands, size_t count, FILE *out) {
    fputs("# bash completion of attn; made by `attn --completion bash`\n"
          "_attn() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command=${COMP_WORDS[1]} words files=yes\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W 'help --help --version",
          out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, " %.*s", (int)strcspn(commands[i]->name, " "), commands[i]->name);
    }
    fputs("' -- \"$current\"))\n        return\n    fi\n", out);
    for (size_t i = 0; i < count; i++) {
        const char *space = strchr(commands[i]->name, ' ');
        if (space != NULL) {
            fprintf(out,
                    "    if [ \"$command\" = '%.*s' ]; then\n"
                    "        if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
                    "            COMPREPLY+=($(compgen -W '%s' -- \"$current\"))\n"
                    "        elif [ \"${COMP_WORDS[2]}\" = '%s' ]; then\n"
                    "            command='%s'\n        fi\n    fi\n",
                    (int)(space - commands[i]->name), commands[i]->name, space + 1, space + 1,
                    commands[i]->name);
        }
    }
    fputs("    if [ \"${#COMPREPLY[@]}\" -gt 0 ]; then\n        return\n    fi\n"
          "    case $command in\n",
          out);
    for (size_t i = 0; i < count; i++) {
        completion_command(commands[i], out);
    }
    fputs("    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
          "    if [ $files = yes ] && [ \"${current#-}\" = \"$current\" ]; then\n"
          "        COMPREPLY+=($(compgen -f -- \"$current\"))\n    fi\n"
          "}\ncomplete -o filenames -F _attn attn\n",
          out);
}
