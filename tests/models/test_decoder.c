/* tests/models/test_decoder.c: a decoder's numbers are the same bits on every processor, with any number of threads, in any
 * company, and however a text is divided over steps; what is saved is what is loaded; flawed files and configurations are refused. */
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
#include "support/tiny_decoder.h"

/* Lengths around the widths that kernels work in, around a page of 64 and a block of 256 tokens. */
enum { SEQUENCES = 6, TOKENS = 1 + 17 + 290 + 64 + 0 + 130 };
static const int64_t starts[] = {0, 1, 18, 308, 372, 372, TOKENS};
static int32_t ids[TOKENS];

static void fill_ids(void) {
    attn_random random = attn_random_start(9);
    for (int i = 0; i < TOKENS; i++) {
        ids[i] = (int32_t)(TINY_WORDS * attn_random_uniform(&random));
    }
}

static void score(const attn_decoder *model, int64_t first, int64_t count, attn_real *out) {
    int64_t own[SEQUENCES + 1];
    attn_error error = {0};
    for (int64_t i = 0; i <= count; i++) {
        own[i] = starts[first + i] - starts[first];
    }
    attn_decoder_batch batch = {.count = count, .ids = ids + starts[first], .starts = own};
    if (attn_decoder_score(model, &batch, out, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
}

/* All log-probabilities that a row of `out` [TOKENS, V] has for what follows each token, from a whole pass: softmax in double. */
static void whole(const attn_decoder *model, int64_t first, int64_t count, attn_real *out) {
    int64_t own[SEQUENCES + 1];
    attn_tape *tape = NULL;
    for (int64_t i = 0; i <= count; i++) {
        own[i] = starts[first + i] - starts[first];
    }
    attn_decoder_batch batch = {.count = count, .ids = ids + starts[first], .starts = own};
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    const attn_tensor *x = attn_decoder_forward(model, tape, &batch);
    assert_non_null(x);
    memcpy(out, x->data, (size_t)(x->rows * x->cols) * sizeof *out);
    attn_tape_free(tape);
}

static void test_whole_pass(void **unused) {
    (void)unused;
    static attn_real expected[TOKENS * 24], got[TOKENS * 24];
    fill_ids();
    for (int kind = 0; kind < TINY_KINDS; kind++) {
        attn_decoder_config config = tiny_decoder_config(kind);
        bool first = true;
        for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
            attn_decoder *model = tiny_decoder(&config);
            whole(model, 0, SEQUENCES, first ? expected : got);
            assert_true(first || memcmp(got, expected, sizeof got) == 0);
            for (int64_t s = 0; s < SEQUENCES && first; s++) { /* each alone */
                whole(model, s, 1, got);
                assert_memory_equal(got, expected + starts[s] * 24,
                                    (size_t)(starts[s + 1] - starts[s]) * 24 * sizeof *got);
            }
            if (first) { /* the same without the packed weights */
                attn_decoder_unpack(model);
                whole(model, 0, SEQUENCES, got);
                assert_memory_equal(got, expected, sizeof got);
            }
            attn_decoder_free(model);
            first = false;
        }
    }
}

/* The log-probability of id after row x, by hand: W x + b and softmax in double. */
static double foretold(const attn_decoder *model, const attn_real *x, int32_t id) {
    const attn_decoder_config *c = attn_decoder_get_config(model);
    attn_params *params = attn_decoder_params(model);
    const attn_real *w = attn_params_find(params, c->own_output ? "output" : "embedding")->data;
    const attn_param *bias = attn_params_find(params, "output.bias");
    double all[TINY_WORDS], sum = 0;
    for (int v = 0; v < TINY_WORDS; v++) {
        all[v] = bias != NULL ? (double)bias->data[v] : 0;
        for (int i = 0; i < 24; i++) {
            all[v] += (double)w[v * 24 + i] * (double)x[i];
        }
    }
    for (int v = 0; v < TINY_WORDS; v++) {
        sum += exp(all[v] - all[id]);
    }
    return -log(sum);
}

static void on_every_processor(const attn_decoder_config *config, const attn_real *expected) {
    static attn_real got[TOKENS];
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        attn_decoder *model = tiny_decoder(config);
        score(model, 0, SEQUENCES, got);
        assert_memory_equal(got, expected, sizeof got);
        attn_decoder_free(model);
    }
}

static void test_scores(void **unused) {
    (void)unused;
    static attn_real rows[TOKENS * 24], expected[TOKENS], got[TOKENS];
    fill_ids();
    for (int kind = 0; kind < TINY_KINDS; kind++) {
        attn_decoder_config config = tiny_decoder_config(kind);
        attn_decoder *model = tiny_decoder(&config);
        whole(model, 0, SEQUENCES, rows);
        score(model, 0, SEQUENCES, expected);
        for (int64_t s = 0; s < SEQUENCES; s++) {
            for (int64_t t = starts[s]; t < starts[s + 1]; t++) {
                double by_hand = t == starts[s] ? 0 : foretold(model, rows + (t - 1) * 24, ids[t]);
                assert_true(fabs(by_hand - (double)expected[t]) < 1e-4);
            }
        }
        if (kind == 1) {
            on_every_processor(&config, expected);
        }
        score(model, 3, 3, got); /* in other company */
        assert_memory_equal(got, expected + starts[3], (size_t)(TOKENS - starts[3]) * sizeof *got);
        attn_decoder_free(model);
    }
}

/* Each row reads its sequence in pieces of its own size, some of them empty. What is told after a piece is what the whole
 * pass tells. */
static void read_in_pieces(const attn_decoder *model, const int64_t piece[SEQUENCES],
                           const attn_real *expected) {
    attn_decoder_state *state = NULL;
    attn_error error = {0};
    int64_t at[SEQUENCES] = {0}, own[SEQUENCES + 1] = {0}, done = 0;
    static int32_t read[TOKENS];
    static attn_real log_p[SEQUENCES * TINY_WORDS];
    assert_int_equal(attn_decoder_state_create(model, SEQUENCES, &state, &error), ATTN_OK);
    for (int round = 0; done < TOKENS; round++) {
        for (int64_t s = 0; s < SEQUENCES; s++) {
            int64_t left = starts[s + 1] - starts[s] - at[s];
            int64_t count = round % 2 == 1 && s % 2 == 1 ? 0 : left < piece[s] ? left : piece[s];
            own[s + 1] = own[s] + count;
            memcpy(read + own[s], ids + starts[s] + at[s], (size_t)count * sizeof *read);
            at[s] += count;
        }
        done += own[SEQUENCES];
        if (attn_decoder_step(state, read, own, log_p, &error) != ATTN_OK) {
            fail_msg("%s", error.what);
        }
        for (int64_t s = 0; s < SEQUENCES; s++) {
            assert_int_equal(attn_decoder_state_length(state, s), at[s]);
            int64_t next = starts[s] + at[s];
            if (own[s + 1] > own[s] && next < starts[s + 1]) {
                assert_memory_equal(&log_p[s * TINY_WORDS + ids[next]], &expected[next],
                                    sizeof *log_p);
            }
        }
    }
    attn_decoder_state_free(state);
}

static void test_steps(void **unused) {
    (void)unused;
    static const int64_t pieces[][SEQUENCES] = {
        {1, 1, 1, 1, 1, 1}, {1, 5, 17, 64, 1, 2}, {300, 300, 300, 300, 300, 300}};
    static attn_real expected[TOKENS];
    fill_ids();
    for (int kind = 0; kind < TINY_KINDS; kind++) {
        attn_decoder_config config = tiny_decoder_config(kind);
        attn_decoder *model = tiny_decoder(&config);
        score(model, 0, SEQUENCES, expected);
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            read_in_pieces(model, pieces[i], expected);
        }
        attn_decoder_free(model);
    }
}

/* Every part of the network counts: another number in any tensor gives other scores. */
static void test_no_tensor_is_idle(void **unused) {
    (void)unused;
    static attn_real before[TOKENS * 24], after[TOKENS * 24];
    fill_ids();
    for (int kind = 0; kind < TINY_KINDS; kind++) {
        attn_decoder_config config = tiny_decoder_config(kind);
        attn_decoder *model = tiny_decoder(&config);
        attn_decoder_unpack(model);
        whole(model, 0, SEQUENCES, before);
        attn_params *params = attn_decoder_params(model);
        for (size_t i = 0; i < attn_params_count(params); i++) {
            attn_param *row = attn_params_at(params, i);
            /* A bias of keys is the same for all of them, which softmax takes away, unless it is turned by their places. */
            bool same = strstr(row->name, ".key.bias") != NULL && config.rotary == ATTN_ROTARY_NONE;
            if (same || strncmp(row->name, "output", 6) == 0) {
                continue; /* test_scores reads the output */
            }
            attn_real was[24];
            memcpy(was, row->data, (size_t)(row->cols) * sizeof *was);
            for (int64_t k = 0; k < row->cols; k++) {
                row->data[k] += (attn_real)(k % 3);
            }
            whole(model, 0, SEQUENCES, after);
            memcpy(row->data, was, (size_t)(row->cols) * sizeof *was);
            if (memcmp(before, after, sizeof before) == 0) {
                fail_msg("%s does not count", row->name);
            }
        }
        attn_decoder_free(model);
    }
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        size_t field;
        int64_t value;
        const char *says;
    } wrong[] = {
        {offsetof(attn_decoder_config, vocabulary), 1, "vocabulary"},
        {offsetof(attn_decoder_config, d_model), 25, "do not fit"},
        {offsetof(attn_decoder_config, heads), 0, "heads"},
        {offsetof(attn_decoder_config, kv_heads), 3, "do not fit"},
        {offsetof(attn_decoder_config, layers), 0, "layers"},
        {offsetof(attn_decoder_config, max_length), 1, "max_length"},
        {offsetof(attn_decoder_config, rotary_dim), 3, "even"},
        {offsetof(attn_decoder_config, rotary_base), 1, "above 1"},
        {offsetof(attn_decoder_config, start_token), TINY_WORDS, "start_token"},
        {offsetof(attn_decoder_config, end_token), -2, "end_token"},
    };
    attn_error error = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        attn_decoder_config config = tiny_decoder_config(3);
        memcpy((char *)&config + wrong[i].field, &wrong[i].value, sizeof wrong[i].value);
        assert_int_equal(attn_decoder_config_check(&config, &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, wrong[i].says));
    }
    static const struct {
        size_t field;
        unsigned value;
        const char *says;
    } choices[] = {
        {offsetof(attn_decoder_config, activation), ATTN_ACTIVATION_SWISH + 1, "activation"},
        {offsetof(attn_decoder_config, rotary), ATTN_ROTARY_ADJACENT + 1, "rotary"},
    };
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        attn_decoder_config config = tiny_decoder_config(3);
        memcpy((char *)&config + choices[i].field, &choices[i].value, sizeof choices[i].value);
        assert_int_equal(attn_decoder_config_check(&config, &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, choices[i].says));
    }
    attn_decoder_config config = tiny_decoder_config(3);
    config.learned_positions = true;
    assert_int_equal(attn_decoder_config_check(&config, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "both rotary and learned"));
    /* Texts that are too long, ids that are none, starts that fall; a failed step leaves the state as it was. */
    config = tiny_decoder_config(1);
    config.max_length = 16;
    attn_decoder *model = tiny_decoder(&config);
    attn_decoder_state *state = NULL;
    static attn_real log_p[2 * TINY_WORDS];
    const int64_t longer[] = {0, 3, 20}, one[] = {0, 1, 1}, falling[] = {0, 2, 1};
    const int32_t none = TINY_WORDS;
    assert_int_equal(attn_decoder_state_create(model, 0, &state, &error), ATTN_ERR_ARGUMENT);
    assert_null(state);
    assert_int_equal(attn_decoder_state_create(model, 2, &state, &error), ATTN_OK);
    fill_ids();
    assert_int_equal(attn_decoder_step(state, ids, longer, log_p, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(error.position, 2);
    assert_non_null(strstr(error.what, "17 tokens, the longest may have 16"));
    assert_int_equal(attn_decoder_step(state, &none, one, log_p, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_decoder_step(state, ids, falling, log_p, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_decoder_state_length(state, 0), 0);
    assert_int_equal(attn_decoder_step(state, ids, one, log_p, &error), ATTN_OK);
    assert_int_equal(attn_decoder_state_length(state, 0), 1);
    attn_decoder_state_free(state);
    attn_decoder_batch batch = {.count = 2, .ids = ids, .starts = longer};
    assert_int_equal(attn_decoder_score(model, &batch, log_p, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(error.position, 2);
    attn_decoder_unpack(model);
    assert_int_equal(attn_decoder_score(model, &batch, log_p, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "not packed"));
    attn_decoder_free(model);
}

/* ---- files ---- */

static const flaw flaws[] = {
    {"decoder.1.self.value.weight", TAKE, NULL, false, ATTN_ERR_SHAPE, "is missing"},
    {"decoder.1.self.key.weight", SWAP, NULL, false, ATTN_ERR_SHAPE, "expected 12 x 24"},
    {"decoder.3.self.value.bias", ADD_F32, NULL, false, ATTN_ERR_SHAPE, "does not belong"},
    {"decoder.0.self.query.bias", AS_BYTES, NULL, false, ATTN_ERR_SHAPE, "has type"},
    {"attn.model", METADATA, "encoder", false, ATTN_ERR_FORMAT, "not an attn decoder"},
    {"layers", METADATA, "250", false, ATTN_ERR_SHAPE, "is missing"},
    {"kv_heads", METADATA, "3", false, ATTN_ERR_FORMAT, "do not fit"},
    {"end_token", METADATA, "99", false, ATTN_ERR_FORMAT, "end_token"},
    {"vocabulary", METADATA, "4194304", false, ATTN_ERR_SHAPE, "embedding has the wrong shape"},
};

static void test_files(void **unused) {
    (void)unused;
    char path[] = "/tmp/attn-test-XXXXXX", flawed[64];
    static attn_real expected[TOKENS], got[TOKENS];
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    snprintf(flawed, sizeof flawed, "%s.flawed", path);
    fill_ids();
    for (int kind = 0; kind < TINY_KINDS; kind++) {
        int used = kind == 3   ? 1
                   : kind == 1 ? 3
                               : kind; /* the one like Llama is left for the flaws */
        attn_decoder_config config = tiny_decoder_config(used);
        attn_decoder *model = tiny_decoder(&config), *loaded = NULL;
        attn_error error = {0};
        void *bytes = NULL;
        size_t size = 0;
        score(model, 0, SEQUENCES, expected);
        assert_int_equal(
            attn_decoder_save(model, ATTN_STORE_F32, "words", 5, NULL, 0, path, &error), ATTN_OK);
        assert_int_equal(attn_decoder_load(path, ATTN_COMPUTE_F32, &loaded, &bytes, &size, &error),
                         ATTN_OK);
        assert_int_equal(size, 5);
        assert_memory_equal(bytes, "words", 5);
        assert_memory_equal(attn_decoder_get_config(loaded), attn_decoder_get_config(model),
                            sizeof(attn_decoder_config));
        score(loaded, 0, SEQUENCES, got);
        assert_memory_equal(got, expected, sizeof got);
        /* What is kept packed alone has nothing to save or to pack again. */
        assert_null(
            attn_params_find(attn_decoder_params(loaded), "decoder.0.self.key.weight")->data);
        assert_int_equal(
            attn_decoder_save(loaded, ATTN_STORE_F32, NULL, 0, NULL, 0, flawed, &error),
            ATTN_ERR_ARGUMENT);
        assert_int_equal(attn_decoder_pack(loaded, ATTN_COMPUTE_I8, &error), ATTN_ERR_ARGUMENT);
        attn_decoder_free_bytes(bytes);
        attn_decoder_free(loaded);
        /* Integers in the file are the integers that are multiplied with. */
        assert_int_equal(attn_decoder_save(model, ATTN_STORE_I8, NULL, 0, NULL, 0, flawed, &error),
                         ATTN_OK);
        assert_int_equal(attn_decoder_load(flawed, ATTN_COMPUTE_I8, &loaded, &bytes, &size, &error),
                         ATTN_OK);
        assert_true(bytes == NULL && size == 0);
        assert_non_null(attn_params_at(attn_decoder_params(loaded), 0)->row_scale);
        score(loaded, 0, SEQUENCES, got);
        double apart = 0;
        for (int i = 0; i < TOKENS; i++) {
            apart += fabs((double)got[i] - (double)expected[i]) / TOKENS;
        }
        assert_true(apart > 0 && apart < 0.2);
        attn_decoder_free(loaded);
        attn_decoder_free(model);
    }
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        attn_decoder *model = NULL;
        attn_error error = {0};
        change_file(&flaws[i], path, flawed);
        attn_status status =
            attn_decoder_load(flawed, ATTN_COMPUTE_F32, &model, NULL, NULL, &error);
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
        cmocka_unit_test(test_whole_pass), cmocka_unit_test(test_scores),
        cmocka_unit_test(test_steps),      cmocka_unit_test(test_no_tensor_is_idle),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
