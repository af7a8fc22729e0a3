/* models/vision_forward.c: the wiring of ViT and SegFormer: pictures, stages, what is said of them.
 *
 * No arithmetic here but that of bytes into numbers, of a few sums over tokens and of one softmax: each in the order of the rows,
 * so that a result depends on its own picture alone. Next: vision_attend.c. */
#include <string.h>

#include "attn/threads.h"
#include "base/math.h"
#include "kernels/pixel_loss/pixel_loss.h"
#include "kernels/resize/resize.h"
#include "models/vision.h"
#include "tape/tape.h"

/* ---- pictures as rows ---- */

/* Whether the network takes pictures of this size; else the tape fails. */
static bool takes(const attn_vision *m, attn_tape *tape, const attn_pictures *p) {
    enum { LARGEST = 1 << 20 };
    const attn_vision_config *c = &m->config;
    if (attn_tape_recording(tape)) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "this network is run, not trained");
        return false;
    }
    bool good = p->count >= 1 && p->count <= LARGEST && p->height >= 1 && p->width >= 1 &&
                p->height <= LARGEST && p->width <= LARGEST;
    if (!good || (c->height > 0 && (p->height != c->height || p->width != c->width))) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "the network does not take %lld pictures of %lld x %lld",
                       (long long)p->count, (long long)p->width, (long long)p->height);
        return false;
    }
    for (int64_t i = 0, blocks = attn_vision_blocks(m); i < blocks; i++) {
        attn_grid queries, keys;
        attn_vision_grids(m, p->height, p->width, i, &queries, &keys);
        if (keys.height < 1 || keys.width < 1) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                           "a picture of %lld x %lld pixels is too small for the network",
                           (long long)p->width, (long long)p->height);
            return false;
        }
    }
    return true;
}

enum { PART = 16384 }; /* pixels worth a second thread */

/* [B H W, 3] */
static attn_tensor *read_pictures(const attn_vision *m, attn_tape *tape, const attn_pictures *p) {
    attn_tensor *x = attn_tape_tensor(tape, p->count * p->height * p->width, 3);
    if (x == NULL) {
        return NULL;
    }
    real mean[3], deviation[3];
    for (int c = 0; c < 3; c++) {
        mean[c] = (real)m->config.mean[c];
        deviation[c] = (real)m->config.deviation[c];
    }
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (x->rows > PART)
    for (int64_t i = 0; i < x->rows; i++) {
        for (int c = 0; c < 3; c++) {
            x->data[i * 3 + c] = ((real)p->pixels[i * 3 + c] / 255 - mean[c]) / deviation[c];
        }
    }
    return x;
}

/* ---- wiring ---- */

/* The class token before the patches of each picture, and positions added: [B (1 + N), C]. */
static attn_tensor *add_class_token(const attn_vision *m, attn_tape *tape, const attn_tensor *x,
                                    int64_t pictures) {
    int64_t tokens = m->positions->rows, channels = m->positions->cols;
    attn_tensor *y = x != NULL ? attn_tape_tensor(tape, pictures * tokens, channels) : NULL;
    for (int64_t row = 0; y != NULL && row < y->rows; row++) {
        int64_t token = row % tokens;
        const real *from = token == 0
                               ? m->class_token->data
                               : x->data + (row / tokens * (tokens - 1) + token - 1) * channels;
        const real *position = m->positions->data + token * channels;
        for (int64_t c = 0; c < channels; c++) {
            y->data[row * channels + c] = from[c] + position[c];
        }
    }
    return y;
}

/* All pictures' tokens as sequences of one length. */
static attn_sequences sequences_of(attn_tape *tape, int64_t pictures, int64_t tokens) {
    int64_t *starts = attn_tape_alloc(tape, (size_t)(pictures + 1) * sizeof *starts);
    for (int64_t b = 0; starts != NULL && b <= pictures; b++) {
        starts[b] = b * tokens;
    }
    return (attn_sequences){starts != NULL ? pictures : 0, starts, tokens};
}

static attn_tensor *attend(attn_tape *tape, attn_tensor *x, const attn_grid *grid,
                           const vision_block *b) {
    attn_tensor *h = attn_layer_norm(tape, x, &b->norm_self), *memory = NULL;
    if (h == NULL) {
        return NULL;
    }
    attn_sequences places = sequences_of(tape, grid->batch, h->rows / grid->batch), asked = places;
    if (b->shrink.kernel.weight != NULL) {
        attn_grid small = attn_window_grid(&b->shrink.window, grid);
        memory = attn_layer_conv(tape, h, grid, &b->shrink, ATTN_ACTIVATION_NONE, NULL);
        memory = attn_layer_norm(tape, memory, &b->norm_shrink);
        asked = sequences_of(tape, small.batch, small.height * small.width);
        if (memory == NULL) {
            return NULL; /* or h would attend to itself */
        }
    }
    h = attn_layer_attention(tape, h, &places, memory, &asked, &b->self, false, 0);
    return attn_layer_linear_residual(tape, h, &b->self.output, x);
}

static attn_tensor *feed_forward(const attn_vision *m, attn_tape *tape, attn_tensor *x,
                                 const attn_grid *grid, const vision_block *b) {
    attn_tensor *h = attn_layer_norm(tape, x, &b->norm_feed_forward);
    if (b->position.weight != NULL) {
        h = attn_layer_linear(tape, h, &b->up, ATTN_ACTIVATION_NONE);
        h = attn_layer_depthwise(tape, h, grid, &b->position, m->config.activation);
    } else {
        h = attn_layer_linear(tape, h, &b->up, m->config.activation);
    }
    return attn_layer_linear_residual(tape, h, &b->down, x);
}

/* Moves the grid on. block: the number of its first. */
static attn_tensor *run_stage(const attn_vision *m, attn_tape *tape, attn_tensor *x,
                              attn_grid *grid, int stage, int64_t block) {
    const vision_stage *s = &m->stage[stage];
    attn_tape_scope(tape, "stage.%d", stage);
    x = attn_layer_conv(tape, x, grid, &s->patches, ATTN_ACTIVATION_NONE, NULL);
    *grid = attn_window_grid(&s->patches.window, grid);
    x = vision_has_class_token(m) ? add_class_token(m, tape, x, grid->batch)
                                  : attn_layer_norm(tape, x, &s->norm_patches);
    for (int64_t i = 0; i < m->config.stage[stage].layers; i++) {
        attn_tape_scope(tape, "block.%lld", (long long)(block + i));
        x = attend(tape, x, grid, &s->blocks[i]);
        x = feed_forward(m, tape, x, grid, &s->blocks[i]);
        attn_tape_note(tape, "output", x);
    }
    return attn_layer_norm(tape, x, &s->norm);
}

/* What each stage makes of the pictures, and on which grid. */
typedef struct outputs {
    attn_tensor *x[ATTN_VISION_STAGES];
    attn_grid grid[ATTN_VISION_STAGES];
} outputs;

/* The last stage's. */
static attn_tensor *run(const attn_vision *m, attn_tape *tape, const attn_pictures *p,
                        outputs *out) {
    attn_grid grid = {p->count, p->height, p->width};
    int64_t block = 0;
    if (!takes(m, tape, p)) {
        return NULL;
    }
    attn_tensor *x = read_pictures(m, tape, p);
    for (int i = 0; i < m->config.stages; i++) {
        out->x[i] = x = run_stage(m, tape, x, &grid, i, block);
        out->grid[i] = grid;
        block += m->config.stage[i].layers;
    }
    return x;
}

attn_tensor *attn_vision_forward(const attn_vision *m, attn_tape *tape, const attn_pictures *p) {
    outputs all;
    return run(m, tape, p, &all);
}

/* ---- one vector of a picture, and its class ---- */

attn_pooling attn_vision_pooling(const attn_vision *m) {
    return vision_has_class_token(m) ? ATTN_POOLING_FIRST : ATTN_POOLING_MEAN;
}

attn_tensor *attn_vision_pool(const attn_vision *m, attn_tape *tape, const attn_tensor *tokens,
                              int64_t pictures, attn_pooling pooling) {
    int64_t channels = tokens->cols, each = tokens->rows / pictures;
    int64_t used = pooling == ATTN_POOLING_FIRST && vision_has_class_token(m) ? 1 : each;
    attn_tensor *y = attn_tape_tensor(tape, pictures, channels);
    for (int64_t i = 0; y != NULL && i < pictures * channels; i++) {
        const real *first = tokens->data + i / channels * each * channels + i % channels;
        double sum = 0;
        for (int64_t t = 0; t < used; t++) {
            sum += (double)first[t * channels];
        }
        y->data[i] = (real)(sum / (double)used);
    }
    return y;
}

static void softmax(real *x, int64_t count) {
    real most = x[0], sum = 0;
    for (int64_t i = 1; i < count; i++) {
        most = x[i] > most ? x[i] : most;
    }
    for (int64_t i = 0; i < count; i++) {
        x[i] = real_exp2((x[i] - most) * REAL_LOG2E);
        sum += x[i];
    }
    for (int64_t i = 0; i < count; i++) {
        x[i] /= sum;
    }
}

attn_tensor *attn_vision_classify(const attn_vision *m, attn_tape *tape, const attn_pictures *p) {
    attn_tensor *x = attn_vision_forward(m, tape, p);
    x = x != NULL ? attn_vision_pool(m, tape, x, p->count, attn_vision_pooling(m)) : NULL;
    x = attn_layer_linear(tape, x, &m->classify, ATTN_ACTIVATION_NONE);
    for (int64_t b = 0; x != NULL && b < p->count; b++) {
        softmax(x->data + b * x->cols, x->cols);
    }
    return x;
}

/* ---- the class of each pixel ---- */

/* relu(sum over stages of resize(x W^T + b) J^T + b'): all stages side by side, joined by one layer. What lies between the places
 * of a small grid is a mean of them, so that a stage's share of the layer may as well come first, where there is less of it. The
 * norm over the batch is within J and b'. */
attn_tensor *attn_vision_segment(const attn_vision *m, attn_tape *tape, const attn_pictures *p,
                                 attn_grid *grid) {
    outputs all;
    attn_tensor *sum = NULL;
    if (run(m, tape, p, &all) == NULL) {
        return NULL;
    }
    *grid = all.grid[0];
    for (int i = (int)m->config.stages - 1; i >= 0; i--) {
        attn_tensor *x = attn_layer_linear(tape, all.x[i], &m->decode[i], ATTN_ACTIVATION_NONE);
        x = attn_layer_linear(tape, x, &m->join[i], ATTN_ACTIVATION_NONE);
        x = attn_layer_resize(tape, x, &all.grid[i], grid);
        sum = sum != NULL ? attn_layer_residual(tape, sum, x, 0) : x;
    }
    for (int64_t i = 0; sum != NULL && i < sum->rows * sum->cols; i++) {
        sum->data[i] = real_relu(sum->data[i]);
    }
    return attn_layer_linear(tape, sum, &m->classify, ATTN_ACTIVATION_NONE);
}

attn_status attn_vision_rows(attn_tape *tape, const attn_tensor *logits, const attn_grid *grid,
                             int64_t height, int64_t width, int64_t first, int64_t rows,
                             real *probabilities) {
    attn_resize_shape shape = {1, grid->height, grid->width, height, width, logits->cols};
    attn_status status =
        attn_resize_rows(&shape, first, rows, logits->data, probabilities, attn_tape_scratch(tape));
    if (status == ATTN_OK) {
        attn_pixel_softmax(rows * width, logits->cols, probabilities, probabilities);
    }
    return status;
}
