/* kernels/table.h: one struct of function pointers per instruction set.
 *
 * Each is the one below it overlaid with what the instruction set does better, starting from plain
 * C, so none has a hole. Drivers call through attn_kernels_current(); tests walk attn_kernels_list
 * and compare. Next: kernels/operations.h, kernels/isa/list.h. */
#ifndef ATTN_KERNELS_TABLE_H
#define ATTN_KERNELS_TABLE_H

#include "attn/threads.h"
#include "kernels/operations.h"

/* How many instruction sets there are, of all architectures. */
enum {
#define ATTN_ISA(name, ...) ATTN_KERNELS_INDEX_##name,
#include "kernels/isa/list.h"
    ATTN_KERNELS_MAX
};

/* The kernels in use (attn_set_isa, ATTN_ISA, or the best there are). Thread-safe. */
const attn_kernels *attn_kernels_current(void);
/* NULL when this build or this processor lacks the instruction set. Thread-safe. */
const attn_kernels *attn_kernels_for(const char *isa);
/* Those available here, lowest first; returns how many, at most max. Thread-safe. */
int attn_kernels_list(const attn_kernels *out[], int max);

#endif
