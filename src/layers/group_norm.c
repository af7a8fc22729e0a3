/* layers/group_norm.c: y = activation((x - mean) / sqrt(variance + 1e-5) * gamma + beta), over the
 * pixels of a picture and the channels of a group.
 *
 * The arithmetic is in kernels/group_norm. */
#include "kernels/group_norm/group_norm.h"

#include <stdio.h>

#include "layers/images.h"

static const real epsilon = (real)1e-5;

attn_group_norm attn_group_norm_declare(attn_params *params, const char *name, int64_t channels,
                                        int64_t groups) {
    char full[96];
    attn_group_norm norm = {.groups = groups};
    snprintf(full, sizeof full, "%s.gamma", name);
    norm.gamma = attn_params_declare(params, full, 1, channels, ATTN_INIT_ONE);
    snprintf(full, sizeof full, "%s.beta", name);
    norm.beta = attn_params_declare(params, full, 1, channels, ATTN_INIT_ZERO);
    return norm;
}

typedef struct group_norm_record {
    attn_group_norm norm;
    attn_group_norm_shape shape;
    attn_activation activation;
    attn_tensor *x, *y;
    real *mean, *rstd; /* [B, G] */
    real *pre_activation;
} group_norm_record;

static void group_norm_backward(attn_tape *tape, void *record) {
    const group_norm_record *r = record;
    bool relu = r->activation == ATTN_ACTIVATION_RELU, accumulate;
    real *d_x = r->y->grad != NULL ? attn_tape_grad_first(tape, r->x, &accumulate) : NULL;
    if (d_x == NULL) {
        return;
    }
    /* y = activation(norm(x)); where a relu let nothing through is seen from x again */
    if (!relu) {
        attn_layers_activation_backward(r->activation, r->y, r->pre_activation);
    }
    attn_group_norm_gradient gradient = {.x = r->x->data,
                                         .gamma = r->norm.gamma->data,
                                         .beta = r->norm.beta->data,
                                         .mean = r->mean,
                                         .rstd = r->rstd,
                                         .d_y = r->y->grad,
                                         .relu = relu,
                                         .d_x = d_x,
                                         .accumulate = accumulate,
                                         .d_gamma = r->norm.gamma->grad,
                                         .d_beta = r->norm.beta->grad};
    attn_status status = attn_group_norm_backward(&r->shape, &gradient, attn_tape_scratch(tape));
    if (status != ATTN_OK) {
        attn_layers_fail(tape, status);
    }
}

attn_tensor *attn_layer_group_norm(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                                   const attn_group_norm *norm, attn_activation activation) {
    attn_tape_layer(tape, "attn_layer_group_norm");
    if (!attn_layers_picture_activation(tape, activation) ||
        !attn_layers_param(tape, norm->gamma, "gamma") ||
        !attn_layers_on_grid(tape, x, grid, norm->gamma->cols)) {
        return NULL;
    }
    int64_t channels = norm->gamma->cols;
    if (norm->groups < 1 || channels % norm->groups != 0) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "%lld groups do not divide %lld channels",
                       (long long)norm->groups, (long long)channels);
        return NULL;
    }
    attn_tape_uses(tape, norm->beta);
    attn_tensor *y = attn_tape_tensor(tape, x->rows, x->cols);
    group_norm_record *r = attn_tape_record(tape, sizeof *r, group_norm_backward);
    size_t groups = (size_t)(grid->batch * norm->groups);
    real *mean = attn_tape_alloc(tape, groups * sizeof *mean);
    real *rstd = attn_tape_alloc(tape, groups * sizeof *rstd);
    if (y == NULL || mean == NULL || rstd == NULL) {
        return NULL;
    }
    attn_group_norm_shape shape = {grid->batch, grid->height * grid->width, channels, norm->groups};
    real *pre_activation = attn_layers_pre_activation(tape, activation, y);
    if (r != NULL) {
        *r = (group_norm_record){*norm, shape, activation, x, y, mean, rstd, pre_activation};
    }
    if (attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    attn_status status = attn_group_norm_forward(
        &shape, x->data, norm->gamma->data, norm->beta->data, epsilon, activation, y->data, mean,
        rstd, pre_activation, attn_tape_scratch(tape));
    if (status != ATTN_OK) {
        attn_layers_fail(tape, status);
        return NULL;
    }
    return y;
}
