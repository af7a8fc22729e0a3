/* cpu/threads.c: the number of threads.
 *
 * Next: cpu/quota.c, what a container may use. */
#include "attn/threads.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(_OPENMP) && (defined(__unix__) || defined(__APPLE__))
#include <pthread.h>
#endif

#include "base/minmax.h"
#include "cpu/cpu.h"

enum { MAX_THREADS = 256 };

static atomic_int wanted;             /* of the process; 0: the default */
static _Thread_local int wanted_here; /* of this thread; 0: as the process */

static int clamped(int threads) {
    return (int)attn_max(1, attn_min(threads, MAX_THREADS));
}

void attn_set_threads(int threads) {
    atomic_store(&wanted, threads == 0 ? 0 : clamped(threads));
}

void attn_set_threads_here(int threads) {
    wanted_here = threads == 0 ? 0 : clamped(threads);
}

#ifdef _OPENMP

/* The most threads that are of use to this thread by default: the processors that it may run on and the
 * container's share of their time; more threads than that would wait for each other. Whoever sets
 * OMP_NUM_THREADS knows better. */
static int most_of_use(void) {
    if (getenv("OMP_NUM_THREADS") != NULL) {
        return MAX_THREADS;
    }
    int processors = omp_get_num_procs(), quota = attn_cpu_quota("");
    return clamped(quota != 0 ? (int)attn_min(quota, processors) : processors);
}

static int default_threads(void) {
    static _Thread_local int most; /* 0: not yet asked */
    most = most != 0 ? most : most_of_use();
    return (int)attn_min(clamped(omp_get_max_threads()), most);
}

/* In a forked child, a thread that had a team of threads still counts on it, though only the thread itself
 * lives on: the next region with more than one thread would wait for the others for ever. */
static _Thread_local bool has_team, has_lost_team;

#if defined(__unix__) || defined(__APPLE__)
static void after_fork_in_child(void) {
    has_lost_team = has_lost_team || has_team;
}

__attribute__((constructor)) static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, after_fork_in_child); /* fails for want of memory alone */
}
#endif

int attn_get_threads(void) {
    if (has_lost_team || omp_in_parallel()) {
        return 1; /* within a region the caller has already divided the work */
    }
    int threads = wanted_here != 0 ? wanted_here : atomic_load(&wanted);
    threads = threads != 0 ? threads : default_threads();
    has_team = has_team || threads > 1;
    return threads;
}

int attn_thread_index(void) {
    return omp_get_thread_num();
}

#else

int attn_get_threads(void) {
    return 1;
}

int attn_thread_index(void) {
    return 0;
}

#endif
