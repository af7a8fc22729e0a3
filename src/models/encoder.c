/* models/encoder.c: the encoder alone: its configuration, its table of tensors and its wiring.
 *
 * No arithmetic here but that of pooling, at the end: every sum has the order of the tokens or of the channels, so a vector
 * depends on its own sequence alone. Sequences lie one after another without padding. Next: encoder_file.c. */
#include "models/encoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attn/attention.h"
#include "base/fail.h"
#include "base/sized.h"
#include "layers/layers.h"
#include "models/config.h"
#include "tape/tape.h"

/* ---- configuration ---- */

static const attn_encoder_config defaults = {
    .size = sizeof(attn_encoder_config),
    .vocabulary = 30522,
    .d_model = 768,
    .ffn = 3072,
    .heads = 12,
    .layers = 12,
    .positions = 512,
    .segments = 2,
    .activation = ATTN_ACTIVATION_GELU,
    .norm_epsilon = 1e-12,
};

void attn_encoder_config_init_sized(attn_encoder_config *config, size_t size) {
    attn_sized_init(config, size, &defaults, sizeof defaults);
}

static attn_status check_config(const attn_encoder_config *c, attn_error *error) {
    const struct {
        const char *name;
        int64_t value, low, high;
    } ranges[] = {
        {"vocabulary", c->vocabulary, 4, 1 << 22},
        {"d_model", c->d_model, 2, 1 << 14},
        {"ffn", c->ffn, 1, 1 << 16},
        {"heads", c->heads, 1, 256},
        {"layers", c->layers, 1, 256},
        {"embedding_size", c->embedding_size, 2, 1 << 14},
        {"positions", c->positions, 2, 1 << 16},
        {"first_position", c->first_position, 0, c->positions - 2},
        {"max_length", c->max_length, 2, c->positions - c->first_position},
        {"segments", c->segments, 0, 256},
        {"activation", c->activation, ATTN_ACTIVATION_RELU, ATTN_ACTIVATION_SWISH},
        {"pooling", c->pooling, 0, ATTN_POOLING_FIRST},
    };
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && status == ATTN_OK; i++) {
        status = attn_config_check_range(ranges[i].name, ranges[i].value, ranges[i].low,
                                         ranges[i].high, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (c->d_model % c->heads != 0 || c->d_model / c->heads > 256) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "make d_model a multiple of heads, at most 256 times as many",
                         "d_model %lld does not fit %lld heads", (long long)c->d_model,
                         (long long)c->heads);
    }
    return attn_config_check_rate("norm_epsilon", c->norm_epsilon, error);
}

static attn_status read_config(const attn_encoder_config *given, attn_encoder_config *out,
                               attn_error *error) {
    *out = defaults;
    attn_status status =
        attn_sized_read(given, out, sizeof *out, ATTN_SIZE_UP_TO(attn_encoder_config, unit_length),
                        "attn_encoder_config", error);
    out->embedding_size = out->embedding_size != 0 ? out->embedding_size : out->d_model;
    if (out->max_length == 0) {
        out->max_length = out->positions - out->first_position;
    }
    return status == ATTN_OK ? check_config(out, error) : status;
}

attn_status attn_encoder_config_check(const attn_encoder_config *config, attn_error *error) {
    attn_encoder_config known;
    return read_config(config, &known, error);
}

/* ---- the table of tensors ---- */

static attn_norm declare_norm(attn_encoder *m, const char *name, int64_t channels) {
    attn_norm norm = attn_norm_declare(m->params, name, channels);
    norm.epsilon = (real)m->config.norm_epsilon;
    return norm;
}

static attn_param *declare_table(attn_encoder *m, const char *name, int64_t rows) {
    return attn_params_declare(m->params, name, rows, m->config.embedding_size,
                               ATTN_INIT_EMBEDDING);
}

static void declare_embedding(attn_encoder *m) {
    const attn_encoder_config *c = &m->config;
    m->words = declare_table(m, "embedding", c->vocabulary);
    m->positions.learned = declare_table(m, "positions", c->positions);
    m->positions.length = c->positions;
    m->segments = c->segments > 0 ? declare_table(m, "segments", c->segments) : NULL;
    m->norm = declare_norm(m, "embedding_norm", c->embedding_size);
    if (c->embedding_size != c->d_model) {
        m->projection =
            attn_linear_declare(m->params, "embedding_projection", c->embedding_size, c->d_model);
    }
}

static void declare_block(attn_encoder *m, encoder_block *block, int64_t index) {
    const attn_encoder_config *c = &m->config;
    char name[48];
    snprintf(name, sizeof name, "encoder.%lld.self", (long long)index);
    block->self = attn_multi_head_declare(m->params, name, c->d_model, c->heads, c->heads);
    snprintf(name, sizeof name, "encoder.%lld.norm_self", (long long)index);
    block->norm_self = declare_norm(m, name, c->d_model);
    snprintf(name, sizeof name, "encoder.%lld.feed_forward", (long long)index);
    block->feed_forward = attn_feed_forward_declare(m->params, name, c->d_model, c->ffn);
    snprintf(name, sizeof name, "encoder.%lld.norm_feed_forward", (long long)index);
    block->norm_feed_forward = declare_norm(m, name, c->d_model);
}

static attn_status build(attn_encoder *m, attn_error *error) {
    m->block_count = m->config.shared_layers ? 1 : m->config.layers;
    m->blocks = attn_alloc_zero((size_t)m->block_count, sizeof *m->blocks);
    if (m->blocks == NULL) {
        return attn_fail_memory(error, (size_t)m->block_count * sizeof *m->blocks);
    }
    attn_status status = attn_params_create(&m->params, error);
    if (status != ATTN_OK) {
        return status;
    }
    declare_embedding(m);
    for (int64_t i = 0; i < m->block_count; i++) {
        declare_block(m, &m->blocks[i], i);
    }
    return attn_params_check(m->params, error);
}

attn_status attn_encoder_declare(const attn_encoder_config *config, attn_encoder **out,
                                 attn_error *error) {
    attn_encoder_config known;
    *out = NULL;
    attn_status status = read_config(config, &known, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_encoder *m = attn_alloc_zero(1, sizeof *m);
    if (m == NULL) {
        return attn_fail_memory(error, sizeof *m);
    }
    m->config = known;
    status = build(m, error);
    if (status != ATTN_OK) {
        attn_encoder_free(m);
        return status;
    }
    *out = m;
    return ATTN_OK;
}

/* What is read elsewhere than in a packed form: vectors, and tables that rows are taken from. */
static bool stays_unpacked(const attn_param *row) {
    return row->rows == 1 || strcmp(row->name, "embedding") == 0 ||
           strcmp(row->name, "positions") == 0 || strcmp(row->name, "segments") == 0;
}

attn_status attn_encoder_allocate(attn_encoder *m, bool trainable, bool packed_only,
                                  attn_error *error) {
    return attn_params_allocate_some(m->params, trainable, packed_only ? stays_unpacked : NULL,
                                     error);
}

attn_status attn_encoder_create(const attn_encoder_config *config, bool trainable,
                                attn_encoder **out, attn_error *error) {
    attn_status status = attn_encoder_declare(config, out, error);
    if (status == ATTN_OK) {
        status = attn_encoder_allocate(*out, trainable, false, error);
    }
    if (status != ATTN_OK) {
        attn_encoder_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- packing ---- */

attn_linear *attn_encoder_linear_at(attn_encoder *m, int64_t at) {
    if (at == 0) {
        return &m->projection;
    }
    int64_t block = (at - 1) / 4;
    if (block >= m->block_count) {
        return NULL;
    }
    encoder_block *b = &m->blocks[block];
    attn_linear *linears[] = {&b->self.joined, &b->self.output, &b->feed_forward.up,
                              &b->feed_forward.down};
    return linears[(at - 1) % 4];
}

attn_status attn_encoder_pack(attn_encoder *m, attn_compute compute, attn_error *error) {
    if (m->blocks[0].self.output.weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "load it trainable",
                         "the model was loaded packed: there is nothing left to pack from");
    }
    compute = compute == ATTN_COMPUTE_F32 ? ATTN_COMPUTE_COMPACT : compute;
    attn_status status = ATTN_OK;
    attn_linear *linear;
    for (int64_t i = 0; status == ATTN_OK && (linear = attn_encoder_linear_at(m, i)) != NULL; i++) {
        status = linear->weight != NULL ? attn_linear_pack(linear, compute, error) : ATTN_OK;
    }
    if (status != ATTN_OK) {
        attn_encoder_unpack(m);
    }
    return status;
}

void attn_encoder_unpack(attn_encoder *m) {
    attn_linear *linear;
    for (int64_t i = 0; (linear = attn_encoder_linear_at(m, i)) != NULL; i++) {
        attn_linear_unpack(linear);
    }
}

void attn_encoder_free(attn_encoder *m) {
    if (m == NULL) {
        return;
    }
    if (m->blocks != NULL) {
        attn_encoder_unpack(m);
    }
    attn_params_free(m->params);
    attn_free(m->blocks);
    attn_free(m);
}

const attn_encoder_config *attn_encoder_get_config(const attn_encoder *m) {
    return &m->config;
}

attn_params *attn_encoder_params(const attn_encoder *m) {
    return m->params;
}

/* ---- wiring ---- */

/* Where each token stands: first_position, the next ... within each sequence; NULL: the tape has failed. */
static int32_t *count_positions(const attn_encoder *m, attn_tape *tape,
                                const attn_encoder_batch *batch) {
    int32_t *ids = attn_tape_alloc(tape, (size_t)(batch->starts[batch->count] + 1) * sizeof *ids);
    for (int64_t s = 0; ids != NULL && s < batch->count; s++) {
        int64_t first = batch->starts[s], length = batch->starts[s + 1] - first;
        if (length > m->config.max_length) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                           "sequence %lld has %lld tokens, the longest may have %lld", (long long)s,
                           (long long)length, (long long)m->config.max_length);
            return NULL;
        }
        for (int64_t t = 0; t < length; t++) {
            ids[first + t] = (int32_t)(m->config.first_position + t);
        }
    }
    return ids;
}

static attn_tensor *embed(const attn_encoder *m, attn_tape *tape, const attn_encoder_batch *batch) {
    int64_t tokens = batch->starts[batch->count];
    const int32_t *places = count_positions(m, tape, batch), *segments = batch->segments;
    if (places == NULL) {
        return NULL;
    }
    attn_tensor *x =
        attn_layer_embedding(tape, m->words, 1, &m->positions, tokens, batch->ids, places);
    if (m->segments != NULL && segments == NULL) {
        int32_t *first = attn_tape_alloc(tape, (size_t)(tokens + 1) * sizeof *first);
        if (first != NULL) {
            memset(first, 0, (size_t)tokens * sizeof *first);
        }
        segments = first;
    }
    if (x != NULL && m->segments != NULL && segments != NULL) {
        x = attn_layer_residual(
            tape, x, attn_layer_embedding(tape, m->segments, 1, NULL, tokens, segments, NULL), 0);
    }
    attn_tape_note(tape, "embedding", x);
    x = attn_layer_norm(tape, x, &m->norm);
    return m->projection.weight != NULL
               ? attn_layer_linear(tape, x, &m->projection, ATTN_ACTIVATION_NONE)
               : x;
}

static attn_sequences describe(const attn_encoder_batch *batch) {
    attn_sequences sequences = {batch->count, batch->starts, 0};
    for (int64_t s = 0; s < batch->count; s++) {
        int64_t length = batch->starts[s + 1] - batch->starts[s];
        sequences.longest = length > sequences.longest ? length : sequences.longest;
    }
    return sequences;
}

attn_tensor *attn_encoder_forward(const attn_encoder *m, attn_tape *tape,
                                  const attn_encoder_batch *batch) {
    attn_sequences sequences = describe(batch);
    attn_tape_scope(tape, "embedding");
    attn_tensor *x = embed(m, tape, batch);
    for (int64_t i = 0; x != NULL && i < m->config.layers; i++) {
        const encoder_block *block = &m->blocks[i % m->block_count];
        attn_tape_scope(tape, "encoder.%lld.self", (long long)i);
        attn_tensor *h =
            attn_layer_attention(tape, x, &sequences, NULL, NULL, &block->self, false, 0);
        x = attn_layer_linear_residual(tape, h, &block->self.output, x);
        x = attn_layer_norm(tape, x, &block->norm_self);
        attn_tape_note(tape, "output", x);

        attn_tape_scope(tape, "encoder.%lld.feed_forward", (long long)i);
        h = x == NULL ? NULL
                      : attn_layers_hidden(tape, x, &block->feed_forward, m->config.activation, 0);
        x = attn_layer_linear_residual(tape, h, &block->feed_forward.down, x);
        x = attn_layer_norm(tape, x, &block->norm_feed_forward);
        attn_tape_note(tape, "output", x);
    }
    return x;
}

/* ---- one vector of a sequence ---- */

static void mean_of_rows(const real *rows, int64_t count, int64_t channels, float *mean) {
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int64_t t = 0; t < count; t++) {
            sum += (double)rows[t * channels + c];
        }
        mean[c] = (float)(sum / (double)count);
    }
}

static void make_unit(float *vector, int64_t channels) {
    double squares = 0;
    for (int64_t c = 0; c < channels; c++) {
        squares += (double)vector[c] * (double)vector[c];
    }
    double length = sqrt(squares);
    for (int64_t c = 0; c < channels && length > 0; c++) {
        vector[c] = (float)((double)vector[c] / length);
    }
}

void attn_encoder_pool(const attn_tensor *tokens, const attn_encoder_batch *batch,
                       attn_pooling pooling, bool unit_length, float *vectors) {
    int64_t channels = tokens->cols;
    for (int64_t s = 0; s < batch->count; s++) {
        int64_t length = batch->starts[s + 1] - batch->starts[s];
        int64_t used = pooling == ATTN_POOLING_FIRST && length > 0 ? 1 : length;
        float *vector = vectors + s * channels;
        if (length == 0) {
            memset(vector, 0, (size_t)channels * sizeof *vector);
            continue;
        }
        mean_of_rows(tokens->data + batch->starts[s] * channels, used, channels, vector);
        if (unit_length) {
            make_unit(vector, channels);
        }
    }
}

/* ---- looking inside ---- */

attn_status attn_encoder_attend(const attn_encoder *m, const attn_tape *tape,
                                const attn_encoder_batch *batch, int64_t sequence, int64_t layer,
                                real *weights, attn_error *error) {
    int64_t heads = m->config.heads, size = m->config.d_model / heads;
    char name[72];
    if (layer < 0 || layer >= m->config.layers || sequence < 0 || sequence >= batch->count) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "layer %lld of %lld, sequence %lld of %lld, counted from 0",
                         (long long)layer, (long long)m->config.layers, (long long)sequence,
                         (long long)batch->count);
    }
    snprintf(name, sizeof name, "encoder.%lld.self.joined", (long long)layer);
    const attn_tensor *joined = attn_tape_noted(tape, name);
    snprintf(name, sizeof name, "encoder.%lld.self.lse", (long long)layer);
    const attn_tensor *lse = attn_tape_noted(tape, name);
    if (joined == NULL || lse == NULL || joined->rows != batch->starts[batch->count]) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "watch the tape (attn_tape_watch) and run this batch first",
                         "no attention was recorded");
    }
    int64_t first = batch->starts[sequence], length = batch->starts[sequence + 1] - first;
    real *own_lse = attn_alloc((size_t)(heads * length + 1) * sizeof *own_lse);
    if (own_lse == NULL) {
        return attn_fail_memory(error, (size_t)(heads * length) * sizeof *own_lse);
    }
    for (int64_t h = 0; h < heads; h++) {
        memcpy(own_lse + h * length, lse->data + h * lse->cols + first,
               (size_t)length * sizeof *own_lse);
    }
    attn_attention call;
    attn_attention_init(&call, 1, heads, heads, length, length, size, size);
    call.query = call.key = (attn_strides){0, joined->cols, size};
    const real *rows = joined->data + first * joined->cols;
    attn_status status = attn_attention_weights(&call, rows, rows + m->config.d_model, own_lse,
                                                weights, NULL, error);
    attn_free(own_lse);
    return status;
}
