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
                memset(call->d_query + attn_query_offset(&sequence, call->d_query_strides, h, i), 0,
                       (size_t)spec->head_size * sizeof(real));
            }
        }
        for (int64_t g = 0; g < spec->kv_heads && spec->key_lengths != NULL; g++) {
            for (int64_t j = sequence.keys; j < spec->key_length; j++) {
                if (call->d_key != NULL) {
                    memset(call->d_key + attn_key_offset(&sequence, call->d_key_strides, g, j), 0,
                           (size_t)spec->head_size * sizeof(real));
                }
                if (call->d_value != NULL) {
                    memset(call->d_value + attn_key_offset(&sequence, call->d_value_strides, g, j),
                           0, (size_t)spec->value_size * sizeof(real));
                }
            }
        }
    }
}

attn_division attn_attention_divide_backward(const attn_attention *spec,
                                             const attn_attention_kernels *kernels, bool pieces) {
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t group = spec->heads / spec->kv_heads, heads = spec->batch * spec->kv_heads;
    int threads = threads_for(2 * products_of(spec));
    if (pieces) {
        return (attn_division){
            .kind = ATTN_PLAN_BLOCKS,
            .threads = threads,
            .shared_count = heads,
            .shared_size = sizes.backward_keys + group * sizes.backward_queries,
            .each = sizes.backward_piece,
        };
    }
    return (attn_division){.kind = ATTN_PLAN_HEADS,
                           .threads = (int)attn_max(1, attn_min(threads, heads)),
                           .each = sizes.backward_scratch};
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

/* Which dimensions of a bias split its elements among items, so that none belongs to two. */
typedef struct bias_split {
    bool by[3]; /* batch, heads, blocks of queries */
    bool keys;  /* blocks of keys */
} bias_split;

/* A dimension that is broadcast splits nothing. From the smallest stride up, one that does not reach
 * beyond what lies within shares elements, and with it all within. */
static bias_split split_bias(const attn_attention *spec) {
    const int64_t strides[3] = {spec->bias_batch, spec->bias_head, spec->bias_query};
    const int64_t counts[3] = {spec->batch, spec->heads, spec->query_length};
    bias_split split = {{false, false, false}, true};
    bool placed[3] = {strides[0] == 0, strides[1] == 0, strides[2] == 0};
    for (double reach = (double)spec->key_length;;) {
        int next = -1;
        for (int n = 0; n < 3; n++) {
            if (!placed[n] &&
                (next < 0 || fabs((double)strides[n]) < fabs((double)strides[next]))) {
                next = n;
            }
        }
        if (next < 0) {
            return split;
        }
        double stride = fabs((double)strides[next]);
        split.by[next] = true;
        if (stride < reach && counts[next] > 1) {
            split = (bias_split){{false, false, false}, false};
        }
        reach += (double)(counts[next] - 1) * stride;
        placed[next] = true;
    }
}

/* Every element of d_bias is one sum in the order of b, h, blocks of queries, blocks of keys, i: an item
 * takes a range of elements and goes through all that is added to it. Where no dimension is broadcast
 * and none overlaps that is one block each. */
static void backward_bias_item(const attn_attention_call *call,
                               const attn_attention_kernels *kernels, int64_t item,
                               const work_memory *memory, const attn_attention_sizes *sizes) {
    const attn_attention *spec = call->spec;
    int64_t key_blocks = blocks(spec->key_length, ATTN_KEY_BLOCK);
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    bias_split split = split_bias(spec);
    int64_t rest = split.keys ? item / key_blocks : item;
    int64_t key_from = split.keys ? item % key_blocks : 0;
    int64_t key_to = split.keys ? key_from + 1 : key_blocks;
    int64_t from[3] = {0, 0, 0}, to[3] = {spec->batch, spec->heads, query_blocks};
    for (int dimension = 0; dimension < 3; dimension++) {
        if (split.by[dimension]) {
            from[dimension] = rest % to[dimension];
            rest /= to[dimension];
            to[dimension] = from[dimension] + 1;
        }
    }
    const real *queries = memory->shared + spec->batch * spec->kv_heads * sizes->backward_keys;
    for (int64_t b = from[0]; b < to[0]; b++) {
        attn_sequence sequence = attn_sequence_of(spec, b);
        for (int64_t h = from[1]; h < to[1]; h++) {
            int64_t g = h / (spec->heads / spec->kv_heads);
            attn_backward_packed packed = {
                memory->shared + (b * spec->kv_heads + g) * sizes->backward_keys,
                queries + (b * spec->heads + h) * sizes->backward_queries};
            int64_t last_key = attn_min(key_to, blocks(sequence.keys, ATTN_KEY_BLOCK));
            int64_t last = attn_min(to[2], blocks(sequence.queries, ATTN_QUERY_BLOCK));
            for (int64_t block = from[2]; block < last; block++) {
                for (int64_t key = key_from; key < last_key; key++) {
                    kernels->backward_bias(call, b, h, block * ATTN_QUERY_BLOCK,
                                           key * ATTN_KEY_BLOCK, packed, own(memory));
                }
            }
        }
    }
}

static int64_t backward_bias_items(const attn_attention *spec) {
    bias_split split = split_bias(spec);
    int64_t items = split.keys ? blocks(spec->key_length, ATTN_KEY_BLOCK) : 1;
    items *= split.by[0] ? spec->batch : 1;
    items *= split.by[1] ? spec->heads : 1;
    return items * (split.by[2] ? blocks(spec->query_length, ATTN_QUERY_BLOCK) : 1);
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

/* Whether rows of `span` elements, counts[0] * counts[1] * counts[2] of them these strides apart, share
 * an element. From the smallest stride up, each has to reach beyond all that lies within. */
static bool overlaps(int64_t span, const int64_t counts[3], const int64_t strides[3]) {
    bool placed[3] = {counts[0] <= 1, counts[1] <= 1, counts[2] <= 1};
    for (double reach = (double)span;;) { /* for the product of any counts and strides */
        int next = -1;
        for (int n = 0; n < 3; n++) {
            if (!placed[n] &&
                (next < 0 || fabs((double)strides[n]) < fabs((double)strides[next]))) {
                next = n;
            }
        }
        if (next < 0 || span == 0) {
            return false;
        }
        double stride = fabs((double)strides[next]);
        if (stride < reach) {
            return true;
        }
        reach += (double)(counts[next] - 1) * stride;
        placed[next] = true;
    }
}

/* Of a tensor that is written: each of its elements has one place. */
static bool tensor_overlaps(const attn_attention *spec, const int64_t *starts, int64_t length,
                            int64_t heads, int64_t size, attn_strides s) {
    const int64_t strides[3] = {s.head, s.token, s.batch};
    const int64_t counts[3] = {heads, starts != NULL ? starts[spec->batch] - starts[0] : length,
                               starts != NULL ? 1 : spec->batch};
    return counts[1] > 0 && overlaps(size, counts, strides);
}

attn_status attn_attention_check_output(const attn_attention *spec, attn_error *error) {
    return tensor_overlaps(spec, spec->query_starts, spec->query_length, spec->heads,
                           spec->value_size, spec->output)
               ? refuse(error, "output needs strides that give each element a place of its own")
               : ATTN_OK;
}

static attn_status check_gradients(const attn_attention_call *call, attn_error *error) {
    const attn_attention *spec = call->spec;
    if (call->d_query != NULL &&
        tensor_overlaps(spec, spec->query_starts, spec->query_length, spec->heads, spec->head_size,
                        call->d_query_strides)) {
        return refuse(error,
                      "d_query needs queries whose elements do not overlap (no stride of 0)");
    }
    if (call->d_key != NULL &&
        tensor_overlaps(spec, spec->key_starts, spec->key_length, spec->kv_heads, spec->head_size,
                        call->d_key_strides)) {
        return refuse(error,
                      "d_key needs keys whose elements do not overlap (no stride of 0; query "
                      "heads share keys by kv_heads)");
    }
    if (call->d_value != NULL &&
        tensor_overlaps(spec, spec->key_starts, spec->key_length, spec->kv_heads, spec->value_size,
                        call->d_value_strides)) {
        return refuse(error, "d_value needs values whose elements do not overlap (no stride of 0; "
                             "query heads share values by kv_heads)");
    }
    return ATTN_OK;
}

static attn_status check_backward(const attn_attention_call *call, attn_error *error) {
    const attn_attention *spec = call->spec;
    if (call->d_bias != NULL && spec->bias == NULL) {
        return refuse(error, "d_bias needs a bias");
    }
    if (call->d_sinks != NULL && spec->sinks == NULL) {
        return refuse(error, "d_sinks needs sinks");
    }
    if (spec->score_hook != NULL && spec->score_hook_backward == NULL) {
        return refuse(error, "the gradient needs score_hook_backward");
    }
    const attn_half_tensors *half = &call->half;
    bool queries =
        (call->query != NULL && call->forward_output != NULL && call->d_output != NULL) ||
        (half->query != NULL && half->forward_output != NULL && half->d_output != NULL);
    bool keys =
        (call->key != NULL && call->value != NULL) || (half->key != NULL && half->value != NULL);
    if (spec->query_length > 0 && (!queries || call->forward_lse == NULL)) {
        return refuse(error, "query, output, lse or d_output is NULL");
    }
    if (spec->key_length > 0 && !keys) {
        return refuse(error, "key or value is NULL");
    }
    return check_gradients(call, error);
}

static void backward_sinks(const attn_attention_call *call, const attn_attention_kernels *kernels) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads_for(2 * products_of(call->spec)))
    for (int64_t h = 0; h < call->spec->heads; h++) {
        call->d_sinks[h] += kernels->backward_sink(call, h);
    }
}

attn_status attn_attention_backward_call(attn_attention_call *call,
                                         const attn_attention_gradients *gradients,
                                         attn_scratch *scratch, attn_error *error) {
    if (call->spec->batch == 0) {
        return ATTN_OK;
    }
    call->d_lse = gradients->d_lse;
    call->d_weights = gradients->d_weights;
    call->d_query = gradients->d_query;
    call->d_key = gradients->d_key;
    call->d_value = gradients->d_value;
    call->d_bias = gradients->d_bias;
    call->d_sinks = gradients->d_sinks;
    attn_status status = check_backward(call, error);
    if (status != ATTN_OK) {
        return status;
    }
    clear_padded_gradients(call);
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    bool any = call->d_query != NULL || call->d_key != NULL || call->d_value != NULL;
    bool whole = any && attn_attention_backward_whole_heads(call->spec);
    status = attn_attention_find_rows(call, kernels, scratch, error);
    if (status == ATTN_OK) {
        status = attn_attention_find_weight_dots(call, kernels, scratch, error);
    }
    if (status == ATTN_OK && whole) {
        status = backward_heads(call, kernels, scratch, error);
    }
    if (status == ATTN_OK && ((any && !whole) || call->d_bias != NULL)) {
        status = backward_pieces(call, kernels, whole, scratch, error);
    }
    if (status == ATTN_OK && call->d_sinks != NULL) {
        backward_sinks(call, kernels);
    }
    attn_free((void *)call->weight_dots);
    attn_attention_forget_rows(call);
    return status;
}

attn_status attn_attention_backward_scratch(const attn_attention *attention, const real *query,
                                            const real *key, const real *value, const real *output,
                                            const real *lse, const real *d_output,
                                            const attn_attention_gradients *gradients,
                                            attn_scratch *scratch, attn_error *error) {
    attn_status status = attn_attention_check(attention, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_attention_call call = attn_attention_new_call(attention);
    call.query = query;
    call.key = key;
    call.value = value;
    call.forward_output = output;
    call.forward_lse = lse;
    call.d_output = d_output;
    return attn_attention_backward_call(&call, gradients, scratch, error);
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
