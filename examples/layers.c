/* examples/layers.c: a custom network built from the layers, trained by gradient descent.
 *
 *     cc layers.c $(pkg-config --cflags --libs attn) -o layers && ./layers
 *
 * Task: in a sequence of T vectors, one is marked; each position must output the marked vector. Only
 * attention can carry it there. Letters: T tokens, C channels. */
#include <stdio.h>
#include <stdlib.h>

#include <attn/layers.h>

enum { T = 8, C = 16, STEPS = 3000, REPORT = 500 };

typedef struct network {
    attn_multi_head attention;
    attn_linear output;
} network;

/* Channel 0 is the mark; the others are the vector's content. */
static int make_sequence(attn_tensor *x) {
    int marked = rand() % T;
    for (int i = 0; i < T * C; i++) {
        x->data[i] = (float)(rand() % 200 - 100) / 100.0f;
    }
    for (int t = 0; t < T; t++) {
        x->data[t * C] = t == marked ? 2.0f : -2.0f;
    }
    return marked;
}

/* The mean squared error and its gradient with respect to y. */
static double loss_backward(attn_tape *tape, attn_tensor *y, const float *wanted) {
    double loss = 0;
    float *d_y = attn_tape_grad(tape, y);
    for (int i = 0; d_y != NULL && i < T * C; i++) {
        float difference = y->data[i] - wanted[i % C];
        loss += difference * difference / (T * C);
        d_y[i] += 2.0f * difference / (T * C);
    }
    return loss;
}

static attn_status train(attn_tape *tape, attn_params *params, const network *net,
                         attn_error *error) {
    static const int64_t starts[] = {0, T};
    attn_sequences one = {1, starts, T};
    double sum = 0;
    for (int step = 0; step < STEPS; step++) {
        attn_tape_begin(tape, true, 1, (uint64_t)step);
        attn_params_zero_grad(params);
        attn_tensor *x = attn_tape_tensor(tape, T, C);
        if (x == NULL) {
            return attn_tape_check(tape, error);
        }
        int marked = make_sequence(x);
        attn_tensor *h =
            attn_layer_attention(tape, x, &one, NULL, NULL, &net->attention, false, 0.0);
        attn_tensor *y = attn_layer_linear(tape, h, &net->output, ATTN_ACTIVATION_NONE);
        if (y == NULL) {
            return attn_tape_check(tape, error);
        }
        sum += loss_backward(tape, y, x->data + marked * C);
        attn_status status = attn_tape_backward(tape, error);
        if (status != ATTN_OK) {
            return status;
        }
        for (int64_t i = 0; i < attn_params_size(params); i++) {
            attn_params_data(params)[i] -= 0.2f * attn_params_grad(params)[i];
        }
        if ((step + 1) % REPORT == 0) {
            printf("step %4d  mean loss %.4f\n", step + 1, sum / REPORT);
            sum = 0;
        }
    }
    return ATTN_OK;
}

int main(void) {
    attn_params *params = NULL;
    attn_tape *tape = NULL;
    attn_error error;
    attn_status status = attn_params_create(&params, &error);
    if (status == ATTN_OK) {
        status = attn_tape_create(&tape, &error);
    }
    if (status == ATTN_OK) {
        network net = {.attention = attn_multi_head_declare(params, "attention", C, 2, 2),
                       .output = attn_linear_declare(params, "output", C, C)};
        status = attn_params_allocate(params, true, &error);
        if (status == ATTN_OK) {
            attn_params_init(params, 1);
            status = train(tape, params, &net, &error);
        }
    }
    if (status != ATTN_OK) {
        char text[1024];
        fprintf(stderr, "layers: %s\n", attn_error_format(&error, text, (int)sizeof text));
    }
    attn_tape_free(tape);
    attn_params_free(params);
    return status == ATTN_OK ? 0 : 1;
}
