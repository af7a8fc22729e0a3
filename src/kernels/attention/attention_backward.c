/* kernels/attention/attention_backward.c: the driver of the gradients: whole heads, or blocks of
 * keys and of queries where there are fewer heads than threads could use.
 *
 * B, H, G, Tq, Tk, D, E as in attn/attention.h. Next: attention_backward_body.h. */
#include <string.h>

#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

/* Gradients at padded places are 0. */
static void clear_padded_gradients(const attn_attention_call *call) {
    const attn_attention *spec = call->spec;
    for (int64_t b = 0; b < spec->batch; b++) {
        attn_sequence sequence = attn_sequence_of(spec, b);
        for (int64_t h = 0; h < spec->heads && spec->query_lengths != NULL; h++) {
            for (int64_t i = sequence.queries; i < spec->query_length && call->d_query; i++) {
                memset(call->d_query + attn_query_offset(&sequence, spec->query, h, i), 0,
                       (size_t)spec->head_size * sizeof(real));
            }
        }
        for (int64_t g = 0; g < spec->kv_heads && spec->key_lengths != NULL; g++) {
            for (int64_t j = sequence.keys; j < spec->key_length; j++) {
                if (call->d_key != NULL) {
                    memset(call->d_key + attn_key_offset(&sequence, spec->key, g, j), 0,
                           (size_t)spec->head_size * sizeof(real));
                }
                if (call->d_value != NULL) {
                    memset(call->d_value + attn_key_offset(&sequence, spec->value, g, j), 0,
                           (size_t)spec->value_size * sizeof(real));
                }
            }
        }
    }
}

attn_division attn_attention_divide_backward(const attn_attention *spec,
                                             const attn_attention_kernels *kernels, bool pieces) {
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t group = spec->heads / spec->kv_heads;
    return (attn_division){
        .kind = pieces ? ATTN_PLAN_BLOCKS : ATTN_PLAN_HEADS,
        .threads = threads_for(2 * products_of(spec)),
        .shared_count = pieces ? spec->batch * spec->kv_heads : 0,
        .shared_size = sizes.backward_keys + group * sizes.backward_queries,
        .each = sizes.backward_scratch,
    };
}

static attn_status backward_heads(const attn_attention_call *call,
                                  const attn_attention_kernels *kernels, attn_scratch *scratch,
                                  attn_error *error) {
    const attn_attention *spec = call->spec;
    attn_division division = attn_attention_divide_backward(spec, kernels, false);
    work_memory memory = {.shared = NULL};
    attn_status status = find_memory(&memory, &division, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(memory.threads) if (memory.threads > 1)
    for (int64_t n = 0; n < spec->batch * spec->kv_heads; n++) {
        kernels->backward(call, n / spec->kv_heads, n % spec->kv_heads, own(&memory));
    }
    return ATTN_OK;
}

/* Every element of d_bias is one sum in the order of b, h, i: an item takes a range of elements and
 * goes through all that is added to it. Where no dimension is broadcast that is one block each. */
static void backward_bias_item(const attn_attention_call *call,
                               const attn_attention_kernels *kernels, int64_t item,
                               const work_memory *memory, const attn_attention_sizes *sizes) {
    const attn_attention *spec = call->spec;
    int64_t key_blocks = blocks(spec->key_length, ATTN_KEY_BLOCK);
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    int64_t first_key = item % key_blocks * ATTN_KEY_BLOCK, rest = item / key_blocks;
    int64_t from[3] = {0, 0, 0}, to[3] = {spec->batch, spec->heads, query_blocks};
    bool own_items[3] = {spec->bias_batch != 0, spec->bias_head != 0, spec->bias_query != 0};
    for (int dimension = 0; dimension < 3; dimension++) {
        if (own_items[dimension]) {
            from[dimension] = rest % to[dimension];
            rest /= to[dimension];
            to[dimension] = from[dimension] + 1;
        }
    }
    const real *queries = memory->shared + spec->batch * spec->kv_heads * sizes->backward_keys;
    for (int64_t b = from[0]; b < to[0]; b++) {
        attn_sequence sequence = attn_sequence_of(spec, b);
        for (int64_t h = from[1]; h < to[1] && first_key < sequence.keys; h++) {
            int64_t g = h / (spec->heads / spec->kv_heads);
            attn_backward_packed packed = {
                memory->shared + (b * spec->kv_heads + g) * sizes->backward_keys,
                queries + (b * spec->heads + h) * sizes->backward_queries};
            for (int64_t block = from[2]; block < to[2]; block++) {
                if (block * ATTN_QUERY_BLOCK < sequence.queries) {
                    kernels->backward_bias(call, b, h, block * ATTN_QUERY_BLOCK, first_key, packed,
                                           own(memory));
                }
            }
        }
    }
}

static int64_t backward_bias_items(const attn_attention *spec) {
    int64_t items = blocks(spec->key_length, ATTN_KEY_BLOCK);
    items *= spec->bias_batch != 0 ? spec->batch : 1;
    items *= spec->bias_head != 0 ? spec->heads : 1;
    return items * (spec->bias_query != 0 ? blocks(spec->query_length, ATTN_QUERY_BLOCK) : 1);
}

/* Keys, then queries, into shared memory. Called by all threads of a team. */
static void backward_pack(const attn_attention_call *call, const attn_attention_kernels *kernels,
                          real *shared, const attn_attention_sizes *sizes) {
    const attn_attention *spec = call->spec;
    int64_t key_blocks = blocks(spec->key_length, ATTN_KEY_BLOCK);
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    real *queries = shared + spec->batch * spec->kv_heads * sizes->backward_keys;
#pragma omp for schedule(dynamic, 1) nowait
    for (int64_t item = 0; item < spec->batch * spec->kv_heads * key_blocks; item++) {
        int64_t n = item / key_blocks, first = item % key_blocks * ATTN_KEY_BLOCK;
        int64_t b = n / spec->kv_heads;
        if (first < attn_sequence_of(spec, b).keys) {
            kernels->backward_pack_keys(call, b, n % spec->kv_heads, first,
                                        shared + n * sizes->backward_keys);
        }
    }
#pragma omp for schedule(dynamic, 1)
    for (int64_t item = 0; item < spec->batch * spec->heads * query_blocks; item++) {
        int64_t n = item / query_blocks, first = item % query_blocks * ATTN_QUERY_BLOCK;
        int64_t b = n / spec->heads;
        if (first < attn_sequence_of(spec, b).queries) {
            kernels->backward_pack_queries(call, b, n % spec->heads, first,
                                           queries + n * sizes->backward_queries);
        }
    }
}

/* One item for each block of keys (dK, dV) and each block of queries (dQ). */
static void backward_piece(const attn_attention_call *call, const attn_attention_kernels *kernels,
                           int64_t item, const work_memory *memory,
                           const attn_attention_sizes *sizes) {
    const attn_attention *spec = call->spec;
    int64_t group = spec->heads / spec->kv_heads;
    int64_t key_blocks = blocks(spec->key_length, ATTN_KEY_BLOCK);
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    int64_t key_items = spec->batch * spec->kv_heads * key_blocks;
    const real *queries = memory->shared + spec->batch * spec->kv_heads * sizes->backward_keys;
    if (item < key_items) {
        int64_t n = item / key_blocks, first = item % key_blocks * ATTN_KEY_BLOCK;
        int64_t b = n / spec->kv_heads, g = n % spec->kv_heads;
        bool wanted = call->d_key != NULL || call->d_value != NULL;
        if (wanted && first < attn_sequence_of(spec, b).keys) {
            attn_backward_packed packed = {memory->shared + n * sizes->backward_keys,
                                           queries + (b * spec->heads + g * group) *
                                                         sizes->backward_queries};
            kernels->backward_keys(call, b, g, first, packed, own(memory));
        }
        return;
    }
    item -= key_items;
    int64_t n = item / query_blocks, first = item % query_blocks * ATTN_QUERY_BLOCK;
    int64_t b = n / spec->heads, h = n % spec->heads;
    if (call->d_query != NULL && first < attn_sequence_of(spec, b).queries) {
        attn_backward_packed packed = {memory->shared +
                                           (b * spec->kv_heads + h / group) * sizes->backward_keys,
                                       queries + n * sizes->backward_queries};
        kernels->backward_queries(call, b, h, first, packed, own(memory));
    }
}

/* Everything in pieces, or only d_bias. */
static attn_status backward_pieces(const attn_attention_call *call,
                                   const attn_attention_kernels *kernels, bool only_bias,
                                   attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t group = spec->heads / spec->kv_heads;
    int64_t pieces = only_bias ? 0
                               : spec->batch * spec->kv_heads *
                                     (blocks(spec->key_length, ATTN_KEY_BLOCK) +
                                      group * blocks(spec->query_length, ATTN_QUERY_BLOCK));
    attn_division division = attn_attention_divide_backward(spec, kernels, true);
    work_memory memory = {.shared = NULL};
    attn_status status = find_memory(&memory, &division, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel num_threads(memory.threads) if (memory.threads > 1)
    {
        backward_pack(call, kernels, memory.shared, &sizes);
#pragma omp for schedule(dynamic, 1) nowait
        for (int64_t item = 0; item < pieces; item++) {
            backward_piece(call, kernels, item, &memory, &sizes);
        }
        if (call->d_bias != NULL) {
#pragma omp for schedule(dynamic, 1)
            for (int64_t item = 0; item < backward_bias_items(spec); item++) {
                backward_bias_item(call, kernels, item, &memory, &sizes);
            }
        }
    }
    return ATTN_OK;
}

/* In pieces two of the seven products are done twice, so that whole heads win unless threads idle
 * for more than two sevenths of the time. */
bool attn_attention_backward_whole_heads(const attn_attention *spec) {
    int threads = threads_for(2 * products_of(spec));
    int64_t heads = spec->batch * spec->kv_heads;
    return 5 * blocks(heads, threads) * threads <= 7 * heads;
}

/* Whether two places of a bias that is not broadcast share an element. */
static bool bias_overlaps(const attn_attention *spec) {
    int64_t strides[3] = {spec->bias_query, spec->bias_head, spec->bias_batch};
    int64_t counts[3] = {spec->query_length, spec->heads, spec->batch};
    int64_t span = spec->key_length;
    bool placed[3] = {false, false, false};
    for (int round = 0; round < 3; round++) {
        int next = -1;
        for (int n = 0; n < 3; n++) {
            bool counts_here = !placed[n] && strides[n] != 0 && counts[n] > 1;
            if (counts_here && (next < 0 || strides[n] < strides[next])) {
                next = n;
            }
        }
        if (next < 0) {
            return false;
        }
        if (strides[next] < span) {
            return true;
        }
        span += (counts[next] - 1) * strides[next];
        placed[next] = true;
    }
    return false;
}

static attn_status check_backward(const attn_attention_call *call, attn_error *error) {
    const attn_attention *spec = call->spec;
    if (call->d_bias != NULL && (spec->bias == NULL || bias_overlaps(spec))) {
        return refuse(
            error,
            spec->bias == NULL
                ? "d_bias needs a bias"
                : "d_bias needs a bias whose elements do not overlap (strides of 0 may broadcast)");
    }
    if (call->d_sinks != NULL && spec->sinks == NULL) {
        return refuse(error, "d_sinks needs sinks");
    }
    if (spec->score_hook != NULL && spec->score_hook_backward == NULL) {
        return refuse(error, "the gradient needs score_hook_backward");
    }
    if (spec->query_length > 0 && (call->query == NULL || call->forward_output == NULL ||
                                   call->forward_lse == NULL || call->d_output == NULL)) {
        return refuse(error, "query, output, lse or d_output is NULL");
    }
    if (spec->key_length > 0 && (call->key == NULL || call->value == NULL)) {
        return refuse(error, "key or value is NULL");
    }
    return ATTN_OK;
}

static void backward_sinks(const attn_attention_call *call, const attn_attention_kernels *kernels) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads_for(2 * products_of(call->spec)))
    for (int64_t h = 0; h < call->spec->heads; h++) {
        call->d_sinks[h] += kernels->backward_sink(call, h);
    }
}

attn_status attn_attention_backward_scratch(const attn_attention *attention, const real *query,
                                            const real *key, const real *value, const real *output,
                                            const real *lse, const real *d_output,
                                            const attn_attention_gradients *gradients,
                                            attn_scratch *scratch, attn_error *error) {
    attn_status status = attn_attention_check(attention, error);
    if (status != ATTN_OK || attention->batch == 0) {
        return status;
    }
    attn_attention_call call = attn_attention_new_call(attention);
    call.query = query;
    call.key = key;
    call.value = value;
    call.forward_output = output;
    call.forward_lse = lse;
    call.d_output = d_output;
    call.d_query = gradients->d_query;
    call.d_key = gradients->d_key;
    call.d_value = gradients->d_value;
    call.d_bias = gradients->d_bias;
    call.d_sinks = gradients->d_sinks;
    status = check_backward(&call, error);
    if (status != ATTN_OK) {
        return status;
    }
    clear_padded_gradients(&call);
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    bool any = call.d_query != NULL || call.d_key != NULL || call.d_value != NULL;
    bool whole = any && attn_attention_backward_whole_heads(attention);
    status = attn_attention_find_rows(&call, kernels, scratch, error);
    if (status == ATTN_OK && whole) {
        status = backward_heads(&call, kernels, scratch, error);
    }
    if (status == ATTN_OK && ((any && !whole) || call.d_bias != NULL)) {
        status = backward_pieces(&call, kernels, whole, scratch, error);
    }
    if (status == ATTN_OK && call.d_sinks != NULL) {
        backward_sinks(&call, kernels);
    }
    attn_attention_forget_rows(&call);
    return status;
}

attn_status attn_attention_backward(const attn_attention *attention, const real *query,
                                    const real *key, const real *value, const real *output,
                                    const real *lse, const real *d_output,
                                    const attn_attention_gradients *gradients, attn_error *error) {
    attn_scratch scratch = {0};
    attn_attention known;
    attn_attention_gradients wanted;
    attn_status status = attn_attention_read(attention, &known, error);
    status = status == ATTN_OK ? attn_attention_read_gradients(gradients, &wanted, error) : status;
    if (status == ATTN_OK) {
        status = attn_attention_backward_scratch(&known, query, key, value, output, lse, d_output,
                                                 &wanted, &scratch, error);
    }
    attn_scratch_free(&scratch);
    return status;
}
