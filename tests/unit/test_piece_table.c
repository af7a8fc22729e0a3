/* A table of pieces numbers a SentencePiece model anew, in the bytes of a tokenizer; damaged tables are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/sentences.h"
#include "text/piece_table.h"
#include "text/tags.h"
#include "text/tokenizer_dropout.h"
#include "text/unknown.h"

static attn_tokenizer *own; /* 150 pieces of BPE */

static int setup(void **state) {
    (void)state;
    char files[2][64];
    sentences_generate(files[0], 0);
    sentences_generate(files[1], 1);
    const char *const paths[2] = {files[0], files[1]};
    attn_tokenizer_options options = {
        .type = "bpe", .normalization = "nmt_nfkc", .vocabulary = 150, .elisions = ""};
    assert_int_equal(attn_tokenizer_train(paths, 2, &options, &own, NULL), ATTN_OK);
    unlink(files[0]);
    unlink(files[1]);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    attn_tokenizer_free(own);
    return 0;
}

static void add(attn_piece_table *table, const char *text, bool control) {
    assert_int_equal(attn_piece_table_add(table, text, control, NULL), ATTN_OK);
}

/* </s>, <unk>, the pieces of the model backwards with one left out, one of its own, a language, <pad>. */
static attn_piece_table backwards(const char *left_out) {
    attn_piece_table table = {.codes = true};
    add(&table, "</s>", true);
    add(&table, "<unk>", true);
    for (int32_t id = attn_tokenizer_size(own) - 1; id > ATTN_EOS; id--) {
        if (strcmp(attn_tokenizer_piece(own, id), left_out) != 0) {
            add(&table, attn_tokenizer_piece(own, id), false);
        }
    }
    add(&table, "\xe5\xa5\xbd", false);
    add(&table, ">>fra<<", true);
    add(&table, "<pad>", true);
    assert_int_equal(attn_piece_table_finish_by_name(&table, NULL), ATTN_OK);
    return table;
}

static char *bytes_over(const attn_piece_table *table, size_t *bytes_size) {
    size_t size;
    const void *model = attn_tokenizer_bytes(own, &size);
    char *bytes;
    assert_int_equal(attn_piece_table_over(table, model, size, &bytes, bytes_size, NULL), ATTN_OK);
    return bytes;
}

static attn_tokenizer *load_over(const attn_piece_table *table) {
    size_t size;
    char *bytes = bytes_over(table, &size);
    attn_tokenizer *tokenizer;
    assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &tokenizer, NULL), ATTN_OK);
    free(bytes);
    return tokenizer;
}

static size_t encode(const attn_tokenizer *tokenizer, const char *text, int32_t **ids) {
    size_t count;
    assert_int_equal(attn_tokenizer_encode(tokenizer, text, strlen(text), ids, &count, NULL),
                     ATTN_OK);
    return count;
}

/* The same pieces, other ids; the one that the table lacks is unknown. */
static void ids_are_those_of_the_table(void **state) {
    (void)state;
    int32_t *before, *after;
    const char *text = "The cat sees the house, number 42.";
    size_t count = encode(own, text, &before);
    char left_out[64];
    snprintf(left_out, sizeof left_out, "%s", attn_tokenizer_piece(own, before[2]));
    attn_piece_table table = backwards(left_out);
    attn_tokenizer *tokenizer = load_over(&table);
    assert_int_equal(attn_tokenizer_size(tokenizer), table.count);
    assert_int_equal(encode(tokenizer, text, &after), count);
    for (size_t i = 0; i < count; i++) {
        const char *piece = attn_tokenizer_piece(own, before[i]);
        bool missing = strcmp(piece, left_out) == 0;
        assert_string_equal(attn_tokenizer_piece(tokenizer, after[i]), missing ? "<unk>" : piece);
    }
    attn_special_ids special = attn_tokenizer_special(tokenizer);
    assert_int_equal(special.eos, 0);
    assert_int_equal(special.unk, 1);
    assert_int_equal(special.bos, -1);
    assert_int_equal(special.pad, table.count - 1);
    free(before);
    free(after);
    attn_tokenizer_free(tokenizer);
    attn_piece_table_free(&table);
}

static void count_one(const char *character, size_t length, void *context) {
    (void)character;
    *(size_t *)context += length;
}

/* A run that the model does not know is looked up in the table; languages and special pieces are no text. */
static void what_the_model_does_not_know(void **state) {
    (void)state;
    attn_piece_table table = backwards("");
    attn_tokenizer *tokenizer = load_over(&table);
    int32_t french = attn_tokenizer_tag(tokenizer, ">>fra<<"), *ids;
    assert_int_equal(french, table.count - 2);
    assert_int_equal(attn_tokenizer_tag(tokenizer, "<pad>"), -1);
    assert_int_equal(attn_tokenizer_tag(tokenizer, ">>deu<<"), -1);
    size_t count = encode(tokenizer, ">>fra<< the \xe5\xa5\xbd", &ids);
    assert_int_equal(ids[0], french);
    assert_int_equal(ids[count - 1], table.count - 3);
    assert_int_equal(attn_tags_before(tokenizer, ids, count), 1);
    char *text;
    assert_int_equal(attn_tokenizer_decode(tokenizer, ids, count, &text, NULL), ATTN_OK);
    assert_string_equal(text, "the \xe5\xa5\xbd");
    free(text);
    free(ids);
    size_t unknown = 0;
    assert_int_equal(attn_tokenizer_unknown(tokenizer, "\xe5\xa5\xbd \xe5\xa5\xb9", 7, count_one,
                                            &unknown, NULL),
                     ATTN_OK);
    assert_int_equal(unknown, 3);
    attn_tokenizer_free(tokenizer);
    attn_piece_table_free(&table);
}

static void merges_are_not_its_own(void **state) {
    (void)state;
    attn_piece_table table = backwards("");
    attn_tokenizer *tokenizer = load_over(&table);
    int32_t *out;
    size_t count;
    attn_error error;
    assert_true(attn_tokenizer_merges(own));
    assert_false(attn_tokenizer_merges(tokenizer));
    assert_int_equal(attn_tokenizer_remerge(tokenizer, NULL, 0, 0.1, NULL, &out, &count, &error),
                     ATTN_ERR_ARGUMENT);
    attn_tokenizer_free(tokenizer);
    attn_piece_table_free(&table);
}

/* fairseq: four special pieces, then those of the model after its first three. */
static void numbers_as_fairseq_does(void **state) {
    (void)state;
    size_t size;
    const void *model = attn_tokenizer_bytes(own, &size);
    attn_piece_table table, same;
    /* The third of a model of attn is <s>, the fourth </s>: a model for fairseq has no <pad>. */
    assert_int_equal(attn_piece_table_of_model(model, size, &same, NULL), ATTN_OK);
    assert_int_equal(same.count, 150);
    assert_true(same.piece[0].control);
    assert_false(same.piece[9].control);
    assert_int_equal(attn_piece_table_of_fairseq(model, size, &table, NULL), ATTN_OK);
    assert_int_equal(table.count, 150 + 1);
    assert_string_equal(attn_piece_table_text(&table, 1), "<pad>");
    assert_string_equal(attn_piece_table_text(&table, 10), attn_piece_table_text(&same, 9));
    attn_piece_table_free(&table);
    attn_piece_table_free(&same);
    assert_int_equal(attn_piece_table_of_model("GARBAGE!", 8, &table, NULL), ATTN_ERR_FORMAT);
}

static void refuse(attn_piece_table *table, const char *what) {
    attn_error error;
    assert_int_equal(attn_piece_table_finish_by_name(table, &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, what));
    attn_piece_table_free(table);
}

/* GPT-2 has one piece for all that is special; where there is <unk>, it is no more than any other. */
static void one_special_piece(void **state) {
    (void)state;
    attn_piece_table table = {0}, both = {0};
    add(&table, "a", false);
    add(&table, "<|endoftext|>", false);
    assert_int_equal(attn_piece_table_finish_by_name(&table, NULL), ATTN_OK);
    assert_int_equal(table.special.unk, 1);
    assert_true(table.special.eos == -1 && table.piece[1].control);
    add(&both, "<|endoftext|>", false);
    add(&both, "<unk>", false);
    assert_int_equal(attn_piece_table_finish_by_name(&both, NULL), ATTN_OK);
    assert_true(both.special.unk == 1 && !both.piece[0].control);
    attn_piece_table_free(&table);
    attn_piece_table_free(&both);
}

static void impossible_tables_are_refused(void **state) {
    (void)state;
    attn_piece_table table = {0};
    attn_error error;
    static const int64_t ids[] = {-1, ATTN_PIECES_MOST, (int64_t)1 << 31, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(attn_piece_table_set(&table, ids[i], "a", 1, false, &error),
                         ATTN_ERR_FORMAT);
        assert_non_null(strstr(error.what, "outside of"));
    }
    assert_int_equal(attn_piece_table_set(&table, 3, "a", 1, false, NULL), ATTN_OK);
    assert_int_equal(attn_piece_table_set(&table, 3, "b", 1, false, NULL), ATTN_ERR_FORMAT);
    assert_int_equal(attn_piece_table_set(&table, 4, "\xff", 1, false, NULL), ATTN_ERR_FORMAT);
    assert_int_equal(attn_piece_table_set(&table, 4, "a\0b", 3, false, NULL), ATTN_ERR_FORMAT);
    refuse(&table, "no piece for what is unknown");
    add(&table, "<unk>", true);
    add(&table, "two", false);
    add(&table, "two", false);
    refuse(&table, "both \"two\"");
    refuse(&table, "no piece for what is unknown");
}

/* Cut anywhere in the table, or one byte of it another: refused, or a tokenizer whose ids lie in its range. */
static void damaged_tables_are_refused(void **state) {
    (void)state;
    attn_piece_table table = backwards("");
    size_t size, model_size;
    char *bytes = bytes_over(&table, &size);
    attn_tokenizer_bytes(own, &model_size);
    attn_tokenizer *tokenizer;
    attn_error error;
    for (size_t cut = model_size + 1; cut < size; cut++) {
        assert_int_equal(attn_tokenizer_from_bytes(bytes, cut, &tokenizer, &error),
                         ATTN_ERR_FORMAT);
    }
    for (size_t at = model_size; at < size; at++) {
        bytes[at] ^= 0x55;
        if (attn_tokenizer_from_bytes(bytes, size, &tokenizer, &error) == ATTN_OK) {
            int32_t *ids;
            size_t count = encode(tokenizer, ">>x<< the cat", &ids);
            for (size_t i = 0; i < count; i++) {
                assert_in_range(ids[i], 0, attn_tokenizer_size(tokenizer) - 1);
            }
            free(ids);
            attn_tokenizer_free(tokenizer);
        }
        bytes[at] ^= 0x55;
    }
    free(bytes);
    attn_piece_table_free(&table);
}

/* Words parted by spaces, no model of SentencePiece behind them. */
static void test_plain_words(void **state) {
    (void)state;
    attn_piece_table table = {.plain = true};
    const char *const words[] = {"a", "house@@", "s", "__en__", "de_DE", "en_XX", "pt_BR", "pt_PT"};
    add(&table, "<pad>", true);
    add(&table, "<unk>", true);
    add(&table, "<s>", true);
    add(&table, "</s>", true);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        add(&table, words[i], i >= 3);
    }
    assert_int_equal(attn_piece_table_finish_by_name(&table, NULL), ATTN_OK);
    char *bytes, *text;
    size_t size, count;
    int32_t *ids;
    attn_tokenizer *tokenizer;
    assert_int_equal(attn_piece_table_over(&table, "", 0, &bytes, &size, NULL), ATTN_OK);
    assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &tokenizer, NULL), ATTN_OK);
    assert_int_equal(attn_tokenizer_encode(tokenizer, "  house@@ s  who a", 18, &ids, &count, NULL),
                     ATTN_OK);
    const int32_t expected[] = {5, 6, ATTN_UNK, 4};
    assert_int_equal(count, 4);
    assert_memory_equal(ids, expected, sizeof expected);
    assert_int_equal(attn_tokenizer_decode(tokenizer, ids, count, &text, NULL), ATTN_OK);
    assert_string_equal(text, "house@@ s a");
    assert_string_equal(attn_tokenizer_piece(tokenizer, 4), "\xe2\x96\x81"
                                                            "a");
    assert_int_equal(attn_tokenizer_language(tokenizer, "__en__"), -1);
    assert_int_equal(attn_tokenizer_language(tokenizer, "en"), 7);
    assert_int_equal(attn_tokenizer_language(tokenizer, "de"), 8);
    assert_int_equal(attn_tokenizer_language(tokenizer, "pt_PT"), 11);
    assert_int_equal(attn_tokenizer_language(tokenizer, "pt"), -1); /* two begin so */
    assert_int_equal(attn_tokenizer_language(tokenizer, "fr"), -1);
    attn_tokenizer_release(ids);
    attn_tokenizer_release(text);
    attn_tokenizer_free(tokenizer);
    free(bytes);
    attn_piece_table_free(&table);
}

static void codes_are_shortened(void **state) {
    (void)state;
    const char *const all[][2] = {
        {"eng_Latn", "en"}, {"en_XX", "en"}, {"fra_Latn", "fr"},  {"spa_Latn", "es"},
        {"zho_Hans", "zh"}, {"fr", "fr"},    {"kab_Latn", "kab"}, {"", ""}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char code[ATTN_TAG_SIZE];
        attn_language_short(all[i][0], code);
        assert_string_equal(code, all[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_words),
        cmocka_unit_test(codes_are_shortened),
        cmocka_unit_test(ids_are_those_of_the_table),
        cmocka_unit_test(what_the_model_does_not_know),
        cmocka_unit_test(merges_are_not_its_own),
        cmocka_unit_test(numbers_as_fairseq_does),
        cmocka_unit_test(one_special_piece),
        cmocka_unit_test(impossible_tables_are_refused),
        cmocka_unit_test(damaged_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
