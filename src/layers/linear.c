/* layers/linear.c: y = activation(x W^T + b) [+ residual], x [N, C], W [O, C], y [N, O].
 *
 * Next: layers/feed_forward.c, layers/attention.c. */
#include "kernels/activation.h"
#include "layers/adapter.h"
#include "layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"

attn_linear attn_linear_declare(attn_params *params, const char *name, int64_t in, int64_t out) {
    char full[96];
    attn_linear linear = {.in = in, .out = out};
    snprintf(full, sizeof full, "%s.weight", name);
    linear.weight = attn_params_declare(params, full, out, in, ATTN_INIT_XAVIER);
    snprintf(full, sizeof full, "%s.bias", name);
    linear.bias = attn_params_declare(params, full, 1, out, ATTN_INIT_ZERO);
    return linear;
}

attn_status attn_linear_merge(const attn_linear *linear, real *out) {
    int64_t in = linear->in;
    memcpy(out, linear->weight->data, (size_t)(linear->out * in) * sizeof *out);
    for (int64_t i = 0; i < linear->adapter_count; i++) {
        const attn_adapter *a = &linear->adapters[i];
        int64_t rank = a->down.out, count = a->up->rows * in;
        real *change = attn_alloc((size_t)count * sizeof *change), *to = out + a->first * in;
        attn_status status = change == NULL ? ATTN_ERR_MEMORY : ATTN_OK;
        if (status == ATTN_OK) {
            status = attn_matmul_run(&(attn_matmul){.size = sizeof(attn_matmul),
                                                    .m = a->up->rows,
                                                    .n = in,
                                                    .k = rank,
                                                    .a = a->up->data,
                                                    .a_row = rank,
                                                    .a_col = 1,
                                                    .b = a->down.weight->data,
                                                    .b_row = in,
                                                    .b_col = 1,
                                                    .c = change,
                                                    .c_row = in},
                                     NULL);
        }
        if (status == ATTN_OK) {
            attn_scale_add(count, change, a->scale, to, to);
        }
        attn_free(change);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return ATTN_OK;
}

static attn_status pack_floats(const attn_linear *linear, const real *weight,
                               attn_packed_weight *out) {
    out->floats = attn_alloc(attn_matmul_packed_size(linear->in, linear->out) * sizeof(real));
    if (out->floats == NULL) {
        return ATTN_ERR_MEMORY;
    }
    attn_matmul_pack(linear->in, linear->out, weight, 1, linear->in, out->floats);
    return ATTN_OK;
}

static attn_status pack_values(const attn_linear *linear, const real *weight, const real *row_scale,
                               attn_compute compute, attn_packed_weight *out) {
    int64_t in = linear->in, count = linear->out;
    if (compute == ATTN_COMPUTE_I8) {
        return attn_matmul_i8_weights_create(in, count, weight, 1, in, row_scale, &out->i8, NULL);
    }
    if (compute == ATTN_COMPUTE_COMPACT && attn_matmul_bf16_holds(in * count, weight)) {
        return attn_matmul_bf16_create(in, count, weight, 1, in, &out->bf16);
    }
    return pack_floats(linear, weight, out);
}

static attn_status pack(const attn_linear *linear, attn_compute compute, attn_packed_weight *out) {
    if (linear->adapter_count == 0) {
        return pack_values(linear, linear->weight->data, linear->weight->row_scale, compute, out);
    }
    real *merged = attn_alloc((size_t)(linear->out * linear->in) * sizeof *merged);
    attn_status status = merged != NULL ? attn_linear_merge(linear, merged) : ATTN_ERR_MEMORY;
    if (status == ATTN_OK) {
        status = pack_values(linear, merged, NULL, compute, out);
    }
    attn_free(merged);
    return status;
}

attn_status attn_linear_pack(attn_linear *linear, attn_compute compute, attn_error *error) {
    attn_linear_unpack(linear);
    if (linear->weight == NULL || linear->weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "allocate the parameters first",
                         "linear has no weight to pack");
    }
    if (compute == ATTN_COMPUTE_I8 && linear->in > ATTN_MATMUL_I8_MAX_K) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, linear->weight->name, -1, NULL,
            "linear has %lld input features, but a sum of 8-bit integers holds at most %d",
            (long long)linear->in, ATTN_MATMUL_I8_MAX_K);
    }
    linear->packed = attn_alloc_zero(1, sizeof *linear->packed);
    if (linear->packed == NULL || pack(linear, compute, linear->packed) != ATTN_OK) {
        attn_linear_unpack(linear);
        return attn_fail_memory(error, (size_t)(linear->in * linear->out) * sizeof(real));
    }
    return ATTN_OK;
}

void attn_linear_unpack(attn_linear *linear) {
    if (linear->packed != NULL) {
        attn_free(linear->packed->floats);
        attn_matmul_bf16_free(linear->packed->bf16);
        attn_matmul_i8_weights_free(linear->packed->i8);
        attn_free(linear->packed);
        linear->packed = NULL;
    }
}

bool attn_linear_is_packed(const attn_linear *linear) {
    return linear->packed != NULL;
}

void attn_linear_weight_row(const attn_linear *linear, int64_t row, real *out) {
    if (linear->packed->bf16 != NULL) {
        attn_matmul_bf16_column(linear->packed->bf16, row, out);
        return;
    }
    const real *panel = linear->packed->floats + row / LANES * LANES * linear->in + row % LANES;
    for (int64_t p = 0; p < linear->in; p++) {
        out[p] = panel[p * LANES];
    }
}

/* What stands before the selected weights. */
typedef struct select_head {
    attn_packed_weight packed;
    attn_param bias;
} select_head;
enum { SELECT_ALIGNMENT = 64 };

static size_t select_aligned(size_t size) {
    return (size + SELECT_ALIGNMENT - 1) / SELECT_ALIGNMENT * SELECT_ALIGNMENT;
}

/* The head and the selected bias. */
static size_t select_before(int64_t count) {
    return select_aligned(sizeof(select_head)) + select_aligned((size_t)count * sizeof(real));
}

size_t attn_linear_select_size(const attn_linear *linear, int64_t count) {
    const attn_packed_weight *packed = linear->packed;
    if (packed->i8 != NULL) {
        return select_before(count) + attn_matmul_i8_select_size(packed->i8, count);
    }
    if (packed->bf16 != NULL) {
        return select_before(count) + attn_matmul_bf16_select_size(packed->bf16, count);
    }
    /* with the rows, before they are packed */
    size_t elements = attn_matmul_packed_size(linear->in, count) + (size_t)(count * linear->in);
    return select_before(count) + elements * sizeof(real);
}

attn_linear attn_linear_select(const attn_linear *linear, int64_t count, const int32_t *outputs,
                               void *memory) {
    select_head *head = memory;
    attn_packed_weight *out = &head->packed;
    void *room = (char *)memory + select_before(count);
    *out = (attn_packed_weight){0};
    head->bias = (attn_param){.rows = 1, .cols = count};
    head->bias.data = (real *)((char *)memory + select_aligned(sizeof *head));
    for (int64_t j = 0; linear->bias != NULL && j < count; j++) {
        head->bias.data[j] = linear->bias->data[outputs[j]];
    }
    if (linear->packed->i8 != NULL) {
        out->i8 = attn_matmul_i8_select(linear->packed->i8, count, outputs, room);
    } else if (linear->packed->bf16 != NULL) {
        out->bf16 = attn_matmul_bf16_select(linear->packed->bf16, count, outputs, room);
    } else {
        out->floats = room;
        real *rows = out->floats + attn_matmul_packed_size(linear->in, count);
        for (int64_t j = 0; j < count; j++) {
            attn_linear_weight_row(linear, outputs[j], rows + j * linear->in);
        }
        attn_matmul_pack(linear->in, count, rows, 1, linear->in, out->floats);
    }
    return (attn_linear){.bias = linear->bias != NULL ? &head->bias : NULL,
                         .in = linear->in,
                         .out = count,
                         .packed = out};
}

typedef struct linear_record {
    attn_linear linear;
    attn_activation activation;
    attn_tensor *x, *y, *residual;
    real *pre_activation;
    attn_tensor *low[ATTN_ADAPTERS_MOST]; /* scale * x A^T of each adapter */
} linear_record;

/* d_x += d_y W */
static void backward_input(attn_tape *tape, const linear_record *r) {
    bool accumulate;
    if (r->x->constant) {
        return;
    }
    real *d_x = attn_tape_grad_first(tape, r->x, &accumulate);
    attn_layers_matmul(tape, &(attn_matmul){.m = r->y->rows,
                                            .n = r->linear.in,
                                            .k = r->linear.out,
                                            .a = r->y->grad,
                                            .a_row = r->linear.out,
                                            .a_col = 1,
                                            .b = r->linear.weight->data,
                                            .b_row = r->linear.in,
                                            .b_col = 1,
                                            .c = d_x,
                                            .c_row = r->linear.in,
                                            .accumulate = accumulate});
}

/* Rows first .. first + rows - 1 of d_W += d_y^T x */
static void backward_weight(attn_tape *tape, const linear_record *r, int64_t first, int64_t rows,
                            real *d_weight) {
    attn_layers_matmul(tape, &(attn_matmul){.m = rows,
                                            .n = r->linear.in,
                                            .k = r->y->rows,
                                            .a = r->y->grad + first,
                                            .a_row = 1,
                                            .a_col = r->linear.out,
                                            .b = r->x->data,
                                            .b_row = r->linear.in,
                                            .b_col = 1,
                                            .c = d_weight,
                                            .c_row = r->linear.in,
                                            .accumulate = true});
}

/* The same of d_b += 1^T d_y */
static void backward_bias(const linear_record *r, int64_t first, int64_t count, real *d_bias) {
    int64_t out = r->linear.out;
    if (count == out) {
        attn_add_rows(r->y->rows, out, r->y->grad, d_bias);
        return;
    }
    for (int64_t row = 0; row < r->y->rows; row++) {
        for (int64_t c = 0; c < count; c++) {
            d_bias[c] += r->y->grad[row * out + first + c];
        }
    }
}

/* The features of the parameter, which is part of a weight or of a bias. */
static int64_t features_of(const attn_param *part, bool bias) {
    return bias ? part->cols : part->rows;
}

/* The parameters of the weight, or of the bias, by runs that are frozen or not: gradients of a run lie together. */
static void backward_runs(attn_tape *tape, const linear_record *r, const attn_param *part,
                          bool bias) {
    for (int64_t at = 0; part != NULL && at < r->linear.out;) {
        const attn_param *run = part;
        int64_t first = at;
        for (; at < r->linear.out && part->frozen == run->frozen; part = part->next) {
            at += features_of(part, bias);
        }
        if (!run->frozen && bias) {
            backward_bias(r, first, at - first, run->grad);
        } else if (!run->frozen) {
            backward_weight(tape, r, first, at - first, run->grad);
        }
    }
}

/* With low = scale * x A^T, an input of its own, and y = ... + low B^T:  d_low = scale * d_y B */
static void backward_low(attn_tape *tape, const linear_record *r, const attn_adapter *a,
                         attn_tensor *low) {
    bool accumulate;
    if (low->constant) {
        return;
    }
    real *d_low = attn_tape_grad_first(tape, low, &accumulate);
    attn_layers_matmul(tape, &(attn_matmul){.m = low->rows,
                                            .n = low->cols,
                                            .k = a->up->rows,
                                            .a = r->y->grad + a->first,
                                            .a_row = r->linear.out,
                                            .a_col = 1,
                                            .b = a->up->data,
                                            .b_row = low->cols,
                                            .b_col = 1,
                                            .c = d_low,
                                            .c_row = low->cols,
                                            .accumulate = accumulate});
    if (d_low != NULL) {
        attn_scale(low->rows * low->cols, d_low, a->scale, d_low);
    }
}

/* d_B += d_y^T low */
static void backward_up(attn_tape *tape, const linear_record *r, const attn_adapter *a,
                        const attn_tensor *low) {
    if (a->up->frozen) {
        return;
    }
    attn_layers_matmul(tape, &(attn_matmul){.m = a->up->rows,
                                            .n = low->cols,
                                            .k = low->rows,
                                            .a = r->y->grad + a->first,
                                            .a_row = 1,
                                            .a_col = r->linear.out,
                                            .b = low->data,
                                            .b_row = low->cols,
                                            .b_col = 1,
                                            .c = a->up->grad,
                                            .c_row = low->cols,
                                            .accumulate = true});
}

static void backward_adapters(attn_tape *tape, const linear_record *r) {
    for (int64_t i = 0; i < r->linear.adapter_count; i++) {
        backward_low(tape, r, &r->linear.adapters[i], r->low[i]);
        backward_up(tape, r, &r->linear.adapters[i], r->low[i]);
    }
}

static void linear_backward(attn_tape *tape, void *record) {
    const linear_record *r = record;
    if (r->y->grad == NULL || r->y->constant) {
        return;
    }
    int64_t count = r->y->rows * r->y->cols;
    /* y = ... + residual */
    if (r->residual != NULL && !attn_layers_pass_gradient(tape, r->y, r->residual, r->x)) {
        return;
    }
    /* y = activation(pre): from here on y's gradient holds that of pre */
    if (r->activation != ATTN_ACTIVATION_NONE) {
        attn_activation_backward(r->activation, count, r->pre_activation, r->y->grad, r->y->grad);
    }
    /* pre = x W^T + b */
    backward_adapters(tape, r);
    backward_input(tape, r);
    backward_runs(tape, r, r->linear.weight, false);
    backward_runs(tape, r, r->linear.bias, true);
}

/* activation(x W^T + bias) + residual with packed weights into rows of y. */
attn_status attn_linear_run_packed(const attn_linear *linear, const attn_linear_rows *rows,
                                   attn_scratch *scratch) {
    const real *bias = linear->bias ? linear->bias->data : NULL;
    const attn_packed_weight *packed = linear->packed;
    if (packed->bf16 != NULL) {
        attn_matmul_bf16_run(&(attn_matmul_bf16){.m = rows->count,
                                                 .a = rows->x,
                                                 .a_row = linear->in,
                                                 .weights = packed->bf16,
                                                 .c = rows->y,
                                                 .c_row = rows->y_row,
                                                 .bias = bias,
                                                 .activation = rows->activation,
                                                 .residual = rows->residual,
                                                 .residual_row = linear->out});
        return ATTN_OK;
    }
    if (packed->i8 != NULL) {
        return attn_matmul_i8_run_scratch(&(attn_matmul_i8){.m = rows->count,
                                                            .a = rows->x,
                                                            .a_row = linear->in,
                                                            .weights = packed->i8,
                                                            .c = rows->y,
                                                            .c_row = rows->y_row,
                                                            .bias = bias,
                                                            .activation = rows->activation,
                                                            .residual = rows->residual,
                                                            .residual_row = linear->out},
                                          scratch);
    }
    return attn_matmul_run_scratch(&(attn_matmul){.m = rows->count,
                                                  .n = linear->out,
                                                  .k = linear->in,
                                                  .a = rows->x,
                                                  .a_row = linear->in,
                                                  .a_col = 1,
                                                  .b_packed = packed->floats,
                                                  .c = rows->y,
                                                  .c_row = rows->y_row,
                                                  .bias = bias,
                                                  .activation = rows->activation,
                                                  .residual = rows->residual,
                                                  .residual_row = linear->out},
                                   scratch);
}

/* low = scale * x A^T of each adapter. */
static bool adapt_down(attn_tape *tape, attn_tensor *x, const attn_linear *linear,
                       attn_tensor *low[ATTN_ADAPTERS_MOST]) {
    for (int64_t i = 0; i < linear->adapter_count; i++) {
        const attn_adapter *a = &linear->adapters[i];
        attn_tensor *kept = attn_layers_dropout(tape, x, a->dropout);
        low[i] =
            kept != NULL ? attn_layers_linear(tape, kept, &a->down, ATTN_ACTIVATION_NONE) : NULL;
        if (low[i] == NULL) {
            return false;
        }
        attn_scale(low[i]->rows * low[i]->cols, low[i]->data, a->scale, low[i]->data);
    }
    return true;
}

/* y = low B^T, where the product with W goes on from. */
static void adapt_up(attn_tape *tape, const attn_linear *linear,
                     attn_tensor *const low[ATTN_ADAPTERS_MOST], attn_tensor *y) {
    memset(y->data, 0, (size_t)(y->rows * y->cols) * sizeof *y->data);
    for (int64_t i = 0; i < linear->adapter_count; i++) {
        const attn_adapter *a = &linear->adapters[i];
        int64_t rank = low[i]->cols;
        attn_layers_matmul(tape, &(attn_matmul){.m = y->rows,
                                                .n = a->up->rows,
                                                .k = rank,
                                                .a = low[i]->data,
                                                .a_row = rank,
                                                .a_col = 1,
                                                .b = a->up->data,
                                                .b_row = 1,
                                                .b_col = rank,
                                                .c = y->data + a->first,
                                                .c_row = linear->out});
    }
}

/* Whether none of the parameters that make up the weight, or the bias, is trained. */
static bool all_frozen(const attn_linear *linear, const attn_param *part, bool bias) {
    bool frozen = true;
    for (int64_t at = 0; part != NULL && frozen && at < linear->out; part = part->next) {
        frozen = part->frozen;
        at += features_of(part, bias);
    }
    return frozen;
}

static bool is_constant(const attn_tensor *x, const attn_linear *linear,
                        const attn_tensor *residual) {
    return x->constant && linear->adapter_count == 0 && (residual == NULL || residual->constant) &&
           all_frozen(linear, linear->weight, false) && all_frozen(linear, linear->bias, true);
}

/* The tape learns which parameters make up the weight, or the bias. */
static void uses_parts(attn_tape *tape, const attn_linear *linear, const attn_param *part,
                       bool bias) {
    for (int64_t at = 0; part != NULL && at < linear->out; part = part->next) {
        attn_tape_uses(tape, part);
        at += features_of(part, bias);
    }
}

static void uses_all(attn_tape *tape, const attn_linear *linear) {
    uses_parts(tape, linear, linear->weight, false);
    uses_parts(tape, linear, linear->bias, true);
    for (int64_t i = 0; i < linear->adapter_count; i++) {
        attn_tape_uses(tape, linear->adapters[i].up);
    }
}

static attn_tensor *linear_forward(attn_tape *tape, attn_tensor *x, const attn_linear *linear,
                                   attn_activation activation, attn_tensor *residual) {
    if (!attn_layers_columns(tape, x, "x", linear->in, "the weight") ||
        ((linear->packed == NULL || attn_tape_recording(tape)) &&
         !attn_layers_param(tape, linear->weight, "the weight"))) {
        return NULL;
    }
    uses_all(tape, linear);
    attn_tensor *low[ATTN_ADAPTERS_MOST] = {NULL};
    bool ready = attn_linear_is_packed(linear) && !attn_tape_recording(tape);
    bool adapted = linear->adapter_count > 0 && !ready;
    if (adapted && !adapt_down(tape, x, linear, low)) {
        return NULL;
    }
    attn_tensor *y = attn_tape_tensor(tape, x->rows, linear->out);
    linear_record *r = attn_tape_record(tape, sizeof *r, linear_backward);
    if (y == NULL) {
        return NULL;
    }
    if (ready) {
        attn_linear_rows rows = {.count = x->rows,
                                 .x = x->data,
                                 .y = y->data,
                                 .y_row = linear->out,
                                 .activation = activation,
                                 .residual = residual ? residual->data : NULL};
        attn_status status = attn_linear_run_packed(linear, &rows, attn_tape_scratch(tape));
        if (status != ATTN_OK) {
            attn_layers_fail(tape, status);
        }
        return attn_tape_status(tape) == ATTN_OK ? y : NULL;
    }
    real *pre_activation = NULL;
    if (r != NULL) {
        if (attn_activation_is_curved(activation)) {
            pre_activation = attn_tape_alloc(tape, (size_t)(y->rows * y->cols) * sizeof(real));
        }
        *r = (linear_record){*linear,
                             activation,
                             x,
                             y,
                             residual,
                             pre_activation != NULL ? pre_activation : y->data,
                             {low[0], low[1], low[2]}};
        y->constant = is_constant(x, linear, residual);
    }
    if (adapted) {
        adapt_up(tape, linear, low, y);
    }
    attn_layers_matmul(tape, &(attn_matmul){.m = x->rows,
                                            .n = linear->out,
                                            .k = linear->in,
                                            .a = x->data,
                                            .a_row = linear->in,
                                            .a_col = 1,
                                            .b = linear->weight->data,
                                            .b_row = 1,
                                            .b_col = linear->in,
                                            .c = y->data,
                                            .c_row = linear->out,
                                            .accumulate = adapted,
                                            .bias = linear->bias ? linear->bias->data : NULL,
                                            .pre_activation = pre_activation,
                                            .activation = activation,
                                            .residual = residual ? residual->data : NULL,
                                            .residual_row = linear->out});
    return attn_tape_status(tape) == ATTN_OK ? y : NULL;
}

attn_tensor *attn_layers_linear(attn_tape *tape, attn_tensor *x, const attn_linear *linear,
                                attn_activation activation) {
    return linear_forward(tape, x, linear, activation, NULL);
}

attn_tensor *attn_layer_linear(attn_tape *tape, attn_tensor *x, const attn_linear *linear,
                               attn_activation activation) {
    attn_tape_layer(tape, "attn_layer_linear");
    return linear_forward(tape, x, linear, activation, NULL);
}

attn_tensor *attn_layer_linear_residual(attn_tape *tape, attn_tensor *x, const attn_linear *linear,
                                        attn_tensor *residual) {
    attn_tape_layer(tape, "attn_layer_linear_residual");
    if (!attn_layers_given(tape, x, "x") ||
        !attn_layers_shape(tape, residual, "residual", x->rows, linear->out, "the output is")) {
        return NULL;
    }
    return linear_forward(tape, x, linear, ATTN_ACTIVATION_NONE, residual);
}
