/* Pairs made a little different: the same from the same seed, still translations, and each change alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/sentences.h"
#include "text/corpus_edit.h"
#include "text/corpus_vary.h"
#include "text/tokenizer_dropout.h"

static char files[2][64];
static attn_tokenizer *tokenizer, *unigram;
static attn_corpus corpus;

static int setup(void **state) {
    (void)state;
    sentences_generate(files[0], 0);
    sentences_generate(files[1], 1);
    const char *const paths[2] = {files[0], files[1]};
    attn_tokenizer_options options = {
        .type = "bpe", .normalization = "nmt_nfkc", .vocabulary = 150, .elisions = ""};
    if (attn_tokenizer_train(paths, 2, &options, &tokenizer, NULL) != ATTN_OK) {
        return -1;
    }
    options.type = "unigram";
    options.vocabulary = 80;
    options.lower_vocabulary = true;
    if (attn_tokenizer_train(paths, 2, &options, &unigram, NULL) != ATTN_OK) {
        return -1;
    }
    return attn_corpus_read(files[0], files[1], tokenizer, 100, 1, &corpus, NULL) == ATTN_OK ? 0
                                                                                             : -1;
}

static int teardown(void **state) {
    (void)state;
    attn_corpus_free(&corpus);
    attn_tokenizer_free(tokenizer);
    attn_tokenizer_free(unigram);
    unlink(files[0]);
    unlink(files[1]);
    return 0;
}

/* ---- texts ---- */

static char *copy_of(const char *text) {
    return strdup(text);
}

static void case_is_of_unicode(void **state) {
    (void)state;
    char *source = copy_of("\xc3\x89t\xc3\xa9 1"), *target = copy_of("stra\xc3\x9f"
                                                                     "e");
    assert_int_equal(attn_edit_case(true, &source, &target, NULL), ATTN_OK);
    assert_string_equal(source, "\xc3\x89T\xc3\x89 1");
    assert_string_equal(target, "STRASSE");
    assert_int_equal(attn_edit_case(false, &source, &target, NULL), ATTN_OK);
    assert_string_equal(source, "\xc3\xa9t\xc3\xa9 1");
    free(source);
    free(target);
}

static void ends_go_on_both_sides_or_not_at_all(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        {"Come!", "Viens !", "Come", "Viens"},
        {"Come.", "\xe6\x9d\xa5\xe3\x80\x82", "Come", "\xe6\x9d\xa5"},
        {"Come.", "Viens", "Come.", "Viens"},
        {"Well...", "Bien...", "Well...", "Bien..."},
        {"?", "?", "?", "?"},
        {"", ".", "", "."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *source = copy_of(cases[i][0]), *target = copy_of(cases[i][1]);
        attn_edit_end(source, target);
        assert_string_equal(source, cases[i][2]);
        assert_string_equal(target, cases[i][3]);
        free(source);
        free(target);
    }
}

static void edit_copies(const char *source_text, const char *target_text, char **source,
                        char **target) {
    attn_random random = attn_random_start(attn_random_key(7, 0, 0));
    *source = copy_of(source_text);
    *target = copy_of(target_text);
    assert_int_equal(attn_edit_copy(&random, source, target, NULL), ATTN_OK);
}

static void copies_change_alike(void **state) {
    (void)state;
    char *source, *target, word[32];
    edit_copies("Tom has 25 books.", "Tom a 25 livres.", &source, &target);
    size_t name = strcspn(source, " ");
    assert_memory_not_equal(source, "Tom ", 4);
    assert_true(name >= 4 && strncmp(source, target, name) == 0);
    assert_memory_equal(source + name, " has ", 5);
    int number = atoi(source + name + 5);
    assert_true(number >= 10 && number <= 99);
    snprintf(word, sizeof word, " a %d livres.", number);
    assert_string_equal(target + name, word);
    free(source);
    free(target);
    edit_copies(
        "Write to tom@example.com or see https://www.site7.org/a!",
        "\xe8\xaf\xb7\xe5\x86\x99\xe4\xbf\xa1\xe7\xbb\x99 tom@example.com https://www.site7.org/a",
        &source, &target);
    assert_null(strstr(source, "tom@example"));
    char *at = strchr(source, '@');
    assert_non_null(at);
    assert_memory_equal(at + 8, ".com or see https://www.", 24);
    assert_non_null(strstr(at, ".org/"));
    at[8] = '\0';
    assert_non_null(strstr(target, at - 3));
    free(source);
    free(target);
}

/* What is not alike, is there twice, is 0 or 1 or an ordinary word. */
static void the_rest_stays(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"I have 3 cats.", "J'ai trois chats."},
        {"Tom saw Tom.", "Tom a vu Tom."},
        {"We have 1 dog and 0 cats.", "Nous avons 1 chien et 0 chat."},
        {"The menu is simple.", "Le menu est simple."},
        {"USB and A", "USB et A"},
        {"Jos\xc3\xa9 eats.", "Jos\xc3\xa9 mange."}, /* "Jos" is not a word of its own */
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *source, *target;
        edit_copies(cases[i][0], cases[i][1], &source, &target);
        assert_string_equal(source, cases[i][0]);
        assert_string_equal(target, cases[i][1]);
        free(source);
        free(target);
    }
}

static void joined_as_the_script_wants(void **state) {
    (void)state;
    char *joined;
    assert_int_equal(attn_edit_join("One.", "Two.", &joined, NULL), ATTN_OK);
    assert_string_equal(joined, "One. Two.");
    free(joined);
    assert_int_equal(attn_edit_join("\xe4\xb8\x80\xe3\x80\x82", "\xe4\xba\x8c", &joined, NULL),
                     ATTN_OK);
    assert_string_equal(joined, "\xe4\xb8\x80\xe3\x80\x82\xe4\xba\x8c");
    free(joined);
}

/* ---- merges ---- */

static void without_dropout_merges_are_the_tokenizers(void **state) {
    (void)state;
    assert_true(attn_tokenizer_merges(tokenizer));
    assert_false(attn_tokenizer_merges(unigram));
    for (int64_t i = 0; i < corpus.count; i++) {
        int32_t *again;
        size_t count, wanted = (size_t)(corpus.source_start[i + 1] - corpus.source_start[i]);
        const int32_t *ids = corpus.source + corpus.source_start[i];
        assert_int_equal(
            attn_tokenizer_remerge(tokenizer, ids, wanted, 0, NULL, &again, &count, NULL), ATTN_OK);
        assert_int_equal(count, wanted);
        assert_memory_equal(again, ids, count * sizeof *ids);
        free(again);
    }
}

static void same_text(const int32_t *a, size_t a_count, const int32_t *b, size_t b_count) {
    char *x, *y;
    assert_int_equal(attn_tokenizer_decode(tokenizer, a, a_count, &x, NULL), ATTN_OK);
    assert_int_equal(attn_tokenizer_decode(tokenizer, b, b_count, &y, NULL), ATTN_OK);
    assert_string_equal(x, y);
    free(x);
    free(y);
}

static void dropout_changes_pieces_not_text(void **state) {
    (void)state;
    attn_random random = attn_random_start(attn_random_key(1, 2, 3));
    size_t before = 0, after = 0;
    for (int64_t i = 0; i < corpus.count; i++) {
        int32_t *other;
        size_t count, was = (size_t)(corpus.target_start[i + 1] - corpus.target_start[i]);
        const int32_t *ids = corpus.target + corpus.target_start[i];
        assert_int_equal(
            attn_tokenizer_remerge(tokenizer, ids, was, 0.3, &random, &other, &count, NULL),
            ATTN_OK);
        same_text(ids, was, other, count);
        before += was;
        after += count;
        free(other);
    }
    assert_true(after > before + before / 20);
}

/* ---- corpora ---- */

static attn_corpus vary(const attn_corpus_variation *v, int64_t most, uint64_t epoch, int threads) {
    attn_corpus out;
    assert_int_equal(attn_corpus_vary(&corpus, tokenizer, v, most, 5, epoch, threads, &out, NULL),
                     ATTN_OK);
    return out;
}

static bool equal(const attn_corpus *a, const attn_corpus *b) {
    size_t starts = (size_t)(a->count + 1) * sizeof *a->source_start;
    return a->count == b->count && memcmp(a->source_start, b->source_start, starts) == 0 &&
           memcmp(a->target_start, b->target_start, starts) == 0 &&
           memcmp(a->source, b->source, (size_t)a->source_start[a->count] * sizeof *a->source) ==
               0 &&
           memcmp(a->target, b->target, (size_t)a->target_start[a->count] * sizeof *a->target) == 0;
}

static void an_epoch_repeats(void **state) {
    (void)state;
    const attn_corpus_variation v = {.join = 0.2,
                                     .capitals = 0.2,
                                     .end = 0.2,
                                     .copy = 0.2,
                                     .source_dropout = 0.1,
                                     .target_dropout = 0.1};
    attn_corpus a = vary(&v, 100, 3, 1), b = vary(&v, 100, 3, 3), c = vary(&v, 100, 4, 1);
    assert_true(equal(&a, &b));
    assert_false(equal(&a, &c));
    attn_corpus_free(&a);
    attn_corpus_free(&b);
    attn_corpus_free(&c);
}

static void nothing_changes_unasked(void **state) {
    (void)state;
    const attn_corpus_variation none = {.join = 0};
    assert_false(attn_corpus_varies(&none));
    attn_corpus a = vary(&none, 100, 0, 1);
    assert_true(equal(&a, &corpus));
    attn_corpus_free(&a);
}

static void joining_keeps_every_pair_and_the_limit(void **state) {
    (void)state;
    const attn_corpus_variation all = {.join = 1};
    attn_corpus a = vary(&all, 1000000, 0, 1);
    assert_int_equal(a.count, (corpus.count + 1) / 2);
    same_text(a.source, (size_t)a.source_start[a.count], corpus.source,
              (size_t)corpus.source_start[corpus.count]);
    attn_corpus_free(&a);
    const attn_corpus_variation split = {.join = 1, .source_dropout = 0.5};
    int64_t most = 0;
    for (int64_t i = 0; i < corpus.count; i++) {
        int64_t s = corpus.source_start[i + 1] - corpus.source_start[i];
        int64_t t = corpus.target_start[i + 1] - corpus.target_start[i];
        most = s > most ? s : most;
        most = t > most ? t : most;
    }
    a = vary(&split, most, 0, 1);
    for (int64_t i = 0; i < a.count; i++) {
        assert_true(a.source_start[i + 1] - a.source_start[i] <= most);
        assert_true(a.target_start[i + 1] - a.target_start[i] <= most);
    }
    attn_corpus_free(&a);
}

/* Each source keeps the tag of its file, one and in front; pairs of other files are not joined to it. */
static void tags_stay_in_front(void **state) {
    (void)state;
    const attn_parallel_source both[2] = {{.source = files[0], .target = files[1]},
                                          {.source = files[1], .target = files[0]}};
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "nmt_nfkc",
                                      .vocabulary = 150,
                                      .elisions = "",
                                      .tags = "<2fr>,<2en>"};
    const char *const paths[2] = {files[0], files[1]};
    const attn_corpus_variation v = {.join = 1, .capitals = 0.3, .end = 0.5, .source_dropout = 0.3};
    attn_tokenizer *tagged;
    attn_parallel pairs;
    attn_corpus plain, varied;
    assert_int_equal(attn_tokenizer_train(paths, 2, &options, &tagged, NULL), ATTN_OK);
    const int32_t tag[2] = {attn_tokenizer_tag(tagged, "<2fr>"),
                            attn_tokenizer_tag(tagged, "<2en>")};
    assert_true(tag[0] > ATTN_EOS && tag[1] > ATTN_EOS && tag[0] != tag[1]);
    assert_int_equal(attn_tokenizer_tag(tagged, "<2de>"), -1);
    assert_int_equal(attn_tokenizer_tag(tagged, "</s>"), -1);
    assert_int_equal(attn_parallel_read(both, 2, &pairs, NULL), ATTN_OK);
    const attn_tags tags[2] = {{{tag[0]}, 1}, {{tag[1]}, 1}};
    for (int64_t most = 60; most <= 1000; most += 940) {
        assert_int_equal(attn_corpus_encode(&pairs, tagged, tags, most, 1, &plain, NULL), ATTN_OK);
        assert_int_equal(attn_corpus_vary(&plain, tagged, &v, most, 1, 0, 1, &varied, NULL),
                         ATTN_OK);
        assert_true(varied.count < plain.count);
        bool second = false;
        for (int64_t i = 0; i < varied.count; i++) {
            int64_t from = varied.source_start[i], to = varied.source_start[i + 1];
            second = second || varied.source[from] == tag[1];
            assert_int_equal(varied.source[from], tag[second]);
            for (int64_t k = from + 1; k < to; k++) {
                assert_true(varied.source[k] != tag[0] && varied.source[k] != tag[1]);
            }
            assert_true(to - from <= most);
        }
        assert_true(second);
        attn_corpus_free(&plain);
        attn_corpus_free(&varied);
    }
    attn_parallel_free(&pairs);
    attn_tokenizer_free(tagged);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_is_of_unicode),
        cmocka_unit_test(ends_go_on_both_sides_or_not_at_all),
        cmocka_unit_test(copies_change_alike),
        cmocka_unit_test(the_rest_stays),
        cmocka_unit_test(joined_as_the_script_wants),
        cmocka_unit_test(without_dropout_merges_are_the_tokenizers),
        cmocka_unit_test(dropout_changes_pieces_not_text),
        cmocka_unit_test(an_epoch_repeats),
        cmocka_unit_test(nothing_changes_unasked),
        cmocka_unit_test(joining_keeps_every_pair_and_the_limit),
        cmocka_unit_test(tags_stay_in_front),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
