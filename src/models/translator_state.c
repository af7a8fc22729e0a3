/* models/translator_state.c: decoding step by step, with cached keys and values.
 *
 * S sentences, R rows (hypotheses), T the step. A decoder layer has two caches (attn/cache.h): of the
 * cross-attention's keys and values, a sequence for each sentence, computed once; and of its own, a
 * sequence for each row. When hypotheses are reordered, a row takes over its parent's sequence, and
 * forks it when the parent is continued more than once. Every step uses the wiring of translator.c, so
 * the bits are those of a full pass. */
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/minmax.h"
#include "cpu/cpu.h"
#include "kernels/attention/attention_cache.h"
#include "kernels/loss/loss.h"
#include "layers/layers.h"
#include "models/shortlist.h"
#include "models/translator.h"
#include "tape/tape.h"

/* Short pages: what a fork has to copy is less than one. */
enum { PAGE_TOKENS = 16 };

/* Sequence i of `memory` is sentence i. A row has the same sequence in `self` of every layer, for in
 * every layer the same happens to it. */
typedef struct layer_caches {
    attn_cache *self, *memory;
} layer_caches;

/* The words that a sentence's steps compute: a shortlist's choice. */
typedef struct candidates {
    int64_t count;
    int32_t *ids;       /* ascending */
    attn_linear output; /* the projection to them alone, in `room` */
    void *room;
} candidates;

enum { MOST_THREADS = 256 };

struct attn_translator_state {
    const attn_translator *model;
    attn_tape *encode_tape; /* holds what lives as long as the sentences */
    attn_tape *step_tape;
    int64_t sentences, source_longest;
    int64_t *source_starts; /* [S + 1], in encode_tape */
    layer_caches *caches;   /* [decoder_layers] */
    real *
        recurrent; /* [decoder_layers, max_rows, d_model], in encode_tape: of recurrent units; else NULL */
    real *moved; /* [max_rows, d_model] */
    real *
        bias; /* [H, max_steps], in encode_tape: of relative positions, of the distances up to 0; else NULL */
    int64_t max_rows, max_steps, step, rows;
    int64_t *sequence, *next_sequence, *sentence, *next_sentence; /* [max_rows] */
    bool *taken;                                                  /* [max_rows] */
    const attn_shortlist *shortlist; /* NULL: every word is a candidate */
    int32_t end_token;
    candidates *candidates; /* [S], in encode_tape; NULL: all words */
    int64_t *run_starts;    /* [max_rows + 1]: rows of one sentence */
    attn_scratch run_scratch[MOST_THREADS];
    int64_t watched_layer; /* whose attention a step gives, from 0 */
    int64_t watched_head;  /* from 1; 0: the mean of all */
};

static attn_status create_caches(attn_translator_state *s) {
    const attn_translator_config *c = &s->model->config;
    int64_t size = s->model->decoder[0].cross.head_size;
    attn_cache_config config = {.size = sizeof config,
                                .kv_heads = c->kv_heads,
                                .head_size = size,
                                .value_size = size,
                                .page_tokens = PAGE_TOKENS};
    s->caches = attn_alloc_zero((size_t)c->decoder_layers, sizeof *s->caches);
    attn_status status = s->caches != NULL ? ATTN_OK : ATTN_ERR_MEMORY;
    for (int64_t i = 0; status == ATTN_OK && i < c->decoder_layers; i++) {
        status = attn_cache_create(&config, &s->caches[i].self, NULL);
        status =
            status == ATTN_OK ? attn_cache_create(&config, &s->caches[i].memory, NULL) : status;
    }
    return status;
}

attn_status attn_translator_check_packed(const attn_translator *model, attn_error *error) {
    return attn_linear_is_packed(&model->output)
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "call attn_translator_pack first",
                           "the model's weights are not packed for decoding");
}

attn_status attn_translator_state_create(const attn_translator *model, attn_translator_state **out,
                                         attn_error *error) {
    *out = NULL;
    attn_status status = attn_translator_check_packed(model, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_translator_state *s = attn_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    s->model = model;
    attn_translator_state_watch(s, model->config.alignment_layer, model->config.alignment_head);
    status = attn_tape_create(&s->encode_tape, error);
    status = status == ATTN_OK ? attn_tape_create(&s->step_tape, error) : status;
    status = status == ATTN_OK ? create_caches(s) : status;
    if (status != ATTN_OK) {
        attn_translator_state_free(s);
        return attn_fail_memory(error, sizeof *s);
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
    for (int64_t i = 0; s->caches != NULL && i < s->model->config.decoder_layers; i++) {
        attn_cache_free(s->caches[i].self);
        attn_cache_free(s->caches[i].memory);
    }
    attn_free(s->caches);
    for (int i = 0; i < MOST_THREADS; i++) {
        attn_scratch_free(&s->run_scratch[i]);
    }
    attn_free(s);
}

attn_status attn_translator_state_use(attn_translator_state *s, const attn_shortlist *shortlist,
                                      int32_t end_token, attn_error *error) {
    int64_t words = s->model->config.vocabulary;
    int64_t sources = s->model->config.source_vocabulary;
    if (shortlist != NULL && (attn_shortlist_vocabulary(shortlist) != words ||
                              attn_shortlist_source_vocabulary(shortlist) != sources)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "make the shortlist with this model",
                         "the shortlist is for a vocabulary of %lld, but the model has %lld",
                         (long long)attn_shortlist_vocabulary(shortlist), (long long)words);
    }
    if (shortlist != NULL && (end_token < 0 || end_token >= words)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "end_token is %d, the vocabulary is %lld", (int)end_token,
                         (long long)words);
    }
    s->shortlist = shortlist;
    s->end_token = end_token;
    return ATTN_OK;
}

void attn_translator_state_watch(attn_translator_state *s, int64_t layer, int64_t head) {
    s->watched_layer = (layer > 0 ? layer : s->model->config.decoder_layers) - 1;
    s->watched_head = head;
}

int64_t attn_translator_state_source_length(const attn_translator_state *s) {
    return s->source_longest;
}

/* ---- encoding ---- */

attn_status attn_translator_check_source(const attn_translator *m, int64_t count,
                                         const int32_t *source, const int64_t *starts,
                                         attn_error *error) {
    const attn_translator_config *c = &m->config;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = starts[i + 1] - starts[i];
        if (length < 1 || length > c->max_length) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, i + 1, "split the sentence",
                             "a source sentence has %lld tokens; the model takes 1 to %lld",
                             (long long)length, (long long)c->max_length);
        }
    }
    for (int64_t t = 0; t < starts[count]; t++) {
        if (source[t] < 0 || source[t] >= attn_translator_source_words(c)) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                             "token id %d is not in the vocabulary of %lld", source[t],
                             (long long)attn_translator_source_words(c));
        }
    }
    return ATTN_OK;
}

static bool alloc_rows(attn_translator_state *s) {
    size_t rows = (size_t)s->max_rows;
    int64_t **arrays[] = {&s->sequence, &s->next_sequence, &s->sentence, &s->next_sentence};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i] = attn_tape_alloc(s->encode_tape, rows * sizeof(int64_t));
    }
    s->taken = attn_tape_alloc(s->encode_tape, rows * sizeof *s->taken);
    s->recurrent = s->moved = NULL;
    if (s->model->config.ssru) {
        size_t bytes = rows * (size_t)s->model->config.d_model * sizeof(real);
        size_t layers = (size_t)s->model->config.decoder_layers;
        s->recurrent = attn_tape_alloc(s->encode_tape, layers * bytes);
        s->moved = attn_tape_alloc(s->encode_tape, bytes);
    }
    return attn_tape_status(s->encode_tape) == ATTN_OK;
}

/* False when out of memory. */
static bool find_bias(attn_translator_state *s) {
    const attn_relative *relative = s->model->decoder[0].self.relative;
    s->bias = NULL;
    if (relative == NULL) {
        return true;
    }
    size_t count = (size_t)(s->model->config.heads * s->max_steps);
    s->bias = attn_tape_alloc(s->encode_tape, count * sizeof *s->bias);
    if (s->bias != NULL) {
        attn_layers_relative_bias(relative, false, 1 - s->max_steps, s->max_steps, s->bias);
    }
    return s->bias != NULL;
}

/* Keys and values of the encoder's output for one decoder layer. */
static attn_status remember_layer(attn_translator_state *s, attn_tensor *memory, int64_t layer) {
    const attn_multi_head *cross = &s->model->decoder[layer].cross;
    int64_t size = cross->head_size;
    attn_tensor *projected =
        attn_layer_linear(s->encode_tape, memory, &cross->key_value, ATTN_ACTIVATION_NONE);
    if (projected == NULL) {
        return attn_tape_status(s->encode_tape);
    }
    attn_cache *cache = s->caches[layer].memory;
    attn_status status = ATTN_OK;
    attn_error error;
    for (int64_t i = 0; status == ATTN_OK && i < s->sentences; i++) {
        int64_t start = s->source_starts[i], sequence;
        const real *key = projected->data + start * projected->cols;
        status = attn_cache_start(cache, &sequence, &error);
        if (status == ATTN_OK) {
            status = attn_cache_append(cache, sequence, s->source_starts[i + 1] - start, key,
                                       projected->cols, size, key + cross->kv_heads * size,
                                       projected->cols, size, &error);
        }
    }
    if (status != ATTN_OK) {
        attn_tape_fail_as(s->encode_tape, &error);
    }
    return status;
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

const int32_t *attn_translator_candidates(const attn_translator_state *s, int64_t sentence,
                                          int64_t *count) {
    if (s->candidates == NULL) {
        return NULL;
    }
    *count = s->candidates[sentence].count;
    return s->candidates[sentence].ids;
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
    const attn_linear *whole = &s->model->output;
    for (int64_t i = 0; i < s->sentences; i++) {
        int64_t start = s->source_starts[i];
        if (!list_candidates(s, s->source_starts[i + 1] - start, source + start, chosen, &all[i])) {
            return false;
        }
        all[i].room = attn_tape_alloc(tape, attn_linear_select_size(whole, all[i].count));
        if (all[i].room == NULL) {
            return false;
        }
    }
#pragma omp parallel for schedule(static) num_threads(attn_get_threads())
    for (int64_t i = 0; i < s->sentences; i++) {
        candidates *c = &all[i];
        c->output = attn_linear_select(whole, c->count, c->ids, c->room);
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
    for (int64_t i = 0; i < s->model->config.decoder_layers; i++) {
        attn_cache_clear(s->caches[i].self);
        attn_cache_clear(s->caches[i].memory);
    }
    if (s->source_starts == NULL || !alloc_rows(s) || !find_bias(s)) {
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
    attn_status status = attn_translator_check_source(s->model, count, source, starts, error);
    if (status != ATTN_OK) {
        return status;
    }
    s->max_rows = max_rows;
    s->max_steps = max_steps;
    if (!prepare(s, count, starts) || !choose_candidates(s, source)) {
        s->max_rows = 0; /* no step until an encode succeeds */
        return attn_fail_memory(error, (size_t)max_rows * sizeof(int64_t));
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
        return attn_tape_check(s->encode_tape, error);
    }
    return ATTN_OK;
}

/* ---- one step ---- */

/* In the caches of every layer: a new sequence, or the fork of one. */
static attn_status new_sequence(attn_translator_state *s, const int64_t *parent,
                                int64_t *sequence) {
    attn_status status = ATTN_OK;
    for (int64_t i = 0; status == ATTN_OK && i < s->model->config.decoder_layers; i++) {
        attn_cache *cache = s->caches[i].self;
        status = parent == NULL ? attn_cache_start(cache, sequence, NULL)
                                : attn_cache_fork(cache, *parent, sequence, NULL);
    }
    return status;
}

/* Ends the sequences of rows that no one continues. */
static void end_rows(attn_translator_state *s, int64_t rows, const int64_t *parents) {
    memset(s->taken, 0, (size_t)s->max_rows * sizeof *s->taken);
    for (int64_t r = 0; r < rows; r++) {
        s->taken[parents[r]] = true;
    }
    for (int64_t p = 0; p < s->rows; p++) {
        for (int64_t i = 0; !s->taken[p] && i < s->model->config.decoder_layers; i++) {
            attn_cache_end(s->caches[i].self, s->sequence[p]);
        }
    }
}

static real *recurrent_of(const attn_translator_state *s, int64_t layer) {
    return s->recurrent + layer * s->max_rows * s->model->config.d_model;
}

/* Every row of the new step goes on from its parent's recurrent units; the first from 0. */
static void assign_recurrent(attn_translator_state *s, int64_t rows, const int64_t *parents) {
    size_t channels = (size_t)s->model->config.d_model;
    for (int64_t i = 0; s->recurrent != NULL && i < s->model->config.decoder_layers; i++) {
        real *state = recurrent_of(s, i);
        if (s->step == 0) {
            memset(state, 0, (size_t)rows * channels * sizeof *state);
            continue;
        }
        memcpy(s->moved, state, (size_t)s->rows * channels * sizeof *state);
        for (int64_t r = 0; r < rows; r++) {
            memcpy(state + (size_t)r * channels, s->moved + (size_t)parents[r] * channels,
                   channels * sizeof *state);
        }
    }
}

/* Gives every row of the new step a sequence that holds its parent's keys and values. */
static attn_status assign_sequences(attn_translator_state *s, int64_t rows,
                                    const int64_t *parents) {
    bool first = s->step == 0;
    attn_status status = ATTN_OK;
    if (!first) {
        end_rows(s, rows, parents);
    }
    assign_recurrent(s, rows, parents);
    memset(s->taken, 0, (size_t)s->max_rows * sizeof *s->taken);
    for (int64_t r = 0; status == ATTN_OK && r < rows; r++) {
        int64_t parent = parents[r];
        s->next_sentence[r] = first ? parent : s->sentence[parent];
        if (!first && !s->taken[parent]) {
            s->next_sequence[r] = s->sequence[parent];
            s->taken[parent] = true;
        } else {
            status = new_sequence(s, first ? NULL : &s->sequence[parent], &s->next_sequence[r]);
        }
    }
    int64_t *sequence = s->sequence, *sentence = s->sentence;
    s->sequence = s->next_sequence;
    s->next_sequence = sequence;
    s->sentence = s->next_sentence;
    s->next_sentence = sentence;
    s->rows = rows;
    return status;
}

static attn_status check_step(const attn_translator_state *s, int64_t rows, const int32_t *tokens,
                              const int64_t *parents, attn_error *error) {
    int64_t bound = s->step == 0 ? s->sentences : s->rows;
    if (s->step >= s->max_steps || rows < 1 || rows > s->max_rows) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "encode for as many",
                         "step %lld of %lld with %lld rows: 1 to %lld were encoded for",
                         (long long)s->step + 1, (long long)s->max_steps, (long long)rows,
                         (long long)s->max_rows);
    }
    for (int64_t r = 0; r < rows; r++) {
        if (parents[r] < 0 || parents[r] >= bound) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                             "parents[%lld] is %lld, not one of %lld %s", (long long)r,
                             (long long)parents[r], (long long)bound,
                             s->step == 0 ? "sentences" : "rows");
        }
        if (tokens[r] < 0 || tokens[r] >= s->model->config.vocabulary) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                             "tokens[%lld] is %d, the vocabulary is %lld", (long long)r,
                             (int)tokens[r], (long long)s->model->config.vocabulary);
        }
    }
    return ATTN_OK;
}

/* ---- edits (attn_head_edit), as layers/attention.c applies them to a whole pass ---- */

/* values [R, C]: each row's value of that key, for all heads: attention to a single key is its value. 0 for a row
 * that does not have it. */
static attn_status read_values(attn_translator_state *s, attn_cache_attention attention,
                               const attn_cache *cache, int64_t key, int64_t *lengths, real *values,
                               attn_error *error) {
    for (int64_t r = 0; r < s->rows; r++) {
        lengths[r] = key < attn_cache_length(cache, attention.sequences[r]) ? key + 1 : 0;
    }
    attention.lengths = lengths;
    attention.window_left = 0;
    attention.bias = NULL;
    attention.output = values;
    attention.weights = NULL;
    return attn_cache_attend_scratch(cache, &attention, attn_tape_scratch(s->step_tape), error);
}

/* The mean of the values of `keys` keys from `key` on, as many as a row has, to the columns of the edited heads. */
static void write_mean(const attn_multi_head *a, const attn_head_edit *edit, int64_t keys,
                       const real *sum, real *out) {
    for (int64_t i = 0; i < a->channels; i++) {
        if (edit->head < 0 || i / a->head_size == edit->head) {
            out[i] = keys > 0 ? sum[i] / (real)keys : 0;
        }
    }
}

static attn_status apply_edit(attn_translator_state *s, const attn_multi_head *a,
                              const attn_head_edit *edit, const attn_cache_attention *attention,
                              const attn_cache *cache, attn_error *error) {
    size_t rows = (size_t)s->rows, size = rows * (size_t)a->channels;
    real *sum = attn_tape_alloc(s->step_tape, size * sizeof *sum);
    real *values = attn_tape_alloc(s->step_tape, size * sizeof *values);
    int64_t *lengths = attn_tape_alloc(s->step_tape, rows * sizeof *lengths);
    if (sum == NULL || values == NULL || lengths == NULL) {
        return attn_fail_memory(error, size * sizeof *sum);
    }
    int64_t longest = 0;
    for (int64_t r = 0; r < s->rows; r++) {
        longest = attn_max(longest, attn_cache_length(cache, attention->sequences[r]));
    }
    memset(sum, 0, size * sizeof *sum);
    int64_t keys = attn_min(edit->keys, longest - edit->key);
    for (int64_t k = edit->key; k < edit->key + keys; k++) {
        attn_status status = read_values(s, *attention, cache, k, lengths, values, error);
        if (status != ATTN_OK) {
            return status;
        }
        for (size_t i = 0; i < size; i++) {
            sum[i] += values[i];
        }
    }
    for (int64_t r = 0; r < s->rows; r++) {
        int64_t has = attn_cache_length(cache, attention->sequences[r]) - edit->key;
        write_mean(a, edit, attn_min(edit->keys, has), sum + r * a->channels,
                   attention->output + r * a->channels);
    }
    return ATTN_OK;
}

static attn_status apply_edits(attn_translator_state *s, const attn_multi_head *a,
                               const attn_cache_attention *attention, const attn_cache *cache,
                               attn_error *error) {
    attn_status status = ATTN_OK;
    for (int64_t i = 0; i < a->edit_count && status == ATTN_OK; i++) {
        const attn_head_edit *edit = &a->edits[i];
        if (s->step >= edit->query && s->step - edit->query < edit->queries) {
            status = apply_edit(s, a, edit, attention, cache, error);
        }
    }
    return status;
}

/* Every row's query against its sequence. */
static attn_tensor *attend(attn_translator_state *s, const attn_multi_head *a,
                           const attn_tensor *query, const attn_cache *cache,
                           const int64_t *sequences, real *weights, int64_t weights_head) {
    attn_tape *tape = s->step_tape;
    attn_tensor *heads = attn_tape_tensor(tape, s->rows, a->channels);
    if (heads == NULL) {
        return NULL;
    }
    attn_cache_attention attention;
    attn_cache_attention_init(&attention, cache, s->rows, a->heads);
    attention.sequences = sequences;
    attention.query = query->data;
    attention.query_row = query->cols;
    attention.output = heads->data;
    attention.weights = weights;
    attention.weights_row = s->source_longest;
    attention.weights_head = weights_head;
    if (a->relative != NULL) { /* that of distance 0 stands at this step */
        attention.bias = s->bias + s->max_steps - 1 - s->step;
        attention.bias_head = s->max_steps;
    }
    attn_error error;
    attn_status status =
        attn_cache_attend_scratch(cache, &attention, attn_tape_scratch(tape), &error);
    status = status == ATTN_OK ? apply_edits(s, a, &attention, cache, &error) : status;
    if (status != ATTN_OK) {
        attn_tape_fail_as(tape, &error);
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
    attn_cache *cache = s->caches[layer].self;
    attn_error error;
    for (int64_t r = 0; r < s->rows; r++) {
        if (a->rotation != NULL) {
            attn_layers_turn(a->rotation, s->step, a->heads + a->kv_heads, a->head_size,
                             joined->data + r * joined->cols);
        }
        const real *key = joined->data + r * joined->cols + a->channels;
        attn_status status =
            attn_cache_append(cache, s->sequence[r], 1, key, 0, a->head_size,
                              key + a->kv_heads * a->head_size, 0, a->head_size, &error);
        if (status != ATTN_OK) {
            attn_tape_fail_as(s->step_tape, &error);
            return NULL;
        }
    }
    return attend(s, a, joined, cache, s->sequence, NULL, 0);
}

static attn_tensor *step_cross(attn_translator_state *s, attn_tensor *x, int64_t layer,
                               real *attention) {
    const attn_multi_head *a = &s->model->decoder[layer].cross;
    attn_tensor *query = attn_layer_linear(s->step_tape, x, &a->query, ATTN_ACTIVATION_NONE);
    return query == NULL ? NULL
                         : attend(s, a, query, s->caches[layer].memory, s->sentence, attention,
                                  s->watched_head);
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
    attn_tensor *x = attn_translator_embed(m, tape, false, s->rows, tokens, positions);
    for (int64_t i = 0; x != NULL && i < m->config.decoder_layers; i++) {
        const decoder_layer *layer = &m->decoder[i];
        attn_tensor *h = attn_translator_before(m, tape, x, &layer->norm_self);
        if (m->config.ssru) {
            h = attn_layers_ssru_step(tape, h, &layer->recurrent, recurrent_of(s, i));
            x = attn_translator_after_plain(m, tape, x, h, &layer->norm_self);
        } else {
            h = step_self(s, h, i);
            x = attn_translator_after(m, tape, x, h, &layer->self.output, &layer->norm_self);
        }
        h = attn_translator_before(m, tape, x, &layer->norm_cross);
        h = step_cross(s, h, i, i == s->watched_layer ? attention : NULL);
        x = attn_translator_after(m, tape, x, h, &layer->cross.output, &layer->norm_cross);
        x = attn_translator_feed_forward(m, tape, x, &layer->feed_forward,
                                         &layer->norm_feed_forward);
    }
    return attn_translator_last(m, tape, x, &m->decoder_norm);
}

/* The scores of a projection's words, straight into the caller's rows. */
static attn_status project(const attn_linear *output, const attn_tensor *x, int64_t row,
                           real *logits, attn_scratch *scratch) {
    attn_linear_rows rows = {.count = x->rows, .x = x->data, .y = logits, .y_row = row};
    return attn_linear_run_packed(output, &rows, scratch);
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
    attn_tensor rows = {.rows = last - first, .cols = x->cols, .data = x->data + first * x->cols};
    int64_t words = s->model->config.vocabulary;
    attn_status status = project(&c->output, &rows, words, logits + first * words,
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
    status = assign_sequences(s, rows, parents);
    if (status != ATTN_OK) {
        attn_tape_fail(s->step_tape, status, "%s", attn_status_name(status));
    }
    attn_tensor *x = status == ATTN_OK ? step_layers(s, tokens, attention) : NULL;
    status = x != NULL ? score_words(s, x, logits) : attn_tape_status(s->step_tape);
    if (status != ATTN_OK) {
        s->max_rows = 0; /* the rows are half moved on: no step until the next encode */
        return attn_tape_status(s->step_tape) != ATTN_OK
                   ? attn_tape_check(s->step_tape, error)
                   : attn_fail_memory(error,
                                      (size_t)(rows * s->model->config.vocabulary) * sizeof(real));
    }
    s->step++;
    return ATTN_OK;
}
