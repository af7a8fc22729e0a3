/* tests/models/test_segmenter_file.c: what is saved is what is loaded, and flawed files are refused
 * with a clear word and without much memory.
 *
 * Next: tests/support/flawed_file.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/flawed_file.h"
#include "support/tiny_segmenter.h"

static char folder[] = "/tmp/attn-test-XXXXXX";
static char good[64], good_i8[64], flawed[64];

static void save(const attn_segmenter *model, attn_storage storage, const char *path) {
    static const attn_metadata facts[] = {{"licence", "none"}};
    attn_error error = {0};
    assert_int_equal(attn_segmenter_save(model, storage, "sky tree", 8, facts, 1, path, &error),
                     ATTN_OK);
}

static int set_up(void **unused) {
    (void)unused;
    assert_non_null(mkdtemp(folder));
    snprintf(good, sizeof good, "%s/good.safetensors", folder);
    snprintf(good_i8, sizeof good_i8, "%s/good-i8.safetensors", folder);
    snprintf(flawed, sizeof flawed, "%s/flawed.safetensors", folder);
    attn_segmenter_config config = tiny_config(ATTN_MIXER_GLOBAL);
    attn_segmenter *model = tiny_segmenter(&config, false);
    save(model, ATTN_STORE_F32, good);
    save(model, ATTN_STORE_I8, good_i8);
    attn_segmenter_free(model);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    unlink(good);
    unlink(good_i8);
    unlink(flawed);
    return rmdir(folder);
}

/* ---- round trips ---- */

static void assert_same_config(const attn_segmenter_config *a, const attn_segmenter_config *b) {
    assert_true(a->classes == b->classes && a->width_2 == b->width_2 && a->width_4 == b->width_4);
    assert_true(a->d_model == b->d_model && a->units_4 == b->units_4 && a->units_8 == b->units_8);
    assert_true(a->blocks == b->blocks && a->heads == b->heads && a->ffn == b->ffn);
    assert_true(a->mixer == b->mixer && a->window == b->window && a->shrink == b->shrink);
    assert_true(a->activation == b->activation && a->norm == b->norm);
    assert_true(a->dropout == b->dropout);
    assert_true(a->attention_dropout == b->attention_dropout);
    assert_true(a->label_smoothing == b->label_smoothing);
    assert_true(a->stochastic_depth == b->stochastic_depth);
}

static void predict(attn_segmenter *model, attn_real *probabilities) {
    static tiny_pictures pictures;
    attn_tape *tape;
    tiny_pictures_fill(&pictures, 0, 1, 30, 30);
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    assert_int_equal(
        attn_segmenter_predict(model, tape, &pictures.view.pictures, NULL, probabilities, NULL),
        ATTN_OK);
    attn_tape_free(tape);
}

/* What is loaded gives the probabilities of what was saved: the same, or near them where the weights
 * were rounded. */
static void test_round_trips(void **unused) {
    (void)unused;
    static attn_real before[900 * TINY_CLASSES], after[900 * TINY_CLASSES];
    for (int kind = 0; kind < 12; kind++) {
        attn_storage storage = (attn_storage)(kind / 4);
        attn_segmenter_config config = tiny_config((attn_mixer)(kind % 4));
        config.activation = kind % 2 == 1 ? ATTN_ACTIVATION_GELU : ATTN_ACTIVATION_RELU;
        config.norm = kind % 3 == 1 ? ATTN_SEGMENTER_NORM_PLACE : ATTN_SEGMENTER_NORM_PICTURE;
        config.shrink = 1 + kind % 3;
        config.dropout = 0.123456;
        attn_segmenter *model = tiny_segmenter(&config, false);
        predict(model, before);
        save(model, storage, flawed);
        for (int trainable = 0; trainable < 2; trainable++) {
            attn_segmenter *loaded = NULL;
            attn_error error = {0};
            void *bytes = NULL;
            size_t size = 0;
            assert_int_equal(attn_segmenter_load(flawed, trainable, &loaded, &bytes, &size, &error),
                             ATTN_OK);
            assert_int_equal(size, 8);
            assert_memory_equal(bytes, "sky tree", 8);
            attn_segmenter_free_bytes(bytes);
            assert_same_config(&config, attn_segmenter_get_config(loaded));
            assert_int_equal(attn_params_grad(attn_segmenter_params(loaded)) != NULL, trainable);
            predict(loaded, after);
            for (int i = 0; i < 900 * TINY_CLASSES; i++) {
                assert_true(fabsf(before[i] - after[i]) <= (storage == ATTN_STORE_F32 ? 0 : 0.2F));
            }
            attn_segmenter_free(loaded);
        }
        attn_segmenter_free(model);
    }
}

static void test_without_classes(void **unused) {
    (void)unused;
    attn_segmenter_config config = tiny_config(ATTN_MIXER_NONE);
    attn_segmenter *model = tiny_segmenter(&config, false), *loaded = NULL;
    attn_error error = {0};
    void *bytes = flawed;
    size_t size = 1;
    assert_int_equal(attn_segmenter_save(model, ATTN_STORE_F32, NULL, 0, NULL, 0, flawed, &error),
                     ATTN_OK);
    assert_int_equal(attn_segmenter_load(flawed, false, &loaded, &bytes, &size, &error), ATTN_OK);
    assert_true(bytes == NULL && size == 0);
    attn_segmenter_free(loaded);
    attn_segmenter_free(model);
}

/* Files of older versions say nothing of norms and mean those of the picture. */
static void test_older_file(void **unused) {
    (void)unused;
    static attn_real before[900 * TINY_CLASSES], after[900 * TINY_CLASSES];
    attn_segmenter *model = NULL;
    attn_error error = {0};
    parts *p = malloc(sizeof *p);
    assert_non_null(p);
    assert_int_equal(attn_segmenter_load(good, false, &model, NULL, NULL, &error), ATTN_OK);
    predict(model, before);
    attn_segmenter_free(model);
    parts_open(p, good);
    take_metadata(p, "norm");
    parts_write(p, flawed);
    free(p);
    assert_int_equal(attn_segmenter_load(flawed, false, &model, NULL, NULL, &error), ATTN_OK);
    assert_int_equal(attn_segmenter_get_config(model)->norm, ATTN_SEGMENTER_NORM_PICTURE);
    predict(model, after);
    assert_memory_equal(before, after, sizeof before);
    attn_segmenter_free(model);
}

/* ---- flawed files ---- */

static const flaw flaws[] = {
    {"block.1.attention.value.weight", TAKE, NULL, false, ATTN_ERR_SHAPE,
     "tensor block.1.attention.value.weight is missing"},
    {"decoder.norm_4.gamma", TAKE, NULL, false, ATTN_ERR_SHAPE, "missing"},
    {"stem.down_8.weight.scale", TAKE, NULL, true, ATTN_ERR_SHAPE, "stem.down_8.weight.scale"},
    {"stem.down_2.weight", SWAP, NULL, false, ATTN_ERR_SHAPE, "expected 8 x 27"},
    {"block.0.shrink.weight", SWAP, NULL, false, ATTN_ERR_SHAPE, "expected 9 x 16"},
    {"block.2.attention.value.bias", ADD_F32, NULL, false, ATTN_ERR_SHAPE, "does not belong"},
    {"tokenizer", ADD_BYTES, NULL, false, ATTN_ERR_SHAPE, "does not belong"},
    {"stem.down_8.bias", AS_BYTES, NULL, false, ATTN_ERR_SHAPE, "wrong shape"},
    {"attn.version", METADATA, "2", false, ATTN_ERR_UNSUPPORTED, "version 2"},
    {"attn.model", METADATA, "translator", false, ATTN_ERR_FORMAT, "not an attn segmenter"},
    {"classes", METADATA, "6", false, ATTN_ERR_SHAPE, "decoder.classify.weight"},
    {"classes", METADATA, "0", false, ATTN_ERR_FORMAT, "classes is 0"},
    {"width_2", METADATA, "12", false, ATTN_ERR_FORMAT, "multiples of 8"},
    {"width_4", METADATA, "1024", false, ATTN_ERR_SHAPE, "stem.down_4"},
    {"d_model", METADATA, "512", false, ATTN_ERR_SHAPE, "stem.down_8"},
    {"d_model", METADATA, "0x10", false, ATTN_ERR_FORMAT, "d_model"},
    {"d_model", METADATA, "99999999999999999999", false, ATTN_ERR_FORMAT, "d_model"},
    {"heads", METADATA, "3", false, ATTN_ERR_FORMAT, "heads do not fit"},
    {"blocks", METADATA, "64", false, ATTN_ERR_SHAPE, "block.2"},
    {"blocks", METADATA, "1", false, ATTN_ERR_SHAPE, "does not belong"},
    {"units_4", METADATA, "2", false, ATTN_ERR_SHAPE, "stem.unit_4.1"},
    {"ffn", METADATA, "16384", false, ATTN_ERR_SHAPE, "feed_forward.up"},
    {"mixer", METADATA, "none", false, ATTN_ERR_SHAPE, "wrong shape"},
    {"mixer", METADATA, "everything", false, ATTN_ERR_FORMAT, "mixer"},
    {"mixer", METADATA, "", false, ATTN_ERR_FORMAT, "mixer"},
    {"shrink", METADATA, "1", false, ATTN_ERR_SHAPE, "does not belong"},
    {"shrink", METADATA, "9", false, ATTN_ERR_FORMAT, "shrink is 9"},
    {"window", METADATA, "-3", false, ATTN_ERR_FORMAT, "window is -3"},
    {"activation", METADATA, "swish", false, ATTN_ERR_FORMAT, "activation"},
    {"norm", METADATA, "batch", false, ATTN_ERR_FORMAT, "norm"},
    {"dropout", METADATA, "1000000", false, ATTN_ERR_FORMAT, "dropout"},
};

static void test_flawed_files(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        change_file(&flaws[i], flaws[i].int8 ? good_i8 : good, flawed);
        for (int trainable = 0; trainable < 2; trainable++) {
            counter memory = {0};
            attn_segmenter *model = (attn_segmenter *)folder;
            attn_error error = {0};
            void *bytes = folder;
            size_t size = 1;
            char message[1200];
            attn_set_allocator(count_allocate, count_release, &memory);
            attn_status got = attn_segmenter_load(flawed, trainable, &model, &bytes, &size, &error);
            attn_set_allocator(NULL, NULL, NULL);
            attn_error_format(&error, message, sizeof message);
            if (got != flaws[i].status || strstr(message, flaws[i].says) == NULL ||
                strstr(message, flawed) != message) {
                fail_msg("expected status %d and \"%s\", got %d: %s", flaws[i].status,
                         flaws[i].says, got, message);
            }
            assert_true(model == NULL && bytes == NULL && size == 0);
            assert_int_equal(memory.live, 0);
            assert_in_range(memory.peak, 1, 4 << 20);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_without_classes),
        cmocka_unit_test(test_older_file),
        cmocka_unit_test(test_flawed_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
