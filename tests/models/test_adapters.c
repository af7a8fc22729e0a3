/* A translator with low-rank adapters, and one with frozen parameters: what it computes, what it learns, what it leaves alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/threads.h"
#include "models/translator.h"
#include "support/tiny_translator.h"
#include "tape/tape.h"

static bool all(const char *name, void *context) {
    (void)name;
    (void)context;
    return true;
}

static bool values_alone(const char *name, void *context) {
    (void)context;
    return strstr(name, ".value.") != NULL;
}

enum { PLAIN, FOREIGN, ROTARY, KINDS };
static attn_translator_config config_of(int kind) {
    attn_translator_config config = tiny_config();
    config.d_model = 64; /* large enough that work is shared out */
    config.ffn = 96;
    if (kind == ROTARY) {
        config.rotary = ATTN_ROTARY_ADJACENT;
        config.rotary_dim = 6;
    }
    if (kind == FOREIGN) {
        config.pre_norm = config.gated = config.rms_norm = config.output_bias = true;
        config.activation = ATTN_ACTIVATION_SWISH;
        config.kv_heads = 1;
    }
    return config;
}

/* The same weights as tiny_translator's, and adapters as they begin: B is zero. */
static attn_translator *adapted(const attn_translator_config *config,
                                bool (*targets)(const char *, void *), double dropout) {
    attn_translator *model, *plain = tiny_translator(config, true);
    const attn_adaptation how = {.rank = 3, .alpha = 5, .dropout = dropout, .targets = targets};
    assert_int_equal(attn_translator_declare(config, &model, NULL), ATTN_OK);
    assert_int_equal(attn_translator_adapt(model, &how, NULL), ATTN_OK);
    assert_int_equal(attn_translator_allocate(model, true, false, NULL), ATTN_OK);
    attn_params_init(model->params, 5);
    for (size_t i = 0; i < attn_params_count(plain->params); i++) {
        const attn_param *from = attn_params_at(plain->params, i);
        attn_param *to = attn_params_at(model->params, i);
        assert_string_equal(from->name, to->name);
        assert_true(to->frozen && to->grad == NULL);
        memcpy(to->data, from->data, (size_t)(to->rows * to->cols) * sizeof *to->data);
    }
    attn_translator_free(plain);
    return model;
}

static double loss_of(const attn_translator *model, const attn_translator_batch *batch,
                      bool record) {
    attn_tape *tape;
    double loss = 0, nll = 0;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, record, 9, 4);
    assert_int_equal(attn_translator_loss(model, tape, batch, 0.01F, &loss, &nll, NULL), ATTN_OK);
    if (record) {
        attn_params_zero_grad(model->params);
        assert_int_equal(attn_tape_backward(tape, NULL), ATTN_OK);
    }
    attn_tape_free(tape);
    return loss;
}

/* Before the first step the model is the one it came from, to the last bit: recording, not recording, and packed. */
static void begins_as_what_it_came_from(void **state) {
    (void)state;
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    for (int kind = 0; kind < KINDS; kind++) {
        attn_translator_config config = config_of(kind);
        attn_translator *plain = tiny_translator(&config, true);
        attn_translator *model = adapted(&config, all, 0);
        for (int record = 0; record < 2; record++) {
            assert_true(loss_of(plain, &batch.view, record) == loss_of(model, &batch.view, record));
        }
        assert_int_equal(attn_translator_pack(plain, ATTN_COMPUTE_F32, NULL), ATTN_OK);
        assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
        assert_true(loss_of(plain, &batch.view, false) == loss_of(model, &batch.view, false));
        attn_translator_free(plain);
        attn_translator_free(model);
    }
}

static void fill_adapters(attn_translator *model) {
    attn_random random = attn_random_start(3);
    for (size_t i = 0; i < attn_params_count(model->params); i++) {
        attn_param *param = attn_params_at(model->params, i);
        for (int64_t e = 0; !param->frozen && e < param->rows * param->cols; e++) {
            param->data[e] = (attn_real)(0.1 * attn_random_normal(&random));
        }
    }
}

/* Merged, a model computes the same but for rounding; and what was packed before merging is exactly what is packed after it. */
static void merges(void **state) {
    (void)state;
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    for (int kind = 0; kind < KINDS; kind++) {
        attn_translator_config config = config_of(kind);
        attn_translator *model = adapted(&config, all, 0), *merged;
        double before = loss_of(model, &batch.view, false);
        fill_adapters(model);
        double apart = loss_of(model, &batch.view, false);
        assert_int_equal(attn_translator_merged(model, &merged, NULL), ATTN_OK);
        double together = loss_of(merged, &batch.view, false);
        assert_true(fabs(apart - before) > 0.01 * before); /* they matter */
        assert_true(fabs(together - apart) < 1e-5 * apart);
        assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
        assert_int_equal(attn_translator_pack(merged, ATTN_COMPUTE_F32, NULL), ATTN_OK);
        assert_true(loss_of(model, &batch.view, false) == loss_of(merged, &batch.view, false));
        attn_translator_free(merged);
        attn_translator_free(model);
    }
}

static void same_on_threads_and_isas(void **state) {
    (void)state;
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    attn_translator_config config = config_of(FOREIGN);
    attn_translator *model = adapted(&config, all, 0.2);
    fill_adapters(model);
    size_t bytes = (size_t)attn_params_trained(model->params) * sizeof(attn_real);
    attn_real *first = malloc(bytes);
    double loss = 0;
    for (int i = 0, runs = 0; attn_isa_at(i) != NULL; i++) {
        assert_int_equal(attn_set_isa(attn_isa_at(i), NULL), ATTN_OK);
        for (int threads = 1; threads <= 3; threads++, runs++) {
            attn_set_threads(threads);
            double now = loss_of(model, &batch.view, true);
            if (runs == 0) {
                loss = now;
                memcpy(first, attn_params_grad(model->params), bytes);
            }
            assert_true(now == loss);
            assert_memory_equal(attn_params_grad(model->params), first, bytes);
        }
    }
    free(first);
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
    attn_translator_free(model);
}

/* Of three matrices that are one product, one has an adapter. */
static void adapts_one_of_three(void **state) {
    (void)state;
    attn_translator_config config = config_of(PLAIN);
    attn_translator *model = adapted(&config, values_alone, 0);
    assert_int_equal(model->adapter_count, 2 + 2 * 2);
    assert_int_equal(model->encoder[0].self.joined.adapter_count, 1);
    assert_non_null(attn_params_find(model->params, "decoder.1.cross.value.lora_b"));
    assert_null(attn_params_find(model->params, "decoder.1.cross.key.lora_b"));
    attn_translator_free(model);
}

/* One of A and B may be frozen: the gradient of the other stays. */
static void half_an_adapter_is_trained(void **state) {
    (void)state;
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    attn_translator_config config = config_of(PLAIN);
    attn_translator *whole = adapted(&config, all, 0);
    fill_adapters(whole);
    double loss = loss_of(whole, &batch.view, true);
    for (int half = 0; half < 2; half++) {
        const attn_adaptation how = {.rank = 3, .alpha = 5, .targets = all};
        attn_translator *model;
        assert_int_equal(attn_translator_declare(&config, &model, NULL), ATTN_OK);
        assert_int_equal(attn_translator_adapt(model, &how, NULL), ATTN_OK);
        for (size_t i = 0; i < attn_params_count(model->params); i++) {
            attn_param *param = attn_params_at(model->params, i);
            param->frozen |= strstr(param->name, half == 0 ? ".lora_a" : ".lora_b") != NULL;
        }
        assert_int_equal(attn_translator_allocate(model, true, false, NULL), ATTN_OK);
        memcpy(attn_params_data(model->params), attn_params_data(whole->params),
               (size_t)attn_params_size(whole->params) * sizeof(attn_real));
        assert_true(loss_of(model, &batch.view, true) == loss);
        for (size_t i = 0; i < attn_params_count(model->params); i++) {
            const attn_param *a = attn_params_at(whole->params, i);
            const attn_param *b = attn_params_at(model->params, i);
            if (!b->frozen) {
                assert_memory_equal(a->grad, b->grad,
                                    (size_t)(a->rows * a->cols) * sizeof *a->grad);
            }
        }
        attn_translator_free(model);
    }
    attn_translator_free(whole);
}

/* The gradients of what is not frozen are those of a model in which nothing is. */
static void frozen_parameters_have_no_gradient(void **state) {
    (void)state;
    static const char *const frozen[] = {"encoder.", "decoder.0.self.key.", "decoder.1.norm_self.",
                                         "embedding"};
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    for (int count = 1; count <= 4; count++) {
        attn_translator_config config = config_of(count % KINDS);
        attn_translator *model, *whole = tiny_translator(&config, true);
        assert_int_equal(attn_translator_declare(&config, &model, NULL), ATTN_OK);
        for (size_t i = 0; i < attn_params_count(model->params); i++) {
            attn_param *param = attn_params_at(model->params, i);
            for (int f = 0; f < count; f++) {
                param->frozen |= strncmp(param->name, frozen[f], strlen(frozen[f])) == 0;
            }
        }
        assert_int_equal(attn_translator_allocate(model, true, false, NULL), ATTN_OK);
        tiny_fill(model);
        assert_true(loss_of(whole, &batch.view, true) == loss_of(model, &batch.view, true));
        for (size_t i = 0; i < attn_params_count(model->params); i++) {
            const attn_param *a = attn_params_at(whole->params, i);
            const attn_param *b = attn_params_at(model->params, i);
            assert_true((b->grad == NULL) == b->frozen);
            if (!b->frozen) {
                assert_memory_equal(a->grad, b->grad,
                                    (size_t)(a->rows * a->cols) * sizeof *a->grad);
            }
        }
        attn_translator_free(whole);
        attn_translator_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_as_what_it_came_from),
        cmocka_unit_test(merges),
        cmocka_unit_test(same_on_threads_and_isas),
        cmocka_unit_test(adapts_one_of_three),
        cmocka_unit_test(half_an_adapter_is_trained),
        cmocka_unit_test(frozen_parameters_have_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
