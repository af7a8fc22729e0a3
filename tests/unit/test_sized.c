/* Structs that may grow: an older and a newer caller than the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sized.h"

typedef struct first_version {
    size_t size;
    int64_t width;
} first_version;

/* What the library knows. */
typedef struct second_version {
    size_t size;
    int64_t width;
    double scale;
} second_version;

typedef struct third_version {
    size_t size;
    int64_t width;
    double scale;
    int64_t depth;
} third_version;

static const second_version defaults = {sizeof(second_version), 7, 0.5};

static attn_status read_as_second(const void *given, second_version *out, attn_error *error) {
    *out = defaults;
    return attn_sized_read(given, out, sizeof *out, ATTN_SIZE_UP_TO(second_version, width), "thing",
                           error);
}

static void an_older_caller_gets_the_defaults(void **state) {
    (void)state;
    first_version old;
    second_version known;
    attn_sized_init(&old, sizeof old, &defaults, sizeof defaults);
    assert_int_equal(old.size, sizeof old);
    assert_int_equal(old.width, 7);
    old.width = 9;
    assert_int_equal(read_as_second(&old, &known, NULL), ATTN_OK);
    assert_int_equal(known.size, sizeof known);
    assert_int_equal(known.width, 9);
    assert_true(known.scale == 0.5);
}

static void a_newer_caller_may_not_ask_for_the_unknown(void **state) {
    (void)state;
    third_version newer;
    second_version known;
    attn_error error;
    attn_sized_init(&newer, sizeof newer, &defaults, sizeof defaults);
    assert_int_equal(newer.size, sizeof newer);
    assert_int_equal(newer.depth, 0);
    newer.scale = 2;
    assert_int_equal(read_as_second(&newer, &known, &error), ATTN_OK);
    assert_true(known.scale == 2);
    newer.depth = 1;
    assert_int_equal(read_as_second(&newer, &known, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.what, "the thing sets an option that this library does not know");
}

static void no_size_is_refused(void **state) {
    (void)state;
    second_version given, known;
    attn_error error;
    memset(&given, 0, sizeof given);
    assert_int_equal(read_as_second(&given, &known, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.what,
                        "the thing has no size that can be: initialise it with thing_init");
    memset(&given, 0xA5, sizeof given);
    assert_int_equal(read_as_second(&given, &known, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(read_as_second(NULL, &known, &error), ATTN_ERR_ARGUMENT);
}

static void filling_writes_no_more_than_there_is(void **state) {
    (void)state;
    first_version old[2];
    memset(old, 0x77, sizeof old);
    attn_sized_init(&old[0], sizeof old[0], &defaults, sizeof defaults);
    second_version filled = {sizeof filled, 11, 3.0};
    assert_int_equal(attn_sized_write(&old[0], &filled, sizeof filled,
                                      ATTN_SIZE_UP_TO(second_version, width), "thing", NULL),
                     ATTN_OK);
    assert_int_equal(old[0].size, sizeof old[0]);
    assert_int_equal(old[0].width, 11);
    assert_int_equal(old[1].size, (size_t)0x7777777777777777);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_caller_gets_the_defaults),
        cmocka_unit_test(a_newer_caller_may_not_ask_for_the_unknown),
        cmocka_unit_test(no_size_is_refused),
        cmocka_unit_test(filling_writes_no_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
