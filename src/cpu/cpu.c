/* cpu/cpu.c: asks the processor and the system what they can execute. Elsewhere than on the processor
 * concerned each answer is no. */
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
#include <sys/prctl.h>
#endif

/* Linux saves the tiles only for a process that has asked for it. */
static int may_use_tiles(void) {
#if defined(__x86_64__) && defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return 0;
#endif
}

int attn_cpu_may_use_amx(void) {
#if defined(__x86_64__)
    const unsigned tile = 1u << 24, int8 = 1u << 25;
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tile) != 0 && (d & int8) != 0 &&
           may_use_tiles();
#else
    return may_use_tiles();
#endif
}

/* Where the compiler may use dot products anywhere, as on every Apple processor, they are there. */
int attn_cpu_has_dotprod(void) {
#if defined(__ARM_FEATURE_DOTPROD)
    return 1;
#elif defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    return 0;
#endif
}

int attn_cpu_scalable_bits(void) {
#if defined(__aarch64__) && defined(__linux__) && defined(HWCAP_SVE) && defined(PR_SVE_GET_VL)
    int length = (getauxval(AT_HWCAP) & HWCAP_SVE) != 0 ? prctl(PR_SVE_GET_VL) : -1; /* in bytes */
    return length > 0 ? 8 * (length & PR_SVE_VL_LEN_MASK) : 0;
#else
    return 0;
#endif
}
