/* The version: attn/version.h against the library that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "attn/version.h"

static void library_and_header_agree(void **state) {
    (void)state;
    assert_int_equal(attn_version_number(), ATTN_VERSION_NUMBER);
    assert_string_equal(attn_version(), ATTN_VERSION_STRING);
}

static void text_and_number_say_the_same(void **state) {
    (void)state;
    int major, minor, patch, read = 0;
    assert_int_equal(sscanf(attn_version(), "%d.%d.%d%n", &major, &minor, &patch, &read), 3);
    assert_int_equal(attn_version()[read], '\0');
    assert_int_equal(attn_version_number(), major * 1000000 + minor * 1000 + patch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(library_and_header_agree),
        cmocka_unit_test(text_and_number_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
