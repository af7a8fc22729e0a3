/* layers/norm.c: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta over the C channels of each
 * token; RMSNorm: without mean and beta.
 *
 * The arithmetic is in kernels/norm. */
#include "kernels/norm/norm.h"

#include <stdio.h>

#include "layers/layers.h"

static attn_norm declare(attn_params *params, const char *name, int64_t channels, bool rms) {
    char full[96];
    attn_norm norm = {.rms = rms};
    snprintf(full, sizeof full, "%s.gamma", name);
    norm.gamma = attn_params_declare(params, full, 1, channels, ATTN_INIT_ONE);
    if (!rms) {
        snprintf(full, sizeof full, "%s.beta", name);
        norm.beta = attn_params_declare(params, full, 1, channels, ATTN_INIT_ZERO);
    }
    return norm;
}

attn_norm attn_norm_declare(attn_params *params, const char *name, int64_t channels) {
    return declare(params, name, channels, false);
}

attn_norm attn_norm_declare_rms(attn_params *params, const char *name, int64_t channels) {
    return declare(params, name, channels, true);
}

typedef struct norm_record {
    attn_norm norm;
    attn_tensor *x, *y;
    real *mean, *rstd; /* [N] */
} norm_record;

static void norm_backward(attn_tape *tape, void *record) {
    const norm_record *r = record;
    if (r->y->grad == NULL) {
        return;
    }
    real *d_x = r->x->constant ? NULL : attn_tape_grad(tape, r->x);
    if (attn_tape_status(tape) != ATTN_OK) {
        return;
    }
    attn_norm_backward(r->x->rows, r->x->cols, r->x->data, r->norm.gamma->data, r->mean, r->rstd,
                       r->y->grad, d_x, r->norm.gamma->grad,
                       r->norm.beta ? r->norm.beta->grad : NULL, !r->norm.rms);
}

attn_tensor *attn_layer_norm(attn_tape *tape, attn_tensor *x, const attn_norm *norm) {
    attn_tape_layer(tape, "attn_layer_norm");
    if (!attn_layers_param(tape, norm->gamma, "gamma") ||
        !attn_layers_columns(tape, x, "x", norm->gamma->cols, "the norm")) {
        return NULL;
    }
    attn_tape_uses(tape, norm->beta);
    attn_tensor *y = attn_tape_tensor(tape, x->rows, x->cols);
    norm_record *r = attn_tape_record(tape, sizeof *r, norm_backward);
    if (y == NULL) {
        return NULL;
    }
    real *mean = NULL, *rstd = NULL;
    if (r != NULL) {
        mean = attn_tape_alloc(tape, (size_t)x->rows * sizeof(real));
        rstd = attn_tape_alloc(tape, (size_t)x->rows * sizeof(real));
        *r = (norm_record){*norm, x, y, mean, rstd};
        y->constant = x->constant && norm->gamma->frozen && attn_layers_frozen(norm->beta);
    }
    if (attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    attn_norm_forward(
        x->rows, x->cols, x->data, norm->gamma->data, norm->beta != NULL ? norm->beta->data : NULL,
        norm->epsilon > 0 ? norm->epsilon : (real)1e-5, !norm->rms, y->data, mean, rstd);
    return y;
}
