/* tokenizer.json: what becomes of each kind, and the one line that says why another is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/tokenizer_json.h"
#include "attn/tokenizer.h"

#define SPACE "\xe2\x96\x81"
#define METASPACE                                                                                  \
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" SPACE                           \
    "\",\"prepend_scheme\":\"always\"}"
#define PAD_MASK                                                                                   \
    "\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\",\"special\":true},{\"id\":6,\"content\":"   \
    "\"<mask>\",\"special\":true}]"

static const char unigram[] =
    "{" PAD_MASK "," METASPACE
    ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\","
    "\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" "
    "\"}]},\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":"
    "[[\"<pad>\",0],[\"<unk>\",0],[\"" SPACE "\",-2],[\"" SPACE "a\",-1],[\"a\",-3],[\"b\",-3]]}}";
static const char bpe[] =
    "{" METASPACE
    ",\"normalizer\":null,\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,"
    "\"vocab\":{\"<unk>\":2,\"" SPACE "\":0,\"a\":1,\"b\":3,\"" SPACE "a\":4,\"ab\":6},"
    "\"merges\":[\"" SPACE " a\",[\"a\",\"b\"]]}}";
static const char wordpiece[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":"
    "true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"added_tokens\":[{\"id\":3,\"content\":\"[SEP]\",\"special\":true}],\"model\":{\"type\":"
    "\"WordPiece\","
    "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":3,"
    "\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"[SEP]\":3}}}";

static attn_status convert(const char *json, attn_tokenizer **out, attn_error *error) {
    char *bytes;
    size_t size;
    attn_status status = attn_tokenizer_json(json, strlen(json), &bytes, &size, error);
    if (status == ATTN_OK) {
        status = attn_tokenizer_from_bytes(bytes, size, out, error);
    }
    free(bytes);
    return status;
}

static void assert_ids(const char *json, const char *text, const char *wanted) {
    attn_tokenizer *tokenizer;
    attn_error error;
    int32_t *ids;
    size_t count;
    char found[256] = "";
    if (convert(json, &tokenizer, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    assert_int_equal(attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, NULL),
                     ATTN_OK);
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(found);
        snprintf(found + at, sizeof found - at, "%s%d", i > 0 ? " " : "", (int)ids[i]);
    }
    assert_string_equal(found, wanted);
    free(ids);
    attn_tokenizer_free(tokenizer);
}

static void kinds(void **state) {
    (void)state;
    assert_ids(unigram, "a  ba <pad>", "3 2 5 4 2 1 4 1");
    assert_ids(bpe, "ab aab", "4 3 4 6");
    assert_ids(wordpiece, "AB a\xcc\x81 abbb [SEP]", "1 2 1 0 0 0 0");
}

/* The text of a file with one part of it another. */
static void assert_refused(const char *json, const char *part, const char *other,
                           const char *what) {
    const char *at = strstr(json, part);
    char changed[2048];
    attn_tokenizer *tokenizer;
    attn_error error;
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - json), json, other, at + strlen(part));
    assert_int_equal(convert(changed, &tokenizer, &error), ATTN_ERR_FORMAT);
    if (strstr(error.what, what) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.what, what);
    }
}

static void what_is_not_done_is_named(void **state) {
    (void)state;
    assert_refused(bpe, "Metaspace", "ByteLevel", "no piece for byte 0");
    assert_refused(bpe, "Metaspace", "Split", "\"Split\"");
    assert_refused(bpe, "null", "{\"type\":\"Nmt\"}", "normalizer is \"Nmt\"");
    assert_refused(bpe, "\"BPE\"", "\"WordLevel\"", "model is \"WordLevel\"");
    assert_refused(bpe, "\"fuse_unk\":true", "\"fuse_unk\":false", "fuse_unk");
    assert_refused(bpe, "[\"" SPACE " a\",", "[", "1 merges where its vocabulary allows 2");
    assert_refused(bpe, "[\"a\",\"b\"]", "\"" SPACE " b\"", "makes no piece");
    assert_refused(bpe, "[\"a\",\"b\"]", "7", "makes no piece");
    assert_refused(unigram, "\" {2,}\"", "\"a+\"", "\"Replace\"");
    assert_refused(unigram, "\"special\":true", "\"special\":false", "without being special");
    assert_refused(wordpiece, "BertPreTokenizer", "Whitespace", "\"Whitespace\"");
    assert_refused(wordpiece, "BertNormalizer", "Lowercase", "\"Lowercase\"");
    assert_refused(wordpiece, "\"##\"", "\"################\"", "continuing_subword_prefix");
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    static const char *const files[] = {unigram, bpe, wordpiece};
    char *bytes;
    size_t size;
    attn_error error;
    for (size_t i = 0; i < 3; i++) {
        for (size_t cut = 0; cut < strlen(files[i]); cut++) {
            assert_int_equal(attn_tokenizer_json(files[i], cut, &bytes, &size, &error),
                             ATTN_ERR_FORMAT);
        }
    }
    assert_refused(unigram, "[\"a\",-3]", "[\"b\",-3]", "both \"b\"");
    assert_refused(unigram, "[\"a\",-3]", "[\"a\"]", "not a text and a number");
    assert_refused(unigram, "\"id\":6", "\"id\":5", "two pieces have the id 5");
    assert_refused(unigram, "\"id\":6", "\"id\":2147483648", "outside of");
    assert_refused(unigram, "\"id\":6", "\"id\":\"6\"", "outside of");
    assert_refused(bpe, "\"a\":1", "\"a\":2147483648", "outside of");
    assert_refused(bpe, "\"a\":1", "\"a\":-1", "outside of");
    assert_refused(bpe, "\"a\":1", "\"a\":0", "two pieces have the id 0");
    assert_refused(bpe, "\"a\":1", "\"a\":\"1\"", "has no number");
    assert_refused(bpe, "\"unk_token\":\"<unk>\"", "\"unk_token\":\"a\"", "unknown");
    assert_refused(wordpiece, "{\"[UNK]\":0,\"a\":1,\"##b\":2,\"[SEP]\":3}", "[]", "no vocabulary");
    assert_refused(wordpiece, "\"model\"", "\"modul\"", "model is \"\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(what_is_not_done_is_named),
        cmocka_unit_test(damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
