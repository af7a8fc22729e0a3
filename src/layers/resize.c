/* layers/resize.c: pictures in another size, between the nearest pixels (bilinear, corners not
 * aligned).
 *
 * The arithmetic is in kernels/resize. */
#include "kernels/resize/resize.h"

#include "layers/images.h"

typedef struct resize_record {
    attn_resize_shape shape;
    attn_tensor *x, *y;
} resize_record;

static void resize_backward(attn_tape *tape, void *record) {
    const resize_record *r = record;
    bool accumulate;
    real *d_x = r->y->grad != NULL ? attn_tape_grad_first(tape, r->x, &accumulate) : NULL;
    if (d_x == NULL) {
        return;
    }
    attn_status status =
        attn_resize_backward(&r->shape, r->y->grad, d_x, accumulate, attn_tape_scratch(tape));
    if (status != ATTN_OK) {
        attn_layers_fail(tape, status);
    }
}

attn_tensor *attn_layer_resize(attn_tape *tape, attn_tensor *x, const attn_grid *from,
                               const attn_grid *to) {
    attn_tape_layer(tape, "attn_layer_resize");
    if (!attn_layers_given(tape, x, "x") || !attn_layers_on_grid(tape, x, from, x->cols) ||
        !attn_layers_grid(tape, to)) {
        return NULL;
    }
    if (from->batch != to->batch || to->height < 1 || to->width < 1 || from->height < 1 ||
        from->width < 1) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE,
                       "from %lld x %lld x %lld to %lld x %lld x %lld: the batch must be the same, "
                       "height and width at least 1",
                       (long long)from->batch, (long long)from->height, (long long)from->width,
                       (long long)to->batch, (long long)to->height, (long long)to->width);
        return NULL;
    }
    if (from->height == to->height && from->width == to->width) {
        return x;
    }
    attn_tensor *y = attn_tape_tensor(tape, attn_grid_pixels(to), x->cols);
    resize_record *r = attn_tape_record(tape, sizeof *r, resize_backward);
    if (y == NULL || attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    attn_resize_shape shape = {from->batch, from->height, from->width,
                               to->height,  to->width,    x->cols};
    if (r != NULL) {
        *r = (resize_record){shape, x, y};
    }
    attn_status status = attn_resize_forward(&shape, x->data, y->data, attn_tape_scratch(tape));
    if (status != ATTN_OK) {
        attn_layers_fail(tape, status);
        return NULL;
    }
    return y;
}
