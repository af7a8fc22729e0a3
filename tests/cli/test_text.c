/* What no model may do to a text, through the tool and the shipped model: of 300 lines made by rule no number is changed
 * or made up, and no code, emoji or foreign word is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/rule_lines.h"

static char path[] = "/tmp/attn-text-XXXXXX";

static void write_lines(void) {
    int file = mkstemp(path);
    assert_true(file >= 0);
    FILE *out = fdopen(file, "w");
    assert_non_null(out);
    for (int i = 0; i < RULE_LINES; i++) {
        char line[RULE_LINE_SIZE];
        rule_line(i, line);
        fprintf(out, "%s\n", line);
    }
    assert_int_equal(fclose(out), 0);
}

static void nothing_is_lost(void **unused) {
    (void)unused;
    char command[1000], *line = NULL;
    size_t room = 0;
    int number = 0;
    write_lines();
    snprintf(command, sizeof command,
             "%s translate --model %s/models/en-fr.safetensors --beam 1 %s", ATTN_TEST_TOOL,
             ATTN_TEST_SOURCE_DIR, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    for (ssize_t length; (length = getline(&line, &room, pipe)) > 0; number++) {
        char source[RULE_LINE_SIZE];
        line[length - 1] = '\0';
        assert_true(number < RULE_LINES);
        rule_line(number, source);
        const char *lost = rule_lost(source, line);
        if (lost != NULL) {
            fail_msg("%s:\n%s\n->\n%s", lost, source, line);
        }
    }
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(number, RULE_LINES);
    free(line);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
