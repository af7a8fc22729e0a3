/* kernels/isa/philox16.h: Philox4x32-10 for sixteen counters at once; the words of base/random.c.
 *
 * Include it after a verbs header. */
#ifndef ATTN_KERNELS_ISA_PHILOX16_H
#define ATTN_KERNELS_ISA_PHILOX16_H

#include <stdint.h>

/* word holds sixteen counters, their first words in word[0] and so on; it receives the sixteen
 * results. One key for all. */
V_INLINE void v_philox(u16x32 word[4], uint64_t key) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        u16x32 high0 = vu_mul_high(word[0], 0xD2511F53U), low0 = vu_mul_low(word[0], 0xD2511F53U);
        u16x32 high1 = vu_mul_high(word[2], 0xCD9E8D57U), low1 = vu_mul_low(word[2], 0xCD9E8D57U);
        word[0] = vu_xor(vu_xor(high1, word[1]), vu_set1(k0));
        word[1] = low1;
        word[2] = vu_xor(vu_xor(high0, word[3]), vu_set1(k1));
        word[3] = low0;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
}

#endif
