/* kernels/attention/attention.c: the driver of the forward: checks, finds memory, hands items of work
 * to threads, and calls the kernels of the instruction set in use.
 *
 * B, H, G, Tq, Tk, D, E as in attn/attention.h. Next: attention_kernels.h; attention_backward.c. */
#include <string.h>

#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

/* Queries beyond the real length: output 0, LSE -infinity. */
static void clear_padding(const attn_attention_call *call) {
    const attn_attention *spec = call->spec;
    for (int64_t b = 0; b < spec->batch && spec->query_lengths != NULL; b++) {
        attn_sequence sequence = attn_sequence_of(spec, b);
        for (int64_t h = 0; h < spec->heads; h++) {
            for (int64_t i = sequence.queries; i < spec->query_length; i++) {
                memset(call->output + attn_query_offset(&sequence, spec->output, h, i), 0,
                       (size_t)spec->value_size * sizeof(real));
                if (call->lse != NULL) {
                    call->lse[attn_lse_offset(spec, &sequence, h, i)] = -INFINITY;
                }
            }
        }
    }
}

/* Item n of B * G: packs the keys of one head and does all its queries. */
static void forward_head(const attn_attention_call *call, const attn_attention_kernels *kernels,
                         int64_t n, real *packed, real *scratch) {
    const attn_attention *spec = call->spec;
    int64_t b = n / spec->kv_heads, g = n % spec->kv_heads;
    int64_t group = spec->heads / spec->kv_heads;
    attn_sequence sequence = attn_sequence_of(spec, b);
    for (int64_t first = 0; first < sequence.keys; first += ATTN_KEY_BLOCK) {
        kernels->pack(call, b, g, first, packed);
    }
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        for (int64_t first = 0; first < sequence.queries; first += ATTN_QUERY_BLOCK) {
            kernels->forward(call, b, h, first, packed, scratch);
        }
    }
}

void attn_attention_pack_shared(const attn_attention_call *call,
                                const attn_attention_kernels *kernels, real *shared, int64_t size) {
    const attn_attention *spec = call->spec;
    int64_t key_blocks = blocks(spec->key_length, ATTN_KEY_BLOCK);
#pragma omp for schedule(dynamic, 1)
    for (int64_t item = 0; item < spec->batch * spec->kv_heads * key_blocks; item++) {
        int64_t n = item / key_blocks, first = item % key_blocks * ATTN_KEY_BLOCK;
        int64_t b = n / spec->kv_heads;
        if (first < attn_sequence_of(spec, b).keys) {
            kernels->pack(call, b, n % spec->kv_heads, first, shared + n * size);
        }
    }
}

static attn_status forward_heads(const attn_attention_call *call,
                                 const attn_attention_kernels *kernels, int threads,
                                 attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    attn_attention_sizes sizes = kernels->sizes(spec);
    work_memory memory;
    attn_status status = find_memory(&memory, 0, 0, threads,
                                     sizes.forward_packed + sizes.forward_scratch, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t n = 0; n < spec->batch * spec->kv_heads; n++) {
        real *packed = own(&memory);
        forward_head(call, kernels, n, packed, packed + sizes.forward_packed);
    }
    return ATTN_OK;
}

static attn_status forward_blocks(const attn_attention_call *call,
                                  const attn_attention_kernels *kernels, int threads,
                                  attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t group = spec->heads / spec->kv_heads;
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    work_memory memory;
    attn_status status = find_memory(&memory, spec->batch * spec->kv_heads, sizes.forward_packed,
                                     threads, sizes.forward_scratch, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        attn_attention_pack_shared(call, kernels, memory.shared, sizes.forward_packed);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < spec->batch * spec->heads * query_blocks; item++) {
            int64_t n = item / query_blocks, first = item % query_blocks * ATTN_QUERY_BLOCK;
            int64_t b = n / spec->heads, h = n % spec->heads;
            if (first < attn_sequence_of(spec, b).queries) {
                const real *packed =
                    memory.shared + (b * spec->kv_heads + h / group) * sizes.forward_packed;
                kernels->forward(call, b, h, first, packed, own(&memory));
            }
        }
    }
    return ATTN_OK;
}

attn_status attn_attention_forward_scratch(const attn_attention *attention, const real *query,
                                           const real *key, const real *value, real *output,
                                           real *lse, attn_scratch *scratch, attn_error *error) {
    attn_status status = attn_attention_check(attention, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attention->batch == 0 || attention->query_length == 0) {
        return ATTN_OK;
    }
    if (query == NULL || output == NULL ||
        ((key == NULL || value == NULL) && attention->key_length > 0)) {
        return refuse(error, "query, key, value or output is NULL");
    }
    attn_attention_call call = attn_attention_new_call(attention);
    call.query = query;
    call.key = key;
    call.value = value;
    call.output = output;
    call.lse = lse;
    clear_padding(&call);
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    int threads = threads_for(products_of(attention));
    return whole_heads(attention, threads)
               ? forward_heads(&call, kernels, threads, scratch, error)
               : forward_blocks(&call, kernels, threads, scratch, error);
}

attn_status attn_attention_forward(const attn_attention *attention, const real *query,
                                   const real *key, const real *value, real *output, real *lse,
                                   attn_error *error) {
    attn_scratch scratch = {0};
    attn_status status =
        attn_attention_forward_scratch(attention, query, key, value, output, lse, &scratch, error);
    attn_scratch_free(&scratch);
    return status;
}
