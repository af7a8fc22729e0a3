/* layers/attention.c: multi-head attention: the three trained matrices, the fused attention of each
 * head, and the declaration of the fourth, the output projection.
 *
 * N tokens, M memory tokens, C channels, H heads, G key/value heads, D head size.
 * Self attention projects x once to [N, (H + 2G) D]: query, key and value side by side; the kernel
 * reads the three through strides. Rotary positions turn query and key where they lie, before the kernel, and
 * their gradients back after it; relative ones are a bias that the kernel adds. Next: kernels/attention, layers/rotary.c,
 * layers/relative.c. */
#include "kernels/attention/attention.h"

#include <stdio.h>

#include "base/minmax.h"
#include "layers/guide.h"
#include "layers/layers.h"

attn_multi_head attn_multi_head_declare(attn_params *params, const char *name, int64_t channels,
                                        int64_t heads, int64_t kv_heads) {
    static const char *const parts[3] = {"query", "key", "value"};
    if (heads < 1 || kv_heads < 1 || channels % heads != 0 || heads % kv_heads != 0) {
        attn_params_fail(params, ATTN_ERR_ARGUMENT, name,
                         "%lld channels, %lld heads, %lld key/value heads: each must be a multiple "
                         "of the next",
                         (long long)channels, (long long)heads, (long long)kv_heads);
        return (attn_multi_head){0};
    }
    int64_t head_size = channels / heads;
    int64_t out[3] = {channels, kv_heads * head_size, kv_heads * head_size};
    attn_multi_head a = {
        .channels = channels, .heads = heads, .kv_heads = kv_heads, .head_size = head_size};
    attn_linear *linears[3] = {&a.query, &a.key, &a.value};
    char full[96];
    /* The three weights adjacent, then the three biases, so that they also read as one matrix. */
    for (int i = 0; i < 3; i++) {
        snprintf(full, sizeof full, "%s.%s.weight", name, parts[i]);
        *linears[i] = (attn_linear){.in = channels, .out = out[i]};
        linears[i]->weight =
            attn_params_declare(params, full, out[i], channels, ATTN_INIT_XAVIER_QKV);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(full, sizeof full, "%s.%s.bias", name, parts[i]);
        linears[i]->bias = attn_params_declare(params, full, 1, out[i], ATTN_INIT_ZERO);
    }
    a.joined = a.query;
    a.joined.out = out[0] + out[1] + out[2];
    a.key_value = a.key;
    a.key_value.out = out[1] + out[2];
    snprintf(full, sizeof full, "%s.output", name);
    a.output = attn_linear_declare(params, full, channels, channels);
    return a;
}

typedef struct attention_record {
    attn_attention call;
    attn_tensor *query, *key_value; /* the projections; the same tensor for self attention */
    int64_t key_offset; /* column of the first key in key_value; values follow the keys */
    int64_t value_offset;
    attn_tensor *output;
    real *lse;
    const attn_rotation *rotation; /* NULL: none */
    const attn_relative *relative; /* NULL: none */
    attn_tensor *bias;             /* [H, 2 longest - 1]: of relative positions */
    attn_sequences sequences;
    attn_guide guide; /* start NULL: none */
    attn_guide_head guided;
} attention_record;

/* Queries and keys stand side by side, so that their heads are one row of heads. */
static void turn_all(const attention_record *r, bool back, real *joined) {
    if (r->rotation != NULL) {
        attn_layers_turn_all(r->rotation, &r->sequences, back, r->call.heads + r->call.kv_heads,
                             r->call.head_size, r->query->cols, joined);
    }
}

/* The bias of every distance between two tokens of the longest sequence; false, and the tape fails, when out of memory. */
static bool add_relative(attn_tape *tape, attention_record *r) {
    int64_t longest = attn_max(r->sequences.longest, 1);
    if (r->relative == NULL) {
        return true;
    }
    r->bias = attn_tape_tensor(tape, r->call.heads, 2 * longest - 1);
    if (r->bias == NULL) {
        return false;
    }
    attn_layers_relative_bias(r->relative, !r->call.causal, 1 - longest, r->bias->cols,
                              r->bias->data);
    attn_attention_distance_bias(&r->call, r->bias->data);
    return true;
}

static void attention_backward(attn_tape *tape, void *record) {
    const attention_record *r = record;
    bool accumulate; /* a projection has no other reader, so its gradient starts here */
    real *d_query = NULL, *d_key_value = NULL;
    if (r->output->grad != NULL && !r->output->constant) {
        d_query = attn_tape_grad_first(tape, r->query, &accumulate);
        d_key_value = r->key_value == r->query
                          ? d_query
                          : attn_tape_grad_first(tape, r->key_value, &accumulate);
    }
    if (d_query == NULL || d_key_value == NULL) {
        return;
    }
    attn_attention_gradients gradients = {.size = sizeof gradients,
                                          .d_query = d_query,
                                          .d_key = d_key_value + r->key_offset,
                                          .d_value = d_key_value + r->value_offset};
    if (r->bias != NULL && !r->relative->table->frozen) {
        real *d_bias = attn_tape_grad(tape, r->bias);
        if (d_bias == NULL) {
            return;
        }
        gradients.d_bias = d_bias + r->bias->cols / 2; /* of distance 0 */
    }
    attn_error error;
    attn_status status = attn_attention_backward_scratch(
        &r->call, r->query->data, r->key_value->data + r->key_offset,
        r->key_value->data + r->value_offset, r->output->data, r->lse, r->output->grad, &gradients,
        attn_tape_scratch(tape), &error);
    if (status != ATTN_OK) {
        attn_tape_fail_as(tape, &error);
    } else if (r->guide.start != NULL) {
        attn_guide_head head = r->guided;
        head.d_query = d_query + (head.query - r->query->data);
        head.d_key = d_key_value + (head.key - r->key_value->data);
        attn_guide_backward(&r->guide, &head);
    }
    /* query, key turned by their places */
    turn_all(r, true, d_query);
    /* bias by distance */
    if (status == ATTN_OK && gradients.d_bias != NULL) {
        attn_layers_relative_gradient(r->relative, !r->call.causal, -(r->bias->cols / 2),
                                      r->bias->cols, r->bias->grad);
    }
}

/* The projections of x and memory, and where the heads lie in them. */
static void project(attn_tape *tape, attn_tensor *x, attn_tensor *memory, const attn_multi_head *a,
                    attention_record *r) {
    int64_t keys = a->kv_heads * a->head_size;
    if (memory == NULL) {
        r->query = r->key_value = attn_layers_linear(tape, x, &a->joined, ATTN_ACTIVATION_NONE);
        r->key_offset = a->channels;
    } else {
        r->query = attn_layers_linear(tape, x, &a->query, ATTN_ACTIVATION_NONE);
        r->key_value = attn_layers_linear(tape, memory, &a->key_value, ATTN_ACTIVATION_NONE);
        r->key_offset = 0;
    }
    r->value_offset = r->key_offset + keys;
}

static void describe(attention_record *r, const attn_multi_head *a, const attn_sequences *queries,
                     const attn_sequences *keys, bool causal, double dropout, uint64_t key) {
    attn_attention_init(&r->call, queries->count, a->heads, a->kv_heads, queries->longest,
                        keys->longest, a->head_size, a->head_size);
    r->call.query = (attn_strides){0, r->query->cols, a->head_size};
    r->call.key = r->call.value = (attn_strides){0, r->key_value->cols, a->head_size};
    r->call.output = (attn_strides){0, a->channels, a->head_size};
    r->call.query_starts = queries->starts;
    r->call.key_starts = keys->starts;
    r->call.causal = causal;
    r->call.dropout = (float)dropout;
    r->call.dropout_key = key;
}

/* The heads make up the channels, whoever filled the struct. */
static bool has_heads(attn_tape *tape, const attn_multi_head *a) {
    if (!attn_layers_given(tape, a, "attention")) {
        return false;
    }
    bool good = a->heads >= 1 && a->kv_heads >= 1 && a->heads % a->kv_heads == 0 &&
                a->head_size >= 1 && a->channels % a->heads == 0 &&
                a->channels / a->heads == a->head_size;
    if (!good) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "%lld channels, %lld heads of %lld, %lld key/value heads: channels must be "
                       "heads times their size, and heads a multiple of key/value heads",
                       (long long)a->channels, (long long)a->heads, (long long)a->head_size,
                       (long long)a->kv_heads);
    }
    return good;
}

/* The tokens are those of the sequences, all of them, and the layer takes their channels. */
static bool fits(attn_tape *tape, const attn_tensor *x, const char *name,
                 const attn_sequences *sequences, const char *sequences_name,
                 const attn_multi_head *a) {
    if (!attn_layers_columns(tape, x, name, a->channels, "the layer") ||
        !attn_layers_given(tape, sequences, sequences_name) ||
        !attn_layers_given(tape, sequences->starts, "starts of the sequences")) {
        return false;
    }
    if (sequences->count < 0 || sequences->starts[0] != 0) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "%s: a count of %lld, the first start %lld: they "
                       "must be at least 0, and 0",
                       sequences_name, (long long)sequences->count,
                       (long long)sequences->starts[0]);
        return false;
    }
    int64_t tokens = sequences->starts[sequences->count];
    if (tokens != x->rows) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE, "%s has %lld rows, %s %lld tokens", name,
                       (long long)x->rows, sequences_name, (long long)tokens);
    }
    return tokens == x->rows;
}

/* Rotary and relative positions are of self attention, and fit its heads. */
static bool positions_fit(attn_tape *tape, const attn_sequences *sequences,
                          const attn_tensor *memory, const attn_multi_head *a) {
    if (memory != NULL && (a->rotation != NULL || a->relative != NULL)) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "an attention with %s takes no memory",
                       a->rotation != NULL ? "a rotation" : "relative positions");
        return false;
    }
    return (a->rotation == NULL ||
            attn_layers_rotation(tape, a->rotation, sequences, a->head_size)) &&
           (a->relative == NULL || attn_layers_relative(tape, a->relative, a->heads));
}

/* ---- edits ---- */

/* The mean of `count` values one after another, `row` apart; of none: 0. */
static void mean_value(const real *value, int64_t row, int64_t size, int64_t count, real *out) {
    for (int64_t e = 0; e < size; e++) {
        real sum = 0;
        for (int64_t k = 0; k < count; k++) {
            sum += value[k * row + e];
        }
        out[e] = count > 0 ? sum / (real)count : 0;
    }
}

/* One edit in one sequence: `out` [queries, C] and `value` [keys, row] begin there. A causal query q of Q
 * sees the keys up to q + K - Q. */
static void edit_sequence(const attn_multi_head *a, const attn_head_edit *edit, bool causal,
                          int64_t queries, int64_t keys, const real *value, int64_t row,
                          real *out) {
    int64_t count = attn_min(edit->queries, queries - edit->query);
    for (int64_t q = edit->query; q < edit->query + count; q++) {
        int64_t seen = causal ? attn_max(q + 1 + keys - queries, 0) : keys;
        int64_t used = attn_max(attn_min(edit->keys, seen - edit->key), 0);
        for (int64_t h = 0; h < a->heads; h++) {
            if (edit->head == h || edit->head < 0) {
                int64_t group = h / (a->heads / a->kv_heads);
                const real *first = used > 0 ? value + edit->key * row : value;
                mean_value(first + group * a->head_size, row, a->head_size, used,
                           out + q * a->channels + h * a->head_size);
            }
        }
    }
}

static void apply_edits(const attention_record *r, const attn_multi_head *a, bool causal,
                        const attn_sequences *queries, const attn_sequences *keys) {
    for (int64_t i = 0; i < a->edit_count; i++) {
        for (int64_t s = 0; s < queries->count; s++) {
            int64_t query = queries->starts[s], key = keys->starts[s], row = r->key_value->cols;
            edit_sequence(a, &a->edits[i], causal, queries->starts[s + 1] - query,
                          keys->starts[s + 1] - key,
                          r->key_value->data + key * row + r->value_offset, row,
                          r->output->data + query * a->channels);
        }
    }
}

/* ---- a guided head ---- */

/* False, and the tape fails, when the guide does not fit. */
static bool start_guide(attn_tape *tape, const attn_guide *guide, const attn_multi_head *a,
                        const attn_sequences *sequences, const attn_sequences *memory_sequences,
                        attention_record *r) {
    int64_t row = -1, group = guide->head / (a->heads / a->kv_heads);
    bool good = guide->head >= 0 && guide->head < a->heads;
    r->guide = *guide;
    r->guided = (attn_guide_head){.query = r->query->data + guide->head * a->head_size,
                                  .key = r->key_value->data + group * a->head_size,
                                  .query_row = r->query->cols,
                                  .key_row = r->key_value->cols,
                                  .size = a->head_size,
                                  .lse = r->lse + guide->head * r->query->rows,
                                  .sequences = *sequences,
                                  .memory_sequences = *memory_sequences};
    if (!good || !attn_guide_fits(guide, &r->guided, &row)) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "the guide does not fit: head %lld of %lld, row %lld (-1: all do)",
                       (long long)guide->head, (long long)a->heads, (long long)row);
        return false;
    }
    return true;
}

static attn_tensor *attend(attn_tape *tape, attn_tensor *x, const attn_sequences *sequences,
                           attn_tensor *memory, const attn_sequences *memory_sequences,
                           const attn_multi_head *attention, bool causal, double dropout,
                           const attn_guide *guide) {
    attention_record local = {0};
    bool recording = attn_tape_recording(tape);
    attn_tape_layer(tape, "attn_layer_attention");
    if (!has_heads(tape, attention) || !fits(tape, x, "x", sequences, "sequences", attention) ||
        (memory != NULL &&
         !fits(tape, memory, "memory", memory_sequences, "memory_sequences", attention)) ||
        !attn_layers_probability(tape, dropout, "the dropout")) {
        return NULL;
    }
    if (!positions_fit(tape, sequences, memory, attention)) {
        return NULL;
    }
    if (memory != NULL && memory_sequences->count != sequences->count) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE, "memory_sequences are %lld, sequences %lld",
                       (long long)memory_sequences->count, (long long)sequences->count);
        return NULL;
    }
    if (recording && attention->edit_count > 0) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "an attention with edits cannot be trained");
        return NULL;
    }
    project(tape, x, memory, attention, &local);
    local.output = attn_tape_tensor(tape, x->rows, attention->channels);
    attn_tensor *lse = attn_tape_tensor(tape, attention->heads, x->rows);
    if (local.query == NULL || local.key_value == NULL || local.output == NULL || lse == NULL) {
        return NULL;
    }
    local.lse = lse->data;
    local.rotation = attention->rotation;
    local.relative = attention->relative;
    local.sequences = *sequences;
    uint64_t key = recording ? attn_tape_random_key(tape) : 0;
    describe(&local, attention, sequences, memory != NULL ? memory_sequences : sequences, causal,
             recording ? dropout : 0.0, key);
    if (!add_relative(tape, &local)) {
        return NULL;
    }
    if (guide != NULL &&
        !start_guide(tape, guide, attention, sequences, memory_sequences, &local)) {
        return NULL;
    }
    attention_record *r = attn_tape_record(tape, sizeof *r, attention_backward);
    if (attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    if (r != NULL) {
        *r = local;
        local.output->constant =
            local.query->constant && local.key_value->constant &&
            (local.relative == NULL || attn_layers_frozen(local.relative->table));
    }
    turn_all(&local, false, local.query->data);
    attn_error error;
    attn_status status = attn_attention_forward_scratch(
        &local.call, local.query->data, local.key_value->data + local.key_offset,
        local.key_value->data + local.value_offset, local.output->data, local.lse,
        attn_tape_scratch(tape), &error);
    if (status != ATTN_OK) {
        attn_tape_fail_as(tape, &error);
        return NULL;
    }
    if (guide != NULL) {
        *guide->loss += attn_guide_loss(guide, &local.guided);
    }
    apply_edits(&local, attention, causal, sequences,
                memory != NULL ? memory_sequences : sequences);
    attn_tape_note(tape, "query", local.query);
    attn_tape_note(tape, memory != NULL ? "key_value" : "joined", local.key_value);
    attn_tape_note(tape, "heads", local.output);
    attn_tape_note(tape, "lse", lse);
    attn_tape_note(tape, "bias", local.bias);
    return local.output;
}

attn_tensor *attn_layer_attention(attn_tape *tape, attn_tensor *x, const attn_sequences *sequences,
                                  attn_tensor *memory, const attn_sequences *memory_sequences,
                                  const attn_multi_head *attention, bool causal, double dropout) {
    return attend(tape, x, sequences, memory, memory_sequences, attention, causal, dropout, NULL);
}

attn_tensor *attn_layers_attention_guided(attn_tape *tape, attn_tensor *x,
                                          const attn_sequences *sequences, attn_tensor *memory,
                                          const attn_sequences *memory_sequences,
                                          const attn_multi_head *attention, double dropout,
                                          const attn_guide *guide) {
    return attend(tape, x, sequences, memory, memory_sequences, attention, false, dropout, guide);
}
