/* WordPiece: longest match first, behind the handle of any tokenizer; damaged bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/tags.h"
#include "text/tokenizer_dropout.h"
#include "text/tokenizer_json.h"
#include "text/unknown.h"

static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\ncafe\n\xe5\xa5\xbd\n,\n."
    "\nit\n'\ns\n##s\nCaf\xc3\xa9\nun##\n$\n";

static attn_tokenizer *load(bool lowercase) {
    char *bytes;
    size_t size;
    attn_tokenizer *tokenizer;
    assert_int_equal(
        attn_tokenizer_vocab_txt(vocabulary, sizeof vocabulary - 1, lowercase, &bytes, &size, NULL),
        ATTN_OK);
    assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &tokenizer, NULL), ATTN_OK);
    free(bytes);
    return tokenizer;
}

static void assert_ids(const attn_tokenizer *tokenizer, const char *text, size_t length,
                       const char *wanted) {
    int32_t *ids;
    size_t count;
    char found[256] = "";
    assert_int_equal(attn_tokenizer_encode(tokenizer, text, length, &ids, &count, NULL), ATTN_OK);
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(found);
        snprintf(found + at, sizeof found - at, "%s%d", i > 0 ? " " : "", (int)ids[i]);
    }
    assert_string_equal(found, wanted);
    free(ids);
}

static void cuts_words(void **state) {
    (void)state;
    attn_tokenizer *tokenizer = load(true);
    static const struct {
        const char *text, *ids;
    } cases[] = {
        {"", ""},
        {" \t\n", ""},
        {"unaffable", "5 6 7"},
        {"UNaffable, unable.", "5 6 7 10 5 7 11"},
        {"Caf\xc3\xa9 cafe\xcc\x81", "8 8"}, /* accents fall away */
        {"\xe5\xa5\xbd\xe5\xa5\xbd"
         "cafe",
         "9 9 8"}, /* Chinese characters are words */
        {"it's $its", "12 13 14 18 12 15"},
        {"xyz un[MASK]", "1 5 1 1 1"}, /* no text is a special piece */
        {"un\xc2\xad"
         "affable\xe2\x80\x8b",
         "5 6 7"}, /* formats fall away */
        {"a\xff\xc3", "1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ids(tokenizer, cases[i].text, strlen(cases[i].text), cases[i].ids);
    }
    char longest[103];
    memcpy(longest, "unaffable", 9);
    for (size_t i = 9; i < sizeof longest; i++) {
        longest[i] = 's';
    }
    assert_ids(tokenizer, longest + 8, 93, "1");
    assert_ids(tokenizer, longest, 101, "1"); /* one character too long, and unknown as a whole */
    attn_tokenizer_free(tokenizer);
    tokenizer = load(false);
    assert_ids(tokenizer, "Caf\xc3\xa9 cafe", 10, "16 8");
    attn_tokenizer_free(tokenizer);
}

static void longest_word(void **state) {
    (void)state;
    attn_tokenizer *tokenizer = load(true);
    char word[101];
    memset(word, 's', sizeof word);
    int32_t *ids;
    size_t count;
    assert_int_equal(attn_tokenizer_encode(tokenizer, word, 100, &ids, &count, NULL), ATTN_OK);
    assert_int_equal(count, 100);
    free(ids);
    assert_ids(tokenizer, word, 101, "1");
    attn_tokenizer_free(tokenizer);
}

static void count_bytes(const char *character, size_t length, void *context) {
    (void)character;
    *(size_t *)context += length;
}

/* What every tokenizer has. */
static void is_a_tokenizer(void **state) {
    (void)state;
    attn_tokenizer *tokenizer = load(true);
    attn_special_ids special = attn_tokenizer_special(tokenizer);
    assert_int_equal(special.pad, 0);
    assert_int_equal(special.unk, 1);
    assert_int_equal(special.bos, 2);
    assert_int_equal(special.eos, 3);
    assert_int_equal(attn_tokenizer_size(tokenizer), 19);
    assert_string_equal(attn_tokenizer_piece(tokenizer, 5), "\xe2\x96\x81un");
    assert_string_equal(attn_tokenizer_piece(tokenizer, 6), "aff");
    assert_string_equal(attn_tokenizer_piece(tokenizer, 2), "[CLS]");
    assert_string_equal(attn_tokenizer_piece(tokenizer, 19), "");
    assert_int_equal(attn_tokenizer_tag(tokenizer, "[CLS]"), -1);
    assert_false(attn_tokenizer_is_byte(tokenizer, 5));
    assert_false(attn_tokenizer_merges(tokenizer));
    const int32_t ids[] = {2, 5, 6, 7, 10, 12, 13, 14, 11, 3};
    char *text;
    assert_int_equal(attn_tokenizer_decode(tokenizer, ids, 10, &text, NULL), ATTN_OK);
    assert_string_equal(text, "unaffable, it ' s.");
    free(text);
    size_t unknown = 0;
    assert_int_equal(attn_tokenizer_unknown(tokenizer, "un xyz", 6, count_bytes, &unknown, NULL),
                     ATTN_OK);
    assert_int_equal(unknown, 3);
    attn_tokenizer *joined;
    assert_int_equal(attn_tokenizer_join(tokenizer, tokenizer, &joined, NULL), ATTN_ERR_ARGUMENT);
    attn_tokenizer_free(tokenizer);
}

static void damaged_bytes_are_refused(void **state) {
    (void)state;
    attn_tokenizer *whole = load(true), *tokenizer;
    size_t size;
    const char *bytes = attn_tokenizer_bytes(whole, &size);
    char *copy = malloc(size);
    attn_error error;
    for (size_t cut = 0; cut < size; cut++) {
        memcpy(copy, bytes, cut);
        assert_int_equal(attn_tokenizer_from_bytes(copy, cut, &tokenizer, &error), ATTN_ERR_FORMAT);
    }
    for (size_t at = 0; at < 8 * size; at++) {
        memcpy(copy, bytes, size);
        copy[at / 8] ^= (char)(1 << at % 8);
        if (attn_tokenizer_from_bytes(copy, size, &tokenizer, &error) == ATTN_OK) {
            attn_tokenizer_free(tokenizer);
        }
    }
    free(copy);
    attn_tokenizer_free(whole);
    static const char *const wrong[] = {"", "a\nb\n", "[UNK]\na\na\n", "[UNK]\n\xff\n"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            attn_tokenizer_vocab_txt(wrong[i], strlen(wrong[i]), true, &copy, &size, &error),
            ATTN_ERR_FORMAT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_words),
        cmocka_unit_test(longest_word),
        cmocka_unit_test(is_a_tokenizer),
        cmocka_unit_test(damaged_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
