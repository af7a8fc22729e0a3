/* models/translator_state.c: decoding step by step, with cached keys and values.
 *
 * S sentences, R rows (hypotheses), G key/value heads, D head size, T the step.
 * The cross-attention's keys and values are computed once per sentence. A row's own keys and values
 * lie in a slot; when hypotheses are reordered, a row takes over its parent's slot, and only a
 * parent that is continued more than once is copied. Every step uses the wiring of translator.c, so
 * the bits are those of a full pass. */
#include <string.h>

#include "base/fail.h"
#include "kernels/attention/attention.h"
#include "kernels/loss/loss.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul_i8/matmul_i8.h"
#include "models/translator.h"
#include "tape/tape.h"

typedef struct memory_layer {
    const real *keys;   /* [S][G] heads of panels, key_head apart */
    const real *values; /* inside the projection [N, 2 G D]: rows 2 G D apart, heads D apart */
} memory_layer;

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
        *source_lengths;         /* [max_rows] */
    bool *taken;                 /* [max_rows] */
    const real **keys, **values; /* [max_rows] */
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
    attn_free(s);
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
    if (!prepare(s, count, starts)) {
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

/* The scores of all words, straight into the caller's memory. */
static attn_status project_output(attn_translator_state *s, const attn_tensor *x, real *logits) {
    const attn_linear *output = &s->model->output;
    if (output->packed_i8 != NULL) {
        attn_matmul_i8 product = {.m = x->rows,
                                  .a = x->data,
                                  .a_row = x->cols,
                                  .weights = output->packed_i8,
                                  .c = logits,
                                  .c_row = output->out};
        return attn_matmul_i8_run_scratch(&product, attn_tape_scratch(s->step_tape));
    }
    attn_matmul product = {.m = x->rows,
                           .n = output->out,
                           .k = output->in,
                           .a = x->data,
                           .a_row = x->cols,
                           .a_col = 1,
                           .b_packed = output->packed,
                           .c = logits,
                           .c_row = output->out};
    return attn_matmul_run_scratch(&product, attn_tape_scratch(s->step_tape));
}

attn_status attn_translator_step(attn_translator_state *s, int64_t rows, const int32_t *tokens,
                                 const int64_t *parents, attn_real *logits, attn_real *attention,
                                 attn_error *error) {
    attn_status status = check_step(s, rows, tokens, parents, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_translator *m = s->model;
    attn_tape_begin(s->step_tape, false, 0, 0);
    assign_slots(s, rows, parents);
    attn_tensor *x = step_layers(s, tokens, attention);
    status = x != NULL ? project_output(s, x, logits) : attn_tape_status(s->step_tape);
    if (status != ATTN_OK) {
        s->max_rows = 0; /* the rows are half moved on: no step until the next encode */
        return attn_fail(error, status, NULL, -1, "use a smaller batch", "decoding failed: %s",
                         attn_status_name(status));
    }
    attn_log_softmax(rows, m->config.vocabulary, m->config.vocabulary, logits);
    s->step++;
    return ATTN_OK;
}
