/* tests/models/test_vision.c: what ViT and SegFormer make of a picture is the same bits on every processor, with any number of
 * threads and in any company; what is saved is what is loaded; flawed files, configurations and pictures are refused. What the
 * numbers should be, tests/parity/vision_compare.py says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/vision.h"
#include "support/flawed_file.h"
#include "support/isas.h"

enum { HEIGHT = 34, WIDTH = 45, PICTURES = 2, MOST = PICTURES * 9 * 12 * 16 };
static uint8_t pixels[PICTURES * HEIGHT * WIDTH * 3];

static void fill_pixels(void) {
    attn_random random = attn_random_start(5);
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(256 * attn_random_uniform(&random));
    }
}

/* 0: SegFormer that segments pictures of any size; 1: one that classifies; 2: ViT. */
enum { KINDS = 3 };
static attn_vision_config config_of(int kind) {
    attn_vision_config c = {.network = ATTN_VISION_SEGFORMER,
                            .head = ATTN_VISION_SEGMENT,
                            .stages = 2,
                            .stage = {{12, 2, 2, 20, 7, 4, 3}, {16, 4, 1, 24, 3, 2, 1}},
                            .classes = 5,
                            .decoder = 16,
                            .activation = ATTN_ACTIVATION_GELU,
                            .norm_epsilon = 1e-5,
                            .mean = {0.485, 0.456, 0.406},
                            .deviation = {0.229, 0.224, 0.225}};
    if (kind > 0) {
        c.head = ATTN_VISION_CLASSIFY;
        c.decoder = 0;
        c.classes = 300;
    }
    if (kind == 2) {
        c.network = ATTN_VISION_VIT;
        c.stages = 1;
        c.stage[0] = (attn_vision_stage){24, 4, 2, 20, 9, 9, 1};
        c.stage[1] = (attn_vision_stage){0};
        c.height = HEIGHT;
        c.width = WIDTH;
        c.activation = ATTN_ACTIVATION_GELU_TANH;
    }
    return c;
}

static attn_vision *make(const attn_vision_config *config) {
    attn_vision *model = NULL;
    attn_error error = {0};
    assert_int_equal(attn_vision_declare(config, &model, &error), ATTN_OK);
    assert_int_equal(attn_vision_allocate(model, &error), ATTN_OK);
    attn_params *params = attn_vision_params(model);
    attn_random random = attn_random_start(7);
    attn_params_init(params, 6);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] += (attn_real)(0.2 * attn_random_normal(&random));
    }
    return model;
}

/* What is said of pictures first .. first + count - 1; returns how many numbers of each. */
static int64_t forward(const attn_vision *model, int64_t first, int64_t count, attn_real *out) {
    attn_tape *tape = NULL;
    attn_pictures p = {count, HEIGHT, WIDTH, pixels + first * HEIGHT * WIDTH * 3};
    attn_grid grid;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    const attn_tensor *x = attn_vision_get_config(model)->head == ATTN_VISION_SEGMENT
                               ? attn_vision_segment(model, tape, &p, &grid)
                               : attn_vision_classify(model, tape, &p);
    assert_non_null(x);
    int64_t each = x->rows * x->cols / count;
    assert_true(count * each <= MOST);
    memcpy(out, x->data, (size_t)(count * each) * sizeof *out);
    attn_tape_free(tape);
    return each;
}

static void test_same_bits(void **unused) {
    (void)unused;
    static attn_real expected[MOST], got[MOST];
    fill_pixels();
    for (int kind = 0; kind < KINDS; kind++) {
        attn_vision_config config = config_of(kind);
        bool first = true;
        for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
            attn_vision *model = make(&config);
            int64_t each = forward(model, 0, PICTURES, first ? expected : got);
            size_t size = (size_t)(PICTURES * each) * sizeof *got;
            assert_true(first || memcmp(got, expected, size) == 0);
            for (int64_t i = 0; i < PICTURES; i++) { /* each alone, packed */
                assert_int_equal(attn_vision_pack(model, NULL), ATTN_OK);
                forward(model, i, 1, got);
                assert_memory_equal(got, expected + i * each, size / PICTURES);
            }
            attn_vision_free(model);
            first = false;
        }
    }
}

/* Every part of the network counts: another number in any tensor gives other results. */
static void test_no_tensor_is_idle(void **unused) {
    (void)unused;
    static attn_real before[MOST], after[MOST];
    fill_pixels();
    for (int kind = 0; kind < KINDS; kind++) {
        attn_vision_config config = config_of(kind);
        attn_vision *model = make(&config);
        size_t size = (size_t)forward(model, 0, 1, before) * sizeof *before;
        attn_params *params = attn_vision_params(model);
        for (size_t i = 0; i < attn_params_count(params); i++) {
            attn_param *row = attn_params_at(params, i);
            if (strstr(row->name, ".key.bias") != NULL) {
                continue; /* the same for all keys, which softmax takes away */
            }
            for (int64_t k = 0; k < row->cols; k++) { /* RELU hides some */
                row->data[k] += 1;
            }
            forward(model, 0, 1, after);
            for (int64_t k = 0; k < row->cols; k++) {
                row->data[k] -= 1;
            }
            if (memcmp(before, after, size) == 0) {
                fail_msg("%s does not count", row->name);
            }
        }
        attn_vision_free(model);
    }
}

/* Rows of weights sum to 1 and are those that made the layer's output: the values, weighed, are the heads. */
static void test_attention(void **unused) {
    (void)unused;
    fill_pixels();
    for (int kind = 0; kind < KINDS; kind++) {
        attn_vision_config config = config_of(kind);
        attn_vision *model = make(&config);
        attn_tape *tape = NULL;
        attn_pictures p = {1, HEIGHT, WIDTH, pixels};
        attn_real weights[4 * 128];
        attn_error error = {0};
        assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
        attn_tape_watch(tape, true);
        attn_tape_begin(tape, false, 0, 0);
        assert_non_null(attn_vision_forward(model, tape, &p));
        int64_t block = attn_vision_blocks(model) - 1, heads = attn_vision_heads(model, block);
        attn_grid queries, keys;
        attn_vision_grids(model, HEIGHT, WIDTH, block, &queries, &keys);
        int64_t places = keys.height * keys.width + (kind == 2), last = places - 1;
        assert_int_equal(
            attn_vision_attend(model, tape, HEIGHT, WIDTH, block, last, weights, &error), ATTN_OK);
        char name[64];
        snprintf(name, sizeof name, "block.%d.heads", (int)block);
        const attn_tensor *out = attn_tape_noted(tape, name);
        snprintf(name, sizeof name, "block.%d.joined", (int)block);
        const attn_tensor *joined = attn_tape_noted(tape, name);
        int64_t size = out->cols / heads;
        for (int64_t h = 0; h < heads; h++) {
            double sum = 0, value = 0;
            for (int64_t k = 0; k < places; k++) {
                sum += (double)weights[h * places + k];
                value += (double)weights[h * places + k] *
                         (double)joined->data[k * joined->cols + 2 * out->cols + h * size];
            }
            assert_true(fabs(sum - 1) < 1e-5);
            assert_true(fabs(value - (double)out->data[last * out->cols + h * size]) < 1e-4);
        }
        assert_int_equal(
            attn_vision_attend(model, tape, HEIGHT, WIDTH, block, places, weights, &error),
            ATTN_ERR_ARGUMENT);
        assert_int_equal(
            attn_vision_attend(model, tape, HEIGHT, WIDTH, block + 1, 0, weights, &error),
            ATTN_ERR_ARGUMENT);
        attn_tape_free(tape);
        attn_vision_free(model);
    }
}

/* Rows by themselves have the bits that they have among all, and are probabilities. */
static void test_rows(void **unused) {
    (void)unused;
    enum { TALL = 70, WIDE = 31, CLASSES = 5 };
    static attn_real all[TALL * WIDE * CLASSES], some[TALL * WIDE * CLASSES];
    fill_pixels();
    attn_vision_config config = config_of(0);
    attn_vision *model = make(&config);
    attn_tape *tape = NULL;
    attn_pictures p = {1, HEIGHT, WIDTH, pixels};
    attn_grid grid;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    const attn_tensor *logits = attn_vision_segment(model, tape, &p, &grid);
    assert_int_equal(attn_vision_rows(tape, logits, &grid, TALL, WIDE, 0, TALL, all), ATTN_OK);
    for (int64_t first = 0; first < TALL; first += 9) {
        int64_t rows = TALL - first < 9 ? TALL - first : 9;
        assert_int_equal(attn_vision_rows(tape, logits, &grid, TALL, WIDE, first, rows, some),
                         ATTN_OK);
        assert_memory_equal(some, all + first * WIDE * CLASSES,
                            (size_t)(rows * WIDE * CLASSES) * sizeof *some);
    }
    for (int64_t i = 0; i < TALL * WIDE; i++) {
        double sum = 0;
        for (int64_t c = 0; c < CLASSES; c++) {
            sum += (double)all[i * CLASSES + c];
        }
        assert_true(fabs(sum - 1) < 1e-5);
    }
    attn_tape_free(tape);
    attn_vision_free(model);
}

/* ---- what is refused ---- */

static void assert_config_refused(int kind, size_t field, int64_t value, const char *says) {
    attn_error error = {0};
    attn_vision *model;
    attn_vision_config config = config_of(kind);
    memcpy((char *)&config + field, &value, sizeof value);
    assert_int_equal(attn_vision_declare(&config, &model, &error), ATTN_ERR_ARGUMENT);
    assert_null(model);
    if (strstr(error.what, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.what, says);
    }
}

static void test_configurations_refused(void **unused) {
    (void)unused;
#define FIELD(name) offsetof(attn_vision_config, name)
    assert_config_refused(0, FIELD(stages), 5, "stages");
    assert_config_refused(0, FIELD(stage[1].channels), 17, "4 heads do not fit the 17 channels");
    assert_config_refused(0, FIELD(stage[0].heads), 0, "stage_1.heads");
    assert_config_refused(0, FIELD(stage[1].layers), (int64_t)1 << 40, "stage_2.layers");
    assert_config_refused(0, FIELD(stage[0].ffn), -1, "stage_1.ffn");
    assert_config_refused(0, FIELD(stage[0].kernel), 65, "stage_1.kernel");
    assert_config_refused(0, FIELD(stage[0].stride), 8, "stage_1.stride");
    assert_config_refused(0, FIELD(stage[0].shrink), 0, "stage_1.shrink");
    assert_config_refused(0, FIELD(classes), 256, "classes");
    assert_config_refused(0, FIELD(decoder), 0, "decoder");
    assert_config_refused(0, FIELD(height), 7, "width");
    assert_config_refused(1, FIELD(classes), 0, "classes");
    assert_config_refused(1, FIELD(decoder), 8, "decoder");
    assert_config_refused(2, FIELD(stage[0].stride), 8, "do not overlap");
    assert_config_refused(2, FIELD(stage[0].shrink), 2, "do not overlap");
    assert_config_refused(2, FIELD(height), 8, "a patch or more");
#undef FIELD
    attn_error error = {0};
    attn_vision_config config = config_of(2);
    config.deviation[1] = 0;
    assert_int_equal(attn_vision_config_check(&config, &error), ATTN_ERR_ARGUMENT);
    config = config_of(2);
    config.mean[2] = NAN;
    assert_int_equal(attn_vision_config_check(&config, &error), ATTN_ERR_ARGUMENT);
    config = config_of(0);
    config.activation = ATTN_ACTIVATION_SWISH;
    assert_int_equal(attn_vision_config_check(&config, &error), ATTN_ERR_ARGUMENT);
}

static void assert_picture_refused(int kind, bool record, int64_t height, const char *says) {
    attn_error error = {0};
    attn_vision_config config = config_of(kind);
    attn_vision *model = make(&config);
    attn_tape *tape = NULL;
    attn_pictures p = {1, height, WIDTH, pixels};
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, record, 0, 0);
    assert_null(attn_vision_forward(model, tape, &p));
    assert_int_equal(attn_tape_check(tape, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, says));
    attn_tape_free(tape);
    attn_vision_free(model);
}

static void test_pictures_refused(void **unused) {
    (void)unused;
    assert_picture_refused(0, true, HEIGHT, "not trained");
    assert_picture_refused(0, false, 0, "does not take");
    assert_picture_refused(0, false, 8, "too small"); /* 2 rows of places, and keys of 3 x 3 */
    assert_picture_refused(2, false, HEIGHT - 1, "does not take");
}

/* ---- files ---- */

static const flaw flaws[] = {
    {"stage.0.1.self.query.weight", TAKE, NULL, false, ATTN_ERR_SHAPE, "is missing"},
    {"stage.0.0.feed_forward.up.weight", SWAP, NULL, false, ATTN_ERR_SHAPE, "wrong shape"},
    {"more", ADD_F32, NULL, false, ATTN_ERR_SHAPE, "more"},
    {"classify.bias", AS_BYTES, NULL, false, ATTN_ERR_SHAPE, "classify.bias"},
    {"network", METADATA, "swin", false, ATTN_ERR_FORMAT, "network"},
    {"stages", METADATA, "3", false, ATTN_ERR_FORMAT, "stage_3"},
    {"stage_1.layers", METADATA, "200", false, ATTN_ERR_SHAPE, "is missing"},
    {"stage_2.channels", METADATA, "99999999999", false, ATTN_ERR_FORMAT, "stage_2.channels"},
    {"stage_2.kernel", METADATA, "5", false, ATTN_ERR_SHAPE, "wrong shape"},
    {"deviation_red", METADATA, "0.0", false, ATTN_ERR_FORMAT, "deviation"},
    {"attn.model", METADATA, "encoder", false, ATTN_ERR_FORMAT, "not an attn vision"},
};

static attn_status read_file(const char *path, attn_vision **model, char **labels, size_t *size,
                             attn_error *error) {
    attn_safetensors *file = NULL;
    void *bytes = NULL;
    assert_int_equal(attn_safetensors_open_header(path, &file, NULL), ATTN_OK);
    attn_status status = attn_vision_read(file, path, model, &bytes, size, error);
    *labels = bytes;
    attn_safetensors_close(file);
    return status;
}

static void test_files(void **unused) {
    (void)unused;
    static attn_real before[MOST], after[MOST];
    static const char path[] = "vision.safetensors", flawed[] = "flawed.safetensors";
    char *labels;
    size_t size;
    attn_error error = {0};
    fill_pixels();
    for (int kind = KINDS - 1; kind >= 0; kind--) {
        attn_vision_config config = config_of(kind);
        attn_vision *model = make(&config), *again = NULL;
        assert_int_equal(
            attn_vision_save(model, ATTN_STORE_F32, "a\nb\n", 4, NULL, 0, path, &error), ATTN_OK);
        assert_int_equal(read_file(path, &again, &labels, &size, &error), ATTN_OK);
        assert_true(size == 4 && memcmp(labels, "a\nb\n", 4) == 0);
        int64_t count = forward(model, 0, 1, before);
        forward(again, 0, 1, after);
        assert_memory_equal(before, after, (size_t)count * sizeof *before);
        attn_free(labels);
        attn_vision_free(model);
        attn_vision_free(again);
    }
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        attn_vision *model = NULL;
        change_file(&flaws[i], path, flawed);
        attn_status status = read_file(flawed, &model, &labels, &size, &error);
        if (status != flaws[i].status || strstr(error.what, flaws[i].says) == NULL) {
            fail_msg("%s: status %d, \"%s\"", flaws[i].name, (int)status, error.what);
        }
        assert_true(model == NULL);
        attn_free(labels);
    }
    unlink(path);
    unlink(flawed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_no_tensor_is_idle),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_configurations_refused),
        cmocka_unit_test(test_pictures_refused),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
