/* tests/unit/test_normalize.c: what a tokenizer does to a text before it cuts it: each step, several, written and read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/tokenizer.h"
#include "text/normalize.h"
#include "text/tokenizer_json.h"

static void assert_gives(const attn_normalizer *normalizer, const char *text,
                         const char *expected) {
    char *out;
    size_t length;
    assert_int_equal(attn_normalizer_apply(normalizer, text, strlen(text), &out, &length, NULL),
                     ATTN_OK);
    assert_string_equal(out, expected);
    assert_int_equal(length, strlen(expected));
    free(out);
}

static void test_steps(void **unused) {
    (void)unused;
    static const struct {
        attn_normalize_kind kind;
        const char *text, *expected;
    } all[] = {
        {ATTN_NORMALIZE_NFC, "e\xcc\x81 \xef\xac\x81", "\xc3\xa9 \xef\xac\x81"},
        {ATTN_NORMALIZE_NFD, "\xc3\xa9 \xef\xac\x81", "e\xcc\x81 \xef\xac\x81"},
        {ATTN_NORMALIZE_NFKC, "e\xcc\x81 \xef\xac\x81", "\xc3\xa9 fi"},
        {ATTN_NORMALIZE_NFKD, "\xc3\xa9 \xef\xac\x81", "e\xcc\x81 fi"},
        {ATTN_NORMALIZE_ACCENTS, "e\xcc\x81t\xc3\xa9", "et\xc3\xa9"},
        {ATTN_NORMALIZE_LOWERCASE, "\xc3\x89T\xc4\xb0 \xce\xa3", "\xc3\xa9ti\xcc\x87 \xcf\x83"},
        {ATTN_NORMALIZE_LOWERCASE, "A\xff", "a\xef\xbf\xbd"},
        {ATTN_NORMALIZE_NFKC, "", ""},
        /* the one character that becomes 18 */
        {ATTN_NORMALIZE_NFKD, "\xef\xb7\xba",
         "\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 "
         "\xd8\xb9\xd9\x84\xd9\x8a\xd9\x87 \xd9\x88\xd8\xb3\xd9\x84\xd9\x85"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        attn_normalizer one = {.count = 0};
        assert_int_equal(attn_normalizer_add(&one, all[i].kind, NULL, NULL, NULL), ATTN_OK);
        assert_gives(&one, all[i].text, all[i].expected);
        attn_normalizer_free(&one);
    }
}

static attn_normalizer several(void) {
    attn_normalizer all = {.count = 0};
    assert_int_equal(attn_normalizer_add(&all, ATTN_NORMALIZE_REPLACE, "``", "\"", NULL), ATTN_OK);
    assert_int_equal(attn_normalizer_add(&all, ATTN_NORMALIZE_REPLACE, "-", "", NULL), ATTN_OK);
    assert_int_equal(attn_normalizer_add(&all, ATTN_NORMALIZE_NFKD, NULL, NULL, NULL), ATTN_OK);
    assert_int_equal(attn_normalizer_add(&all, ATTN_NORMALIZE_ACCENTS, NULL, NULL, NULL), ATTN_OK);
    assert_int_equal(attn_normalizer_add(&all, ATTN_NORMALIZE_LOWERCASE, NULL, NULL, NULL),
                     ATTN_OK);
    return all;
}

static void test_written_and_read(void **unused) {
    (void)unused;
    attn_normalizer all = several(), read;
    attn_buffer message = {0};
    attn_normalizer_write(&all, &message);
    attn_protobuf bytes = {(const unsigned char *)message.data, message.length, 0};
    assert_int_equal(attn_normalizer_read(bytes, &read, NULL), ATTN_OK);
    assert_int_equal(read.count, 5);
    assert_gives(&read, "```\xc3\x89-t\xc3\xa9`", "\"`ete`");
    assert_gives(&read, "", "");
    attn_normalizer_free(&read);
    /* Any byte may be another: refused or read, and never more than that. */
    for (size_t i = 0; i < message.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            message.data[i] = (char)(message.data[i] ^ 1 << bit);
            (void)!attn_normalizer_read(bytes, &read, NULL);
            attn_normalizer_free(&read);
            message.data[i] = (char)(message.data[i] ^ 1 << bit);
        }
    }
    attn_buffer_free(&message);
    attn_normalizer_free(&all);
}

static void test_refused(void **unused) {
    (void)unused;
    attn_normalizer one = {.count = 0};
    attn_error error = {0};
    assert_int_equal(attn_normalizer_add(&one, ATTN_NORMALIZE_REPLACE, "", "x", &error),
                     ATTN_ERR_FORMAT);
    assert_int_equal(attn_normalizer_add(&one, ATTN_NORMALIZE_REPLACE, "a",
                                         "123456789012345678901234567890123", &error),
                     ATTN_ERR_FORMAT);
    assert_int_equal(attn_normalizer_add(&one, (attn_normalize_kind)8, NULL, NULL, &error),
                     ATTN_ERR_FORMAT);
    for (int i = 0; i < ATTN_NORMALIZE_MOST; i++) {
        assert_int_equal(attn_normalizer_add(&one, ATTN_NORMALIZE_NFC, NULL, NULL, &error),
                         ATTN_OK);
    }
    assert_int_equal(attn_normalizer_add(&one, ATTN_NORMALIZE_NFC, NULL, NULL, &error),
                     ATTN_ERR_FORMAT);
    attn_normalizer_free(&one);
}

/* In a tokenizer: capitals and accents fall away before the pieces are looked for. */
static void test_in_a_tokenizer(void **unused) {
    (void)unused;
    static const char json[] =
        "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKD\"}, "
        "{\"type\": "
        "\"StripAccents\"}, {\"type\": \"Lowercase\"}]}, \"pre_tokenizer\": {\"type\": "
        "\"Metaspace\", "
        "\"replacement\": \"\xe2\x96\x81\", \"prepend_scheme\": \"always\"}, \"model\": {\"type\": "
        "\"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], [\"\xe2\x96\x81"
        "ete\", -1], "
        "[\"e\", -2]]}}";
    char *bytes;
    size_t size, count;
    int32_t *ids;
    attn_tokenizer *tokenizer;
    attn_error error = {0};
    assert_int_equal(attn_tokenizer_json(json, sizeof json - 1, &bytes, &size, &error), ATTN_OK);
    assert_int_equal(attn_tokenizer_from_bytes(bytes, size, &tokenizer, &error), ATTN_OK);
    assert_int_equal(attn_tokenizer_encode(tokenizer, "\xc3\x89T\xc3\xa9", 5, &ids, &count, &error),
                     ATTN_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], 1);
    attn_tokenizer_release(ids);
    attn_tokenizer_free(tokenizer);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_in_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
