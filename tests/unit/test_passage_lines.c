/* What no model may do to a text: whatever a translator answers, numbers, codes and emoji of 300 lines
 * made by rule come out as they were, and nothing is lost or made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/rule_lines.h"
#include "text/passage.h"

/* How a translator may treat what it is given. */
typedef enum habit {
    SAME,
    DOUBLES,
    DROPS,
    INVENTS,
    SILENT,
    REVERSES,
    CHANGES_DIGITS,
    SHOUTS,
    HABITS
} habit;

static void reverse_words(char *text) {
    char *copy = strdup(text), *words[RULE_LINE_SIZE];
    size_t count = 0;
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    text[0] = '\0';
    while (count-- > 0) {
        strcat(strcat(text, words[count]), count > 0 ? " " : "");
    }
    free(copy);
}

static char *answer(const char *unit, habit how) {
    size_t size = 2 * strlen(unit) + 16;
    char *out = malloc(size);
    assert_non_null(out);
    const char *forms[HABITS] = {"%s", "%s %s", "rien", "%s 42", "", "%s", "%s", "%s"};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, size, forms[how], unit, unit);
#pragma GCC diagnostic pop
    if (how == REVERSES) {
        reverse_words(out);
    }
    for (char *c = out; *c != '\0'; c++) {
        if (how == CHANGES_DIGITS && *c >= '0' && *c <= '9') {
            *c = (char)('0' + (*c - '0' + 1) % 10);
        }
        *c = how == SHOUTS ? (char)toupper((unsigned char)*c) : *c;
    }
    return out;
}

/* A vocabulary of small letters, the capitals A to J and a few signs. */
static size_t few_signs(const void *context, const char *text, size_t length, bool *failed) {
    (void)failed;
    (void)context;
    for (size_t i = 0; i < length; i++) {
        bool known = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'T') ||
                     (text[i] != '\0' && strchr(" .,!?'", text[i]) != NULL);
        if (!known) {
            return 0;
        }
    }
    return 1;
}

static char *translate(const char *text, const attn_passage_options *options, habit how) {
    attn_passage *passage;
    char *out;
    assert_int_equal(attn_passage_parse(text, strlen(text), options, &passage, NULL), ATTN_OK);
    size_t count = attn_passage_unit_count(passage);
    char **answers = calloc(count + 1, sizeof *answers);
    bool *needed = calloc(count + 1, sizeof *needed);
    for (size_t missing = 1; missing > 0;) {
        assert_int_equal(
            attn_passage_needed(passage, (const char *const *)answers, needed, &missing, NULL),
            ATTN_OK);
        for (size_t i = 0; i < count; i++) {
            answers[i] = needed[i] ? answer(attn_passage_unit(passage, i), how) : answers[i];
        }
    }
    assert_int_equal(
        attn_passage_join(passage, (const char *const *)answers, NULL, NULL, &out, NULL), ATTN_OK);
    for (size_t i = 0; i < count; i++) {
        free(answers[i]);
    }
    free(answers);
    free(needed);
    attn_passage_free(passage);
    return out;
}

static void nothing_is_lost(void **unused) {
    (void)unused;
    static const char *const targets[] = {NULL, "fr", "zh"};
    for (int line = 0; line < RULE_LINES; line++) {
        char text[RULE_LINE_SIZE];
        rule_line(line, text);
        for (int kind = 0; kind < 6; kind++) {
            attn_passage_options options = {.language = "en", .target = targets[kind % 3]};
            options.vocabulary.pieces = kind >= 3 ? few_signs : NULL;
            for (habit how = SAME; how < HABITS; how++) {
                char *out = translate(text, &options, how);
                const char *lost = rule_lost(text, out);
                if (lost != NULL) {
                    fail_msg("habit %d, kind %d: %s:\n%s\n->\n%s", (int)how, kind, lost, text, out);
                }
                free(out);
            }
        }
    }
}

/* A translator that changes nothing gives the lines back, when it can write them. */
static void same_is_same(void **unused) {
    (void)unused;
    attn_passage_options options = {.language = "en"};
    for (int line = 0; line < RULE_LINES; line++) {
        char text[RULE_LINE_SIZE];
        rule_line(line, text);
        char *out = translate(text, &options, SAME);
        assert_string_equal(out, text);
        free(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(same_is_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
