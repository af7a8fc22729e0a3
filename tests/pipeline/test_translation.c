/* The road from text to translation: what is cut and kept, that company changes nothing, ranks, progress,
 * what is refused, and one open model on several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "pipeline/pair.h"
#include "pipeline/segment.h"
#include "pipeline/translation.h"
#include "support/rule_lines.h"
#include "support/tiny_model.h"
#include "text/tokenizer_json.h"

static attn_model *model;

static int set_up(void **unused) {
    (void)unused;
    attn_tokenizer *tokenizer = tiny_model_tokenizer();
    attn_translator *translator = tiny_model_translator(tokenizer, 1);
    assert_int_equal(attn_translator_pack(translator, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    return attn_model_wrap(translator, tokenizer, "en", "fr", &model, NULL) == ATTN_OK ? 0 : 1;
}

static int tear_down(void **unused) {
    (void)unused;
    attn_model_close(model);
    return 0;
}

static const char *const texts[] = {
    "The cat sees the river. The dog sees the tree.",
    "",
    "   ",
    "42",
    "The cat sees the river",
    "  The dog sees\nthe tree!  ",
    "The cat and the dog see the river and the tree and the river and the tree.",
};
enum { TEXTS = sizeof texts / sizeof texts[0] };

static char *text_of(const attn_translation *t, size_t text, int64_t rank) {
    char *out = NULL;
    assert_int_equal(attn_translation_text(t, text, rank, &out, NULL), ATTN_OK);
    return out;
}

static void company_changes_nothing(void **unused) {
    (void)unused;
    attn_translation *together = NULL;
    assert_int_equal(attn_translate_texts(model, texts, TEXTS, NULL, &together, NULL), ATTN_OK);
    for (size_t i = 0; i < TEXTS; i++) {
        char *alone = NULL, *joined = text_of(together, i, 0);
        assert_int_equal(attn_translate(model, texts[i], NULL, &alone, NULL), ATTN_OK);
        assert_string_equal(alone, joined);
        attn_translate_free(alone);
        attn_translate_free(joined);
    }
    for (size_t i = 1; i < 4; i++) { /* nothing to translate: copied */
        char *copy = text_of(together, i, 0);
        assert_string_equal(copy, texts[i]);
        assert_int_equal(attn_translation_sentences(together, i), 0);
        assert_int_equal(attn_translation_ranks(together, i), 1);
        assert_true(attn_translation_score(together, i, 0) == 0);
        attn_translate_free(copy);
    }
    attn_translation_free(together);
}

/* Asked for more than the beam holds, the first translation stays; those that follow differ from it. */
static void the_first_stays(void **unused) {
    (void)unused;
    attn_search_options search;
    attn_translate_options options;
    attn_search_options_init(&search);
    attn_translate_options_init(&options);
    options.search = &search;
    options.format = ATTN_TEXT_RAW;
    search.beam = 2;
    for (int64_t n = 1; n <= 6; n++) {
        attn_translation *few = NULL, *many = NULL;
        search.n_best = 1;
        assert_int_equal(attn_translate_texts(model, texts + 4, 1, &options, &few, NULL), ATTN_OK);
        search.n_best = n;
        assert_int_equal(attn_translate_texts(model, texts + 4, 1, &options, &many, NULL), ATTN_OK);
        char *a = text_of(few, 0, 0), *b = text_of(many, 0, 0);
        assert_string_equal(a, b);
        assert_int_equal(attn_translation_ranks(many, 0), n);
        const attn_hypothesis *first = attn_translation_hypothesis(many, 0, 0, 0);
        double before = 1e9;
        for (int64_t rank = 1; rank < n; rank++) {
            const attn_hypothesis *h = attn_translation_hypothesis(many, 0, 0, rank);
            assert_non_null(h);
            assert_true(h->score <= before); /* sorted */
            assert_true(h->length != first->length ||
                        memcmp(h->ids, first->ids, (size_t)h->length * sizeof *h->ids) != 0);
            before = h->score;
        }
        assert_null(attn_translation_hypothesis(many, 0, 0, n));
        attn_translate_free(a);
        attn_translate_free(b);
        attn_translation_free(few);
        attn_translation_free(many);
    }
}

typedef struct seen {
    size_t calls;
    char last[512];
} seen;

static void watch(void *context, size_t text, const char *so_far) {
    seen *s = context;
    assert_int_equal(text, 0);
    s->calls++;
    snprintf(s->last, sizeof s->last, "%s", so_far);
}

static void progress_ends_in_the_translation(void **unused) {
    (void)unused;
    attn_search_options search;
    attn_translate_options options;
    seen s = {0, ""};
    char *text = NULL;
    attn_search_options_init(&search);
    search.beam = 1;
    attn_translate_options_init(&options);
    options.search = &search;
    options.format = ATTN_TEXT_RAW;
    options.progress = watch;
    options.progress_context = &s;
    assert_int_equal(attn_translate(model, texts[4], &options, &text, NULL), ATTN_OK);
    assert_true(s.calls > 1);
    assert_memory_equal(text, s.last, strlen(s.last)); /* greedy: only ever longer */
    attn_translate_free(text);
}

/* What is looked at is what was searched: the same ids, and so the same probabilities. */
static void a_pair_is_of_the_pass(void **unused) {
    (void)unused;
    attn_translation *t = NULL;
    attn_translate_options options;
    attn_translate_options_init(&options);
    options.format = ATTN_TEXT_RAW;
    assert_int_equal(attn_translate_texts(model, texts + 4, 1, &options, &t, NULL), ATTN_OK);
    attn_translated_sentence s;
    attn_sentence_pair pair;
    assert_true(attn_translation_sentence(t, 0, 0, &s));
    assert_string_equal(s.source, texts[4]);
    assert_int_equal(attn_sentence_pair_of_translation(t, 0, 0, &pair, NULL), ATTN_OK);
    assert_int_equal(pair.target_length, s.best->length + 1);
    attn_real *log_p = calloc((size_t)pair.target_length, sizeof *log_p);
    assert_int_equal(attn_sentence_pairs_score(model, &pair, 1, &log_p, NULL), ATTN_OK);
    assert_memory_equal(log_p, s.best->token_log_probability,
                        (size_t)pair.target_length * sizeof *log_p);
    free(log_p);
    attn_sentence_pair_free(&pair);
    attn_error error;
    assert_int_equal(attn_sentence_pair_of_translation(t, 0, 1, &pair, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "1 sentence"));
    attn_sentence_pair_free(&pair);
    attn_translation_free(t);
}

static void misuse_is_refused(void **unused) {
    (void)unused;
    attn_error error;
    char *text = NULL;
    attn_translate_options nothing;
    memset(&nothing, 0, sizeof nothing);
    assert_int_equal(attn_translate(model, "cat", &nothing, &text, &error), ATTN_ERR_ARGUMENT);
    assert_null(text);
    assert_int_equal(attn_translate(model, "\xff", NULL, &text, &error), ATTN_ERR_FORMAT);
    attn_search_options search;
    attn_translate_options options;
    attn_search_options_init(&search);
    attn_translate_options_init(&options);
    search.beam = 0;
    options.search = &search;
    assert_int_equal(attn_translate(model, texts[0], &options, &text, &error), ATTN_ERR_ARGUMENT);
    attn_model *none = NULL;
    assert_int_equal(attn_model_open("/nowhere/en-fr.safetensors", NULL, &none, &error),
                     ATTN_ERR_IO);
    assert_null(none);
    uint8_t classes[4], rgb[12] = {0};
    attn_pixels picture = {2, 2, rgb};
    attn_translation *t = NULL;
    assert_int_equal(attn_translate_texts(model, texts, 0, NULL, &t, NULL), ATTN_OK);
    attn_translation_free(t);
    assert_int_equal(attn_segment(model, &picture, NULL, classes, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "translator"));
}

/* Search and pictures of attention count on <pad>, <unk>, <s> and </s> as 0, 1, 2, 3: a file with others is not opened. */
static void other_special_ids_are_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *words;
        attn_status status;
    } cases[] = {{"[PAD]\n[UNK]\n[CLS]\n[SEP]\ncat\ndog\n", ATTN_OK},
                 {"[UNK]\n[PAD]\n[CLS]\n[SEP]\ncat\ndog\n", ATTN_ERR_FORMAT},
                 {"[PAD]\n[UNK]\n[SEP]\n[CLS]\ncat\ndog\n", ATTN_ERR_FORMAT},
                 {"[PAD]\n[UNK]\ncat\n[CLS]\n[SEP]\ndog\n", ATTN_ERR_FORMAT},
                 {"[PAD]\n[UNK]\n[CLS]\ncat\ndog\nbird\n", ATTN_ERR_FORMAT}};
    static const char path[] = "special-ids.safetensors";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        attn_tokenizer *tokenizer = NULL;
        attn_model *open = NULL;
        attn_error error = {0};
        char *bytes;
        size_t size;
        assert_int_equal(attn_tokenizer_vocab_txt(cases[i].words, strlen(cases[i].words), true,
                                                  &bytes, &size, NULL),
                         ATTN_OK);
        assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &tokenizer, NULL), ATTN_OK);
        tiny_model_save(path, tokenizer, 1);
        assert_int_equal(attn_model_open(path, NULL, &open, &error), cases[i].status);
        assert_true((open == NULL) == (cases[i].status != ATTN_OK));
        assert_true(open != NULL || strstr(error.what, "as 0, 1, 2, 3") != NULL);
        attn_model_close(open);
        attn_tokenizer_free(tokenizer);
        free(bytes);
    }
    unlink(path);
}

static void *translate_all(void *wanted) {
    char **all = wanted;
    for (size_t i = 0; i < TEXTS; i++) {
        char *text = NULL;
        if (attn_translate(model, texts[i], NULL, &text, NULL) != ATTN_OK ||
            strcmp(text, all[i]) != 0) {
            free(text);
            return all;
        }
        attn_translate_free(text);
    }
    return NULL;
}

static void threads_share_a_model(void **unused) {
    (void)unused;
    char *all[TEXTS];
    pthread_t thread[4];
    for (size_t i = 0; i < TEXTS; i++) {
        assert_int_equal(attn_translate(model, texts[i], NULL, &all[i], NULL), ATTN_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, translate_all, all), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    for (size_t i = 0; i < TEXTS; i++) {
        attn_translate_free(all[i]);
    }
}

/* A model that can write any byte, and does so at random, can neither lose nor make up what is kept. */
static void bytes_change_nothing_that_is_kept(void **unused) {
    (void)unused;
    attn_tokenizer *tokenizer = tiny_model_tokenizer_of(400, true);
    attn_translator *translator = tiny_model_translator(tokenizer, 3);
    attn_model *bytes;
    assert_int_equal(attn_translator_pack(translator, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    assert_int_equal(attn_model_wrap(translator, tokenizer, "en", "fr", &bytes, NULL), ATTN_OK);
    attn_search_options search;
    attn_translate_options options;
    attn_search_options_init(&search);
    attn_translate_options_init(&options);
    search.beam = 1;
    search.max_length = 20;
    options.search = &search;
    static char lines[RULE_LINES][RULE_LINE_SIZE];
    const char *all[RULE_LINES];
    attn_translation *t = NULL;
    for (int i = 0; i < RULE_LINES; i++) {
        rule_line(i, lines[i]);
        all[i] = lines[i];
    }
    assert_int_equal(attn_translate_texts(bytes, all, RULE_LINES, &options, &t, NULL), ATTN_OK);
    for (size_t i = 0; i < RULE_LINES; i++) {
        char *line = text_of(t, i, 0);
        const char *lost = rule_lost(lines[i], line);
        if (lost != NULL || strstr(line, "\xef\xbf\xbd") != NULL) {
            fail_msg("%s:\n%s\n->\n%s", lost != NULL ? lost : "no character", lines[i], line);
        }
        attn_translate_free(line);
    }
    attn_translation_free(t);
    attn_model_close(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(the_first_stays),
        cmocka_unit_test(progress_ends_in_the_translation),
        cmocka_unit_test(a_pair_is_of_the_pass),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(other_special_ids_are_refused),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(bytes_change_nothing_that_is_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
