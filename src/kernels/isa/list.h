/* kernels/isa/list.h: the list of instruction sets. There is no other place that names them all.
 *
 *     ATTN_ISA(name, "architecture", "compiler flags", whether this processor has it)
 *
 * kernels/isa/NAME.c holds its kernels and is compiled with the flags, where architecture and compiler
 * allow it (cmake/library.cmake reads the rows, so each keeps this form). Of one architecture the
 * lowest comes first: each takes over what it does not provide from the one before, which the processor
 * must have too. Questions to the processor beyond the compiler's own are in cpu/cpu.h. Whoever includes
 * this file defines ATTN_ISA first; it is undefined at the end. */
/* clang-format off */
ATTN_ISA(ref, "any", "", 1)

ATTN_ISA(avx2, "x86-64", "-mavx2 -mfma",
         __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
ATTN_ISA(avx512, "x86-64",
         "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512",
         __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
ATTN_ISA(avx512vnni, "x86-64",
         "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512vnni -mfma -mprefer-vector-width=512",
         __builtin_cpu_supports("avx512vnni"))
ATTN_ISA(amx, "x86-64",
         "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mamx-tile -mamx-int8 -mprefer-vector-width=512",
         attn_cpu_may_use_amx())

ATTN_ISA(neon, "aarch64", "", 1)
ATTN_ISA(neondot, "aarch64", "-march=armv8.2-a+dotprod", attn_cpu_has_dotprod())
ATTN_ISA(sve, "aarch64", "-march=armv8.2-a+sve -msve-vector-bits=256", attn_cpu_scalable_bits() == 256)
/* clang-format on */
#undef ATTN_ISA
