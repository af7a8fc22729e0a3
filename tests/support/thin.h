/* How many cases a test may pass over: under an emulator, which is fifty times slower, and under sanitizers some of
 * them have to do. */
#ifndef ATTN_TESTS_THIN_H
#define ATTN_TESTS_THIN_H

#include <stdlib.h>

/* The step of a loop over cases: 3 when ATTN_TEST_THIN is set, else 1. */
static inline int thin_step(void) {
    return getenv("ATTN_TEST_THIN") != NULL ? 3 : 1;
}

#endif
