/* tests/models/test_translator.c: the translator gives the same bits however it is run.
 *
 * Step by step or in one pass, alone or in a batch, on any number of threads and any instruction
 * set. Next: test_translator_file.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attn/attention.h"
#include "attn/threads.h"
#include "attn/translator.h"
#include "kernels/loss/loss.h"
#include "support/tiny_translator.h"

enum { VOCABULARY = TINY_VOCABULARY };

/* The kinds of model that the tests walk through. */
enum { RECURRENT = 5, HALVES = 6, ADJACENT = 7, RELATIVE = 8, NEAR = 9, VARIANTS = 10 };
static attn_translator_config variant(int number) {
    attn_translator_config config = tiny_config();
    config.pre_norm = number % 2 == 1;
    config.activation = config.pre_norm ? ATTN_ACTIVATION_GELU : ATTN_ACTIVATION_RELU;
    config.learned_positions = number >= 2 && number < HALVES;
    config.embeddings = number == 2 ? ATTN_EMBEDDINGS_UNTIED : ATTN_EMBEDDINGS_TIED;
    config.kv_heads = number == 0 ? 4 : number == 1 ? 2 : 1;
    if (number == 4) { /* what models made elsewhere have */
        config.learned_positions = false;
        config.sinusoids = ATTN_SINUSOIDS_PAPER;
        config.first_position = 1;
        config.embeddings = ATTN_EMBEDDINGS_TARGET;
        config.source_vocabulary = VOCABULARY + 5;
        config.output_bias = config.plain_embeddings = config.embedding_norm = true;
        config.norm_epsilon = 1e-6;
        config.activation = ATTN_ACTIVATION_SWISH;
        config.rms_norm = config.gated = true;
    }
    if (number == RECURRENT) {
        config.pre_norm = false;
        config.ssru = config.final_norm = config.own_positions = true;
    }
    if (number == HALVES) {
        config.rotary = ATTN_ROTARY_HALVES;
    } else if (number == ADJACENT) {
        config.rotary = ATTN_ROTARY_ADJACENT;
        config.rotary_base = 1000;
        config.rotary_dim = 4;
    } else if (number >= RELATIVE) {
        config.relative = true;
        config.relative_buckets = number == NEAR ? 9 : 0;
        config.relative_distance = number == NEAR ? 20 : 0;
    }
    return config;
}

/* ---- the teacher-forced pass ---- */

/* The projection to words. */
static const attn_param *projection(const attn_translator *model) {
    bool tied = attn_translator_get_config(model)->embeddings == ATTN_EMBEDDINGS_TIED;
    return attn_params_find(attn_translator_params(model), tied ? "embedding" : "output");
}

static const attn_real *output_bias(const attn_translator *model) {
    const attn_param *bias = attn_params_find(attn_translator_params(model), "output.bias");
    return bias != NULL ? bias->data : NULL;
}

/* The product with the embedding as a model packed for I8 computes it. */
static void project_i8(const attn_translator *model, const attn_tensor *x, attn_real *logits) {
    attn_matmul_i8_weights *weights;
    const attn_param *embedding = projection(model);
    assert_int_equal(attn_matmul_i8_weights_create(x->cols, VOCABULARY, embedding->data, 1, x->cols,
                                                   NULL, &weights, NULL),
                     ATTN_OK);
    attn_matmul_i8 product = {.size = sizeof(attn_matmul_i8),
                              .m = x->rows,
                              .a = x->data,
                              .a_row = x->cols,
                              .weights = weights,
                              .c = logits,
                              .c_row = VOCABULARY,
                              .bias = output_bias(model)};
    assert_int_equal(attn_matmul_i8_run(&product, NULL), ATTN_OK);
    attn_matmul_i8_weights_free(weights);
}

/* log p of every next token, [N, V], malloc'ed. */
static attn_real *forced(attn_translator *model, attn_compute compute,
                         const attn_translator_batch *batch) {
    attn_tape *tape;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    attn_tensor *x = attn_translator_forward(model, tape, batch);
    assert_non_null(x);
    int64_t channels = attn_translator_get_config(model)->d_model;
    attn_real *logits = malloc((size_t)(x->rows * VOCABULARY) * sizeof *logits);
    attn_matmul product = {.size = sizeof(attn_matmul),
                           .m = x->rows,
                           .n = VOCABULARY,
                           .k = channels,
                           .a = x->data,
                           .a_row = channels,
                           .a_col = 1,
                           .b = projection(model)->data,
                           .b_row = 1,
                           .b_col = channels,
                           .c = logits,
                           .c_row = VOCABULARY,
                           .bias = output_bias(model)};
    if (compute == ATTN_COMPUTE_I8) {
        project_i8(model, x, logits);
    } else {
        assert_int_equal(attn_matmul_run(&product, NULL), ATTN_OK);
    }
    attn_log_softmax(x->rows, VOCABULARY, VOCABULARY, logits);
    attn_tape_free(tape);
    return logits;
}

/* ---- step by step ----
 * Every pair of the batch is a hypothesis; those with the same source and the same words so far
 * share a row, until they part. */

static bool same_source(const tiny_batch *b, int64_t g, int64_t h) {
    int64_t length = b->source_starts[g + 1] - b->source_starts[g];
    return length == b->source_starts[h + 1] - b->source_starts[h] &&
           memcmp(b->source + b->source_starts[g], b->source + b->source_starts[h],
                  (size_t)length * sizeof *b->source) == 0;
}

/* Whether g and h have read the same up to and with their input number `step`. */
static bool same_so_far(const tiny_batch *b, int64_t g, int64_t h, int64_t step) {
    return same_source(b, g, h) && b->target_starts[g + 1] - b->target_starts[g] > step &&
           memcmp(b->target_input + b->target_starts[g], b->target_input + b->target_starts[h],
                  (size_t)(step + 1) * sizeof *b->target_input) == 0;
}

typedef struct rows {
    int64_t count, of[TINY_SENTENCES]; /* the row of each hypothesis, -1: ended */
    int64_t owner[TINY_SENTENCES];     /* the first hypothesis of each row */
} rows;

/* Who shares a row at this step, and in an order that changes at each. */
static rows arrange(const tiny_batch *b, int64_t step) {
    rows r = {0};
    for (int64_t i = 0; i < b->view.count; i++) {
        int64_t h = (i * 5 + step) % b->view.count, first = 0;
        bool alive = b->target_starts[h + 1] - b->target_starts[h] > step;
        while (alive && !same_so_far(b, first, h, step)) {
            first++;
        }
        if (alive && first == h) {
            r.owner[r.count++] = h;
        }
    }
    for (int64_t h = 0; h < b->view.count; h++) {
        bool alive = b->target_starts[h + 1] - b->target_starts[h] > step;
        r.of[h] = -1;
        for (int64_t row = 0; alive && row < r.count; row++) {
            r.of[h] = same_so_far(b, r.owner[row], h, step) ? row : r.of[h];
        }
    }
    return r;
}

/* Asserts that each step gives the bits of the forced pass. */
static void assert_steps_equal(attn_translator *model, const tiny_batch *b,
                               const attn_real *expected) {
    attn_translator_state *state;
    attn_error error;
    attn_real logits[TINY_SENTENCES * VOCABULARY];
    int64_t steps = 0;
    for (int64_t h = 0; h < b->view.count; h++) {
        int64_t length = b->target_starts[h + 1] - b->target_starts[h];
        steps = length > steps ? length : steps;
    }
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(attn_translator_encode(state, b->view.count, b->source, b->source_starts,
                                            b->view.count, steps, &error),
                     ATTN_OK);
    rows before = {0};
    for (int64_t step = 0; step < steps; step++) {
        int32_t tokens[TINY_SENTENCES];
        int64_t parents[TINY_SENTENCES];
        rows now = arrange(b, step);
        for (int64_t r = 0; r < now.count; r++) {
            int64_t h = now.owner[r];
            tokens[r] = b->target_input[b->target_starts[h] + step];
            parents[r] = step == 0 ? h : before.of[h];
        }
        assert_int_equal(
            attn_translator_step(state, now.count, tokens, parents, logits, NULL, &error), ATTN_OK);
        for (int64_t h = 0; h < b->view.count; h++) {
            if (now.of[h] >= 0) {
                assert_memory_equal(logits + now.of[h] * VOCABULARY,
                                    expected + (b->target_starts[h] + step) * VOCABULARY,
                                    VOCABULARY * sizeof *logits);
            }
        }
        before = now;
    }
    attn_translator_state_free(state);
}

/* Two pairs with the source of another, which go its way at first: rows that are continued twice. */
static void add_forks(tiny_batch *b) {
    tiny_batch_add(b, 101, 17, 16);
    tiny_batch_add(b, 101, 17, 16);
    int64_t sixth = b->target_starts[6], seventh = b->target_starts[7];
    b->target_input[sixth + 9] = 5;
    b->target_input[seventh + 12] = 6;
    b->target_input[seventh + 13] = 7;
}

static void test_steps_are_the_full_pass(void **unused) {
    (void)unused;
    tiny_batch batch;
    tiny_batch_fill(&batch);
    add_forks(&batch);
    for (int v = 0; v < 2 * VARIANTS; v++) {
        attn_translator_config config = variant(v / 2);
        attn_translator *model = tiny_translator(&config, false);
        attn_compute compute = v % 2 == 0 ? ATTN_COMPUTE_F32 : ATTN_COMPUTE_I8;
        attn_real *first = NULL;
        for (int i = 0; attn_isa_at(i) != NULL; i++) {
            assert_int_equal(attn_set_isa(attn_isa_at(i), NULL), ATTN_OK);
            attn_set_threads(1 + i % 3);
            assert_int_equal(attn_translator_pack(model, compute, NULL), ATTN_OK);
            attn_real *expected = forced(model, compute, &batch.view);
            assert_steps_equal(model, &batch, expected);
            if (first != NULL) {
                assert_memory_equal(expected, first,
                                    (size_t)batch.target_starts[batch.view.count] * VOCABULARY *
                                        sizeof *first);
                free(expected);
            } else {
                first = expected;
            }
        }
        free(first);
        attn_translator_free(model);
    }
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
    attn_set_threads(0);
}

/* Products of integers give other numbers than those of floats, not far away; unpacked or recorded,
 * the model is that of floats again. */
static void test_integers_are_close(void **unused) {
    (void)unused;
    tiny_batch b;
    tiny_batch_fill(&b);
    attn_translator_config config = variant(3);
    attn_translator *model = tiny_translator(&config, false);
    int64_t count = b.target_starts[b.view.count] * VOCABULARY;
    attn_real *exact = forced(model, ATTN_COMPUTE_F32, &b.view);
    assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_I8, NULL), ATTN_OK);
    attn_real *near = forced(model, ATTN_COMPUTE_I8, &b.view);
    double difference = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += fabs((double)near[i] - exact[i]) / (double)count;
    }
    assert_true(difference > 1e-4 && difference < 0.1);
    attn_translator_unpack(model);
    attn_real *again = forced(model, ATTN_COMPUTE_F32, &b.view);
    assert_memory_equal(again, exact, (size_t)count * sizeof *exact);
    assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_I8, NULL), ATTN_OK);
    assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    attn_real *repacked = forced(model, ATTN_COMPUTE_F32, &b.view);
    assert_memory_equal(repacked, exact, (size_t)count * sizeof *exact);
    free(exact);
    free(near);
    free(again);
    free(repacked);
    attn_translator_free(model);
}

/* The weights that a step reports are those of the last layer in a full pass. */
static void test_step_attention(void **unused) {
    (void)unused;
    tiny_batch b;
    tiny_batch_begin(&b);
    tiny_batch_add(&b, 1, 21, 3);
    tiny_batch_add(&b, 2, 9, 3);
    attn_translator_config config = variant(1);
    attn_translator *model = tiny_translator(&config, false);
    attn_translator_state *state;
    attn_tape *tape;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_watch(tape, true);
    attn_tape_begin(tape, false, 0, 0);
    assert_non_null(attn_translator_forward(model, tape, &b.view));
    const attn_tensor *query = attn_tape_noted(tape, "decoder.1.cross.query");
    const attn_tensor *keys = attn_tape_noted(tape, "decoder.1.cross.key_value");
    const attn_tensor *lse = attn_tape_noted(tape, "decoder.1.cross.lse");
    assert_true(query != NULL && keys != NULL && lse != NULL);
    attn_attention call;
    attn_attention_init(&call, 2, config.heads, config.kv_heads, 3, 21, 6, 6);
    call.key = (attn_strides){0, keys->cols, 6};
    call.query_starts = b.target_starts;
    call.key_starts = b.source_starts;
    attn_real mean[2][3][21], reported[2][21], logits[2 * VOCABULARY];
    assert_int_equal(attn_attention_weights(&call, query->data, keys->data, lse->data, NULL,
                                            &mean[0][0][0], NULL),
                     ATTN_OK);
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(attn_translator_encode(state, 2, b.source, b.source_starts, 2, 3, NULL),
                     ATTN_OK);
    assert_int_equal(attn_translator_state_source_length(state), 21);
    for (int64_t step = 0; step < 3; step++) {
        int32_t tokens[2] = {b.target_input[step], b.target_input[3 + step]};
        int64_t parents[2] = {0, 1};
        assert_int_equal(
            attn_translator_step(state, 2, tokens, parents, logits, &reported[0][0], NULL),
            ATTN_OK);
        for (int r = 0; r < 2; r++) {
            double sum = 0;
            for (int64_t j = 0; j < 21; j++) {
                assert_true(fabsf(reported[r][j] - mean[r][step][j]) < 1e-6F);
                assert_true(r == 0 || j < 9 || reported[r][j] == 0.0F);
                sum += reported[r][j];
            }
            assert_true(fabs(sum - 1) < 1e-5);
        }
    }
    attn_translator_state_free(state);
    attn_tape_free(tape);
    attn_translator_free(model);
}

static void test_step_refuses_nonsense(void **unused) {
    (void)unused;
    attn_translator_config config = variant(0);
    attn_translator *model = tiny_translator(&config, false);
    attn_translator_state *state;
    attn_error error;
    attn_real logits[2 * VOCABULARY];
    const int64_t starts[] = {0, 2}, too_long[] = {0, TINY_LONGEST + 1}, parents[] = {0, 0};
    const int32_t source[TINY_LONGEST + 1] = {5, 3}, foreign[] = {5, VOCABULARY}, tokens[] = {2, 2};
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    /* Nothing has been encoded. */
    assert_int_equal(attn_translator_step(state, 1, tokens, parents, logits, NULL, &error),
                     ATTN_ERR_ARGUMENT);
    const struct {
        int64_t count;
        const int32_t *source;
        const int64_t *starts;
        int64_t max_rows, max_steps;
    } bad[] = {
        {0, source, starts, 1, 1},   {1, source, too_long, 1, 1},
        {1, foreign, starts, 1, 1},  {1, source, starts, 0, 1},
        {1, source, starts, 1, 0},   {-1, source, starts, 1, 1},
        {1, source, starts, 1, 161}, {1, source, starts, INT64_MAX, 160},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(attn_translator_encode(state, bad[i].count, bad[i].source, bad[i].starts,
                                                bad[i].max_rows, bad[i].max_steps, &error),
                         ATTN_ERR_ARGUMENT);
    }
    assert_int_equal(attn_translator_encode(state, 1, source, starts, 1, 1, &error), ATTN_OK);
    const int64_t no_parent[] = {1};
    assert_int_equal(attn_translator_step(state, 2, tokens, parents, logits, NULL, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "with 2 rows"));
    assert_int_equal(attn_translator_step(state, 1, tokens, no_parent, logits, NULL, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "parents[0]"));
    assert_int_equal(attn_translator_step(state, 1, foreign + 1, parents, logits, NULL, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "tokens[0]"));
    assert_int_equal(attn_translator_step(state, 1, tokens, parents, logits, NULL, &error),
                     ATTN_OK);
    /* There was room for one step. */
    assert_int_equal(attn_translator_step(state, 1, tokens, parents, logits, NULL, &error),
                     ATTN_ERR_ARGUMENT);
    attn_translator_state_free(state);
    attn_translator_free(model);
}

/* Choices that there are not: they would be read as names of a file, or as kernels, that lie beyond the last. */
static void test_choices_refused(void **unused) {
    (void)unused;
    static const struct {
        size_t field;
        unsigned value;
        const char *says;
    } cases[] = {
        {offsetof(attn_translator_config, activation), ATTN_ACTIVATION_SWISH + 1,
         "activation is 6"},
        {offsetof(attn_translator_config, activation), ATTN_ACTIVATION_NONE, "activation is 0"},
        {offsetof(attn_translator_config, embeddings), ATTN_EMBEDDINGS_TARGET + 1,
         "embeddings is 3"},
        {offsetof(attn_translator_config, sinusoids), ATTN_SINUSOIDS_PAPER + 1, "sinusoids is 2"},
        {offsetof(attn_translator_config, tagging), ATTN_TAGGING_START + 1, "tagging is 4"},
        {offsetof(attn_translator_config, rotary), 99, "rotary is 99"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_translator_config config = variant(0);
        attn_error error = {0};
        memcpy((char *)&config + cases[i].field, &cases[i].value, sizeof cases[i].value);
        assert_int_equal(attn_translator_config_check(&config, &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, cases[i].says));
    }
}

/* Rotary positions that cannot be; heads of 6 channels unless another number of them is said. */
static void test_rotary_refused(void **unused) {
    (void)unused;
    const struct {
        attn_rotary kind;
        int64_t heads, base, dim;
        bool learned;
        const char *says; /* NULL: nothing is wrong */
    } cases[] = {
        {ATTN_ROTARY_HALVES, 4, 0, 6, false, NULL},
        {ATTN_ROTARY_ADJACENT, 4, 2, 2, false, NULL},
        {ATTN_ROTARY_HALVES, 8, 0, 2, false, NULL},
        {ATTN_ROTARY_HALVES, 8, 0, 0, false, "turn 3 channels of heads of 3"},
        {ATTN_ROTARY_ADJACENT, 4, 0, 5, false, "turn 5 channels of heads of 6"},
        {ATTN_ROTARY_HALVES, 4, 0, 8, false, "turn 8 channels of heads of 6"},
        {ATTN_ROTARY_HALVES, 4, 0, -2, false, "rotary_dim is -2"},
        {ATTN_ROTARY_HALVES, 4, -1, 0, false, "rotary_base is -1"},
        {ATTN_ROTARY_HALVES, 4, 1, 0, false, "rotary_base is 1"},
        {ATTN_ROTARY_HALVES, 4, 0, 0, true, "both rotary and learned"},
        {ATTN_ROTARY_NONE, 4, 100, 0, false, "of rotary positions alone"},
        {ATTN_ROTARY_NONE, 4, 0, 2, true, "of rotary positions alone"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_translator_config config = variant(0);
        attn_translator *model = NULL;
        attn_error error = {0};
        config.heads = config.kv_heads = cases[i].heads;
        config.rotary = cases[i].kind;
        config.rotary_base = cases[i].base;
        config.rotary_dim = cases[i].dim;
        config.learned_positions = cases[i].learned;
        attn_status status = attn_translator_create(&config, false, &model, &error);
        assert_int_equal(status, cases[i].says != NULL ? ATTN_ERR_ARGUMENT : ATTN_OK);
        if (cases[i].says != NULL && strstr(error.what, cases[i].says) == NULL) {
            fail_msg("'%s' does not say '%s'", error.what, cases[i].says);
        }
        attn_translator_free(model);
    }
}

/* ---- edits ---- */

enum { ALL = INT32_MAX };
static const attn_translator_edit edits[] = {
    {ATTN_PART_ENCODER, 0, {1, 0, ALL, 0, 0}}, /* silenced */
    {ATTN_PART_ENCODER, 1, {-1, 3, 2, 2, 20}}, /* every head of two words, beyond some sentences */
    {ATTN_PART_DECODER, 0, {0, 2, ALL, 1, 3}}, /* more than the first words see */
    {ATTN_PART_DECODER, 1, {3, 0, ALL, 0, 0}}, {ATTN_PART_CROSS, 1, {2, 0, 9, 5, 1}},
    {ATTN_PART_CROSS, 1, {2, 4, 1, 0, ALL}}, /* the same head at one word: overrides */
    {ATTN_PART_CROSS, 0, {0, 140, 5, 0, 1}}, /* beyond every target */
};

/* A step gives the bits of the whole pass with edits too, and each of them that touches a word changes something. */
static void test_edited_steps(void **unused) {
    (void)unused;
    tiny_batch batch;
    tiny_batch_fill(&batch);
    add_forks(&batch);
    size_t size = (size_t)batch.target_starts[batch.view.count] * VOCABULARY * sizeof(attn_real);
    /* pre-norm with fewer key heads, post-norm with one, and with relative positions */
    static const int kinds[] = {1, 2, RELATIVE};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        attn_translator_config config = variant(kinds[k]);
        attn_translator *model = tiny_translator(&config, false), *edited;
        attn_real *plain = forced(model, ATTN_COMPUTE_F32, &batch.view), *before = plain;
        for (size_t count = 0; count <= sizeof edits / sizeof edits[0]; count++) {
            assert_int_equal(attn_translator_edited(model, edits, count, &edited, NULL), ATTN_OK);
            attn_real *now = forced(edited, ATTN_COMPUTE_F32, &batch.view);
            bool same = count == 0 || count == 7;
            assert_true((memcmp(now, before, size) == 0) == same);
            assert_steps_equal(edited, &batch, now);
            if (before != plain) {
                free(before);
            }
            before = now;
            attn_translator_free(edited);
        }
        attn_real *after = forced(model, ATTN_COMPUTE_F32, &batch.view);
        assert_memory_equal(after, plain, size);
        free(after);
        free(before);
        free(plain);
        attn_translator_free(model);
    }
}

/* The one edit's meaning, on one attention with values that are known. */
static void test_edit_is_the_mean_of_values(void **unused) {
    (void)unused;
    enum { N = 5, C = 6 };
    attn_params *params;
    attn_tape *tape;
    const int64_t starts[] = {0, 2, N};
    const attn_sequences sequences = {2, starts, 3};
    assert_int_equal(attn_params_create(&params, NULL), ATTN_OK);
    attn_multi_head a = attn_multi_head_declare(params, "a", C, 3, 3);
    assert_int_equal(attn_params_allocate(params, false, NULL), ATTN_OK);
    attn_params_init(params, 3);
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    for (int causal = 0; causal < 2; causal++) {
        const attn_head_edit edit = {1, 1, 1, 1, 4};
        attn_tape_begin(tape, false, 0, 0);
        attn_tensor *x = attn_tape_tensor(tape, N, C);
        for (int i = 0; i < N * C; i++) {
            x->data[i] = (attn_real)(i % 7) - 3;
        }
        attn_tensor *value = attn_layer_linear(tape, x, &a.value, ATTN_ACTIVATION_NONE);
        a.edit_count = 0;
        attn_tensor *plain = attn_layer_attention(tape, x, &sequences, NULL, NULL, &a, causal, 0);
        a.edits = &edit;
        a.edit_count = 1;
        attn_tensor *y = attn_layer_attention(tape, x, &sequences, NULL, NULL, &a, causal, 0);
        assert_non_null(y);
        for (int t = 0; t < N; t++) {
            for (int c = 0; c < C; c++) {
                attn_real want = plain->data[t * C + c];
                if ((t == 1 || t == 3) && c / 2 == 1) { /* the second word of each sentence */
                    want = value->data[t * C + c];
                    want = t == 3 && !causal ? (want + value->data[4 * C + c]) / 2 : want;
                }
                assert_true(y->data[t * C + c] == want);
            }
        }
    }
    attn_tape_begin(tape, true, 0, 0);
    attn_tensor *x = attn_tape_tensor(tape, N, C);
    memset(x->data, 0, N * C * sizeof *x->data);
    assert_null(attn_layer_attention(tape, x, &sequences, NULL, NULL, &a, false, 0));
    assert_int_equal(attn_tape_status(tape), ATTN_ERR_ARGUMENT);
    attn_tape_free(tape);
    attn_params_free(params);
}

static void test_edits_refused(void **unused) {
    (void)unused;
    attn_translator_config config = variant(0);
    attn_translator *model = tiny_translator(&config, false), *edited, *twice;
    static const attn_translator_edit wrong[] = {
        {ATTN_PART_ENCODER, 2, {0, 0, 1, 0, 1}}, {ATTN_PART_DECODER, -1, {0, 0, 1, 0, 1}},
        {ATTN_PART_CROSS, 0, {4, 0, 1, 0, 1}},   {ATTN_PART_CROSS, 0, {-2, 0, 1, 0, 1}},
        {ATTN_PART_CROSS, 0, {0, -1, 1, 0, 1}},  {ATTN_PART_CROSS, 0, {0, 0, 1, 0, -1}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        attn_error error = {0};
        assert_int_equal(attn_translator_edited(model, &wrong[i], 1, &edited, &error),
                         ATTN_ERR_ARGUMENT);
        assert_null(edited);
        assert_true(error.what[0] != '\0');
    }
    assert_int_equal(attn_translator_edited(model, edits, 1, &edited, NULL), ATTN_OK);
    assert_int_equal(attn_translator_edited(edited, edits, 1, &twice, NULL), ATTN_ERR_ARGUMENT);
    attn_translator_free(edited);
    attn_translator_free(model);
}

/* ---- the batch around a sentence ---- */

/* The output of the encoder, or of the decoder, into out; returns its number of elements. */
static int64_t run(attn_translator *model, const attn_translator_batch *batch, bool decode,
                   attn_real *out) {
    attn_tape *tape;
    attn_translator_batch wanted = *batch;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    wanted.target_input = decode ? batch->target_input : NULL;
    attn_tensor *x = attn_translator_forward(model, tape, &wanted);
    assert_non_null(x);
    int64_t size = x->rows * x->cols;
    memcpy(out, x->data, (size_t)size * sizeof *out);
    attn_tape_free(tape);
    return size;
}

static void test_alone_or_in_a_batch(void **unused) {
    (void)unused;
    static attn_real together[TINY_TOKENS * 24], alone[TINY_TOKENS * 24];
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    for (int v = 0; v < VARIANTS; v++) {
        attn_translator_config config = variant(v);
        attn_translator *model = tiny_translator(&config, false);
        for (int decode = 0; decode < 2; decode++) {
            const int64_t *starts = decode ? batch.target_starts : batch.source_starts;
            run(model, &batch.view, decode, together);
            for (int64_t s = 0; s < batch.view.count; s++) {
                const int64_t source[] = {0, batch.source_starts[s + 1] - batch.source_starts[s]};
                const int64_t target[] = {0, batch.target_starts[s + 1] - batch.target_starts[s]};
                attn_translator_batch one = {1,
                                             batch.source + batch.source_starts[s],
                                             source,
                                             batch.target_input + batch.target_starts[s],
                                             batch.target_output + batch.target_starts[s],
                                             target};
                int64_t size = run(model, &one, decode, alone);
                assert_int_equal(size, (starts[s + 1] - starts[s]) * config.d_model);
                assert_memory_equal(alone, together + starts[s] * config.d_model,
                                    (size_t)size * sizeof *alone);
            }
        }
        attn_translator_free(model);
    }
}

/* ---- threads and instruction sets ---- */

/* A training pass with dropout; returns the loss, leaves the gradients in the model. */
static double train(attn_translator *model, const attn_translator_batch *batch) {
    attn_tape *tape;
    double loss = 0, nll = 0;
    attn_params_zero_grad(attn_translator_params(model));
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, true, 9, 4);
    assert_int_equal(attn_translator_loss(model, tape, batch, 0.01F, &loss, &nll, NULL), ATTN_OK);
    assert_int_equal(attn_tape_backward(tape, NULL), ATTN_OK);
    attn_tape_free(tape);
    assert_true(isfinite(loss) && nll > 0);
    return loss;
}

static void assert_same_training(attn_translator *model, const tiny_batch *batch) {
    attn_params *params = attn_translator_params(model);
    size_t bytes = (size_t)attn_params_size(params) * sizeof(attn_real);
    attn_real *first = malloc(bytes);
    double loss = 0;
    for (int i = 0, runs = 0; attn_isa_at(i) != NULL; i++) {
        assert_int_equal(attn_set_isa(attn_isa_at(i), NULL), ATTN_OK);
        for (int threads = 1; threads <= 3; threads++, runs++) {
            attn_set_threads(threads);
            double now = train(model, &batch->view);
            if (runs == 0) {
                loss = now;
                memcpy(first, attn_params_grad(params), bytes);
            }
            assert_true(now == loss);
            assert_memory_equal(attn_params_grad(params), first, bytes);
        }
    }
    free(first);
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
}

static void test_threads_and_isas(void **unused) {
    (void)unused;
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    static const int kinds[] = {0, 1, RECURRENT};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        attn_translator_config config = variant(kinds[k]);
        config.d_model = 64; /* large enough that work is shared out */
        config.ffn = 96;
        attn_translator *model = tiny_translator(&config, true);
        assert_same_training(model, &batch);
        attn_translator_free(model);
    }
}

/* Gradients add up over calls; a model without room for them refuses to record. */
static void test_gradients_add_up(void **unused) {
    (void)unused;
    static tiny_batch batch;
    tiny_batch_fill(&batch);
    attn_translator_config config = variant(0);
    attn_translator *model = tiny_translator(&config, true);
    attn_params *params = attn_translator_params(model);
    size_t bytes = (size_t)attn_params_size(params) * sizeof(attn_real);
    attn_real *once = malloc(bytes);
    double loss = 0, nll = 0;
    train(model, &batch.view);
    memcpy(once, attn_params_grad(params), bytes);
    attn_tape *tape;
    assert_int_equal(attn_tape_create(&tape, NULL), ATTN_OK);
    attn_tape_begin(tape, true, 9, 4);
    assert_int_equal(attn_translator_loss(model, tape, &batch.view, 0.01F, &loss, &nll, NULL),
                     ATTN_OK);
    assert_int_equal(attn_tape_backward(tape, NULL), ATTN_OK);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_real twice = 2 * once[i];
        assert_true(fabsf(attn_params_grad(params)[i] - twice) <= 1e-4F * fabsf(twice) + 1e-6F);
    }
    attn_translator_free(model);
    model = tiny_translator(&config, false);
    attn_tape_begin(tape, true, 9, 4);
    assert_int_equal(attn_translator_loss(model, tape, &batch.view, 1, &loss, &nll, NULL),
                     ATTN_ERR_ARGUMENT);
    attn_tape_free(tape);
    attn_translator_free(model);
    free(once);
}

static void test_relative_positions_refused(void **unused) {
    (void)unused;
    static const struct {
        bool relative, learned;
        attn_rotary rotary;
        int64_t buckets, distance;
        const char *says;
    } bad[] = {
        {false, false, ATTN_ROTARY_NONE, 32, 0, "are of relative positions alone"},
        {false, false, ATTN_ROTARY_NONE, 0, 9, "are of relative positions alone"},
        {true, true, ATTN_ROTARY_NONE, 0, 0, "cannot be both relative and learned"},
        {true, false, ATTN_ROTARY_HALVES, 0, 0, "cannot be both relative and rotary"},
        {true, false, ATTN_ROTARY_NONE, 3, 0, "in 3 buckets up to the distance 128"},
        {true, false, ATTN_ROTARY_NONE, 0, 16, "in 32 buckets up to the distance 16"},
        {true, false, ATTN_ROTARY_NONE, -1, 0, "relative_buckets is -1"},
        {true, false, ATTN_ROTARY_NONE, 0, 1 << 17, "relative_distance is 131072"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        attn_translator_config config = tiny_config();
        attn_error error = {0};
        config.relative = bad[i].relative;
        config.learned_positions = bad[i].learned;
        config.rotary = bad[i].rotary;
        config.relative_buckets = bad[i].buckets;
        config.relative_distance = bad[i].distance;
        assert_int_equal(attn_translator_config_check(&config, &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, bad[i].says));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_close),
        cmocka_unit_test(test_steps_are_the_full_pass),
        cmocka_unit_test(test_step_attention),
        cmocka_unit_test(test_relative_positions_refused),
        cmocka_unit_test(test_step_refuses_nonsense),
        cmocka_unit_test(test_choices_refused),
        cmocka_unit_test(test_rotary_refused),
        cmocka_unit_test(test_alone_or_in_a_batch),
        cmocka_unit_test(test_threads_and_isas),
        cmocka_unit_test(test_gradients_add_up),
        cmocka_unit_test(test_edited_steps),
        cmocka_unit_test(test_edits_refused),
        cmocka_unit_test(test_edit_is_the_mean_of_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
