/* examples/attention.c: fused attention on its own: three words, two heads, and which word attends to which.
 *
 *     cc attention.c $(pkg-config --cflags --libs attn) -o attention && ./attention
 *
 * Letters: T words, H heads, D head size; tensors are [T, H, D]. Next: layers.c. */
#include <stdio.h>

#include <attn/attention.h>

enum { T = 3, H = 2, D = 4 };

int main(void) {
    static const char *const words[T] = {"the", "tired", "animal"};
    float query[T][H][D], key[T][H][D], value[T][H][D], output[T][H][D];
    float lse[H][T], weights[H][T][T];
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < H; h++) {
            for (int d = 0; d < D; d++) {
                query[t][h][d] = (float)((t + 2 * h + d) % 3);
                key[t][h][d] = (float)((2 * t + h + d) % 4);
                value[t][h][d] = (float)(10 * t + d);
            }
        }
    }

    attn_attention attention;
    attn_attention_init(&attention, 1, H, H, T, T, D, D);
    attention.causal = true; /* no word sees those after it */

    attn_error error;
    attn_status status =
        attn_attention_forward(&attention, &query[0][0][0], &key[0][0][0], &value[0][0][0],
                               &output[0][0][0], &lse[0][0], &error);
    if (status == ATTN_OK) {
        /* The weights were never stored; they are computed again from LSE. */
        status = attn_attention_weights(&attention, &query[0][0][0], &key[0][0][0], &lse[0][0],
                                        &weights[0][0][0], NULL, &error);
    }
    if (status != ATTN_OK) {
        fprintf(stderr, "attention: %s\n", error.what);
        return 1;
    }
    for (int h = 0; h < H; h++) {
        for (int i = 0; i < T; i++) {
            printf("head %d, %-6s looks at", h, words[i]);
            for (int j = 0; j <= i; j++) {
                printf("  %s %.3f", words[j], weights[h][i][j]);
            }
            printf("\n");
        }
    }
    return 0;
}
