/* tests/fault/test_encoder.c: every allocation of an encoder's life fails once: made, run, looked into, saved, loaded, run again.
 *
 * Each failure must be reported as such, and nothing may be left behind. Next: test_translator.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "attn/threads.h"
#include "support/faulty_heap.h"
#include "support/tiny_encoder.h"

enum { TOKENS = 12 };
static const int32_t ids[TOKENS] = {2, 5, 6, 7, 3, 2, 13, 14, 9, 8, 15, 3};
static const int64_t starts[] = {0, 5, TOKENS};

typedef struct results {
    float vectors[2 * TINY_CHANNELS];
    attn_real weights[4 * 7 * 7];
} results;

static char path[64];

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

static attn_status life(const attn_encoder_config *config, results *out) {
    attn_encoder *model = NULL;
    void *bytes = NULL;
    size_t size = 0;
    memset(out, 0, sizeof *out);
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
    memcpy(path, "/tmp/attn-test-XXXXXX", sizeof "/tmp/attn-test-XXXXXX");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    attn_set_threads(1);
    assert_int_equal(life(&config, &expected), ATTN_OK);
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    attn_status status = ATTN_ERR_MEMORY;
    for (long n = 1; status != ATTN_OK; n++) {
        heap = (faulty){.fail_at = n};
        status = life(&config, &got);
        if (heap.live != 0 || (heap.calls >= n && status != ATTN_ERR_MEMORY)) {
            attn_set_allocator(NULL, NULL, NULL);
            fail_msg("allocation %ld failed: status %d, %ld pieces left", n, status, heap.live);
        }
    }
    attn_set_allocator(NULL, NULL, NULL);
    assert_true(heap.calls > 50);
    assert_memory_equal(&got, &expected, sizeof got);
    attn_set_threads(0);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
