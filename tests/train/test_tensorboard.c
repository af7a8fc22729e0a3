/* Event files for TensorBoard: the bytes of a record, as computed by another program from the format's description. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "train/tensorboard.h"

static void a_record_is_these_bytes(void **state) {
    (void)state;
    static const unsigned char expected[] = {
        0x21, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x7B, 0xEC, 0xF6, 0x09,
        0x00, 0x00, 0x10, 0x40, 0xFC, 0x54, 0xD9, 0x41, 0x10, 0xAC, 0x02, 0x2A, 0x13,
        0x0A, 0x11, 0x0A, 0x0A, 0x74, 0x72, 0x61, 0x69, 0x6E, 0x2F, 0x6C, 0x6F, 0x73,
        0x73, 0x15, 0x00, 0x00, 0xC0, 0x3F, 0xF4, 0x53, 0x68, 0x57};
    unsigned char record[256];
    size_t size = attn_tensorboard_record("train/loss", 300, 1700000000.25, 1.5, record);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(record, expected, sizeof expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_record_is_these_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
