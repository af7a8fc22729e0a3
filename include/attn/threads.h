/* attn/threads.h: how many threads the library uses, and which instructions.
 *
 * Neither changes any result; both change only the time a call takes.
 * attn_set_threads and attn_set_isa are settings of the process. If a program and one of its libraries
 * both use attn, they hold for both, and the last one wins. So a library should leave both alone, and set
 * the number of threads of its own calls with attn_set_threads_here.
 * When several threads of a program call attn at the same time, each call uses attn_get_threads()
 * threads; divide the cores among them.
 *
 * The threads are OpenMP's. GCC's OpenMP lets a thread that waits for others spin for milliseconds. If
 * other programs need the processors too, the thread it waits for then cannot run, and a call can take
 * a hundred times longer. OpenMP reads how long to spin once, when it is loaded, so the library cannot
 * change it: start such a program with GOMP_SPINCOUNT=1000 in its environment, or with
 * OMP_WAIT_POLICY=passive. The tool does so itself. Little work is always done by one thread.
 *
 * After fork(), the thread that lives on in the child computes alone, whatever was set, if attn may have
 * used several threads in it before: OpenMP still counts on those that the child lacks. Threads that
 * the child starts, and a program that it executes, are free of that.
 * Next: attn/attention.h. */
#ifndef ATTN_THREADS_H
#define ATTN_THREADS_H

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the number of threads of a call, for the whole process; 0 returns to the default: OMP_NUM_THREADS, or
 * else the number of processors that the calling thread may use. That is no more than its affinity and, in
 * a container, the quota of its control groups (rounded up) allow; each thread asks once. Values are
 * clamped to 1 .. 256. Thread-safe. */
ATTN_API void attn_set_threads(int threads);

/* The same for calls from the calling thread alone, where it takes precedence; 0 returns to what holds for
 * the process. Thread-safe. */
ATTN_API void attn_set_threads_here(int threads);

/* The number of threads the next call will use; at least 1. Thread-safe. */
ATTN_API int attn_get_threads(void);

/* The instruction sets that this build and this processor have, the lowest and slowest first; NULL from
 * their number on. The first is "ref", plain C; the library uses the last one unless it is told
 * otherwise. Where the processor has AMX, the library asks the system for permission to use its tiles.
 * Thread-safe. */
ATTN_API const char *attn_isa_at(int i);

/* The instruction set in use: the last of attn_isa_at, or the one that ATTN_ISA in the environment,
 * read once, or attn_set_isa asks for. If ATTN_ISA names none of them it is "ref": whoever sets ATTN_ISA
 * wants less than the best, and only plain C is certainly not more than they meant. Thread-safe. */
ATTN_API const char *attn_isa_name(void);

/* Returns ATTN_ERR_UNSUPPORTED, with a list of those there are, if ATTN_ISA in the environment names none
 * of attn_isa_at. A program calls this at its start; the library itself does not complain. */
ATTN_API ATTN_MUST_CHECK attn_status attn_isa_check(attn_error *error);

/* Forces an instruction set for the process ("" or NULL: the best there is). Returns
 * ATTN_ERR_UNSUPPORTED, with a list of those there are, when this processor or this build lacks it;
 * then nothing changes. Call it while no other attn call is running. */
ATTN_API ATTN_MUST_CHECK attn_status attn_set_isa(const char *name, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
