/* models/translator.c: the Transformer encoder-decoder: its configuration, its table of tensors and
 * its wiring.
 *
 * No arithmetic here: the wiring reads like figure 1 of Vaswani et al. 2017. Sentences lie one
 * after another without padding; attention knows where each starts. Next: translator_state.c
 * (decoding), translator_file.c. */
#include "models/translator.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "kernels/elementwise/elementwise.h"
#include "layers/layers.h"
#include "models/config.h"
#include "tape/tape.h"

/* ---- configuration ---- */

static const attn_translator_config defaults = {
    .size = sizeof(attn_translator_config),
    .vocabulary = 8000,
    .d_model = 512,
    .ffn = 2048,
    .heads = 8,
    .kv_heads = 8,
    .encoder_layers = 6,
    .decoder_layers = 6,
    .max_length = 256,
    .activation = ATTN_ACTIVATION_RELU,
    .dropout = 0.1,
    .label_smoothing = 0.1,
};

void attn_translator_config_init_sized(attn_translator_config *config, size_t size) {
    attn_sized_init(config, size, &defaults, sizeof defaults);
}

int64_t attn_translator_source_words(const attn_translator_config *c) {
    return c->source_vocabulary != 0 ? c->source_vocabulary : c->vocabulary;
}

/* How many channels of each head rotary positions turn. */
static int64_t rotary_size(const attn_translator_config *c) {
    return c->rotary_dim > 0 ? c->rotary_dim : c->d_model / c->heads;
}

static attn_status check_rotary(const attn_translator_config *c, attn_error *error) {
    return attn_config_check_rotary(c->rotary, c->rotary_base, c->rotary_dim, c->d_model / c->heads,
                                    c->learned_positions, error);
}

static int64_t relative_buckets(const attn_translator_config *c) {
    return c->relative_buckets > 0 ? c->relative_buckets : ATTN_RELATIVE_BUCKETS;
}

static int64_t relative_distance(const attn_translator_config *c) {
    return c->relative_distance > 0 ? c->relative_distance : ATTN_RELATIVE_DISTANCE;
}

static attn_status check_relative(const attn_translator_config *c, attn_error *error) {
    if (!c->relative) {
        return c->relative_buckets == 0 && c->relative_distance == 0
                   ? ATTN_OK
                   : attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "set relative too",
                               "relative_buckets and relative_distance are of relative positions "
                               "alone");
    }
    if (c->learned_positions || c->rotary != ATTN_ROTARY_NONE) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "choose one of them",
                         "positions cannot be both relative and %s",
                         c->learned_positions ? "learned" : "rotary");
    }
    if (relative_buckets(c) < 4 || relative_distance(c) <= relative_buckets(c) / 2) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, NULL, -1, "set relative_buckets or relative_distance",
            "relative positions in %lld buckets up to the distance %lld: there must be "
            "4 buckets or more, and the distance must be above half of them",
            (long long)relative_buckets(c), (long long)relative_distance(c));
    }
    return ATTN_OK;
}

static attn_status check_config(const attn_translator_config *c, attn_error *error) {
    const struct {
        const char *name;
        int64_t value, low, high;
    } ranges[] = {
        {"vocabulary", c->vocabulary, 4, 1 << 20},
        {"d_model", c->d_model, 2, 1 << 14},
        {"ffn", c->ffn, 1, 1 << 16},
        {"heads", c->heads, 1, 256},
        {"kv_heads", c->kv_heads, 1, 256},
        {"encoder_layers", c->encoder_layers, 1, 64},
        {"decoder_layers", c->decoder_layers, 1, 64},
        {"max_length", c->max_length, 2, 1 << 16},
        {"source_vocabulary", attn_translator_source_words(c), 4, 1 << 20},
        {"first_position", c->first_position, 0, 1 << 16},
        {"rotary_base", c->rotary_base, 0, 1 << 30},
        {"rotary_dim", c->rotary_dim, 0, 1 << 14},
        {"relative_buckets", c->relative_buckets, 0, 1 << 12},
        {"relative_distance", c->relative_distance, 0, 1 << 16},
        {"alignment_layer", c->alignment_layer, 0, c->decoder_layers},
        {"activation", c->activation, ATTN_ACTIVATION_RELU, ATTN_ACTIVATION_SWISH},
        {"embeddings", c->embeddings, 0, ATTN_EMBEDDINGS_TARGET},
        {"sinusoids", c->sinusoids, 0, ATTN_SINUSOIDS_PAPER},
        {"tagging", c->tagging, 0, ATTN_TAGGING_START},
        {"rotary", c->rotary, 0, ATTN_ROTARY_ADJACENT},
        {"alignment_head", c->alignment_head, c->alignment_layer > 0,
         c->alignment_layer > 0 ? c->heads : 0},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        attn_status status = attn_config_check_range(ranges[i].name, ranges[i].value, ranges[i].low,
                                                     ranges[i].high, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    if (c->d_model % c->heads != 0 || c->heads % c->kv_heads != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "make d_model a multiple of heads, and heads a multiple of kv_heads",
                         "d_model %lld, heads %lld and kv_heads %lld do not divide evenly",
                         (long long)c->d_model, (long long)c->heads, (long long)c->kv_heads);
    }
    if (c->d_model / c->heads > 256) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "use more heads",
                         "the head size d_model / heads is %lld, over 256",
                         (long long)(c->d_model / c->heads));
    }
    if (c->own_positions && !c->learned_positions) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "set learned_positions too",
                         "only learned positions can be the decoder's own");
    }
    attn_status positions = check_rotary(c, error);
    positions = positions == ATTN_OK ? check_relative(c, error) : positions;
    if (positions != ATTN_OK) {
        return positions;
    }
    if (c->source_vocabulary != 0 && c->embeddings == ATTN_EMBEDDINGS_TIED) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "use untied or target",
                         "source and target have vocabularies of their own and cannot have tied "
                         "embeddings");
    }
    const struct {
        const char *name;
        double value;
    } rates[] = {{"dropout", c->dropout},
                 {"attention_dropout", c->attention_dropout},
                 {"activation_dropout", c->activation_dropout},
                 {"label_smoothing", c->label_smoothing},
                 {"norm_epsilon", c->norm_epsilon}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        attn_status status = attn_config_check_rate(rates[i].name, rates[i].value, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return ATTN_OK;
}

static attn_status read_config(const attn_translator_config *given, attn_translator_config *out,
                               attn_error *error) {
    *out = defaults;
    attn_status status = attn_sized_read(given, out, sizeof *out,
                                         ATTN_SIZE_UP_TO(attn_translator_config, label_smoothing),
                                         "attn_translator_config", error);
    return status == ATTN_OK ? check_config(out, error) : status;
}

attn_status attn_translator_config_check(const attn_translator_config *config, attn_error *error) {
    attn_translator_config known;
    return read_config(config, &known, error);
}

/* ---- the table of tensors ---- */

static attn_norm declare_norm(attn_translator *m, const char *name) {
    attn_norm norm = m->config.rms_norm ? attn_norm_declare_rms(m->params, name, m->config.d_model)
                                        : attn_norm_declare(m->params, name, m->config.d_model);
    norm.epsilon = (real)m->config.norm_epsilon;
    return norm;
}

static attn_feed_forward declare_feed_forward(attn_translator *m, const char *name) {
    const attn_translator_config *c = &m->config;
    return c->gated ? attn_feed_forward_declare_gated(m->params, name, c->d_model, c->ffn)
                    : attn_feed_forward_declare(m->params, name, c->d_model, c->ffn);
}

static attn_multi_head declare_self(attn_translator *m, const char *name,
                                    const attn_relative *relative) {
    const attn_translator_config *c = &m->config;
    attn_multi_head self =
        attn_multi_head_declare(m->params, name, c->d_model, c->heads, c->kv_heads);
    self.rotation = c->rotary != ATTN_ROTARY_NONE ? &m->rotation : NULL;
    self.relative = c->relative ? relative : NULL;
    return self;
}

static void declare_encoder_layer(attn_translator *m, encoder_layer *layer, int64_t index) {
    char name[48];
    snprintf(name, sizeof name, "encoder.%lld.self", (long long)index);
    layer->self = declare_self(m, name, &m->source_relative);
    snprintf(name, sizeof name, "encoder.%lld.norm_self", (long long)index);
    layer->norm_self = declare_norm(m, name);
    snprintf(name, sizeof name, "encoder.%lld.feed_forward", (long long)index);
    layer->feed_forward = declare_feed_forward(m, name);
    snprintf(name, sizeof name, "encoder.%lld.norm_feed_forward", (long long)index);
    layer->norm_feed_forward = declare_norm(m, name);
}

static void declare_decoder_layer(attn_translator *m, decoder_layer *layer, int64_t index) {
    const attn_translator_config *c = &m->config;
    char name[48];
    snprintf(name, sizeof name, "decoder.%lld.self", (long long)index);
    if (c->ssru) {
        layer->recurrent = attn_ssru_declare(m->params, name, c->d_model);
    } else {
        layer->self = declare_self(m, name, &m->target_relative);
    }
    snprintf(name, sizeof name, "decoder.%lld.norm_self", (long long)index);
    layer->norm_self = declare_norm(m, name);
    snprintf(name, sizeof name, "decoder.%lld.cross", (long long)index);
    layer->cross = attn_multi_head_declare(m->params, name, c->d_model, c->heads, c->kv_heads);
    snprintf(name, sizeof name, "decoder.%lld.norm_cross", (long long)index);
    layer->norm_cross = declare_norm(m, name);
    snprintf(name, sizeof name, "decoder.%lld.feed_forward", (long long)index);
    layer->feed_forward = declare_feed_forward(m, name);
    snprintf(name, sizeof name, "decoder.%lld.norm_feed_forward", (long long)index);
    layer->norm_feed_forward = declare_norm(m, name);
}

static attn_param *declare_table(attn_translator *m, const char *name, int64_t words) {
    return attn_params_declare(m->params, name, words, m->config.d_model, ATTN_INIT_EMBEDDING);
}

static void declare_words(attn_translator *m) {
    const attn_translator_config *c = &m->config;
    attn_param *output;
    if (c->embeddings == ATTN_EMBEDDINGS_TIED) {
        m->embedding = m->target_embedding = output = declare_table(m, "embedding", c->vocabulary);
    } else {
        bool untied = c->embeddings == ATTN_EMBEDDINGS_UNTIED;
        m->embedding = declare_table(m, "source_embedding", attn_translator_source_words(c));
        m->target_embedding = untied ? declare_table(m, "target_embedding", c->vocabulary) : NULL;
        output = declare_table(m, "output", c->vocabulary);
        m->target_embedding = untied ? m->target_embedding : output;
    }
    m->output = (attn_linear){.weight = output, .in = c->d_model, .out = c->vocabulary};
    if (c->output_bias) {
        m->output.bias =
            attn_params_declare(m->params, "output.bias", 1, c->vocabulary, ATTN_INIT_ZERO);
    }
    if (c->embedding_norm) {
        m->source_norm = declare_norm(m, "source_norm");
        m->target_norm = declare_norm(m, "target_norm");
    }
}

static attn_param *declare_positions(attn_translator *m, const char *name) {
    const attn_translator_config *c = &m->config;
    return attn_params_declare(m->params, name, c->max_length, c->d_model, ATTN_INIT_EMBEDDING);
}

static attn_relative declare_relative(attn_translator *m, const char *name) {
    const attn_translator_config *c = &m->config;
    return attn_relative_declare(m->params, name, relative_buckets(c), c->heads,
                                 relative_distance(c));
}

static void declare(attn_translator *m) {
    const attn_translator_config *c = &m->config;
    declare_words(m);
    m->positions.length = c->max_length;
    if (c->learned_positions) {
        m->positions.learned = declare_positions(m, "positions");
    }
    m->target_positions = m->positions;
    if (c->own_positions) {
        m->target_positions.learned = declare_positions(m, "target_positions");
    }
    if (c->relative) {
        m->source_relative = declare_relative(m, "encoder.relative");
    }
    if (c->relative && !c->ssru) {
        m->target_relative = declare_relative(m, "decoder.relative");
    }
    for (int64_t i = 0; i < c->encoder_layers; i++) {
        declare_encoder_layer(m, &m->encoder[i], i);
    }
    for (int64_t i = 0; i < c->decoder_layers; i++) {
        declare_decoder_layer(m, &m->decoder[i], i);
    }
    if (c->pre_norm || c->final_norm) {
        m->encoder_norm = declare_norm(m, "encoder.norm");
        m->decoder_norm = declare_norm(m, "decoder.norm");
    }
}

static attn_status build(attn_translator *m, attn_error *error) {
    const attn_translator_config *c = &m->config;
    m->encoder = attn_alloc_zero((size_t)c->encoder_layers, sizeof *m->encoder);
    m->decoder = attn_alloc_zero((size_t)c->decoder_layers, sizeof *m->decoder);
    if (m->encoder == NULL || m->decoder == NULL) {
        return attn_fail_memory(error, sizeof *m->encoder);
    }
    attn_status status = attn_params_create(&m->params, error);
    if (status != ATTN_OK) {
        return status;
    }
    declare(m);
    m->embedding_scale = c->plain_embeddings ? 1 : real_sqrt((real)c->d_model);
    return attn_params_check(m->params, error);
}

attn_status attn_translator_declare(const attn_translator_config *config, attn_translator **out,
                                    attn_error *error) {
    attn_translator_config known;
    *out = NULL;
    attn_status status = read_config(config, &known, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_translator *m = attn_alloc_zero(1, sizeof *m);
    if (m == NULL) {
        return attn_fail_memory(error, sizeof *m);
    }
    m->config = known;
    status = build(m, error);
    if (status != ATTN_OK) {
        attn_translator_free(m);
        return status;
    }
    *out = m;
    return ATTN_OK;
}

/* What is read elsewhere than in a packed form: vectors, learned and relative positions, tables that are no projection
 * too. */
static bool stays_unpacked(const attn_param *row) {
    static const char *const names[] = {"positions",        "target_positions", "source_embedding",
                                        "target_embedding", "encoder.relative", "decoder.relative"};
    bool found = row->rows == 1;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) {
        found = strcmp(row->name, names[i]) == 0;
    }
    return found;
}

/* The table of positions, or of rotary ones. */
static attn_status make_sinusoids(attn_translator *m, attn_error *error) {
    const attn_translator_config *c = &m->config;
    bool rotary = c->rotary != ATTN_ROTARY_NONE;
    int64_t size = rotary ? rotary_size(c) : c->d_model;
    size_t bytes = (size_t)(c->max_length * size) * sizeof(real);
    m->sinusoids = attn_alloc(bytes);
    if (m->sinusoids == NULL) {
        return attn_fail_memory(error, bytes);
    }
    if (rotary) {
        attn_rotary_table(c->rotary_base > 0 ? (double)c->rotary_base : 10000.0, c->max_length,
                          size, m->sinusoids);
        m->rotation = (attn_rotation){c->rotary, c->max_length, size, m->sinusoids};
    } else {
        attn_sinusoid_table(c->sinusoids, c->first_position, c->max_length, size, m->sinusoids);
        m->positions.table = m->target_positions.table = m->sinusoids;
    }
    return ATTN_OK;
}

attn_status attn_translator_allocate(attn_translator *m, bool trainable, bool packed_only,
                                     attn_error *error) {
    const attn_translator_config *c = &m->config;
    if (!c->learned_positions && !c->relative) {
        attn_status status = make_sinusoids(m, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return attn_params_allocate_some(m->params, trainable, packed_only ? stays_unpacked : NULL,
                                     error);
}

attn_status attn_translator_create(const attn_translator_config *config, bool trainable,
                                   attn_translator **out, attn_error *error) {
    attn_status status = attn_translator_declare(config, out, error);
    if (status == ATTN_OK) {
        status = attn_translator_allocate(*out, trainable, false, error);
    }
    if (status != ATTN_OK) {
        attn_translator_free(*out);
        *out = NULL;
    }
    return status;
}

static attn_status visit_attention(attn_multi_head *a, bool self,
                                   attn_status (*visit)(attn_linear *, void *), void *context) {
    attn_linear *linears[] = {&a->output, self ? &a->joined : &a->query, &a->key_value};
    attn_status status = ATTN_OK;
    for (int i = 0; i < (self ? 2 : 3) && status == ATTN_OK; i++) {
        status = visit(linears[i], context);
    }
    return status;
}

static attn_status visit_recurrent(attn_ssru *r, attn_status (*visit)(attn_linear *, void *),
                                   void *context) {
    attn_status status = visit(&r->input, context);
    return status == ATTN_OK ? visit(&r->forget, context) : status;
}

static attn_status visit_feed_forward(attn_feed_forward *f,
                                      attn_status (*visit)(attn_linear *, void *), void *context) {
    attn_status status = visit(&f->up, context);
    if (status == ATTN_OK && f->gate.weight != NULL) {
        status = visit(&f->gate, context);
    }
    return status == ATTN_OK ? visit(&f->down, context) : status;
}

attn_status attn_translator_visit_linears(attn_translator *m,
                                          attn_status (*visit)(attn_linear *linear, void *context),
                                          void *context) {
    attn_status status = visit(&m->output, context);
    for (int64_t i = 0; status == ATTN_OK && i < m->config.encoder_layers; i++) {
        encoder_layer *layer = &m->encoder[i];
        status = visit_attention(&layer->self, true, visit, context);
        status =
            status == ATTN_OK ? visit_feed_forward(&layer->feed_forward, visit, context) : status;
    }
    for (int64_t i = 0; status == ATTN_OK && i < m->config.decoder_layers; i++) {
        decoder_layer *layer = &m->decoder[i];
        status = m->config.ssru ? visit_recurrent(&layer->recurrent, visit, context)
                                : visit_attention(&layer->self, true, visit, context);
        status = status == ATTN_OK ? visit_attention(&layer->cross, false, visit, context) : status;
        status =
            status == ATTN_OK ? visit_feed_forward(&layer->feed_forward, visit, context) : status;
    }
    return status;
}

static attn_status unpack_linear(attn_linear *linear, void *context) {
    (void)context;
    attn_linear_unpack(linear);
    return ATTN_OK;
}

void attn_translator_unpack(attn_translator *m) {
    if (m->encoder != NULL && m->decoder != NULL) {
        (void)!attn_translator_visit_linears(m, unpack_linear, NULL);
    }
}

void attn_translator_free(attn_translator *m) {
    if (m == NULL) {
        return;
    }
    if (!m->edited) {
        attn_translator_unpack(m);
        attn_linear_unpack(&m->words);
        attn_params_free(m->params);
        attn_free(m->sinusoids);
    }
    if (!m->edited) {
        attn_free(m->adapters);
    }
    attn_free(m->edits);
    attn_free(m->encoder);
    attn_free(m->decoder);
    attn_free(m);
}

const attn_translator_config *attn_translator_get_config(const attn_translator *m) {
    return &m->config;
}

attn_params *attn_translator_params(const attn_translator *m) {
    return m->params;
}

typedef struct packing {
    attn_compute compute;
    attn_error *error;
} packing;

static attn_status pack_linear(attn_linear *linear, void *context) {
    const packing *p = context;
    return attn_linear_pack(linear, p->compute, p->error);
}

attn_status attn_translator_pack(attn_translator *m, attn_compute compute, attn_error *error) {
    if (m->output.weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "load it with attn_translator_load",
                         "the model was loaded packed: there is nothing left to pack from");
    }
    packing p = {compute == ATTN_COMPUTE_F32 ? ATTN_COMPUTE_COMPACT : compute, error};
    attn_status status = attn_translator_visit_linears(m, pack_linear, &p);
    if (status != ATTN_OK) {
        attn_translator_unpack(m);
    }
    return status;
}

/* ---- wiring ---- */

attn_tensor *attn_translator_before(const attn_translator *m, attn_tape *tape, attn_tensor *x,
                                    const attn_norm *norm) {
    return m->config.pre_norm ? attn_layer_norm(tape, x, norm) : x;
}

attn_tensor *attn_translator_last(const attn_translator *m, attn_tape *tape, attn_tensor *x,
                                  const attn_norm *norm) {
    return m->config.pre_norm || m->config.final_norm ? attn_layer_norm(tape, x, norm) : x;
}

attn_tensor *attn_translator_after(const attn_translator *m, attn_tape *tape, attn_tensor *x,
                                   attn_tensor *branch, const attn_linear *linear,
                                   const attn_norm *norm) {
    if (attn_tape_recording(tape) && m->config.dropout > 0.0) {
        branch = attn_layer_linear(tape, branch, linear, ATTN_ACTIVATION_NONE);
        x = attn_layer_residual(tape, x, branch, m->config.dropout);
    } else {
        x = attn_layer_linear_residual(tape, branch, linear, x);
    }
    return m->config.pre_norm ? x : attn_layer_norm(tape, x, norm);
}

attn_tensor *attn_translator_after_plain(const attn_translator *m, attn_tape *tape, attn_tensor *x,
                                         attn_tensor *branch, const attn_norm *norm) {
    x = branch != NULL ? attn_layer_residual(tape, x, branch, m->config.dropout) : NULL;
    return m->config.pre_norm ? x : attn_layer_norm(tape, x, norm);
}

attn_tensor *attn_translator_feed_forward(const attn_translator *m, attn_tape *tape, attn_tensor *x,
                                          const attn_feed_forward *feed_forward,
                                          const attn_norm *norm) {
    attn_tensor *h = attn_translator_before(m, tape, x, norm);
    h = attn_layers_hidden(tape, h, feed_forward, m->config.activation,
                           m->config.activation_dropout);
    return attn_translator_after(m, tape, x, h, &feed_forward->down, norm);
}

/* Out of the packed table: the words' rows make a small table of their own. */
static attn_tensor *embed_packed(const attn_translator *m, attn_tape *tape,
                                 const attn_positions *positions, int64_t tokens,
                                 const int32_t *ids, const int32_t *position_ids) {
    const attn_linear *words = attn_linear_is_packed(&m->words) ? &m->words : &m->output;
    attn_param table = {.rows = tokens, .cols = m->config.d_model};
    int32_t *own = attn_tape_alloc(tape, (size_t)tokens * sizeof *own);
    table.data = attn_tape_alloc(tape, (size_t)(tokens * table.cols) * sizeof *table.data);
    if (own == NULL || table.data == NULL) {
        return NULL;
    }
    for (int64_t t = 0; t < tokens; t++) {
        if (ids[t] < 0 || ids[t] >= m->config.vocabulary) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "ids[%lld] is %d, the vocabulary is %lld",
                           (long long)t, (int)ids[t], (long long)m->config.vocabulary);
            return NULL;
        }
        own[t] = (int32_t)t;
        attn_linear_weight_row(words, ids[t], table.data + t * table.cols);
    }
    return attn_layer_embedding(tape, &table, m->embedding_scale, positions, tokens, own,
                                position_ids);
}

attn_tensor *attn_translator_embed(const attn_translator *m, attn_tape *tape, bool source,
                                   int64_t tokens, const int32_t *ids,
                                   const int32_t *position_ids) {
    attn_param *words = source ? m->embedding : m->target_embedding;
    const attn_positions *positions = !attn_translator_adds_positions(&m->config) ? NULL
                                      : source                                    ? &m->positions
                                               : &m->target_positions;
    if (m->output.weight->data == NULL && attn_tape_recording(tape)) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "the model was loaded for decoding only");
        return NULL;
    }
    if (positions == NULL && !attn_layers_ids(tape, position_ids, "position_ids", tokens,
                                              m->config.max_length, "the table of positions")) {
        return NULL;
    }
    attn_tensor *x = words->data == NULL
                         ? embed_packed(m, tape, positions, tokens, ids, position_ids)
                         : attn_layer_embedding(tape, words, m->embedding_scale, positions, tokens,
                                                ids, position_ids);
    attn_tape_note(tape, "embedding", x);
    if (x != NULL && m->config.embedding_norm) {
        x = attn_layer_norm(tape, x, source ? &m->source_norm : &m->target_norm);
    }
    return attn_layer_dropout(tape, x, m->config.dropout);
}

/* 0, 1, 2 ... within each sentence. */
static int32_t *count_positions(attn_tape *tape, const attn_sequences *sequences) {
    int64_t tokens = sequences->starts[sequences->count];
    int32_t *ids = attn_tape_alloc(tape, (size_t)tokens * sizeof *ids);
    for (int64_t s = 0; ids != NULL && s < sequences->count; s++) {
        for (int64_t t = sequences->starts[s]; t < sequences->starts[s + 1]; t++) {
            ids[t] = (int32_t)(t - sequences->starts[s]);
        }
    }
    return ids;
}

static attn_tensor *embed_sentences(const attn_translator *m, attn_tape *tape, bool source,
                                    const int32_t *ids, const attn_sequences *sequences) {
    const int32_t *position_ids = count_positions(tape, sequences);
    if (position_ids == NULL) {
        return NULL;
    }
    return attn_translator_embed(m, tape, source, sequences->starts[sequences->count], ids,
                                 position_ids);
}

attn_tensor *attn_translator_encoder(const attn_translator *m, attn_tape *tape, const int32_t *ids,
                                     const attn_sequences *sequences) {
    attn_tape_scope(tape, "source");
    attn_tensor *x = embed_sentences(m, tape, true, ids, sequences);
    for (int64_t i = 0; i < m->config.encoder_layers; i++) {
        const encoder_layer *layer = &m->encoder[i];
        attn_tape_scope(tape, "encoder.%lld.self", (long long)i);
        attn_tape_note(tape, "residual", x);
        attn_tensor *h = attn_translator_before(m, tape, x, &layer->norm_self);
        attn_tape_note(tape, "input", h);
        h = attn_layer_attention(tape, h, sequences, NULL, NULL, &layer->self, false,
                                 m->config.attention_dropout);
        x = attn_translator_after(m, tape, x, h, &layer->self.output, &layer->norm_self);
        attn_tape_note(tape, "output", x);
        x = attn_translator_feed_forward(m, tape, x, &layer->feed_forward,
                                         &layer->norm_feed_forward);
    }
    return attn_translator_last(m, tape, x, &m->encoder_norm);
}

static attn_tensor *decoder(const attn_translator *m, attn_tape *tape, const int32_t *ids,
                            const attn_sequences *targets, attn_tensor *memory,
                            const attn_sequences *sources, const attn_guide *guide) {
    double attention_dropout = m->config.attention_dropout;
    attn_tape_scope(tape, "target");
    attn_tensor *x = embed_sentences(m, tape, false, ids, targets);
    for (int64_t i = 0; i < m->config.decoder_layers; i++) {
        const decoder_layer *layer = &m->decoder[i];
        attn_tape_scope(tape, "decoder.%lld.self", (long long)i);
        attn_tape_note(tape, "residual", x);
        attn_tensor *h = attn_translator_before(m, tape, x, &layer->norm_self);
        attn_tape_note(tape, "input", h);
        if (m->config.ssru) {
            h = attn_layer_ssru(tape, h, targets, &layer->recurrent);
            x = attn_translator_after_plain(m, tape, x, h, &layer->norm_self);
        } else {
            h = attn_layer_attention(tape, h, targets, NULL, NULL, &layer->self, true,
                                     attention_dropout);
            x = attn_translator_after(m, tape, x, h, &layer->self.output, &layer->norm_self);
        }
        attn_tape_note(tape, "output", x);

        attn_tape_scope(tape, "decoder.%lld.cross", (long long)i);
        attn_tape_note(tape, "residual", x);
        attn_tape_note(tape, "memory", memory);
        h = attn_translator_before(m, tape, x, &layer->norm_cross);
        attn_tape_note(tape, "input", h);
        h = attn_layers_attention_guided(tape, h, targets, memory, sources, &layer->cross,
                                         attention_dropout,
                                         i + 1 == m->config.alignment_layer ? guide : NULL);
        x = attn_translator_after(m, tape, x, h, &layer->cross.output, &layer->norm_cross);
        attn_tape_note(tape, "output", x);

        x = attn_translator_feed_forward(m, tape, x, &layer->feed_forward,
                                         &layer->norm_feed_forward);
    }
    return attn_translator_last(m, tape, x, &m->decoder_norm);
}

static attn_sequences describe(int64_t count, const int64_t *starts) {
    attn_sequences sequences = {count, starts, 0};
    for (int64_t s = 0; s < count; s++) {
        int64_t length = starts[s + 1] - starts[s];
        sequences.longest = length > sequences.longest ? length : sequences.longest;
    }
    return sequences;
}

static attn_tensor *forward(const attn_translator *m, attn_tape *tape,
                            const attn_translator_batch *batch, const attn_guide *guide) {
    attn_sequences sources = describe(batch->count, batch->source_starts);
    attn_tensor *memory = attn_translator_encoder(m, tape, batch->source, &sources);
    if (batch->target_input == NULL || memory == NULL) {
        return memory;
    }
    attn_sequences targets = describe(batch->count, batch->target_starts);
    return decoder(m, tape, batch->target_input, &targets, memory, &sources, guide);
}

attn_tensor *attn_translator_forward(const attn_translator *m, attn_tape *tape,
                                     const attn_translator_batch *batch) {
    return forward(m, tape, batch, NULL);
}

/* targets: how many of target_output are read. */
static attn_status check_loss(const attn_translator *m, const attn_tape *tape,
                              const attn_translator_batch *batch, int64_t targets,
                              attn_error *error) {
    if (attn_tape_recording(tape) && attn_params_grad(m->params) == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "create or load it trainable",
                         "the tape records, but the model has no gradients");
    }
    if (m->output.weight->data == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "use attn_translator_load",
                         "the model was loaded for decoding only");
    }
    for (int64_t i = 0; i < targets; i++) {
        if (batch->target_output[i] < 0 || batch->target_output[i] >= m->config.vocabulary) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                             "target_output[%lld] is %d, the vocabulary is %lld", (long long)i,
                             (int)batch->target_output[i], (long long)m->config.vocabulary);
        }
    }
    return ATTN_OK;
}

attn_status attn_translator_loss(const attn_translator *m, attn_tape *tape,
                                 const attn_translator_batch *batch, attn_real gradient_scale,
                                 double *loss, double *nll, attn_error *error) {
    return attn_translator_loss_guided(m, tape, batch, NULL, gradient_scale, loss, nll, error);
}

attn_status attn_translator_loss_guided(const attn_translator *m, attn_tape *tape,
                                        const attn_translator_batch *batch, const attn_guide *guide,
                                        attn_real gradient_scale, double *loss, double *nll,
                                        attn_error *error) {
    attn_status status = check_loss(m, tape, batch, batch->target_starts[batch->count], error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tensor *x = forward(m, tape, batch, guide);
    if (x != NULL) {
        attn_layer_output_loss(tape, x, &m->output, batch->target_output, m->config.label_smoothing,
                               gradient_scale, loss, nll);
    }
    return attn_tape_check(tape, error);
}

attn_status attn_translator_loss_twice(const attn_translator *m, attn_tape *tape,
                                       const attn_translator_batch *batch, const attn_guide *guide,
                                       double agreement, attn_real gradient_scale, double *loss,
                                       double *nll, attn_error *error) {
    attn_status status = check_loss(m, tape, batch, batch->target_starts[batch->count / 2], error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tensor *x = forward(m, tape, batch, guide);
    if (x != NULL) {
        attn_layer_output_r_drop(tape, x, &m->output, batch->target_output,
                                 m->config.label_smoothing, agreement, gradient_scale, loss, nll);
    }
    return attn_tape_check(tape, error);
}
