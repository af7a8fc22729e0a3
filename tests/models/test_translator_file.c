/* tests/models/test_translator_file.c: what is saved is what is loaded, and flawed files are refused
 * with a clear word and without much memory.
 *
 * Next: tests/support/flawed_file.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "attn/translator.h"
#include "base/memory.h"
#include "io/file.h"
#include "models/model_file.h"
#include "support/flawed_file.h"
#include "support/tiny_translator.h"

static char folder[] = "/tmp/attn-test-XXXXXX";
static char good[64], good_i8[64], flawed[64];

static void save(const attn_translator *model, attn_storage storage, const char *path) {
    static const attn_metadata facts[] = {{"licence", "none \xc3\xa9"}, {"steps", "12"}};
    attn_error error = {0};
    assert_int_equal(attn_translator_save(model, storage, "pieces", 6, facts, 2, path, &error),
                     ATTN_OK);
}

static int set_up(void **unused) {
    (void)unused;
    assert_non_null(mkdtemp(folder));
    snprintf(good, sizeof good, "%s/good.safetensors", folder);
    snprintf(good_i8, sizeof good_i8, "%s/good-i8.safetensors", folder);
    snprintf(flawed, sizeof flawed, "%s/flawed.safetensors", folder);
    attn_translator_config config = tiny_config();
    attn_translator *model = tiny_translator(&config, false);
    save(model, ATTN_STORE_F32, good);
    save(model, ATTN_STORE_I8, good_i8);
    attn_translator_free(model);
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

static void assert_same_config(const attn_translator_config *a, const attn_translator_config *b) {
    assert_true(a->vocabulary == b->vocabulary && a->d_model == b->d_model && a->ffn == b->ffn);
    assert_true(a->heads == b->heads && a->kv_heads == b->kv_heads);
    assert_true(a->encoder_layers == b->encoder_layers && a->decoder_layers == b->decoder_layers);
    assert_true(a->max_length == b->max_length && a->pre_norm == b->pre_norm);
    assert_true(a->learned_positions == b->learned_positions && a->activation == b->activation);
    assert_true(a->dropout == b->dropout && a->attention_dropout == b->attention_dropout);
    assert_true(a->activation_dropout == b->activation_dropout);
    assert_true(a->label_smoothing == b->label_smoothing && a->embeddings == b->embeddings);
    assert_true(a->source_vocabulary == b->source_vocabulary && a->output_bias == b->output_bias);
    assert_true(a->plain_embeddings == b->plain_embeddings && a->sinusoids == b->sinusoids);
    assert_true(a->embedding_norm == b->embedding_norm && a->norm_epsilon == b->norm_epsilon);
    assert_true(a->first_position == b->first_position && a->rms_norm == b->rms_norm);
    assert_true(a->gated == b->gated && a->bare_source == b->bare_source);
}

/* What models made elsewhere have. */
static void make_foreign(attn_translator_config *config) {
    config->embeddings = ATTN_EMBEDDINGS_TARGET;
    config->source_vocabulary = TINY_VOCABULARY + 3;
    config->output_bias = config->plain_embeddings = config->embedding_norm = true;
    config->sinusoids = ATTN_SINUSOIDS_PAPER;
    config->first_position = 2;
    config->norm_epsilon = 1e-12;
    config->rms_norm = config->gated = config->bare_source = true;
}

static attn_translator *load(const char *path, bool trainable) {
    attn_translator *model = NULL;
    attn_error error = {0};
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(
        attn_translator_load(path, trainable, ATTN_COMPUTE_F32, &model, &bytes, &size, &error),
        ATTN_OK);
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "pieces", 6);
    attn_translator_free_bytes(bytes);
    return model;
}

/* How far a stored element may be from what was saved: nothing, half of the last of bfloat16's 8
 * bits, or half of a row's int8 step. */
static attn_real tolerance(attn_storage storage, const attn_param *row, int64_t r, attn_real x) {
    if (storage == ATTN_STORE_F32 || row->rows == 1) {
        return 0;
    }
    if (storage == ATTN_STORE_BF16) {
        return fabsf(x) / 256;
    }
    attn_real largest = 0;
    for (int64_t c = 0; c < row->cols; c++) {
        largest = fmaxf(largest, fabsf(row->data[r * row->cols + c]));
    }
    return largest / 127 * 0.501F;
}

static void assert_close(const attn_translator *saved, const attn_translator *loaded,
                         attn_storage storage) {
    const attn_params *a = attn_translator_params(saved), *b = attn_translator_params(loaded);
    assert_int_equal(attn_params_count(a), attn_params_count(b));
    for (size_t i = 0; i < attn_params_count(a); i++) {
        const attn_param *x = attn_params_at(a, i), *y = attn_params_at(b, i);
        assert_string_equal(x->name, y->name);
        for (int64_t e = 0; e < x->rows * x->cols; e++) {
            attn_real bound = tolerance(storage, x, e / x->cols, x->data[e]);
            assert_true(fabsf(x->data[e] - y->data[e]) <= bound);
        }
    }
}

static void test_round_trips(void **unused) {
    (void)unused;
    for (int kind = 0; kind < 18; kind++) {
        attn_storage storage = (attn_storage)(kind / 2 % 3);
        attn_translator_config config = tiny_config();
        config.embeddings = (attn_embeddings)(kind / 6);
        if (config.embeddings == ATTN_EMBEDDINGS_TARGET) {
            make_foreign(&config);
        }
        config.pre_norm = kind % 2 == 1;
        config.learned_positions = kind % 2 == 1;
        config.activation = kind % 2 == 1 ? ATTN_ACTIVATION_GELU : ATTN_ACTIVATION_RELU;
        config.dropout = 0.123456;
        config.label_smoothing = 0;
        attn_translator *model = tiny_translator(&config, false);
        save(model, storage, flawed);
        for (int trainable = 0; trainable < 2; trainable++) {
            attn_translator *loaded = load(flawed, trainable);
            assert_same_config(&config, attn_translator_get_config(loaded));
            assert_close(model, loaded, storage);
            assert_int_equal(attn_params_grad(attn_translator_params(loaded)) != NULL, trainable);
            attn_translator_free(loaded);
        }
        attn_translator_free(model);
    }
    attn_safetensors *file = NULL;
    assert_int_equal(attn_safetensors_open(good, &file, NULL), ATTN_OK);
    assert_string_equal(attn_safetensors_metadata(file, "licence"), "none \xc3\xa9");
    assert_string_equal(attn_safetensors_metadata(file, "steps"), "12");
    attn_safetensors_close(file);
}

/* The first element that the encoder gives for a sentence. */
static attn_real encode_one(attn_translator *model) {
    tiny_batch batch;
    attn_tape *tape = NULL;
    tiny_batch_begin(&batch);
    tiny_batch_add(&batch, 1, 9, 1);
    batch.view.target_input = NULL;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    attn_tensor *x = attn_translator_forward(model, tape, &batch.view);
    assert_non_null(x);
    attn_real first = x->data[0];
    attn_tape_free(tape);
    return first;
}

/* ---- packed alone ---- */

/* Scores of two steps for two sentences. */
static void two_steps(attn_translator *model, attn_real scores[4 * TINY_VOCABULARY]) {
    tiny_batch batch;
    attn_translator_state *state = NULL;
    attn_error error = {0};
    const int32_t first[] = {2, 2}, second[] = {7, 9};
    const int64_t parents[] = {0, 1};
    tiny_batch_begin(&batch);
    tiny_batch_add(&batch, 1, 9, 1);
    tiny_batch_add(&batch, 2, 4, 1);
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(
        attn_translator_encode(state, 2, batch.source, batch.source_starts, 2, 5, &error), ATTN_OK);
    assert_int_equal(attn_translator_step(state, 2, first, parents, scores, NULL, &error), ATTN_OK);
    assert_int_equal(
        attn_translator_step(state, 2, second, parents, scores + 2 * TINY_VOCABULARY, NULL, &error),
        ATTN_OK);
    attn_translator_state_free(state);
}

static void assert_packed_alike(const char *path, attn_compute compute) {
    attn_real whole[4 * TINY_VOCABULARY], packed[4 * TINY_VOCABULARY];
    attn_translator *model = NULL;
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(attn_translator_load(path, false, compute, &model, NULL, NULL, NULL), ATTN_OK);
    two_steps(model, whole);
    attn_translator_free(model);
    assert_int_equal(attn_translator_load_packed(path, compute, &model, &bytes, &size, NULL),
                     ATTN_OK);
    two_steps(model, packed);
    assert_memory_equal(packed, whole, sizeof whole);
    assert_int_equal(size, 6);
    attn_translator_free_bytes(bytes);
    attn_translator_free(model);
}

/* The same scores from files of every kind, and what needs the matrices refuses. */
static void test_packed_alone(void **unused) {
    (void)unused;
    for (int kind = 0; kind < 18; kind++) {
        attn_translator_config config = tiny_config();
        config.learned_positions = kind % 2 == 1;
        config.embeddings = (attn_embeddings)(kind / 6);
        if (config.embeddings == ATTN_EMBEDDINGS_TARGET) {
            make_foreign(&config);
        }
        attn_translator *model = tiny_translator(&config, false);
        save(model, (attn_storage)(kind / 2 % 3), flawed);
        attn_translator_free(model);
        assert_packed_alike(flawed, ATTN_COMPUTE_F32);
        assert_packed_alike(flawed, ATTN_COMPUTE_I8);
    }
    attn_translator *model = NULL;
    attn_error error = {0};
    attn_tape *tape = NULL;
    tiny_batch batch;
    double loss = 0, nll = 0;
    assert_int_equal(
        attn_translator_load_packed(good, ATTN_COMPUTE_F32, &model, NULL, NULL, &error), ATTN_OK);
    assert_null(attn_params_find(attn_translator_params(model), "embedding")->data);
    assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_I8, NULL), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_translator_save(model, ATTN_STORE_F32, NULL, 0, NULL, 0, flawed, &error),
                     ATTN_ERR_ARGUMENT);
    tiny_batch_begin(&batch);
    tiny_batch_add(&batch, 1, 5, 7);
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    for (int record = 0; record < 2; record++) {
        attn_tape_begin(tape, record, 0, 0);
        assert_int_equal(attn_translator_loss(model, tape, &batch.view, 1, &loss, &nll, NULL),
                         ATTN_ERR_ARGUMENT);
    }
    assert_null(attn_translator_forward(model, tape, &batch.view)); /* it records */
    attn_tape_free(tape);
    attn_translator_free(model);
}

/* A file of integers is run with its own integers and scales. */
static void test_keeps_stored_integers(void **unused) {
    (void)unused;
    attn_translator *model = NULL;
    attn_safetensors *file = NULL;
    assert_int_equal(
        attn_translator_load(good_i8, false, ATTN_COMPUTE_I8, &model, NULL, NULL, NULL), ATTN_OK);
    assert_int_equal(attn_safetensors_open(good_i8, &file, NULL), ATTN_OK);
    const attn_params *params = attn_translator_params(model);
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *row = attn_params_at(params, i);
        char name[80];
        snprintf(name, sizeof name, "%s.scale", row->name);
        const attn_tensor_info *scale = attn_safetensors_find(file, name);
        if (scale != NULL) {
            assert_memory_equal(row->row_scale, scale->data, scale->size);
        }
    }
    /* One after another, so that joined matrices read them as one. */
    const attn_param *key = attn_params_find(params, "encoder.0.self.key.weight");
    assert_ptr_equal(attn_params_find(params, "encoder.0.self.value.weight")->row_scale,
                     key->row_scale + key->rows);
    attn_safetensors_close(file);
    /* And they are what is multiplied with: other scales, other numbers. */
    attn_real before = encode_one(model);
    for (int64_t r = 0; r < key->rows; r++) {
        key->row_scale[r] *= 3;
    }
    assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_I8, NULL), ATTN_OK);
    assert_true(encode_one(model) != before);
    attn_translator_free(model);
    /* A file of floats has none. */
    assert_int_equal(attn_translator_load(good, false, ATTN_COMPUTE_I8, &model, NULL, NULL, NULL),
                     ATTN_OK);
    assert_null(attn_params_at(attn_translator_params(model), 0)->row_scale);
    attn_translator_free(model);
}

static void test_save_refuses_a_name_twice(void **unused) {
    (void)unused;
    static const attn_metadata twice[] = {{"d_model", "7"}};
    attn_translator_config config = tiny_config();
    attn_translator *model = tiny_translator(&config, false);
    attn_error error = {0};
    unlink(flawed);
    assert_int_equal(attn_translator_save(model, ATTN_STORE_F32, NULL, 0, twice, 1, flawed, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(access(flawed, F_OK), -1);
    /* Without a tokenizer there is none to load. */
    void *bytes = flawed;
    size_t size = 1;
    attn_translator *loaded = NULL;
    assert_int_equal(attn_translator_save(model, ATTN_STORE_F32, NULL, 0, NULL, 0, flawed, &error),
                     ATTN_OK);
    assert_int_equal(
        attn_translator_load(flawed, false, ATTN_COMPUTE_F32, &loaded, &bytes, &size, &error),
        ATTN_OK);
    assert_true(bytes == NULL && size == 0);
    attn_translator_free(loaded);
    attn_translator_free(model);
}

/* ---- flawed files ---- */

static const flaw flaws[] = {
    {"encoder.1.self.value.weight", TAKE, NULL, false, ATTN_ERR_SHAPE,
     "tensor encoder.1.self.value.weight is missing"},
    {"decoder.0.norm_cross.gamma", TAKE, NULL, false, ATTN_ERR_SHAPE, "missing"},
    {"decoder.1.feed_forward.up.weight.scale", TAKE, NULL, true, ATTN_ERR_SHAPE,
     "decoder.1.feed_forward.up.weight.scale"},
    {"decoder.1.feed_forward.up.weight", SWAP, NULL, false, ATTN_ERR_SHAPE, "expected 20 x 24"},
    {"embedding", SWAP, NULL, false, ATTN_ERR_SHAPE, "tensor embedding has the wrong shape"},
    {"encoder.2.self.value.bias", ADD_F32, NULL, false, ATTN_ERR_SHAPE, "does not belong"},
    {"embedding.scale", ADD_F32, NULL, false, ATTN_ERR_SHAPE, "does not belong"},
    {"encoder.0.self.query.bias.scale", ADD_F32, NULL, true, ATTN_ERR_SHAPE, "does not belong"},
    {"encoder.0.self.query.bias", AS_BYTES, NULL, false, ATTN_ERR_SHAPE, "has type"},
    {"encoder.0.self.query.weight", AS_BYTES, NULL, false, ATTN_ERR_SHAPE, "wrong shape"},
    {"attn.version", METADATA, "2", false, ATTN_ERR_UNSUPPORTED, "version 2"},
    {"attn.model", METADATA, "segmenter", false, ATTN_ERR_FORMAT, "segmenter"},
    {"d_model", METADATA, "48", false, ATTN_ERR_SHAPE, "expected 37 x 48"},
    {"d_model", METADATA, "0x18", false, ATTN_ERR_FORMAT, "d_model"},
    {"d_model", METADATA, "24 ", false, ATTN_ERR_FORMAT, "d_model"},
    {"d_model", METADATA, "", false, ATTN_ERR_FORMAT, "d_model"},
    {"d_model", METADATA, "99999999999999999999", false, ATTN_ERR_FORMAT, "d_model"},
    {"heads", METADATA, "5", false, ATTN_ERR_FORMAT, "do not divide"},
    {"heads", METADATA, "0", false, ATTN_ERR_FORMAT, "heads is 0"},
    {"kv_heads", METADATA, "-2", false, ATTN_ERR_FORMAT, "kv_heads is -2"},
    {"encoder_layers", METADATA, "3", false, ATTN_ERR_SHAPE, "encoder.2"},
    {"encoder_layers", METADATA, "1", false, ATTN_ERR_SHAPE, "does not belong"},
    {"decoder_layers", METADATA, "64", false, ATTN_ERR_SHAPE, "decoder.2"},
    {"decoder_layers", METADATA, "1000000000000", false, ATTN_ERR_FORMAT, "decoder_layers"},
    {"ffn", METADATA, "65536", false, ATTN_ERR_SHAPE, "feed_forward.up"},
    {"vocabulary", METADATA, "1048576", false, ATTN_ERR_SHAPE, "embedding"},
    {"pre_norm", METADATA, "maybe", false, ATTN_ERR_FORMAT, "pre_norm"},
    {"pre_norm", METADATA, "true", false, ATTN_ERR_SHAPE, "encoder.norm.gamma"},
    {"learned_positions", METADATA, "true", false, ATTN_ERR_SHAPE, "positions is missing"},
    {"activation", METADATA, "sine", false, ATTN_ERR_FORMAT, "activation"},
    {"dropout", METADATA, "1000000", false, ATTN_ERR_FORMAT, "dropout"},
};

/* Asserts that the file is refused so, and that hardly more than its own size was allocated. */
static void assert_refused(attn_status status, const char *says) {
    for (int kind = 0; kind < 3; kind++) {
        counter memory = {0};
        attn_translator *model = (attn_translator *)folder;
        attn_error error = {0};
        void *bytes = folder;
        size_t size = 1;
        char message[1200];
        attn_set_allocator(count_allocate, count_release, &memory);
        attn_status got = kind == 2 ? attn_translator_load_packed(flawed, ATTN_COMPUTE_F32, &model,
                                                                  &bytes, &size, &error)
                                    : attn_translator_load(flawed, kind == 1, ATTN_COMPUTE_F32,
                                                           &model, &bytes, &size, &error);
        attn_set_allocator(NULL, NULL, NULL);
        attn_error_format(&error, message, sizeof message);
        if (got != status || strstr(message, says) == NULL || strstr(message, flawed) != message) {
            fail_msg("expected status %d and \"%s\", got %d: %s", status, says, got, message);
        }
        assert_true(model == NULL && bytes == NULL && size == 0);
        assert_int_equal(memory.live, 0);
        assert_in_range(memory.peak, 1, 4 << 20);
    }
}

static void test_flawed_files(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        change_file(&flaws[i], flaws[i].int8 ? good_i8 : good, flawed);
        assert_refused(flaws[i].status, flaws[i].says);
    }
}

/* ---- verifying ---- */

/* Every bit counts, wherever in the file it is; another order of tensors and metadata does not. */
static void assert_flips_found(const char *path) {
    attn_error error = {0};
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(attn_model_file_verify(path, &error), ATTN_OK);
    assert_int_equal(attn_file_read(path, 0, &bytes, &size, &error), ATTN_OK);
    for (size_t at = 0; at < size; at += size / 500) {
        char kept = bytes[at];
        bytes[at] = (char)(kept ^ 1 << at % 8);
        FILE *file = fopen(flawed, "wb");
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        if (attn_model_file_verify(flawed, &error) != ATTN_ERR_FORMAT) {
            fail_msg("bit %zu of byte %zu of %zu was flipped unseen", at % 8, at, size);
        }
        bytes[at] = kept;
    }
    attn_free(bytes);
}

static void test_verify(void **unused) {
    (void)unused;
    assert_flips_found(good);
    assert_flips_found(good_i8);
    static parts p;
    attn_error error = {0};
    parts_open(&p, good);
    for (size_t i = 0; i + 1 < p.tensor_count; i += 2) {
        attn_tensor_info kept = p.tensors[i];
        p.tensors[i] = p.tensors[i + 1];
        p.tensors[i + 1] = kept;
    }
    attn_metadata first = p.metadata[0];
    p.metadata[0] = p.metadata[p.metadata_count - 1];
    p.metadata[p.metadata_count - 1] = first;
    parts_write(&p, flawed);
    assert_int_equal(attn_model_file_verify(flawed, &error), ATTN_OK);
    parts_open(&p, good);
    set_metadata(&p, "licence", "another");
    parts_write(&p, flawed);
    assert_int_equal(attn_model_file_verify(flawed, &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "does not hold what was written"));
    parts_open(&p, good);
    swap_shape(&p, "embedding"); /* of the same bytes */
    parts_write(&p, flawed);
    assert_int_equal(attn_model_file_verify(flawed, &error), ATTN_ERR_FORMAT);
    parts_open(&p, good);
    take_metadata(&p, "attn.hash");
    parts_write(&p, flawed);
    assert_int_equal(attn_model_file_verify(flawed, &error), ATTN_ERR_UNSUPPORTED);
    unlink(flawed);
    assert_int_equal(attn_model_file_verify(flawed, &error), ATTN_ERR_IO);
}

static void test_tokenizer_that_is_not_bytes(void **unused) {
    (void)unused;
    static const float numbers[3];
    attn_translator_config config = tiny_config();
    attn_translator *model = tiny_translator(&config, false);
    attn_error error = {0};
    assert_int_equal(attn_translator_save(model, ATTN_STORE_F32, NULL, 0, NULL, 0, flawed, &error),
                     ATTN_OK);
    static parts p;
    parts_open(&p, flawed);
    p.tensors[p.tensor_count++] =
        (attn_tensor_info){"tokenizer", ATTN_DTYPE_F32, 1, {3}, numbers, sizeof numbers};
    parts_write(&p, flawed);
    assert_refused(ATTN_ERR_SHAPE, "tokenizer does not hold bytes");
    attn_translator_free(model);
}

/* A quarter of a megabyte that promises two terabytes: an embedding of 4 x 16384, and as many
 * layers, as wide, as a configuration may ask for. */
static void test_promise_of_terabytes(void **unused) {
    (void)unused;
    static const struct {
        const char *key, *value;
    } config[] = {
        {"attn.model", "translator"}, {"attn.version", "1"},    {"vocabulary", "4"},
        {"d_model", "16384"},         {"ffn", "65536"},         {"heads", "256"},
        {"kv_heads", "256"},          {"encoder_layers", "64"}, {"decoder_layers", "64"},
        {"max_length", "65536"},      {"pre_norm", "false"},    {"learned_positions", "false"},
        {"activation", "relu"},       {"dropout", "0"},         {"attention_dropout", "0"},
        {"activation_dropout", "0"},  {"label_smoothing", "0"},
    };
    static attn_real embedding[4 * 16384];
    static char names[256][16];
    static parts p;
    for (; p.metadata_count < sizeof config / sizeof config[0]; p.metadata_count++) {
        p.metadata[p.metadata_count] =
            (attn_metadata){config[p.metadata_count].key, config[p.metadata_count].value};
    }
    p.tensors[p.tensor_count++] =
        (attn_tensor_info){"embedding", ATTN_DTYPE_F32, 2, {4, 16384}, embedding, sizeof embedding};
    for (int i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "filler.%d", i);
        add_tensor(&p, names[i], ATTN_DTYPE_F32, 1);
    }
    parts_write(&p, flawed);
    assert_refused(ATTN_ERR_SHAPE, "encoder.0.self.query.weight is missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_packed_alone),
        cmocka_unit_test(test_keeps_stored_integers),
        cmocka_unit_test(test_save_refuses_a_name_twice),
        cmocka_unit_test(test_flawed_files),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_tokenizer_that_is_not_bytes),
        cmocka_unit_test(test_promise_of_terabytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
