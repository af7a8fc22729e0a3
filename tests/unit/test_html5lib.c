/* The scanner of HTML judged by html5lib's public tests (tests/html5lib): which text of a page is text.
 *
 * Of a tokenizer's test: our text with its references read is the test's characters. Of a tree: our text is the tree's text;
 * and when the first element of a kind says translate=no, our text is the tree's text outside that element, wherever the
 * element's end tag was left out. White space is not compared, which trees move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <unicode/utf8.h>

#include "text/html.h"

#define FOLDER ATTN_TEST_SOURCE_DIR "/tests/html5lib/"

enum { ROOM = 1 << 16, DEEPEST = 64, NAME = 32 };

/* The text of a page, references read, white space left out where `tight`. */
static void text_of(const char *page, size_t length, bool tight, attn_buffer *out) {
    for (size_t at = 0; at < length;) {
        attn_html_token token = attn_html_next(page, length, at);
        size_t end = at + token.length;
        assert_true(token.start == at && token.length > 0);
        while (at < end && token.kind == ATTN_HTML_TEXT) {
            uint32_t codes[2];
            size_t size = page[at] == '&' ? attn_html_reference(page, end, at, codes) : 0;
            for (int i = 0; i < 2 && size > 0 && codes[i] != 0; i++) {
                char bytes[8];
                size_t count = 0;
                U8_APPEND_UNSAFE(bytes, count, codes[i]);
                attn_buffer_add(out, bytes, count);
            }
            if (size > 0 && codes[0] == 0) { /* kept as it is written */
                attn_buffer_add(out, page + at, size);
            } else if (size == 0 && !(tight && strchr(" \t\n\f\r", page[at]) != NULL)) {
                attn_buffer_add(out, page + at, 1);
            }
            at += size > 0 ? size : 1;
        }
        at = end;
    }
    attn_buffer_add(out, "", 1);
}

/* ---- tokenizer ---- */

static bool begins_as_data(const json_t *test) {
    const json_t *states = json_object_get(test, "initialStates");
    for (size_t i = 0; i < json_array_size(states); i++) {
        if (strcmp(json_string_value(json_array_get(states, i)), "Data state") == 0) {
            return true;
        }
    }
    return states == NULL;
}

static size_t tokenizer_tests(const char *path, size_t *wrong) {
    json_error_t error;
    json_t *file = json_load_file(path, JSON_ALLOW_NUL, &error), *test, *token;
    size_t i, t, count = 0;
    if (file == NULL) {
        fail_msg("%s: %s", path, error.text);
    }
    json_array_foreach(json_object_get(file, "tests"), i, test) {
        const char *input = json_string_value(json_object_get(test, "input"));
        attn_buffer ours = {0}, theirs = {0};
        if (!begins_as_data(test)) {
            continue;
        }
        json_array_foreach(json_object_get(test, "output"), t, token) {
            if (strcmp(json_string_value(json_array_get(token, 0)), "Character") == 0) {
                attn_buffer_text(&theirs, json_string_value(json_array_get(token, 1)));
            }
        }
        attn_buffer_add(&theirs, "", 1);
        text_of(input, strlen(input), false, &ours);
        if (strcmp(ours.data, theirs.data) != 0) {
            print_error("%s: %s gave %s, not %s\n",
                        json_string_value(json_object_get(test, "description")), input, ours.data,
                        theirs.data);
            ++*wrong;
        }
        count++;
        attn_buffer_free(&ours);
        attn_buffer_free(&theirs);
    }
    json_decref(file);
    return count;
}

/* ---- trees ---- */

/* Elements that are kept with all that is in them. */
static bool is_kept(const char *name) {
    static const char list[] =
        " script style textarea xmp iframe noembed noscript noframes template pre code "
        "kbd samp var svg math plaintext ";
    char framed[NAME + 3];
    snprintf(framed, sizeof framed, " %s ", name);
    return strstr(list, framed) != NULL;
}

/* The tree's text, without that within the first element called `kept`, if any. */
static void tree_text(const char *tree, const char *kept, attn_buffer *out) {
    char open[DEEPEST][NAME];
    bool inside[DEEPEST + 1] = {false}, met = false, text = false;
    size_t depth = 0;
    for (const char *line = tree; *line != '\0';
         line += strcspn(line, "\n"), line += *line != '\0') {
        size_t length = strcspn(line, "\n");
        bool fresh = length > 2 && memcmp(line, "| ", 2) == 0;
        const char *what = line + 2;
        if (fresh) {
            size_t indent = strspn(what, " ");
            what += indent;
            depth = indent / 2 < DEEPEST - 1 ? indent / 2 : DEEPEST - 1;
            text = *what == '"';
            what += text;
        } else {
            what = line;
        }
        size_t left = length - (size_t)(what - line);
        if (fresh && !text && *what == '<' && what[1] != '!') {
            size_t size = strcspn(what + 1, " >\n");
            snprintf(open[depth], NAME, "%.*s", (int)(size < NAME ? size : NAME - 1), what + 1);
            bool first = kept != NULL && !met && strcmp(open[depth], kept) == 0;
            met = met || first;
            inside[depth + 1] = inside[depth] || first || is_kept(open[depth]);
        }
        for (size_t i = 0; i < left && text && !inside[depth]; i++) {
            bool last = what[i] == '"' && i + 1 == left; /* the quote that ends it */
            if (!last && strchr(" \t\r\f", what[i]) == NULL) {
                attn_buffer_add(out, what + i, 1);
            }
        }
        text = text && !(left > 0 && what[left - 1] == '"' && (left > 1 || !fresh));
    }
    attn_buffer_add(out, "", 1);
}

static bool same_text(const char *data, const char *tree, const char *kept) {
    attn_buffer ours = {0}, theirs = {0};
    text_of(data, strlen(data), true, &ours);
    tree_text(tree, kept, &theirs);
    bool same = strcmp(ours.data, theirs.data) == 0;
    if (!same) {
        print_error("%s, %s: gave %s, not %s\n", kept != NULL ? kept : "all", data, ours.data,
                    theirs.data);
    }
    attn_buffer_free(&ours);
    attn_buffer_free(&theirs);
    return same;
}

/* With the first start tag <NAME> saying translate=no; false where there is none. */
static bool mark(const char *data, const char *name, char out[ROOM]) {
    char tag[NAME + 3];
    snprintf(tag, sizeof tag, "<%s>", name);
    const char *found = strstr(data, tag);
    if (found != NULL) {
        size_t before = (size_t)(found - data) + strlen(tag) - 1;
        snprintf(out, ROOM, "%.*s translate=no%s", (int)before, data, data + before);
    }
    return found != NULL;
}

static size_t judge_tree(const char *data, const char *tree, size_t *wrong) {
    static const char *const names[] = {
        "p",  "li",    "dt",    "dd",    "option",  "optgroup", "td", "th",
        "tr", "tbody", "thead", "tfoot", "caption", "colgroup", "rt", "rp",
        "rb", "rtc",   "a",     "h1",    "button",  "div",      "b"};
    static char marked[ROOM];
    size_t count = 1;
    *wrong += !same_text(data, tree, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (mark(data, names[i], marked)) {
            *wrong += !same_text(marked, tree, names[i]);
            count++;
        }
    }
    return count;
}

/* A test is "#data", the page, "#errors", what to complain about, "#document", the tree, and an empty line. */
static size_t tree_tests(const char *path, size_t *wrong) {
    static char file[1 << 20], data[ROOM];
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    file[fread(file, 1, sizeof file - 1, in)] = '\0';
    fclose(in);
    size_t count = 0;
    for (char *at = strstr(file, "#data\n"); at != NULL;) {
        char *next = strstr(at, "\n#data\n"), *errors = strstr(at, "\n#errors");
        if (next != NULL) {
            *next++ = '\0';
        }
        char *tree = strstr(at, "\n#document\n");
        bool fragment = strstr(at, "\n#document-fragment") != NULL;
        bool script_off = strstr(at, "\n#script-off") != NULL;
        if (errors != NULL && tree != NULL && !fragment && !script_off && errors > at + 6) {
            snprintf(data, ROOM, "%.*s", (int)(errors - at - 6), at + 6);
            count += judge_tree(data, tree + 11, wrong);
        }
        at = next;
    }
    return count;
}

static void tokens(void **unused) {
    (void)unused;
    size_t wrong = 0;
    assert_true(tokenizer_tests(FOLDER "tokens.test", &wrong) > 100);
    assert_int_equal(wrong, 0);
}

static void trees(void **unused) {
    (void)unused;
    static const char *const topics[] = {"comments", "references", "end-tags",
                                         "tables",   "scripts",    "drawings"};
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        char path[1000];
        size_t wrong = 0;
        snprintf(path, sizeof path, FOLDER "%s.dat", topics[i]);
        assert_true(tree_tests(path, &wrong) > 10);
        assert_int_equal(wrong, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
