/* kernels/attention/attention_decode.c: the driver of decoding: one query a row against cached keys
 * and values.
 *
 * H, G, D, E as in attn/attention.h; R rows. Next: attention_decode_body.h. */
#include <string.h>

#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

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
    attn_division division = {.threads = threads, .each = kernels->decode_scratch(decode, longest)};
    attn_status status = find_memory(&memory, &division, scratch, NULL);
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
