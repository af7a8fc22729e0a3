/* tests/models/test_encoder.c: an encoder's vectors are the same bits on every processor, with any number of threads and in any
 * company; what is saved is what is loaded; flawed files and configurations are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/flawed_file.h"
#include "support/isas.h"
#include "support/tiny_encoder.h"

/* Lengths around the widths that kernels work in: 1, 16 keys a panel, 128 keys a block. */
enum { SEQUENCES = 5, TOKENS = 1 + 17 + 140 + 16 + 33, SIZE = TOKENS * TINY_CHANNELS };
static const int64_t starts[] = {0, 1, 18, 158, 174, TOKENS};
static int32_t ids[TOKENS], segments[TOKENS];

static void fill_ids(void) {
    attn_random random = attn_random_start(9);
    for (int i = 0; i < TOKENS; i++) {
        ids[i] = (int32_t)(TINY_WORDS * attn_random_uniform(&random));
        segments[i] = i % 2;
    }
}

/* The kinds of network: plain, of two segments, with layers that share weights behind a narrow table. */
static attn_encoder_config config_of(int kind) {
    attn_encoder_config config = tiny_encoder_config();
    config.segments = kind == 0 ? 0 : 2;
    if (kind == 2) {
        config.embedding_size = 10;
        config.shared_layers = true;
        config.activation = ATTN_ACTIVATION_GELU_TANH;
        config.pooling = ATTN_POOLING_FIRST;
        config.unit_length = true;
        config.max_length = 141;
    }
    return config;
}

static void forward(const attn_encoder *model, int64_t first, int64_t count, attn_real *out) {
    attn_tape *tape = NULL;
    int64_t own[SEQUENCES + 1];
    for (int64_t i = 0; i <= count; i++) {
        own[i] = starts[first + i] - starts[first];
    }
    attn_encoder_batch batch = {
        .count = count, .ids = ids + starts[first], .starts = own, .segments = NULL};
    if (attn_encoder_get_config(model)->segments > 0) {
        batch.segments = segments + starts[first];
    }
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    const attn_tensor *x = attn_encoder_forward(model, tape, &batch);
    assert_non_null(x);
    memcpy(out, x->data, (size_t)(x->rows * x->cols) * sizeof *out);
    attn_tape_free(tape);
}

static void test_same_bits(void **unused) {
    (void)unused;
    static attn_real expected[SIZE], got[SIZE];
    fill_ids();
    for (int kind = 0; kind < 3; kind++) {
        attn_encoder_config config = config_of(kind);
        bool first = true;
        for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
            attn_encoder *model = tiny_encoder(&config, false);
            forward(model, 0, SEQUENCES, first ? expected : got);
            assert_true(first || memcmp(got, expected, sizeof got) == 0);
            for (int64_t s = 0; s < SEQUENCES; s++) { /* each alone */
                forward(model, s, 1, got);
                assert_memory_equal(got, expected + starts[s] * TINY_CHANNELS,
                                    (size_t)(starts[s + 1] - starts[s]) * TINY_CHANNELS *
                                        sizeof *got);
            }
            attn_encoder_unpack(model); /* the same without the packed weights */
            forward(model, 0, SEQUENCES, got);
            assert_memory_equal(got, expected, sizeof got);
            attn_encoder_free(model);
            first = false;
        }
    }
}

/* Every part of the network counts: another number in any tensor gives other vectors. */
static void test_no_tensor_is_idle(void **unused) {
    (void)unused;
    static attn_real before[SIZE], after[SIZE];
    fill_ids();
    for (int kind = 0; kind < 3; kind++) {
        attn_encoder_config config = config_of(kind);
        attn_encoder *model = tiny_encoder(&config, false);
        attn_encoder_unpack(model);
        forward(model, 0, SEQUENCES, before);
        attn_params *params = attn_encoder_params(model);
        for (size_t i = 0; i < attn_params_count(params); i++) {
            attn_param *row = attn_params_at(params, i);
            if (strstr(row->name, ".key.bias") != NULL) {
                continue; /* the same for all keys, which softmax takes away */
            }
            attn_real *last = row->data + (row->rows > 3 ? 3 : row->rows) * row->cols - 1,
                      was = *last;
            *last += 1;
            forward(model, 0, SEQUENCES, after);
            *last = was;
            if (memcmp(before, after, sizeof before) == 0) {
                fail_msg("%s does not count", row->name);
            }
        }
        attn_encoder_free(model);
    }
}

/* Positions count from first_position: the same bits as those of a table that begins there. */
static void test_positions(void **unused) {
    (void)unused;
    static attn_real expected[SIZE], got[SIZE];
    fill_ids();
    attn_encoder_config config = config_of(0);
    attn_encoder *model = tiny_encoder(&config, false);
    forward(model, 0, SEQUENCES, expected);
    config.first_position = 0;
    attn_encoder *shifted = tiny_encoder(&config, false);
    attn_param *table = attn_params_find(attn_encoder_params(shifted), "positions");
    memmove(table->data, table->data + 2 * table->cols,
            (size_t)((table->rows - 2) * table->cols) * sizeof *table->data);
    forward(shifted, 0, SEQUENCES, got);
    assert_memory_equal(got, expected, sizeof got);
    attn_encoder_free(shifted);
    attn_encoder_free(model);
}

static void test_pooling(void **unused) {
    (void)unused;
    attn_real rows[] = {1, 2, 3, 4, 8, 6, 30, 40};
    const attn_tensor tokens = {.rows = 4, .cols = 2, .data = rows};
    const int64_t own[] = {0, 3, 3, 4};
    const attn_encoder_batch batch = {.count = 3, .starts = own};
    float vectors[6];
    attn_encoder_pool(&tokens, &batch, ATTN_POOLING_MEAN, false, vectors);
    const float mean[] = {4, 4, 0, 0, 30, 40}, first[] = {1, 2, 0, 0, 30, 40};
    assert_memory_equal(vectors, mean, sizeof mean);
    attn_encoder_pool(&tokens, &batch, ATTN_POOLING_FIRST, false, vectors);
    assert_memory_equal(vectors, first, sizeof first);
    attn_encoder_pool(&tokens, &batch, ATTN_POOLING_FIRST, true, vectors);
    assert_true(vectors[2] == 0 && vectors[4] == 0.6F && vectors[5] == 0.8F);
    rows[6] = rows[7] = 0; /* has no direction */
    attn_encoder_pool(&tokens, &batch, ATTN_POOLING_MEAN, true, vectors);
    assert_true(vectors[4] == 0 && vectors[5] == 0);
}

/* Rows of weights sum to 1 and are those that made the layer's output: the values, weighed, are the heads. */
static void test_attention(void **unused) {
    (void)unused;
    fill_ids();
    attn_encoder_config config = config_of(1);
    attn_encoder *model = tiny_encoder(&config, false);
    attn_encoder_batch batch = {.count = SEQUENCES, .ids = ids, .starts = starts};
    attn_tape *tape = NULL;
    attn_real weights[4 * 17 * 17];
    attn_error error = {0};
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    assert_int_equal(attn_encoder_attend(model, tape, &batch, 1, 0, weights, &error),
                     ATTN_ERR_ARGUMENT); /* nobody watched */
    attn_tape_watch(tape, true);
    attn_tape_begin(tape, false, 0, 0);
    assert_non_null(attn_encoder_forward(model, tape, &batch));
    for (int64_t layer = 0; layer < config.layers; layer++) {
        char name[64];
        assert_int_equal(attn_encoder_attend(model, tape, &batch, 1, layer, weights, &error),
                         ATTN_OK);
        snprintf(name, sizeof name, "encoder.%d.self.heads", (int)layer);
        const attn_tensor *heads = attn_tape_noted(tape, name);
        snprintf(name, sizeof name, "encoder.%d.self.joined", (int)layer);
        const attn_tensor *joined = attn_tape_noted(tape, name);
        for (int i = 0; i < 4 * 17 * 17; i += 17) {
            int head = i / (17 * 17), query = i / 17 % 17;
            double sum = 0, value = 0;
            for (int k = 0; k < 17; k++) {
                sum += (double)weights[i + k];
                value += (double)weights[i + k] *
                         (double)joined->data[(1 + k) * joined->cols + 48 + head * 6];
            }
            assert_true(fabs(sum - 1) < 1e-5);
            assert_true(fabs(value - (double)heads->data[(1 + query) * 24 + head * 6]) < 1e-4);
        }
    }
    assert_int_equal(attn_encoder_attend(model, tape, &batch, 1, 3, weights, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_encoder_attend(model, tape, &batch, SEQUENCES, 0, weights, &error),
                     ATTN_ERR_ARGUMENT);
    attn_tape_free(tape);
    attn_encoder_free(model);
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        size_t field;
        int64_t value;
        const char *says;
    } wrong[] = {
        {offsetof(attn_encoder_config, vocabulary), 3, "vocabulary"},
        {offsetof(attn_encoder_config, d_model), 25, "does not fit 4 heads"},
        {offsetof(attn_encoder_config, heads), 0, "heads"},
        {offsetof(attn_encoder_config, layers), 0, "layers"},
        {offsetof(attn_encoder_config, embedding_size), -1, "embedding_size"},
        {offsetof(attn_encoder_config, positions), 1 << 20, "positions"},
        {offsetof(attn_encoder_config, first_position), 149, "first_position"},
        {offsetof(attn_encoder_config, max_length), 149, "max_length"},
        {offsetof(attn_encoder_config, segments), -1, "segments"},
    };
    attn_error error = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        attn_encoder_config config = tiny_encoder_config();
        memcpy((char *)&config + wrong[i].field, &wrong[i].value, sizeof wrong[i].value);
        assert_int_equal(attn_encoder_config_check(&config, &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, wrong[i].says));
    }
    static const struct {
        size_t field;
        unsigned value;
        const char *says;
    } choices[] = {
        {offsetof(attn_encoder_config, activation), ATTN_ACTIVATION_SWISH + 1, "activation"},
        {offsetof(attn_encoder_config, pooling), ATTN_POOLING_FIRST + 1, "pooling"},
    };
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        attn_encoder_config config = tiny_encoder_config();
        memcpy((char *)&config + choices[i].field, &choices[i].value, sizeof choices[i].value);
        assert_int_equal(attn_encoder_config_check(&config, &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, choices[i].says));
    }
    /* A sequence that is too long, and an id that is none. */
    attn_encoder_config config = tiny_encoder_config();
    config.max_length = 16;
    attn_encoder *model = tiny_encoder(&config, false);
    attn_tape *tape = NULL;
    const int64_t own[] = {0, 17}, one[] = {0, 1};
    const int32_t none = TINY_WORDS + 2;
    attn_encoder_batch batch = {.count = 1, .ids = ids, .starts = own};
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    assert_null(attn_encoder_forward(model, tape, &batch));
    assert_int_equal(attn_tape_check(tape, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "17 tokens, the longest may have 16"));
    batch = (attn_encoder_batch){.count = 1, .ids = &none, .starts = one};
    attn_tape_begin(tape, false, 0, 0);
    assert_null(attn_encoder_forward(model, tape, &batch));
    assert_int_equal(attn_tape_check(tape, &error), ATTN_ERR_ARGUMENT);
    attn_tape_free(tape);
    attn_encoder_free(model);
}

/* ---- files ---- */

static void assert_same_config(const attn_encoder_config *a, const attn_encoder_config *b) {
    assert_true(a->vocabulary == b->vocabulary && a->d_model == b->d_model && a->ffn == b->ffn);
    assert_true(a->heads == b->heads && a->layers == b->layers && a->segments == b->segments);
    assert_true(a->embedding_size == b->embedding_size && a->positions == b->positions);
    assert_true(a->first_position == b->first_position && a->max_length == b->max_length);
    assert_true(a->shared_layers == b->shared_layers && a->activation == b->activation);
    assert_true(a->norm_epsilon == b->norm_epsilon && a->pooling == b->pooling);
    assert_true(a->unit_length == b->unit_length);
}

static const flaw flaws[] = {
    {"encoder.1.self.value.weight", TAKE, NULL, false, ATTN_ERR_SHAPE, "is missing"},
    {"encoder.1.feed_forward.up.weight", SWAP, NULL, false, ATTN_ERR_SHAPE, "expected 20 x 24"},
    {"positions", SWAP, NULL, false, ATTN_ERR_SHAPE, "tensor positions has the wrong shape"},
    {"encoder.3.self.value.bias", ADD_F32, NULL, false, ATTN_ERR_SHAPE, "does not belong"},
    {"encoder.0.self.query.bias", AS_BYTES, NULL, false, ATTN_ERR_SHAPE, "has type"},
    {"attn.model", METADATA, "translator", false, ATTN_ERR_FORMAT, "not an attn encoder"},
    {"layers", METADATA, "250", false, ATTN_ERR_SHAPE, "is missing"},
    {"heads", METADATA, "5", false, ATTN_ERR_FORMAT, "does not fit 5 heads"},
    {"pooling", METADATA, "max", false, ATTN_ERR_FORMAT, "pooling is invalid"},
    {"vocabulary", METADATA, "4194304", false, ATTN_ERR_SHAPE, "embedding has the wrong shape"},
};

static void test_files(void **unused) {
    (void)unused;
    char path[] = "/tmp/attn-test-XXXXXX", flawed[64];
    static attn_real expected[SIZE], got[SIZE];
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    snprintf(flawed, sizeof flawed, "%s.flawed", path);
    fill_ids();
    for (int kind = 2; kind >= 0; kind--) { /* the plain one is left for the flaws */
        attn_encoder_config config = config_of(kind);
        attn_encoder *model = tiny_encoder(&config, false), *loaded = NULL;
        attn_error error = {0};
        void *bytes = NULL;
        size_t size = 0;
        forward(model, 0, SEQUENCES, expected);
        assert_int_equal(
            attn_encoder_save(model, ATTN_STORE_F32, "words", 5, NULL, 0, path, &error), ATTN_OK);
        for (int trainable = 0; trainable < 2; trainable++) {
            assert_int_equal(attn_encoder_load(path, trainable, ATTN_COMPUTE_F32, &loaded, &bytes,
                                               &size, &error),
                             ATTN_OK);
            assert_int_equal(size, 5);
            assert_memory_equal(bytes, "words", 5);
            assert_same_config(attn_encoder_get_config(loaded), attn_encoder_get_config(model));
            assert_int_equal(attn_params_grad(attn_encoder_params(loaded)) != NULL, trainable);
            forward(loaded, 0, SEQUENCES, got);
            assert_memory_equal(got, expected, sizeof got);
            attn_encoder_free_bytes(bytes);
            attn_encoder_free(loaded);
        }
        /* Integers in the file are the integers that are multiplied with. */
        assert_int_equal(attn_encoder_save(model, ATTN_STORE_I8, NULL, 0, NULL, 0, flawed, &error),
                         ATTN_OK);
        assert_int_equal(
            attn_encoder_load(flawed, false, ATTN_COMPUTE_I8, &loaded, &bytes, &size, &error),
            ATTN_OK);
        assert_true(bytes == NULL && size == 0);
        assert_non_null(attn_params_at(attn_encoder_params(loaded), 0)->row_scale);
        forward(loaded, 0, SEQUENCES, got);
        for (int i = 0; i < SIZE; i++) {
            assert_true(fabsf(got[i] - expected[i]) < 0.5F);
        }
        /* What is kept packed alone has nothing to save or to pack again. */
        assert_null(
            attn_params_find(attn_encoder_params(loaded), "encoder.0.self.key.weight")->data);
        assert_int_equal(
            attn_encoder_save(loaded, ATTN_STORE_F32, NULL, 0, NULL, 0, flawed, &error),
            ATTN_ERR_ARGUMENT);
        assert_int_equal(attn_encoder_pack(loaded, ATTN_COMPUTE_I8, &error), ATTN_ERR_ARGUMENT);
        attn_encoder_free(loaded);
        attn_encoder_free(model);
    }
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        attn_encoder *model = NULL;
        attn_error error = {0};
        change_file(&flaws[i], path, flawed);
        attn_status status =
            attn_encoder_load(flawed, false, ATTN_COMPUTE_F32, &model, NULL, NULL, &error);
        if (status != flaws[i].status || strstr(error.what, flaws[i].says) == NULL) {
            fail_msg("%s: status %d, %s", flaws[i].name, status, error.what);
        }
        assert_null(model);
    }
    unlink(path);
    unlink(flawed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_no_tensor_is_idle),
        cmocka_unit_test(test_positions), cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
