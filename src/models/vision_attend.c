/* models/vision_attend.c: what one token of a picture attends to, from the notes of a pass.
 *
 * The weights of one query are computed again from what the attention layer noted. Next: vision_file.c. */
#include <stdio.h>

#include "attn/attention.h"
#include "base/fail.h"
#include "models/vision.h"

int64_t attn_vision_blocks(const attn_vision *m) {
    int64_t blocks = 0;
    for (int i = 0; i < m->config.stages; i++) {
        blocks += m->config.stage[i].layers;
    }
    return blocks;
}

static int stage_of(const attn_vision *m, int64_t block) {
    int stage = 0;
    while (stage < m->config.stages - 1 && block >= m->config.stage[stage].layers) {
        block -= m->config.stage[stage++].layers;
    }
    return stage;
}

int64_t attn_vision_heads(const attn_vision *m, int64_t block) {
    return m->config.stage[stage_of(m, block)].heads;
}

void attn_vision_grids(const attn_vision *m, int64_t height, int64_t width, int64_t block,
                       attn_grid *queries, attn_grid *keys) {
    int stage = stage_of(m, block);
    int64_t shrink = m->config.stage[stage].shrink;
    *queries = (attn_grid){1, height, width};
    for (int i = 0; i <= stage; i++) {
        *queries = attn_window_grid(&m->stage[i].patches.window, queries);
    }
    *keys = (attn_grid){1, queries->height / shrink, queries->width / shrink};
}

attn_status attn_vision_attend(const attn_vision *m, const attn_tape *tape, int64_t height,
                               int64_t width, int64_t block, int64_t token, real *weights,
                               attn_error *error) {
    if (block < 0 || block >= attn_vision_blocks(m)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "there is no block %lld",
                         (long long)block);
    }
    const attn_vision_stage *s = &m->config.stage[stage_of(m, block)];
    attn_grid queries, keys;
    attn_vision_grids(m, height, width, block, &queries, &keys);
    int64_t class_token = vision_has_class_token(m);
    int64_t places = keys.height * keys.width + class_token;
    char name[72];
    snprintf(name, sizeof name, "block.%lld.query", (long long)block);
    const attn_tensor *query = attn_tape_noted(tape, name);
    snprintf(name, sizeof name, "block.%lld.%s", (long long)block,
             s->shrink > 1 ? "key_value" : "joined");
    const attn_tensor *key = attn_tape_noted(tape, name);
    snprintf(name, sizeof name, "block.%lld.lse", (long long)block);
    const attn_tensor *lse = attn_tape_noted(tape, name);
    if (query == NULL || key == NULL || lse == NULL || key->rows < places || token < 0 ||
        token >= queries.height * queries.width + class_token || token >= query->rows) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "watch the tape (attn_tape_watch) and run a picture of this size first",
                         "no attention of token %lld was recorded for block %lld", (long long)token,
                         (long long)block);
    }
    int64_t size = s->channels / s->heads;
    real own[256];
    attn_attention call;
    attn_attention_init(&call, 1, s->heads, s->heads, 1, places, size, size);
    call.query = (attn_strides){0, query->cols, size};
    call.key = (attn_strides){0, key->cols, size};
    for (int64_t h = 0; h < s->heads; h++) {
        own[h] = lse->data[h * lse->cols + token];
    }
    return attn_attention_weights(&call, query->data + token * query->cols,
                                  key->data + (key == query ? s->channels : 0), own, weights, NULL,
                                  error);
}
