/* cpu/cpu.c: asks the processor what it can execute. The compiler's own query also asks the system
 * whether it saves the wide registers. */
#include "cpu/cpu.h"

unsigned attn_cpu_features(void) {
    unsigned features = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        features |= ATTN_CPU_AVX2;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        features |= ATTN_CPU_AVX512;
    }
#elif defined(__aarch64__)
    features |= ATTN_CPU_NEON; /* part of the base architecture */
#endif
    return features;
}
