/* kernels/isa/constant.h: a count known at run time as a constant of the compiler, which a tile needs so
 * that its sums stay in registers. */
#ifndef ATTN_KERNELS_ISA_CONSTANT_H
#define ATTN_KERNELS_ISA_CONSTANT_H

#include <assert.h>

#define V_CONSTANT_CASE(value, most, name, statement)                                              \
    case value:                                                                                    \
        if ((value) <= (most)) {                                                                   \
            enum { name = value };                                                                 \
            statement;                                                                             \
        }                                                                                          \
        break;

/* Runs the statement, in which `name` is the constant that count is; not at all for 0. `most` is a
 * constant that count never passes: what is beyond it is not compiled. */
#define V_CONSTANT(count, most, name, statement)                                                   \
    do {                                                                                           \
        _Static_assert((most) <= 12, "a count without a case");                                    \
        assert((count) >= 0 && (count) <= (most));                                                 \
        switch (count) {                                                                           \
            V_CONSTANT_CASE(1, most, name, statement)                                              \
            V_CONSTANT_CASE(2, most, name, statement)                                              \
            V_CONSTANT_CASE(3, most, name, statement)                                              \
            V_CONSTANT_CASE(4, most, name, statement)                                              \
            V_CONSTANT_CASE(5, most, name, statement)                                              \
            V_CONSTANT_CASE(6, most, name, statement)                                              \
            V_CONSTANT_CASE(7, most, name, statement)                                              \
            V_CONSTANT_CASE(8, most, name, statement)                                              \
            V_CONSTANT_CASE(9, most, name, statement)                                              \
            V_CONSTANT_CASE(10, most, name, statement)                                             \
            V_CONSTANT_CASE(11, most, name, statement)                                             \
            V_CONSTANT_CASE(12, most, name, statement)                                             \
        }                                                                                          \
    } while (0)

#endif
