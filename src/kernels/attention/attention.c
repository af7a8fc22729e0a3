/* kernels/attention/attention.c: the driver: checks the description, finds memory, hands items of
 * work to threads, and calls the kernels of the instruction set in use.
 *
 * Which thread does an item, and whether the copies of keys are shared by all threads or made by
 * each for itself, changes no result. B, H, G, Tq, Tk, D, E as in attn/attention.h.
 * Next: attention_kernels.h. */
#include "kernels/attention/attention.h"

#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/math.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/table.h"

#ifdef _OPENMP
#include <omp.h>
#else
static int omp_get_thread_num(void) {
    return 0;
}
#endif

/* ---- the description ---- */

void attn_attention_init(attn_attention *attention, int64_t batch, int64_t heads, int64_t kv_heads,
                         int64_t query_length, int64_t key_length, int64_t head_size,
                         int64_t value_size) {
    *attention = (attn_attention){
        .batch = batch,
        .heads = heads,
        .kv_heads = kv_heads,
        .query_length = query_length,
        .key_length = key_length,
        .head_size = head_size,
        .value_size = value_size,
        .query = {query_length * heads * head_size, heads * head_size, head_size},
        .key = {key_length * kv_heads * head_size, kv_heads * head_size, head_size},
        .value = {key_length * kv_heads * value_size, kv_heads * value_size, value_size},
        .output = {query_length * heads * value_size, heads * value_size, value_size},
        .window_left = -1,
        .window_right = -1,
    };
}

static attn_status refuse(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, "attention", -1, NULL, "%s", what);
}

static attn_status check_sizes(const attn_attention *attention, attn_error *error) {
    if (attention->batch < 0 || attention->batch > INT32_MAX) {
        return refuse(error, "batch must be 0 .. 2^31 - 1");
    }
    if (attention->heads < 1 || attention->heads > INT32_MAX) {
        return refuse(error, "heads must be 1 .. 2^31 - 1");
    }
    if (attention->kv_heads < 1 || attention->heads % attention->kv_heads != 0) {
        return refuse(error, "heads must be a multiple of kv_heads");
    }
    if (attention->query_length < 0 || attention->query_length > INT32_MAX) {
        return refuse(error, "query_length must be 0 .. 2^31 - 1");
    }
    if (attention->key_length < 0 || attention->key_length > INT32_MAX) {
        return refuse(error, "key_length must be 0 .. 2^31 - 1");
    }
    if (attention->head_size < 1 || attention->head_size > ATTN_MAX_HEAD_SIZE) {
        return refuse(error, "head_size must be 1 .. 256");
    }
    if (attention->value_size < 1 || attention->value_size > ATTN_MAX_HEAD_SIZE) {
        return refuse(error, "value_size must be 1 .. 256");
    }
    if (!(attention->scale - attention->scale == 0)) {
        return refuse(error, "scale must be finite");
    }
    if (!(attention->dropout >= 0 && attention->dropout < 1)) {
        return refuse(error, "dropout must be at least 0 and below 1");
    }
    return ATTN_OK;
}

static attn_status check_lengths(const int64_t *lengths, int64_t batch, int64_t longest,
                                 const char *name, attn_error *error) {
    for (int64_t b = 0; lengths != NULL && b < batch; b++) {
        if (lengths[b] < 0 || lengths[b] > longest) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, name, b, NULL,
                             "length %lld is not within 0 .. %lld", (long long)lengths[b],
                             (long long)longest);
        }
    }
    return ATTN_OK;
}

static attn_status check_starts(const int64_t *starts, int64_t batch, int64_t longest,
                                const char *name, attn_error *error) {
    if (starts[0] < 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, name, 0, NULL, "a start is negative");
    }
    for (int64_t b = 0; b < batch; b++) {
        if (starts[b + 1] < starts[b] || starts[b + 1] - starts[b] > longest) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, name, b, NULL,
                             "sequence from %lld to %lld is not of length 0 .. %lld",
                             (long long)starts[b], (long long)starts[b + 1], (long long)longest);
        }
    }
    return ATTN_OK;
}

attn_status attn_attention_check(const attn_attention *attention, attn_error *error) {
    attn_status status = check_sizes(attention, error);
    if (status != ATTN_OK) {
        return status;
    }
    if ((attention->query_starts == NULL) != (attention->key_starts == NULL)) {
        return refuse(error, "query_starts and key_starts must come together");
    }
    if (attention->query_starts != NULL &&
        (attention->query_lengths != NULL || attention->key_lengths != NULL)) {
        return refuse(error, "starts and lengths exclude each other");
    }
    if (attention->query_starts != NULL) {
        status = check_starts(attention->query_starts, attention->batch, attention->query_length,
                              "query_starts", error);
        return status != ATTN_OK ? status
                                 : check_starts(attention->key_starts, attention->batch,
                                                attention->key_length, "key_starts", error);
    }
    status = check_lengths(attention->query_lengths, attention->batch, attention->query_length,
                           "query_lengths", error);
    return status != ATTN_OK ? status
                             : check_lengths(attention->key_lengths, attention->batch,
                                             attention->key_length, "key_lengths", error);
}

/* Longest reach of a window that makes a difference; keeps i + window from overflowing. */
static int64_t reach(const attn_attention *attention, int64_t window) {
    int64_t all = attention->query_length + attention->key_length;
    return window < 0 || window > all ? all : window;
}

static attn_attention_call new_call(const attn_attention *attention) {
    attn_attention_call call = {.spec = attention};
    call.scale = (real)attn_attention_scale(attention->scale, attention->head_size);
    call.query_factor = attn_attention_factor(attention->scale, attention->head_size);
    call.left = reach(attention, attention->window_left);
    call.right = attention->causal ? 0 : reach(attention, attention->window_right);
    call.dropout = attention->dropout > 0;
    call.keep_factor = 1 / (1 - (real)attention->dropout);
    call.threshold = call.dropout ? attn_dropout_threshold(attention->dropout) : 0;
    call.dropout_key[0] = (uint32_t)attention->dropout_key;
    call.dropout_key[1] = (uint32_t)(attention->dropout_key >> 32);
    return call;
}

/* ---- threads and memory ---- */

/* products: of how many multiplications the call consists. Waking a thread costs microseconds. */
static int threads_for(double products) {
    enum { WORTH_A_THREAD = 1 << 18 };
    return products < WORTH_A_THREAD ? 1 : attn_get_threads();
}

static double products_of(const attn_attention *attention) {
    return (double)attention->batch * (double)attention->heads * (double)attention->query_length *
           (double)attention->key_length * (double)(attention->head_size + attention->value_size);
}

/* One buffer cut into `shared` elements and `each` for every thread; every part aligned to 64. */
typedef struct work_memory {
    real *shared, *each;
    int64_t stride;
} work_memory;

static attn_status find_memory(work_memory *memory, int64_t shared_count, int64_t shared_size,
                               int threads, int64_t each, attn_scratch *scratch,
                               attn_error *error) {
    int64_t stride = attn_round_up(each, 64 / (int64_t)sizeof(real));
    size_t shared, private, total;
    if (!attn_size_mul((size_t)shared_count, (size_t)shared_size, &shared) ||
        !attn_size_mul((size_t)threads, (size_t)stride, &private) ||
        !attn_size_add(shared, private, &total) || !attn_size_mul(total, sizeof(real), &total)) {
        return attn_fail_memory(error, SIZE_MAX);
    }
    memory->shared = attn_scratch_get(scratch, total);
    if (memory->shared == NULL) {
        return attn_fail_memory(error, total);
    }
    memory->stride = stride;
    memory->each = memory->shared + shared;
    return ATTN_OK;
}

static real *own(const work_memory *memory) {
    return memory->each + omp_get_thread_num() * memory->stride;
}

/* With many heads each thread packs the keys of its own heads, which then lie in its cache; with
 * few heads all pack first, and share query blocks, of which there are more. */
static bool whole_heads(const attn_attention *attention, int threads) {
    enum { ENOUGH = 8 };
    return threads == 1 || attention->batch * attention->kv_heads >= ENOUGH * (int64_t)threads;
}

static int64_t blocks(int64_t length, int64_t block) {
    return (length + block - 1) / block;
}

/* ---- forward ---- */

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

/* Packs every key head into memory->shared, `size` apart. Called by all threads of a team. */
static void pack_shared(const attn_attention_call *call, const attn_attention_kernels *kernels,
                        real *shared, int64_t size) {
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
        pack_shared(call, kernels, memory.shared, sizes.forward_packed);
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
    attn_attention_call call = new_call(attention);
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

/* ---- weights ---- */

/* One block of queries of one sequence: every head, and the average. */
static void weights_block(const attn_attention_call *call, const attn_attention_kernels *kernels,
                          int64_t b, int64_t first, const real *packed, int64_t packed_size,
                          real *all, real *mean, real *rows, real *scratch) {
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
                             packed + (b * spec->kv_heads + h / group) * packed_size, out, columns,
                             scratch);
        }
        for (int64_t n = 0; n < count * columns && mean != NULL; n++) {
            mean_rows[n] += out[n];
        }
    }
    for (int64_t n = 0; n < count * columns && mean != NULL; n++) {
        mean_rows[n] /= (real)spec->heads;
    }
}

static attn_status weights_scratch(const attn_attention_call *call, real *all, real *mean,
                                   attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    int threads = threads_for(products_of(spec));
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t rows_size = attn_round_up(
        all != NULL ? 0 : attn_clamp(spec->query_length, 0, ATTN_QUERY_BLOCK) * spec->key_length,
        LANES);
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    work_memory memory;
    attn_status status = find_memory(&memory, spec->batch * spec->kv_heads, sizes.forward_packed,
                                     threads, rows_size + sizes.forward_scratch, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        pack_shared(call, kernels, memory.shared, sizes.forward_packed);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < spec->batch * query_blocks; item++) {
            real *rows = own(&memory);
            weights_block(call, kernels, item / query_blocks,
                          item % query_blocks * ATTN_QUERY_BLOCK, memory.shared,
                          sizes.forward_packed, all, mean, rows, rows + rows_size);
        }
    }
    return ATTN_OK;
}

attn_status attn_attention_weights(const attn_attention *attention, const real *query,
                                   const real *key, const real *lse, real *all, real *mean,
                                   attn_error *error) {
    attn_status status = attn_attention_check(attention, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attention->batch == 0 || attention->query_length == 0 || attention->key_length == 0 ||
        (all == NULL && mean == NULL)) {
        return ATTN_OK;
    }
    if (query == NULL || key == NULL || lse == NULL) {
        return refuse(error, "query, key or lse is NULL");
    }
    attn_attention_call call = new_call(attention);
    call.query = query;
    call.key = key;
    call.forward_lse = lse;
    attn_scratch scratch = {0};
    status = weights_scratch(&call, all, mean, &scratch, error);
    attn_scratch_free(&scratch);
    return status;
}

/* ---- backward ---- */

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

static attn_status backward_heads(const attn_attention_call *call,
                                  const attn_attention_kernels *kernels, int threads,
                                  attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    work_memory memory;
    attn_status status =
        find_memory(&memory, 0, 0, threads, kernels->sizes(spec).backward_scratch, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
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
                                   int threads, attn_scratch *scratch, attn_error *error) {
    const attn_attention *spec = call->spec;
    attn_attention_sizes sizes = kernels->sizes(spec);
    int64_t group = spec->heads / spec->kv_heads;
    int64_t pieces = only_bias ? 0
                               : spec->batch * spec->kv_heads *
                                     (blocks(spec->key_length, ATTN_KEY_BLOCK) +
                                      group * blocks(spec->query_length, ATTN_QUERY_BLOCK));
    work_memory memory;
    attn_status status = find_memory(&memory, spec->batch * spec->kv_heads,
                                     sizes.backward_keys + group * sizes.backward_queries, threads,
                                     sizes.backward_scratch, scratch, error);
    if (status != ATTN_OK) {
        return status;
    }
#pragma omp parallel num_threads(threads) if (threads > 1)
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
static bool backward_whole_heads(const attn_attention *spec, int threads) {
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
        return refuse(error, spec->bias == NULL ? "d_bias needs a bias"
                                                : "d_bias needs a bias whose places do not overlap "
                                                  "(strides of 0 may broadcast)");
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

attn_status attn_attention_backward_scratch(const attn_attention *attention, const real *query,
                                            const real *key, const real *value, const real *output,
                                            const real *lse, const real *d_output, real *d_query,
                                            real *d_key, real *d_value, real *d_bias,
                                            attn_scratch *scratch, attn_error *error) {
    attn_status status = attn_attention_check(attention, error);
    if (status != ATTN_OK || attention->batch == 0) {
        return status;
    }
    attn_attention_call call = new_call(attention);
    call.query = query;
    call.key = key;
    call.value = value;
    call.forward_output = output;
    call.forward_lse = lse;
    call.d_output = d_output;
    call.d_query = d_query;
    call.d_key = d_key;
    call.d_value = d_value;
    call.d_bias = d_bias;
    status = check_backward(&call, error);
    if (status != ATTN_OK) {
        return status;
    }
    clear_padded_gradients(&call);
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    int threads = threads_for(2 * products_of(attention));
    bool any = d_query != NULL || d_key != NULL || d_value != NULL;
    bool whole = any && backward_whole_heads(attention, threads);
    if (whole) {
        status = backward_heads(&call, kernels, threads, scratch, error);
    }
    if (status == ATTN_OK && ((any && !whole) || d_bias != NULL)) {
        status = backward_pieces(&call, kernels, whole, threads, scratch, error);
    }
    return status;
}

attn_status attn_attention_backward(const attn_attention *attention, const real *query,
                                    const real *key, const real *value, const real *output,
                                    const real *lse, const real *d_output, real *d_query,
                                    real *d_key, real *d_value, real *d_bias, attn_error *error) {
    attn_scratch scratch = {0};
    attn_status status =
        attn_attention_backward_scratch(attention, query, key, value, output, lse, d_output,
                                        d_query, d_key, d_value, d_bias, &scratch, error);
    attn_scratch_free(&scratch);
    return status;
}

/* ---- cache and decoding ---- */

void attn_key_cache_put(real *panels, int64_t head_size, int64_t j, const real *key) {
    real *column = panels + j / LANES * LANES * head_size + j % LANES;
    for (int64_t d = 0; d < head_size; d++) {
        column[d * LANES] = key[d];
    }
}

static void decode_row(const attn_decode *decode, const attn_attention_kernels *kernels, int64_t r,
                       real *scratch) {
    real *weights = decode->weights != NULL ? decode->weights + r * decode->weights_row : NULL;
    if (weights != NULL) {
        memset(weights, 0, (size_t)decode->weights_row * sizeof(real));
    }
    for (int64_t g = 0; g < decode->kv_heads; g++) {
        kernels->decode(decode, r, g, scratch);
    }
    for (int64_t j = 0; j < decode->lengths[r] && weights != NULL; j++) {
        weights[j] /= (real)decode->heads;
    }
}

attn_status attn_attention_decode(const attn_decode *decode, attn_scratch *scratch) {
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    int64_t longest = 0;
    double keys = 0;
    for (int64_t r = 0; r < decode->rows; r++) {
        longest = decode->lengths[r] > longest ? decode->lengths[r] : longest;
        keys += (double)decode->lengths[r];
    }
    int threads = threads_for(keys * (double)decode->heads *
                              (double)(decode->head_size + decode->value_size));
    work_memory memory;
    attn_status status = find_memory(&memory, 0, 0, threads,
                                     kernels->decode_scratch(decode, longest), scratch, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    if (decode->weights != NULL) { /* the average over heads is one sum in their order */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
        for (int64_t r = 0; r < decode->rows; r++) {
            decode_row(decode, kernels, r, own(&memory));
        }
        return ATTN_OK;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t item = 0; item < decode->rows * decode->kv_heads; item++) {
        kernels->decode(decode, item / decode->kv_heads, item % decode->kv_heads, own(&memory));
    }
    return ATTN_OK;
}
