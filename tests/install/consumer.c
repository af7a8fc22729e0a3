/* A program as a user of the installed library would write it: two tokens attend to each other.
 *
 * Built outside the source tree by tests/install/test_use.sh, as C and with each kind of link. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <attn/attention.h>
#include <attn/threads.h>
#include <attn/version.h>

/* Query 0 matches key 0 with score log 3, key 1 with score 0: its weights are 3/4 and 1/4. */
int main(int argc, char **argv) {
    float query[2] = {1.0986123f, 0}, key[2] = {1, 0}, value[2] = {8, 4}, output[2];
    attn_attention attention;
    attn_attention_init(&attention, 1, 1, 1, 2, 2, 1, 1);
    attn_error error = {ATTN_OK, -1, "", "", ""};
    if (attn_attention_forward(&attention, query, key, value, output, NULL, &error) != ATTN_OK) {
        char text[1024];
        fprintf(stderr, "%s\n", attn_error_format(&error, text, (int)sizeof text));
        return 1;
    }
    if (argc != 2 || strcmp(attn_version(), argv[1]) != 0 ||
        strcmp(ATTN_VERSION_STRING, argv[1]) != 0 || attn_version_number() < ATTN_VERSION_NUMBER) {
        fprintf(stderr, "version %s, not the one of the package\n", attn_version());
        return 1;
    }
    /* The gradients of a sum: d_value is what a key's value was looked at by both queries. */
    float lse[2], ones[2] = {1, 1}, d_value[2];
    attn_attention_gradients gradients;
    attn_attention_gradients_init(&gradients);
    gradients.d_value = d_value;
    if (attn_attention_forward(&attention, query, key, value, output, lse, &error) != ATTN_OK ||
        attn_attention_backward(&attention, query, key, value, output, lse, ones, &gradients,
                                &error) != ATTN_OK ||
        fabsf(d_value[0] - 1.25f) > 1e-5f) {
        fprintf(stderr, "the backward is wrong: %s\n", error.what);
        return 1;
    }
    printf("attn %s (%s): %g %g\n", attn_version(), attn_isa_name(), output[0], output[1]);
    return fabsf(output[0] - 7) < 1e-5f && fabsf(output[1] - 6) < 1e-5f ? 0 : 1;
}
