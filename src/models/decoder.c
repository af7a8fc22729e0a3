/* models/decoder.c: the decoder alone: its configuration, its table of tensors and its wiring.
 *
 * No arithmetic here. Sequences lie one after another without padding; attention knows where each starts. Next:
 * decoder_state.c (steps over cached keys and values), decoder_file.c. */
#include "models/decoder.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/minmax.h"
#include "base/sized.h"
#include "kernels/loss/loss.h"
#include "layers/layers.h"
#include "models/config.h"
#include "tape/tape.h"

/* ---- configuration ---- */

static const attn_decoder_config defaults = {
    .size = sizeof(attn_decoder_config),
    .vocabulary = 50257,
    .d_model = 768,
    .ffn = 3072,
    .heads = 12,
    .kv_heads = 12,
    .layers = 12,
    .max_length = 1024,
    .activation = ATTN_ACTIVATION_GELU_TANH,
    .learned_positions = true,
    .start_token = -1,
    .end_token = -1,
};

void attn_decoder_config_init_sized(attn_decoder_config *config, size_t size) {
    attn_sized_init(config, size, &defaults, sizeof defaults);
}

static attn_status check_config(const attn_decoder_config *c, attn_error *error) {
    const struct {
        const char *name;
        int64_t value, low, high;
    } ranges[] = {
        {"vocabulary", c->vocabulary, 2, 1 << 22},
        {"d_model", c->d_model, 2, 1 << 14},
        {"ffn", c->ffn, 1, 1 << 16},
        {"heads", c->heads, 1, 256},
        {"kv_heads", c->kv_heads, 1, 256},
        {"layers", c->layers, 1, 256},
        {"max_length", c->max_length, 2, 1 << 20},
        {"first_position", c->first_position, 0, 1 << 16},
        {"activation", c->activation, ATTN_ACTIVATION_RELU, ATTN_ACTIVATION_SWISH},
        {"rotary", c->rotary, 0, ATTN_ROTARY_ADJACENT},
        {"rotary_base", c->rotary_base, 0, 1 << 30},
        {"rotary_dim", c->rotary_dim, 0, 1 << 14},
        {"start_token", c->start_token, -1, c->vocabulary - 1},
        {"end_token", c->end_token, -1, c->vocabulary - 1},
    };
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && status == ATTN_OK; i++) {
        status = attn_config_check_range(ranges[i].name, ranges[i].value, ranges[i].low,
                                         ranges[i].high, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (c->d_model % c->heads != 0 || c->heads % c->kv_heads != 0 || c->d_model / c->heads > 256) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "make d_model a multiple of heads, at most 256 times as many, and heads a "
                         "multiple of kv_heads",
                         "d_model %lld, heads %lld and kv_heads %lld do not fit",
                         (long long)c->d_model, (long long)c->heads, (long long)c->kv_heads);
    }
    status = attn_config_check_rotary(c->rotary, c->rotary_base, c->rotary_dim,
                                      c->d_model / c->heads, c->learned_positions, error);
    return status == ATTN_OK ? attn_config_check_rate("norm_epsilon", c->norm_epsilon, error)
                             : status;
}

static attn_status read_config(const attn_decoder_config *given, attn_decoder_config *out,
                               attn_error *error) {
    *out = defaults;
    attn_status status =
        attn_sized_read(given, out, sizeof *out, ATTN_SIZE_UP_TO(attn_decoder_config, end_token),
                        "attn_decoder_config", error);
    return status == ATTN_OK ? check_config(out, error) : status;
}

attn_status attn_decoder_config_check(const attn_decoder_config *config, attn_error *error) {
    attn_decoder_config known;
    return read_config(config, &known, error);
}

/* ---- the table of tensors ---- */

static attn_norm declare_norm(attn_decoder *m, const char *name) {
    attn_norm norm = m->config.rms_norm ? attn_norm_declare_rms(m->params, name, m->config.d_model)
                                        : attn_norm_declare(m->params, name, m->config.d_model);
    norm.epsilon = (real)m->config.norm_epsilon;
    return norm;
}

static attn_param *declare_table(attn_decoder *m, const char *name, int64_t rows) {
    return attn_params_declare(m->params, name, rows, m->config.d_model, ATTN_INIT_EMBEDDING);
}

static void declare_block(attn_decoder *m, decoder_block *block, int64_t index) {
    const attn_decoder_config *c = &m->config;
    char name[48];
    snprintf(name, sizeof name, "decoder.%lld.self", (long long)index);
    block->self = attn_multi_head_declare(m->params, name, c->d_model, c->heads, c->kv_heads);
    block->self.rotation = c->rotary != ATTN_ROTARY_NONE ? &m->rotation : NULL;
    snprintf(name, sizeof name, "decoder.%lld.norm_self", (long long)index);
    block->norm_self = declare_norm(m, name);
    snprintf(name, sizeof name, "decoder.%lld.feed_forward", (long long)index);
    block->feed_forward = c->gated
                              ? attn_feed_forward_declare_gated(m->params, name, c->d_model, c->ffn)
                              : attn_feed_forward_declare(m->params, name, c->d_model, c->ffn);
    snprintf(name, sizeof name, "decoder.%lld.norm_feed_forward", (long long)index);
    block->norm_feed_forward = declare_norm(m, name);
}

static void declare(attn_decoder *m) {
    const attn_decoder_config *c = &m->config;
    m->words = declare_table(m, "embedding", c->vocabulary);
    m->output = (attn_linear){.weight = m->words, .in = c->d_model, .out = c->vocabulary};
    if (c->own_output) {
        m->output.weight = declare_table(m, "output", c->vocabulary);
    }
    if (c->output_bias) {
        m->output.bias =
            attn_params_declare(m->params, "output.bias", 1, c->vocabulary, ATTN_INIT_ZERO);
    }
    m->positions.length = c->max_length;
    if (c->learned_positions) {
        m->positions.learned = declare_table(m, "positions", c->max_length);
    }
    if (c->embedding_norm) {
        m->embedding_norm = declare_norm(m, "embedding_norm");
    }
    for (int64_t i = 0; i < c->layers; i++) {
        declare_block(m, &m->blocks[i], i);
    }
    if (!c->post_norm) {
        m->last_norm = declare_norm(m, "decoder.norm");
    }
}

static attn_status build(attn_decoder *m, attn_error *error) {
    size_t layers = (size_t)m->config.layers;
    m->blocks = attn_alloc_zero(layers, sizeof *m->blocks);
    if (m->blocks == NULL) {
        return attn_fail_memory(error, layers * sizeof *m->blocks);
    }
    attn_status status = attn_params_create(&m->params, error);
    if (status != ATTN_OK) {
        return status;
    }
    declare(m);
    return attn_params_check(m->params, error);
}

attn_status attn_decoder_declare(const attn_decoder_config *config, attn_decoder **out,
                                 attn_error *error) {
    attn_decoder_config known;
    *out = NULL;
    attn_status status = read_config(config, &known, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_decoder *m = attn_alloc_zero(1, sizeof *m);
    if (m == NULL) {
        return attn_fail_memory(error, sizeof *m);
    }
    m->config = known;
    status = build(m, error);
    if (status != ATTN_OK) {
        attn_decoder_free(m);
        return status;
    }
    *out = m;
    return ATTN_OK;
}

/* What is read elsewhere than in a packed form: vectors, and tables that rows are taken from. */
static bool stays_unpacked(const attn_param *row) {
    return row->rows == 1 || strcmp(row->name, "embedding") == 0 ||
           strcmp(row->name, "positions") == 0;
}

/* Sinusoids, or what rotary positions turn by. */
static attn_status make_table(attn_decoder *m, attn_error *error) {
    const attn_decoder_config *c = &m->config;
    bool rotary = c->rotary != ATTN_ROTARY_NONE;
    int64_t head = c->d_model / c->heads, turned = c->rotary_dim > 0 ? c->rotary_dim : head;
    int64_t size = rotary ? turned : c->d_model;
    size_t bytes = (size_t)(c->max_length * size) * sizeof(real);
    m->table = attn_alloc(bytes);
    if (m->table == NULL) {
        return attn_fail_memory(error, bytes);
    }
    if (rotary) {
        attn_rotary_table(c->rotary_base > 0 ? (double)c->rotary_base : 10000.0, c->max_length,
                          size, m->table);
        m->rotation = (attn_rotation){c->rotary, c->max_length, size, m->table};
    } else {
        attn_sinusoid_table(ATTN_SINUSOIDS_TENSOR2TENSOR, c->first_position, c->max_length, size,
                            m->table);
        m->positions.table = m->table;
    }
    return ATTN_OK;
}

attn_status attn_decoder_allocate(attn_decoder *m, bool packed_only, attn_error *error) {
    attn_status status = m->config.learned_positions ? ATTN_OK : make_table(m, error);
    return status == ATTN_OK ? attn_params_allocate_some(m->params, false,
                                                         packed_only ? stays_unpacked : NULL, error)
                             : status;
}

attn_status attn_decoder_create(const attn_decoder_config *config, attn_decoder **out,
                                attn_error *error) {
    attn_status status = attn_decoder_declare(config, out, error);
    if (status == ATTN_OK) {
        status = attn_decoder_allocate(*out, false, error);
    }
    if (status != ATTN_OK) {
        attn_decoder_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- packing ---- */

attn_linear *attn_decoder_linear_at(attn_decoder *m, int64_t at) {
    if (at == 0) {
        return &m->output;
    }
    int64_t layer = (at - 1) / 5;
    if (layer >= m->config.layers) {
        return NULL;
    }
    decoder_block *b = &m->blocks[layer];
    attn_linear *linears[] = {&b->self.joined, &b->self.output, &b->feed_forward.up,
                              &b->feed_forward.gate, &b->feed_forward.down};
    return linears[(at - 1) % 5];
}

attn_status attn_decoder_check_packed(const attn_decoder *m, attn_error *error) {
    return attn_linear_is_packed(&m->output)
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "call attn_decoder_pack first",
                           "the model's weights are not packed");
}

attn_status attn_decoder_pack(attn_decoder *m, attn_compute compute, attn_error *error) {
    if (m->blocks[0].self.output.weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "import it again",
                         "the model was loaded packed: there is nothing left to pack from");
    }
    compute = compute == ATTN_COMPUTE_F32 ? ATTN_COMPUTE_COMPACT : compute;
    attn_status status = ATTN_OK;
    attn_linear *linear;
    for (int64_t i = 0; status == ATTN_OK && (linear = attn_decoder_linear_at(m, i)) != NULL; i++) {
        status = linear->weight != NULL ? attn_linear_pack(linear, compute, error) : ATTN_OK;
    }
    if (status != ATTN_OK) {
        attn_decoder_unpack(m);
    }
    return status;
}

void attn_decoder_unpack(attn_decoder *m) {
    attn_linear *linear;
    for (int64_t i = 0; (linear = attn_decoder_linear_at(m, i)) != NULL; i++) {
        attn_linear_unpack(linear);
    }
}

void attn_decoder_free(attn_decoder *m) {
    if (m == NULL) {
        return;
    }
    if (m->blocks != NULL) {
        attn_decoder_unpack(m);
    }
    attn_params_free(m->params);
    attn_free(m->blocks);
    attn_free(m->table);
    attn_free(m);
}

const attn_decoder_config *attn_decoder_get_config(const attn_decoder *m) {
    return &m->config;
}

attn_params *attn_decoder_params(const attn_decoder *m) {
    return m->params;
}

/* ---- wiring ---- */

static attn_tensor *embed(const attn_decoder *m, attn_tape *tape, int64_t tokens,
                          const int32_t *ids, const int32_t *places) {
    const attn_positions *positions = m->config.rotary == ATTN_ROTARY_NONE ? &m->positions : NULL;
    real scale = m->config.scaled_embeddings ? real_sqrt((real)m->config.d_model) : 1;
    attn_tape_scope(tape, "embedding");
    attn_tensor *x = attn_layer_embedding(tape, m->words, scale, positions, tokens, ids, places);
    return m->config.embedding_norm ? attn_layer_norm(tape, x, &m->embedding_norm) : x;
}

/* The input of a sublayer ... */
static attn_tensor *before(const attn_decoder *m, attn_tape *tape, attn_tensor *x,
                           const attn_norm *norm) {
    return m->config.post_norm ? x : attn_layer_norm(tape, x, norm);
}

/* ... and x + (branch W^T + b), which ends it. */
static attn_tensor *after(const attn_decoder *m, attn_tape *tape, attn_tensor *x,
                          attn_tensor *branch, const attn_linear *linear, const attn_norm *norm) {
    x = attn_layer_linear_residual(tape, branch, linear, x);
    return m->config.post_norm ? attn_layer_norm(tape, x, norm) : x;
}

attn_tensor *attn_decoder_layers(const attn_decoder *m, attn_tape *tape, int64_t tokens,
                                 const int32_t *ids, const int32_t *places,
                                 const attn_decoder_attention *attention) {
    attn_tensor *x = embed(m, tape, tokens, ids, places);
    for (int64_t i = 0; x != NULL && i < m->config.layers; i++) {
        const decoder_block *block = &m->blocks[i];
        attn_tape_scope(tape, "decoder.%lld.self", (long long)i);
        attn_tensor *h = before(m, tape, x, &block->norm_self);
        h = attention->attend(attention->context, tape, h, i);
        x = after(m, tape, x, h, &block->self.output, &block->norm_self);

        attn_tape_scope(tape, "decoder.%lld.feed_forward", (long long)i);
        h = before(m, tape, x, &block->norm_feed_forward);
        h = attn_layers_hidden(tape, h, &block->feed_forward, m->config.activation, 0);
        x = after(m, tape, x, h, &block->feed_forward.down, &block->norm_feed_forward);
    }
    return m->config.post_norm ? x : attn_layer_norm(tape, x, &m->last_norm);
}

typedef struct whole_pass {
    const attn_decoder *model;
    attn_sequences sequences;
} whole_pass;

static attn_tensor *attend_whole(void *context, attn_tape *tape, attn_tensor *x, int64_t layer) {
    const whole_pass *pass = context;
    return attn_layer_attention(tape, x, &pass->sequences, NULL, NULL,
                                &pass->model->blocks[layer].self, true, 0);
}

/* 0, 1, 2 ... within each sequence; NULL: the tape has failed. */
static int32_t *count_places(const attn_decoder *m, attn_tape *tape,
                             const attn_decoder_batch *batch) {
    int32_t *places =
        attn_tape_alloc(tape, (size_t)(batch->starts[batch->count] + 1) * sizeof *places);
    for (int64_t s = 0; places != NULL && s < batch->count; s++) {
        int64_t first = batch->starts[s], length = batch->starts[s + 1] - first;
        if (length > m->config.max_length) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                           "sequence %lld has %lld tokens, the longest may have %lld", (long long)s,
                           (long long)length, (long long)m->config.max_length);
            return NULL;
        }
        for (int64_t t = 0; t < length; t++) {
            places[first + t] = (int32_t)t;
        }
    }
    return places;
}

attn_tensor *attn_decoder_forward(const attn_decoder *m, attn_tape *tape,
                                  const attn_decoder_batch *batch) {
    whole_pass pass = {m, {batch->count, batch->starts, 0}};
    const attn_decoder_attention attention = {attend_whole, &pass};
    for (int64_t s = 0; s < batch->count; s++) {
        pass.sequences.longest =
            attn_max(pass.sequences.longest, batch->starts[s + 1] - batch->starts[s]);
    }
    const int32_t *places = count_places(m, tape, batch);
    return places != NULL ? attn_decoder_layers(m, tape, batch->starts[batch->count], batch->ids,
                                                places, &attention)
                          : NULL;
}

/* ---- what steps need too ---- */

attn_status attn_decoder_project(const attn_decoder *m, int64_t rows, const real *x, real *log_p,
                                 attn_scratch *scratch) {
    int64_t words = m->config.vocabulary;
    attn_linear_rows product = {.count = rows, .x = x, .y = log_p, .y_row = words};
    attn_status status = attn_linear_run_packed(&m->output, &product, scratch);
    if (status == ATTN_OK) {
        attn_log_softmax(rows, words, words, log_p);
    }
    return status;
}

attn_status attn_decoder_check_ids(const attn_decoder *m, int64_t count, const int32_t *ids,
                                   const int64_t *starts, attn_error *error) {
    bool good = starts[0] == 0;
    for (int64_t i = 0; i < count && good; i++) {
        good = starts[i] <= starts[i + 1];
    }
    if (!good) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "starts must begin with 0 and never fall");
    }
    for (int64_t t = 0; t < starts[count]; t++) {
        if (ids[t] < 0 || ids[t] >= m->config.vocabulary) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                             "ids[%lld] is %d, the vocabulary is %lld", (long long)t, (int)ids[t],
                             (long long)m->config.vocabulary);
        }
    }
    return ATTN_OK;
}

attn_status attn_decoder_check_length(const attn_decoder *m, int64_t sequence, int64_t length,
                                      attn_error *error) {
    return length <= m->config.max_length
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_ARGUMENT, NULL, sequence + 1, "give a shorter text",
                           "a text has %lld tokens, the longest may have %lld", (long long)length,
                           (long long)m->config.max_length);
}
