/* tests/grad/test_layers.c: every layer's hand-written backward against central differences, in
 * double.
 *
 * A case declares parameters, says how many input tensors it takes, and computes an output from
 * them. The scalar that is differentiated is the sum of the outputs with fixed, unequal weights (or
 * the loss itself). Every element of every input and parameter is checked. A new layer is one
 * function and one row of the table. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/images.h"
#include "attn/layers.h"
#include "attn/segmenter.h"
#include "attn/translator.h"
#include "base/random.h"
#include "layers/guide.h"
#include "models/translator.h"
#include "support/thin.h"

#include "kernels/elementwise/elementwise.h"

enum { MAX_INPUTS = 3, TOKENS = 7, CHANNELS = 12 };

static const int64_t starts[] = {0, 3, 4, TOKENS};
static const attn_sequences sequences = {3, starts, 3};
static const int64_t memory_starts[] = {0, 2, 7, 11};
static const attn_sequences memory_sequences = {3, memory_starts, 5};

/* What a case works with. Filled once by its declare function; forward may be called many times. */
typedef struct fixture {
    attn_params *params;
    int inputs;
    int64_t rows[MAX_INPUTS], cols[MAX_INPUTS];
    attn_linear linear;
    attn_norm norm;
    attn_multi_head heads;
    attn_feed_forward feed_forward;
    attn_ssru ssru;
    attn_param *table;
    attn_positions positions;
    attn_real sinusoids[16 * CHANNELS];
    attn_rotation rotation;
    attn_relative relative;
    attn_translator *model;
    attn_grid grid;
    attn_conv conv;
    attn_depthwise depthwise;
    attn_group_norm group_norm;
    attn_segmenter *segmenter;
} fixture;

/* Returns the output, or NULL after putting the loss into *loss. */
typedef attn_tensor *forward_function(attn_tape *tape, fixture *f, attn_tensor *x[MAX_INPUTS],
                                      double *loss);

static void add_input(fixture *f, int64_t rows, int64_t cols) {
    f->rows[f->inputs] = rows;
    f->cols[f->inputs++] = cols;
}

/* ---- the cases ---- */

static void declare_linear(fixture *f) {
    f->linear = attn_linear_declare(f->params, "linear", CHANNELS, 5);
    add_input(f, TOKENS, CHANNELS);
    add_input(f, TOKENS, 5);
}

static attn_tensor *linear_none(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_linear(tape, x[0], &f->linear, ATTN_ACTIVATION_NONE);
}

static attn_tensor *linear_relu(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_linear(tape, x[0], &f->linear, ATTN_ACTIVATION_RELU);
}

static attn_tensor *linear_gelu(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_linear(tape, x[0], &f->linear, ATTN_ACTIVATION_GELU);
}

static attn_tensor *linear_gelu_tanh(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_linear(tape, x[0], &f->linear, ATTN_ACTIVATION_GELU_TANH);
}

static attn_tensor *linear_gelu_sigmoid(attn_tape *tape, fixture *f, attn_tensor *x[],
                                        double *loss) {
    (void)loss;
    return attn_layer_linear(tape, x[0], &f->linear, ATTN_ACTIVATION_GELU_SIGMOID);
}

static attn_tensor *linear_swish(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_linear(tape, x[0], &f->linear, ATTN_ACTIVATION_SWISH);
}

static attn_tensor *linear_residual(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_linear_residual(tape, x[0], &f->linear, x[1]);
}

/* The same input read twice: the gradients must add. */
static attn_tensor *linear_shared(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_tensor *first = attn_layer_linear(tape, x[0], &f->linear, ATTN_ACTIVATION_RELU);
    return attn_layer_linear_residual(tape, x[0], &f->linear, first);
}

static void declare_embedding(fixture *f) {
    f->table = attn_params_declare(f->params, "table", 9, CHANNELS, ATTN_INIT_EMBEDDING);
    attn_sinusoid_table(ATTN_SINUSOIDS_TENSOR2TENSOR, 0, 16, CHANNELS, f->sinusoids);
    f->positions = (attn_positions){f->sinusoids, NULL, 16};
}

static void declare_learned(fixture *f) {
    declare_embedding(f);
    f->positions.learned =
        attn_params_declare(f->params, "positions", 16, CHANNELS, ATTN_INIT_EMBEDDING);
}

static attn_tensor *embedding(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    static const int32_t ids[TOKENS] = {3, 8, 3, 0, 1, 3, 8};
    static const int32_t positions[TOKENS] = {0, 1, 2, 0, 0, 1, 15};
    (void)x;
    (void)loss;
    return attn_layer_embedding(tape, f->table, 3.5, &f->positions, TOKENS, ids, positions);
}

static void declare_norm(fixture *f) {
    f->norm = attn_norm_declare(f->params, "norm", CHANNELS);
    add_input(f, TOKENS, CHANNELS);
}

static attn_tensor *norm(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_norm(tape, x[0], &f->norm);
}

static void declare_two(fixture *f) {
    add_input(f, TOKENS, CHANNELS);
    add_input(f, TOKENS, CHANNELS);
}

static attn_tensor *dropout(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)f;
    (void)loss;
    return attn_layer_dropout(tape, x[0], 0.3);
}

static attn_tensor *residual(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)f;
    (void)loss;
    return attn_layer_residual(tape, x[0], x[1], 0.3);
}

static void declare_heads(fixture *f) {
    f->heads = attn_multi_head_declare(f->params, "attention", CHANNELS, 3, 3);
    add_input(f, TOKENS, CHANNELS);
    add_input(f, 11, CHANNELS);
}

static void declare_grouped(fixture *f) {
    f->heads = attn_multi_head_declare(f->params, "attention", CHANNELS, 4, 2);
    add_input(f, TOKENS, CHANNELS);
    add_input(f, 11, CHANNELS);
}

static void turn_heads(fixture *f, attn_rotary kind, int64_t size) {
    attn_rotary_table(10, TOKENS, size, f->sinusoids);
    f->rotation = (attn_rotation){kind, TOKENS, size, f->sinusoids};
    f->heads.rotation = &f->rotation;
}

static void declare_halves(fixture *f) {
    declare_heads(f);
    turn_heads(f, ATTN_ROTARY_HALVES, 4);
}

static void declare_adjacent(fixture *f) {
    declare_grouped(f);
    turn_heads(f, ATTN_ROTARY_ADJACENT, 2);
}

/* Buckets of one distance each and of several, and a table that two layers share. */
static void declare_relative(fixture *f) {
    declare_grouped(f);
    f->relative = attn_relative_declare(f->params, "relative", 4, 4, 3);
    f->heads.relative = &f->relative;
}

static attn_tensor *relative_attention(attn_tape *tape, fixture *f, attn_tensor *x[],
                                       double *loss) {
    static const int64_t long_starts[] = {0, 6, TOKENS};
    static const attn_sequences two = {2, long_starts, 6};
    (void)loss;
    attn_tensor *y = attn_layer_attention(tape, x[0], &two, NULL, NULL, &f->heads, false, 0.25);
    return attn_layer_attention(tape, y, &two, NULL, NULL, &f->heads, true, 0.0);
}

static attn_tensor *self_attention(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_tensor *y =
        attn_layer_attention(tape, x[0], &sequences, NULL, NULL, &f->heads, false, 0.0);
    return attn_layer_linear(tape, y, &f->heads.output, ATTN_ACTIVATION_NONE);
}

static attn_tensor *causal_attention(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_attention(tape, x[0], &sequences, NULL, NULL, &f->heads, true, 0.25);
}

static attn_tensor *cross_attention(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_attention(tape, x[0], &sequences, x[1], &memory_sequences, &f->heads, false,
                                0.25);
}

/* One head is guided: rows with no aim, with one, and with two, in sequences of several lengths. */
static attn_tensor *guided_attention(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    static const int64_t aims[TOKENS + 1] = {0, 0, 1, 3, 4, 4, 6, 7};
    static const int32_t tokens[] = {1, 0, 1, 4, 2, 0, 3};
    attn_guide guide = {
        .head = 2, .start = aims, .token = tokens, .gradient_scale = 1, .loss = loss};
    return attn_layers_attention_guided(tape, x[0], &sequences, x[1], &memory_sequences, &f->heads,
                                        0.25, &guide);
}

static void declare_ssru(fixture *f) {
    f->ssru = attn_ssru_declare(f->params, "ssru", CHANNELS);
    add_input(f, TOKENS, CHANNELS);
}

/* The input read twice: the gradients must add. */
static attn_tensor *ssru(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_tensor *y = attn_layer_ssru(tape, x[0], &sequences, &f->ssru);
    return y != NULL ? attn_layer_residual(tape, x[0], y, 0) : NULL;
}

static void declare_feed_forward(fixture *f) {
    f->feed_forward = attn_feed_forward_declare(f->params, "feed_forward", CHANNELS, 17);
    add_input(f, TOKENS, CHANNELS);
}

static attn_tensor *feed_forward(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_feed_forward(tape, x[0], &f->feed_forward, ATTN_ACTIVATION_GELU, 0.2);
}

static void declare_output(fixture *f) {
    f->table = attn_params_declare(f->params, "table", 19, CHANNELS, ATTN_INIT_EMBEDDING);
    f->linear = (attn_linear){.weight = f->table, .in = CHANNELS, .out = 19};
    add_input(f, 300, CHANNELS); /* more than one block of rows */
}

static void declare_output_with_bias(fixture *f) {
    declare_output(f);
    f->linear.bias = attn_params_declare(f->params, "bias", 1, 19, ATTN_INIT_ONE);
}

static const int32_t *output_targets(void) {
    static int32_t targets[300];
    for (int i = 0; i < 300; i++) {
        targets[i] = i * 7 % 19;
    }
    return targets;
}

static attn_tensor *output_loss(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    double nll = 0;
    attn_layer_output_loss(tape, x[0], &f->linear, output_targets(), 0.0, 1.0, loss, &nll);
    return NULL;
}

static attn_tensor *output_smoothed(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    double nll = 0;
    attn_layer_output_loss(tape, x[0], &f->linear, output_targets(), 0.1, 1.0, loss, &nll);
    return NULL;
}

static attn_tensor *output_r_drop(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    double nll = 0;
    attn_layer_output_r_drop(tape, x[0], &f->linear, output_targets(), 0.1, 3.0, 1.0, loss, &nll);
    return NULL;
}

static attn_translator_config model_config(bool pre_norm) {
    attn_translator_config config;
    attn_translator_config_init(&config);
    config.vocabulary = 11;
    config.d_model = 8;
    config.ffn = 10;
    config.heads = 2;
    config.kv_heads = pre_norm ? 1 : 2;
    config.encoder_layers = config.decoder_layers = 2;
    config.max_length = 8;
    config.pre_norm = config.learned_positions = pre_norm;
    config.activation = pre_norm ? ATTN_ACTIVATION_GELU : ATTN_ACTIVATION_RELU;
    config.dropout = config.attention_dropout = config.activation_dropout = 0.15;
    config.alignment_layer = 1;
    config.alignment_head = 2;
    return config;
}

static void declare_model(fixture *f, attn_translator_config config) {
    assert_int_equal(attn_translator_create(&config, true, &f->model, NULL), ATTN_OK);
    attn_params_free(f->params);
    f->params = attn_translator_params(f->model);
}

static void declare_post_norm(fixture *f) {
    declare_model(f, model_config(false));
}

static void declare_untied(fixture *f) {
    attn_translator_config config = model_config(false);
    config.embeddings = ATTN_EMBEDDINGS_UNTIED;
    declare_model(f, config);
}

/* What models made elsewhere have. */
static void declare_foreign(fixture *f) {
    attn_translator_config config = model_config(false);
    config.embeddings = ATTN_EMBEDDINGS_TARGET;
    config.source_vocabulary = 13;
    config.output_bias = config.plain_embeddings = config.embedding_norm = true;
    config.sinusoids = ATTN_SINUSOIDS_PAPER;
    config.norm_epsilon = 1e-3;
    config.rms_norm = config.gated = true;
    config.activation = ATTN_ACTIVATION_SWISH;
    declare_model(f, config);
}

/* And recurrent units, positions of the decoder's own, a last norm. */
static void declare_recurrent(fixture *f) {
    attn_translator_config config = model_config(false);
    config.ssru = config.final_norm = config.learned_positions = config.own_positions = true;
    declare_model(f, config);
}

/* Rotary positions, of some channels of each head. */
static void declare_rotary(fixture *f) {
    attn_translator_config config = model_config(false);
    config.kv_heads = 1;
    config.rotary = ATTN_ROTARY_ADJACENT;
    config.rotary_base = 100;
    config.rotary_dim = 2;
    declare_model(f, config);
}

/* Relative positions: a table for each side. */
static attn_translator_config relative_config(void) {
    attn_translator_config config = model_config(true);
    config.learned_positions = false;
    config.relative = true;
    config.relative_buckets = 5;
    config.relative_distance = 3;
    return config;
}

static void declare_distances(fixture *f) {
    declare_model(f, relative_config());
}

/* The tables are frozen, or all else is. */
static void declare_half_frozen(fixture *f, bool tables) {
    attn_translator_config config = relative_config();
    attn_params_free(f->params);
    assert_int_equal(attn_translator_declare(&config, &f->model, NULL), ATTN_OK);
    f->params = attn_translator_params(f->model);
    for (size_t i = 0; i < attn_params_count(f->params); i++) {
        attn_param *row = attn_params_at(f->params, i);
        row->frozen = (strstr(row->name, ".relative") != NULL) == tables;
    }
    assert_int_equal(attn_translator_allocate(f->model, true, false, NULL), ATTN_OK);
}

static void declare_frozen_distances(fixture *f) {
    declare_half_frozen(f, true);
}

static void declare_only_distances(fixture *f) {
    declare_half_frozen(f, false);
}

static void declare_pre_norm(fixture *f) {
    declare_model(f, model_config(true));
}

static bool no_query(const char *name, void *context) {
    (void)context;
    return strstr(name, ".query.") == NULL;
}

/* Adapters beside most matrices, of the three that are one product beside two; the rest is frozen. */
static void declare_adapted(fixture *f) {
    const attn_adaptation how = {.rank = 2, .alpha = 3, .dropout = 0.2, .targets = no_query};
    attn_translator_config config = model_config(false);
    config.activation = ATTN_ACTIVATION_GELU;
    attn_params_free(f->params);
    assert_int_equal(attn_translator_declare(&config, &f->model, NULL), ATTN_OK);
    assert_int_equal(attn_translator_adapt(f->model, &how, NULL), ATTN_OK);
    assert_int_equal(attn_translator_allocate(f->model, true, false, NULL), ATTN_OK);
    f->params = attn_translator_params(f->model);
}

static attn_tensor *translator(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    static const int64_t source_starts[] = {0, 4, 6}, target_starts[] = {0, 2, 5};
    static const int32_t source[] = {4, 5, 9, 3, 10, 3};
    static const int32_t input[] = {2, 6, 2, 4, 4}, output[] = {6, 3, 4, 4, 3};
    attn_translator_batch batch = {2, source, source_starts, input, output, target_starts};
    double nll = 0;
    (void)x;
    assert_int_equal(attn_translator_loss(f->model, tape, &batch, 1.0, loss, &nll, NULL), ATTN_OK);
    return NULL;
}

static attn_tensor *guided_translator(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    static const int64_t source_starts[] = {0, 4, 6}, target_starts[] = {0, 2, 5};
    static const int32_t source[] = {4, 5, 9, 3, 10, 3};
    static const int32_t input[] = {2, 6, 2, 4, 4}, output[] = {6, 3, 4, 4, 3};
    static const int64_t aims[] = {0, 0, 2, 2, 2, 3};
    static const int32_t tokens[] = {1, 2, 0};
    attn_translator_batch batch = {2, source, source_starts, input, output, target_starts};
    double nll = 0, astray = 0;
    attn_guide guide = {
        .head = 1, .start = aims, .token = tokens, .gradient_scale = 0.5, .loss = &astray};
    (void)x;
    assert_int_equal(
        attn_translator_loss_guided(f->model, tape, &batch, &guide, 1.0, loss, &nll, NULL),
        ATTN_OK);
    *loss += 0.5 * astray;
    return NULL;
}

/* ---- pictures ---- */

static void declare_conv(fixture *f, attn_grid grid, attn_window window) {
    enum { IN = 3, OUT = 4 };
    f->grid = grid;
    f->conv = attn_conv_declare(f->params, "conv", IN, OUT, &window, window.stride < 3);
    attn_grid to = attn_window_grid(&window, &grid);
    add_input(f, grid.batch * grid.height * grid.width, IN);
    add_input(f, to.batch * to.height * to.width, OUT);
}

static void declare_conv_same(fixture *f) {
    declare_conv(f, (attn_grid){2, 4, 5}, attn_window_same(3, 1, 1));
}

/* A stride that does not divide the size, taps that are apart, padding of one side's own. */
static void declare_conv_dilated(fixture *f) {
    declare_conv(f, (attn_grid){1, 7, 8}, (attn_window){3, 2, 2, 3, 1, 3});
}

/* Some pixels are read by several taps, some by one. */
static void declare_conv_stride_3(fixture *f) {
    declare_conv(f, (attn_grid){1, 7, 6}, (attn_window){4, 5, 3, 1, 2, 1});
}

/* Pixels that nothing reads. */
static void declare_conv_skipping(fixture *f) {
    declare_conv(f, (attn_grid){2, 5, 4}, (attn_window){1, 1, 2, 1, 0, 0});
}

static attn_tensor *conv_none(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_conv(tape, x[0], &f->grid, &f->conv, ATTN_ACTIVATION_NONE, NULL);
}

static attn_tensor *conv_relu(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_conv(tape, x[0], &f->grid, &f->conv, ATTN_ACTIVATION_RELU, NULL);
}

static attn_tensor *conv_gelu(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_conv(tape, x[0], &f->grid, &f->conv, ATTN_ACTIVATION_GELU, NULL);
}

/* The input is read twice: the gradients must add. */
static attn_tensor *conv_residual(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_tensor *first =
        attn_layer_conv(tape, x[0], &f->grid, &f->conv, ATTN_ACTIVATION_NONE, x[1]);
    return attn_layer_conv(tape, x[0], &f->grid, &f->conv, ATTN_ACTIVATION_NONE, first);
}

static void declare_depthwise(fixture *f, attn_grid grid, attn_window window) {
    f->grid = grid;
    f->depthwise = attn_depthwise_declare(f->params, "depthwise", 3, &window);
    add_input(f, grid.batch * grid.height * grid.width, 3);
}

static void declare_depthwise_same(fixture *f) {
    declare_depthwise(f, (attn_grid){2, 4, 5}, attn_window_same(3, 1, 1));
}

static void declare_depthwise_wide(fixture *f) {
    declare_depthwise(f, (attn_grid){1, 4, 5}, attn_window_same(7, 1, 1));
}

static void declare_depthwise_dilated(fixture *f) {
    declare_depthwise(f, (attn_grid){1, 7, 8}, (attn_window){3, 2, 2, 3, 1, 3});
}

static attn_tensor *depthwise(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_tensor *y =
        attn_layer_depthwise(tape, x[0], &f->grid, &f->depthwise, ATTN_ACTIVATION_GELU);
    attn_grid to = attn_window_grid(&f->depthwise.window, &f->grid);
    if (to.height != f->grid.height) {
        return y;
    }
    return attn_layer_residual(
        tape, y, attn_layer_depthwise(tape, x[0], &f->grid, &f->depthwise, ATTN_ACTIVATION_RELU),
        0);
}

static void declare_group_norm(fixture *f) {
    f->grid = (attn_grid){2, 9, 8}; /* more than one block of rows */
    f->group_norm = attn_group_norm_declare(f->params, "norm", 6, 2);
    add_input(f, 2 * 9 * 8, 6);
}

static attn_tensor *group_norm_relu(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_group_norm(tape, x[0], &f->grid, &f->group_norm, ATTN_ACTIVATION_RELU);
}

static attn_tensor *group_norm_gelu(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_tensor *y =
        attn_layer_group_norm(tape, x[0], &f->grid, &f->group_norm, ATTN_ACTIVATION_GELU);
    return attn_layer_residual(
        tape, y, attn_layer_group_norm(tape, x[0], &f->grid, &f->group_norm, ATTN_ACTIVATION_NONE),
        0);
}

static void declare_picture(fixture *f) {
    f->grid = (attn_grid){2, 4, 5};
    add_input(f, 2 * 4 * 5, 3);
}

static attn_tensor *resize_up(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_resize(tape, x[0], &f->grid, &(attn_grid){2, 9, 10});
}

static attn_tensor *resize_down(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    return attn_layer_resize(tape, x[0], &f->grid, &(attn_grid){2, 3, 2});
}

static void declare_windows(fixture *f) {
    f->grid = (attn_grid){2, 4, 5};
    f->heads = attn_multi_head_declare(f->params, "attention", CHANNELS, 3, 3);
    add_input(f, 2 * 4 * 5, CHANNELS);
}

static attn_tensor *window_attention(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_windows w = attn_grid_windows(tape, &f->grid, 3);
    attn_tensor *y = attn_layer_permute(tape, x[0], w.order, false);
    y = attn_layer_attention(tape, y, &w.sequences, NULL, NULL, &f->heads, false, 0.0);
    return attn_layer_residual(tape, x[0], attn_layer_permute(tape, y, w.order, true), 0);
}

static void declare_pictures(fixture *f) {
    f->grid = (attn_grid){6, 2, 3};
    add_input(f, 6 * 2 * 3, CHANNELS);
}

/* Some pictures are left out, some are not. */
static attn_tensor *stochastic_depth(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    (void)loss;
    attn_tensor *y = attn_layer_stochastic_depth(tape, x[0], &f->grid, 0.4);
    int left_out = 0;
    for (int64_t b = 0; b < f->grid.batch; b++) {
        left_out += y->data[b * y->rows / f->grid.batch * y->cols] == 0;
    }
    assert_in_range(left_out, 1, f->grid.batch - 1);
    return attn_layer_residual(tape, x[0], y, 0);
}

static void declare_pixels(fixture *f) {
    add_input(f, 37, 5);
}

static const attn_pixel_labels *pixel_labels(double smoothing) {
    static const attn_real weights[5] = {0.5, 2, 1, 1.5, 0};
    static uint8_t classes[37];
    static attn_pixel_labels labels;
    for (int i = 0; i < 37; i++) {
        classes[i] = i % 6 == 5 ? 255 : (uint8_t)(i % 6);
    }
    labels = (attn_pixel_labels){sizeof(attn_pixel_labels), classes, 255,
                                 smoothing > 0 ? weights : NULL, smoothing};
    return &labels;
}

static attn_tensor *pixel_loss(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    double nll = 0;
    (void)f;
    attn_layer_pixel_loss(tape, x[0], pixel_labels(0), 1.0, loss, &nll);
    return NULL;
}

/* Twice over the same logits: the gradients must add. */
static attn_tensor *pixel_smoothed(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    double nll = 0;
    (void)f;
    attn_layer_pixel_loss(tape, x[0], pixel_labels(0.1), 1.0, loss, &nll);
    attn_layer_pixel_loss(tape, x[0], pixel_labels(0.1), 1.0, loss, &nll);
    return NULL;
}

static void declare_segmenter(fixture *f, attn_mixer mixer, attn_activation activation,
                              attn_segmenter_norm norm) {
    attn_segmenter_config config;
    attn_segmenter_config_init(&config);
    config.classes = 3;
    config.width_2 = config.width_4 = config.d_model = 8;
    config.blocks = config.heads = 2;
    config.ffn = 5;
    config.mixer = mixer;
    config.window = 3;
    config.activation = activation;
    config.norm = norm;
    config.dropout = config.attention_dropout = config.label_smoothing = 0.15;
    config.stochastic_depth = 0.3;
    assert_int_equal(attn_segmenter_create(&config, true, &f->segmenter, NULL), ATTN_OK);
    attn_params_free(f->params);
    f->params = attn_segmenter_params(f->segmenter);
}

static void declare_segmenter_global(fixture *f) {
    declare_segmenter(f, ATTN_MIXER_GLOBAL, ATTN_ACTIVATION_GELU, ATTN_SEGMENTER_NORM_PICTURE);
}

static void declare_segmenter_window(fixture *f) {
    declare_segmenter(f, ATTN_MIXER_WINDOW, ATTN_ACTIVATION_RELU, ATTN_SEGMENTER_NORM_PLACE);
}

static void declare_segmenter_depthwise(fixture *f) {
    declare_segmenter(f, ATTN_MIXER_DEPTHWISE, ATTN_ACTIVATION_GELU, ATTN_SEGMENTER_NORM_PICTURE);
}

/* A picture that has to be padded. */
static attn_tensor *segmenter(attn_tape *tape, fixture *f, attn_tensor *x[], double *loss) {
    enum { HEIGHT = 11, WIDTH = 21, PIXELS = HEIGHT * WIDTH };
    static const attn_real weights[3] = {1, 0.5, 2};
    static uint8_t pixels[3 * PIXELS], labels[PIXELS];
    double nll = 0;
    (void)x;
    for (int i = 0; i < 3 * PIXELS; i++) {
        pixels[i] = (uint8_t)(i * 7919 % 251);
        labels[i / 3] = i / 3 % 5 == 4 ? ATTN_IGNORE_LABEL : (uint8_t)(i / 3 % 5 % 3);
    }
    attn_segmenter_batch batch = {{1, HEIGHT, WIDTH, pixels}, labels, weights};
    assert_int_equal(attn_segmenter_loss(f->segmenter, tape, &batch, 1.0, loss, &nll, NULL),
                     ATTN_OK);
    return NULL;
}

static const struct grad_case {
    const char *name;
    void (*declare)(fixture *f);
    forward_function *forward;
    int64_t every; /* which elements of the parameters are checked; 0: all */
} cases[] = {
    {"linear", declare_linear, linear_none, 0},
    {"linear, relu", declare_linear, linear_relu, 0},
    {"linear, gelu", declare_linear, linear_gelu, 0},
    {"linear, gelu by tanh", declare_linear, linear_gelu_tanh, 0},
    {"linear, gelu by a sigmoid", declare_linear, linear_gelu_sigmoid, 0},
    {"linear, swish", declare_linear, linear_swish, 0},
    {"linear, residual", declare_linear, linear_residual, 0},
    {"linear, input read twice", declare_linear, linear_shared, 0},
    {"embedding, sinusoidal positions", declare_embedding, embedding, 0},
    {"embedding, learned positions", declare_learned, embedding, 0},
    {"layer norm", declare_norm, norm, 0},
    {"dropout", declare_two, dropout, 0},
    {"residual with dropout", declare_two, residual, 0},
    {"self attention", declare_heads, self_attention, 0},
    {"causal self attention, dropout", declare_heads, causal_attention, 0},
    {"cross attention, dropout", declare_heads, cross_attention, 0},
    {"cross attention, a guided head, dropout", declare_heads, guided_attention, 0},
    {"cross grouped attention, a guided head", declare_grouped, guided_attention, 0},
    {"causal grouped attention, dropout", declare_grouped, causal_attention, 0},
    {"cross grouped attention, dropout", declare_grouped, cross_attention, 0},
    {"self attention, rotary positions, halves", declare_halves, self_attention, 0},
    {"causal grouped attention, rotary positions, adjacent", declare_adjacent, causal_attention, 0},
    {"two attentions that share a table of relative positions", declare_relative,
     relative_attention, 0},
    {"feed-forward, dropout", declare_feed_forward, feed_forward, 0},
    {"recurrent units", declare_ssru, ssru, 0},
    {"output loss", declare_output, output_loss, 0},
    {"output loss, label smoothing", declare_output_with_bias, output_smoothed, 0},
    {"output loss, R-Drop", declare_output_with_bias, output_r_drop, 0},
    {"convolution", declare_conv_same, conv_none, 0},
    {"convolution, relu", declare_conv_same, conv_relu, 0},
    {"convolution, residual, input read twice", declare_conv_same, conv_residual, 0},
    {"convolution, stride 2, dilation 3, gelu", declare_conv_dilated, conv_gelu, 0},
    {"convolution, stride 3", declare_conv_stride_3, conv_none, 0},
    {"convolution, pixels passed over", declare_conv_skipping, conv_residual, 0},
    {"depthwise convolution", declare_depthwise_same, depthwise, 0},
    {"depthwise convolution, larger than the picture", declare_depthwise_wide, depthwise, 0},
    {"depthwise convolution, stride 2, dilation 3", declare_depthwise_dilated, depthwise, 0},
    {"group norm, relu", declare_group_norm, group_norm_relu, 0},
    {"group norm, gelu", declare_group_norm, group_norm_gelu, 0},
    {"resize, larger", declare_picture, resize_up, 0},
    {"resize, smaller", declare_picture, resize_down, 0},
    {"attention in windows", declare_windows, window_attention, 0},
    {"stochastic depth", declare_pictures, stochastic_depth, 0},
    {"pixel loss", declare_pixels, pixel_loss, 0},
    {"pixel loss, class weights, label smoothing", declare_pixels, pixel_smoothed, 0},
    {"translator, post-norm", declare_post_norm, translator, 0},
    {"translator, untied embeddings", declare_untied, translator, 0},
    {"translator of a foreign kind", declare_foreign, translator, 0},
    {"translator, recurrent units", declare_recurrent, translator, 0},
    {"translator, rotary positions", declare_rotary, translator, 0},
    {"translator, relative positions", declare_distances, translator, 0},
    {"translator, frozen relative positions", declare_frozen_distances, translator, 5},
    {"translator, nothing learns but relative positions", declare_only_distances, translator, 0},
    {"translator, pre-norm, learned positions, grouped queries", declare_pre_norm, translator, 0},
    {"translator, a guided head", declare_pre_norm, guided_translator, 0},
    {"translator with adapters", declare_adapted, translator, 0},
    {"segmenter, global attention", declare_segmenter_global, segmenter, 7},
    {"segmenter, attention in windows, norms of places", declare_segmenter_window, segmenter, 29},
    {"segmenter, depthwise mixer", declare_segmenter_depthwise, segmenter, 29},
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* ---- the check ---- */

typedef struct run {
    fixture f;
    forward_function *forward;
    attn_tape *tape;
    attn_real *input[MAX_INPUTS];
    attn_tensor *x[MAX_INPUTS];
} run;

static double output_weight(int64_t i) {
    return 0.3 + 0.1 * (double)(i % 7) - 0.05 * (double)(i % 5);
}

static attn_tensor *forward_pass(run *r, double *loss) {
    attn_tape_begin(r->tape, true, 5, 9);
    for (int i = 0; i < r->f.inputs; i++) {
        r->x[i] = attn_tape_tensor(r->tape, r->f.rows[i], r->f.cols[i]);
        for (int64_t j = 0; j < r->f.rows[i] * r->f.cols[i]; j++) {
            r->x[i]->data[j] = r->input[i][j];
        }
    }
    *loss = 0;
    attn_tensor *y = r->forward(r->tape, &r->f, r->x, loss);
    assert_int_equal(attn_tape_status(r->tape), ATTN_OK);
    for (int64_t i = 0; y != NULL && i < y->rows * y->cols; i++) {
        *loss += output_weight(i) * y->data[i];
    }
    return y;
}

static void analytic_gradient(run *r) {
    double loss;
    attn_params_zero_grad(r->f.params);
    attn_tensor *y = forward_pass(r, &loss);
    attn_real *d_y = y != NULL ? attn_tape_grad(r->tape, y) : NULL;
    for (int64_t i = 0; y != NULL && i < y->rows * y->cols; i++) {
        d_y[i] += output_weight(i);
    }
    assert_int_equal(attn_tape_backward(r->tape, NULL), ATTN_OK);
}

static void check_element(run *r, attn_real *element, double gradient, const char *what,
                          int64_t index) {
    const double h = 1e-5;
    double above, below, before = *element;
    *element = before + h;
    forward_pass(r, &above);
    *element = before - h;
    forward_pass(r, &below);
    *element = before;
    double numeric = (above - below) / (2 * h);
    if (!(fabs(numeric - gradient) <= 1e-7 + 1e-6 * fabs(numeric))) {
        fail_msg("%s[%lld]: the backward says %.9g, central differences %.9g", what,
                 (long long)index, gradient, numeric);
    }
}

static void fill(attn_real *values, int64_t count, uint64_t stream) {
    attn_random random = attn_random_start(attn_random_key(11, 0, stream));
    for (int64_t i = 0; i < count; i++) {
        values[i] = attn_random_normal(&random);
    }
}

static void start(run *r, const struct grad_case *c) {
    *r = (run){.forward = c->forward};
    assert_int_equal(attn_params_create(&r->f.params, NULL), ATTN_OK);
    assert_int_equal(attn_tape_create(&r->tape, NULL), ATTN_OK);
    c->declare(&r->f);
    if (r->f.model == NULL && r->f.segmenter == NULL) {
        assert_int_equal(attn_params_allocate(r->f.params, true, NULL), ATTN_OK);
    }
    /* Not the initializers: ones and zeros would hide mistakes. */
    fill(attn_params_data(r->f.params), attn_params_size(r->f.params), 100);
    for (int64_t i = 0; i < attn_params_size(r->f.params); i++) {
        attn_params_data(r->f.params)[i] *= 0.4;
    }
    for (int i = 0; i < r->f.inputs; i++) {
        int64_t count = r->f.rows[i] * r->f.cols[i];
        r->input[i] = calloc((size_t)count, sizeof(attn_real));
        fill(r->input[i], count, (uint64_t)i);
    }
}

static void finish(run *r) {
    for (int i = 0; i < r->f.inputs; i++) {
        free(r->input[i]);
    }
    if (r->f.model != NULL) {
        attn_translator_free(r->f.model);
    } else if (r->f.segmenter != NULL) {
        attn_segmenter_free(r->f.segmenter);
    } else {
        attn_params_free(r->f.params);
    }
    attn_tape_free(r->tape);
}

/* A copy, because the numeric passes reset the tape and may add to the parameters' gradients; zeros
 * for no gradient. */
static attn_real *copy(const attn_real *values, int64_t count) {
    attn_real *copied = calloc((size_t)count + 1, sizeof(attn_real));
    assert_non_null(copied);
    for (int64_t i = 0; values != NULL && i < count; i++) {
        copied[i] = values[i];
    }
    return copied;
}

/* In a build that is slow, a fifth of the elements. */
static bool passed_over(int64_t n) {
    return thin_step() > 1 && n % 5 != 0;
}

static void check_case(void **state) {
    const struct grad_case *c = *state;
    run r;
    start(&r, c);
    analytic_gradient(&r);
    attn_real *inputs[MAX_INPUTS];
    attn_real *params = copy(attn_params_grad(r.f.params), attn_params_trained(r.f.params));
    for (int i = 0; i < r.f.inputs; i++) {
        inputs[i] = copy(r.x[i]->grad, r.f.rows[i] * r.f.cols[i]);
    }
    for (int i = 0; i < r.f.inputs; i++) {
        for (int64_t j = 0; j < r.f.rows[i] * r.f.cols[i]; j++) {
            if (!passed_over(j)) {
                check_element(&r, &r.input[i][j], inputs[i][j], "input", j);
            }
        }
        free(inputs[i]);
    }
    int64_t offset = 0;
    for (size_t i = 0; i < attn_params_count(r.f.params); i++) {
        attn_param *row = attn_params_at(r.f.params, i);
        for (int64_t j = 0; !row->frozen && j < row->rows * row->cols; j++, offset++) {
            if ((c->every == 0 || offset % c->every == 0) && !passed_over(offset)) {
                check_element(&r, &row->data[j], params[offset], row->name, j);
            }
        }
    }
    free(params);
    finish(&r);
}

int main(void) {
    struct CMUnitTest tests[CASES];
    for (int i = 0; i < CASES; i++) {
        tests[i] = (struct CMUnitTest){cases[i].name, check_case, NULL, NULL, (void *)&cases[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
