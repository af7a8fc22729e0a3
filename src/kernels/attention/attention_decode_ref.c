/* kernels/attention/attention_decode_ref.c: one query row against a cache in plain C: the definition
 * of decoding. D, E as in attn/attention.h. Next: attention_decode_body.h. */
#include "kernels/attention/attention_ref.h"

int64_t attn_attention_decode_scratch_ref(const attn_decode *decode, int64_t longest) {
    (void)decode;
    return longest;
}

/* Scores of all keys into scores; then the same steps as forward_row. */
static void decode_head(const attn_decode *decode, int64_t r, int64_t h, real *scores) {
    int64_t head_size = decode->head_size, value_size = decode->value_size;
    int64_t g = h / (decode->heads / decode->kv_heads);
    real query_factor = attn_attention_factor(decode->scale, head_size);
    const real *keys = decode->keys[r] + g * decode->key_head;
    const real *values = decode->values[r] + g * decode->value_head;
    row_state row;
    row_start(&row, decode->query + r * decode->query_row + h * head_size, query_factor, head_size);
    for (int64_t first = 0; first < decode->lengths[r]; first += ATTN_KEY_BLOCK) {
        int64_t last = minimum(first + ATTN_KEY_BLOCK, decode->lengths[r]);
        for (int64_t j = first; j < last; j++) {
            const real *panel = keys + j / LANES * LANES * head_size;
            scores[j] = dot(row.query, panel + j % LANES, LANES, head_size);
        }
        real max = row_raise(&row, scores + first, last - first, value_size);
        for (int64_t j = first; j < last; j++) {
            real p = real_exp2(scores[j] - max);
            row.sums[j % LANES] += p;
            const real *value = values + j * decode->value_token;
            for (int64_t e = 0; e < value_size; e++) {
                row.acc[e] = real_fma(p, value[e], row.acc[e]);
            }
        }
    }
    real lse =
        row_finish(&row, value_size, decode->output + r * decode->output_row + h * value_size);
    if (decode->weights != NULL && lse != -INFINITY) {
        for (int64_t j = 0; j < decode->lengths[r]; j++) {
            decode->weights[r * decode->weights_row + j] += weight(scores[j], lse);
        }
    }
}

void attn_attention_decode_ref(const attn_decode *decode, int64_t row, int64_t g, real *scratch) {
    int64_t group = decode->heads / decode->kv_heads;
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        decode_head(decode, row, h, scratch);
    }
}
