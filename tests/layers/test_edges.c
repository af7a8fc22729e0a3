/* Layers at their edges: batches of nothing, and arguments that cannot be, wherever they come from. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attn/images.h"
#include "attn/layers.h"
#include "layers/guide.h"

enum { CHANNELS = 8 };

typedef struct network {
    attn_params *params;
    attn_tape *tape;
    attn_multi_head attention;
    attn_linear linear;
    attn_conv conv;
    attn_depthwise depthwise;
    attn_group_norm group_norm;
} network;

static void open_network(network *n) {
    attn_window window = attn_window_same(3, 1, 1);
    assert_int_equal(attn_params_create(&n->params, NULL), ATTN_OK);
    assert_int_equal(attn_tape_create(&n->tape, NULL), ATTN_OK);
    n->attention = attn_multi_head_declare(n->params, "attention", CHANNELS, 4, 2);
    n->linear = attn_linear_declare(n->params, "linear", CHANNELS, 5);
    n->conv = attn_conv_declare(n->params, "conv", CHANNELS, CHANNELS, &window, true);
    n->depthwise = attn_depthwise_declare(n->params, "depthwise", CHANNELS, &window);
    n->group_norm = attn_group_norm_declare(n->params, "group_norm", CHANNELS, 2);
    assert_int_equal(attn_params_allocate(n->params, true, NULL), ATTN_OK);
    attn_params_init(n->params, 1);
}

static void close_network(network *n) {
    attn_tape_free(n->tape);
    attn_params_free(n->params);
}

/* A pass that records, and its first tensor, all 0. */
static attn_tensor *begin(network *n, int64_t rows) {
    attn_tape_begin(n->tape, true, 1, 1);
    attn_tensor *x = attn_tape_tensor(n->tape, rows, CHANNELS);
    assert_non_null(x);
    memset(x->data, 0, (size_t)(rows * CHANNELS) * sizeof *x->data);
    return x;
}

static void refused(network *n, const char *what) {
    attn_error error;
    assert_int_equal(attn_tape_check(n->tape, &error), ATTN_ERR_ARGUMENT);
    if (strstr(error.what, what) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.what, what);
    }
}

static void played_back(network *n, attn_tensor *y) {
    attn_error error;
    assert_int_equal(attn_tape_check(n->tape, &error), ATTN_OK);
    assert_non_null(y);
    assert_non_null(attn_tape_grad(n->tape, y));
    assert_int_equal(attn_tape_backward(n->tape, &error), ATTN_OK);
}

static void batches_of_nothing(void **state) {
    (void)state;
    network n;
    const attn_grid none = {0, 4, 4}, larger = {0, 8, 8};
    const attn_activation gelu = ATTN_ACTIVATION_GELU;
    open_network(&n);
    played_back(&n, attn_layer_conv(n.tape, begin(&n, 0), &none, &n.conv, gelu, NULL));
    played_back(&n, attn_layer_depthwise(n.tape, begin(&n, 0), &none, &n.depthwise, gelu));
    played_back(&n, attn_layer_group_norm(n.tape, begin(&n, 0), &none, &n.group_norm, gelu));
    played_back(&n, attn_layer_resize(n.tape, begin(&n, 0), &none, &larger));
    played_back(&n, attn_layer_stochastic_depth(n.tape, begin(&n, 0), &none, 0.5));
    attn_tensor *x = begin(&n, 0);
    attn_windows windows = attn_grid_windows(n.tape, &none, INT64_MAX);
    assert_int_equal(windows.sequences.count, 0);
    x = attn_layer_permute(n.tape, x, windows.order, false);
    played_back(&n, attn_layer_attention(n.tape, x, &windows.sequences, NULL, NULL, &n.attention,
                                         true, 0.1));
    attn_pixel_labels labels;
    double loss = 0, nll = 0;
    attn_pixel_labels_init(&labels);
    labels.classes = (const uint8_t[1]){0};
    x = begin(&n, 0);
    attn_layer_pixel_loss(n.tape, x, &labels, 1, &loss, &nll);
    attn_layer_output_loss(n.tape, x, &n.linear, NULL, 0, 1, &loss, &nll);
    attn_layer_output_r_drop(n.tape, x, &n.linear, NULL, 0, 1, 1, &loss, &nll);
    played_back(&n, x);
    assert_true(loss == 0 && nll == 0);
    close_network(&n);
}

static void grids_that_cannot_be(void **state) {
    (void)state;
    network n;
    const attn_grid negative = {-1, -4, 4}, endless = {(int64_t)1 << 32, (int64_t)1 << 32, 1};
    open_network(&n);
    assert_null(attn_layer_group_norm(n.tape, begin(&n, 16), &negative, &n.group_norm,
                                      ATTN_ACTIVATION_NONE));
    refused(&n, "no grid of -1 x -4 x 4");
    begin(&n, 16);
    assert_null(attn_grid_windows(n.tape, &negative, 2).order);
    refused(&n, "no grid");
    begin(&n, 16);
    assert_null(attn_grid_sequences(n.tape, &endless).starts);
    refused(&n, "no grid");
    begin(&n, 16);
    assert_null(attn_grid_windows(n.tape, &(attn_grid){1, 4, 4}, 0).order);
    refused(&n, "at least 1");
    close_network(&n);
}

static void attention_that_cannot_be(void **state) {
    (void)state;
    network n;
    const int64_t late[] = {2, 10}, falling[] = {0, 12, 5, 10}, far[] = {0, 5000, 10};
    const attn_sequences sequences[] = {
        {1, late, 10}, {3, falling, 12}, {2, far, 10}, {-1, late, 1}};
    open_network(&n);
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        attn_tensor *x = begin(&n, 10);
        assert_null(
            attn_layer_attention(n.tape, x, &sequences[i], NULL, NULL, &n.attention, true, 0));
        assert_int_equal(attn_tape_status(n.tape), ATTN_ERR_ARGUMENT);
    }
    const int64_t whole[] = {0, 10};
    const attn_sequences one = {1, whole, 10};
    for (int i = 0; i < 4; i++) {
        attn_multi_head odd = n.attention;
        odd.heads = i == 0 ? 3 : i == 1 ? 0 : odd.heads;
        odd.kv_heads = i == 2 ? 0 : odd.kv_heads;
        odd.head_size = i == 3 ? 1 : odd.head_size;
        attn_tensor *x = begin(&n, 10);
        assert_null(attn_layer_attention(n.tape, x, &one, NULL, NULL, &odd, true, 0));
        refused(&n, "channels must be heads times their size");
    }
    const double odds[] = {2, NAN, -0.1, 1};
    for (int i = 0; i < 4; i++) {
        attn_tensor *x = begin(&n, 10);
        assert_null(attn_layer_attention(n.tape, x, &one, NULL, NULL, &n.attention, true, odds[i]));
        refused(&n, "the dropout is");
        assert_null(attn_layer_dropout(n.tape, begin(&n, 10), odds[i]));
        refused(&n, "the dropout is");
    }
    close_network(&n);
}

static void losses_that_cannot_be(void **state) {
    (void)state;
    network n;
    double loss = 0, nll = 0;
    int32_t targets[4] = {0, 1, 200000000, 0};
    open_network(&n);
    attn_layer_output_loss(n.tape, begin(&n, 4), &n.linear, targets, 0, 1, &loss, &nll);
    refused(&n, "targets[2] is 200000000");
    targets[2] = 5;
    attn_layer_output_loss(n.tape, begin(&n, 4), &n.linear, targets, 0, 1, &loss, &nll);
    refused(&n, "targets[2] is 5");
    targets[2] = 4;
    attn_layer_output_r_drop(n.tape, begin(&n, 4), &n.linear, targets, 0, NAN, 1, &loss, &nll);
    refused(&n, "the agreement");
    attn_layer_output_r_drop(n.tape, begin(&n, 5), &n.linear, targets, 0, 1, 1, &loss, &nll);
    assert_int_equal(attn_tape_status(n.tape), ATTN_ERR_SHAPE);
    const attn_real weights[3][CHANNELS] = {{1, -1}, {1, NAN}, {INFINITY}};
    for (int i = 0; i < 3; i++) {
        attn_pixel_labels labels;
        attn_pixel_labels_init(&labels);
        labels.classes = (const uint8_t[4]){0};
        labels.class_weights = weights[i];
        attn_layer_pixel_loss(n.tape, begin(&n, 4), &labels, 1, &loss, &nll);
        refused(&n, i < 2 ? "the weight of class 1" : "the weight of class 0");
    }
    assert_true(loss == 0 && nll == 0);
    close_network(&n);
}

/* Five equal keys and scores of 7e5, of which a float holds sixteenths: each weighs 1/5 all the same. */
static void a_guide_where_scores_are_large(void **state) {
    (void)state;
    const int64_t row[] = {0, 1}, memory[] = {0, 5}, start[] = {0, 1};
    const int32_t token = 2;
    const attn_real query[2] = {1e6f, 0}, key[10] = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
    attn_real d_query[2] = {0}, d_key[10] = {0}, lse = (attn_real)(1e6 / sqrt(2.0) + log(5.0));
    attn_guide guide = {.start = start, .token = &token, .gradient_scale = 1};
    attn_guide_head head = {.query = query,
                            .key = key,
                            .d_query = d_query,
                            .d_key = d_key,
                            .query_row = 2,
                            .key_row = 2,
                            .size = 2,
                            .lse = &lse,
                            .sequences = {1, row, 1},
                            .memory_sequences = {1, memory, 5}};
    assert_true(fabs(attn_guide_loss(&guide, &head) - log(5.0)) < 1e-5);
    attn_guide_backward(&guide, &head);
    double sum = 0, step = 1e6 / sqrt(2.0);
    for (int m = 0; m < 5; m++) {
        sum += (double)d_key[2 * m];
        assert_true(fabs((double)d_key[2 * m] - (m == 2 ? -0.8 : 0.2) * step) < 1e-5 * step);
    }
    assert_true(fabs(sum) < 1e-5 * step);
}

/* Cut names would be one and the same. */
static void names_too_long(void **state) {
    (void)state;
    char name[101];
    memset(name, 'x', 100);
    for (size_t length = 57; length <= 100; length += 43) {
        attn_params *params;
        attn_error error;
        name[length] = '\0';
        assert_int_equal(attn_params_create(&params, NULL), ATTN_OK);
        assert_null(attn_linear_declare(params, name, 2, 2).weight);
        assert_int_equal(attn_params_allocate(params, false, &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, "at most 63 bytes"));
        attn_params_free(params);
        name[length] = 'x';
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_nothing),
        cmocka_unit_test(grids_that_cannot_be),
        cmocka_unit_test(attention_that_cannot_be),
        cmocka_unit_test(losses_that_cannot_be),
        cmocka_unit_test(names_too_long),
        cmocka_unit_test(a_guide_where_scores_are_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
