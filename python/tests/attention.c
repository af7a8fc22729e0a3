/* python/tests/attention.c: a causal, capped attention with grouped queries, as a C program writes it. Query, key, value
 * and d_output come from standard input; output, LSE and the three gradients go to standard output. */
#include <attn/attn.h>
#include <stdio.h>
#include <stdlib.h>

static float *room(size_t count) {
    float *memory = malloc(count * sizeof(float));
    if (memory == NULL) {
        exit(1);
    }
    return memory;
}

static float *get(size_t count) {
    float *memory = room(count);
    if (fread(memory, sizeof(float), count, stdin) != count) {
        exit(1);
    }
    return memory;
}

int main(int argc, char **argv) {
    size_t n[7];
    for (int i = 0; i < 7; i++) {
        n[i] = argc == 8 ? strtoul(argv[i + 1], NULL, 10) : 1;
    }
    size_t queries = n[0] * n[1] * n[3], keys = n[0] * n[2] * n[4];
    float *query = get(queries * n[5]), *key = get(keys * n[5]), *value = get(keys * n[6]);
    float *d_output = get(queries * n[6]), *output = room(queries * n[6]), *lse = room(queries);
    attn_attention a;
    attn_attention_init(&a, (int64_t)n[0], (int64_t)n[1], (int64_t)n[2], (int64_t)n[3],
                        (int64_t)n[4], (int64_t)n[5], (int64_t)n[6]);
    a.causal = true;
    a.softcap = 20;
    /* [B, H, T, size] */
    a.query = (attn_strides){(int64_t)(n[1] * n[3] * n[5]), (int64_t)n[5], (int64_t)(n[3] * n[5])};
    a.key = (attn_strides){(int64_t)(n[2] * n[4] * n[5]), (int64_t)n[5], (int64_t)(n[4] * n[5])};
    a.value = (attn_strides){(int64_t)(n[2] * n[4] * n[6]), (int64_t)n[6], (int64_t)(n[4] * n[6])};
    a.output = (attn_strides){(int64_t)(n[1] * n[3] * n[6]), (int64_t)n[6], (int64_t)(n[3] * n[6])};
    attn_attention_gradients g = {.size = sizeof g};
    g.d_query = room(queries * n[5]);
    g.d_key = room(keys * n[5]);
    g.d_value = room(keys * n[6]);
    if (attn_attention_forward(&a, query, key, value, output, lse, NULL) != ATTN_OK ||
        attn_attention_backward(&a, query, key, value, output, lse, d_output, &g, NULL) !=
            ATTN_OK) {
        return 1;
    }
    fwrite(output, sizeof(float), queries * n[6], stdout);
    fwrite(lse, sizeof(float), queries, stdout);
    fwrite(g.d_query, sizeof(float), queries * n[5], stdout);
    fwrite(g.d_key, sizeof(float), keys * n[5], stdout);
    fwrite(g.d_value, sizeof(float), keys * n[6], stdout);
    return 0;
}
