/* attn/threads.h: how many threads the library uses, and which instructions.
 *
 * Neither changes any result by a single bit; both change only the time.
 * Both are settings of the process, not of a caller: where a program and one of its libraries both use
 * attn, what either of them sets holds for both, and the last one to set it wins. A library that is
 * not the whole program leaves both alone. A program with threads of its own that call attn at the
 * same time shares the cores among them: each call takes attn_get_threads() threads.
 * Next: attn/attention.h. */
#ifndef ATTN_THREADS_H
#define ATTN_THREADS_H

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the number of threads of a call, for the whole process; 0 returns to the default (OMP_NUM_THREADS or
 * the number of cores). Values are clamped to 1 .. 256. Thread-safe. */
ATTN_API void attn_set_threads(int threads);

/* The number of threads the next call will use; at least 1. Thread-safe. */
ATTN_API int attn_get_threads(void);

/* The instruction set in use: "ref", "avx2", "avx512", "avx512vnni", "amx", "neon" or "neondot".
 * "avx512vnni", "amx" and "neondot" differ from the one before in products of 8-bit integers alone;
 * where the processor has AMX, the system is asked that this process may use its tiles. ATTN_ISA in
 * the environment, read once, forces a lower one; a name that this processor lacks or attn does not
 * know is ignored. */
ATTN_API const char *attn_isa_name(void);

/* Forces an instruction set for the process ("" or NULL: the best there is). Returns
 * ATTN_ERR_UNSUPPORTED when this processor or this build lacks it; then nothing changes. Call it
 * while no other attn call is running. */
ATTN_API ATTN_MUST_CHECK attn_status attn_set_isa(const char *name);

#ifdef __cplusplus
}
#endif
#endif
