/* cpu/cpu.c: asks the processor what it can execute. The compiler's own query also asks the system
 * whether it saves the wide registers. */
#include "cpu/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__aarch64__)
/* Where the compiler may use dot products anywhere, as on every Apple processor, they are there. */
static int has_neon_dot(void) {
#if defined(__ARM_FEATURE_DOTPROD)
    return 1;
#elif defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    return 0;
#endif
}
#endif

#if defined(__x86_64__)
/* Linux saves the tiles only for a process that has asked for it. */
static int may_use_tiles(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return 0;
#endif
}

static int has_amx(void) {
    const unsigned tile = 1u << 24, int8 = 1u << 25;
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tile) != 0 && (d & int8) != 0 &&
           may_use_tiles();
}
#endif

unsigned attn_cpu_features(void) {
    unsigned features = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        features |= ATTN_CPU_AVX2;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        features |= ATTN_CPU_AVX512;
        features |= __builtin_cpu_supports("avx512vnni") ? ATTN_CPU_AVX512VNNI : 0;
    }
    if ((features & ATTN_CPU_AVX512VNNI) && has_amx()) {
        features |= ATTN_CPU_AMX;
    }
#elif defined(__aarch64__)
    features |= ATTN_CPU_NEON; /* part of the base architecture */
    features |= has_neon_dot() ? ATTN_CPU_NEONDOT : 0;
#endif
    return features;
}
