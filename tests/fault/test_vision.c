/* tests/fault/test_vision.c: every allocation in the life of a SegFormer and of a ViT fails once: made, run, looked into, saved,
 * loaded, run again.
 * Next: support/faulty_life.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/vision.h"
#include "support/faulty_life.h"

enum { SIDE = 32, CLASSES = 3, MOST = SIDE * SIDE * CLASSES };

typedef struct results {
    attn_real said[MOST], weights[256];
} results;

static uint8_t pixels[SIDE * SIDE * 3];

static attn_vision_config config_of(bool vit) {
    attn_vision_config c = {.network = vit ? ATTN_VISION_VIT : ATTN_VISION_SEGFORMER,
                            .head = vit ? ATTN_VISION_CLASSIFY : ATTN_VISION_SEGMENT,
                            .stages = vit ? 1 : 2,
                            .stage = {{12, 2, 1, 20, 8, 8, 1}},
                            .classes = CLASSES,
                            .decoder = vit ? 0 : 8,
                            .activation = ATTN_ACTIVATION_GELU,
                            .norm_epsilon = 1e-5,
                            .mean = {0.5, 0.5, 0.5},
                            .deviation = {0.2, 0.2, 0.2}};
    if (vit) {
        c.height = c.width = SIDE;
    } else {
        c.stage[0] = (attn_vision_stage){12, 2, 1, 20, 7, 4, 2};
        c.stage[1] = (attn_vision_stage){16, 4, 1, 24, 3, 2, 1};
    }
    return c;
}

/* What is said of the picture, and what its first token looks at in the first block. */
static attn_status run(const attn_vision *model, results *out) {
    attn_tape *tape = NULL;
    attn_pictures p = {1, SIDE, SIDE, pixels};
    attn_grid grid;
    attn_status status = attn_tape_create(&tape, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tape_watch(tape, true);
    attn_tape_begin(tape, false, 0, 0);
    bool segments = attn_vision_get_config(model)->head == ATTN_VISION_SEGMENT;
    const attn_tensor *x = segments ? attn_vision_segment(model, tape, &p, &grid)
                                    : attn_vision_classify(model, tape, &p);
    status = attn_tape_status(tape);
    assert_true((x == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK && segments) {
        status = attn_vision_rows(tape, x, &grid, SIDE, SIDE, 0, SIDE, out->said);
    } else if (status == ATTN_OK) {
        memcpy(out->said, x->data, CLASSES * sizeof *out->said);
    }
    if (status == ATTN_OK) {
        status = attn_vision_attend(model, tape, SIDE, SIDE, 0, 0, out->weights, NULL);
    }
    attn_tape_free(tape);
    return status;
}

static attn_status load(const char *path, attn_vision **out) {
    attn_safetensors *file = NULL;
    void *labels = NULL;
    size_t size;
    attn_status status = attn_safetensors_open_header(path, &file, NULL);
    if (status == ATTN_OK) {
        status = attn_vision_read(file, path, out, &labels, &size, NULL);
    }
    attn_free(labels);
    attn_safetensors_close(file);
    return status;
}

static attn_status life(const void *what, const char *path, void *out) {
    const attn_vision_config *config = what;
    attn_vision *model = NULL;
    attn_status status = attn_vision_declare(config, &model, NULL);
    assert_true((model == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK) {
        status = attn_vision_allocate(model, NULL);
    }
    if (status == ATTN_OK) {
        attn_params_init(attn_vision_params(model), 6);
        status = run(model, out);
    }
    if (status == ATTN_OK) {
        status = attn_vision_save(model, ATTN_STORE_F32, "a\nb\n", 4, NULL, 0, path, NULL);
    }
    attn_vision_free(model);
    model = NULL;
    if (status == ATTN_OK) {
        status = load(path, &model);
        assert_true((model == NULL) == (status != ATTN_OK));
    }
    if (status == ATTN_OK) {
        status = run(model, out);
        attn_vision_free(model);
    }
    return status;
}

static void every_allocation_fails_once(bool vit) {
    static results expected, got;
    attn_vision_config config = config_of(vit);
    attn_random random = attn_random_start(3);
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(256 * attn_random_uniform(&random));
    }
    check_faulty_life(life, &config, &expected, &got, sizeof got, 30);
}

static void test_segformer(void **unused) {
    (void)unused;
    every_allocation_fails_once(false);
}

static void test_vit(void **unused) {
    (void)unused;
    every_allocation_fails_once(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_segformer),
                                       cmocka_unit_test(test_vit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
