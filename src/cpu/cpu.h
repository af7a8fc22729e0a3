/* cpu/cpu.h: what this processor, and the system it runs under, can execute; which thread this is.
 *
 * Next: kernels/table.h, which picks the kernels by it. */
#ifndef ATTN_CPU_CPU_H
#define ATTN_CPU_CPU_H

enum {
    ATTN_CPU_AVX2 = 1 << 0,   /* AVX2 and FMA */
    ATTN_CPU_AVX512 = 1 << 1, /* AVX-512 F, DQ, BW and VL */
    ATTN_CPU_NEON = 1 << 2,
    ATTN_CPU_AVX512VNNI = 1 << 3, /* the above AVX-512 and VNNI: dot products of 8-bit integers */
    ATTN_CPU_NEONDOT = 1 << 4,    /* NEON and its dot products */
    ATTN_CPU_AMX = 1 << 5,        /* all of the above for x86, and tiles of 8-bit integers */
};

/* The bits above that the processor has and whose registers the system saves. Where there is AMX,
 * this asks the system that the process may use its tiles. Thread-safe. */
unsigned attn_cpu_features(void);

/* Which thread of the innermost parallel region this is, from 0. */
int attn_thread_index(void);

#endif
