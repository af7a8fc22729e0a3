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
                int64_t offset = attn_query_offset(&sequence, spec->output, h, i);
                size_t count = (size_t)spec->value_size;
                if (call->half.output != NULL) {
                    memset(call->half.output + offset, 0, count * sizeof *call->half.output);
                } else {
                    memset(call->output + offset, 0, count * sizeof *call->output);
                }
                if (call->lse != NULL) {
                    call->lse[attn_lse_offset(spec, &sequence, h, i)] = -INFINITY;
                }
            }
        }
    }
}

void attn_attention_pack_shared(const attn_attention_call *call,
                                const attn_attention_kernels *kernels, real *shared) {
    const attn_attention *spec = call->spec;
    int64_t key_blocks = blocks(spec->key_length, ATTN_KEY_BLOCK);
    int64_t forward_key = kernels->sizes(spec).forward_key;
#pragma omp for schedule(dynamic, 1)
    for (int64_t item = 0; item < spec->batch * spec->kv_heads * key_blocks; item++) {
        int64_t n = item / key_blocks, first = item % key_blocks * ATTN_KEY_BLOCK;
        int64_t b = n / spec->kv_heads;
        if (first < attn_sequence_of(spec, b).keys) {
            kernels->pack(call, b, n % spec->kv_heads, first,
                          shared_keys(spec, forward_key, shared, n));
        }
    }
}

/* Where windows are short against the keys, an item is a run of queries, and packs only what they
 * see: at least as many queries as a window has keys, so that no key is packed much more than twice,
 * unless threads would go without work. */
static bool divide_windows(const attn_attention *spec, attn_division *division) {
    attn_attention_call call = attn_attention_new_call(spec);
    int64_t window = call.left + call.right, heads = spec->batch * spec->kv_heads;
    int64_t chunk = attn_round_up(window < 4 * ATTN_QUERY_BLOCK ? 4 * ATTN_QUERY_BLOCK : window,
                                  ATTN_QUERY_BLOCK);
    while (chunk > ATTN_QUERY_BLOCK &&
           heads * blocks(spec->query_length, chunk) < 8 * (int64_t)division->threads) {
        chunk = attn_round_up(chunk / 2, ATTN_QUERY_BLOCK);
    }
    division->kind = ATTN_PLAN_WINDOWS;
    division->queries = chunk;
    division->capacity = attn_round_up(chunk + window, ATTN_KEY_BLOCK) + ATTN_KEY_BLOCK;
    return 2 * division->capacity <= spec->key_length;
}

/* Where the queries that share a key head are one block, nothing is gained by a copy of more than one
 * block of keys at a time. */
static bool few_queries(const attn_attention *spec, int threads) {
    int64_t group = spec->heads / spec->kv_heads;
    return spec->key_length > ATTN_KEY_BLOCK && group <= ATTN_QUERY_BLOCK &&
           spec->query_length <= ATTN_QUERY_BLOCK / group &&
           spec->batch * spec->kv_heads >= threads;
}

attn_division attn_attention_divide_forward(const attn_attention *spec,
                                            const attn_attention_kernels *kernels) {
    attn_attention_sizes sizes = kernels->sizes(spec);
    attn_division division = {.threads = threads_for(products_of(spec))};
    if (few_queries(spec, division.threads)) {
        division.kind = ATTN_PLAN_FEW;
        division.each = sizes.forward_scratch + ATTN_KEY_BLOCK * sizes.forward_key;
        return division;
    }
    if (!divide_windows(spec, &division)) {
        bool whole = whole_heads(spec, division.threads);
        division.kind = whole ? ATTN_PLAN_HEADS : ATTN_PLAN_BLOCKS;
        division.queries = spec->query_length;
        division.capacity = all_keys(spec);
    }
    int64_t copy = division.capacity * sizes.forward_key;
    if (division.kind == ATTN_PLAN_BLOCKS) {
        division.shared_count = spec->batch * spec->kv_heads;
        division.shared_size = copy;
        division.each = sizes.forward_scratch;
    } else {
        division.each = copy + sizes.forward_scratch;
    }
    return division;
}

/* A run of queries of the heads that share one key head, with a copy of the keys that they see. */
static void forward_run(const attn_attention_call *call, const attn_attention_kernels *kernels,
                        int64_t n, int64_t first_query, const attn_division *division,
                        real *memory) {
    const attn_attention *spec = call->spec;
    int64_t b = n / spec->kv_heads, g = n % spec->kv_heads;
    int64_t group = spec->heads / spec->kv_heads;
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t last_query = attn_clamp(first_query + division->queries, 0, sequence.queries);
    if (first_query >= last_query) {
        return;
    }
    int64_t first_key = attn_visible_keys(call, &sequence, first_query).first;
    int64_t last_key = attn_visible_keys(call, &sequence, last_query - 1).last;
    attn_packed_keys packed = {.memory = memory,
                               .first = first_key / ATTN_KEY_BLOCK * ATTN_KEY_BLOCK,
                               .capacity = division->capacity};
    for (int64_t key = packed.first; key < last_key; key += ATTN_KEY_BLOCK) {
        kernels->pack(call, b, g, key, packed);
    }
    real *scratch = memory + division->capacity * kernels->sizes(spec).forward_key;
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        for (int64_t first = first_query; first < last_query; first += ATTN_QUERY_BLOCK) {
            if (!attn_attention_leaves_out(call, b, h, first)) {
                kernels->forward(call, b, h, first, packed, scratch);
            }
        }
    }
}

static void forward_runs(const attn_attention_call *call, const attn_attention_kernels *kernels,
                         const attn_division *division, const work_memory *memory) {
    const attn_attention *spec = call->spec;
    int64_t runs = blocks(spec->query_length, division->queries);
#pragma omp parallel for schedule(dynamic, 1) num_threads(memory->threads) if (memory->threads > 1)
    for (int64_t item = 0; item < spec->batch * spec->kv_heads * runs; item++) {
        forward_run(call, kernels, item / runs, item % runs * division->queries, division,
                    own(memory));
    }
}

static void attention_forward_few(const attn_attention_call *call,
                                  const attn_attention_kernels *kernels,
                                  const work_memory *memory) {
    const attn_attention *spec = call->spec;
#pragma omp parallel for schedule(dynamic, 1) num_threads(memory->threads) if (memory->threads > 1)
    for (int64_t item = 0; item < spec->batch * spec->kv_heads; item++) {
        kernels->forward_few(call, item / spec->kv_heads, item % spec->kv_heads, own(memory));
    }
}

static void forward_blocks(const attn_attention_call *call, const attn_attention_kernels *kernels,
                           const work_memory *memory) {
    const attn_attention *spec = call->spec;
    int64_t group = spec->heads / spec->kv_heads, forward_key = kernels->sizes(spec).forward_key;
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
#pragma omp parallel num_threads(memory->threads) if (memory->threads > 1)
    {
        attn_attention_pack_shared(call, kernels, memory->shared);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < spec->batch * spec->heads * query_blocks; item++) {
            int64_t n = item / query_blocks, first = item % query_blocks * ATTN_QUERY_BLOCK;
            int64_t b = n / spec->heads, h = n % spec->heads;
            if (first < attn_sequence_of(spec, b).queries &&
                !attn_attention_leaves_out(call, b, h, first)) {
                attn_packed_keys packed =
                    shared_keys(spec, forward_key, memory->shared, b * spec->kv_heads + h / group);
                kernels->forward(call, b, h, first, packed, own(memory));
            }
        }
    }
}

attn_status attn_attention_run(const attn_attention_call *call,
                               const attn_attention_kernels *kernels, attn_scratch *scratch,
                               attn_error *error) {
    attn_division division = attn_attention_divide_forward(call->spec, kernels);
    work_memory memory = {.shared = NULL};
    attn_status status = find_memory(&memory, &division, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (division.kind == ATTN_PLAN_FEW) {
        attention_forward_few(call, kernels, &memory);
    } else if (division.kind == ATTN_PLAN_BLOCKS) {
        forward_blocks(call, kernels, &memory);
    } else {
        forward_runs(call, kernels, &division, &memory);
    }
    return ATTN_OK;
}

attn_status attn_attention_forward_call(const attn_attention_call *call, attn_scratch *scratch,
                                        attn_error *error) {
    const attn_attention *spec = call->spec;
    const attn_half_tensors *half = &call->half;
    if (spec->batch == 0 || spec->query_length == 0) {
        return ATTN_OK;
    }
    bool keys =
        (call->key != NULL && call->value != NULL) || (half->key != NULL && half->value != NULL);
    bool queries = (call->query != NULL && call->output != NULL) ||
                   (half->query != NULL && half->output != NULL);
    if (!queries || (!keys && spec->key_length > 0)) {
        return refuse(error, "query, key, value or output is NULL");
    }
    attn_status status = attn_attention_check_output(spec, error);
    if (status != ATTN_OK) {
        return status;
    }
    clear_padding(call);
    return attn_attention_run(call, &attn_kernels_current()->attention, scratch, error);
}

attn_status attn_attention_forward_scratch(const attn_attention *attention, const real *query,
                                           const real *key, const real *value, real *output,
                                           real *lse, attn_scratch *scratch, attn_error *error) {
    attn_status status = attn_attention_check(attention, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_attention_call call = attn_attention_new_call(attention);
    call.query = query;
    call.key = key;
    call.value = value;
    call.output = output;
    call.lse = lse;
    return attn_attention_forward_call(&call, scratch, error);
}

attn_status attn_attention_forward(const attn_attention *attention, const real *query,
                                   const real *key, const real *value, real *output, real *lse,
                                   attn_error *error) {
    attn_scratch scratch = {0};
    attn_attention known;
    attn_status status = attn_attention_read(attention, &known, error);
    if (status == ATTN_OK) {
        status =
            attn_attention_forward_scratch(&known, query, key, value, output, lse, &scratch, error);
    }
    attn_scratch_free(&scratch);
    return status;
}
