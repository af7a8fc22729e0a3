/* `attn bench`: what it prints is complete and agrees with itself; names are checked. How fast anything
 * is, no test says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>

static char output[1 << 16];

/* Runs a command of the shell; stdout, and stderr after it, into `output`. Returns the exit status. */
static int shell(const char *command) {
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int bench(const char *arguments) {
    char command[1024];
    snprintf(command, sizeof command, "%s bench %s 2>&1", ATTN_TEST_TOOL, arguments);
    return shell(command);
}

/* lines: as printf of the shell takes them. */
static int turns(const char *lines) {
    char command[1024];
    snprintf(command, sizeof command, "printf '%s' | %s bench --turns --threads 1 2>&1", lines,
             ATTN_TEST_TOOL);
    return shell(command);
}

static void expect_text(const char *part) {
    if (strstr(output, part) == NULL) {
        fail_msg("expected \"%s\" in:\n%s", part, output);
    }
}

static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) {
        fail_msg("no number \"%s\" in:\n%s", key, output);
    }
    return json_number_value(value);
}

static const char *text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    if (value == NULL || value[0] == '\0') {
        fail_msg("no text \"%s\" in:\n%s", key, output);
    }
    return value;
}

static void check_case(const json_t *row) {
    const json_t *seconds = json_object_get(row, "seconds");
    double median = number(seconds, "median"), rate = number(row, "rate");
    assert_true(number(seconds, "low") > 0);
    assert_true(number(seconds, "low") <= median && median <= number(seconds, "high"));
    assert_true(number(row, "repetitions") >= 1);
    double expected = number(row, "amount") / (median * number(row, "parts")) * 1e-9;
    assert_true(fabs(rate - expected) <= 1e-3 * expected);
    double share =
        rate / number(row, "limit"); /* of what the work is counted in, or of arithmetic */
    bool arithmetic = strcmp(text(row, "bound"), "GFLOP/s") == 0;
    assert_true(arithmetic || strcmp(text(row, "unit"), "GB/s") == 0);
    assert_true(fabs(number(row, "share") - share) <= 1e-3 * share);
    assert_true(number(row, "peak_bytes") > 1e6);
    assert_true(number(row, "temporary_bytes") < number(row, "peak_bytes"));
    text(row, "work");
}

/* The report of one run; the caller releases it. */
static json_t *report_of(const char *arguments) {
    assert_int_equal(bench(arguments), 0);
    json_error_t error;
    json_t *report = json_loads(output, 0, &error);
    if (report == NULL) {
        fail_msg("%s in:\n%s", error.text, output);
    }
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(report, "cases"), index, row) {
        check_case(row);
    }
    return report;
}

/* Work whose operations are counted by hand: 512 cubed, and sequences of 6, 7, ... 24, 6,
 * ... tokens. */
static void json_is_complete(void **state) {
    (void)state;
    double pairs = 0;
    for (int b = 0; b < 64; b++) {
        pairs += (6 + b % 19) * (6 + b % 19);
    }
    json_t *report = report_of("--quick --json --threads 1 --only matmul-512 "
                               "--only attention-forward-short --only attention-backward-short "
                               "--only attention-both-short --only attention-forward-d64-1024");
    text(report, "version");
    text(report, "machine");
    text(report, "isa");
    assert_int_equal((int)number(report, "threads"), 1);
    assert_true(json_is_true(json_object_get(report, "quick")));
    assert_true(number(report, "fma_peak_gflops") > 0);
    assert_true(number(report, "memory_read_gbs") > 0);
    assert_true(json_object_size(json_object_get(report, "fma_gflops")) >= 1);
    json_t *cases = json_object_get(report, "cases");
    assert_int_equal(json_array_size(cases), 5);
    const char *const names[] = {"matmul-512", "attention-forward-d64-1024",
                                 "attention-forward-short", "attention-backward-short",
                                 "attention-both-short"};
    const double flops = pairs * 4 * 4 * 32;
    const double amounts[] = {2.0 * 512 * 512 * 512, 1024.0 * 1024 * 4 * 8 * 64, flops, flops * 2.5,
                              flops * 3.5};
    for (size_t i = 0; i < 5; i++) {
        const json_t *row = json_array_get(cases, i);
        assert_string_equal(text(row, "name"), names[i]);
        assert_string_equal(text(row, "unit"), "GFLOP/s");
        assert_true(fabs(number(row, "amount") / amounts[i] - 1) < 1e-11);
    }
    /* Query, key, value, output; LSE. */
    assert_true(number(json_array_get(cases, 1), "data_bytes") == 1024 * 8 * (4 * 64 + 1) * 4.0);
    json_decref(report);
}

/* A line for a line; the same case again, then another. */
static void turns_are_answered(void **state) {
    (void)state;
    assert_int_equal(turns("matmul-512 0.01\\nmatmul-512 0.02\\nmatmul-gradient 0.01\\n"), 0);
    const char *const names[] = {"matmul-512", "matmul-512", "matmul-gradient"};
    char *rest = output;
    for (size_t i = 0; i < 3; i++) {
        json_t *row = json_loads(rest, JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(row);
        check_case(row);
        assert_string_equal(text(row, "name"), names[i]);
        json_decref(row);
        rest += strcspn(rest, "\n") + 1;
    }
    assert_string_equal(rest, "");
}

static void a_turn_of_nothing_is_refused(void **state) {
    (void)state;
    assert_int_equal(turns("matmul-51 0.01\\n"), 1);
    expect_text("not the name of a case and a time");
    assert_int_equal(turns("matmul-512\\n"), 1);
    expect_text("write each line as `NAME SECONDS`");
}

static void the_table_has_a_head_and_rows(void **state) {
    (void)state;
    assert_int_equal(bench("--quick --threads 1 --only matmul-row-1"), 0);
    expect_text("FMA peak");
    expect_text("memory read");
    expect_text("matmul-row-1 ");
    expect_text("GB/s");
}

/* A name stands for itself and for what follows it after a dash. */
static void names_are_whole_words(void **state) {
    (void)state;
    assert_int_equal(bench("--list --only matmul-row-1"), 0);
    expect_text("matmul-row-1 ");
    assert_null(strstr(output, "matmul-row-16"));
    assert_int_equal(bench("--list --only matmul --only train"), 0);
    expect_text("matmul-512 ");
    expect_text("matmul-row-16 ");
    expect_text("train-multi30k ");
    assert_null(strstr(output, "attention"));
}

static void unknown_names_are_refused(void **state) {
    (void)state;
    assert_int_equal(bench("--only matmul-51"), 2);
    assert_string_equal(output,
                        "attn: bench: no case is called 'matmul-51': did you mean matmul-512?\n");
    assert_int_equal(bench("--only matmull"), 2);
    expect_text("did you mean matmul?");
    assert_int_equal(bench("--only zzzzzzzzzzzz"), 2);
    expect_text("`attn bench --list` names them");
    assert_int_equal(bench("--only matmul --only trian"), 2);
    expect_text("did you mean train?");
}

static void the_list_names_the_cases(void **state) {
    (void)state;
    assert_int_equal(bench("--list"), 0);
    expect_text("matmul-4096 ");
    expect_text("attention-forward-window-131072 ");
    expect_text("attention-backward-causal-d128-4096 ");
    expect_text("train-multi30k ");
    expect_text("translate-greedy-1 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_complete),         cmocka_unit_test(the_table_has_a_head_and_rows),
        cmocka_unit_test(turns_are_answered),       cmocka_unit_test(a_turn_of_nothing_is_refused),
        cmocka_unit_test(names_are_whole_words),    cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(the_list_names_the_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
