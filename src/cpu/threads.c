/* cpu/threads.c: the number of threads. */
#include "attn/threads.h"

#include <stdatomic.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cpu/cpu.h"

enum { MAX_THREADS = 256 };

static atomic_int wanted; /* 0: the default */

static int clamped(int threads) {
    return threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
}

void attn_set_threads(int threads) {
    atomic_store(&wanted, threads == 0 ? 0 : clamped(threads));
}

int attn_get_threads(void) {
#ifdef _OPENMP
    if (omp_in_parallel()) {
        return 1; /* the caller has already divided the work */
    }
    int threads = atomic_load(&wanted);
    return threads != 0 ? threads : clamped(omp_get_max_threads());
#else
    return 1;
#endif
}

int attn_thread_index(void) {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}
