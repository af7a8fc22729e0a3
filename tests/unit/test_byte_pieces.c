/* tests/unit/test_byte_pieces.c: BPE over bytes: how a text is cut into words, which merges come first, that every text comes back,
 * and that damaged bytes are refused. What real vocabularies give, tests/parity/encoder_compare.py says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/tokenizer.h"
#include "text/tokenizer_json.h"

enum { SPECIALS = 4 };

/* "\u0100" and so on, as JSON has it: each byte's character, and what the merges make. */
static void add_piece(char *json, int32_t *count, const char *piece) {
    sprintf(json + strlen(json), "%s\"%s\":%d", *count > 0 ? "," : "", piece, (int)*count);
    ++*count;
}

static void add_bytes(char *json, int32_t *count) {
    int hidden = 0x100;
    for (int byte = 0; byte < 256; byte++) {
        char piece[16];
        bool seen = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
        snprintf(piece, sizeof piece, "\\u%04x", (unsigned)(seen ? byte : hidden));
        hidden += !seen;
        add_piece(json, count, piece);
    }
}

/* A tokenizer.json with these merges: "a b", one a line. */
static char *make_json(const char *const *merges, size_t merge_count, bool prefix) {
    static const char *const specials[SPECIALS] = {"<pad>", "<unk>", "<s>", "</s>"};
    char *json = calloc(1, 1 << 16);
    int32_t count = 0;
    assert_non_null(json);
    sprintf(
        json,
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":%s},\"added_tokens\":[",
        prefix ? "true" : "false");
    for (int i = 0; i < SPECIALS; i++) {
        sprintf(json + strlen(json), "%s{\"id\":%d,\"content\":\"%s\",\"special\":true}",
                i > 0 ? "," : "", i, specials[i]);
    }
    strcat(json, "],\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int i = 0; i < SPECIALS; i++) {
        add_piece(json, &count, specials[i]);
    }
    add_bytes(json, &count);
    for (size_t i = 0; i < merge_count; i++) {
        char piece[64];
        const char *space = strchr(merges[i], ' ');
        snprintf(piece, sizeof piece, "%.*s%s", (int)(space - merges[i]), merges[i], space + 1);
        add_piece(json, &count, piece);
    }
    strcat(json, "},\"merges\":[");
    for (size_t i = 0; i < merge_count; i++) {
        sprintf(json + strlen(json), "%s\"%s\"", i > 0 ? "," : "", merges[i]);
    }
    strcat(json, "]}}");
    return json;
}

static attn_tokenizer *make(const char *const *merges, size_t merge_count, bool prefix) {
    attn_tokenizer *tokenizer = NULL;
    attn_error error = {0};
    char *json = make_json(merges, merge_count, prefix), *bytes;
    size_t size;
    if (attn_tokenizer_json(json, strlen(json), &bytes, &size, &error) != ATTN_OK ||
        attn_tokenizer_from_bytes(bytes, size, &tokenizer, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    free(bytes);
    free(json);
    return tokenizer;
}

/* The pieces of a text as they are shown, with a bar between. */
static void assert_pieces(const attn_tokenizer *t, const char *text, const char *expected) {
    char found[512] = "";
    int32_t *ids;
    size_t count;
    assert_int_equal(attn_tokenizer_encode(t, text, strlen(text), &ids, &count, NULL), ATTN_OK);
    for (size_t i = 0; i < count; i++) {
        sprintf(found + strlen(found), "%s%s", i > 0 ? "|" : "", attn_tokenizer_piece(t, ids[i]));
    }
    assert_string_equal(found, expected);
    attn_tokenizer_release(ids);
}

#define S "\xe2\x96\x81" /* how a space is shown */
#define G "\\u0120"      /* the character of its byte, in JSON */

static const char *const merges[] = {"h o",    "ho u", "hou s", "hous e", G " h", G "h o",
                                     G "ho u", "' s",  "4 2",   "! !",    G " " G};
enum { MERGES = sizeof merges / sizeof merges[0] };

static void words_are_cut(void **unused) {
    (void)unused;
    attn_tokenizer *t = make(merges, MERGES, false);
    assert_pieces(t, "", "");
    assert_pieces(t, "house", "house");
    assert_pieces(t, " house", S "|house"); /* what was learned first comes first: h o before G h */
    assert_pieces(t, "house's", "house|'s");
    assert_pieces(t, "house!!'s", "house|!!|'|s"); /* marks in a row are one word */
    assert_pieces(t, "42house42", "42|house|42");
    assert_pieces(t, "a  house", "a|" S "|" S "|house");
    assert_pieces(t, "a   ", "a|" S " |" S); /* at the end all of it is one word */
    assert_pieces(t, "a   b", "a|" S " |" S "|b");
    attn_tokenizer_free(t);
    t = make(merges, MERGES, true);
    assert_pieces(t, "house", S "|house");
    assert_pieces(t, " house", S "|house");
    attn_tokenizer_free(t);
}

/* The merge that was learned first, wherever it stands; of equal ones the leftmost. */
static void merges_are_in_order(void **unused) {
    (void)unused;
    static const char *const order[] = {"b c", "a b", "a a", "aa a"};
    attn_tokenizer *t = make(order, 4, false);
    assert_pieces(t, "abc", "a|bc");
    assert_pieces(t, "abbc", "ab|bc");
    assert_pieces(t, "aaaaa", "aa|aaa");
    assert_pieces(t, "aaaa", "aa|aa");
    attn_tokenizer_free(t);
}

static void every_text_comes_back(void **unused) {
    (void)unused;
    static const char *const texts[] = {"The house's 42 caf\xc3\xa9s!! \n\t x",
                                        "\xe6\x88\xbf\xe5\xad\x90",
                                        "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd",
                                        "\x01\x7f ",
                                        "\xc2\xa0\xc2\xad",
                                        "<s> is text here"};
    attn_tokenizer *t = make(merges, MERGES, false);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int32_t *ids;
        size_t count;
        char *back = NULL;
        assert_int_equal(attn_tokenizer_encode(t, texts[i], strlen(texts[i]), &ids, &count, NULL),
                         ATTN_OK);
        for (size_t k = 0; k < count; k++) {
            assert_true(ids[k] >= SPECIALS && ids[k] < attn_tokenizer_size(t));
        }
        assert_int_equal(attn_tokenizer_decode(t, ids, count, &back, NULL), ATTN_OK);
        assert_string_equal(back, texts[i]);
        free(back);
        attn_tokenizer_release(ids);
    }
    attn_tokenizer_free(t);
}

/* A word of many letters takes no time to speak of. */
static void long_words(void **unused) {
    (void)unused;
    enum { LENGTH = 200000 };
    static const char *const order[] = {"a a", "aa aa", "aaaa aaaa"};
    attn_tokenizer *t = make(order, 3, false);
    char *text = malloc(LENGTH);
    int32_t *ids;
    size_t count;
    assert_non_null(text);
    memset(text, 'a', LENGTH);
    assert_int_equal(attn_tokenizer_encode(t, text, LENGTH, &ids, &count, NULL), ATTN_OK);
    assert_int_equal(count, LENGTH / 8);
    attn_tokenizer_release(ids);
    free(text);
    attn_tokenizer_free(t);
}

static void assert_refused(const char *what, const char *with, const char *says) {
    attn_error error = {0};
    char *json = make_json(merges, MERGES, false), *bytes = NULL;
    size_t size;
    char *at = strstr(json, what), *changed = malloc(strlen(json) + strlen(with) + 1);
    assert_true(at != NULL && changed != NULL);
    sprintf(changed, "%.*s%s%s", (int)(at - json), json, with, at + strlen(what));
    assert_int_equal(attn_tokenizer_json(changed, strlen(changed), &bytes, &size, &error),
                     ATTN_ERR_FORMAT);
    if (strstr(error.what, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.what, says);
    }
    free(bytes);
    free(changed);
    free(json);
}

static void flaws_are_refused(void **unused) {
    (void)unused;
    assert_refused("\"ho u\"", "\"ho x\"", "no piece of its vocabulary");
    assert_refused("\"ho u\"", "\"nothing\"", "no piece of its vocabulary");
    assert_refused("\"ho u\"", "7", "no piece of its vocabulary");
    assert_refused("\"hous e\"", "\"ho u\"", "given twice");
    assert_refused("\"\\u0100\":", "\"zero\":", "no piece for byte 0");
    assert_refused("\"type\":\"ByteLevel\",", "\"type\":\"ByteLevel\",\"use_regex\":false,",
                   "use_regex");
    assert_refused("{\"pre_tokenizer\"", "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\"",
                   "NFC");
    /* The bytes of a tokenizer: every beginning of them, and each byte another. */
    char *json = make_json(merges, MERGES, false), *bytes;
    size_t size;
    assert_int_equal(attn_tokenizer_json(json, strlen(json), &bytes, &size, NULL), ATTN_OK);
    for (size_t i = 19; i < size; i += 7) {
        attn_tokenizer *t = NULL;
        attn_error error = {0};
        assert_int_not_equal(attn_tokenizer_from_bytes(bytes, i, &t, &error), ATTN_OK);
        assert_true(t == NULL && error.what[0] != '\0');
        char was = bytes[i];
        bytes[i] = (char)(was ^ 0x55);
        if (attn_tokenizer_from_bytes(bytes, size, &t, &error) == ATTN_OK) {
            attn_tokenizer_free(t);
        }
        bytes[i] = was;
    }
    free(bytes);
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_cut),         cmocka_unit_test(merges_are_in_order),
        cmocka_unit_test(every_text_comes_back), cmocka_unit_test(long_words),
        cmocka_unit_test(flaws_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
