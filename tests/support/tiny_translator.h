/* tests/support/tiny_translator.h: a translator of a few thousand numbers, and sentences for it.
 *
 * Every parameter is random, the biases and norms too, so that no term of the model is idle.
 * Include cmocka.h first. */
#ifndef ATTN_TESTS_TINY_TRANSLATOR_H
#define ATTN_TESTS_TINY_TRANSLATOR_H

#include <string.h>

#include "attn/translator.h"
#include "base/random.h"

enum { TINY_VOCABULARY = 37, TINY_LONGEST = 160, TINY_SENTENCES = 8, TINY_TOKENS = 1024 };

static inline attn_translator_config tiny_config(void) {
    attn_translator_config config;
    attn_translator_config_init(&config);
    config.vocabulary = TINY_VOCABULARY;
    config.d_model = 24;
    config.ffn = 20;
    config.heads = 4;
    config.kv_heads = 2;
    config.encoder_layers = config.decoder_layers = 2;
    config.max_length = TINY_LONGEST;
    config.attention_dropout = config.activation_dropout = 0.1;
    return config;
}

static inline void tiny_fill(attn_translator *model) {
    attn_params *params = attn_translator_params(model);
    attn_random random = attn_random_start(77);
    attn_params_init(params, 5);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] += (attn_real)(0.2 * attn_random_normal(&random));
    }
}

static inline attn_translator *tiny_translator(const attn_translator_config *config,
                                               bool trainable) {
    attn_translator *model = NULL;
    attn_error error = {0};
    assert_int_equal(attn_translator_create(config, trainable, &model, &error), ATTN_OK);
    tiny_fill(model);
    if (!trainable) {
        assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    }
    return model;
}

/* Sentence pairs and the arrays they lie in. */
typedef struct tiny_batch {
    attn_translator_batch view;
    int32_t source[TINY_TOKENS], target_input[TINY_TOKENS], target_output[TINY_TOKENS];
    int64_t source_starts[TINY_SENTENCES + 1], target_starts[TINY_SENTENCES + 1];
} tiny_batch;

static inline void tiny_batch_begin(tiny_batch *batch) {
    memset(batch, 0, sizeof *batch);
    batch->view = (attn_translator_batch){0,
                                          batch->source,
                                          batch->source_starts,
                                          batch->target_input,
                                          batch->target_output,
                                          batch->target_starts};
}

/* Adds a pair whose words depend on the key alone; both lengths count <s> or </s>. */
static inline void tiny_batch_add(tiny_batch *batch, uint64_t key, int64_t source_length,
                                  int64_t target_length) {
    attn_random random = attn_random_start(key);
    int64_t n = batch->view.count++, s = batch->source_starts[n], t = batch->target_starts[n];
    for (int64_t i = 0; i < source_length; i++) {
        batch->source[s + i] = 4 + (int32_t)(33 * attn_random_uniform(&random));
    }
    batch->source[s + source_length - 1] = 3;
    batch->target_input[t] = 2;
    for (int64_t i = 0; i < target_length - 1; i++) {
        int32_t id = 4 + (int32_t)(33 * attn_random_uniform(&random));
        batch->target_output[t + i] = batch->target_input[t + i + 1] = id;
    }
    batch->target_output[t + target_length - 1] = 3;
    batch->source_starts[n + 1] = s + source_length;
    batch->target_starts[n + 1] = t + target_length;
}

/* Lengths around the widths that kernels work in: 1, 16 keys a panel, 128 keys a block. */
static inline void tiny_batch_fill(tiny_batch *batch) {
    static const int64_t lengths[][2] = {{1, 5}, {17, 16}, {4, 1}, {140, 33}, {16, 131}, {33, 2}};
    tiny_batch_begin(batch);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        tiny_batch_add(batch, 100 + i, lengths[i][0], lengths[i][1]);
    }
}

#endif
