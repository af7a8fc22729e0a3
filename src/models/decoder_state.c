/* models/decoder_state.c: reading on, with cached keys and values.
 *
 * R rows, each a sequence of the same number in the cache of every layer (attn/cache.h). A step takes the tokens of all rows
 * through the wiring of decoder.c, BLOCK of them at once; only attention is another: a row's keys and values go into its cache
 * first, then each token attends to as much of it as it may see. So the bits are those of a whole pass. */
#include <string.h>

#include "attn/cache.h"
#include "base/fail.h"
#include "base/minmax.h"
#include "kernels/attention/attention_cache.h"
#include "layers/layers.h"
#include "models/decoder.h"
#include "tape/tape.h"

enum { PAGE_TOKENS = 64 };
enum {
    BLOCK = 256
}; /* tokens of a pass: what the tape holds at once does not grow with a prompt */

struct attn_decoder_state {
    const attn_decoder *model;
    attn_tape *tape;
    int64_t rows;
    attn_cache **caches;   /* [layers] */
    int64_t *block_starts; /* [rows + 1] */
    bool lost;             /* a step failed half-way */
};

static attn_status create_cache(const attn_decoder_state *s, attn_cache **out, attn_error *error) {
    const attn_multi_head *self = &s->model->blocks[0].self;
    const attn_cache_config config = {.size = sizeof config,
                                      .kv_heads = self->kv_heads,
                                      .head_size = self->head_size,
                                      .value_size = self->head_size,
                                      .page_tokens = PAGE_TOKENS};
    attn_status status = attn_cache_create(&config, out, error);
    for (int64_t r = 0, sequence; r < s->rows && status == ATTN_OK; r++) {
        status = attn_cache_start(*out, &sequence, error); /* the smallest free id: r */
    }
    return status;
}

attn_status attn_decoder_state_create(const attn_decoder *model, int64_t rows,
                                      attn_decoder_state **out, attn_error *error) {
    *out = NULL;
    if (rows < 1) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "a state of %lld rows; it needs at least 1", (long long)rows);
    }
    attn_status status = attn_decoder_check_packed(model, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_decoder_state *s = attn_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    s->model = model;
    s->rows = rows;
    size_t layers = (size_t)model->config.layers;
    s->caches = attn_alloc_zero(layers, sizeof *s->caches);
    s->block_starts = attn_alloc_zero((size_t)rows + 1, sizeof *s->block_starts);
    status = s->caches != NULL && s->block_starts != NULL
                 ? attn_tape_create(&s->tape, error)
                 : attn_fail_memory(error, (size_t)rows * sizeof *s->block_starts);
    for (size_t i = 0; i < layers && status == ATTN_OK; i++) {
        status = create_cache(s, &s->caches[i], error);
    }
    if (status != ATTN_OK) {
        attn_decoder_state_free(s);
        return status;
    }
    *out = s;
    return ATTN_OK;
}

void attn_decoder_state_free(attn_decoder_state *s) {
    if (s == NULL) {
        return;
    }
    attn_tape_free(s->tape);
    for (int64_t i = 0; s->caches != NULL && i < s->model->config.layers; i++) {
        attn_cache_free(s->caches[i]);
    }
    attn_free(s->caches);
    attn_free(s->block_starts);
    attn_free(s);
}

int64_t attn_decoder_state_length(const attn_decoder_state *s, int64_t row) {
    return attn_cache_length(s->caches[0], row);
}

/* ---- one block of tokens ---- */

/* What its tokens are, whatever the layer. */
typedef struct block {
    attn_decoder_state *state;
    const int64_t *starts; /* [rows + 1] */
    int64_t tokens;
    int32_t *places;    /* in their rows */
    int64_t *sequences; /* their rows */
    int64_t *lengths;   /* how much each sees: itself and all before it */
} block;

/* False: the tape has failed. */
static bool place_tokens(block *b) {
    attn_tape *tape = b->state->tape;
    size_t tokens = (size_t)b->tokens;
    b->places = attn_tape_alloc(tape, tokens * sizeof *b->places);
    b->sequences = attn_tape_alloc(tape, tokens * sizeof *b->sequences);
    b->lengths = attn_tape_alloc(tape, tokens * sizeof *b->lengths);
    if (attn_tape_status(tape) != ATTN_OK) {
        return false;
    }
    for (int64_t r = 0; r < b->state->rows; r++) {
        int64_t place = attn_decoder_state_length(b->state, r);
        for (int64_t t = b->starts[r]; t < b->starts[r + 1]; t++) {
            b->places[t] = (int32_t)place++;
            b->sequences[t] = r;
            b->lengths[t] = place;
        }
    }
    return true;
}

/* The keys and values of every token, into its row's cache. */
static attn_status remember(const block *b, const attn_multi_head *a, attn_cache *cache,
                            attn_tensor *joined, attn_error *error) {
    attn_status status = ATTN_OK;
    for (int64_t t = 0; a->rotation != NULL && t < b->tokens; t++) {
        attn_layers_turn(a->rotation, b->places[t], a->heads + a->kv_heads, a->head_size,
                         joined->data + t * joined->cols);
    }
    for (int64_t r = 0; r < b->state->rows && status == ATTN_OK; r++) {
        const real *key = joined->data + b->starts[r] * joined->cols + a->channels;
        status = attn_cache_append(cache, r, b->starts[r + 1] - b->starts[r], key, joined->cols,
                                   a->head_size, key + a->kv_heads * a->head_size, joined->cols,
                                   a->head_size, error);
    }
    return status;
}

static attn_tensor *attend_cached(void *context, attn_tape *tape, attn_tensor *x, int64_t layer) {
    const block *b = context;
    const attn_multi_head *a = &b->state->model->blocks[layer].self;
    attn_cache *cache = b->state->caches[layer];
    attn_tensor *joined = attn_layer_linear(tape, x, &a->joined, ATTN_ACTIVATION_NONE);
    attn_tensor *heads = attn_tape_tensor(tape, b->tokens, a->channels);
    if (joined == NULL || heads == NULL) {
        return NULL;
    }
    attn_error error;
    attn_status status = remember(b, a, cache, joined, &error);
    if (status == ATTN_OK) {
        attn_cache_attention attention;
        attn_cache_attention_init(&attention, cache, b->tokens, a->heads);
        attention.sequences = b->sequences;
        attention.lengths = b->lengths;
        attention.query = joined->data;
        attention.query_row = joined->cols;
        attention.output = heads->data;
        status = attn_cache_attend_scratch(cache, &attention, attn_tape_scratch(tape), &error);
    }
    if (status != ATTN_OK) {
        attn_tape_fail_as(tape, &error);
        return NULL;
    }
    return heads;
}

/* Row r reads ids[starts[r] .. starts[r + 1]), one at least of all rows. What comes out, on the tape; NULL: it has failed. */
static attn_tensor *read_block(attn_decoder_state *s, const int32_t *ids, const int64_t *starts) {
    block b = {.state = s, .starts = starts, .tokens = starts[s->rows]};
    const attn_decoder_attention attention = {attend_cached, &b};
    attn_tape_begin(s->tape, false, 0, 0);
    return place_tokens(&b)
               ? attn_decoder_layers(s->model, s->tape, b.tokens, ids, b.places, &attention)
               : NULL;
}

/* log_p [rows, V], on the tape, of what follows x [rows, d_model]; NULL: it has failed. */
static attn_tensor *foretell(attn_decoder_state *s, const attn_tensor *x) {
    attn_tensor *log_p = attn_tape_tensor(s->tape, x->rows, s->model->config.vocabulary);
    if (log_p == NULL) {
        return NULL;
    }
    attn_status status =
        attn_decoder_project(s->model, x->rows, x->data, log_p->data, attn_tape_scratch(s->tape));
    if (status != ATTN_OK) {
        attn_layers_fail(s->tape, status);
        return NULL;
    }
    return log_p;
}

/* ---- steps ---- */

static attn_status check(const attn_decoder_state *s, const int32_t *ids, const int64_t *starts,
                         attn_error *error) {
    attn_status status = attn_decoder_check_ids(s->model, s->rows, ids, starts, error);
    for (int64_t r = 0; r < s->rows && status == ATTN_OK; r++) {
        status = attn_decoder_check_length(
            s->model, r, attn_decoder_state_length(s, r) + starts[r + 1] - starts[r], error);
    }
    if (status == ATTN_OK && s->lost) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "create another",
                           "a step of this state has failed");
    }
    return status;
}

/* Of the rows whose last token is one of `count` from `first` on, which gave x. False: the tape has failed. */
static bool tell_next(attn_decoder_state *s, const int64_t *starts, int64_t first, int64_t count,
                      const attn_tensor *x, real *log_p) {
    size_t columns = (size_t)x->cols, words = (size_t)s->model->config.vocabulary;
    attn_tensor *last = attn_tape_tensor(s->tape, attn_min(s->rows, count), x->cols);
    int64_t *row = attn_tape_alloc(s->tape, (size_t)s->rows * sizeof *row), ended = 0;
    if (last == NULL || row == NULL) {
        return false;
    }
    for (int64_t r = 0; r < s->rows; r++) {
        int64_t at = starts[r + 1] - 1 - first;
        if (starts[r + 1] > starts[r] && at >= 0 && at < count) {
            memcpy(last->data + (size_t)ended * columns, x->data + (size_t)at * columns,
                   columns * sizeof *x->data);
            row[ended++] = r;
        }
    }
    last->rows = ended;
    const attn_tensor *next = foretell(s, last);
    for (int64_t i = 0; next != NULL && i < ended; i++) {
        memcpy(log_p + (size_t)row[i] * words, next->data + (size_t)i * words,
               words * sizeof *log_p);
    }
    return next != NULL;
}

attn_status attn_decoder_step(attn_decoder_state *s, const int32_t *ids, const int64_t *starts,
                              attn_real *log_p, attn_error *error) {
    attn_status status = check(s, ids, starts, error);
    if (status != ATTN_OK) {
        return status;
    }
    int64_t tokens = starts[s->rows];
    for (int64_t first = 0; first < tokens; first += BLOCK) {
        int64_t count = attn_min(tokens - first, BLOCK);
        for (int64_t r = 0; r <= s->rows; r++) {
            s->block_starts[r] = attn_max(0, attn_min(starts[r] - first, count));
        }
        const attn_tensor *x = read_block(s, ids + first, s->block_starts);
        if (x == NULL || !tell_next(s, starts, first, count, x, log_p)) {
            s->lost = true;
            return attn_tape_check(s->tape, error);
        }
    }
    return ATTN_OK;
}

/* ---- scoring: one sequence after another, each read as a step reads it ---- */

/* One row of the state, which has read nothing, reads `count` ids. False: the tape has failed. */
static bool score_sequence(attn_decoder_state *s, int64_t count, const int32_t *ids, real *log_p) {
    int64_t words = s->model->config.vocabulary;
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t starts[] = {0, attn_min(count - first, BLOCK)};
        const attn_tensor *x = read_block(s, ids + first, starts);
        const attn_tensor *next = x != NULL ? foretell(s, x) : NULL;
        if (next == NULL) {
            return false;
        }
        for (int64_t t = first; t < first + starts[1] && t + 1 < count; t++) {
            log_p[t + 1] = next->data[(t - first) * words + ids[t + 1]];
        }
    }
    if (count > 0) {
        log_p[0] = 0;
    }
    return true;
}

static attn_status score(attn_decoder_state *s, const attn_decoder_batch *batch, real *log_p,
                         attn_error *error) {
    attn_status status = ATTN_OK;
    for (int64_t i = 0; i < batch->count && status == ATTN_OK; i++) {
        int64_t start = batch->starts[i], count = batch->starts[i + 1] - start;
        status = attn_decoder_check_length(s->model, i, count, error);
        if (status == ATTN_OK && !score_sequence(s, count, batch->ids + start, log_p + start)) {
            status = attn_tape_check(s->tape, error);
        }
        for (int64_t layer = 0; layer < s->model->config.layers && status == ATTN_OK; layer++) {
            status = attn_cache_truncate(s->caches[layer], 0, 0, error);
        }
    }
    return status;
}

attn_status attn_decoder_score(const attn_decoder *m, const attn_decoder_batch *batch,
                               attn_real *log_p, attn_error *error) {
    attn_decoder_state *s = NULL;
    attn_status status = attn_decoder_state_create(m, 1, &s, error);
    if (status == ATTN_OK) {
        status = attn_decoder_check_ids(m, batch->count, batch->ids, batch->starts, error);
    }
    status = status == ATTN_OK ? score(s, batch, log_p, error) : status;
    attn_decoder_state_free(s);
    return status;
}
