/* kernels/attention/attention_driver.h: what the drivers of attention share: refusing, threads, and
 * memory for items of work.
 *
 * Which thread does an item, and whether the copies of keys are shared by all threads or made by
 * each for itself, changes no result. Next: attention.c. */
#ifndef ATTN_KERNELS_ATTENTION_DRIVER_H
#define ATTN_KERNELS_ATTENTION_DRIVER_H

#include "attn/threads.h"
#include "base/fail.h"
#include "kernels/attention/attention_kernels.h"

#ifdef _OPENMP
#include <omp.h>
#else
static inline int omp_get_thread_num(void) {
    return 0;
}
#endif

/* A caller's description as this version has it, checked. */
ATTN_MUST_CHECK attn_status attn_attention_read(const attn_attention *given, attn_attention *out,
                                                attn_error *error);
ATTN_MUST_CHECK attn_status attn_attention_read_gradients(const attn_attention_gradients *given,
                                                          attn_attention_gradients *out,
                                                          attn_error *error);

/* What follows from the description; the tensors are still to be filled in. */
attn_attention_call attn_attention_new_call(const attn_attention *attention);

/* The elements of the output do not overlap. */
ATTN_MUST_CHECK attn_status attn_attention_check_output(const attn_attention *spec,
                                                        attn_error *error);

/* Checks the tensors of a call whose description is sound, clears the padding and runs the forward. */
ATTN_MUST_CHECK attn_status attn_attention_forward_call(const attn_attention_call *call,
                                                        attn_scratch *scratch, attn_error *error);

/* The same for the backward, which fills in the gradients. */
ATTN_MUST_CHECK attn_status attn_attention_backward_call(attn_attention_call *call,
                                                         const attn_attention_gradients *gradients,
                                                         attn_scratch *scratch, attn_error *error);

/* Runs the forward of a call that is complete. */
ATTN_MUST_CHECK attn_status attn_attention_run(const attn_attention_call *call,
                                               const attn_attention_kernels *kernels,
                                               attn_scratch *scratch, attn_error *error);

/* Sets call->rows, of what the backward, the weights and the statistics are given: query, key and
 * forward_lse. attn_attention_forget_rows frees them. */
ATTN_MUST_CHECK attn_status attn_attention_find_rows(attn_attention_call *call,
                                                     const attn_attention_kernels *kernels,
                                                     attn_scratch *scratch, attn_error *error);
void attn_attention_forget_rows(attn_attention_call *call);
/* Whether such a forward has nothing to find in a block of queries. */
bool attn_attention_leaves_out(const attn_attention_call *call, int64_t b, int64_t h,
                               int64_t first_query);

/* Sets call->weight_dots where call->d_weights is given; the caller frees them. After attn_attention_find_rows. */
ATTN_MUST_CHECK attn_status attn_attention_find_weight_dots(attn_attention_call *call,
                                                            const attn_attention_kernels *kernels,
                                                            attn_scratch *scratch,
                                                            attn_error *error);
/* How many rows an array has that is laid out as LSE. */
int64_t attn_attention_rows(const attn_attention *spec);

/* Packs every key head into `shared`, one copy after the other. Called by all threads of a team. */
void attn_attention_pack_shared(const attn_attention_call *call,
                                const attn_attention_kernels *kernels, real *shared);

/* How the forward, and how the backward, would divide its work and what memory that takes, in
 * elements. */
typedef struct attn_division {
    attn_plan_division kind;
    int threads;
    int64_t shared_count, shared_size; /* copies that all threads share */
    int64_t each;                      /* of one thread */
    int64_t queries, capacity; /* forward, kinds but blocks: of an item, and keys it packs */
} attn_division;

attn_division attn_attention_divide_forward(const attn_attention *attention,
                                            const attn_attention_kernels *kernels);
/* pieces: d_bias, or what needs no whole heads. */
attn_division attn_attention_divide_backward(const attn_attention *attention,
                                             const attn_attention_kernels *kernels, bool pieces);
bool attn_attention_backward_whole_heads(const attn_attention *attention);

static inline attn_status refuse(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, "attention", -1, NULL, "%s", what);
}

/* products: of how many multiplications the call consists. Waking a thread costs microseconds. */
static inline int threads_for(double products) {
    enum { WORTH_A_THREAD = 1 << 18 };
    return products < WORTH_A_THREAD ? 1 : attn_get_threads();
}

static inline double products_of(const attn_attention *attention) {
    return (double)attention->batch * (double)attention->heads * (double)attention->query_length *
           (double)attention->key_length * (double)(attention->head_size + attention->value_size);
}

/* One buffer cut into `shared` elements and `each` for every thread; every part aligned to 64. */
typedef struct work_memory {
    real *shared, *each;
    int64_t stride;
    int threads;
} work_memory;

static inline bool memory_bytes(const attn_division *division, size_t *shared, size_t *bytes) {
    size_t stride = (size_t)attn_round_up(division->each, 64 / (int64_t)sizeof(real)), private;
    return attn_size_mul((size_t)division->shared_count, (size_t)division->shared_size, shared) &&
           attn_size_mul((size_t)division->threads, stride, &private) &&
           attn_size_add(*shared, private, bytes) && attn_size_mul(*bytes, sizeof(real), bytes);
}

static inline attn_status find_memory(work_memory *memory, const attn_division *division,
                                      attn_scratch *scratch, attn_error *error) {
    size_t shared, bytes;
    if (!memory_bytes(division, &shared, &bytes)) {
        return attn_fail_memory(error, SIZE_MAX);
    }
    memory->shared = attn_scratch_get(scratch, bytes);
    if (memory->shared == NULL) {
        return attn_fail_memory(error, bytes);
    }
    memory->stride = attn_round_up(division->each, 64 / (int64_t)sizeof(real));
    memory->each = memory->shared + shared;
    memory->threads = division->threads;
    return ATTN_OK;
}

static inline real *own(const work_memory *memory) {
    return memory->each + omp_get_thread_num() * memory->stride;
}

/* With many heads each thread packs the keys of its own heads, which then lie in its cache; with few
 * heads all pack first, and share query blocks, of which there are more. */
static inline bool whole_heads(const attn_attention *attention, int threads) {
    enum { ENOUGH = 8 };
    return threads == 1 || attention->batch * attention->kv_heads >= ENOUGH * (int64_t)threads;
}

static inline int64_t blocks(int64_t length, int64_t block) {
    return (length + block - 1) / block;
}

/* Keys that a copy of all keys of a head has room for, and copy n of those that are shared. */
static inline int64_t all_keys(const attn_attention *spec) {
    return attn_round_up(spec->key_length, LANES);
}
static inline attn_packed_keys shared_keys(const attn_attention *spec, int64_t forward_key,
                                           real *shared, int64_t n) {
    return (attn_packed_keys){.memory = shared + n * all_keys(spec) * forward_key,
                              .capacity = all_keys(spec)};
}

#endif
