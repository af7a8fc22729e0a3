/* models/translator_state.c: decoding step by step, with cached keys and values.
 *
 * S sentences, R rows (hypotheses), G key/value heads, D head size, T the step.
 * The cross-attention's keys and values are computed once per sentence. A row's own keys and values
 * lie in a slot; when hypotheses are reordered, a row takes over its parent's slot, and only a
 * parent that is continued more than once is copied. Every step uses the wiring of translator.c, so
 * the bits are those of a full pass. */
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "cpu/cpu.h"
#include "kernels/attention/attention.h"
#include "kernels/loss/loss.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul_i8/matmul_i8.h"
#include "models/shortlist.h"
#include "models/translator.h"
#include "tape/tape.h"

typedef struct memory_layer {
    const real *keys;   /* [S][G] heads of panels, key_head apart */
    const real *values; /* inside the projection [N, 2 G D]: rows 2 G D apart, heads D apart */
} memory_layer;

/* The words that a sentence's steps compute: a shortlist's choice. */
typedef struct candidates {
    int64_t count;
    int32_t *ids;                      /* ascending */
    real *packed;                      /* their columns of the output projection: of floats ... */
    attn_matmul_i8_weights *packed_i8; /* ... or of integers */
} candidates;

enum { MOST_THREADS = 256 };

struct attn_translator_state {
    attn_translator *model;
    attn_tape *encode_tape; /* holds what lives as long as the sentences */
    attn_tape *step_tape;
    int64_t sentences, source_longest;
    int64_t *source_starts; /* [S + 1], in encode_tape */
    memory_layer *memory;   /* [decoder_layers], in encode_tape */
    int64_t max_rows, max_steps, step, rows;
    attn_scratch slots; /* [max_rows][layers] of keys, then values */
    int64_t *slot, *next_slot, *sentence, *next_sentence, *lengths,
        *source_lengths;             /* [max_rows] */
    bool *taken;                     /* [max_rows] */
    const real **keys, **values;     /* [max_rows] */
    const attn_shortlist *shortlist; /* NULL: every word is a candidate */
    int32_t end_token;
    candidates *candidates; /* [S], in encode_tape; NULL: all words */
    int64_t *run_starts;    /* [max_rows + 1]: rows of one sentence */
    attn_scratch run_scratch[MOST_THREADS];
};

attn_status attn_translator_state_create(attn_translator *model, attn_translator_state **out) {
    *out = NULL;
    attn_translator_state *s = attn_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return ATTN_ERR_MEMORY;
    }
    s->model = model;
    bool packed = model->output.packed != NULL || model->output.packed_i8 != NULL;
    attn_status status = packed ? ATTN_OK : attn_translator_pack(model, ATTN_COMPUTE_F32);
    status = status == ATTN_OK ? attn_tape_create(&s->encode_tape) : status;
    status = status == ATTN_OK ? attn_tape_create(&s->step_tape) : status;
    if (status != ATTN_OK) {
        attn_translator_state_free(s);
        return status;
    }
    *out = s;
    return ATTN_OK;
}

void attn_translator_state_free(attn_translator_state *s) {
    if (s == NULL) {
        return;
    }
    attn_tape_free(s->encode_tape);
    attn_tape_free(s->step_tape);
    attn_scratch_free(&s->slots);
    for (int i = 0; i < MOST_THREADS; i++) {
        attn_scratch_free(&s->run_scratch[i]);
    }
    attn_free(s);
}

attn_status attn_translator_state_use(attn_translator_state *s, const attn_shortlist *shortlist,
                                      int32_t end_token) {
    int64_t words = s->model->config.vocabulary;
    if (shortlist != NULL &&
        (attn_shortlist_vocabulary(shortlist) != words || end_token < 0 || end_token >= words)) {
        return ATTN_ERR_ARGUMENT;
    }
    s->shortlist = shortlist;
    s->end_token = end_token;
    return ATTN_OK;
}

int64_t attn_translator_state_source_length(const attn_translator_state *s) {
    return s->source_longest;
}

/* ---- sizes of a slot ---- */

static int64_t head_keys(const attn_translator_state *s) {
    const attn_multi_head *a = &s->model->decoder[0].self;
    return (int64_t)attn_key_cache_size(s->max_steps, a->head_size);
}

static int64_t head_values(const attn_translator_state *s) {
    return s->max_steps * s->model->decoder[0].self.head_size;
}

static int64_t layer_size(const attn_translator_state *s) {
    return s->model->config.kv_heads * (head_keys(s) + head_values(s));
}

static real *slot_keys(const attn_translator_state *s, int64_t slot, int64_t layer) {
    int64_t index = slot * s->model->config.decoder_layers + layer;
    return (real *)s->slots.data + index * layer_size(s);
}

static real *slot_values(const attn_translator_state *s, int64_t slot, int64_t layer) {
    return slot_keys(s, slot, layer) + s->model->config.kv_heads * head_keys(s);
}

/* ---- encoding ---- */

static attn_status check_source(const attn_translator_state *s, int64_t count,
                                const int32_t *source, const int64_t *starts, attn_error *error) {
    const attn_translator_config *c = &s->model->config;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = starts[i + 1] - starts[i];
        if (length < 1 || length > c->max_length) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, i + 1, "split the sentence",
                             "a source sentence has %lld tokens; the model takes 1 to %lld",
                             (long long)length, (long long)c->max_length);
        }
    }
    for (int64_t t = 0; t < starts[count]; t++) {
        if (source[t] < 0 || source[t] >= c->vocabulary) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                             "token id %d is not in the vocabulary of %lld", source[t],
                             (long long)c->vocabulary);
        }
    }
    return ATTN_OK;
}

static bool alloc_rows(attn_translator_state *s) {
    size_t rows = (size_t)s->max_rows;
    int64_t **arrays[] = {&s->slot,          &s->next_slot, &s->sentence,
                          &s->next_sentence, &s->lengths,   &s->source_lengths};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i] = attn_tape_alloc(s->encode_tape, rows * sizeof(int64_t));
    }
    s->taken = attn_tape_alloc(s->encode_tape, rows * sizeof *s->taken);
    s->keys = attn_tape_alloc(s->encode_tape, rows * sizeof *s->keys);
    s->values = attn_tape_alloc(s->encode_tape, rows * sizeof *s->values);
    size_t size;
    size_t slot = (size_t)(layer_size(s) * s->model->config.decoder_layers);
    return attn_tape_status(s->encode_tape) == ATTN_OK && attn_size_mul(rows, slot, &size) &&
           attn_size_mul(size, sizeof(real), &size) && attn_scratch_get(&s->slots, size) != NULL;
}

/* Keys and values of the encoder's output for one decoder layer, the keys packed for the kernel. */
static attn_status remember_layer(attn_translator_state *s, attn_tensor *memory, int64_t layer) {
    const attn_multi_head *cross = &s->model->decoder[layer].cross;
    int64_t heads = cross->kv_heads, size = cross->head_size;
    int64_t key_head = (int64_t)attn_key_cache_size(s->source_longest, size);
    attn_tensor *projected =
        attn_layer_linear(s->encode_tape, memory, &cross->key_value, ATTN_ACTIVATION_NONE);
    size_t bytes = (size_t)(s->sentences * heads * key_head) * sizeof(real);
    real *panels = attn_tape_alloc(s->encode_tape, bytes);
    if (projected == NULL || panels == NULL) {
        return attn_tape_status(s->encode_tape);
    }
    memset(panels, 0, bytes);
    for (int64_t i = 0; i < s->sentences; i++) {
        for (int64_t t = s->source_starts[i]; t < s->source_starts[i + 1]; t++) {
            for (int64_t g = 0; g < heads; g++) {
                attn_key_cache_put(panels + (i * heads + g) * key_head, size,
                                   t - s->source_starts[i],
                                   projected->data + t * projected->cols + g * size);
            }
        }
    }
    s->memory[layer] = (memory_layer){panels, projected->data + heads * size};
    return ATTN_OK;
}

/* ---- the words that can matter ---- */

/* Which, for one sentence; `chosen` is room for a mark a word. */
static bool list_candidates(attn_translator_state *s, int64_t length, const int32_t *source,
                            bool *chosen, candidates *out) {
    int64_t words = s->model->config.vocabulary, count = 0;
    attn_shortlist_choose(s->shortlist, length, source, chosen);
    chosen[s->end_token] = true;
    for (int64_t id = 0; id < words; id++) {
        count += chosen[id];
    }
    out->ids = attn_tape_alloc(s->encode_tape, (size_t)count * sizeof *out->ids);
    for (int64_t id = 0; out->ids != NULL && id < words; id++) {
        if (chosen[id]) {
            out->ids[out->count++] = (int32_t)id;
        }
    }
    return out->ids != NULL;
}

/* Room for their columns, and for floats also for the rows before they are packed. */
static bool allocate_columns(attn_translator_state *s, candidates *c) {
    const attn_linear *output = &s->model->output;
    if (output->packed_i8 != NULL) {
        size_t size = attn_matmul_i8_select_size(output->packed_i8, c->count);
        c->packed_i8 = attn_tape_alloc(s->encode_tape, size);
        return c->packed_i8 != NULL;
    }
    size_t packed = attn_matmul_packed_size(output->in, c->count);
    size_t rows = (size_t)(c->count * output->in);
    c->packed = attn_tape_alloc(s->encode_tape, (packed + rows) * sizeof(real));
    return c->packed != NULL;
}

const int32_t *attn_translator_candidates(const attn_translator_state *s, int64_t sentence,
                                          int64_t *count) {
    if (s->candidates == NULL) {
        return NULL;
    }
    *count = s->candidates[sentence].count;
    return s->candidates[sentence].ids;
}

static void pack_candidates(const attn_linear *output, candidates *c) {
    if (c->packed_i8 != NULL) {
        c->packed_i8 = attn_matmul_i8_select(output->packed_i8, c->count, c->ids, c->packed_i8);
        return;
    }
    real *rows = c->packed + attn_matmul_packed_size(output->in, c->count);
    for (int64_t j = 0; j < c->count; j++) {
        memcpy(rows + j * output->in, output->weight->data + c->ids[j] * output->in,
               (size_t)output->in * sizeof(real));
    }
    attn_matmul_pack(output->in, c->count, rows, 1, output->in, c->packed);
}

/* For every sentence of the batch; false when out of memory. */
static bool choose_candidates(attn_translator_state *s, const int32_t *source) {
    attn_tape *tape = s->encode_tape;
    s->candidates = NULL;
    if (s->shortlist == NULL) {
        return true;
    }
    candidates *all = attn_tape_alloc(tape, (size_t)s->sentences * sizeof *all);
    bool *chosen = attn_tape_alloc(tape, (size_t)s->model->config.vocabulary * sizeof *chosen);
    s->run_starts = attn_tape_alloc(tape, (size_t)(s->max_rows + 1) * sizeof *s->run_starts);
    if (all == NULL || chosen == NULL || s->run_starts == NULL) {
        return false;
    }
    memset(all, 0, (size_t)s->sentences * sizeof *all);
    for (int64_t i = 0; i < s->sentences; i++) {
        int64_t start = s->source_starts[i];
        if (!list_candidates(s, s->source_starts[i + 1] - start, source + start, chosen, &all[i]) ||
            !allocate_columns(s, &all[i])) {
            return false;
        }
    }
#pragma omp parallel for schedule(static) num_threads(attn_get_threads())
    for (int64_t i = 0; i < s->sentences; i++) {
        pack_candidates(&s->model->output, &all[i]);
    }
    s->candidates = all;
    return true;
}

/* Reserves the state's memory for a batch that has been checked. */
static bool prepare(attn_translator_state *s, int64_t count, const int64_t *starts) {
    attn_tape *tape = s->encode_tape;
    attn_tape_begin(tape, false, 0, 0);
    s->sentences = count;
    s->step = s->rows = 0;
    s->source_starts = attn_tape_alloc(tape, (size_t)(count + 1) * sizeof(int64_t));
    s->memory = attn_tape_alloc(tape, (size_t)s->model->config.decoder_layers * sizeof *s->memory);
    if (s->source_starts == NULL || s->memory == NULL || !alloc_rows(s)) {
        return false;
    }
    memcpy(s->source_starts, starts, (size_t)(count + 1) * sizeof(int64_t));
    s->source_longest = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = starts[i + 1] - starts[i];
        s->source_longest = length > s->source_longest ? length : s->source_longest;
    }
    return true;
}

attn_status attn_translator_encode(attn_translator_state *s, int64_t count, const int32_t *source,
                                   const int64_t *starts, int64_t max_rows, int64_t max_steps,
                                   attn_error *error) {
    if (count < 1 || max_rows < 1 || max_rows > INT32_MAX || max_steps < 1 ||
        max_steps > s->model->config.max_length) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "%lld sentences, %lld rows and %lld steps: each must be at least 1, and "
                         "the steps at most %lld",
                         (long long)count, (long long)max_rows, (long long)max_steps,
                         (long long)s->model->config.max_length);
    }
    attn_status status = check_source(s, count, source, starts, error);
    if (status != ATTN_OK) {
        return status;
    }
    s->max_rows = max_rows;
    s->max_steps = max_steps;
    if (!prepare(s, count, starts) || !choose_candidates(s, source)) {
        s->max_rows = 0; /* no step until an encode succeeds */
        return attn_fail_memory(error, (size_t)(layer_size(s) * max_rows) * sizeof(real));
    }
    attn_sequences sequences = {count, s->source_starts, s->source_longest};
    attn_tensor *memory = attn_translator_encoder(s->model, s->encode_tape, source, &sequences);
    for (int64_t i = 0; memory != NULL && i < s->model->config.decoder_layers; i++) {
        if (remember_layer(s, memory, i) != ATTN_OK) {
            break;
        }
    }
    status = attn_tape_status(s->encode_tape);
    if (status != ATTN_OK) {
        s->max_rows = 0;
        return attn_fail(error, status, NULL, -1, "use a smaller batch", "encoding failed: %s",
                         attn_status_name(status));
    }
    return ATTN_OK;
}

/* ---- one step ---- */

/* Copies the first `step` positions of every layer from one slot to another. */
static void copy_slot(attn_translator_state *s, int64_t from, int64_t to) {
    int64_t size = s->model->decoder[0].self.head_size;
    size_t keys = attn_key_cache_size(s->step, size) * sizeof(real);
    size_t values = (size_t)(s->step * size) * sizeof(real);
    for (int64_t layer = 0; layer < s->model->config.decoder_layers; layer++) {
        for (int64_t g = 0; g < s->model->config.kv_heads; g++) {
            memcpy(slot_keys(s, to, layer) + g * head_keys(s),
                   slot_keys(s, from, layer) + g * head_keys(s), keys);
            memcpy(slot_values(s, to, layer) + g * head_values(s),
                   slot_values(s, from, layer) + g * head_values(s), values);
        }
    }
}

/* Gives every row of the new step a slot that holds its parent's keys and values. */
static void assign_slots(attn_translator_state *s, int64_t rows, const int64_t *parents) {
    memset(s->taken, 0, (size_t)s->max_rows * sizeof *s->taken);
    for (int64_t r = 0; r < rows; r++) {
        bool first = s->step == 0;
        int64_t slot = first ? r : s->slot[parents[r]];
        s->next_sentence[r] = first ? parents[r] : s->sentence[parents[r]];
        s->next_slot[r] = s->taken[slot] ? -1 : slot;
        s->taken[slot] = true;
    }
    int64_t free_slot = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (s->next_slot[r] >= 0) {
            continue;
        }
        while (s->taken[free_slot]) {
            free_slot++;
        }
        copy_slot(s, s->slot[parents[r]], free_slot);
        s->taken[free_slot] = true;
        s->next_slot[r] = free_slot;
    }
    int64_t *slot = s->slot, *sentence = s->sentence;
    s->slot = s->next_slot;
    s->next_slot = slot;
    s->sentence = s->next_sentence;
    s->next_sentence = sentence;
    s->rows = rows;
}

static attn_status check_step(const attn_translator_state *s, int64_t rows, const int32_t *tokens,
                              const int64_t *parents, attn_error *error) {
    int64_t bound = s->step == 0 ? s->sentences : s->rows;
    bool possible = rows >= 1 && rows <= s->max_rows && s->step < s->max_steps;
    for (int64_t r = 0; possible && r < rows; r++) {
        possible = parents[r] >= 0 && parents[r] < bound && tokens[r] >= 0 &&
                   tokens[r] < s->model->config.vocabulary;
    }
    if (!possible) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "decoding step %lld: rows, parents or tokens out of range",
                         (long long)s->step);
    }
    return ATTN_OK;
}

static attn_tensor *decode_attention(attn_translator_state *s, attn_decode *decode,
                                     const attn_multi_head *a) {
    attn_tape *tape = s->step_tape;
    attn_tensor *heads = attn_tape_tensor(tape, s->rows, a->channels);
    if (heads == NULL) {
        return NULL;
    }
    decode->rows = s->rows;
    decode->heads = a->heads;
    decode->kv_heads = a->kv_heads;
    decode->head_size = decode->value_size = a->head_size;
    decode->keys = s->keys;
    decode->values = s->values;
    decode->output = heads->data;
    decode->output_row = a->channels;
    attn_status status = attn_attention_decode(decode, attn_tape_scratch(tape));
    if (status != ATTN_OK) {
        attn_tape_fail(tape, status);
        return NULL;
    }
    return heads;
}

static attn_tensor *step_self(attn_translator_state *s, attn_tensor *x, int64_t layer) {
    const attn_multi_head *a = &s->model->decoder[layer].self;
    attn_tensor *joined = attn_layer_linear(s->step_tape, x, &a->joined, ATTN_ACTIVATION_NONE);
    if (joined == NULL) {
        return NULL;
    }
    int64_t size = a->head_size;
    for (int64_t r = 0; r < s->rows; r++) {
        real *keys = slot_keys(s, s->slot[r], layer), *values = slot_values(s, s->slot[r], layer);
        const real *key = joined->data + r * joined->cols + a->channels;
        const real *value = key + a->kv_heads * size;
        for (int64_t g = 0; g < a->kv_heads; g++) {
            attn_key_cache_put(keys + g * head_keys(s), size, s->step, key + g * size);
            memcpy(values + g * head_values(s) + s->step * size, value + g * size,
                   (size_t)size * sizeof(real));
        }
        s->keys[r] = keys;
        s->values[r] = values;
        s->lengths[r] = s->step + 1;
    }
    attn_decode decode = {.query = joined->data,
                          .query_row = joined->cols,
                          .key_head = head_keys(s),
                          .value_head = head_values(s),
                          .value_token = size,
                          .lengths = s->lengths};
    return decode_attention(s, &decode, a);
}

static attn_tensor *step_cross(attn_translator_state *s, attn_tensor *x, int64_t layer,
                               real *attention) {
    const attn_multi_head *a = &s->model->decoder[layer].cross;
    attn_tensor *query = attn_layer_linear(s->step_tape, x, &a->query, ATTN_ACTIVATION_NONE);
    if (query == NULL) {
        return NULL;
    }
    int64_t key_head = (int64_t)attn_key_cache_size(s->source_longest, a->head_size);
    int64_t value_token = a->key_value.out;
    for (int64_t r = 0; r < s->rows; r++) {
        int64_t i = s->sentence[r];
        s->keys[r] = s->memory[layer].keys + i * a->kv_heads * key_head;
        s->values[r] = s->memory[layer].values + s->source_starts[i] * value_token;
        s->source_lengths[r] = s->source_starts[i + 1] - s->source_starts[i];
    }
    attn_decode decode = {.query = query->data,
                          .query_row = query->cols,
                          .key_head = key_head,
                          .value_head = a->head_size,
                          .value_token = value_token,
                          .lengths = s->source_lengths,
                          .weights = attention,
                          .weights_row = s->source_longest};
    return decode_attention(s, &decode, a);
}

static attn_tensor *step_layers(attn_translator_state *s, const int32_t *tokens, real *attention) {
    const attn_translator *m = s->model;
    attn_tape *tape = s->step_tape;
    int32_t *positions = attn_tape_alloc(tape, (size_t)s->rows * sizeof *positions);
    if (positions == NULL) {
        return NULL;
    }
    for (int64_t r = 0; r < s->rows; r++) {
        positions[r] = (int32_t)s->step;
    }
    attn_tensor *x = attn_translator_embed(m, tape, s->rows, tokens, positions);
    for (int64_t i = 0; x != NULL && i < m->config.decoder_layers; i++) {
        const decoder_layer *layer = &m->decoder[i];
        bool last = i == m->config.decoder_layers - 1;
        attn_tensor *h = attn_translator_before(m, tape, x, &layer->norm_self);
        h = step_self(s, h, i);
        x = attn_translator_after(m, tape, x, h, &layer->self.output, &layer->norm_self);
        h = attn_translator_before(m, tape, x, &layer->norm_cross);
        h = step_cross(s, h, i, last ? attention : NULL);
        x = attn_translator_after(m, tape, x, h, &layer->cross.output, &layer->norm_cross);
        x = attn_translator_feed_forward(m, tape, x, &layer->feed_forward,
                                         &layer->norm_feed_forward);
    }
    return m->config.pre_norm ? attn_layer_norm(tape, x, &m->decoder_norm) : x;
}

/* The scores of a projection's words, straight into the caller's rows. */
static attn_status project(const attn_linear *output, const attn_tensor *x, int64_t row,
                           real *logits, attn_scratch *scratch) {
    if (output->packed_i8 != NULL) {
        attn_matmul_i8 product = {.m = x->rows,
                                  .a = x->data,
                                  .a_row = x->cols,
                                  .weights = output->packed_i8,
                                  .c = logits,
                                  .c_row = row};
        return attn_matmul_i8_run_scratch(&product, scratch);
    }
    attn_matmul product = {.m = x->rows,
                           .n = output->out,
                           .k = output->in,
                           .a = x->data,
                           .a_row = x->cols,
                           .a_col = 1,
                           .b_packed = output->packed,
                           .c = logits,
                           .c_row = row};
    return attn_matmul_run_scratch(&product, scratch);
}

/* Log-probabilities of the first count words in each row, to the places of their ids; -infinity
 * elsewhere. From the last to the first, so that nothing is overwritten before it is read. */
static void spread_scores(const candidates *c, int64_t words, real *row) {
    int64_t j = c->count - 1;
    for (int64_t id = words - 1; id >= 0; id--) {
        row[id] = j >= 0 && c->ids[j] == id ? row[j--] : (real)-INFINITY;
    }
}

/* Rows first .. last - 1, all of one sentence. */
static attn_status project_run(attn_translator_state *s, const attn_tensor *x, int64_t first,
                               int64_t last, real *logits) {
    const candidates *c = &s->candidates[s->sentence[first]];
    attn_linear output = s->model->output;
    output.out = c->count;
    output.packed = c->packed;
    output.packed_i8 = c->packed_i8;
    attn_tensor rows = {.rows = last - first, .cols = x->cols, .data = x->data + first * x->cols};
    int64_t words = s->model->config.vocabulary;
    attn_status status = project(&output, &rows, words, logits + first * words,
                                 &s->run_scratch[attn_thread_index()]);
    attn_log_softmax(rows.rows, c->count, words, logits + first * words);
    for (int64_t r = first; r < last; r++) {
        spread_scores(c, words, logits + r * words);
    }
    return status;
}

/* The candidates of each row's sentence; rows of one sentence that stand together are one product. */
static attn_status project_candidates(attn_translator_state *s, const attn_tensor *x,
                                      real *logits) {
    int64_t runs = 0;
    int failed = ATTN_OK;
    for (int64_t r = 0; r < s->rows; r++) {
        if (r == 0 || s->sentence[r] != s->sentence[r - 1]) {
            s->run_starts[runs++] = r;
        }
    }
    s->run_starts[runs] = s->rows;
#pragma omp parallel for schedule(dynamic, 1) num_threads(attn_get_threads())
    for (int64_t i = 0; i < runs; i++) {
        attn_status status = project_run(s, x, s->run_starts[i], s->run_starts[i + 1], logits);
        if (status != ATTN_OK) {
#pragma omp atomic write
            failed = (int)status;
        }
    }
    return (attn_status)failed;
}

static attn_status score_words(attn_translator_state *s, const attn_tensor *x, real *logits) {
    int64_t words = s->model->config.vocabulary;
    if (s->candidates != NULL) {
        return project_candidates(s, x, logits);
    }
    attn_status status =
        project(&s->model->output, x, words, logits, attn_tape_scratch(s->step_tape));
    if (status == ATTN_OK) {
        attn_log_softmax(x->rows, words, words, logits);
    }
    return status;
}

attn_status attn_translator_step(attn_translator_state *s, int64_t rows, const int32_t *tokens,
                                 const int64_t *parents, attn_real *logits, attn_real *attention,
                                 attn_error *error) {
    attn_status status = check_step(s, rows, tokens, parents, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tape_begin(s->step_tape, false, 0, 0);
    assign_slots(s, rows, parents);
    attn_tensor *x = step_layers(s, tokens, attention);
    status = x != NULL ? score_words(s, x, logits) : attn_tape_status(s->step_tape);
    if (status != ATTN_OK) {
        s->max_rows = 0; /* the rows are half moved on: no step until the next encode */
        return attn_fail(error, status, NULL, -1, "use a smaller batch", "decoding failed: %s",
                         attn_status_name(status));
    }
    s->step++;
    return ATTN_OK;
}
