/* layers/stochastic_depth.c: a branch left out of some pictures while training.
 *
 * Which ones is a function of the tape's (seed, step, call) and the picture's number, so the backward
 * draws it again. */
#include "base/random.h"
#include "layers/images.h"

typedef struct depth_record {
    attn_tensor *x, *y;
    int64_t pictures;
    double p;
    uint64_t key;
} depth_record;

/* 0, or what makes up for the pictures that are left out. */
static real factor(const depth_record *r, int64_t picture) {
    attn_random random = {r->key, (uint64_t)picture};
    return attn_random_uniform(&random) < r->p ? 0 : (real)(1.0 / (1.0 - r->p));
}

static void depth_backward(attn_tape *tape, void *record) {
    const depth_record *r = record;
    bool accumulate;
    real *d_x = r->y->grad != NULL ? attn_tape_grad_first(tape, r->x, &accumulate) : NULL;
    if (d_x == NULL) {
        return;
    }
    int64_t each = r->y->rows / r->pictures * r->y->cols;
    for (int64_t b = 0; b < r->pictures; b++) {
        /* y = x * factor */
        real *d = d_x + b * each;
        attn_scale_add(each, r->y->grad + b * each, factor(r, b), accumulate ? d : NULL, d);
    }
}

attn_tensor *attn_layer_stochastic_depth(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                                         double p) {
    attn_tape_layer(tape, "attn_layer_stochastic_depth");
    if (!attn_layers_given(tape, x, "x") || !attn_layers_on_grid(tape, x, grid, x->cols) ||
        !attn_layers_probability(tape, p, "p")) {
        return NULL;
    }
    if (!attn_tape_recording(tape) || p == 0.0 || grid->batch == 0) {
        return x;
    }
    depth_record made = {x, attn_tape_tensor(tape, x->rows, x->cols), grid->batch, p,
                         attn_tape_random_key(tape)};
    depth_record *r = attn_tape_record(tape, sizeof *r, depth_backward);
    if (made.y == NULL || r == NULL) {
        return NULL;
    }
    *r = made;
    int64_t each = x->rows / grid->batch * x->cols;
    for (int64_t b = 0; b < grid->batch; b++) {
        attn_scale(each, x->data + b * each, factor(r, b), made.y->data + b * each);
    }
    return made.y;
}
