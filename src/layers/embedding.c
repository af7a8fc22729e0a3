/* layers/embedding.c: y[t] = scale * table[id[t]] + position[position_id[t]], y [N, C].
 *
 * The table is usually also the output projection (layers/output_loss.c): its gradient adds up from
 * both. */
#include "base/trig.h"
#include "layers/layers.h"

void attn_sinusoid_table(attn_sinusoids kind, int64_t first, int64_t length, int64_t channels,
                         attn_real *table) {
    const double log2_10000 = 13.287712379549449;
    int64_t half = channels / 2;
    int64_t last = kind == ATTN_SINUSOIDS_PAPER ? half : half - 1;
    for (int64_t i = 0; i < half; i++) {
        double exponent = last > 0 ? (double)i / (double)last : 0.0;
        double frequency = attn_exp2_double(-exponent * log2_10000);
        for (int64_t p = 0; p < length; p++) {
            double sine, cosine;
            attn_sin_cos((double)(first + p) * frequency, &sine, &cosine);
            table[p * channels + i] = (real)sine;
            table[p * channels + half + i] = (real)cosine;
        }
    }
    for (int64_t p = 0; channels % 2 == 1 && p < length; p++) {
        table[p * channels + channels - 1] = 0;
    }
}

typedef struct embedding_record {
    attn_param *table, *learned;
    real scale;
    const int32_t *ids, *position_ids;
    attn_tensor *y;
} embedding_record;

static void embedding_backward(attn_tape *tape, void *record) {
    (void)tape;
    const embedding_record *r = record;
    if (r->y->grad == NULL) {
        return;
    }
    /* y = scale * table[ids] + ... */
    if (!r->table->frozen) {
        attn_embedding_backward(r->y->rows, r->y->cols, r->ids, r->table->rows, r->scale,
                                r->y->grad, r->table->grad);
    }
    /* ... + position[position_ids] */
    if (!attn_layers_frozen(r->learned)) {
        attn_embedding_backward(r->y->rows, r->y->cols, r->position_ids, r->learned->rows, 1,
                                r->y->grad, r->learned->grad);
    }
}

bool attn_layers_ids(attn_tape *tape, const int32_t *ids, const char *name, int64_t count,
                     int64_t bound, const char *what) {
    if (count > 0 && !attn_layers_given(tape, ids, name)) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= bound) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "%s[%lld] is %d, %s has %lld rows", name,
                           (long long)i, (int)ids[i], what, (long long)bound);
            return false;
        }
    }
    return true;
}

attn_tensor *attn_layer_embedding(attn_tape *tape, attn_param *table, attn_real scale,
                                  const attn_positions *positions, int64_t tokens,
                                  const int32_t *ids, const int32_t *position_ids) {
    attn_tape_layer(tape, "attn_layer_embedding");
    if (!attn_layers_param(tape, table, "table") ||
        !attn_layers_ids(tape, ids, "ids", tokens, table->rows, "the table") ||
        (positions != NULL && !attn_layers_ids(tape, position_ids, "position_ids", tokens,
                                               positions->length, "the table of positions"))) {
        return NULL;
    }
    attn_tape_uses(tape, positions != NULL ? positions->learned : NULL);
    attn_tensor *y = attn_tape_tensor(tape, tokens, table->cols);
    embedding_record *r = attn_tape_record(tape, sizeof *r, embedding_backward);
    if (y == NULL || attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    attn_param *learned = positions != NULL ? positions->learned : NULL;
    if (r != NULL) {
        *r = (embedding_record){table, learned, scale, ids, position_ids, y};
        y->constant = table->frozen && attn_layers_frozen(learned);
    }
    const real *position_table = NULL;
    if (positions != NULL) {
        position_table = learned != NULL ? learned->data : positions->table;
    }
    attn_embedding_forward(tokens, table->cols, ids, table->data, scale, position_ids,
                           position_table, y->data);
    return y;
}
