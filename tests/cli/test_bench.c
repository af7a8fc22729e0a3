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

static json_t *json_of(const char *arguments) {
    assert_int_equal(bench(arguments), 0);
    json_t *value = json_loads(output, 0, NULL);
    if (value == NULL) {
        fail_msg("not JSON:\n%s", output);
    }
    return value;
}

/* What a plan says is what a run takes, to a few pages and the code that is loaded; a sanitizer takes more. */
static void a_plan_is_what_a_run_takes(void **state) {
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    const double slack = 1e9;
#else
    const double slack = 1.5e6;
#endif
    json_t *plans = json_of("--plan 2 --json --only attention-backward-d64-1024 "
                            "--only attention-forward-d64-1024");
    json_t *report = report_of("--quick --json --threads 2 --only attention-backward-d64-1024 "
                               "--only attention-forward-d64-1024");
    assert_int_equal(json_array_size(plans), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *plan = json_array_get(plans, i);
        const json_t *row = json_array_get(json_object_get(report, "cases"), i);
        assert_string_equal(text(plan, "name"), text(row, "name"));
        assert_true(number(plan, "data_bytes") == number(row, "data_bytes"));
        double temporary = number(row, "temporary_bytes"); /* absent on some systems: then 0 */
        assert_true(temporary <= number(plan, "temporary_bytes") + slack);
        text(plan, "threads_reason");
        text(plan, "division_reason");
    }
    json_decref(plans);
    json_decref(report);
}

/* 64 threads, one head, a million tokens: no more than inputs and gradients take. */
static void a_plan_of_many_threads(void **state) {
    (void)state;
    json_t *plans = json_of("--plan 64 --tokens 1048576 --heads 1 --json");
    const json_t *backward = json_array_get(plans, 1);
    assert_string_equal(text(backward, "name"), "backward");
    assert_true(number(backward, "data_bytes") == 1048576 * (8 * 64 + 1) * 4.0);
    assert_true(number(backward, "temporary_bytes") < number(backward, "data_bytes"));
    json_decref(plans);
    assert_int_equal(bench("--plan 4 --tokens 512 --window 64 --kv-heads 2"), 0);
    expect_text("1 x 512 tokens, 8 / 2 heads of 64");
}

static void plans_that_say_nothing_are_refused(void **state) {
    (void)state;
    assert_int_equal(bench("--tokens 5"), 2);
    expect_text("add --plan THREADS");
    assert_int_equal(bench("--plan 2 --causal"), 2);
    expect_text("go with --plan and --tokens N");
    assert_int_equal(bench("--plan 2 --curves ."), 2);
    assert_int_equal(bench("--plan 2 --tokens 5 --heads 3 --kv-heads 2"), 1);
    expect_text("heads must be a multiple of kv_heads");
}

/* A curve: its points, in JSON and as a picture. */
static void curves_are_written(void **state) {
    (void)state;
    char folder[] = "/tmp/attn-curves-XXXXXX", arguments[256], path[256];
    assert_non_null(mkdtemp(folder));
    snprintf(arguments, sizeof arguments, "--curves %s --quick --threads 1 --only forward-tokens",
             folder);
    assert_int_equal(bench(arguments), 0);
    expect_text("forward-tokens");
    snprintf(path, sizeof path, "%s/curves.json", folder);
    json_t *report = json_load_file(path, 0, NULL);
    assert_non_null(report);
    remove(path);
    const json_t *curve = json_array_get(json_object_get(report, "curves"), 0);
    assert_string_equal(text(curve, "name"), "forward-tokens");
    assert_true(number(json_object_get(curve, "theory"), "seconds") == 2);
    size_t index;
    json_t *point;
    json_array_foreach(json_object_get(curve, "points"), index, point) {
        assert_true(number(point, "x") == (double)((int64_t)64 << index));
        assert_true(number(json_object_get(point, "seconds"), "median") > 0);
    }
    assert_true(index >= 2);
    json_decref(report);
    snprintf(path, sizeof path, "%s/forward-tokens.svg", folder);
    char start[8] = "";
    FILE *picture = fopen(path, "r");
    assert_non_null(picture);
    assert_true(fread(start, 1, 5, picture) == 5);
    fclose(picture);
    assert_string_equal(start, "<?xml");
    remove(path);
    assert_int_equal(remove(folder), 0);
    assert_int_equal(bench("--curves /nowhere/at/all --quick --threads 1 --only forward-tokens"),
                     1);
    assert_int_equal(bench("--curves . --only forward-tokns"), 2);
    expect_text("no curve is called 'forward-tokns': did you mean forward-tokens?");
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
        cmocka_unit_test(json_is_complete),
        cmocka_unit_test(the_table_has_a_head_and_rows),
        cmocka_unit_test(turns_are_answered),
        cmocka_unit_test(a_turn_of_nothing_is_refused),
        cmocka_unit_test(names_are_whole_words),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(the_list_names_the_cases),
        cmocka_unit_test(a_plan_is_what_a_run_takes),
        cmocka_unit_test(a_plan_of_many_threads),
        cmocka_unit_test(curves_are_written),
        cmocka_unit_test(plans_that_say_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
