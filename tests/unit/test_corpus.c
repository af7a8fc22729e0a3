/* Reading lines and parallel text: what is accepted, and what each refusal names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/sentences.h"
#include "base/utf8.h"
#include "text/corpus.h"

static char files[2][64];
static attn_tokenizer *tokenizer;

static int setup(void **state) {
    (void)state;
    sentences_generate(files[0], 0);
    sentences_generate(files[1], 1);
    const char *const paths[2] = {files[0], files[1]};
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "identity",
                                      .vocabulary = 150,
                                      .elisions = "",
                                      .character_coverage = 1.0};
    return attn_tokenizer_train(paths, 2, &options, &tokenizer, NULL) == ATTN_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    attn_tokenizer_free(tokenizer);
    unlink(files[0]);
    unlink(files[1]);
    return 0;
}

static attn_status read_lines(const char *text, size_t size, attn_lines *lines, attn_error *error) {
    char path[64];
    sentences_write(path, text, size);
    attn_status status = attn_lines_read(path, lines, error);
    unlink(path);
    return status;
}

static void lines_are_cut(void **state) {
    (void)state;
    static const char text[] = "\xef\xbb\xbfone\r\n\ntwo\rhalf\n \xf0\x9f\x98\x80";
    attn_lines lines;
    assert_int_equal(read_lines(text, sizeof text - 1, &lines, NULL), ATTN_OK);
    static const char *const expected[] = {"one", "", "two\rhalf", " \xf0\x9f\x98\x80"};
    assert_int_equal(lines.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(lines.line[i], expected[i]);
        assert_int_equal(lines.length[i], strlen(expected[i]));
    }
    attn_lines_free(&lines);
    /* A newline at the end ends the last line; it does not begin another. */
    assert_int_equal(read_lines("a\n", 2, &lines, NULL), ATTN_OK);
    assert_int_equal(lines.count, 1);
    attn_lines_free(&lines);
    assert_int_equal(read_lines("\n\n", 2, &lines, NULL), ATTN_OK);
    assert_int_equal(lines.count, 2);
    attn_lines_free(&lines);
}

static void refusals_name_the_line(void **state) {
    (void)state;
    attn_lines lines;
    attn_error error;
    assert_int_equal(read_lines("", 0, &lines, &error), ATTN_ERR_FORMAT);
    assert_int_equal(read_lines("\xef\xbb\xbf", 3, &lines, &error), ATTN_ERR_FORMAT);
    assert_int_equal(read_lines("good\nb\xe4"
                                "d\n",
                                9, &lines, &error),
                     ATTN_ERR_FORMAT);
    assert_int_equal(error.position, 2);
    assert_non_null(strstr(error.what, "byte 2"));
    assert_int_equal(read_lines("a\nb\nc\0d\n", 8, &lines, &error), ATTN_ERR_FORMAT);
    assert_int_equal(error.position, 3);
    assert_non_null(strstr(error.what, "NUL"));
    char *long_line = malloc(ATTN_MAX_LINE_BYTES + 2);
    memset(long_line, 'x', ATTN_MAX_LINE_BYTES + 2);
    long_line[0] = '\n';
    assert_int_equal(read_lines(long_line, ATTN_MAX_LINE_BYTES + 1, &lines, &error), ATTN_OK);
    attn_lines_free(&lines);
    assert_int_equal(read_lines(long_line, ATTN_MAX_LINE_BYTES + 2, &lines, &error),
                     ATTN_ERR_FORMAT);
    assert_int_equal(error.position, 2);
    free(long_line);
    assert_int_equal(attn_lines_read("/nonexistent/file", &lines, &error), ATTN_ERR_IO);
    assert_null(lines.text);
}

static void utf8_is_strict(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        int bad_at; /* -1: valid */
    } cases[] = {
        {"", 0, -1},
        {"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10, -1},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10, -1},
        {"a\x80", 2, 1},            /* a continuation byte alone */
        {"ab\xc3", 3, 2},           /* cut short */
        {"\xe2\x82", 2, 0},         /* cut short */
        {"\xc0\xaf", 2, 0},         /* overlong */
        {"\xe0\x80\xaf", 3, 0},     /* overlong */
        {"\xed\xa0\x80", 3, 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 4, 0}, /* past the last code point */
        {"\xc3\xa9\xff", 3, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool valid = cases[i].bad_at < 0;
        size_t wanted = valid ? cases[i].length : (size_t)cases[i].bad_at;
        assert_int_equal(attn_utf8_prefix(cases[i].text, cases[i].length), wanted);
        assert_int_equal(attn_utf8_whole(cases[i].text, cases[i].length), valid);
    }
}

static void pairs_keep_their_order(void **state) {
    (void)state;
    attn_corpus corpus, again;
    assert_int_equal(attn_corpus_read(files[0], files[1], tokenizer, 1000, 1, &corpus, NULL),
                     ATTN_OK);
    assert_int_equal(corpus.count, 600);
    attn_lines lines;
    assert_int_equal(attn_lines_read(files[1], &lines, NULL), ATTN_OK);
    for (int64_t i = 0; i < 600; i += 100) {
        char *text;
        assert_int_equal(
            attn_tokenizer_decode(tokenizer, corpus.target + corpus.target_start[i],
                                  (size_t)(corpus.target_start[i + 1] - corpus.target_start[i]),
                                  &text, NULL),
            ATTN_OK);
        assert_string_equal(text, lines.line[i]);
        free(text);
    }
    assert_int_equal(attn_corpus_read(files[0], files[1], tokenizer, 1000, 3, &again, NULL),
                     ATTN_OK);
    assert_memory_equal(corpus.source, again.source,
                        (size_t)corpus.source_start[600] * sizeof *corpus.source);
    assert_memory_equal(corpus.target_start, again.target_start, 601 * sizeof(int64_t));
    attn_lines_free(&lines);
    attn_corpus_free(&corpus);
    attn_corpus_free(&again);
}

static void pairs_are_dropped_and_counted(void **state) {
    (void)state;
    char source[64], target[64];
    static const char left[] =
        "the cat\n\nthe cat\nriver river river river river river\nthe song\n";
    static const char right[] = "cat-o\ncat-o\n  \ncat-o\nsong-o\n";
    sentences_write(source, left, sizeof left - 1);
    sentences_write(target, right, sizeof right - 1);
    attn_corpus corpus;
    attn_error error;
    assert_int_equal(attn_corpus_read(source, target, tokenizer, 5, 2, &corpus, &error), ATTN_OK);
    assert_int_equal(corpus.count, 2);
    assert_int_equal(corpus.dropped_empty, 2);
    assert_int_equal(corpus.dropped_long, 1);
    char *text;
    assert_int_equal(attn_tokenizer_decode(
                         tokenizer, corpus.source + corpus.source_start[1],
                         (size_t)(corpus.source_start[2] - corpus.source_start[1]), &text, NULL),
                     ATTN_OK);
    assert_string_equal(text, "the song");
    free(text);
    attn_corpus_free(&corpus);
    assert_int_equal(attn_corpus_read(source, target, tokenizer, 0, 2, &corpus, &error),
                     ATTN_ERR_FORMAT);
    assert_null(corpus.source);
    unlink(source);
    unlink(target);
}

static void line_counts_must_agree(void **state) {
    (void)state;
    char target[64];
    sentences_write(target, "a\nb\n", 4);
    attn_corpus corpus;
    attn_error error;
    assert_int_equal(attn_corpus_read(files[0], target, tokenizer, 50, 1, &corpus, &error),
                     ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "2 lines"));
    assert_non_null(strstr(error.what, "600"));
    unlink(target);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_cut),
        cmocka_unit_test(refusals_name_the_line),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(pairs_keep_their_order),
        cmocka_unit_test(pairs_are_dropped_and_counted),
        cmocka_unit_test(line_counts_must_agree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
