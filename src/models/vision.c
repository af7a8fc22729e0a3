/* models/vision.c: ViT and SegFormer: configuration, table of tensors, life.
 *
 * Next: vision_forward.c (the wiring), vision_attend.c, vision_file.c. */
#include "models/vision.h"

#include <stdio.h>

#include "base/fail.h"
#include "base/memory.h"
#include "models/config.h"
#include "tape/tape.h"

/* ---- configuration ---- */

static attn_status fail_config(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "%s", what);
}

static attn_status check_stage(const attn_vision_stage *s, int number, attn_error *error) {
    const struct {
        const char *name;
        int64_t value, low, high;
    } ranges[] = {
        {"channels", s->channels, 1, 1 << 14}, {"heads", s->heads, 1, 256},
        {"layers", s->layers, 1, 256},         {"ffn", s->ffn, 1, 1 << 16},
        {"kernel", s->kernel, 1, 64},          {"stride", s->stride, 1, s->kernel},
        {"shrink", s->shrink, 1, 64},
    };
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && status == ATTN_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "stage_%d.%s", number, ranges[i].name);
        status =
            attn_config_check_range(name, ranges[i].value, ranges[i].low, ranges[i].high, error);
    }
    if (status == ATTN_OK && (s->channels % s->heads != 0 || s->channels / s->heads > 256)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "%lld heads do not fit the %lld channels of stage %d", (long long)s->heads,
                         (long long)s->channels, number);
    }
    return status;
}

static attn_status check_head(const attn_vision_config *c, attn_error *error) {
    enum { MOST_CLASSES = 1 << 17 };
    bool segments = c->head == ATTN_VISION_SEGMENT, classifies = c->head == ATTN_VISION_CLASSIFY;
    attn_status status = attn_config_check_range("classes", c->classes, segments ? 2 : classifies,
                                                 segments     ? ATTN_IGNORE_LABEL
                                                 : classifies ? MOST_CLASSES
                                                              : 0,
                                                 error);
    return status == ATTN_OK ? attn_config_check_range("decoder", c->decoder, segments,
                                                       segments ? 1 << 14 : 0, error)
                             : status;
}

static attn_status check_pixels(const attn_vision_config *c, attn_error *error) {
    enum { MOST_PIXELS = 1 << 13 };
    attn_status status = attn_config_check_range("height", c->height, 0, MOST_PIXELS, error);
    status = status == ATTN_OK ? attn_config_check_range("width", c->width, c->height > 0,
                                                         c->height > 0 ? MOST_PIXELS : 0, error)
                               : status;
    for (int i = 0; i < 3 && status == ATTN_OK; i++) {
        if (!(c->mean[i] >= 0 && c->mean[i] <= 1)) {
            status = fail_config(error, "a mean of the pixels is not within 0 and 1");
        } else if (!(c->deviation[i] >= 1e-3 && c->deviation[i] <= 100)) {
            status = fail_config(error, "a deviation of the pixels is not within 0.001 and 100");
        }
    }
    return status;
}

/* What only one of the two networks may have. */
static attn_status check_network(const attn_vision_config *c, attn_error *error) {
    const attn_vision_stage *first = &c->stage[0];
    if (c->network == ATTN_VISION_SEGFORMER) {
        return attn_config_check_range("activation", c->activation, ATTN_ACTIVATION_RELU,
                                       ATTN_ACTIVATION_GELU, error);
    }
    if (c->stages != 1 || first->stride != first->kernel || first->shrink != 1) {
        return fail_config(error, "a ViT has one stage, of patches that do not overlap");
    }
    if (c->height < first->kernel || c->width < first->kernel) {
        return fail_config(error, "a ViT's pictures have one size, of a patch or more");
    }
    return c->head != ATTN_VISION_SEGMENT ? ATTN_OK : fail_config(error, "a ViT does not segment");
}

attn_status attn_vision_config_check(const attn_vision_config *c, attn_error *error) {
    attn_status status = attn_config_check_range("network", c->network, 0, 1, error);
    status = status == ATTN_OK ? attn_config_check_range("head", c->head, 0, 2, error) : status;
    if (status == ATTN_OK) {
        status = attn_config_check_range("stages", c->stages, 1, ATTN_VISION_STAGES, error);
    }
    for (int i = 0; status == ATTN_OK && i < c->stages; i++) {
        status = check_stage(&c->stage[i], i + 1, error);
    }
    if (status == ATTN_OK) {
        status = attn_config_check_range("activation", c->activation, ATTN_ACTIVATION_RELU,
                                         ATTN_ACTIVATION_SWISH, error);
    }
    status =
        status == ATTN_OK ? attn_config_check_rate("norm_epsilon", c->norm_epsilon, error) : status;
    status = status == ATTN_OK ? check_head(c, error) : status;
    status = status == ATTN_OK ? check_pixels(c, error) : status;
    return status == ATTN_OK ? check_network(c, error) : status;
}

/* A pass keeps every tensor until it is over. */
size_t attn_vision_pixel_bytes(const attn_vision_config *c) {
    double floats = 3, share = 1, first = 1;
    for (int i = 0; i < c->stages; i++) {
        const attn_vision_stage *s = &c->stage[i];
        share /= (double)(s->stride * s->stride);
        first = i == 0 ? share : first;
        floats += share * (double)(3 * s->channels + 2 * c->decoder);
        floats += share * (double)(s->layers * (9 * s->channels + 2 * s->ffn));
        floats += first * (double)(2 * c->decoder);
    }
    floats += (3 + first) * (double)(c->head == ATTN_VISION_SEGMENT ? c->classes : 0);
    return (size_t)(sizeof(real) * floats);
}

/* ---- the table of tensors ---- */

/* "stage.1.7.self" */
static const char *name_in(char out[64], int stage, int64_t layer, const char *what) {
    if (layer >= 0) {
        snprintf(out, 64, "stage.%d.%lld.%s", stage, (long long)layer, what);
    } else {
        snprintf(out, 64, "stage.%d.%s", stage, what);
    }
    return out;
}

static attn_norm declare_norm(attn_vision *m, const char *name, int64_t channels) {
    attn_norm norm = attn_norm_declare(m->params, name, channels);
    norm.epsilon = (real)m->config.norm_epsilon;
    return norm;
}

static void declare_block(attn_vision *m, vision_block *b, int stage, int64_t layer) {
    const attn_vision_stage *s = &m->config.stage[stage];
    attn_params *p = m->params;
    char name[64];
    b->norm_self = declare_norm(m, name_in(name, stage, layer, "norm_self"), s->channels);
    b->self = attn_multi_head_declare(p, name_in(name, stage, layer, "self"), s->channels, s->heads,
                                      s->heads);
    if (s->shrink > 1) {
        attn_window window = {s->shrink, s->shrink, s->shrink, 1, 0, 0};
        b->shrink = attn_conv_declare(p, name_in(name, stage, layer, "shrink"), s->channels,
                                      s->channels, &window, true);
        b->norm_shrink = declare_norm(m, name_in(name, stage, layer, "norm_shrink"), s->channels);
    }
    b->norm_feed_forward =
        declare_norm(m, name_in(name, stage, layer, "norm_feed_forward"), s->channels);
    b->up =
        attn_linear_declare(p, name_in(name, stage, layer, "feed_forward.up"), s->channels, s->ffn);
    if (m->config.network == ATTN_VISION_SEGFORMER) {
        attn_window window = attn_window_same(3, 1, 1);
        b->position = attn_depthwise_declare(
            p, name_in(name, stage, layer, "feed_forward.position"), s->ffn, &window);
    }
    b->down = attn_linear_declare(p, name_in(name, stage, layer, "feed_forward.down"), s->ffn,
                                  s->channels);
}

static void declare_stage(attn_vision *m, int stage) {
    const attn_vision_stage *s = &m->config.stage[stage];
    bool overlap = m->config.network == ATTN_VISION_SEGFORMER;
    int64_t padding = overlap ? s->kernel / 2 : 0;
    attn_window window = {s->kernel, s->kernel, s->stride, 1, padding, padding};
    vision_stage *made = &m->stage[stage];
    char name[64];
    made->patches = attn_conv_declare(m->params, name_in(name, stage, -1, "patches"),
                                      stage > 0 ? m->config.stage[stage - 1].channels : 3,
                                      s->channels, &window, true);
    if (overlap) {
        made->norm_patches = declare_norm(m, name_in(name, stage, -1, "norm_patches"), s->channels);
    }
    for (int64_t i = 0; i < s->layers; i++) {
        declare_block(m, &made->blocks[i], stage, i);
    }
    made->norm = declare_norm(m, name_in(name, stage, -1, "norm"), s->channels);
}

static void declare_class_token(attn_vision *m) {
    const attn_vision_config *c = &m->config;
    const attn_vision_stage *s = &c->stage[0];
    int64_t patches = (c->height / s->kernel) * (c->width / s->kernel);
    m->class_token =
        attn_params_declare(m->params, "class_token", 1, s->channels, ATTN_INIT_EMBEDDING);
    m->positions =
        attn_params_declare(m->params, "positions", patches + 1, s->channels, ATTN_INIT_EMBEDDING);
}

static void declare_head(attn_vision *m) {
    const attn_vision_config *c = &m->config;
    char name[64];
    int64_t channels = c->stage[c->stages - 1].channels;
    for (int i = 0; c->head == ATTN_VISION_SEGMENT && i < c->stages; i++) {
        channels = c->decoder;
        snprintf(name, sizeof name, "decoder.%d", i);
        m->decode[i] = attn_linear_declare(m->params, name, c->stage[i].channels, channels);
        m->join[i] = (attn_linear){.in = channels, .out = channels};
        snprintf(name, sizeof name, "decoder.%d.join.weight", i);
        m->join[i].weight =
            attn_params_declare(m->params, name, channels, channels, ATTN_INIT_XAVIER);
        if (i == 0) {
            m->join[0].bias =
                attn_params_declare(m->params, "decoder.join.bias", 1, channels, ATTN_INIT_ZERO);
        }
    }
    if (c->head != ATTN_VISION_NO_HEAD) {
        m->classify = attn_linear_declare(m->params, "classify", channels, c->classes);
    }
}

/* ---- its life ---- */

static attn_status build(attn_vision *m, attn_error *error) {
    attn_status status = attn_params_create(&m->params, error);
    for (int i = 0; i < m->config.stages && status == ATTN_OK; i++) {
        size_t layers = (size_t)m->config.stage[i].layers;
        m->stage[i].blocks = attn_alloc_zero(layers, sizeof(vision_block));
        if (m->stage[i].blocks == NULL) {
            status = attn_fail_memory(error, layers * sizeof(vision_block));
        }
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (vision_has_class_token(m)) {
        declare_class_token(m);
    }
    for (int i = 0; i < m->config.stages; i++) {
        declare_stage(m, i);
    }
    declare_head(m);
    return attn_params_check(m->params, error);
}

attn_status attn_vision_declare(const attn_vision_config *config, attn_vision **out,
                                attn_error *error) {
    *out = NULL;
    attn_status status = attn_vision_config_check(config, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_vision *m = attn_alloc_zero(1, sizeof *m);
    if (m == NULL) {
        return attn_fail_memory(error, sizeof *m);
    }
    m->config = *config;
    status = build(m, error);
    if (status != ATTN_OK) {
        attn_vision_free(m);
        return status;
    }
    *out = m;
    return ATTN_OK;
}

attn_status attn_vision_allocate(attn_vision *m, attn_error *error) {
    return attn_params_allocate(m->params, false, error);
}

/* Calls visit for every matrix that is multiplied by, until one fails. */
static attn_status visit_stage(const attn_vision_stage *s, vision_stage *stage,
                               attn_status (*visit)(attn_linear *linear, attn_error *error),
                               attn_error *error) {
    attn_status status = visit(&stage->patches.kernel, error);
    for (int64_t i = 0; i < s->layers && status == ATTN_OK; i++) {
        vision_block *b = &stage->blocks[i];
        attn_linear *linears[6] = {&b->self.output, &b->up, &b->down, &b->self.joined};
        int count = 4;
        if (s->shrink > 1) {
            linears[3] = &b->self.query;
            linears[count++] = &b->self.key_value;
            linears[count++] = &b->shrink.kernel;
        }
        for (int k = 0; k < count && status == ATTN_OK; k++) {
            status = visit(linears[k], error);
        }
    }
    return status;
}

static attn_status visit_all(attn_vision *m,
                             attn_status (*visit)(attn_linear *linear, attn_error *error),
                             attn_error *error) {
    attn_status status = ATTN_OK;
    for (int i = 0; i < m->config.stages && m->stage[i].blocks != NULL && status == ATTN_OK; i++) {
        status = visit_stage(&m->config.stage[i], &m->stage[i], visit, error);
        if (status == ATTN_OK && m->config.head == ATTN_VISION_SEGMENT) {
            status = visit(&m->decode[i], error);
            status = status == ATTN_OK ? visit(&m->join[i], error) : status;
        }
    }
    return status == ATTN_OK && m->config.head != ATTN_VISION_NO_HEAD ? visit(&m->classify, error)
                                                                      : status;
}

static attn_status pack(attn_linear *linear, attn_error *error) {
    return attn_linear_pack(linear, ATTN_COMPUTE_F32, error);
}

static attn_status unpack(attn_linear *linear, attn_error *error) {
    (void)error;
    attn_linear_unpack(linear);
    return ATTN_OK;
}

attn_status attn_vision_pack(attn_vision *m, attn_error *error) {
    attn_status status = visit_all(m, pack, error);
    if (status != ATTN_OK) {
        (void)visit_all(m, unpack, NULL);
    }
    return status;
}

void attn_vision_free(attn_vision *m) {
    if (m == NULL) {
        return;
    }
    (void)visit_all(m, unpack, NULL);
    attn_params_free(m->params);
    for (int i = 0; i < ATTN_VISION_STAGES; i++) {
        attn_free(m->stage[i].blocks);
    }
    attn_free(m);
}

const attn_vision_config *attn_vision_get_config(const attn_vision *m) {
    return &m->config;
}

attn_params *attn_vision_params(const attn_vision *m) {
    return m->params;
}
