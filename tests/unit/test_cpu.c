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

static void tables_follow_the_processor(void **state) {
    (void)state;
    unsigned features = attn_cpu_features();
    (void)features;
#ifdef ATTN_HAVE_AVX2
    assert_int_equal(attn_kernels_for("avx2") != NULL, (features & ATTN_CPU_AVX2) != 0);
#else
    assert_null(attn_kernels_for("avx2"));
#endif
#ifdef ATTN_HAVE_AVX512
    assert_int_equal(attn_kernels_for("avx512") != NULL, (features & ATTN_CPU_AVX512) != 0);
#else
    assert_null(attn_kernels_for("avx512"));
#endif
#ifdef ATTN_HAVE_AVX512VNNI
    assert_int_equal(attn_kernels_for("avx512vnni") != NULL, (features & ATTN_CPU_AVX512VNNI) != 0);
#else
    assert_null(attn_kernels_for("avx512vnni"));
#endif
#ifdef ATTN_HAVE_AMX
    assert_int_equal(attn_kernels_for("amx") != NULL, (features & ATTN_CPU_AMX) != 0);
#else
    assert_null(attn_kernels_for("amx"));
#endif
#ifdef ATTN_HAVE_NEON
    assert_int_equal(attn_kernels_for("neon") != NULL, (features & ATTN_CPU_NEON) != 0);
#else
    assert_null(attn_kernels_for("neon"));
#endif
#ifdef ATTN_HAVE_NEONDOT
    assert_int_equal(attn_kernels_for("neondot") != NULL, (features & ATTN_CPU_NEONDOT) != 0);
#else
    assert_null(attn_kernels_for("neondot"));
#endif
}

static void instructions_can_be_forced(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int i = 0; i < count; i++) {
        assert_int_equal(attn_set_isa(list[i]->isa), ATTN_OK);
        assert_string_equal(attn_isa_name(), list[i]->isa);
        assert_ptr_equal(attn_kernels_current(), list[i]);
    }
    assert_int_equal(attn_set_isa("ref"), ATTN_OK);
    assert_int_equal(attn_set_isa("z80"), ATTN_ERR_UNSUPPORTED);
    assert_string_equal(attn_isa_name(), "ref");
    assert_int_equal(attn_set_isa(NULL), ATTN_OK);
    assert_string_equal(attn_isa_name(), list[count - 1]->isa);
}

/* First of all tests: the environment is read once. */
static void environment_forces(void **state) {
    (void)state;
    assert_int_equal(setenv("ATTN_ISA", "ref", 1), 0);
    assert_string_equal(attn_isa_name(), "ref");
    assert_int_equal(setenv("ATTN_ISA", "z80", 1), 0);
    assert_string_equal(attn_isa_name(), "ref");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_forces),          cmocka_unit_test(threads_are_clamped),
        cmocka_unit_test(one_thread_inside_a_team),    cmocka_unit_test(tables_are_whole),
        cmocka_unit_test(tables_follow_the_processor), cmocka_unit_test(instructions_can_be_forced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
