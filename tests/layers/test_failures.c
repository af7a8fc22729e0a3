/* What a layer says when it is given something impossible: which call of the pass, which argument, and
 * what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attn/images.h"
#include "attn/layers.h"

enum { ROWS = 16, COLS = 12 }; /* of x: one picture of 4 x 4 pixels */

typedef struct network {
    attn_params *params;
    attn_tape *tape;
    attn_tensor *x;
    attn_linear linear;
    attn_norm norm;
    attn_multi_head attention;
    attn_feed_forward feed_forward;
    attn_ssru ssru;
    attn_param *table;
    attn_conv conv;
    attn_depthwise depthwise;
    attn_group_norm group_norm;
} network;

static const attn_grid grid = {1, 4, 4};

/* Layers of 8 channels, while x has 12. */
static void open_network(network *n, bool with_grad) {
    attn_window window = attn_window_same(3, 1, 1);
    assert_int_equal(attn_params_create(&n->params, NULL), ATTN_OK);
    assert_int_equal(attn_tape_create(&n->tape, NULL), ATTN_OK);
    n->linear = attn_linear_declare(n->params, "linear", 8, 4);
    n->norm = attn_norm_declare(n->params, "norm", 8);
    n->attention = attn_multi_head_declare(n->params, "attention", 8, 2, 1);
    n->feed_forward = attn_feed_forward_declare(n->params, "feed_forward", 8, 16);
    n->ssru = attn_ssru_declare(n->params, "ssru", 8);
    n->table = attn_params_declare(n->params, "table", 10, 8, ATTN_INIT_EMBEDDING);
    n->conv = attn_conv_declare(n->params, "conv", 8, 8, &window, true);
    n->depthwise = attn_depthwise_declare(n->params, "depthwise", 8, &window);
    n->group_norm = attn_group_norm_declare(n->params, "group_norm", 12, 5);
    assert_int_equal(attn_params_allocate(n->params, with_grad, NULL), ATTN_OK);
}

static void begin(network *n, bool record) {
    attn_tape_begin(n->tape, record, 1, 1);
    n->x = attn_tape_tensor(n->tape, ROWS, COLS);
    assert_non_null(n->x);
    memset(n->x->data, 0, ROWS * COLS * sizeof *n->x->data);
}

static void close_network(network *n) {
    attn_tape_free(n->tape);
    attn_params_free(n->params);
}

static void expect(network *n, attn_status status, const char *text) {
    attn_error error;
    char said[1200];
    assert_int_equal(attn_tape_status(n->tape), status);
    assert_int_equal(attn_tape_check(n->tape, &error), status);
    assert_int_equal(error.status, status);
    assert_string_equal(attn_error_format(&error, said, (int)sizeof said), text);
    begin(n, false);
}

static void linear_layers(void **state) {
    (void)state;
    network n;
    open_network(&n, false);
    begin(&n, false);
    assert_null(attn_layer_linear(n.tape, n.x, &n.linear, ATTN_ACTIVATION_NONE));
    expect(&n, ATTN_ERR_SHAPE, "layer 1, attn_layer_linear: x has 12 columns, the weight takes 8");
    assert_null(attn_layer_linear(n.tape, NULL, &n.linear, ATTN_ACTIVATION_NONE));
    expect(&n, ATTN_ERR_ARGUMENT, "layer 1, attn_layer_linear: x is NULL");
    attn_tensor *x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_linear_residual(n.tape, x, &n.linear, n.x));
    expect(&n, ATTN_ERR_SHAPE,
           "layer 1, attn_layer_linear_residual: residual is [16, 12], the output is [16, 4]");
    assert_null(attn_layer_feed_forward(n.tape, n.x, &n.feed_forward, ATTN_ACTIVATION_RELU, 0.0));
    expect(&n, ATTN_ERR_SHAPE,
           "layer 1, attn_layer_feed_forward: x has 12 columns, the weight takes 8");
    close_network(&n);
}

static void other_layers_of_tokens(void **state) {
    (void)state;
    network n;
    const int32_t ids[] = {3, 10};
    open_network(&n, false);
    begin(&n, false);
    assert_null(attn_layer_norm(n.tape, n.x, &n.norm));
    expect(&n, ATTN_ERR_SHAPE, "layer 1, attn_layer_norm: x has 12 columns, the norm takes 8");
    assert_null(attn_layer_embedding(n.tape, n.table, 1, NULL, 2, ids, NULL));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_embedding: ids[1] is 10, the table has 10 rows");
    assert_null(attn_layer_dropout(n.tape, n.x, 1.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_dropout: the dropout is 1, a probability of 0 or more and below 1 "
           "was expected");
    assert_null(attn_layer_residual(n.tape, n.x, attn_tape_tensor(n.tape, ROWS, 8), 0.0));
    expect(&n, ATTN_ERR_SHAPE, "layer 1, attn_layer_residual: branch is [16, 8], x is [16, 12]");
    const int64_t starts[] = {0, 5, ROWS - 1};
    const attn_sequences short_by_one = {2, starts, ROWS - 6};
    assert_null(attn_layer_ssru(n.tape, n.x, &short_by_one, &n.ssru));
    expect(&n, ATTN_ERR_SHAPE, "layer 1, attn_layer_ssru: x has 12 columns, the unit takes 8");
    assert_null(attn_layer_ssru(n.tape, attn_tape_tensor(n.tape, ROWS, 8), &short_by_one, &n.ssru));
    expect(&n, ATTN_ERR_SHAPE, "layer 1, attn_layer_ssru: x has 16 rows, the sequences 15 tokens");
    assert_null(attn_layer_ssru(n.tape, attn_tape_tensor(n.tape, ROWS, 8), NULL, &n.ssru));
    expect(&n, ATTN_ERR_ARGUMENT, "layer 1, attn_layer_ssru: sequences is NULL");
    close_network(&n);
}

static void attention(void **state) {
    (void)state;
    network n;
    const int64_t starts[] = {0, 10, 15}, whole[] = {0, 16};
    attn_sequences short_by_one = {2, starts, 10}, one = {1, whole, 16};
    open_network(&n, false);
    begin(&n, false);
    assert_null(attn_layer_attention(n.tape, n.x, &one, NULL, NULL, &n.attention, false, 0.0));
    expect(&n, ATTN_ERR_SHAPE,
           "layer 1, attn_layer_attention: x has 12 columns, the layer takes 8");
    attn_tensor *x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(
        attn_layer_attention(n.tape, x, &short_by_one, NULL, NULL, &n.attention, false, 0.0));
    expect(&n, ATTN_ERR_SHAPE, "layer 1, attn_layer_attention: x has 16 rows, sequences 15 tokens");
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, x, NULL, &n.attention, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT, "layer 1, attn_layer_attention: memory_sequences is NULL");
    const attn_real table[8 * 4] = {0};
    attn_rotation rotation = {ATTN_ROTARY_HALVES, 8, 4, table};
    attn_multi_head turned = n.attention;
    turned.rotation = &rotation;
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, NULL, NULL, &turned, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_attention: sequence 0 has 16 tokens, the table of the rotation 8 "
           "places");
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, x, &one, &turned, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_attention: an attention with a rotation takes no memory");
    rotation.size = 6;
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, NULL, NULL, &turned, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_attention: a rotation of 6 channels for heads of 4: it needs a "
           "kind, a "
           "table, and an even number of channels up to the head's");
    attn_param distances = {.name = "distances", .rows = 8, .cols = 2, .data = n.table->data};
    attn_relative relative = {&distances, 4};
    attn_multi_head near = n.attention;
    near.relative = &relative;
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, x, &one, &near, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_attention: an attention with relative positions takes no memory");
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, NULL, NULL, &near, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_attention: relative positions in 8 buckets up to the distance 4, "
           "for 2 of 2 heads: they need a column a head, 4 buckets or more, and a distance above "
           "half of the buckets");
    distances.data = NULL;
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, NULL, NULL, &near, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_attention: the table of relative positions, distances, was not "
           "allocated");
    relative.table = NULL;
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_attention(n.tape, x, &one, NULL, NULL, &near, false, 0.0));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_attention: the table of relative positions is NULL");
    close_network(&n);
}

static void output_loss(void **state) {
    (void)state;
    network n;
    int32_t targets[ROWS] = {0};
    double loss = 0, nll = 0;
    targets[5] = -1;
    open_network(&n, false);
    begin(&n, false);
    attn_linear output = {.weight = n.table, .in = 8, .out = 10};
    attn_layer_output_loss(n.tape, n.x, &output, targets, 0.1, 1, &loss, &nll);
    expect(&n, ATTN_ERR_SHAPE,
           "layer 1, attn_layer_output_loss: x has 12 columns, the weight takes 8");
    attn_tensor *x = attn_tape_tensor(n.tape, ROWS, 8);
    attn_layer_output_loss(n.tape, x, &output, targets, 0.1, 1, &loss, &nll);
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_output_loss: targets[5] is -1, the weight has 10 rows");
    assert_true(loss == 0 && nll == 0);
    close_network(&n);
}

static void layers_of_pictures(void **state) {
    (void)state;
    network n;
    const attn_grid other = {1, 4, 5}, tiny = {16, 1, 1};
    open_network(&n, false);
    begin(&n, false);
    assert_null(attn_layer_conv(n.tape, n.x, &grid, &n.conv, ATTN_ACTIVATION_NONE, NULL));
    expect(&n, ATTN_ERR_SHAPE,
           "layer 1, attn_layer_conv: x is [16, 12], a grid of 1 x 4 x 4 takes [16, 8]");
    attn_tensor *x = attn_tape_tensor(n.tape, ROWS, 8);
    attn_conv wide = n.conv;
    wide.window.padding_height = wide.window.padding_width = 0;
    assert_null(attn_layer_conv(n.tape, x, &tiny, &wide, ATTN_ACTIVATION_NONE, NULL));
    expect(
        &n, ATTN_ERR_SHAPE,
        "layer 1, attn_layer_conv: a kernel of 3 x 3, dilation 1, does not fit into pictures of 1 "
        "x 1 with padding 0 x 0");
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_conv(n.tape, x, &grid, &n.conv, ATTN_ACTIVATION_SWISH, NULL));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_conv: the activation must be NONE, RELU or GELU");
    x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_conv(n.tape, x, &grid, &n.conv, ATTN_ACTIVATION_RELU, x));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_conv: with a residual the activation must be ATTN_ACTIVATION_NONE");
    x = attn_tape_tensor(n.tape, ROWS, 8);
    attn_depthwise still = n.depthwise;
    still.window.stride = 0;
    assert_null(attn_layer_depthwise(n.tape, x, &grid, &still, ATTN_ACTIVATION_NONE));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_depthwise: the window's kernel is 3 x 3, stride 0, dilation 1, "
           "padding 1 x 1: at least 1, padding at least 0");
    assert_null(attn_layer_group_norm(n.tape, n.x, &grid, &n.group_norm, ATTN_ACTIVATION_NONE));
    expect(&n, ATTN_ERR_ARGUMENT,
           "layer 1, attn_layer_group_norm: 5 groups do not divide 12 channels");
    assert_null(attn_layer_resize(n.tape, n.x, &other, &grid));
    expect(&n, ATTN_ERR_SHAPE,
           "layer 1, attn_layer_resize: x is [16, 12], a grid of 1 x 4 x 5 takes [20, 12]");
    close_network(&n);
}

static void orders_and_labels(void **state) {
    (void)state;
    network n;
    int64_t order[ROWS] = {0};
    uint8_t classes[ROWS] = {0};
    double loss = 0, nll = 0;
    attn_pixel_labels labels = {sizeof(attn_pixel_labels), classes, 255, NULL, 0.0};
    order[3] = ROWS;
    classes[7] = COLS;
    open_network(&n, false);
    begin(&n, false);
    assert_null(attn_layer_permute(n.tape, n.x, order, false));
    expect(&n, ATTN_ERR_ARGUMENT, "layer 1, attn_layer_permute: order[3] is 16, x has 16 rows");
    attn_layer_pixel_loss(n.tape, n.x, &labels, 1, &loss, &nll);
    expect(
        &n, ATTN_ERR_ARGUMENT,
        "layer 1, attn_layer_pixel_loss: the label of row 7 is 12, neither one of 12 classes nor "
        "the ignore value 255");
    assert_null(attn_layer_stochastic_depth(n.tape, n.x, &grid, -0.5));
    expect(
        &n, ATTN_ERR_ARGUMENT,
        "layer 1, attn_layer_stochastic_depth: p is -0.5, a probability of 0 or more and below 1 "
        "was expected");
    close_network(&n);
}

/* The first failure is kept, with the number of its call and the scope; what follows gets NULL. */
static void the_call_is_counted_and_scoped(void **state) {
    (void)state;
    network n;
    open_network(&n, false);
    begin(&n, false);
    attn_tape_scope(n.tape, "block.%d", 2);
    attn_tensor *x = attn_layer_dropout(n.tape, n.x, 0.5);
    x = attn_layer_residual(n.tape, x, n.x, 0.0);
    x = attn_layer_linear(n.tape, x, &n.linear, ATTN_ACTIVATION_NONE);
    assert_null(attn_layer_norm(n.tape, x, &n.norm));
    expect(&n, ATTN_ERR_SHAPE,
           "layer 3, block.2, attn_layer_linear: x has 12 columns, the weight takes 8");
    attn_tape_layer(n.tape, "my_layer");
    attn_tape_fail(n.tape, ATTN_ERR_NUMERIC, "row %d is not finite", 7);
    expect(&n, ATTN_ERR_NUMERIC, "layer 1, my_layer: row 7 is not finite");
    close_network(&n);
}

/* Recording needs room for gradients. */
static void parameters_without_gradients(void **state) {
    (void)state;
    network n;
    attn_error error;
    open_network(&n, false);
    begin(&n, true);
    attn_tensor *x = attn_tape_tensor(n.tape, ROWS, 8);
    assert_null(attn_layer_linear(n.tape, x, &n.linear, ATTN_ACTIVATION_NONE));
    assert_int_equal(attn_tape_backward(n.tape, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "layer 1, attn_layer_linear");
    assert_string_equal(error.what, "the weight, linear.weight, was not allocated with gradients, "
                                    "and the tape records");
    close_network(&n);
}

static void fails_in_the_backward(attn_tape *tape, void *record) {
    (void)record;
    attn_tape_fail(tape, ATTN_ERR_NUMERIC, "no gradient");
}

static void the_backward_names_its_layer(void **state) {
    (void)state;
    network n;
    attn_error error;
    open_network(&n, true);
    begin(&n, true);
    attn_tape_scope(n.tape, "first");
    attn_tape_layer(n.tape, "my_layer");
    assert_non_null(attn_tape_record(n.tape, 1, fails_in_the_backward));
    attn_tape_scope(n.tape, "second");
    assert_non_null(attn_layer_dropout(n.tape, n.x, 0.5));
    assert_int_equal(attn_tape_backward(n.tape, &error), ATTN_ERR_NUMERIC);
    assert_string_equal(error.where, "layer 1, first, my_layer, backward");
    assert_string_equal(error.what, "no gradient");
    close_network(&n);
}

static void declarations(void **state) {
    (void)state;
    attn_params *params;
    attn_error error;
    assert_int_equal(attn_params_create(&params, &error), ATTN_OK);
    assert_null(attn_linear_declare(params, "encoder.up", 0, 16).weight);
    assert_int_equal(attn_params_allocate(params, true, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "encoder.up.weight");
    assert_string_equal(error.what, "16 rows x 0 columns, both must be at least 1");
    attn_params_free(params);

    assert_int_equal(attn_params_create(&params, &error), ATTN_OK);
    (void)attn_multi_head_declare(params, "self", 10, 4, 2);
    assert_int_equal(attn_params_allocate(params, true, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "self");
    attn_params_free(params);

    assert_int_equal(attn_params_create(&params, &error), ATTN_OK);
    assert_int_equal(attn_params_allocate(params, true, &error), ATTN_OK);
    assert_null(attn_params_declare(params, "late", 1, 1, ATTN_INIT_ZERO));
    assert_int_equal(attn_params_allocate(params, true, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.what, "declared after attn_params_allocate");
    attn_params_free(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_layers),
        cmocka_unit_test(other_layers_of_tokens),
        cmocka_unit_test(attention),
        cmocka_unit_test(output_loss),
        cmocka_unit_test(layers_of_pictures),
        cmocka_unit_test(orders_and_labels),
        cmocka_unit_test(the_call_is_counted_and_scoped),
        cmocka_unit_test(parameters_without_gradients),
        cmocka_unit_test(the_backward_names_its_layer),
        cmocka_unit_test(declarations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
