/* import/fairseq_names.c: see fairseq_names.h. */
#include "import/fairseq_names.h"

#include "import/export.h"

#define LINEAR(ours, theirs)                                                                       \
    {ours ".weight", theirs ".weight", ATTN_WEIGHT_SAME, 0, 0}, {                                  \
        ours ".bias", theirs ".bias", ATTN_WEIGHT_SAME, 0, 0                                       \
    }
#define NORM(ours, theirs)                                                                         \
    {ours ".gamma", theirs ".weight", ATTN_WEIGHT_SAME, 0, 0}, {                                   \
        ours ".beta", theirs ".bias", ATTN_WEIGHT_SAME, 0, 0                                       \
    }
#define ATTENTION(ours, theirs)                                                                    \
    LINEAR(ours ".query", theirs ".q_proj"), LINEAR(ours ".key", theirs ".k_proj"),                \
        LINEAR(ours ".value", theirs ".v_proj"), LINEAR(ours ".output", theirs ".out_proj")

/* All but positions. */
#define NAMES                                                                                      \
    {"embedding", "model.shared.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},                           \
        {"embedding", "model.decoder.embed_tokens.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},         \
        {"embedding", "lm_head.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},                            \
        {"source_embedding", "model.encoder.embed_tokens.weight", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},  \
        {"source_embedding", "model.shared.weight", ATTN_WEIGHT_SOURCE_ROWS, 0, 0},                \
        {"target_embedding", "model.decoder.embed_tokens.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},  \
        {"target_embedding", "model.shared.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},                \
        {"output", "lm_head.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},                               \
        {"output", "model.decoder.output_projection.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},       \
        {"output", "model.decoder.embed_out", ATTN_WEIGHT_TARGET_ROWS, 0, 0},                      \
        {"output", "model.decoder.embed_tokens.weight", ATTN_WEIGHT_TARGET_ROWS, 0, 0},            \
        {"output.bias", "final_logits_bias", ATTN_WEIGHT_TARGET_BIAS, 0, 0},                       \
        NORM("source_norm", "model.encoder.layernorm_embedding"),                                  \
        NORM("target_norm", "model.decoder.layernorm_embedding"),                                  \
        NORM("encoder.norm", "model.encoder.layer_norm"),                                          \
        NORM("decoder.norm", "model.decoder.layer_norm"),                                          \
        ATTENTION("encoder.#.self", "model.encoder.layers.#.self_attn"),                           \
        NORM("encoder.#.norm_self", "model.encoder.layers.#.self_attn_layer_norm"),                \
        LINEAR("encoder.#.feed_forward.up", "model.encoder.layers.#.fc1"),                         \
        LINEAR("encoder.#.feed_forward.down", "model.encoder.layers.#.fc2"),                       \
        NORM("encoder.#.norm_feed_forward", "model.encoder.layers.#.final_layer_norm"),            \
        ATTENTION("decoder.#.self", "model.decoder.layers.#.self_attn"),                           \
        NORM("decoder.#.norm_self", "model.decoder.layers.#.self_attn_layer_norm"),                \
        ATTENTION("decoder.#.cross", "model.decoder.layers.#.encoder_attn"),                       \
        NORM("decoder.#.norm_cross", "model.decoder.layers.#.encoder_attn_layer_norm"),            \
        LINEAR("decoder.#.feed_forward.up", "model.decoder.layers.#.fc1"),                         \
        LINEAR("decoder.#.feed_forward.down", "model.decoder.layers.#.fc2"),                       \
        NORM("decoder.#.norm_feed_forward", "model.decoder.layers.#.final_layer_norm")

static const attn_weight_rule marian_rules[] = {
    NAMES, {"positions", "model.encoder.embed_positions.weight", ATTN_WEIGHT_SAME, 0, 0}};

static const attn_weight_rule fairseq_rules[] = {
    NAMES,
    {"positions", "model.encoder.embed_positions.weight", ATTN_WEIGHT_LATER_ROWS, 2, 0},
    {"target_positions", "model.decoder.embed_positions.weight", ATTN_WEIGHT_LATER_ROWS, 2, 0}};

/* The sinusoids are computed; where embeddings are tied, their other names may be in the file as well; fairseq keeps its
 * optimizer's numbers beside the model. */
static const char *const idle[] = {"model.encoder.embed_positions.",
                                   "model.decoder.embed_positions.",
                                   "model.encoder.embed_tokens.",
                                   "model.decoder.embed_tokens.",
                                   "model.decoder.output_projection.",
                                   "model.encoder.version",
                                   "model.decoder.version",
                                   "last_optimizer_state.",
                                   "extra_state.",
                                   "criterion.",
                                   "model.shared.",
                                   "lm_head.",
                                   NULL};

/* The decoder's positions are the encoder's, which is checked. */
static const char *const marian_idle[] = {"model.decoder.embed_positions.",
                                          "model.encoder.embed_tokens.",
                                          "model.decoder.embed_tokens.",
                                          "model.shared.",
                                          "lm_head.",
                                          NULL};

const attn_weight_map attn_weights_hugging_face = {
    .rules = marian_rules,
    .rule_count = sizeof marian_rules / sizeof marian_rules[0],
    .idle = marian_idle,
};

const attn_weight_map attn_weights_fairseq = {
    .rules = fairseq_rules,
    .rule_count = sizeof fairseq_rules / sizeof fairseq_rules[0],
    .idle = idle,
};
