/* layers/conv.c: y = activation(conv(x, W) + b) + residual; x [B H W, C], W [O, KH KW C].
 *
 * The arithmetic is in kernels/conv. Next: layers/depthwise.c. */
#include "kernels/conv/conv.h"

#include <stdio.h>

#include "layers/images.h"

attn_window attn_window_same(int64_t kernel, int64_t stride, int64_t dilation) {
    int64_t padding = dilation * (kernel - 1) / 2;
    return (attn_window){kernel, kernel, stride, dilation, padding, padding};
}

attn_conv_shape attn_layers_conv_shape(const attn_window *w, const attn_grid *grid, int64_t in,
                                       int64_t out) {
    return (attn_conv_shape){
        .batch = grid->batch,
        .height = grid->height,
        .width = grid->width,
        .in = in,
        .out = out,
        .kernel_height = w->kernel_height,
        .kernel_width = w->kernel_width,
        .stride = w->stride,
        .dilation = w->dilation,
        .padding_height = w->padding_height,
        .padding_width = w->padding_width,
    };
}

attn_grid attn_window_grid(const attn_window *window, const attn_grid *grid) {
    attn_conv_shape shape = attn_layers_conv_shape(window, grid, 1, 1);
    return (attn_grid){grid->batch, attn_conv_out_height(&shape), attn_conv_out_width(&shape)};
}

bool attn_layers_window(attn_tape *tape, const attn_window *w, const attn_grid *grid,
                        attn_grid *to) {
    if (w->kernel_height < 1 || w->kernel_width < 1 || w->stride < 1 || w->dilation < 1 ||
        w->padding_height < 0 || w->padding_width < 0) {
        attn_tape_fail(
            tape, ATTN_ERR_ARGUMENT,
            "the window's kernel is %lld x %lld, stride %lld, dilation %lld, padding %lld "
            "x %lld: at least 1, padding at least 0",
            (long long)w->kernel_height, (long long)w->kernel_width, (long long)w->stride,
            (long long)w->dilation, (long long)w->padding_height, (long long)w->padding_width);
        return false;
    }
    *to = attn_window_grid(w, grid);
    bool fits = to->height > 0 && to->width > 0;
    if (!fits) {
        attn_tape_fail(
            tape, ATTN_ERR_SHAPE,
            "a kernel of %lld x %lld, dilation %lld, does not fit into pictures of %lld x "
            "%lld with padding %lld x %lld",
            (long long)w->kernel_height, (long long)w->kernel_width, (long long)w->dilation,
            (long long)grid->height, (long long)grid->width, (long long)w->padding_height,
            (long long)w->padding_width);
    }
    return fits;
}

attn_conv attn_conv_declare(attn_params *params, const char *name, int64_t in, int64_t out,
                            const attn_window *window, bool bias) {
    char full[96];
    int64_t products = window->kernel_height * window->kernel_width * in;
    attn_conv conv = {.window = *window, .in = in, .out = out};
    conv.kernel.in = products;
    conv.kernel.out = out;
    snprintf(full, sizeof full, "%s.weight", name);
    conv.kernel.weight = attn_params_declare(params, full, out, products, ATTN_INIT_HE);
    if (bias) {
        snprintf(full, sizeof full, "%s.bias", name);
        conv.kernel.bias = attn_params_declare(params, full, 1, out, ATTN_INIT_ZERO);
    }
    return conv;
}

typedef struct conv_record {
    attn_conv conv;
    attn_conv_shape shape;
    attn_activation activation;
    attn_tensor *x, *y, *residual;
    real *pre_activation;
} conv_record;

static attn_status backward_input(attn_tape *tape, const conv_record *r) {
    bool accumulate;
    if (r->x->constant) {
        return ATTN_OK;
    }
    real *d_x = attn_tape_grad_first(tape, r->x, &accumulate);
    return d_x == NULL
               ? ATTN_ERR_MEMORY
               : attn_conv_backward_input(&r->shape, r->y->grad, r->conv.kernel.weight->data, d_x,
                                          accumulate, attn_tape_scratch(tape));
}

static void conv_backward(attn_tape *tape, void *record) {
    const conv_record *r = record;
    if (r->y->grad == NULL) {
        return;
    }
    /* y = ... + residual */
    if (r->residual != NULL && !attn_layers_pass_gradient(tape, r->y, r->residual, r->x)) {
        return;
    }
    /* y = activation(conv(x, W) + b) */
    attn_layers_activation_backward(r->activation, r->y, r->pre_activation);
    const attn_linear *kernel = &r->conv.kernel;
    attn_scratch *scratch = attn_tape_scratch(tape);
    attn_status status = backward_input(tape, r);
    if (status == ATTN_OK && !kernel->weight->frozen) {
        status = attn_conv_backward_weight(&r->shape, r->x->data, r->y->grad, kernel->weight->grad,
                                           scratch);
    }
    if (status != ATTN_OK) {
        attn_layers_fail(tape, status);
    }
    if (!attn_layers_frozen(kernel->bias)) {
        attn_add_rows(r->y->rows, r->y->cols, r->y->grad, kernel->bias->grad);
    }
}

static bool residual_fits(attn_tape *tape, const attn_tensor *residual, const attn_tensor *y,
                          attn_activation activation) {
    if (residual != NULL && activation != ATTN_ACTIVATION_NONE) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "with a residual the activation must be ATTN_ACTIVATION_NONE");
        return false;
    }
    return residual == NULL ||
           attn_layers_shape(tape, residual, "residual", y->rows, y->cols, "the output is");
}

attn_tensor *attn_layer_conv(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                             const attn_conv *conv, attn_activation activation,
                             attn_tensor *residual) {
    attn_grid to;
    attn_tape_layer(tape, "attn_layer_conv");
    if (!attn_layers_picture_activation(tape, activation) ||
        !attn_layers_on_grid(tape, x, grid, conv->in) ||
        !attn_layers_window(tape, &conv->window, grid, &to) ||
        !attn_layers_param(tape, conv->kernel.weight, "the weight")) {
        return NULL;
    }
    attn_tape_uses(tape, conv->kernel.bias);
    attn_tensor *y = attn_tape_tensor(tape, attn_grid_pixels(&to), conv->out);
    conv_record *r = attn_tape_record(tape, sizeof *r, conv_backward);
    if (y == NULL || !residual_fits(tape, residual, y, activation)) {
        return NULL;
    }
    attn_conv_shape shape = attn_layers_conv_shape(&conv->window, grid, conv->in, conv->out);
    real *pre_activation = attn_layers_pre_activation(tape, activation, y);
    if (r != NULL) {
        *r = (conv_record){*conv, shape, activation, x, y, residual, pre_activation};
    }
    if (attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    const attn_param *bias = conv->kernel.bias;
    const attn_packed_weight *packed = conv->kernel.packed;
    attn_conv_epilogue epilogue = {bias != NULL ? bias->data : NULL, pre_activation, activation,
                                   residual != NULL ? residual->data : NULL};
    attn_status status = attn_conv_forward(&shape, x->data, conv->kernel.weight->data,
                                           r == NULL && packed != NULL ? packed->floats : NULL,
                                           &epilogue, y->data, attn_tape_scratch(tape));
    if (status != ATTN_OK) {
        attn_layers_fail(tape, status);
        return NULL;
    }
    return y;
}
