/* tests/models/test_segmenter.c: the segmenter gives the same bits however it is run, takes pictures
 * of any size, shows what it attends to, and learns.
 *
 * Next: test_segmenter_file.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernels/optimizer/optimizer.h"
#include "models/segmenter.h"
#include "support/isas.h"
#include "support/tiny_segmenter.h"

static const attn_mixer mixers[] = {ATTN_MIXER_GLOBAL, ATTN_MIXER_WINDOW, ATTN_MIXER_DEPTHWISE,
                                    ATTN_MIXER_NONE};
enum { MIXERS = 4 };

static attn_tape *new_tape(void) {
    attn_tape *tape;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    return tape;
}

/* ---- the same bits ---- */

/* One step's losses; the gradients stay in the model. */
static void step(attn_segmenter *model, const tiny_pictures *pictures, double loss[2]) {
    attn_tape *tape = new_tape();
    attn_params_zero_grad(attn_segmenter_params(model));
    attn_tape_begin(tape, true, 3, 4);
    loss[0] = loss[1] = 0;
    assert_int_equal(
        attn_segmenter_loss(model, tape, &pictures->view, 0.01f, &loss[0], &loss[1], NULL),
        ATTN_OK);
    assert_int_equal(attn_tape_backward(tape, NULL), ATTN_OK);
    attn_tape_free(tape);
}

static void training_is_the_same_everywhere(void **state) {
    (void)state;
    static tiny_pictures pictures;
    tiny_pictures_fill(&pictures, 0, 2, 37, 43);
    const attn_real weights[TINY_CLASSES] = {1, 2, 0.5f, 0, 3};
    pictures.view.class_weights = weights;
    for (int i = 0; i < MIXERS; i++) {
        attn_segmenter_config config = tiny_config(mixers[i]);
        attn_segmenter *model = tiny_segmenter(&config, true);
        size_t size = (size_t)attn_params_size(attn_segmenter_params(model)) * sizeof(attn_real);
        attn_real *expected = malloc(size);
        double expected_loss[2] = {0}, loss[2];
        for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
            step(model, &pictures, loss);
            if (w.step == 0) {
                memcpy(expected, attn_params_grad(attn_segmenter_params(model)), size);
                memcpy(expected_loss, loss, sizeof loss);
            }
            assert_memory_equal(expected, attn_params_grad(attn_segmenter_params(model)), size);
            assert_memory_equal(expected_loss, loss, sizeof loss);
        }
        free(expected);
        attn_segmenter_free(model);
    }
}

/* Alone or among others, packed or not: a picture's probabilities are its own. */
static void prediction_is_the_same_everywhere(void **state) {
    (void)state;
    enum { COUNT = 3, HEIGHT = 21, WIDTH = 34, PIXELS = HEIGHT * WIDTH };
    static tiny_pictures all, one;
    static attn_real expected[COUNT * PIXELS * TINY_CLASSES], alone[PIXELS * TINY_CLASSES];
    static uint8_t expected_classes[COUNT * PIXELS], classes[PIXELS];
    attn_tape *tape = new_tape();
    tiny_pictures_fill(&all, 0, COUNT, HEIGHT, WIDTH);
    for (int i = 0; i < MIXERS; i++) {
        attn_segmenter_config config = tiny_config(mixers[i]);
        attn_segmenter *model = tiny_segmenter(&config, false);
        assert_int_equal(attn_segmenter_predict(model, tape, &all.view.pictures, expected_classes,
                                                expected, NULL),
                         ATTN_OK);
        assert_int_equal(attn_segmenter_pack(model, NULL), ATTN_OK);
        for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
            int64_t b = w.step % COUNT;
            tiny_pictures_fill(&one, b, 1, HEIGHT, WIDTH);
            assert_int_equal(
                attn_segmenter_predict(model, tape, &one.view.pictures, classes, alone, NULL),
                ATTN_OK);
            assert_memory_equal(alone, expected + b * PIXELS * TINY_CLASSES, sizeof alone);
            assert_memory_equal(classes, expected_classes + b * PIXELS, sizeof classes);
        }
        attn_segmenter_free(model);
    }
    attn_tape_free(tape);
}

/* ---- pictures ---- */

static void pictures_of_any_size(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{1, 1}, {8, 8}, {1, 70}, {9, 17}, {64, 3}};
    static tiny_pictures p;
    static uint8_t classes[TINY_PIXELS];
    static attn_real probabilities[TINY_PIXELS * TINY_CLASSES];
    attn_tape *tape = new_tape();
    for (int i = 0; i < MIXERS; i++) {
        attn_segmenter_config config = tiny_config(mixers[i]);
        attn_segmenter *model = tiny_segmenter(&config, false);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            int64_t pixels = sizes[s][0] * sizes[s][1];
            tiny_pictures_fill(&p, 0, 1, sizes[s][0], sizes[s][1]);
            assert_int_equal(
                attn_segmenter_predict(model, tape, &p.view.pictures, classes, probabilities, NULL),
                ATTN_OK);
            for (int64_t n = 0; n < pixels; n++) {
                const attn_real *row = probabilities + n * TINY_CLASSES;
                double sum = 0;
                for (int v = 0; v < TINY_CLASSES; v++) {
                    sum += (double)row[v];
                    assert_true(row[v] <= row[classes[n]]);
                }
                assert_true(fabs(sum - 1) < 1e-5);
            }
        }
        attn_segmenter_free(model);
    }
    attn_tape_free(tape);
}

/* How many pixels of the right half change when the left column does. */
static int told_from_afar(attn_tape *tape, attn_mixer mixer, attn_segmenter_norm norm) {
    enum { HEIGHT = 8, WIDTH = 160 };
    static tiny_pictures p;
    static attn_real probabilities[2][HEIGHT * WIDTH * TINY_CLASSES];
    attn_segmenter_config config = tiny_config(mixer);
    config.norm = norm;
    attn_segmenter *model = tiny_segmenter(&config, false);
    tiny_pictures_fill(&p, 0, 1, HEIGHT, WIDTH);
    for (int i = 0; i < 2; i++) {
        for (int64_t y = 0; y < HEIGHT; y++) {
            p.pixels[3 * y * WIDTH] = (uint8_t)(255 * i);
        }
        assert_int_equal(
            attn_segmenter_predict(model, tape, &p.view.pictures, NULL, probabilities[i], NULL),
            ATTN_OK);
    }
    attn_segmenter_free(model);
    int changed = 0;
    for (int64_t i = 0; i < HEIGHT * WIDTH; i++) {
        changed += i % WIDTH >= WIDTH / 2 &&
                   memcmp(probabilities[0] + i * TINY_CLASSES, probabilities[1] + i * TINY_CLASSES,
                          TINY_CLASSES * sizeof(attn_real)) != 0;
    }
    return changed;
}

static void norms_of_places_leave_what_is_far_to_the_mixer(void **state) {
    (void)state;
    attn_tape *tape = new_tape();
    assert_true(told_from_afar(tape, ATTN_MIXER_NONE, ATTN_SEGMENTER_NORM_PICTURE) > 0);
    assert_true(told_from_afar(tape, ATTN_MIXER_GLOBAL, ATTN_SEGMENTER_NORM_PLACE) > 0);
    assert_int_equal(told_from_afar(tape, ATTN_MIXER_NONE, ATTN_SEGMENTER_NORM_PLACE), 0);
    attn_tape_free(tape);
}

static void impossible_input_is_refused(void **state) {
    (void)state;
    static tiny_pictures p;
    attn_segmenter_config config = tiny_config(ATTN_MIXER_GLOBAL);
    attn_segmenter *model = tiny_segmenter(&config, true), *fixed = tiny_segmenter(&config, false);
    attn_tape *tape = new_tape();
    attn_error error = {0};
    double loss = 0, nll = 0;
    tiny_pictures_fill(&p, 0, 1, 9, 10);
    assert_true(attn_segmenter_batch_weight(model, &p.view) > 50);
    attn_tape_begin(tape, true, 0, 0);
    assert_int_equal(attn_segmenter_loss(fixed, tape, &p.view, 1, &loss, &nll, NULL),
                     ATTN_ERR_ARGUMENT);
    p.labels[89] = TINY_CLASSES;
    attn_tape_begin(tape, true, 0, 0);
    assert_int_equal(attn_segmenter_loss(model, tape, &p.view, 1, &loss, &nll, NULL),
                     ATTN_ERR_ARGUMENT);
    p.view.pictures.width = 0;
    attn_tape_begin(tape, true, 0, 0);
    assert_int_equal(attn_segmenter_loss(model, tape, &p.view, 1, &loss, &nll, NULL),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_segmenter_predict(model, tape, &p.view.pictures, p.labels, NULL, &error),
                     ATTN_ERR_ARGUMENT);
    attn_tape_free(tape);
    attn_segmenter_free(model);
    attn_segmenter_free(fixed);
}

static void impossible_configurations_are_refused(void **state) {
    (void)state;
    attn_segmenter_config c;
    for (int i = 0; i < 9; i++) {
        attn_error error = {0};
        attn_segmenter *model = NULL;
        attn_segmenter_config_init(&c);
        c.classes = i == 0 ? 256 : c.classes;
        c.width_4 = i == 1 ? 12 : c.width_4;
        c.heads = i == 2 ? 3 : c.heads;
        c.mixer = i == 3 ? (attn_mixer)4 : i == 4 ? ATTN_MIXER_DEPTHWISE : c.mixer;
        c.window = i == 4 ? 6 : c.window;
        c.dropout = i == 5 ? 1.0 : c.dropout;
        c.activation = i == 6 ? ATTN_ACTIVATION_NONE : c.activation;
        c.shrink = i == 7 ? 0 : c.shrink;
        c.norm = i == 8 ? (attn_segmenter_norm)2 : c.norm;
        assert_int_equal(attn_segmenter_create(&c, false, &model, &error), ATTN_ERR_ARGUMENT);
        assert_null(model);
        assert_true(error.what[0] != '\0');
    }
}

/* The mixers are compared at the same number of parameters. */
static void parameters_are_few_and_matched(void **state) {
    (void)state;
    int64_t counts[MIXERS];
    for (int i = 0; i < MIXERS; i++) {
        attn_segmenter_config config;
        attn_segmenter *model = NULL;
        attn_segmenter_config_init(&config);
        config.mixer = mixers[i];
        assert_int_equal(attn_segmenter_create(&config, false, &model, NULL), ATTN_OK);
        counts[i] = attn_params_size(attn_segmenter_params(model));
        attn_segmenter_free(model);
        assert_in_range(counts[i], counts[0] - counts[0] / 500, counts[0] + counts[0] / 500);
    }
    assert_in_range(counts[0], 1000000, 3000000);
}

/* ---- attention ---- */

static void attention_is_shown(void **state) {
    (void)state;
    enum { HEIGHT = 33, WIDTH = 50, PLACES = 5 * 7 };
    static tiny_pictures p;
    attn_tape *tape = new_tape();
    tiny_pictures_fill(&p, 0, 1, HEIGHT, WIDTH);
    for (int i = 0; i < MIXERS; i++) {
        attn_segmenter_config config = tiny_config(mixers[i]);
        attn_segmenter *model = tiny_segmenter(&config, false);
        attn_grid queries = attn_segmenter_query_grid(model, HEIGHT, WIDTH), grid;
        attn_grid keys = attn_segmenter_key_grid(model, HEIGHT, WIDTH);
        attn_real weights[2 * PLACES];
        assert_true(queries.height == 5 && queries.width == 7);
        assert_int_equal(keys.height, i == 0 ? 3 : 5);
        attn_tape_watch(tape, true);
        attn_tape_begin(tape, false, 0, 0);
        assert_non_null(attn_segmenter_forward(model, tape, &p.view.pictures, &grid));
        attn_status expected = i < 2 ? ATTN_OK : ATTN_ERR_UNSUPPORTED;
        assert_int_equal(attn_segmenter_attend(model, tape, HEIGHT, WIDTH, 1, 4, 6, weights, NULL),
                         expected);
        for (int h = 0; h < 2 && i < 2; h++) {
            double sum = 0, inside = 0;
            for (int64_t k = 0; k < keys.height * keys.width; k++) {
                double weight = (double)weights[h * keys.height * keys.width + k];
                sum += weight;
                inside += k / keys.width >= 3 && k % keys.width >= 6 ? weight : 0;
            }
            assert_true(fabs(sum - 1) < 1e-5);
            assert_true(i == 0 || fabs(inside - 1) < 1e-5); /* the window in the corner */
        }
        assert_int_equal(attn_segmenter_attend(model, tape, HEIGHT, WIDTH, 1, 5, 0, weights, NULL),
                         i < 2 ? ATTN_ERR_ARGUMENT : ATTN_ERR_UNSUPPORTED);
        attn_segmenter_free(model);
    }
    attn_tape_free(tape);
}

/* ---- learning ---- */

/* A bright rectangle on noise: its pixels are class 1, the others 0. */
/* An allocator that keeps the books. */
static _Atomic size_t held, most_held;

static void *allocate(size_t size, void *context) {
    (void)context;
    size_t *block = malloc(size + 64);
    if (block == NULL) {
        return NULL;
    }
    *block = size;
    held += size;
    most_held = held > most_held ? held : most_held;
    return (char *)block + 64;
}

static void release(void *pointer, void *context) {
    (void)context;
    if (pointer != NULL) {
        size_t *block = (size_t *)(void *)((char *)pointer - 64);
        held -= *block;
        free(block);
    }
}

/* What a limit of memory is divided by. */
static void a_pass_takes_what_is_said(void **state) {
    (void)state;
    enum { SIDE = 192 };
    static uint8_t pixels[SIDE * SIDE * 3], classes[SIDE * SIDE];
    for (int i = 0; i < 2 * MIXERS; i++) {
        attn_segmenter_config config;
        attn_segmenter_config_init(&config);
        config.mixer = mixers[i % MIXERS];
        config.blocks = i < MIXERS ? 5 : 1;
        config.classes = i < MIXERS ? 11 : 100;
        config.units_4 = i < MIXERS ? 1 : 3;
        config.shrink = i < MIXERS ? 3 : 1;
        attn_tape *tape = NULL;
        attn_set_allocator(allocate, release, NULL);
        attn_segmenter *model = tiny_segmenter(&config, false);
        assert_int_equal(attn_segmenter_pack(model, NULL), ATTN_OK);
        assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
        attn_pictures one = {1, SIDE, SIDE, pixels};
        most_held = held;
        size_t before = held;
        assert_int_equal(attn_segmenter_predict(model, tape, &one, classes, NULL, NULL), ATTN_OK);
        double taken = (double)(most_held - before) / (SIDE * SIDE);
        double said = (double)attn_segmenter_pixel_bytes(&config);
        /* up to half of the last block that was asked for is not touched */
        if (!(taken < 1.5 * said && taken > 0.6 * said)) {
            fail_msg("configuration %d: %.0f bytes a pixel, %.0f were said", i, taken, said);
        }
        attn_tape_free(tape);
        attn_segmenter_free(model);
        attn_set_allocator(NULL, NULL, NULL);
    }
}

static void draw(tiny_pictures *p) {
    enum { SIDE = 32 };
    tiny_pictures_fill(p, 0, 4, SIDE, SIDE);
    for (int i = 0; i < 4 * SIDE * SIDE; i++) {
        int b = i / SIDE / SIDE, y = i / SIDE % SIDE, x = i % SIDE;
        bool inside = y >= 3 * b && y < 3 * b + 14 && x >= 16 - 4 * b && x < 28 - 4 * b;
        p->labels[i] = inside;
        for (int c = 0; c < 3; c++) {
            p->pixels[3 * i + c] = (uint8_t)(p->pixels[3 * i + c] / 2 + (inside ? 120 : 0));
        }
    }
}

static void a_few_steps_lower_the_loss(void **state) {
    (void)state;
    static tiny_pictures p;
    draw(&p);
    for (int i = 0; i < MIXERS; i++) {
        attn_segmenter_config config = tiny_config(mixers[i]);
        config.dropout = config.attention_dropout = config.label_smoothing = 0;
        attn_segmenter *model = tiny_segmenter(&config, true);
        attn_params *params = attn_segmenter_params(model);
        attn_params_init(params, 1);
        int64_t size = attn_params_size(params);
        attn_real *m = calloc((size_t)size, sizeof *m), *v = calloc((size_t)size, sizeof *v);
        double first = 0, loss[2] = {0};
        for (int64_t t = 1; t <= 15; t++) {
            step(model, &p, loss);
            first = t == 1 ? loss[1] : first;
            attn_adam adam = {0.01f, 0.9f, 0.98f, 1e-9f, 0, t};
            attn_adam_update(size, &adam, 1, attn_params_grad(params), m, v,
                             attn_params_data(params));
        }
        assert_true(loss[1] < 0.5 * first);
        free(m);
        free(v);
        attn_segmenter_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_is_the_same_everywhere),
        cmocka_unit_test(prediction_is_the_same_everywhere),
        cmocka_unit_test(pictures_of_any_size),
        cmocka_unit_test(norms_of_places_leave_what_is_far_to_the_mixer),
        cmocka_unit_test(impossible_input_is_refused),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(parameters_are_few_and_matched),
        cmocka_unit_test(attention_is_shown),
        cmocka_unit_test(a_pass_takes_what_is_said),
        cmocka_unit_test(a_few_steps_lower_the_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
