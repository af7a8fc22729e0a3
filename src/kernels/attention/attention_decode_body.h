/* kernels/attention/attention_decode_body.h: one query row against a cache, over vectors.
 *
 * Include after attention_body.h, whose rows and products it shares. */
#ifndef ATTN_KERNELS_ATTENTION_DECODE_BODY_H
#define ATTN_KERNELS_ATTENTION_DECODE_BODY_H

#include "kernels/attention/attention_body.h"

/* A thread's memory for one query row. */
typedef struct decode_memory {
    float *query, *acc, *sums, *scores, *kept;
} decode_memory;

static int64_t decode_scratch(const attn_decode *decode, int64_t longest) {
    int64_t kept = decode->weights != NULL ? attn_round_up(longest, 16) : 0;
    return QUERY_ROW + attn_round_up(decode->value_size, 16) + 16 + SCORE_ROW + kept;
}

static decode_memory decode_memory_at(const attn_decode *decode, float *scratch) {
    decode_memory memory = {.query = scratch};
    memory.acc = memory.query + QUERY_ROW;
    memory.sums = memory.acc + attn_round_up(decode->value_size, 16);
    memory.scores = memory.sums + 16;
    memory.kept = memory.scores + SCORE_ROW;
    return memory;
}

/* acc += p V; value rows are read in place. */
static void decode_weigh(const attn_decode *decode, int count, const float *p, const float *values,
                         float *acc) {
    int64_t whole = decode->value_size / 16, rest = decode->value_size % 16;
    row_product(true, count, p, 1, values, decode->value_token, 16, whole, acc);
    if (rest > 0) {
        v16 sum = v_load(acc + 16 * whole);
        for (int j = 0; j < count; j++) {
            v16 value = v_load_first(values + j * decode->value_token + 16 * whole, (int)rest);
            sum = v_fma(v_set1(p[j]), value, sum);
        }
        v_store(acc + 16 * whole, sum);
    }
}

static void decode_add_weights(const attn_decode *decode, int64_t r, const float *scores,
                               float lse) {
    float *weights_row = decode->weights + r * decode->weights_row;
    for (int64_t j = 0; j < decode->lengths[r]; j += 16) {
        int part = v_rest(decode->lengths[r] - j);
        v16 p = weight(v_load(scores + j), -lse);
        v_store_part(weights_row + j, v_add(v_load_part(weights_row + j, part), p), part);
    }
}

static void decode_head(const attn_decode *decode, int64_t r, int64_t h, decode_memory memory) {
    int64_t size = decode->head_size, value_panels = (decode->value_size + 15) / 16;
    int64_t g = h / (decode->heads / decode->kv_heads), length = decode->lengths[r];
    float query_factor = attn_attention_factor(decode->scale, size);
    const float *keys = decode->keys[r] + g * decode->key_head;
    const float *values = decode->values[r] + g * decode->value_head;
    float max = -INFINITY;
    row_state state = {memory.acc, memory.sums, &max};
    copy_rows(1, size, decode->query + r * decode->query_row + h * size, 0, query_factor,
              memory.query);
    memset(memory.acc, 0, (size_t)value_panels * 16 * sizeof(float));
    memset(memory.sums, 0, 16 * sizeof(float));
    for (int64_t block = 0; block < length; block += ATTN_KEY_BLOCK) {
        int count = (int)lesser(length - block, ATTN_KEY_BLOCK), panels = (count + 15) / 16;
        row_product(false, size, memory.query, 1, keys + block * size, 16, 16 * size, panels,
                    memory.scores);
        if (decode->weights != NULL) {
            memcpy(memory.kept + block, memory.scores, (size_t)panels * 16 * sizeof(float));
        }
        raise_row(0, count, memory.scores, state, value_panels);
        softmax_row(0, count, memory.scores, state);
        decode_weigh(decode, count, memory.scores, values + block * decode->value_token,
                     memory.acc);
    }
    float lse = finish_row(state, decode->value_size,
                           decode->output + r * decode->output_row + h * decode->value_size);
    if (decode->weights != NULL && lse != -INFINITY) {
        decode_add_weights(decode, r, memory.kept, lse);
    }
}

static void decode(const attn_decode *decode, int64_t row, int64_t g, float *scratch) {
    int64_t group = decode->heads / decode->kv_heads;
    decode_memory memory = decode_memory_at(decode, scratch);
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        decode_head(decode, row, h, memory);
    }
}

#endif
