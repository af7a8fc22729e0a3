/* layers/relative.c: what self attention adds to a score for the distance between query and key.
 *
 *     bias[h, j - i] = table[bucket(j - i), h]
 *
 * H heads. The kernel reads one number a distance and head and gives back its gradient (attn_attention_distance_bias), so
 * that no array of queries by keys exists; several layers add to the gradient of one table.
 * Source: Raffel et al. 2020, "T5", section 2.1. Next: layers/attention.c, which calls this. */
#include "attn/attention.h"
#include "layers/layers.h"

attn_relative attn_relative_declare(attn_params *params, const char *name, int64_t buckets,
                                    int64_t heads, int64_t longest) {
    return (attn_relative){attn_params_declare(params, name, buckets, heads, ATTN_INIT_ZERO),
                           longest};
}

void attn_layers_relative_bias(const attn_relative *relative, bool both_ways, int64_t first,
                               int64_t count, real *bias) {
    const attn_param *table = relative->table;
    for (int64_t n = 0; n < count; n++) {
        int64_t bucket =
            attn_attention_bucket(first + n, both_ways, table->rows, relative->longest);
        for (int64_t h = 0; h < table->cols; h++) {
            bias[h * count + n] = table->data[bucket * table->cols + h];
        }
    }
}

/* bias[h, n] = table[bucket(first + n), h] */
void attn_layers_relative_gradient(const attn_relative *relative, bool both_ways, int64_t first,
                                   int64_t count, const real *d_bias) {
    const attn_param *table = relative->table;
    for (int64_t n = 0; n < count; n++) {
        int64_t bucket =
            attn_attention_bucket(first + n, both_ways, table->rows, relative->longest);
        for (int64_t h = 0; h < table->cols; h++) {
            table->grad[bucket * table->cols + h] += d_bias[h * count + n];
        }
    }
}

bool attn_layers_relative(attn_tape *tape, const attn_relative *relative, int64_t heads) {
    if (!attn_layers_param(tape, relative->table, "the table of relative positions")) {
        return false;
    }
    const attn_param *table = relative->table;
    bool good = table->cols == heads && table->rows >= 4 && relative->longest > table->rows / 2;
    if (!good) {
        attn_tape_fail(
            tape, ATTN_ERR_ARGUMENT,
            "relative positions in %lld buckets up to the distance %lld, for %lld of %lld "
            "heads: they need a column a head, 4 buckets or more, and a distance above "
            "half of the buckets",
            (long long)table->rows, (long long)relative->longest, (long long)table->cols,
            (long long)heads);
    }
    return good;
}
