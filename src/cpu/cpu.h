/* cpu/cpu.h: what this processor, and the system it runs under, can execute, where the compiler's
 * __builtin_cpu_supports does not say; which thread this is.
 *
 * Next: kernels/isa/list.h, which asks. */
#ifndef ATTN_CPU_CPU_H
#define ATTN_CPU_CPU_H

/* x86-64: AMX with its products of 8-bit integers. Asks the system that this process may use the tiles.
 * Thread-safe, as are all here. */
int attn_cpu_may_use_amx(void);

/* 64-bit ARM: the dot products of 8-bit integers of ARMv8.2. */
int attn_cpu_has_dotprod(void);

/* 64-bit ARM: how many bits this process's scalable vectors have; 0: the processor has none. */
int attn_cpu_scalable_bits(void);

/* Linux: how many processors' time the control groups of this process allow, rounded up; 0: as many as
 * there are. Files are sought below the folder root, "" but in tests. */
int attn_cpu_quota(const char *root);

/* Which thread of the innermost parallel region this is, from 0. */
int attn_thread_index(void);

#endif
