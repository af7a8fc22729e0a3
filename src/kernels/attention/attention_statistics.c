/* kernels/attention/attention_statistics.c: the driver of the statistics of the weights.
 *
 * A row's statistics go through its keys, a column's through the queries, each in one order: where
 * there are heads enough an item is a head and does both in one pass; else rows are shared by blocks
 * of queries, and columns, in a second pass, by blocks of keys.
 * B, H, G, Tq, Tk as in attn/attention.h. Next: attention_statistics_body.h. */
#include <string.h>

#include "base/sized.h"
#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

/* The job of a call: its memory is packed heads and what a thread needs. */
typedef struct statistics_job {
    const attn_attention_call *call;
    const attn_attention_kernels *kernels;
    const attn_weight_statistics *wanted;
    work_memory memory;
    int64_t forward_key;
} statistics_job;

/* One block of queries of head n of B * H. */
static void count_block(const statistics_job *job, const attn_weight_statistics *wanted, int64_t n,
                        int64_t first_query, int64_t first_key, int64_t last_key) {
    const attn_attention *spec = job->call->spec;
    int64_t b = n / spec->heads, h = n % spec->heads, g = h / (spec->heads / spec->kv_heads);
    if (first_query < attn_sequence_of(spec, b).queries) {
        job->kernels->statistics(
            job->call, b, h, first_query, first_key, last_key,
            shared_keys(spec, job->forward_key, job->memory.shared, b * spec->kv_heads + g), wanted,
            own(&job->memory));
    }
}

static void count_queries(const statistics_job *job, const attn_weight_statistics *wanted,
                          int64_t n, int64_t first_key, int64_t last_key) {
    for (int64_t first = 0; first < job->call->spec->query_length; first += ATTN_QUERY_BLOCK) {
        count_block(job, wanted, n, first, first_key, last_key);
    }
}

static void count_all(const statistics_job *job, int threads) {
    const attn_attention *spec = job->call->spec;
    const attn_weight_statistics *wanted = job->wanted;
    attn_weight_statistics rows = *wanted, columns = {.column_sums = wanted->column_sums};
    rows.column_sums = NULL;
    bool any_rows = wanted->entropy != NULL || wanted->largest_keys != NULL;
    bool whole = any_rows && wanted->column_sums != NULL && whole_heads(spec, threads);
    int64_t heads = spec->batch * spec->heads;
    int64_t query_blocks = blocks(spec->query_length, ATTN_QUERY_BLOCK);
    int64_t key_blocks = blocks(spec->key_length, ATTN_KEY_BLOCK);
    int64_t row_items = any_rows && !whole ? heads * query_blocks : 0;
    int64_t column_items = wanted->column_sums != NULL && !whole ? heads * key_blocks : 0;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        attn_attention_pack_shared(job->call, job->kernels, job->memory.shared);
#pragma omp for schedule(dynamic, 1) nowait
        for (int64_t n = 0; n < (whole ? heads : 0); n++) {
            count_queries(job, wanted, n, 0, spec->key_length);
        }
#pragma omp for schedule(dynamic, 1) nowait
        for (int64_t item = 0; item < row_items; item++) {
            count_block(job, &rows, item / query_blocks, item % query_blocks * ATTN_QUERY_BLOCK, 0,
                        spec->key_length);
        }
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < column_items; item++) {
            int64_t first_key = item % key_blocks * ATTN_KEY_BLOCK;
            count_queries(job, &columns, item / key_blocks, first_key, first_key + ATTN_KEY_BLOCK);
        }
    }
}

/* Before anything is counted: 0 everywhere, padding included, and no key. */
static void clear_statistics(const attn_attention *spec, const attn_weight_statistics *wanted) {
    bool packed = spec->query_starts != NULL;
    int64_t heads = packed ? spec->heads : spec->batch * spec->heads;
    int64_t rows = heads * (packed ? spec->query_starts[spec->batch] : spec->query_length);
    int64_t columns = heads * (packed ? spec->key_starts[spec->batch] : spec->key_length);
    if (wanted->entropy != NULL) {
        memset(wanted->entropy, 0, (size_t)rows * sizeof(real));
    }
    if (wanted->column_sums != NULL) {
        memset(wanted->column_sums, 0, (size_t)columns * sizeof(real));
    }
    for (int64_t n = 0; n < rows * wanted->largest && wanted->largest_keys != NULL; n++) {
        wanted->largest_weights[n] = 0;
        wanted->largest_keys[n] = -1;
    }
}

void attn_weight_statistics_init_sized(attn_weight_statistics *wanted, size_t size) {
    const attn_weight_statistics none = {.size = sizeof none};
    attn_sized_init(wanted, size, &none, sizeof none);
}

static attn_status read_wanted(const attn_weight_statistics *given, attn_weight_statistics *out,
                               attn_error *error) {
    *out = (attn_weight_statistics){.size = sizeof *out};
    return attn_sized_read(given, out, sizeof *out,
                           ATTN_SIZE_UP_TO(attn_weight_statistics, column_sums),
                           "attn_weight_statistics", error);
}

attn_status attn_attention_statistics(const attn_attention *given_attention, const real *query,
                                      const real *key, const real *lse,
                                      const attn_weight_statistics *given_wanted,
                                      attn_error *error) {
    attn_attention known;
    attn_weight_statistics known_wanted;
    attn_status status = attn_attention_read(given_attention, &known, error);
    status = status == ATTN_OK ? read_wanted(given_wanted, &known_wanted, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    const attn_attention *attention = &known;
    const attn_weight_statistics *wanted = &known_wanted;
    if (wanted->largest < 0 ||
        (wanted->largest_weights == NULL) != (wanted->largest_keys == NULL)) {
        return refuse(error, "largest must be at least 0, and largest_weights and largest_keys "
                             "must be given together");
    }
    clear_statistics(attention, wanted);
    if (attention->batch == 0 || attention->query_length == 0 || attention->key_length == 0) {
        return ATTN_OK;
    }
    if (query == NULL || key == NULL || lse == NULL) {
        return refuse(error, "query, key or lse is NULL");
    }
    attn_attention_call call = attn_attention_new_call(attention);
    call.query = query;
    call.key = key;
    call.forward_lse = lse;
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    attn_attention_sizes sizes = kernels->sizes(attention);
    statistics_job job = {&call, kernels, wanted, .forward_key = sizes.forward_key};
    attn_division division = {.threads = threads_for(products_of(attention)),
                              .shared_count = attention->batch * attention->kv_heads,
                              .shared_size = all_keys(attention) * sizes.forward_key,
                              .each = sizes.forward_scratch};
    attn_scratch scratch = {0};
    status = attn_attention_find_rows(&call, kernels, &scratch, error);
    if (status == ATTN_OK) {
        status = find_memory(&job.memory, &division, &scratch, error);
    }
    if (status == ATTN_OK) {
        count_all(&job, division.threads);
    }
    attn_attention_forget_rows(&call);
    attn_scratch_free(&scratch);
    return status;
}
