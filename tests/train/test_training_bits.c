/* Some steps of a small training come out the same, to the last bit, on every instruction set and
 * at any number of threads, and the same as on the day the hashes below were written down.
 *
 * The task: to write a sequence backward. Whatever a training uses is used: dropout in all places,
 * label smoothing, grouped heads, warm-up, clipping, Adam and Muon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "attn/optimizer.h"
#include "attn/threads.h"
#include "attn/translator.h"
#include "base/hash.h"
#include "base/random.h"
#include "kernels/table.h"
#include "support/thin.h"

enum { VOCABULARY = 53, PAIRS = 11, LONGEST = 13, BOS = 2, EOS = 3, FIRST = 4 };
enum { MAX_TOKENS = PAIRS * (LONGEST + 1) };

typedef struct toy_batch {
    int32_t source[MAX_TOKENS], input[MAX_TOKENS], output[MAX_TOKENS];
    int64_t starts[PAIRS + 1];
    attn_translator_batch batch;
} toy_batch;

/* Source and target have the same length, so they share their starts. */
static void make_batch(uint64_t step, toy_batch *b) {
    attn_random random = attn_random_start(attn_random_key(7, step, 99));
    b->starts[0] = 0;
    for (int p = 0; p < PAIRS; p++) {
        int64_t length = 1 + (int64_t)attn_random_below(&random, LONGEST);
        int32_t *source = b->source + b->starts[p], *input = b->input + b->starts[p];
        int32_t *output = b->output + b->starts[p];
        input[0] = BOS;
        for (int64_t i = 0; i < length; i++) {
            int32_t id = FIRST + (int32_t)attn_random_below(&random, VOCABULARY - FIRST);
            source[i] = id;
            output[length - 1 - i] = id;
            input[length - i] = id;
        }
        source[length] = output[length] = EOS;
        b->starts[p + 1] = b->starts[p] + length + 1;
    }
    b->batch = (attn_translator_batch){PAIRS, b->source, b->starts, b->input, b->output, b->starts};
}

typedef struct toy {
    attn_translator *model;
    attn_params *params;
    attn_tape *tape;
    attn_optimizer *optimizer;
} toy;

static void start(toy *t, const attn_translator_config *config, attn_optimizer_method method) {
    assert_int_equal(attn_translator_create(config, true, &t->model, NULL), ATTN_OK);
    assert_int_equal(attn_tape_create(&t->tape, NULL), ATTN_OK);
    t->params = attn_translator_params(t->model);
    attn_params_init(t->params, 5);
    attn_optimizer_options options;
    attn_optimizer_options_init(&options);
    options.method = method;
    options.learning_rate = 0.003;
    options.warmup_steps = 10;
    options.weight_decay = 0.01;
    options.clip_norm = 1;
    assert_int_equal(attn_optimizer_create(&options, t->params, &t->optimizer, NULL), ATTN_OK);
}

static void finish(toy *t) {
    attn_optimizer_free(t->optimizer);
    attn_tape_free(t->tape);
    attn_translator_free(t->model);
}

/* Returns the mean loss of the step's tokens. */
static double step(toy *t, int64_t number) {
    toy_batch b;
    double loss = 0, nll = 0;
    make_batch((uint64_t)number, &b);
    double tokens = (double)b.starts[PAIRS];
    attn_params_zero_grad(t->params);
    attn_tape_begin(t->tape, true, 5, (uint64_t)number);
    assert_int_equal(
        attn_translator_loss(t->model, t->tape, &b.batch, (float)(1.0 / tokens), &loss, &nll, NULL),
        ATTN_OK);
    assert_int_equal(attn_tape_backward(t->tape, NULL), ATTN_OK);
    assert_int_equal(attn_optimizer_step(t->optimizer, NULL, NULL), ATTN_OK);
    return loss / tokens;
}

/* The hash of weights and losses after some steps. */
static uint64_t train(const attn_translator_config *config, attn_optimizer_method method, int steps,
                      double *first, double *last) {
    toy t;
    uint64_t hash = 0;
    start(&t, config, method);
    for (int64_t i = 1; i <= steps; i++) {
        *last = step(&t, i);
        *first = i == 1 ? *last : *first;
        hash = attn_hash64(last, sizeof *last, hash);
    }
    size_t size = (size_t)attn_params_size(t.params);
    hash = attn_hash64(attn_params_data(t.params), size * sizeof(float), hash);
    finish(&t);
    return hash;
}

enum { EARLY = 8 };

static const struct {
    const char *name;
    attn_translator_config config;
    attn_optimizer_method method;
    int steps;
    uint64_t early_hash, hash; /* after EARLY steps, and after all */
} trainings[] = {
    {"pre-norm, sinusoids, ReLU",
     {.size = sizeof(attn_translator_config),
      .vocabulary = VOCABULARY,
      .d_model = 40,
      .ffn = 72,
      .heads = 4,
      .kv_heads = 2,
      .encoder_layers = 2,
      .decoder_layers = 1,
      .max_length = 32,
      .pre_norm = true,
      .activation = ATTN_ACTIVATION_RELU,
      .dropout = 0.1,
      .attention_dropout = 0.05,
      .activation_dropout = 0.05,
      .label_smoothing = 0.1},
     ATTN_OPTIMIZER_ADAM,
     50,
     0x5a41af8113a9e803,
     0xb8c93938abdf98c7},
    {"post-norm, learned positions, GELU",
     {.size = sizeof(attn_translator_config),
      .vocabulary = VOCABULARY,
      .d_model = 32,
      .ffn = 56,
      .heads = 2,
      .kv_heads = 2,
      .encoder_layers = 1,
      .decoder_layers = 2,
      .max_length = 32,
      .learned_positions = true,
      .activation = ATTN_ACTIVATION_GELU,
      .dropout = 0.05,
      .label_smoothing = 0.05},
     ATTN_OPTIMIZER_ADAM,
     50,
     0xb1860bc74361e889,
     0xe737d12c1a0aa197},
    {"rotary positions",
     {.size = sizeof(attn_translator_config),
      .vocabulary = VOCABULARY,
      .d_model = 32,
      .ffn = 56,
      .heads = 2,
      .kv_heads = 1,
      .encoder_layers = 1,
      .decoder_layers = 1,
      .max_length = 32,
      .pre_norm = true,
      .activation = ATTN_ACTIVATION_RELU,
      .dropout = 0.1,
      .rotary = ATTN_ROTARY_ADJACENT,
      .rotary_base = 100,
      .rotary_dim = 12},
     ATTN_OPTIMIZER_ADAM,
     30,
     0xf349293bd7867375,
     0x65f039eaff8dc1a7},
    {"relative positions",
     {.size = sizeof(attn_translator_config),
      .vocabulary = VOCABULARY,
      .d_model = 32,
      .ffn = 56,
      .heads = 4,
      .kv_heads = 2,
      .encoder_layers = 2,
      .decoder_layers = 1,
      .max_length = 32,
      .pre_norm = true,
      .activation = ATTN_ACTIVATION_RELU,
      .dropout = 0.1,
      .attention_dropout = 0.05,
      .relative = true,
      .relative_buckets = 8,
      .relative_distance = 10},
     ATTN_OPTIMIZER_ADAM,
     20,
     0x206fa9f94f2e63c0,
     0xf37b6c8809d8469a},
    {"Muon",
     {.size = sizeof(attn_translator_config),
      .vocabulary = VOCABULARY,
      .d_model = 40,
      .ffn = 72,
      .heads = 4,
      .kv_heads = 2,
      .encoder_layers = 1,
      .decoder_layers = 1,
      .max_length = 32,
      .pre_norm = true,
      .activation = ATTN_ACTIVATION_RELU,
      .dropout = 0.1},
     ATTN_OPTIMIZER_MUON,
     30,
     0x5fe9d341a57b246d,
     0xd71a2bac6c51f7e1},
};

static void check_everywhere(size_t which) {
    const attn_kernels *kernels[8];
    int count = attn_kernels_list(kernels, 8);
    assert_true(count >= 1);
    for (int i = 0; i < count; i++) {
        assert_int_equal(attn_set_isa(kernels[i]->isa, NULL), ATTN_OK);
        for (int threads = thin_step(); threads <= 3; threads++) {
            double first, last;
            attn_set_threads(threads);
            bool early = thin_step() > 1;
            uint64_t hash = train(&trainings[which].config, trainings[which].method,
                                  early ? EARLY : trainings[which].steps, &first, &last);
            if (hash != (early ? trainings[which].early_hash : trainings[which].hash)) {
                fail_msg("%s, %s, %d threads: hash 0x%016llx", trainings[which].name,
                         kernels[i]->isa, threads, (unsigned long long)hash);
            }
            assert_true(early || last < first - 0.5); /* it has learned something */
        }
    }
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
    attn_set_threads(0);
}

static void pre_norm_bits(void **state) {
    (void)state;
    check_everywhere(0);
}

static void post_norm_bits(void **state) {
    (void)state;
    check_everywhere(1);
}

static void rotary_bits(void **state) {
    (void)state;
    check_everywhere(2);
}

static void relative_bits(void **state) {
    (void)state;
    check_everywhere(3);
}

static void muon_bits(void **state) {
    (void)state;
    check_everywhere(4);
}

/* Another seed, another training: the hash sees what it should see. */
static void bits_depend_on_inputs(void **state) {
    (void)state;
    attn_translator_config config = trainings[0].config;
    double first, last;
    uint64_t before = train(&config, ATTN_OPTIMIZER_ADAM, 5, &first, &last);
    config.dropout = 0.100001;
    assert_true(train(&config, ATTN_OPTIMIZER_ADAM, 5, &first, &last) != before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pre_norm_bits), cmocka_unit_test(post_norm_bits),
        cmocka_unit_test(rotary_bits),   cmocka_unit_test(relative_bits),
        cmocka_unit_test(muon_bits),     cmocka_unit_test(bits_depend_on_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
