/* tests/fault/test_translator.c: every allocation of a translator's life fails once.
 *
 * The life is run with its first allocation failing, then its second, and so on until one run needs
 * no more. Each failure must be reported as such, and nothing may be left behind. What memory holds
 * before it is written to is NaN, so a result that reads it is not that of the first run. */
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
#include "support/tiny_translator.h"

enum { STEPS = 3, ROWS = 4 };

/* What a life computes. */
typedef struct results {
    double loss, gradient;
    attn_real logits[STEPS][ROWS * TINY_VOCABULARY];
    attn_real attention[ROWS * 40];
} results;

static char path[64];

static attn_status training(attn_translator *model, const tiny_batch *batch, results *out) {
    attn_tape *tape = NULL;
    double nll = 0;
    attn_status status = attn_tape_create(&tape, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tape_begin(tape, true, 3, 1);
    status = attn_translator_loss(model, tape, &batch->view, 1, &out->loss, &nll, NULL);
    if (status == ATTN_OK) {
        status = attn_tape_backward(tape, NULL);
    }
    attn_params *params = attn_translator_params(model);
    for (int64_t i = 0; status == ATTN_OK && i < attn_params_size(params); i++) {
        out->gradient += attn_params_grad(params)[i];
    }
    attn_tape_free(tape);
    return status;
}

/* Rows 2 and 3 part from rows 0 and 1 at the second step. */
static attn_status decoding(attn_translator *model, const attn_shortlist *list,
                            const tiny_batch *batch, results *out) {
    static const int32_t tokens[STEPS][ROWS] = {{2, 2}, {5, 6, 7, 8}, {9, 10, 11, 12}};
    static const int64_t parents[STEPS][ROWS] = {{0, 1}, {1, 0, 0, 1}, {3, 2, 2, 0}};
    attn_translator_state *state = NULL;
    attn_error error = {0};
    attn_status status = attn_translator_state_create(model, &state, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    assert_int_equal(attn_translator_state_use(state, list, 3, NULL), ATTN_OK);
    status =
        attn_translator_encode(state, 2, batch->source, batch->source_starts, ROWS, STEPS, &error);
    for (int t = 0; status == ATTN_OK && t < STEPS; t++) {
        status = attn_translator_step(state, t == 0 ? 2 : ROWS, tokens[t], parents[t],
                                      out->logits[t], out->attention, &error);
    }
    if (status != ATTN_OK) {
        /* A state that failed takes no further step, and says so. */
        assert_int_equal(error.status, status);
        assert_int_equal(
            attn_translator_step(state, 1, tokens[0], parents[0], out->logits[0], NULL, &error),
            ATTN_ERR_ARGUMENT);
    }
    attn_translator_state_free(state);
    return status;
}

/* With all words, then with the few of a shortlist. */
static attn_status decoding_twice(attn_translator *model, const tiny_batch *batch, results *out) {
    static const int32_t frequent[] = {5, 30}, likely[2 * TINY_VOCABULARY];
    attn_shortlist *list = NULL;
    attn_status status = decoding(model, NULL, batch, out);
    if (status == ATTN_OK) {
        status = attn_shortlist_create(TINY_VOCABULARY, 0, 2, frequent, 2, likely, &list, NULL);
        assert_true((list == NULL) == (status != ATTN_OK));
    }
    if (status == ATTN_OK) {
        status = decoding(model, list, batch, out);
    }
    attn_shortlist_free(list);
    return status;
}

static attn_status life(const tiny_batch *batch, attn_compute compute, bool packed, results *out) {
    attn_translator_config config = tiny_config();
    attn_translator *model = NULL;
    attn_error error = {0};
    void *bytes = NULL;
    size_t size = 0;
    memset(out, 0, sizeof *out);
    attn_status status = attn_translator_create(&config, true, &model, &error);
    assert_true((model == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK) {
        tiny_fill(model);
        status = training(model, batch, out);
    }
    if (status == ATTN_OK) {
        status = attn_translator_save(model, ATTN_STORE_I8, "pieces", 6, NULL, 0, path, &error);
    }
    attn_translator_free(model);
    if (status == ATTN_OK) {
        status = packed ? attn_translator_load_packed(path, compute, &model, &bytes, &size, &error)
                        : attn_translator_load(path, false, compute, &model, &bytes, &size, &error);
        assert_true((model == NULL) == (status != ATTN_OK));
        assert_true((bytes == NULL) == (status != ATTN_OK));
        if (status == ATTN_OK) {
            status = decoding_twice(model, batch, out);
            attn_translator_free(model);
        }
    }
    attn_translator_free_bytes(bytes);
    return status;
}

static void check_life(attn_compute compute, bool packed) {
    static tiny_batch batch;
    static results expected, got;
    tiny_batch_begin(&batch);
    tiny_batch_add(&batch, 1, 5, 7);
    tiny_batch_add(&batch, 2, 40, 3);
    memcpy(path, "/tmp/attn-test-XXXXXX", sizeof "/tmp/attn-test-XXXXXX");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    attn_set_threads(1);
    assert_int_equal(life(&batch, compute, packed, &expected), ATTN_OK);
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    attn_status status = ATTN_ERR_MEMORY;
    for (long n = 1; status != ATTN_OK; n++) {
        heap = (faulty){.fail_at = n};
        status = life(&batch, compute, packed, &got);
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

static void test_every_allocation_fails_once(void **unused) {
    (void)unused;
    check_life(ATTN_COMPUTE_F32, false);
    check_life(ATTN_COMPUTE_I8, false);
    check_life(ATTN_COMPUTE_F32, true);
    check_life(ATTN_COMPUTE_I8, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
