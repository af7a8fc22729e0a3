/* layers/ssru.c: the simpler simple recurrent unit, in place of a decoder's attention to earlier words.
 *
 *     x' = x W^T;  f = sigmoid(x Wf^T + bf);  c[t] = f c[t - 1] + (1 - f) x'[t], from 0;  y = relu(c)
 *
 * Element by element, so a step at a time gives the bits of a whole pass. C channels.
 * Source: Kim et al. 2019, "From Research to Production and Back: Ludicrously Fast Neural Machine Translation". */
#include <stdio.h>
#include <string.h>

#include "attn/threads.h"
#include "base/math.h"
#include "layers/layers.h"

attn_ssru attn_ssru_declare(attn_params *params, const char *name, int64_t channels) {
    char full[96];
    attn_ssru ssru = {.input = {.in = channels, .out = channels}};
    snprintf(full, sizeof full, "%s.input.weight", name);
    ssru.input.weight = attn_params_declare(params, full, channels, channels, ATTN_INIT_XAVIER);
    snprintf(full, sizeof full, "%s.forget", name);
    ssru.forget = attn_linear_declare(params, full, channels, channels);
    return ssru;
}

static real step(real before, real gate, real input) {
    real f = real_sigmoid(gate);
    return f * before + (1 - f) * input;
}

typedef struct ssru_record {
    attn_sequences sequences;
    attn_tensor *input, *gate, *y; /* x', x Wf^T + bf, relu(c) */
    real *state;                   /* c [N, C] */
} ssru_record;

/* One sequence: tokens first .. last - 1. d_state: room for C. */
static void pass_back(const ssru_record *r, int64_t first, int64_t last, real *d_state,
                      real *d_input, real *d_gate) {
    int64_t channels = r->y->cols;
    memset(d_state, 0, (size_t)channels * sizeof *d_state);
    for (int64_t t = last - 1; t >= first; t--) {
        for (int64_t i = 0; i < channels; i++) {
            int64_t at = t * channels + i;
            real before = t > first ? r->state[at - channels] : 0;
            real f = real_sigmoid(r->gate->data[at]);
            /* y = relu(c) */
            real d = d_state[i] + (r->state[at] > 0 ? r->y->grad[at] : 0);
            /* c = f before + (1 - f) x' */
            d_input[at] = d * (1 - f);
            d_gate[at] = d * (before - r->input->data[at]) * f * (1 - f);
            d_state[i] = d * f;
        }
    }
}

/* d_x (+)= d */
static void deliver(attn_tape *tape, attn_tensor *x, const real *d) {
    bool accumulate;
    real *d_x = attn_tape_grad_first(tape, x, &accumulate);
    size_t count = (size_t)(x->rows * x->cols);
    if (d_x != NULL && accumulate) {
        attn_add((int64_t)count, d, d_x);
    } else if (d_x != NULL) {
        memcpy(d_x, d, count * sizeof *d);
    }
}

static void ssru_backward(attn_tape *tape, void *record) {
    const ssru_record *r = record;
    if (r->y->grad == NULL) {
        return;
    }
    int64_t channels = r->y->cols;
    size_t bytes = (size_t)(r->y->rows * channels) * sizeof(real);
    real *d_input = attn_tape_alloc(tape, bytes), *d_gate = attn_tape_alloc(tape, bytes);
    real *d_state = attn_tape_alloc(tape, (size_t)(r->sequences.count * channels) * sizeof(real));
    if (d_input == NULL || d_gate == NULL || d_state == NULL) {
        return;
    }
#pragma omp parallel for schedule(static) num_threads(attn_get_threads())
    for (int64_t s = 0; s < r->sequences.count; s++) {
        pass_back(r, r->sequences.starts[s], r->sequences.starts[s + 1], d_state + s * channels,
                  d_input, d_gate);
    }
    deliver(tape, r->input, d_input);
    deliver(tape, r->gate, d_gate);
}

static void run(const attn_sequences *sequences, const attn_tensor *input, const attn_tensor *gate,
                real *state, real *y) {
    int64_t channels = input->cols;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads())
    for (int64_t s = 0; s < sequences->count; s++) {
        for (int64_t t = sequences->starts[s]; t < sequences->starts[s + 1]; t++) {
            for (int64_t i = 0; i < channels; i++) {
                int64_t at = t * channels + i;
                real before = t > sequences->starts[s] ? state[at - channels] : 0;
                state[at] = step(before, gate->data[at], input->data[at]);
                y[at] = state[at] > 0 ? state[at] : 0;
            }
        }
    }
}

attn_tensor *attn_layer_ssru(attn_tape *tape, attn_tensor *x, const attn_sequences *sequences,
                             const attn_ssru *ssru) {
    attn_tape_layer(tape, "attn_layer_ssru");
    if (!attn_layers_given(tape, sequences, "sequences") ||
        !attn_layers_columns(tape, x, "x", ssru->input.in, "the unit")) {
        return NULL;
    }
    if (sequences->starts[sequences->count] != x->rows) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE, "x has %lld rows, the sequences %lld tokens",
                       (long long)x->rows, (long long)sequences->starts[sequences->count]);
        return NULL;
    }
    attn_tensor *input = attn_layers_linear(tape, x, &ssru->input, ATTN_ACTIVATION_NONE);
    attn_tensor *gate = attn_layers_linear(tape, x, &ssru->forget, ATTN_ACTIVATION_NONE);
    if (input == NULL || gate == NULL) {
        return NULL;
    }
    attn_tensor *y = attn_tape_tensor(tape, x->rows, x->cols);
    real *state = attn_tape_alloc(tape, (size_t)(x->rows * x->cols) * sizeof *state);
    ssru_record *r = attn_tape_record(tape, sizeof *r, ssru_backward);
    if (y == NULL || state == NULL || attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    if (r != NULL) {
        *r = (ssru_record){*sequences, input, gate, y, state};
    }
    run(sequences, input, gate, state, y->data);
    return y;
}

attn_tensor *attn_layers_ssru_step(attn_tape *tape, attn_tensor *x, const attn_ssru *ssru,
                                   real *state) {
    attn_tape_layer(tape, "attn_layer_ssru");
    attn_tensor *input = attn_layers_linear(tape, x, &ssru->input, ATTN_ACTIVATION_NONE);
    attn_tensor *gate = attn_layers_linear(tape, x, &ssru->forget, ATTN_ACTIVATION_NONE);
    attn_tensor *y = attn_tape_tensor(tape, x != NULL ? x->rows : 0, ssru->input.out);
    if (input == NULL || gate == NULL || y == NULL) {
        return NULL;
    }
    for (int64_t i = 0; i < y->rows * y->cols; i++) {
        state[i] = step(state[i], gate->data[i], input->data[i]);
        y->data[i] = state[i] > 0 ? state[i] : 0;
    }
    return y;
}
