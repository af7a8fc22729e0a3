/* tests/fault/test_encoder.c: every allocation of an encoder's life fails once: made, run, looked into, saved, loaded, run again.
 * Next: support/faulty_life.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/faulty_life.h"
#include "support/tiny_encoder.h"

enum { TOKENS = 12 };
static const int32_t ids[TOKENS] = {2, 5, 6, 7, 3, 2, 13, 14, 9, 8, 15, 3};
static const int64_t starts[] = {0, 5, TOKENS};

typedef struct results {
    float vectors[2 * TINY_CHANNELS];
    attn_real weights[4 * 7 * 7];
} results;

static attn_status run(const attn_encoder *model, results *out) {
    attn_tape *tape = NULL;
    attn_encoder_batch batch = {.count = 2, .ids = ids, .starts = starts};
    attn_status status = attn_tape_create(&tape, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tape_watch(tape, true);
    attn_tape_begin(tape, false, 0, 0);
    const attn_tensor *tokens = attn_encoder_forward(model, tape, &batch);
    status = attn_tape_status(tape);
    assert_true((tokens == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK) {
        attn_encoder_pool(tokens, &batch, ATTN_POOLING_MEAN, true, out->vectors);
        status = attn_encoder_attend(model, tape, &batch, 1, 2, out->weights, NULL);
    }
    attn_tape_free(tape);
    return status;
}

static attn_status life(const void *what, const char *path, void *out) {
    const attn_encoder_config *config = what;
    attn_encoder *model = NULL;
    void *bytes = NULL;
    size_t size = 0;
    attn_status status = attn_encoder_create(config, false, &model, NULL);
    assert_true((model == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK) {
        tiny_encoder_fill(model);
        status = run(model, out);
    }
    if (status == ATTN_OK) {
        status = attn_encoder_save(model, ATTN_STORE_F32, "words", 5, NULL, 0, path, NULL);
    }
    attn_encoder_free(model);
    if (status == ATTN_OK) {
        status = attn_encoder_load(path, false, ATTN_COMPUTE_F32, &model, &bytes, &size, NULL);
        assert_true((model == NULL) == (status != ATTN_OK));
        assert_true((bytes == NULL) == (status != ATTN_OK));
        if (status == ATTN_OK) {
            status = run(model, out);
            attn_encoder_free(model);
        }
    }
    attn_encoder_free_bytes(bytes);
    return status;
}

static void test_every_allocation_fails_once(void **unused) {
    (void)unused;
    static results expected, got;
    attn_encoder_config config = tiny_encoder_config();
    config.embedding_size = 10;
    check_faulty_life(life, &config, &expected, &got, sizeof got, 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
