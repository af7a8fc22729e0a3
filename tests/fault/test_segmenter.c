/* tests/fault/test_segmenter.c: every allocation of a segmenter's life fails once.
 *
 * As in test_translator.c: each failure must be reported as such, nothing may be left behind, and what
 * memory holds before it is written to must not show in a result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "attn/threads.h"
#include "support/faulty_heap.h"
#include "support/tiny_segmenter.h"

enum { HEIGHT = 13, WIDTH = 18, PIXELS = HEIGHT * WIDTH };

/* What a life computes. */
typedef struct results {
    double loss, gradient;
    attn_real probabilities[PIXELS * TINY_CLASSES];
    uint8_t classes[PIXELS];
} results;

static char path[64];

static attn_status training(attn_segmenter *model, const tiny_pictures *pictures, results *out) {
    attn_tape *tape = NULL;
    double nll = 0;
    attn_status status = attn_tape_create(&tape, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tape_begin(tape, true, 3, 1);
    status = attn_segmenter_loss(model, tape, &pictures->view, 1, &out->loss, &nll, NULL);
    if (status == ATTN_OK) {
        status = attn_tape_backward(tape, NULL);
    }
    attn_params *params = attn_segmenter_params(model);
    for (int64_t i = 0; status == ATTN_OK && i < attn_params_size(params); i++) {
        out->gradient += (double)attn_params_grad(params)[i];
    }
    attn_tape_free(tape);
    return status;
}

static attn_status running(attn_segmenter *model, const tiny_pictures *pictures, results *out) {
    attn_tape *tape = NULL;
    attn_error error = {0};
    attn_status status = attn_tape_create(&tape, NULL);
    if (status == ATTN_OK) {
        status = attn_segmenter_predict(model, tape, &pictures->view.pictures, out->classes,
                                        out->probabilities, &error);
    }
    attn_tape_free(tape);
    return status;
}

static attn_status life(attn_mixer mixer, const tiny_pictures *pictures, results *out) {
    attn_segmenter_config config = tiny_config(mixer);
    attn_segmenter *model = NULL;
    attn_error error = {0};
    void *bytes = NULL;
    size_t size = 0;
    memset(out, 0, sizeof *out);
    attn_status status = attn_segmenter_create(&config, true, &model, &error);
    assert_true((model == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK) {
        tiny_fill(model);
        status = training(model, pictures, out);
    }
    if (status == ATTN_OK) {
        status = attn_segmenter_save(model, ATTN_STORE_I8, "sky", 3, NULL, 0, path, &error);
    }
    attn_segmenter_free(model);
    if (status == ATTN_OK) {
        status = attn_segmenter_load(path, false, &model, &bytes, &size, &error);
        assert_true((model == NULL) == (status != ATTN_OK));
        assert_true((bytes == NULL) == (status != ATTN_OK));
        if (status == ATTN_OK) {
            status = running(model, pictures, out);
            attn_segmenter_free(model);
        }
    }
    attn_segmenter_free_bytes(bytes);
    return status;
}

static void every_allocation_fails_once(void **state) {
    static tiny_pictures pictures;
    static results expected, got;
    attn_mixer mixer = (attn_mixer)(intptr_t)*state;
    tiny_pictures_fill(&pictures, 0, 1, HEIGHT, WIDTH);
    memcpy(path, "/tmp/attn-test-XXXXXX", sizeof "/tmp/attn-test-XXXXXX");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    attn_set_threads(1);
    assert_int_equal(life(mixer, &pictures, &expected), ATTN_OK);
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    attn_status status = ATTN_ERR_MEMORY;
    for (long n = 1; status != ATTN_OK; n++) {
        heap = (faulty){.fail_at = n};
        status = life(mixer, &pictures, &got);
        if (heap.live != 0 || (heap.calls >= n && status != ATTN_ERR_MEMORY)) {
            attn_set_allocator(NULL, NULL, NULL);
            fail_msg("allocation %ld failed: status %d, %ld pieces left", n, status, heap.live);
        }
    }
    attn_set_allocator(NULL, NULL, NULL);
    assert_true(heap.calls > 30);
    assert_memory_equal(&got, &expected, sizeof got);
    attn_set_threads(0);
    unlink(path);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(every_allocation_fails_once),
    };
    for (intptr_t i = 0; i < 3; i++) { /* global, window, depthwise */
        tests[i].initial_state = (void *)i;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
