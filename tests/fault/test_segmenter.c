/* tests/fault/test_segmenter.c: every allocation of a segmenter's life fails once.
 * Next: support/faulty_life.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/faulty_life.h"
#include "support/tiny_segmenter.h"

enum { HEIGHT = 13, WIDTH = 18, PIXELS = HEIGHT * WIDTH };

/* What a life computes. */
typedef struct results {
    double loss, gradient;
    attn_real probabilities[PIXELS * TINY_CLASSES];
    uint8_t classes[PIXELS];
} results;

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

typedef struct segmenter_case {
    attn_mixer mixer;
    tiny_pictures pictures;
} segmenter_case;

static attn_status life(const void *of, const char *path, void *out) {
    const segmenter_case *what = of;
    attn_segmenter_config config = tiny_config(what->mixer);
    attn_segmenter *model = NULL;
    attn_error error = {0};
    void *bytes = NULL;
    size_t size = 0;
    attn_status status = attn_segmenter_create(&config, true, &model, &error);
    assert_true((model == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK) {
        tiny_fill(model);
        status = training(model, &what->pictures, out);
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
            status = running(model, &what->pictures, out);
            attn_segmenter_free(model);
        }
    }
    attn_segmenter_free_bytes(bytes);
    return status;
}

static void every_allocation_fails_once(void **state) {
    static segmenter_case what;
    static results expected, got;
    what.mixer = (attn_mixer)(intptr_t)*state;
    tiny_pictures_fill(&what.pictures, 0, 1, HEIGHT, WIDTH);
    check_faulty_life(life, &what, &expected, &got, sizeof got, 30);
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
