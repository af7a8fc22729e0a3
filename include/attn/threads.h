/* attn/threads.h: how many threads the library uses, and which instructions.
 *
 * Neither changes any result; both change only the time a call takes.
 * Both are settings of the process, not of a caller. If a program and one of its libraries both use
 * attn, each setting holds for both, and the last one wins. So a library should leave both alone.
 * When several threads of a program call attn at the same time, each call uses attn_get_threads()
 * threads; divide the cores among them.
 * Next: attn/attention.h. */
#ifndef ATTN_THREADS_H
#define ATTN_THREADS_H

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the number of threads of a call, for the whole process; 0 returns to the default
 * (OMP_NUM_THREADS or the number of cores). Values are clamped to 1 .. 256. Thread-safe. */
ATTN_API void attn_set_threads(int threads);

/* The number of threads the next call will use; at least 1. Thread-safe. */
ATTN_API int attn_get_threads(void);

/* The instruction set in use: "ref", "avx2", "avx512", "avx512vnni", "amx", "neon" or "neondot".
 * "avx512vnni", "amx" and "neondot" differ from the one before them only in products of 8-bit
 * integers. Where the processor has AMX, the library asks the system for permission to use its
 * tiles. ATTN_ISA in the environment, read once, forces a lower one; a name that this processor
 * lacks or attn does not know is ignored. */
ATTN_API const char *attn_isa_name(void);

/* Forces an instruction set for the process ("" or NULL: the best there is). Returns
 * ATTN_ERR_UNSUPPORTED when this processor or this build lacks it; then nothing changes. Call it
 * while no other attn call is running. */
ATTN_API ATTN_MUST_CHECK attn_status attn_set_isa(const char *name);

#ifdef __cplusplus
}
#endif
#endif
