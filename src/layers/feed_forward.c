/* layers/feed_forward.c: down(dropout(activation(up(x)))), the second half of a Transformer layer;
 * gated: down(dropout(activation(gate(x)) * up(x))). */
#include <stdio.h>

#include "layers/layers.h"

attn_feed_forward attn_feed_forward_declare(attn_params *params, const char *name, int64_t channels,
                                            int64_t hidden) {
    char full[96];
    attn_feed_forward feed_forward = {.gate = {.weight = NULL}};
    snprintf(full, sizeof full, "%s.up", name);
    feed_forward.up = attn_linear_declare(params, full, channels, hidden);
    snprintf(full, sizeof full, "%s.down", name);
    feed_forward.down = attn_linear_declare(params, full, hidden, channels);
    return feed_forward;
}

attn_feed_forward attn_feed_forward_declare_gated(attn_params *params, const char *name,
                                                  int64_t channels, int64_t hidden) {
    char full[96];
    attn_feed_forward feed_forward = attn_feed_forward_declare(params, name, channels, hidden);
    snprintf(full, sizeof full, "%s.gate", name);
    feed_forward.gate = attn_linear_declare(params, full, channels, hidden);
    return feed_forward;
}

attn_tensor *attn_layers_hidden(attn_tape *tape, attn_tensor *x,
                                const attn_feed_forward *feed_forward, attn_activation activation,
                                double dropout) {
    bool gated = feed_forward->gate.weight != NULL;
    attn_tensor *hidden =
        attn_layers_linear(tape, x, &feed_forward->up, gated ? ATTN_ACTIVATION_NONE : activation);
    if (gated && hidden != NULL) {
        attn_tensor *gate = attn_layers_linear(tape, x, &feed_forward->gate, activation);
        hidden = gate != NULL ? attn_layers_multiply(tape, gate, hidden) : NULL;
    }
    return hidden != NULL ? attn_layers_dropout(tape, hidden, dropout) : NULL;
}

attn_tensor *attn_layer_feed_forward(attn_tape *tape, attn_tensor *x,
                                     const attn_feed_forward *feed_forward,
                                     attn_activation activation, double dropout) {
    attn_tape_layer(tape, "attn_layer_feed_forward");
    attn_tensor *hidden = attn_layers_hidden(tape, x, feed_forward, activation, dropout);
    return hidden == NULL
               ? NULL
               : attn_layers_linear(tape, hidden, &feed_forward->down, ATTN_ACTIVATION_NONE);
}
