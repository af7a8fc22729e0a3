/* tests/support/tiny_segmenter.h: a segmenter of a few thousand numbers, and pictures for it.
 *
 * Every parameter is random, the biases and norms too, so that no term of the model is idle.
 * Include cmocka.h first. */
#ifndef ATTN_TESTS_TINY_SEGMENTER_H
#define ATTN_TESTS_TINY_SEGMENTER_H

#include <string.h>

#include "attn/segmenter.h"
#include "base/random.h"

enum { TINY_CLASSES = 5, TINY_PIXELS = 8192 };

static inline attn_segmenter_config tiny_config(attn_mixer mixer) {
    attn_segmenter_config config;
    attn_segmenter_config_init(&config);
    config.classes = TINY_CLASSES;
    config.width_2 = config.width_4 = 8;
    config.d_model = 16;
    config.blocks = 2;
    config.heads = 2;
    config.ffn = 20;
    config.mixer = mixer;
    config.window = 3;
    config.dropout = config.attention_dropout = 0.1;
    config.label_smoothing = 0.05;
    config.stochastic_depth = 0.2;
    return config;
}

static inline void tiny_fill(attn_segmenter *model) {
    attn_params *params = attn_segmenter_params(model);
    attn_random random = attn_random_start(77);
    attn_params_init(params, 5);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] += (attn_real)(0.1 * attn_random_normal(&random));
    }
}

static inline attn_segmenter *tiny_segmenter(const attn_segmenter_config *config, bool trainable) {
    attn_segmenter *model = NULL;
    attn_error error = {0};
    assert_int_equal(attn_segmenter_create(config, trainable, &model, &error), ATTN_OK);
    tiny_fill(model);
    return model;
}

/* Pictures and the arrays they lie in. */
typedef struct tiny_pictures {
    attn_segmenter_batch view;
    uint8_t pixels[TINY_PIXELS * 3], labels[TINY_PIXELS];
} tiny_pictures;

/* Random pixels and labels, some of them unknown, of a picture that depends on its number alone. */
static inline void tiny_pictures_fill(tiny_pictures *p, int64_t first, int64_t count,
                                      int64_t height, int64_t width) {
    assert_true(count * height * width <= TINY_PIXELS);
    p->view = (attn_segmenter_batch){{count, height, width, p->pixels}, p->labels, NULL};
    for (int64_t b = 0; b < count; b++) {
        attn_random random = attn_random_start((uint64_t)(100 + first + b));
        for (int64_t i = b * height * width; i < (b + 1) * height * width; i++) {
            uint64_t label = attn_random_below(&random, TINY_CLASSES + 1);
            p->labels[i] = label == TINY_CLASSES ? ATTN_IGNORE_LABEL : (uint8_t)label;
            for (int c = 0; c < 3; c++) {
                p->pixels[i * 3 + c] = (uint8_t)attn_random_below(&random, 256);
            }
        }
    }
}

#endif
