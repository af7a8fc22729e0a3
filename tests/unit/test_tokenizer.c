/* The tokenizer: training is repeatable, text survives a round trip, bad bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/sentences.h"
#include "text/charsmap.h"
#include "text/known_words.h"
#include "text/unknown.h"
#include "text/vocabulary.h"
#include "attn/tokenizer.h"

static char files[2][64];
static const char *const paths[2] = {files[0], files[1]};

static int setup(void **state) {
    (void)state;
    sentences_generate(files[0], 0);
    sentences_generate(files[1], 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(files[0]);
    unlink(files[1]);
    return 0;
}

static attn_tokenizer *train(const char *type, const char *normalization, int threads) {
    attn_tokenizer_options options = {.type = type,
                                      .normalization = normalization,
                                      .vocabulary = 150,
                                      .elisions = "",
                                      .character_coverage = 1.0,
                                      .threads = threads};
    attn_tokenizer *tokenizer;
    attn_error error = {0};
    if (attn_tokenizer_train(paths, 2, &options, &tokenizer, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    return tokenizer;
}

static void assert_round_trip(const attn_tokenizer *tokenizer, const char *text) {
    int32_t *ids;
    size_t count;
    char *back;
    assert_int_equal(attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, NULL),
                     ATTN_OK);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(ids[i], ATTN_EOS + 1, attn_tokenizer_size(tokenizer) - 1);
    }
    assert_int_equal(attn_tokenizer_decode(tokenizer, ids, count, &back, NULL), ATTN_OK);
    assert_string_equal(back, text);
    free(ids);
    free(back);
}

static void trains_and_round_trips(void **state) {
    (void)state;
    static const char *const types[] = {"bpe", "unigram"};
    for (int t = 0; t < 2; t++) {
        attn_tokenizer *tokenizer = train(types[t], "identity", 1);
        assert_int_equal(attn_tokenizer_size(tokenizer), 150);
        assert_string_equal(attn_tokenizer_piece(tokenizer, ATTN_PAD), "<pad>");
        assert_string_equal(attn_tokenizer_piece(tokenizer, ATTN_UNK), "<unk>");
        assert_string_equal(attn_tokenizer_piece(tokenizer, ATTN_BOS), "<s>");
        assert_string_equal(attn_tokenizer_piece(tokenizer, ATTN_EOS), "</s>");
        assert_string_equal(attn_tokenizer_piece(tokenizer, -1), "");
        assert_string_equal(attn_tokenizer_piece(tokenizer, 150), "");
        assert_round_trip(tokenizer, "The mountain paints the letter, number 42.");
        assert_round_trip(tokenizer, "l\xc3\xa0 cat-o n\xc2\xba 7!");
        assert_round_trip(tokenizer, "");
        attn_tokenizer_free(tokenizer);
    }
}

/* The same text gives the same bytes, whatever the number of threads; they load again. */
static void bytes_are_repeatable(void **state) {
    (void)state;
    static const char *const types[] = {"bpe", "unigram"};
    for (int t = 0; t < 2; t++) {
        attn_tokenizer *first = train(types[t], "nmt_nfkc", 1);
        attn_tokenizer *second = train(types[t], "nmt_nfkc", 3);
        size_t size, other_size;
        const void *bytes = attn_tokenizer_bytes(first, &size);
        const void *other = attn_tokenizer_bytes(second, &other_size);
        assert_int_equal(size, other_size);
        assert_memory_equal(bytes, other, size);
        attn_tokenizer *loaded;
        assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &loaded, NULL), ATTN_OK);
        assert_int_equal(attn_tokenizer_size(loaded), 150);
        assert_round_trip(loaded, "The cat sees the house, number 1.");
        attn_tokenizer_free(first);
        attn_tokenizer_free(second);
        attn_tokenizer_free(loaded);
    }
}

static int32_t last_piece(const attn_tokenizer *tokenizer, const char *text) {
    int32_t *ids, last;
    size_t count;
    assert_int_equal(attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, NULL),
                     ATTN_OK);
    last = ids[count - 1];
    free(ids);
    return last;
}

/* After an elision a word is the same piece as after a space, and text comes back as it was. The
 * list is in the bytes. */
static void elisions_are_set_apart(void **state) {
    (void)state;
    static char text[600 * 64];
    char path[64];
    size_t used = 0;
    for (int i = 0; i < 600; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "L'%s %s un %s.\n",
                                 sentence_noun[i % 10], sentence_verb[i / 100],
                                 sentence_noun[i / 10 % 10]);
    }
    sentences_write(path, text, used);
    const char *const list[] = {path};
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "nmt_nfkc",
                                      .vocabulary = 100,
                                      .elisions = "l qu",
                                      .character_coverage = 1.0};
    attn_tokenizer *trained, *tokenizer;
    assert_int_equal(attn_tokenizer_train(list, 1, &options, &trained, NULL), ATTN_OK);
    size_t size;
    const void *bytes = attn_tokenizer_bytes(trained, &size);
    assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &tokenizer, NULL), ATTN_OK);
    assert_int_equal(last_piece(tokenizer, "L'engine"), last_piece(tokenizer, "un engine"));
    assert_int_equal(last_piece(tokenizer, "qu'engine"), last_piece(tokenizer, "un engine"));
    assert_round_trip(tokenizer, "L'engine sees un cat.");
    attn_tokenizer_free(trained);
    attn_tokenizer_free(tokenizer);

    static const char *const bad[] = {"l'", "l  qu", " l", "l,qu", NULL};
    attn_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.elisions = bad[i];
        assert_int_equal(attn_tokenizer_train(list, 1, &options, &tokenizer, &error),
                         ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, "elisions"));
    }
    unlink(path);
}

static void special_pieces_are_not_text(void **state) {
    (void)state;
    attn_tokenizer *tokenizer = train("bpe", "identity", 1);
    int32_t *ids;
    size_t count;
    assert_int_equal(attn_tokenizer_encode(tokenizer, "<s> \xe4\xb8\xad", 7, &ids, &count, NULL),
                     ATTN_OK);
    bool unknown = false;
    for (size_t i = 0; i < count; i++) {
        assert_true(ids[i] != ATTN_BOS && ids[i] != ATTN_EOS && ids[i] != ATTN_PAD);
        unknown |= ids[i] == ATTN_UNK;
    }
    assert_true(unknown); /* a character that training never saw */
    free(ids);

    assert_int_equal(attn_tokenizer_encode(tokenizer, "the cat", 7, &ids, &count, NULL), ATTN_OK);
    int32_t padded[64] = {ATTN_BOS, ATTN_UNK};
    memcpy(padded + 2, ids, count * sizeof *ids);
    padded[count + 2] = ATTN_EOS;
    char *text;
    assert_int_equal(attn_tokenizer_decode(tokenizer, padded, count + 4, &text, NULL), ATTN_OK);
    assert_string_equal(text, "the cat");
    free(text);
    free(ids);
    attn_error error;
    assert_int_equal(attn_tokenizer_decode(tokenizer, &(int32_t){150}, 1, &text, &error),
                     ATTN_ERR_ARGUMENT);
    assert_null(text);
    attn_tokenizer_free(tokenizer);
}

/* A text that allows fewer pieces than asked for gets as many as it allows. */
static void vocabulary_is_lowered(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++) {
        attn_tokenizer_options options = {.type = t == 0 ? "bpe" : "unigram",
                                          .normalization = "nmt_nfkc",
                                          .elisions = "",
                                          .vocabulary = 50000,
                                          .lower_vocabulary = true};
        attn_tokenizer *tokenizer;
        attn_error error = {0};
        if (attn_tokenizer_train(paths, 2, &options, &tokenizer, &error) != ATTN_OK) {
            fail_msg("%s", error.what);
        }
        assert_in_range(attn_tokenizer_size(tokenizer), 100, 49999);
        assert_round_trip(tokenizer, "The cat sees the house, number 1.");
        attn_tokenizer_free(tokenizer);
    }
}

typedef struct told {
    char text[64];
} told;

static void tell(const char *character, size_t length, void *context) {
    strncat(((told *)context)->text, character, length);
}

/* Every character has pieces: its own, or one a byte. Text that looks like a byte piece stays text. */
static void bytes_write_what_has_no_piece(void **state) {
    (void)state;
    static const char strange[] = "cat \xe2\x82\xac\xe4\xb8\xad <0x41> \xf0\x9f\x98\x80!";
    for (int t = 0; t < 2; t++) {
        attn_tokenizer_options options = {.type = t == 0 ? "bpe" : "unigram",
                                          .normalization = "identity",
                                          .elisions = "",
                                          .vocabulary = 400,
                                          .byte_fallback = true};
        attn_tokenizer *tokenizer;
        assert_int_equal(attn_tokenizer_train(paths, 2, &options, &tokenizer, NULL), ATTN_OK);
        assert_int_equal(attn_tokenizer_size(tokenizer), 400);
        assert_string_equal(attn_tokenizer_piece(tokenizer, ATTN_EOS + 1 + 0xE2), "<0xE2>");
        assert_round_trip(tokenizer, strange);
        told heard = {""};
        assert_int_equal(
            attn_tokenizer_unknown(tokenizer, strange, sizeof strange - 1, tell, &heard, NULL),
            ATTN_OK);
        assert_string_equal(heard.text, "\xe2\x82\xac\xe4\xb8\xad<x>\xf0\x9f\x98\x80");
        attn_vocabulary vocabulary = attn_vocabulary_of(tokenizer);
        assert_true(attn_vocabulary_writes(&vocabulary, "the cat 41", 10));
        assert_false(attn_vocabulary_writes(&vocabulary, "\xe2\x82\xac", 3));
        assert_false(attn_vocabulary_writes(&vocabulary, "the \xf0\x9f\x98\x80", 8));
        assert_false(attn_vocabulary_writes(&vocabulary, "<", 1));
        attn_tokenizer_free(tokenizer);
    }
}

static void unknown_characters_are_counted(void **state) {
    (void)state;
    static const char text[] = "the \xe4\xb8\xad\xe2\x82\xac\xe4\xb8\xad cat";
    attn_tokenizer *tokenizer = train("bpe", "identity", 1);
    attn_unknown unknown = {0};
    for (int i = 0; i < 2; i++) {
        int32_t *ids;
        size_t count;
        assert_int_equal(
            attn_tokenizer_encode(tokenizer, text, sizeof text - 1, &ids, &count, NULL), ATTN_OK);
        assert_int_equal(
            attn_unknown_add(&unknown, tokenizer, text, sizeof text - 1, ids, count, NULL),
            ATTN_OK);
        free(ids);
    }
    attn_unknown_finish(&unknown);
    assert_int_equal(unknown.total, 6);
    assert_int_equal(unknown.different, 2);
    assert_string_equal(unknown.most[0].text, "\xe4\xb8\xad");
    assert_int_equal(unknown.most[0].count, 4);
    assert_string_equal(unknown.most[1].text, "\xe2\x82\xac");
    assert_int_equal(unknown.most[1].count, 2);
    attn_tokenizer_free(tokenizer);
}

static void assert_training_fails(const char *text, attn_tokenizer_options options,
                                  attn_status status, const char *words) {
    char path[64];
    sentences_write(path, text, strlen(text));
    attn_tokenizer *tokenizer = NULL;
    attn_error error = {0};
    const char *const list[] = {path};
    assert_int_equal(attn_tokenizer_train(list, 1, &options, &tokenizer, &error), status);
    unlink(path);
    assert_null(tokenizer);
    if (strstr(error.what, words) == NULL) {
        fail_msg("\"%s\" should have said \"%s\"", error.what, words);
    }
}

static void bad_training_is_explained(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++) {
        attn_tokenizer_options good = {.type = t == 0 ? "bpe" : "unigram",
                                       .normalization = "nmt_nfkc",
                                       .elisions = "",
                                       .vocabulary = 5000};
        attn_tokenizer_options small = good;
        small.vocabulary = 6;
        assert_training_fails("The cat sees the cat.\n", good, ATTN_ERR_ARGUMENT, "at most");
        assert_training_fails("The cat sees the cat.\n", small, ATTN_ERR_ARGUMENT, "alone need");
        /* Each of these would end the process inside SentencePiece. */
        assert_training_fails("\n\n\n", good, ATTN_ERR_FORMAT, "no text");
        assert_training_fails("  \n\t\n", good, ATTN_ERR_FORMAT, "no text");
        assert_training_fails("\xe2\x80\x8b\n", good, ATTN_ERR_FORMAT, "no text");
        assert_training_fails("<s>\n<s>\n", good, ATTN_ERR_ARGUMENT, "at most");
        assert_training_fails("", good, ATTN_ERR_FORMAT, "empty");
        assert_training_fails("caf\xe9\n", good, ATTN_ERR_FORMAT, "not UTF-8");
        attn_tokenizer_options bad = good;
        bad.type = "word";
        assert_training_fails("a\n", bad, ATTN_ERR_ARGUMENT, "word");
        bad = good;
        bad.normalization = "nfd";
        assert_training_fails("a\n", bad, ATTN_ERR_ARGUMENT, "nfd");
        bad = good;
        bad.character_coverage = 0.5;
        assert_training_fails("a\n", bad, ATTN_ERR_ARGUMENT, "coverage");
        bad = good;
        bad.vocabulary = 4;
        assert_training_fails("a\n", bad, ATTN_ERR_ARGUMENT, "4 pieces");
    }
}

/* Every normalization table that SentencePiece has passes the check that hostile ones fail. */
static void builtin_tables_pass(void **state) {
    (void)state;
    static const char *const names[] = {"identity", "nfkc", "nfkc_cf", "nmt_nfkc", "nmt_nfkc_cf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        attn_tokenizer_free(train("bpe", names[i], 1));
    }
}

static void damaged_bytes_are_refused(void **state) {
    (void)state;
    attn_tokenizer *tokenizer = train("unigram", "nmt_nfkc", 1), *loaded;
    size_t size;
    const char *bytes = attn_tokenizer_bytes(tokenizer, &size);
    attn_error error;
    assert_int_equal(attn_tokenizer_from_bytes("", 0, &loaded, &error), ATTN_ERR_FORMAT);
    assert_int_equal(attn_tokenizer_from_bytes("GARBAGE!", 8, &loaded, &error), ATTN_ERR_FORMAT);
    for (size_t cut = 1; cut < size; cut += size / 37) {
        assert_int_equal(attn_tokenizer_from_bytes(bytes, size - cut, &loaded, &error),
                         ATTN_ERR_FORMAT);
        assert_null(loaded);
    }
    /* A piece that is not UTF-8 could be neither printed nor sent. */
    char *piece = malloc(size);
    memcpy(piece, bytes, size);
    size_t place = 0;
    while (memcmp(piece + place, "\xe2\x96\x81", 3) != 0 || piece[place + 3] < 'a' ||
           piece[place + 3] > 'z') {
        assert_true(++place + 4 < size);
    }
    piece[place + 3] = (char)0xff;
    assert_int_equal(attn_tokenizer_from_bytes(piece, size, &loaded, &error), ATTN_ERR_FORMAT);
    assert_string_equal(error.what, "a piece is not UTF-8");
    free(piece);
    /* One byte changed anywhere: refused, or a model that can be used without harm. */
    char *copy = malloc(size);
    memcpy(copy, bytes, size);
    for (size_t at = 0; at < size; at += 1 + size / 500) {
        copy[at] = (char)(copy[at] ^ 0x5A);
        if (attn_tokenizer_from_bytes(copy, size, &loaded, &error) == ATTN_OK) {
            static const char text[] = "The caf\xc3\xa9 \xef\xbc\xa1 \xe2\x91\xa0 \xc2\xbd.";
            int32_t *ids = NULL;
            size_t count;
            if (attn_tokenizer_encode(loaded, text, sizeof text - 1, &ids, &count, &error) ==
                ATTN_OK) {
                free(ids);
            }
            attn_tokenizer_free(loaded);
        }
        copy[at] = bytes[at];
    }
    free(copy);
    attn_tokenizer_free(tokenizer);
}

/* A table whose root points past its end, wrapped as normalizer_spec.precompiled_charsmap. */
static void hostile_table_is_refused(void **state) {
    (void)state;
    enum { UNITS = 256, MAP = 4 + 4 * UNITS + 2, SPEC = MAP + 3, MODEL = SPEC + 3 };
    static unsigned char model[MODEL] = {
        0x1A, (SPEC & 0x7F) | 0x80, SPEC >> 7, 0x12, (MAP & 0x7F) | 0x80, MAP >> 7, 0x00,
        0x04}; /* 1,024 bytes of trie */
    unsigned char *unit = model + 10;
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_OK);
    unit[1] = 0x04; /* offset 1 */
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_OK);
    unit[2] = 0x04; /* offset 257: outside */
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_ERR_FORMAT);
    unit[3] = 0x80; /* the root is followed whatever its label */
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_ERR_FORMAT);
    unit[2] = unit[3] = 0;
    unit[1] = 0x05; /* offset 1, and a value there */
    unit[4] = 1;    /* the last of the two string bytes */
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_OK);
    unit[4] = 2; /* behind them */
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_ERR_FORMAT);
    unit[4] = 1;
    model[MODEL - 1] = 'x'; /* a string without an end */
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_ERR_FORMAT);
    model[MODEL - 1] = 0;
    model[7] = 0x05; /* trie and strings longer than the table */
    assert_int_equal(attn_charsmap_check(model, sizeof model, NULL), ATTN_ERR_FORMAT);
}

static attn_tokenizer *train_one(int file, int32_t vocabulary) {
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "identity",
                                      .vocabulary = vocabulary,
                                      .elisions = file == 0 ? "l d" : ""};
    attn_tokenizer *tokenizer;
    assert_int_equal(attn_tokenizer_train(&paths[file], 1, &options, &tokenizer, NULL), ATTN_OK);
    return tokenizer;
}

static void assert_same_bytes(const attn_tokenizer *a, const attn_tokenizer *b) {
    size_t a_size, b_size;
    const void *a_bytes = attn_tokenizer_bytes(a, &a_size),
               *b_bytes = attn_tokenizer_bytes(b, &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a_bytes, b_bytes, a_size);
}

/* Two sides in the bytes of one; each is what it was alone. */
static void two_sides_are_joined(void **state) {
    (void)state;
    attn_tokenizer *source = train_one(0, 90), *target = train_one(1, 110), *both, *again;
    attn_error error;
    assert_ptr_equal(attn_tokenizer_target(source), source);
    assert_int_equal(attn_tokenizer_join(source, target, &both, NULL), ATTN_OK);
    assert_int_equal(attn_tokenizer_size(both), attn_tokenizer_size(source));
    assert_same_bytes(attn_tokenizer_target(both), target);
    size_t size;
    const char *bytes = attn_tokenizer_bytes(both, &size);
    assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &again, NULL), ATTN_OK);
    assert_same_bytes(attn_tokenizer_target(again), target);
    for (int32_t id = 0; id < attn_tokenizer_size(source); id++) {
        assert_string_equal(attn_tokenizer_piece(again, id), attn_tokenizer_piece(source, id));
    }
    attn_tokenizer *nested = NULL;
    assert_int_equal(attn_tokenizer_join(both, target, &nested, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_tokenizer_join(source, both, &nested, &error), ATTN_ERR_ARGUMENT);
    assert_null(nested);
    for (size_t cut = size - 40; cut < size; cut++) { /* the target's side cut short */
        if (attn_tokenizer_from_bytes(bytes, cut, &nested, NULL) == ATTN_OK) {
            attn_tokenizer_free(nested);
        }
    }
    attn_tokenizer_free(source);
    attn_tokenizer_free(target);
    attn_tokenizer_free(both);
    attn_tokenizer_free(again);
}

/* Words that stand three times in a text are found; of others hardly any; and what is learned again changes nothing. */
static void knows_the_words_of_a_text(void **state) {
    (void)state;
    static const char text[] =
        "Where is Zo\xc3\xab? Where's the ZO\xc3\x8b, zo\xc3\xab?\nwhere the the "
        "twice twice once\n";
    static const char more[] = "twice, once once once\n";
    attn_lines lines, others;
    attn_tokenizer *tokenizer = train("bpe", "identity", 1), *learned, *again;
    char path[64];
    sentences_write(path, text, strlen(text));
    assert_int_equal(attn_lines_read(path, &lines, NULL), ATTN_OK);
    unlink(path);
    sentences_write(path, more, strlen(more));
    assert_int_equal(attn_lines_read(path, &others, NULL), ATTN_OK);
    unlink(path);
    assert_null(attn_tokenizer_known_words(tokenizer).bits);
    assert_true(attn_known_words_has(attn_tokenizer_known_words(tokenizer), "x", 1));
    assert_int_equal(attn_known_words_learn(tokenizer, &lines, &learned, NULL), ATTN_OK);
    attn_known_words words = attn_tokenizer_known_words(learned);
    assert_non_null(words.bits);
    static const char *const known[] = {"the", "THE", "where", "zo\xc3\xab", "Zo\xc3\x8b"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(attn_known_words_has(words, known[i], strlen(known[i])));
    }
    size_t wrong = 0;
    for (int i = 0; i < 10000; i++) {
        char word[8] = {(char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676),
                        'q'};
        wrong += attn_known_words_has(words, word, 4);
    }
    assert_in_range(wrong, 0, 200);
    assert_false(attn_known_words_has(words, "once", 4));
    assert_int_equal(attn_known_words_learn(learned, &lines, &again, NULL), ATTN_OK);
    assert_null(again);
    assert_int_equal(attn_known_words_learn(learned, &others, &again, NULL), ATTN_OK);
    assert_true(attn_known_words_has(attn_tokenizer_known_words(again), "once", 4));
    assert_true(attn_known_words_has(attn_tokenizer_known_words(again), "the", 3));
    assert_round_trip(again, "one two");
    size_t before, after;
    attn_tokenizer_bytes(learned, &before);
    attn_tokenizer_bytes(again, &after);
    assert_int_equal(before, after); /* the former words are not there twice */
    attn_lines_free(&lines);
    attn_lines_free(&others);
    attn_tokenizer_free(again);
    attn_tokenizer_free(learned);
    attn_tokenizer_free(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_words_of_a_text),
        cmocka_unit_test(trains_and_round_trips),
        cmocka_unit_test(bytes_are_repeatable),
        cmocka_unit_test(elisions_are_set_apart),
        cmocka_unit_test(special_pieces_are_not_text),
        cmocka_unit_test(bad_training_is_explained),
        cmocka_unit_test(builtin_tables_pass),
        cmocka_unit_test(damaged_bytes_are_refused),
        cmocka_unit_test(hostile_table_is_refused),
        cmocka_unit_test(vocabulary_is_lowered),
        cmocka_unit_test(bytes_write_what_has_no_piece),
        cmocka_unit_test(unknown_characters_are_counted),
        cmocka_unit_test(two_sides_are_joined),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
