/* A head that is shown where words come from finds them; one that is not does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "align/pieces.h"
#include "attn/search.h"
#include "attn/threads.h"
#include "models/translator.h"
#include "train/support.h"

enum { HELD = 40 };

static void train(double guided, double r_drop, const char *folder, attn_translator **out) {
    attn_translator_recipe recipe;
    attn_translator_data data = {.tokenizer = NULL};
    attn_train_summary summary;
    toy_paths path = toy_paths_in(folder);
    toy_options(&recipe);
    recipe.guided_alignment = guided;
    recipe.r_drop = r_drop;
    recipe.decoder_layers = 2;
    recipe.dropout = 0;
    recipe.batch_tokens = 400;
    recipe.train.accumulate = 1;
    recipe.train.max_steps = 150;
    recipe.train.checkpoint_every = 0;
    recipe.train.keep = ATTN_KEEP_AVERAGE;
    toy_corpus(600, 1, &data.train);
    toy_corpus(10, 3, &data.valid);
    attn_training training = {.model_path = path.model, .checkpoint_path = path.checkpoint};
    assert_int_equal(toy_train(&recipe, &data, training, &summary, NULL), ATTN_OK);
    assert_int_equal(
        attn_translator_load(path.model, false, ATTN_COMPUTE_F32, out, NULL, NULL, NULL), ATTN_OK);
    attn_corpus_free(&data.train);
    attn_corpus_free(&data.valid);
}

/* Steps through the pair; whether the row that reads word t looks most at the word that it is. */
static int count_right(const attn_translator *model, const attn_corpus *corpus, int64_t pair) {
    int64_t first = corpus->source_start[pair], length = corpus->source_start[pair + 1] - first;
    int64_t starts[2] = {0, length + 1}, parent = 0;
    int32_t source[32], token = 2;
    attn_real logits[TOY_VOCABULARY], attention[32];
    attn_translator_state *state;
    int right = 0;
    memcpy(source, corpus->source + first, (size_t)length * sizeof *source);
    source[length] = 3;
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(attn_translator_encode(state, 1, source, starts, 1, length + 1, NULL),
                     ATTN_OK);
    for (int64_t t = -1; t < length; t++) {
        token = t < 0 ? token : corpus->target[first + t];
        assert_int_equal(attn_translator_step(state, 1, &token, &parent, logits, attention, NULL),
                         ATTN_OK);
        int64_t best = 0;
        for (int64_t s = 1; s <= length; s++) {
            best = attention[s] > attention[best] ? s : best;
        }
        right += t >= 0 && source[best] == token;
    }
    attn_translator_state_free(state);
    return right;
}

/* Of words that the training has not seen in this order, in per cent. */
static int rate(const attn_translator *model) {
    attn_corpus held;
    int64_t right = 0;
    toy_corpus(HELD, 2, &held);
    for (int64_t pair = 0; pair < HELD; pair++) {
        right += count_right(model, &held, pair);
    }
    int64_t all = held.target_start[HELD];
    attn_corpus_free(&held);
    return (int)(100 * right / all);
}

static void a_guided_head_finds_the_words(void **state) {
    const char *folder = toy_folder();
    (void)state;
    for (int r_drop = 0; r_drop < 2; r_drop++) {
        attn_translator *model;
        train(1, r_drop, folder, &model);
        const attn_translator_config *config = attn_translator_get_config(model);
        assert_int_equal(config->alignment_layer, 1); /* the last but one, and in the file */
        assert_int_equal(config->alignment_head, 1);
        assert_true(rate(model) >= 90);
        attn_translator_free(model);
    }
    toy_remove(folder);
}

static void a_head_that_is_not_guided_does_not(void **state) {
    const char *folder = toy_folder();
    attn_translator *model;
    (void)state;
    train(0, 0, folder, &model);
    assert_int_equal(attn_translator_get_config(model)->alignment_layer, 0);
    assert_true(rate(model) < 60);
    attn_translator_free(model);
    toy_remove(folder);
}

/* What a search hands over is a row a token, each of the step that read it. */
static void a_search_tells_where_words_come_from(void **state) {
    const char *folder = toy_folder();
    attn_translator *model;
    attn_corpus held;
    int64_t right = 0, all = 0;
    (void)state;
    train(1, 0, folder, &model);
    toy_corpus(HELD, 2, &held);
    for (int64_t pair = 0; pair < HELD; pair++) {
        int64_t first = held.source_start[pair], length = held.source_start[pair + 1] - first;
        int64_t starts[2] = {0, length + 1};
        int32_t source[32];
        attn_search_options options;
        attn_search_result result;
        memcpy(source, held.source + first, (size_t)length * sizeof *source);
        source[length] = 3;
        attn_search_options_init(&options);
        options.attention = true;
        options.beam = 3;
        assert_int_equal(attn_search(model, 1, source, starts, NULL, &options, &result, NULL),
                         ATTN_OK);
        const attn_hypothesis *h = &result.hypotheses[0];
        for (int64_t t = 0; t < h->length; t++) {
            const attn_real *row = h->attention + t * h->source_length;
            int64_t best = 0;
            bool copied = false; /* what the model made up comes from nowhere */
            for (int64_t s = 0; s <= length; s++) {
                best = row[s] > row[best] ? s : best;
                copied = copied || source[s] == h->ids[t];
            }
            right += source[best] == h->ids[t];
            all += copied;
        }
        attn_search_results_free(&result, 1);
    }
    assert_true(all > 0 && 100 * right >= 90 * all);
    attn_corpus_free(&held);
    attn_translator_free(model);
    toy_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guided_head_finds_the_words),
        cmocka_unit_test(a_head_that_is_not_guided_does_not),
        cmocka_unit_test(a_search_tells_where_words_come_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
