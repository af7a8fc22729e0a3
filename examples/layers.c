/* examples/layers.c: a custom network built from the layers, trained with AdamW.
 *
 *     cc layers.c $(pkg-config --cflags --libs attn) -o layers && ./layers
 *
 * Task: in a sequence of T vectors, one is marked; each position must output the marked vector. Only
 * attention can carry it there. Letters: T tokens, C channels. */
#include <stdio.h>
#include <stdlib.h>

#include <attn/layers.h>
#include <attn/optimizer.h>

enum { T = 8, C = 16, BATCH = 8, STEPS = 600, REPORT = 100 };

typedef struct network {
    attn_multi_head attention;
    attn_linear output;
} network;

/* Channel 0 is the mark; the others are the vector's content. Returns the marked row. */
static int make_sequence(float *x) {
    int marked = rand() % T;
    for (int i = 0; i < T * C; i++) {
        x[i] = (float)(rand() % 200 - 100) / 100.0f;
    }
    for (int t = 0; t < T; t++) {
        x[t * C] = t == marked ? 2.0f : -2.0f;
    }
    return marked;
}

/* The mean squared error of one sequence, and its gradient with respect to y. */
static double loss_backward(const float *y, const float *wanted, float *d_y) {
    double loss = 0;
    for (int i = 0; i < T * C; i++) {
        float difference = y[i] - wanted[i % C];
        loss += difference * difference / (T * C * BATCH);
        d_y[i] += 2.0f * difference / (T * C * BATCH);
    }
    return loss;
}

/* The forward pass of a batch, its loss, and the gradients of the parameters. */
static attn_status learn(attn_tape *tape, const network *net, double *loss, attn_error *error) {
    int marked[BATCH];
    int64_t starts[BATCH + 1] = {0};
    attn_sequences sequences = {BATCH, starts, T};
    attn_tensor *x = attn_tape_tensor(tape, BATCH * T, C);
    if (x == NULL) {
        return attn_tape_check(tape, error);
    }
    for (int s = 0; s < BATCH; s++) {
        marked[s] = make_sequence(x->data + s * T * C);
        starts[s + 1] = (s + 1) * T;
    }
    attn_tensor *h =
        attn_layer_attention(tape, x, &sequences, NULL, NULL, &net->attention, false, 0.0);
    attn_tensor *y = attn_layer_linear(tape, h, &net->output, ATTN_ACTIVATION_NONE);
    float *d_y = y != NULL ? attn_tape_grad(tape, y) : NULL;
    for (int s = 0; d_y != NULL && s < BATCH; s++) {
        const float *wanted = x->data + (s * T + marked[s]) * C;
        *loss += loss_backward(y->data + s * T * C, wanted, d_y + s * T * C);
    }
    return attn_tape_backward(tape, error); /* also says which layer failed, when one did */
}

static attn_status train(attn_tape *tape, attn_params *params, const network *net,
                         attn_optimizer *optimizer, attn_error *error) {
    attn_status status = ATTN_OK;
    double loss = 0;
    for (int step = 1; step <= STEPS && status == ATTN_OK; step++) {
        attn_params_zero_grad(params);
        attn_tape_begin(tape, true, 1, (uint64_t)step);
        status = learn(tape, net, &loss, error);
        if (status == ATTN_OK) {
            status = attn_optimizer_step(optimizer, NULL, error);
        }
        if (step % REPORT == 0) {
            printf("step %3d  mean loss %.4f\n", step, loss / REPORT);
            loss = 0;
        }
    }
    return status;
}

int main(void) {
    attn_params *params = NULL;
    attn_tape *tape = NULL;
    attn_optimizer *optimizer = NULL;
    attn_error error;
    network net;
    attn_optimizer_options options;
    attn_optimizer_options_init(&options);
    options.learning_rate = 0.01;
    options.warmup_steps = 50;
    options.schedule = ATTN_SCHEDULE_INVERSE_SQRT;
    options.clip_norm = 1.0;

    attn_status status = attn_params_create(&params, &error);
    if (status == ATTN_OK) {
        net.attention = attn_multi_head_declare(params, "attention", C, 2, 2);
        net.output = attn_linear_declare(params, "output", C, C);
        status = attn_params_allocate(params, true, &error);
    }
    if (status == ATTN_OK) {
        attn_params_init(params, 1);
        status = attn_optimizer_create(&options, params, &optimizer, &error);
    }
    if (status == ATTN_OK) {
        status = attn_tape_create(&tape, &error);
    }
    if (status == ATTN_OK) {
        status = train(tape, params, &net, optimizer, &error);
    }
    if (status != ATTN_OK) {
        char text[1024];
        fprintf(stderr, "layers: %s\n", attn_error_format(&error, text, (int)sizeof text));
    }
    attn_tape_free(tape);
    attn_optimizer_free(optimizer);
    attn_params_free(params);
    return status == ATTN_OK ? 0 : 1;
}
