/* tests/search/test_generate.c: continuations: greedy ones are the likeliest token by token, drawn ones follow the model's
 * probabilities, and none depends on its company or the number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attn/generate.h"
#include "attn/threads.h"
#include "support/tiny_decoder.h"

enum { TEXTS = 4, TOKENS = 1 + 5 + 40 + 2 };
static const int64_t starts[] = {0, 1, 6, 46, TOKENS};
static int32_t ids[TOKENS];

static void fill_ids(void) {
    attn_random random = attn_random_start(9);
    for (int i = 0; i < TOKENS; i++) {
        ids[i] = (int32_t)(TINY_WORDS * attn_random_uniform(&random));
    }
}

static attn_generate_options options_of(int64_t max_tokens) {
    attn_generate_options options;
    attn_generate_options_init(&options);
    options.max_tokens = max_tokens;
    return options;
}

static void run(const attn_decoder *model, const attn_generate_options *options,
                attn_continuation out[TEXTS]) {
    attn_error error = {0};
    if (attn_generate(model, TEXTS, ids, starts, NULL, options, out, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
}

static void assert_same(const attn_continuation *a, const attn_continuation *b) {
    assert_int_equal(a->length, b->length);
    assert_int_equal(a->ended, b->ended);
    assert_memory_equal(a->ids, b->ids, (size_t)a->length * sizeof *a->ids);
    assert_memory_equal(a->token_log_probability, b->token_log_probability,
                        (size_t)(a->length + a->ended) * sizeof(attn_real));
    assert_true(a->log_probability == b->log_probability);
}

/* Scored as a whole, prompt and continuation have the probabilities that the steps told, and no token is likelier. */
static void check_greedy(const attn_decoder *model, int64_t text, const attn_continuation *c) {
    const attn_decoder_config *config = attn_decoder_get_config(model);
    int64_t before = starts[text + 1] - starts[text];
    static int32_t all[TINY_LENGTH + 1];
    static attn_real log_p[TINY_LENGTH + 1];
    memcpy(all, ids + starts[text], (size_t)before * sizeof *all);
    memcpy(all + before, c->ids, (size_t)c->length * sizeof *all);
    int64_t length = before + c->length;
    if (c->ended) {
        all[length++] = (int32_t)config->end_token;
    }
    double sum = 0;
    for (int64_t t = before; t < length; t++) {
        const int64_t own[] = {0, t + 1};
        const attn_decoder_batch batch = {1, all, own};
        int32_t chosen = all[t];
        assert_int_equal(attn_decoder_score(model, &batch, log_p, NULL), ATTN_OK);
        attn_real best = log_p[t];
        assert_memory_equal(&best, &c->token_log_probability[t - before], sizeof best);
        for (int32_t id = 0; id < TINY_WORDS; id++) {
            all[t] = id;
            assert_int_equal(attn_decoder_score(model, &batch, log_p, NULL), ATTN_OK);
            assert_true(id < chosen ? log_p[t] < best : log_p[t] <= best);
        }
        all[t] = chosen;
        sum += (double)best;
    }
    assert_true(sum == c->log_probability);
}

static void test_greedy(void **unused) {
    (void)unused;
    fill_ids();
    for (int kind = 0; kind < TINY_KINDS; kind++) {
        attn_decoder_config config = tiny_decoder_config(kind);
        attn_decoder *model = tiny_decoder(&config);
        attn_continuation out[TEXTS];
        attn_generate_options options = options_of(12);
        run(model, &options, out);
        for (int64_t i = 0; i < TEXTS; i++) {
            assert_true(out[i].ended || out[i].length == 12);
            check_greedy(model, i, &out[i]);
        }
        attn_continuations_free(out, TEXTS);
        attn_decoder_free(model);
    }
}

static void test_end(void **unused) {
    (void)unused;
    fill_ids();
    attn_decoder_config config = tiny_decoder_config(0);
    attn_decoder *model = tiny_decoder(&config);
    attn_continuation out[TEXTS], ended[TEXTS];
    attn_generate_options options = options_of(12);
    run(model, &options, out);
    attn_decoder_free(model);
    config.end_token = out[2].ids[3]; /* now that ends a text */
    model = tiny_decoder(&config);
    run(model, &options, ended);
    int64_t first = 0;
    while (out[2].ids[first] != config.end_token) {
        first++;
    }
    assert_true(ended[2].ended && ended[2].length == first);
    assert_memory_equal(ended[2].ids, out[2].ids, (size_t)first * sizeof *out[2].ids);
    assert_memory_equal(ended[2].token_log_probability, out[2].token_log_probability,
                        (size_t)(first + 1) * sizeof(attn_real));
    attn_continuations_free(out, TEXTS);
    attn_continuations_free(ended, TEXTS);
    /* The limit of the model: text and continuation fill it. */
    attn_decoder_free(model);
    config.end_token = -1;
    config.max_length = 40;
    model = tiny_decoder(&config);
    options.max_tokens = 0;
    run(model, &options, out);
    for (int64_t i = 0; i < TEXTS; i++) {
        assert_int_equal(out[i].length, 40 - (starts[i + 1] - starts[i]));
        assert_false(out[i].ended);
    }
    attn_continuations_free(out, TEXTS);
    attn_decoder_free(model);
}

static void test_sample(void **unused) {
    (void)unused;
    fill_ids();
    attn_decoder_config config = tiny_decoder_config(1);
    attn_decoder *model = tiny_decoder(&config);
    attn_continuation greedy[TEXTS], out[TEXTS];
    attn_generate_options options = options_of(12);
    run(model, &options, greedy);
    options.sample = true;
    options.top_k = 1; /* draws among one */
    run(model, &options, out);
    for (int i = 0; i < TEXTS; i++) {
        assert_same(&out[i], &greedy[i]);
    }
    attn_continuations_free(out, TEXTS);
    options.top_k = 0;
    options.temperature = 1e-4; /* nearly so */
    run(model, &options, out);
    for (int i = 0; i < TEXTS; i++) {
        assert_memory_equal(out[i].ids, greedy[i].ids, 12 * sizeof *out[i].ids);
    }
    attn_continuations_free(out, TEXTS);
    attn_continuations_free(greedy, TEXTS);
    /* One token after one text, drawn 1,000 times: each about as often as it is likely. */
    enum { DRAWS = 1000 };
    static attn_continuation drawn[DRAWS];
    static int32_t same[DRAWS];
    static int64_t own[DRAWS + 1];
    attn_decoder_state *state = NULL;
    attn_real log_p[TINY_WORDS];
    int count[TINY_WORDS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        same[i] = 5;
        own[i + 1] = i + 1;
    }
    options = options_of(1);
    options.sample = true;
    options.seed = 3;
    assert_int_equal(attn_generate(model, DRAWS, same, own, NULL, &options, drawn, NULL), ATTN_OK);
    assert_int_equal(attn_decoder_state_create(model, 1, &state, NULL), ATTN_OK);
    assert_int_equal(attn_decoder_step(state, same, own, log_p, NULL), ATTN_OK);
    for (int i = 0; i < DRAWS; i++) {
        count[drawn[i].ids[0]]++;
    }
    for (int id = 0; id < TINY_WORDS; id++) {
        double p = exp((double)log_p[id]), error = sqrt(p * (1 - p) / DRAWS);
        assert_true(fabs((double)count[id] / DRAWS - p) < 5 * error + 1e-3);
    }
    attn_continuations_free(drawn, DRAWS);
    attn_decoder_state_free(state);
    attn_decoder_free(model);
}

static void test_company(void **unused) {
    (void)unused;
    fill_ids();
    attn_decoder_config config = tiny_decoder_config(1);
    config.end_token = 4;
    attn_decoder *model = tiny_decoder(&config);
    attn_generate_options options = options_of(30);
    for (int sample = 0; sample < 2; sample++) {
        attn_continuation together[TEXTS], alone;
        options.sample = sample;
        options.top_k = 7;
        options.seed = 12;
        attn_set_threads(3);
        run(model, &options, together);
        attn_set_threads(1);
        for (uint64_t i = 0; i < TEXTS; i++) {
            const int64_t own[] = {0, starts[i + 1] - starts[i]};
            assert_int_equal(
                attn_generate(model, 1, ids + starts[i], own, &i, &options, &alone, NULL), ATTN_OK);
            assert_same(&alone, &together[i]);
            attn_continuations_free(&alone, 1);
        }
        attn_set_threads(0);
        attn_continuations_free(together, TEXTS);
    }
    attn_decoder_free(model);
}

static void test_refused(void **unused) {
    (void)unused;
    fill_ids();
    attn_decoder_config config = tiny_decoder_config(0);
    config.max_length = 30;
    attn_decoder *model = tiny_decoder(&config);
    attn_continuation out[TEXTS];
    attn_error error = {0};
    attn_generate_options options = options_of(3);
    assert_int_equal(attn_generate(model, TEXTS, ids, starts, NULL, &options, out, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(error.position, 3);
    assert_non_null(strstr(error.what, "40 tokens; the model takes 1 to 30"));
    attn_continuations_free(out, TEXTS);
    const int64_t empty[] = {0, 2, 2};
    assert_int_equal(attn_generate(model, 2, ids, empty, NULL, &options, out, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(error.position, 2);
    attn_continuations_free(out, 2);
    options.sample = true;
    options.temperature = 0;
    assert_int_equal(attn_generate(model, 1, ids, starts, NULL, &options, out, &error),
                     ATTN_ERR_ARGUMENT);
    options = options_of(-1);
    assert_int_equal(attn_generate(model, 1, ids, starts, NULL, &options, out, &error),
                     ATTN_ERR_ARGUMENT);
    options = options_of(3);
    attn_params_find(attn_decoder_params(model), "decoder.norm.gamma")->data[0] = NAN;
    assert_int_equal(attn_generate(model, 1, ids, starts, NULL, &options, out, &error),
                     ATTN_ERR_NUMERIC);
    attn_continuations_free(out, 1);
    attn_decoder_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),  cmocka_unit_test(test_end),
        cmocka_unit_test(test_sample),  cmocka_unit_test(test_company),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
