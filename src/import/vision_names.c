/* import/vision_names.c: which tensor of transformers' ViT and SegFormer is which parameter.
 *
 * A row of the tables below stands for a layer's two tensors; @ is the number of a stage, # that of a layer in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/vision.h"
#include "import/weights.h"
#include "io/dtype.h"

/* What the tensors of a row are. */
typedef enum layer_kind {
    LAYER_LINEAR,
    LAYER_NORM,
    LAYER_PATCHES, /* a convolution, its kernel that of the stage */
    LAYER_SHRINK,  /* a convolution, its kernel as the stage shrinks */
    LAYER_POSITION /* depthwise, 3 x 3 */
} layer_kind;

typedef struct layer_row {
    const char *ours, *theirs;
    layer_kind kind;
} layer_row;

static const layer_row vit[] = {
    {"stage.@.patches", "embeddings.patch_embeddings.projection", LAYER_PATCHES},
    {"stage.@.#.norm_self", "encoder.layer.#.layernorm_before", LAYER_NORM},
    {"stage.@.#.self.query", "encoder.layer.#.attention.attention.query", LAYER_LINEAR},
    {"stage.@.#.self.key", "encoder.layer.#.attention.attention.key", LAYER_LINEAR},
    {"stage.@.#.self.value", "encoder.layer.#.attention.attention.value", LAYER_LINEAR},
    {"stage.@.#.self.output", "encoder.layer.#.attention.output.dense", LAYER_LINEAR},
    {"stage.@.#.norm_feed_forward", "encoder.layer.#.layernorm_after", LAYER_NORM},
    {"stage.@.#.feed_forward.up", "encoder.layer.#.intermediate.dense", LAYER_LINEAR},
    {"stage.@.#.feed_forward.down", "encoder.layer.#.output.dense", LAYER_LINEAR},
    {"stage.@.norm", "layernorm", LAYER_NORM},
};

static const layer_row segformer[] = {
    {"stage.@.patches", "encoder.patch_embeddings.@.proj", LAYER_PATCHES},
    {"stage.@.norm_patches", "encoder.patch_embeddings.@.layer_norm", LAYER_NORM},
    {"stage.@.#.norm_self", "encoder.block.@.#.layer_norm_1", LAYER_NORM},
    {"stage.@.#.self.query", "encoder.block.@.#.attention.self.query", LAYER_LINEAR},
    {"stage.@.#.self.key", "encoder.block.@.#.attention.self.key", LAYER_LINEAR},
    {"stage.@.#.self.value", "encoder.block.@.#.attention.self.value", LAYER_LINEAR},
    {"stage.@.#.self.output", "encoder.block.@.#.attention.output.dense", LAYER_LINEAR},
    {"stage.@.#.shrink", "encoder.block.@.#.attention.self.sr", LAYER_SHRINK},
    {"stage.@.#.norm_shrink", "encoder.block.@.#.attention.self.layer_norm", LAYER_NORM},
    {"stage.@.#.norm_feed_forward", "encoder.block.@.#.layer_norm_2", LAYER_NORM},
    {"stage.@.#.feed_forward.up", "encoder.block.@.#.mlp.dense1", LAYER_LINEAR},
    {"stage.@.#.feed_forward.position", "encoder.block.@.#.mlp.dwconv.dwconv", LAYER_POSITION},
    {"stage.@.#.feed_forward.down", "encoder.block.@.#.mlp.dense2", LAYER_LINEAR},
    {"stage.@.norm", "encoder.layer_norm.@", LAYER_NORM},
};

/* The pooler serves training alone; a mask token too. The norm over the batch is read by itself. */
static const char *const idle[] = {"pooler.",
                                   "vit.pooler.",
                                   "embeddings.mask_token",
                                   "vit.embeddings.mask_token",
                                   "decode_head.batch_norm.",
                                   NULL};

/* ---- rules ---- */

enum { MOST_RULES = 160, NAME_SIZE = 96 };

typedef struct rule_list {
    attn_weight_rule rule[MOST_RULES];
    char ours[MOST_RULES][NAME_SIZE], theirs[MOST_RULES][NAME_SIZE];
    size_t count;
} rule_list;

/* out: the prefix, the pattern with the stage in the place of @, and an ending. */
static void write_name(char out[NAME_SIZE], const char *prefix, const char *pattern, int stage,
                       const char *end) {
    const char *at = strchr(pattern, '@');
    if (at == NULL) {
        snprintf(out, NAME_SIZE, "%s%s%s", prefix, pattern, end);
    } else {
        snprintf(out, NAME_SIZE, "%s%.*s%d%s%s", prefix, (int)(at - pattern), pattern, stage,
                 at + 1, end);
    }
}

static attn_weight_rule *add(rule_list *list, const char *prefix, const char *ours,
                             const char *our_end, const char *theirs, const char *their_end,
                             int stage) {
    size_t i = list->count++;
    write_name(list->ours[i], "", ours, stage, our_end);
    write_name(list->theirs[i], prefix, theirs, stage, their_end);
    list->rule[i] = (attn_weight_rule){list->ours[i], list->theirs[i], ATTN_WEIGHT_SAME, 0, 0};
    return &list->rule[i];
}

static void add_layer(rule_list *list, const char *prefix, const layer_row *row, int stage,
                      const attn_vision_stage *s) {
    bool norm = row->kind == LAYER_NORM;
    attn_weight_rule *weight =
        add(list, prefix, row->ours, norm ? ".gamma" : ".weight", row->theirs, ".weight", stage);
    if (row->kind == LAYER_PATCHES || row->kind == LAYER_SHRINK) {
        weight->layout = ATTN_WEIGHT_KERNELS;
        weight->part = (int)(row->kind == LAYER_PATCHES ? s->kernel : s->shrink);
    } else if (row->kind == LAYER_POSITION) {
        weight->layout = ATTN_WEIGHT_CHANNEL_KERNELS;
        weight->part = 3;
    }
    add(list, prefix, row->ours, norm ? ".beta" : ".bias", row->theirs, ".bias", stage);
}

static void add_head(rule_list *list, const attn_vision_config *c) {
    static const layer_row decode = {"decoder.@", "decode_head.linear_c.@.proj", LAYER_LINEAR};
    static const layer_row classify = {"classify", "classifier", LAYER_LINEAR};
    if (c->head == ATTN_VISION_CLASSIFY) {
        add_layer(list, "", &classify, 0, NULL);
    }
    if (c->head != ATTN_VISION_SEGMENT) {
        return;
    }
    for (int i = 0; i < c->stages; i++) {
        add_layer(list, "", &decode, i, NULL);
        attn_weight_rule *join =
            add(list, "", "decoder.@.join.weight", "", "decode_head.linear_fuse.weight", "", i);
        join->layout = ATTN_WEIGHT_COLUMNS; /* the last stage's come first */
        join->part = (int)c->stages - 1 - i;
        join->parts = (int)c->stages;
    }
    add(list, "", "decoder.join.bias", "", "decode_head.batch_norm.bias", "", 0);
    attn_weight_rule *weight =
        add(list, "", "classify.weight", "", "decode_head.classifier.weight", "", 0);
    weight->layout = ATTN_WEIGHT_KERNELS;
    weight->part = 1;
    add(list, "", "classify.bias", "", "decode_head.classifier.bias", "", 0);
}

static void make_rules(const attn_vision_config *c, const char *prefix, rule_list *list) {
    bool is_vit = c->network == ATTN_VISION_VIT;
    const layer_row *rows = is_vit ? vit : segformer;
    size_t count = is_vit ? sizeof vit / sizeof vit[0] : sizeof segformer / sizeof segformer[0];
    if (is_vit) {
        add(list, prefix, "class_token", "", "embeddings.cls_token", "", 0);
        add(list, prefix, "positions", "", "embeddings.position_embeddings", "", 0);
    }
    for (int stage = 0; stage < c->stages; stage++) {
        for (size_t i = 0; i < count; i++) {
            add_layer(list, prefix, &rows[i], stage, &c->stage[stage]);
        }
    }
    add_head(list, c);
}

/* ---- the norm over the batch ---- */

/* Its running statistics are numbers like others: relu(norm(y)) is relu(scale y + shift). */
static attn_status read_vector(const attn_tensor_file *file, const char *what, int64_t count,
                               float *out, attn_error *error) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "decode_head.batch_norm.%s", what);
    const attn_tensor_info *t = attn_tensor_file_find(file, name);
    if (t == NULL || t->rank != 1 || t->shape[0] != count || !attn_dtype_is_number(t->dtype)) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL,
                         "tensor %s is missing or not %lld numbers", name, (long long)count);
    }
    attn_tensor_floats(t, out);
    return ATTN_OK;
}

static void scale_rows(attn_vision *m, const float *gamma, const float *mean,
                       const float *variance) {
    real *bias = m->join[0].bias->data;
    for (int64_t r = 0; r < m->config.decoder; r++) {
        double scale = (double)gamma[r] / sqrt((double)variance[r] + 1e-5);
        bias[r] = (real)((double)bias[r] - (double)mean[r] * scale);
        for (int i = 0; i < m->config.stages; i++) {
            real *row = m->join[i].weight->data + r * m->join[i].in;
            for (int64_t k = 0; k < m->join[i].in; k++) {
                row[k] = (real)((double)row[k] * scale);
            }
        }
    }
}

static attn_status fold_norm(attn_vision *m, const attn_tensor_file *file, attn_error *error) {
    int64_t count = m->config.decoder;
    size_t bytes = (size_t)count * 3 * sizeof(float);
    float *all = attn_alloc(bytes);
    if (all == NULL) {
        return attn_fail_memory(error, bytes);
    }
    attn_status status = read_vector(file, "weight", count, all, error);
    if (status == ATTN_OK) {
        status = read_vector(file, "running_mean", count, all + count, error);
    }
    if (status == ATTN_OK) {
        status = read_vector(file, "running_var", count, all + 2 * count, error);
    }
    if (status == ATTN_OK) {
        scale_rows(m, all, all + count, all + 2 * count);
    }
    attn_free(all);
    return status;
}

attn_status attn_vision_import_weights(attn_vision *m, const char *prefix, bool biases_may_lack,
                                       const attn_tensor_file *file, attn_error *error) {
    rule_list *list = attn_alloc_zero(1, sizeof *list);
    if (list == NULL) {
        return attn_fail_memory(error, sizeof *list);
    }
    make_rules(&m->config, prefix, list);
    attn_weight_map map = {.rules = list->rule,
                           .rule_count = list->count,
                           .biases_may_lack = biases_may_lack,
                           .idle = idle};
    attn_status status = attn_import_weights(&map, file, NULL, NULL, m->params, error);
    if (status == ATTN_OK && m->config.head == ATTN_VISION_SEGMENT) {
        status = fold_norm(m, file, error);
    }
    attn_free(list);
    return status;
}
