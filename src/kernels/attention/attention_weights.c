/* kernels/attention/attention_weights.c: the weights of an attention: as they are, and what the gradient with respect
 * to them needs.
 *
 * B, H, G, Tq, Tk as in attn/attention.h. Next: attention_kernels.h. */
#include <string.h>

#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

/* One block of queries of one sequence: every head, and the average. */
static void weights_block(const attn_attention_call *call, const attn_attention_kernels *kernels,
                          int64_t b, int64_t first, real *shared, int64_t forward_key, real *all,
                          real *mean, real *rows, real *scratch) {
    const attn_attention *spec = call->spec;
    int64_t group = spec->heads / spec->kv_heads, columns = spec->key_length;
    int64_t padded = attn_clamp(spec->query_length - first, 0, ATTN_QUERY_BLOCK);
    int64_t count = attn_clamp(attn_sequence_of(spec, b).queries - first, 0, padded);
    real *mean_rows = mean != NULL ? mean + (b * spec->query_length + first) * columns : NULL;
    if (mean != NULL) {
        memset(mean_rows, 0, (size_t)(padded * columns) * sizeof(real));
    }
    for (int64_t h = 0; h < spec->heads; h++) {
        real *out = rows;
        if (all != NULL) {
            out = all + ((b * spec->heads + h) * spec->query_length + first) * columns;
            memset(out + count * columns, 0, (size_t)((padded - count) * columns) * sizeof(real));
        }
        if (count > 0) {
            kernels->weights(call, b, h, first,
                             shared_keys(spec, forward_key, shared, b * spec->kv_heads + h / group),
                             out, columns, scratch);
        }
        for (int64_t n = 0; n < count * columns && mean != NULL; n++) {
            mean_rows[n] += out[n];
        }
    }
    for (int64_t n = 0; n < count * columns && mean != NULL; n++) {
        mean_rows[n] /= (real)spec->heads;
    }
}

/* All key heads packed, and for each thread rows_size elements before what the kernel needs. */
static attn_status find_rows_memory(const attn_attention *spec, const attn_attention_sizes *sizes,
                                    int64_t rows_size, work_memory *memory, attn_scratch *scratch,
                                    attn_error *error) {
    const attn_division division = {.threads = threads_for(products_of(spec)),
                                    .shared_count = spec->batch * spec->kv_heads,
                                    .shared_size = all_keys(spec) * sizes->forward_key,
                                    .each = rows_size + sizes->forward_scratch};
    *memory = (work_memory){.shared = NULL};
    return find_memory(memory, &division, scratch, error);
}

static attn_status weights_scratch(const attn_attention_call *call, real *all, real *mean,
                                   attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t rows_size = attn_round_up(
        all != NULL ? 0 : attn_clamp(spec->query_length, 0, ATTN_QUERY_BLOCK) * spec->key_length,
        LANES);
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    work_memory memory;
    attn_status status = find_rows_memory(spec, &sizes, rows_size, &memory, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel num_threads(memory.threads) if (memory.threads > 1)
    {
        attn_attention_pack_shared(call, kernels, memory.shared);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < spec->batch * query_blocks; item++) {
            real *rows = own(&memory);
            weights_block(call, kernels, item / query_blocks,
                          item % query_blocks * ATTN_QUERY_BLOCK, memory.shared, sizes.forward_key,
                          all, mean, rows, rows + rows_size);
        }
    }
    return ATTN_OK;
}

/* ---- with the gradient of the weights ---- */

/* The sum over the keys that query i sees of P * d_weights, in 16 lanes. */
static real weight_dot(const attn_attention_call *call, const attn_sequence *sequence, int64_t b,
                       int64_t h, int64_t i, const real *p) {
    const real *d_weights = call->d_weights + attn_weights_offset(call->spec, b, h, i);
    attn_range seen = attn_visible_keys(call, sequence, i);
    real lanes[LANES] = {0};
    for (int64_t j = seen.first; j < seen.last; j++) {
        lanes[j % LANES] += p[j] * d_weights[j];
    }
    return lanes_sum(lanes);
}

/* One block of queries of head n of B * H. */
static void dots_block(const attn_attention_call *call, const attn_attention_kernels *kernels,
                       int64_t n, int64_t first, attn_packed_keys packed, real *dots, real *rows,
                       real *scratch) {
    const attn_attention *spec = call->spec;
    int64_t b = n / spec->heads, h = n % spec->heads;
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t last = attn_min(first + ATTN_QUERY_BLOCK, sequence.queries);
    if (first >= last) {
        return;
    }
    kernels->weights(call, b, h, first, packed, rows, spec->key_length, scratch);
    for (int64_t i = first; i < last; i++) {
        dots[attn_lse_offset(spec, &sequence, h, i)] =
            weight_dot(call, &sequence, b, h, i, rows + (i - first) * spec->key_length);
    }
}

static attn_status find_dots(const attn_attention_call *call, const attn_attention_kernels *kernels,
                             real *dots, attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t rows_size = attn_round_up(ATTN_QUERY_BLOCK * spec->key_length, LANES);
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    work_memory memory;
    attn_status status = find_rows_memory(spec, &sizes, rows_size, &memory, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel num_threads(memory.threads) if (memory.threads > 1)
    {
        attn_attention_pack_shared(call, kernels, memory.shared);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < spec->batch * spec->heads * query_blocks; item++) {
            int64_t n = item / query_blocks, b = n / spec->heads;
            int64_t g = n % spec->heads / (spec->heads / spec->kv_heads);
            real *rows = own(&memory);
            dots_block(call, kernels, n, item % query_blocks * ATTN_QUERY_BLOCK,
                       shared_keys(spec, sizes.forward_key, memory.shared, b * spec->kv_heads + g),
                       dots, rows, rows + rows_size);
        }
    }
    return ATTN_OK;
}

attn_status attn_attention_find_weight_dots(attn_attention_call *call,
                                            const attn_attention_kernels *kernels,
                                            attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    if (call->d_weights == NULL || spec->query_length == 0 || spec->key_length == 0) {
        return ATTN_OK;
    }
    size_t count = (size_t)attn_attention_rows(spec);
    real *dots = attn_alloc_zero(count, sizeof *dots);
    if (dots == NULL) {
        return attn_fail_memory(error, count * sizeof *dots);
    }
    call->weight_dots = dots;
    attn_attention_call weighing = *call;
    weighing.value = NULL; /* pack keys alone */
    weighing.half.value = NULL;
    return find_dots(&weighing, kernels, dots, scratch, error);
}

/* ---- for whoever wants to see them ---- */

attn_status attn_attention_weights(const attn_attention *given_attention, const real *query,
                                   const real *key, const real *lse, real *all, real *mean,
                                   attn_error *error) {
    attn_attention known;
    attn_status status = attn_attention_read(given_attention, &known, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_attention *attention = &known;
    if (attention->batch == 0 || attention->query_length == 0 || attention->key_length == 0 ||
        (all == NULL && mean == NULL)) {
        return ATTN_OK;
    }
    if (query == NULL || key == NULL || lse == NULL) {
        return refuse(error, "query, key or lse is NULL");
    }
    attn_attention_call call = attn_attention_new_call(attention);
    call.query = query;
    call.key = key;
    call.forward_lse = lse;
    attn_scratch scratch = {0};
    status = attn_attention_find_rows(&call, &attn_kernels_current()->attention, &scratch, error);
    if (status == ATTN_OK) {
        status = weights_scratch(&call, all, mean, &scratch, error);
    }
    attn_attention_forget_rows(&call);
    attn_scratch_free(&scratch);
    return status;
}
