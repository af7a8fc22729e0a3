/* show/explain_parts.h: what explain.c and explain_layer.c share. */
#ifndef ATTN_SHOW_EXPLAIN_PARTS_H
#define ATTN_SHOW_EXPLAIN_PARTS_H

#include "base/memory.h"
#include "models/translator_notes.h"
#include "show/explain.h"

struct attn_explain {
    attn_translator *model;
    attn_tape *tape;
    attn_arena arena; /* holds the ids and the arrays of the steps */
    const int32_t *source, *target;
    int64_t source_length, target_length;
};

/* One layer: what the model noted of it, and that layer's weights. */
typedef struct attn_explain_view {
    attn_explain_shape shape;
    int64_t kv_heads;
    bool causal, norm_last;
    bool of_source;          /* queries are words of the source */
    const int32_t *ids;      /* [Q] */
    const attn_param *words; /* the table that they are looked up in */
    attn_translator_notes note;
    const attn_param *weight[4], *bias[4]; /* query, key, value, output */
} attn_explain_view;

/* ATTN_ERR_ARGUMENT: no such layer, or what attn_translator_find_notes says. */
ATTN_MUST_CHECK attn_status attn_explain_view_layer(const attn_explain *explain,
                                                    attn_translator_part part, int64_t layer,
                                                    attn_explain_view *out, attn_error *error);
/* own: the model's weights, [H, Q, K]. */
ATTN_MUST_CHECK attn_status attn_explain_compute_layer(attn_explain *explain,
                                                       const attn_explain_view *view,
                                                       const attn_real *own,
                                                       attn_explain_layer *out, attn_error *error);

#endif
