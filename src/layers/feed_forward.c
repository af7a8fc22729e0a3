/* layers/feed_forward.c: down(dropout(activation(up(x)))), the second half of a Transformer layer.
 */
#include <stdio.h>

#include "layers/layers.h"

attn_feed_forward attn_feed_forward_declare(attn_params *params, const char *name, int64_t channels,
                                            int64_t hidden) {
    char full[96];
    attn_feed_forward feed_forward;
    snprintf(full, sizeof full, "%s.up", name);
    feed_forward.up = attn_linear_declare(params, full, channels, hidden);
    snprintf(full, sizeof full, "%s.down", name);
    feed_forward.down = attn_linear_declare(params, full, hidden, channels);
    return feed_forward;
}

attn_tensor *attn_layer_feed_forward(attn_tape *tape, attn_tensor *x,
                                     const attn_feed_forward *feed_forward,
                                     attn_activation activation, double dropout) {
    attn_tape_layer(tape, "attn_layer_feed_forward");
    attn_tensor *hidden = attn_layers_linear(tape, x, &feed_forward->up, activation);
    hidden = hidden != NULL ? attn_layers_dropout(tape, hidden, dropout) : NULL;
    return hidden == NULL
               ? NULL
               : attn_layers_linear(tape, hidden, &feed_forward->down, ATTN_ACTIVATION_NONE);
}
