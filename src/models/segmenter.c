/* models/segmenter.c: the segmenter's configuration, its table of tensors, its life.
 *
 * Next: segmenter_forward.c (the wiring), segmenter_file.c, segmenter_attend.c. */
#include "models/segmenter.h"

#include <stdio.h>

#include "base/fail.h"
#include "base/sized.h"
#include "models/config.h"
#include "tape/tape.h"

/* ---- configuration ---- */

static const attn_segmenter_config defaults = {
    .size = sizeof(attn_segmenter_config),
    .classes = 11,
    .width_2 = 32,
    .width_4 = 64,
    .d_model = 128,
    .units_4 = 1,
    .units_8 = 1,
    .blocks = 4,
    .heads = 4,
    .ffn = 512,
    .mixer = ATTN_MIXER_GLOBAL,
    .window = 7,
    .shrink = 2,
    .activation = ATTN_ACTIVATION_GELU,
    .norm = ATTN_SEGMENTER_NORM_PICTURE,
    .dropout = 0.1,
};

void attn_segmenter_config_init_sized(attn_segmenter_config *config, size_t size) {
    attn_sized_init(config, size, &defaults, sizeof defaults);
}

static attn_status check_multiples(const attn_segmenter_config *c, attn_error *error) {
    if (c->width_2 % SEGMENTER_NORM_GROUPS != 0 || c->width_4 % SEGMENTER_NORM_GROUPS != 0 ||
        c->d_model % SEGMENTER_NORM_GROUPS != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "choose multiples of 8",
                         "width_2 %lld, width_4 %lld and d_model %lld are not all multiples of 8",
                         (long long)c->width_2, (long long)c->width_4, (long long)c->d_model);
    }
    if (c->d_model % c->heads != 0 || c->d_model / c->heads > 256) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "choose heads that divide d_model, each at most 256 wide",
                         "%lld heads do not fit d_model %lld", (long long)c->heads,
                         (long long)c->d_model);
    }
    if (c->mixer == ATTN_MIXER_DEPTHWISE && c->window % 2 == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "choose 7, for instance",
                         "the depthwise mixer's window %lld is even", (long long)c->window);
    }
    return ATTN_OK;
}

static attn_status check_config(const attn_segmenter_config *c, attn_error *error) {
    const struct {
        const char *name;
        int64_t value, low, high;
    } ranges[] = {
        {"classes", c->classes, 2, 255},
        {"width_2", c->width_2, 8, 1024},
        {"width_4", c->width_4, 8, 1024},
        {"d_model", c->d_model, 8, 4096},
        {"units_4", c->units_4, 0, 16},
        {"units_8", c->units_8, 0, 16},
        {"blocks", c->blocks, 0, 64},
        {"heads", c->heads, 1, 256},
        {"ffn", c->ffn, 1, 1 << 14},
        {"mixer", (int64_t)c->mixer, 0, ATTN_MIXER_NONE},
        {"window", c->window, 1, 31},
        {"shrink", c->shrink, 1, 8},
        {"activation", c->activation, 1, 2},
        {"norm", (int64_t)c->norm, 0, ATTN_SEGMENTER_NORM_PLACE},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        attn_status status = attn_config_check_range(ranges[i].name, ranges[i].value, ranges[i].low,
                                                     ranges[i].high, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    const struct {
        const char *name;
        double value;
    } rates[] = {{"dropout", c->dropout},
                 {"attention_dropout", c->attention_dropout},
                 {"label_smoothing", c->label_smoothing},
                 {"stochastic_depth", c->stochastic_depth}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        attn_status status = attn_config_check_rate(rates[i].name, rates[i].value, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return check_multiples(c, error);
}

static attn_status read_config(const attn_segmenter_config *given, attn_segmenter_config *out,
                               attn_error *error) {
    *out = defaults;
    attn_status status = attn_sized_read(given, out, sizeof *out,
                                         ATTN_SIZE_UP_TO(attn_segmenter_config, stochastic_depth),
                                         "attn_segmenter_config", error);
    return status == ATTN_OK ? check_config(out, error) : status;
}

attn_status attn_segmenter_config_check(const attn_segmenter_config *config, attn_error *error) {
    attn_segmenter_config known;
    return read_config(config, &known, error);
}

/* The parameters of a block's mixer with its norm. */
static int64_t mixer_params(const attn_segmenter_config *c, attn_mixer mixer) {
    int64_t d = c->d_model, kernel = 2 * c->shrink - 1;
    int64_t attention = 4 * d * d + 4 * d + 2 * d;
    switch (mixer) {
    case ATTN_MIXER_GLOBAL:
        return attention + (c->shrink > 1 ? (kernel * kernel + 1) * d + 2 * d : 0);
    case ATTN_MIXER_WINDOW:
        return attention;
    case ATTN_MIXER_DEPTHWISE:
        return (c->window * c->window + 1) * d + d * d + d + 2 * d;
    case ATTN_MIXER_NONE:
        break;
    }
    return 0;
}

/* Channels inside the feed-forward; each costs 2 d + 11 parameters. */
static int64_t hidden_channels(const attn_segmenter_config *c) {
    int64_t missing = mixer_params(c, ATTN_MIXER_GLOBAL) - mixer_params(c, c->mixer);
    int64_t each = 2 * c->d_model + 11;
    int64_t hidden = c->ffn + (missing >= 0 ? missing + each / 2 : missing - each / 2) / each;
    return hidden > 1 ? hidden : 1;
}

size_t attn_segmenter_pixel_bytes(const attn_segmenter_config *c) {
    int64_t block = 9 * c->d_model + 2 * hidden_channels(c);
    if (c->mixer == ATTN_MIXER_WINDOW) {
        block += 2 * c->d_model; /* in the order of the windows and back */
    }
    double whole = 3.0 + 3.0 * (double)c->classes;
    double at_2 = (double)(9 * c->width_2 + c->classes) / 4;
    double at_4 = (double)((7 + 4 * c->units_4) * c->width_4 + c->width_2) / 16;
    double at_8 = (double)((3 + 4 * c->units_8) * c->d_model + c->width_4 + c->blocks * block) / 64;
    return (size_t)(sizeof(attn_real) * (whole + at_2 + at_4 + at_8));
}

/* ---- the table of tensors ---- */

static attn_group_norm declare_group_norm(attn_params *params, const char *name, int64_t channels) {
    return attn_group_norm_declare(params, name, channels, SEGMENTER_NORM_GROUPS);
}

static conv_norm declare_conv_norm(attn_params *params, const char *name, int64_t in, int64_t out,
                                   int64_t stride) {
    char full[64];
    attn_window window = attn_window_same(3, stride, 1);
    conv_norm made = {.conv = attn_conv_declare(params, name, in, out, &window, false)};
    snprintf(full, sizeof full, "%s.norm", name);
    made.norm = declare_group_norm(params, full, out);
    return made;
}

static residual_unit declare_unit(attn_params *params, const char *name, int64_t index,
                                  int64_t channels) {
    char full[64];
    residual_unit unit;
    attn_window window = attn_window_same(3, 1, 1);
    for (int i = 0; i < 2; i++) {
        snprintf(full, sizeof full, "%s.%lld.norm_%d", name, (long long)index, i + 1);
        unit.norm[i] = declare_group_norm(params, full, channels);
        snprintf(full, sizeof full, "%s.%lld.conv_%d", name, (long long)index, i + 1);
        unit.conv[i] = attn_conv_declare(params, full, channels, channels, &window, false);
    }
    return unit;
}

static void declare_mixer(attn_segmenter *m, segmenter_block *block, const char *name) {
    const attn_segmenter_config *c = &m->config;
    char full[64];
    if (c->mixer == ATTN_MIXER_NONE) {
        return;
    }
    snprintf(full, sizeof full, "%s.norm_mixer", name);
    block->norm_mixer = attn_norm_declare(m->params, full, c->d_model);
    if (segmenter_attends(c)) {
        snprintf(full, sizeof full, "%s.attention", name);
        block->attention = attn_multi_head_declare(m->params, full, c->d_model, c->heads, c->heads);
    }
    if (segmenter_shrinks(c)) {
        attn_window window = attn_window_same(2 * c->shrink - 1, c->shrink, 1);
        snprintf(full, sizeof full, "%s.shrink", name);
        block->shrink = attn_depthwise_declare(m->params, full, c->d_model, &window);
        snprintf(full, sizeof full, "%s.norm_shrink", name);
        block->norm_shrink = attn_norm_declare(m->params, full, c->d_model);
    }
    if (c->mixer == ATTN_MIXER_DEPTHWISE) {
        attn_window window = attn_window_same(c->window, 1, 1);
        snprintf(full, sizeof full, "%s.depthwise", name);
        block->depthwise = attn_depthwise_declare(m->params, full, c->d_model, &window);
        snprintf(full, sizeof full, "%s.project", name);
        block->project = attn_linear_declare(m->params, full, c->d_model, c->d_model);
    }
}

static void declare_block(attn_segmenter *m, segmenter_block *block, int64_t index) {
    const attn_segmenter_config *c = &m->config;
    int64_t hidden = hidden_channels(c);
    attn_window window = attn_window_same(3, 1, 1);
    char name[32], full[64];
    snprintf(name, sizeof name, "block.%lld", (long long)index);
    declare_mixer(m, block, name);
    snprintf(full, sizeof full, "%s.norm_feed_forward", name);
    block->norm_feed_forward = attn_norm_declare(m->params, full, c->d_model);
    snprintf(full, sizeof full, "%s.feed_forward.up", name);
    block->up = attn_linear_declare(m->params, full, c->d_model, hidden);
    snprintf(full, sizeof full, "%s.feed_forward.position", name);
    block->position = attn_depthwise_declare(m->params, full, hidden, &window);
    snprintf(full, sizeof full, "%s.feed_forward.down", name);
    block->down = attn_linear_declare(m->params, full, hidden, c->d_model);
}

static void declare(attn_segmenter *m) {
    const attn_segmenter_config *c = &m->config;
    attn_window down = attn_window_same(3, 2, 1);
    m->down_2 = declare_conv_norm(m->params, "stem.down_2", 3, c->width_2, 2);
    m->stem_2 = declare_conv_norm(m->params, "stem.conv_2", c->width_2, c->width_2, 1);
    m->down_4 = declare_conv_norm(m->params, "stem.down_4", c->width_2, c->width_4, 2);
    for (int64_t i = 0; i < c->units_4; i++) {
        m->units_4[i] = declare_unit(m->params, "stem.unit_4", i, c->width_4);
    }
    m->down_8 = attn_conv_declare(m->params, "stem.down_8", c->width_4, c->d_model, &down, true);
    for (int64_t i = 0; i < c->units_8; i++) {
        m->units_8[i] = declare_unit(m->params, "stem.unit_8", i, c->d_model);
    }
    for (int64_t i = 0; i < c->blocks; i++) {
        declare_block(m, &m->blocks[i], i);
    }
    m->norm = attn_norm_declare(m->params, "norm", c->d_model);
    m->lateral_4 = attn_linear_declare(m->params, "decoder.lateral_4", c->d_model, c->width_4);
    m->norm_4 = declare_group_norm(m->params, "decoder.norm_4", c->width_4);
    m->merge_4 = declare_conv_norm(m->params, "decoder.merge_4", c->width_4, c->width_4, 1);
    m->lateral_2 = attn_linear_declare(m->params, "decoder.lateral_2", c->width_4, c->width_2);
    m->norm_2 = declare_group_norm(m->params, "decoder.norm_2", c->width_2);
    m->merge_2 = declare_conv_norm(m->params, "decoder.merge_2", c->width_2, c->width_2, 1);
    m->classify = attn_linear_declare(m->params, "decoder.classify", c->width_2, c->classes);
}

/* ---- its life ---- */

static attn_status build(attn_segmenter *m, attn_error *error) {
    const attn_segmenter_config *c = &m->config;
    m->units_4 = attn_alloc_zero((size_t)c->units_4, sizeof *m->units_4);
    m->units_8 = attn_alloc_zero((size_t)c->units_8, sizeof *m->units_8);
    m->blocks = attn_alloc_zero((size_t)c->blocks, sizeof *m->blocks);
    if (m->units_4 == NULL || m->units_8 == NULL || m->blocks == NULL) {
        return attn_fail_memory(error, sizeof *m->blocks);
    }
    attn_status status = attn_params_create(&m->params, error);
    if (status != ATTN_OK) {
        return status;
    }
    declare(m);
    return attn_params_check(m->params, error);
}

attn_status attn_segmenter_declare(const attn_segmenter_config *config, attn_segmenter **out,
                                   attn_error *error) {
    attn_segmenter_config known;
    *out = NULL;
    attn_status status = read_config(config, &known, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_segmenter *m = attn_alloc_zero(1, sizeof *m);
    if (m == NULL) {
        return attn_fail_memory(error, sizeof *m);
    }
    m->config = known;
    status = build(m, error);
    if (status != ATTN_OK) {
        attn_segmenter_free(m);
        return status;
    }
    *out = m;
    return ATTN_OK;
}

attn_status attn_segmenter_allocate(attn_segmenter *m, bool trainable, attn_error *error) {
    return attn_params_allocate(m->params, trainable, error);
}

attn_status attn_segmenter_create(const attn_segmenter_config *config, bool trainable,
                                  attn_segmenter **out, attn_error *error) {
    attn_status status = attn_segmenter_declare(config, out, error);
    if (status == ATTN_OK) {
        status = attn_segmenter_allocate(*out, trainable, error);
    }
    if (status != ATTN_OK) {
        attn_segmenter_free(*out);
        *out = NULL;
    }
    return status;
}

void attn_segmenter_free(attn_segmenter *m) {
    if (m == NULL) {
        return;
    }
    attn_segmenter_unpack(m);
    attn_params_free(m->params);
    attn_free(m->units_4);
    attn_free(m->units_8);
    attn_free(m->blocks);
    attn_free(m);
}

const attn_segmenter_config *attn_segmenter_get_config(const attn_segmenter *m) {
    return &m->config;
}

attn_params *attn_segmenter_params(const attn_segmenter *m) {
    return m->params;
}

/* ---- packed weights ---- */

/* Calls visit for every matrix that is multiplied by, until one fails. */
static attn_status visit_units(residual_unit *units, int64_t count,
                               attn_status (*visit)(attn_linear *linear, attn_error *error),
                               attn_error *error) {
    attn_status status = ATTN_OK;
    for (int64_t i = 0; units != NULL && i < 2 * count && status == ATTN_OK; i++) {
        status = visit(&units[i / 2].conv[i % 2].kernel, error);
    }
    return status;
}

static attn_status visit_block(const attn_segmenter_config *c, segmenter_block *block,
                               attn_status (*visit)(attn_linear *linear, attn_error *error),
                               attn_error *error) {
    attn_linear *linears[6];
    int count = 0;
    if (segmenter_attends(c)) {
        linears[count++] = &block->attention.output;
        if (segmenter_shrinks(c)) {
            linears[count++] = &block->attention.query;
            linears[count++] = &block->attention.key_value;
        } else {
            linears[count++] = &block->attention.joined;
        }
    } else if (c->mixer == ATTN_MIXER_DEPTHWISE) {
        linears[count++] = &block->project;
    }
    linears[count++] = &block->up;
    linears[count++] = &block->down;
    attn_status status = ATTN_OK;
    for (int i = 0; i < count && status == ATTN_OK; i++) {
        status = visit(linears[i], error);
    }
    return status;
}

static attn_status visit_all(attn_segmenter *m,
                             attn_status (*visit)(attn_linear *linear, attn_error *error),
                             attn_error *error) {
    const attn_segmenter_config *c = &m->config;
    attn_linear *linears[] = {
        &m->down_2.conv.kernel, &m->stem_2.conv.kernel,  &m->down_4.conv.kernel,
        &m->down_8.kernel,      &m->lateral_4,           &m->merge_4.conv.kernel,
        &m->lateral_2,          &m->merge_2.conv.kernel, &m->classify};
    attn_status status = visit_units(m->units_4, c->units_4, visit, error);
    status = status == ATTN_OK ? visit_units(m->units_8, c->units_8, visit, error) : status;
    for (size_t i = 0; i < sizeof linears / sizeof linears[0] && status == ATTN_OK; i++) {
        status = visit(linears[i], error);
    }
    for (int64_t i = 0; m->blocks != NULL && i < c->blocks && status == ATTN_OK; i++) {
        status = visit_block(c, &m->blocks[i], visit, error);
    }
    return status;
}

static attn_status pack(attn_linear *linear, attn_error *error) {
    return attn_linear_pack(linear, ATTN_COMPUTE_F32, error);
}

static attn_status unpack(attn_linear *linear, attn_error *error) {
    (void)error;
    attn_linear_unpack(linear);
    return ATTN_OK;
}

attn_status attn_segmenter_pack(attn_segmenter *m, attn_error *error) {
    attn_status status = visit_all(m, pack, error);
    if (status != ATTN_OK) {
        attn_segmenter_unpack(m);
    }
    return status;
}

void attn_segmenter_unpack(attn_segmenter *m) {
    (void)visit_all(m, unpack, NULL);
}
