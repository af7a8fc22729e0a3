/* Threads and instruction sets: what attn/threads.h promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "kernels/table.h"

static void threads_are_clamped(void **state) {
    (void)state;
    int initial = attn_get_threads();
    assert_in_range(initial, 1, 256);
#ifdef _OPENMP
    attn_set_threads(3);
    assert_int_equal(attn_get_threads(), 3);
    attn_set_threads(100000);
    assert_int_equal(attn_get_threads(), 256);
#endif
    attn_set_threads(-5);
    assert_int_equal(attn_get_threads(), 1);
    attn_set_threads(0);
    assert_int_equal(attn_get_threads(), initial);
}

static void one_thread_inside_a_team(void **state) {
    (void)state;
    attn_set_threads(2);
    int inside[2] = {1, 1}, index[2] = {0, 1};
#pragma omp parallel num_threads(2)
    {
        int i = attn_thread_index();
        inside[i] = attn_get_threads();
        index[i] = i;
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(inside[i], 1);
        assert_int_equal(index[i], i);
    }
    assert_int_equal(attn_thread_index(), 0);
    attn_set_threads(0);
}

/* Plain C comes first, names are unique, and no member of any table is missing. */
static void tables_are_whole(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    assert_in_range(count, 1, ATTN_KERNELS_MAX);
    assert_string_equal(list[0]->isa, "ref");
    for (int i = 0; i < count; i++) {
        assert_ptr_equal(attn_kernels_for(list[i]->isa), list[i]);
        for (size_t at = 0; at < sizeof *list[i]; at += sizeof(uintptr_t)) {
            uintptr_t member; /* a function pointer, the name, or the number of rows */
            memcpy(&member, (const char *)list[i] + at, sizeof member);
            assert_true(member != 0);
        }
    }
    assert_int_equal(attn_kernels_list(list, 1), 1);
    assert_null(attn_kernels_for("z80"));
}

/* Every row of the list, in its order: those that are here, and no more after one that is not. */
static void tables_follow_the_list(void **state) {
    (void)state;
    static const char *const all[] = {
#define ATTN_ISA(name, ...) #name,
#include "kernels/isa/list.h"
    };
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX), found = 0;
    for (int i = 0; i < ATTN_KERNELS_MAX; i++) {
        if (found < count && strcmp(all[i], list[found]->isa) == 0) {
            assert_string_equal(attn_isa_at(found++), all[i]);
        } else {
            assert_null(attn_kernels_for(all[i]));
        }
    }
    assert_int_equal(found, count);
    assert_null(attn_isa_at(count));
    assert_null(attn_isa_at(-1));
}

/* The processor of every machine that runs the tests has more than plain C. */
static void there_is_more_than_plain_c(void **state) {
    (void)state;
#if defined(__x86_64__)
    assert_int_equal(attn_kernels_for("avx2") != NULL,
                     __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
#elif defined(__aarch64__)
    assert_non_null(attn_kernels_for("neon"));
#endif
}

/* Where ATTN_TEST_ALL_OF names an architecture, each of its instruction sets is here: an emulator that
 * lacks one would let its tests pass by leaving them out. */
static void none_is_left_out(void **state) {
    (void)state;
    static const char *const row[][2] = {
#define ATTN_ISA(name, architecture, ...) {#name, architecture},
#include "kernels/isa/list.h"
    };
    const char *wanted = getenv("ATTN_TEST_ALL_OF");
    for (int i = 0; wanted != NULL && i < ATTN_KERNELS_MAX; i++) {
        if (strcmp(row[i][1], wanted) == 0 && attn_kernels_for(row[i][0]) == NULL) {
            fail_msg("%s is not here", row[i][0]);
        }
    }
}

/* Of vectors whose length the processor chooses: a multiple of 128 bits, as the architecture has it, and none
 * where there are none. */
static void scalable_vectors_have_a_length(void **state) {
    (void)state;
    int bits = attn_cpu_scalable_bits();
#if defined(__aarch64__)
    assert_true(bits == 0 || (bits >= 128 && bits % 128 == 0 && bits <= 2048));
#else
    assert_int_equal(bits, 0);
#endif
}

static void instructions_can_be_forced(void **state) {
    (void)state;
    for (int i = 0; attn_isa_at(i) != NULL; i++) {
        assert_int_equal(attn_set_isa(attn_isa_at(i), NULL), ATTN_OK);
        assert_string_equal(attn_isa_name(), attn_isa_at(i));
        assert_ptr_equal(attn_kernels_current(), attn_kernels_for(attn_isa_at(i)));
    }
    assert_int_equal(attn_set_isa("ref", NULL), ATTN_OK);
    assert_int_equal(attn_set_isa("z80", NULL), ATTN_ERR_UNSUPPORTED);
    assert_string_equal(attn_isa_name(), "ref");
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
    assert_string_equal(attn_isa_name(), list[count - 1]->isa);
}

/* What is not there is refused with the list of what is. */
static void unknown_names_are_refused(void **state) {
    (void)state;
    attn_error error;
    assert_int_equal(attn_set_isa("z80", &error), ATTN_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.what, "z80"));
    for (int i = 0; attn_isa_at(i) != NULL; i++) {
        assert_non_null(strstr(error.hint, attn_isa_at(i)));
    }
    assert_int_equal(setenv("ATTN_ISA", "avx521", 1), 0);
    assert_int_equal(attn_isa_check(&error), ATTN_ERR_UNSUPPORTED);
    assert_string_equal(error.where, "ATTN_ISA");
    assert_non_null(strstr(error.what, "avx521"));
    assert_int_equal(setenv("ATTN_ISA", "ref", 1), 0);
    assert_int_equal(attn_isa_check(&error), ATTN_OK);
    assert_int_equal(setenv("ATTN_ISA", "", 1), 0);
    assert_int_equal(attn_isa_check(&error), ATTN_OK);
}

/* First of all tests: the environment is read once. A name that is not there leaves plain C, never more
 * than was meant. */
static void environment_forces(void **state) {
    (void)state;
    assert_int_equal(setenv("ATTN_ISA", "z80", 1), 0);
    assert_string_equal(attn_isa_name(), "ref");
    assert_int_equal(unsetenv("ATTN_ISA"), 0);
    assert_string_equal(attn_isa_name(), "ref");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_forces),
        cmocka_unit_test(threads_are_clamped),
        cmocka_unit_test(one_thread_inside_a_team),
        cmocka_unit_test(tables_are_whole),
        cmocka_unit_test(tables_follow_the_list),
        cmocka_unit_test(there_is_more_than_plain_c),
        cmocka_unit_test(none_is_left_out),
        cmocka_unit_test(scalable_vectors_have_a_length),
        cmocka_unit_test(instructions_can_be_forced),
        cmocka_unit_test(unknown_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
