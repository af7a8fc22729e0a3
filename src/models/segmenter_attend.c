/* models/segmenter_attend.c: what one place of a picture attends to, from the notes of a pass.
 *
 * The weights of one query are computed again from what the attention layer noted. Next:
 * segmenter_forward.c. */
#include <stdio.h>
#include <string.h>

#include "attn/attention.h"
#include "base/fail.h"
#include "models/segmenter.h"

attn_grid attn_segmenter_query_grid(const attn_segmenter *m, int64_t height, int64_t width) {
    (void)m;
    return (attn_grid){1, (height + SEGMENTER_STRIDE - 1) / SEGMENTER_STRIDE,
                       (width + SEGMENTER_STRIDE - 1) / SEGMENTER_STRIDE};
}

attn_grid attn_segmenter_key_grid(const attn_segmenter *m, int64_t height, int64_t width) {
    attn_grid grid = attn_segmenter_query_grid(m, height, width);
    if (segmenter_shrinks(&m->config)) {
        grid.height = (grid.height + m->config.shrink - 1) / m->config.shrink;
        grid.width = (grid.width + m->config.shrink - 1) / m->config.shrink;
    }
    return grid;
}

/* What the layer noted of a block. */
typedef struct block_notes {
    const attn_tensor *query, *keys, *lse;
    int64_t key_offset; /* column of the first key */
} block_notes;

static bool find_notes(const attn_segmenter *m, const attn_tape *tape, int64_t block,
                       block_notes *notes) {
    const char *keys = segmenter_shrinks(&m->config) ? "key_value" : "joined";
    char name[72];
    snprintf(name, sizeof name, "block.%lld.query", (long long)block);
    notes->query = attn_tape_noted(tape, name);
    snprintf(name, sizeof name, "block.%lld.%s", (long long)block, keys);
    notes->keys = attn_tape_noted(tape, name);
    snprintf(name, sizeof name, "block.%lld.lse", (long long)block);
    notes->lse = attn_tape_noted(tape, name);
    notes->key_offset = notes->keys == notes->query ? m->config.d_model : 0;
    return notes->query != NULL && notes->keys != NULL && notes->lse != NULL;
}

/* The weights of query row `row` over keys first .. first + count - 1: [heads, count]. */
static attn_status weigh(const attn_segmenter *m, const block_notes *notes, int64_t row,
                         int64_t first, int64_t count, real *weights, attn_error *error) {
    int64_t heads = m->config.heads, size = m->config.d_model / heads;
    real lse[256];
    attn_attention call;
    attn_attention_init(&call, 1, heads, heads, 1, count, size, size);
    call.query = (attn_strides){0, notes->query->cols, size};
    call.key = (attn_strides){0, notes->keys->cols, size};
    for (int64_t h = 0; h < heads; h++) {
        lse[h] = notes->lse->data[h * notes->lse->cols + row];
    }
    return attn_attention_weights(&call, notes->query->data + row * notes->query->cols,
                                  notes->keys->data + first * notes->keys->cols + notes->key_offset,
                                  lse, weights, NULL, error);
}

/* In windows: the keys are those of the query's window, side by side; weights [heads, places]. */
static attn_status weigh_window(const attn_segmenter *m, attn_tape *tape, const block_notes *notes,
                                const attn_grid *grid, int64_t place, real *weights,
                                attn_error *error) {
    attn_windows windows = attn_grid_windows(tape, grid, m->config.window);
    int64_t places = grid->height * grid->width, row = 0, w = 0, heads = m->config.heads;
    real *found = attn_tape_alloc(tape, (size_t)(heads * places) * sizeof *found);
    if (windows.order == NULL || found == NULL) {
        return attn_fail_memory(error, (size_t)places * sizeof *found);
    }
    while (windows.order[row] != place) {
        row++;
    }
    while (windows.sequences.starts[w + 1] <= row) {
        w++;
    }
    int64_t first = windows.sequences.starts[w];
    int64_t count = windows.sequences.starts[w + 1] - first;
    attn_status status = weigh(m, notes, row, first, count, found, error);
    memset(weights, 0, (size_t)(heads * places) * sizeof *weights);
    for (int64_t i = 0; i < heads * count && status == ATTN_OK; i++) {
        weights[i / count * places + windows.order[first + i % count]] = found[i];
    }
    return status;
}

attn_status attn_segmenter_attend(const attn_segmenter *m, attn_tape *tape, int64_t height,
                                  int64_t width, int64_t block, int64_t y, int64_t x,
                                  attn_real *weights, attn_error *error) {
    attn_grid grid = attn_segmenter_query_grid(m, height, width);
    attn_grid keys = attn_segmenter_key_grid(m, height, width);
    int64_t places = keys.height * keys.width, place = y * grid.width + x;
    block_notes notes;
    if (!segmenter_attends(&m->config)) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1,
                         "use a model with global attention or attention in windows",
                         "this model's blocks have no attention");
    }
    if (block < 0 || block >= m->config.blocks || y < 0 || y >= grid.height || x < 0 ||
        x >= grid.width) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "block %lld, place (%lld, %lld) is not one of %lld blocks and %lld x %lld "
                         "places",
                         (long long)block, (long long)y, (long long)x, (long long)m->config.blocks,
                         (long long)grid.height, (long long)grid.width);
    }
    if (!find_notes(m, tape, block, &notes) || notes.query->rows < grid.height * grid.width ||
        notes.keys->rows < places) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "watch the tape (attn_tape_watch) and run a picture of this size first",
                         "no attention was recorded for block %lld", (long long)block);
    }
    if (m->config.mixer == ATTN_MIXER_WINDOW) {
        return weigh_window(m, tape, &notes, &grid, place, weights, error);
    }
    return weigh(m, &notes, place, 0, places, weights, error);
}
