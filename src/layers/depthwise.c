/* layers/depthwise.c: y = activation(depthwise(x, W) + b); x [B H W, C], W [KH KW, C].
 *
 * With zeros outside the picture it also tells a pixel where it lies: a 3 x 3 kernel inside the
 * feed-forward gives positions at any picture size (Xie et al. 2021, SegFormer). The arithmetic is
 * in kernels/depthwise. */
#include "kernels/depthwise/depthwise.h"

#include <stdio.h>

#include "layers/images.h"

enum { MAX_KERNEL = 31 };

attn_depthwise attn_depthwise_declare(attn_params *params, const char *name, int64_t channels,
                                      const attn_window *window) {
    char full[96];
    attn_depthwise depthwise = {.window = *window};
    snprintf(full, sizeof full, "%s.weight", name);
    depthwise.weight = attn_params_declare(
        params, full, window->kernel_height * window->kernel_width, channels, ATTN_INIT_HE_COLUMNS);
    snprintf(full, sizeof full, "%s.bias", name);
    depthwise.bias = attn_params_declare(params, full, 1, channels, ATTN_INIT_ZERO);
    return depthwise;
}

typedef struct depthwise_record {
    attn_depthwise depthwise;
    attn_conv_shape shape;
    attn_activation activation;
    attn_tensor *x, *y;
    real *slope; /* of GELU; NULL with another activation */
} depthwise_record;

static void depthwise_backward(attn_tape *tape, void *record) {
    const depthwise_record *r = record;
    if (r->y->grad == NULL) {
        return;
    }
    bool accumulate;
    real *d_x = attn_tape_grad_first(tape, r->x, &accumulate);
    if (d_x == NULL) {
        return;
    }
    /* y = activation(depthwise(x, W) + b) */
    if (r->slope != NULL) {
        attn_multiply(r->y->rows * r->y->cols, r->slope, r->y->grad);
    } else {
        attn_layers_activation_backward(r->activation, r->y, NULL);
    }
    attn_depthwise_backward_input(&r->shape, r->y->grad, r->depthwise.weight->data, d_x,
                                  accumulate);
    if (!r->depthwise.weight->frozen) {
        attn_depthwise_backward_weight(&r->shape, r->x->data, r->y->grad,
                                       r->depthwise.weight->grad);
    }
    if (!r->depthwise.bias->frozen) {
        attn_add_rows(r->y->rows, r->y->cols, r->y->grad, r->depthwise.bias->grad);
    }
}

attn_tensor *attn_layer_depthwise(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                                  const attn_depthwise *depthwise, attn_activation activation) {
    const attn_window *window = &depthwise->window;
    attn_grid to;
    attn_tape_layer(tape, "attn_layer_depthwise");
    if (!attn_layers_picture_activation(tape, activation) ||
        !attn_layers_param(tape, depthwise->weight, "the weight") ||
        !attn_layers_on_grid(tape, x, grid, depthwise->weight->cols) ||
        !attn_layers_window(tape, window, grid, &to)) {
        return NULL;
    }
    if (window->kernel_height > MAX_KERNEL || window->kernel_width > MAX_KERNEL) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "the window's kernel is %lld x %lld, at most %d",
                       (long long)window->kernel_height, (long long)window->kernel_width,
                       MAX_KERNEL);
        return NULL;
    }
    attn_tape_uses(tape, depthwise->bias);
    attn_tensor *y = attn_tape_tensor(tape, attn_grid_pixels(&to), x->cols);
    depthwise_record *r = attn_tape_record(tape, sizeof *r, depthwise_backward);
    if (y == NULL) {
        return NULL;
    }
    attn_conv_shape shape = attn_layers_conv_shape(window, grid, x->cols, x->cols);
    /* The forward has the error function at hand, so it leaves the derivative, not its place. */
    real *slope = attn_layers_pre_activation(tape, activation, y);
    if (r != NULL) {
        *r = (depthwise_record){*depthwise, shape, activation, x, y, slope};
    }
    if (attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    attn_depthwise_forward(&shape, x->data, depthwise->weight->data, depthwise->bias->data,
                           activation, y->data, slope);
    return y;
}
