/* layers/permute.c: rows in another order, and the orders that attention over pictures needs.
 *
 * Attention in windows of pixels is the packed attention of sentences: the pixels of each window are
 * brought together, and each window is a sequence. Next: layers/attention.c. */
#include <string.h>

#include "attn/threads.h"
#include "layers/images.h"

enum { PART = 16384 }; /* elements worth a second thread */

typedef struct permute_record {
    attn_tensor *x, *y;
    const int64_t *order;
    bool inverse;
} permute_record;

static void permute_backward(attn_tape *tape, void *record) {
    const permute_record *r = record;
    real *d_x = r->y->grad != NULL ? attn_tape_grad(tape, r->x) : NULL;
    if (d_x == NULL) {
        return;
    }
    int64_t cols = r->y->cols;
    /* y[i] = x[order[i]], or y[order[i]] = x[i]; each row of x is read once */
#pragma omp parallel for schedule(static)                                                          \
    num_threads(attn_get_threads()) if (r->y->rows * cols > PART)
    for (int64_t i = 0; i < r->y->rows; i++) {
        int64_t from = r->inverse ? i : r->order[i], to = r->inverse ? r->order[i] : i;
        const real *d_y = r->y->grad + to * cols;
        for (int64_t c = 0; c < cols; c++) {
            d_x[from * cols + c] += d_y[c];
        }
    }
}

attn_tensor *attn_layer_permute(attn_tape *tape, attn_tensor *x, const int64_t *order,
                                bool inverse) {
    attn_tape_layer(tape, "attn_layer_permute");
    if (!attn_layers_given(tape, x, "x") || !attn_layers_given(tape, order, "order")) {
        return NULL;
    }
    for (int64_t i = 0; i < x->rows; i++) {
        if (order[i] < 0 || order[i] >= x->rows) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "order[%lld] is %lld, x has %lld rows",
                           (long long)i, (long long)order[i], (long long)x->rows);
            return NULL;
        }
    }
    attn_tensor *y = attn_tape_tensor(tape, x->rows, x->cols);
    permute_record *r = attn_tape_record(tape, sizeof *r, permute_backward);
    if (y == NULL || attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    if (r != NULL) {
        *r = (permute_record){x, y, order, inverse};
    }
    int64_t cols = x->cols;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (x->rows * cols > PART)
    for (int64_t i = 0; i < x->rows; i++) {
        int64_t from = inverse ? i : order[i], to = inverse ? order[i] : i;
        memcpy(y->data + to * cols, x->data + from * cols, (size_t)cols * sizeof(real));
    }
    return y;
}

attn_sequences attn_grid_sequences(attn_tape *tape, const attn_grid *grid) {
    attn_tape_layer(tape, "attn_grid_sequences");
    if (!attn_layers_grid(tape, grid)) {
        return (attn_sequences){0};
    }
    int64_t *starts = attn_tape_alloc(tape, (size_t)(grid->batch + 1) * sizeof *starts);
    if (starts == NULL) {
        return (attn_sequences){0};
    }
    for (int64_t b = 0; b <= grid->batch; b++) {
        starts[b] = b * grid->height * grid->width;
    }
    return (attn_sequences){grid->batch, starts, grid->height * grid->width};
}

attn_windows attn_grid_windows(attn_tape *tape, const attn_grid *grid, int64_t size) {
    attn_tape_layer(tape, "attn_grid_windows");
    if (size < 1) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "the size is %lld, at least 1", (long long)size);
        return (attn_windows){{0}, NULL};
    }
    if (!attn_layers_grid(tape, grid)) {
        return (attn_windows){{0}, NULL};
    }
    int64_t down = grid->height / size + (grid->height % size != 0);
    int64_t across = grid->width / size + (grid->width % size != 0);
    int64_t count = grid->batch * down * across, pixel = 0;
    int64_t *starts = attn_tape_alloc(tape, (size_t)(count + 1) * sizeof *starts);
    int64_t *order = attn_tape_alloc(tape, (size_t)attn_grid_pixels(grid) * sizeof *order);
    attn_windows windows = {{count, starts, 0}, order};
    if (starts == NULL || order == NULL) {
        return (attn_windows){{0}, NULL};
    }
    for (int64_t w = 0; w < count; w++) {
        int64_t picture = w / (down * across);
        int64_t top = w / across % down * size, left = w % across * size;
        starts[w] = pixel;
        for (int64_t y = top; y < top + size && y < grid->height; y++) {
            for (int64_t x = left; x < left + size && x < grid->width; x++) {
                order[pixel++] = (picture * grid->height + y) * grid->width + x;
            }
        }
        if (pixel - starts[w] > windows.sequences.longest) {
            windows.sequences.longest = pixel - starts[w];
        }
    }
    starts[count] = pixel;
    return windows;
}
