/* What people send, through tool, server and C interface with the shipped model: cases.jsonl says what has to come out.
 *
 * A line is a list: the kind (text, html, attributes, lines), the source, and what is to be true of the result:
 * "=X" it is X; "!X" it does not hold X; "X" it holds X as often as the source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "attn/translate.h"
#include "support/asking.h"

static const char model_path[] = ATTN_TEST_SOURCE_DIR "/models/en-fr.safetensors";
static attn_model *model;
static json_t *cases;

static bool is_html(const char *kind) {
    return strcmp(kind, "html") == 0 || strcmp(kind, "attributes") == 0;
}

static int set_up(void **unused) {
    (void)unused;
    char line[4096];
    static const char *const models[] = {model_path};
    static const attn_serve_sources sources = {.model = models, .model_count = 1};
    FILE *file = fopen(ATTN_TEST_SOURCE_DIR "/tests/cli/cases.jsonl", "r");
    assert_non_null(file);
    cases = json_array();
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '[') {
            json_error_t error;
            json_t *row = json_loads(line, 0, &error);
            if (row == NULL) {
                fail_msg("%s: %s", error.text, line);
            }
            json_array_append_new(cases, row);
        }
    }
    fclose(file);
    set_service();
    assert_int_equal(attn_serve_models_open(&sources, &service.models, NULL), ATTN_OK);
    assert_int_equal(attn_model_open(model_path, NULL, &model, NULL), ATTN_OK);
    start_batcher(1000, 0.001, 64);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    attn_batcher_free(batcher);
    attn_serve_models_close(service.models);
    attn_http_answer_free(&answer);
    attn_model_close(model);
    json_decref(cases);
    return 0;
}

static const char *at(size_t row, size_t column) {
    return json_string_value(json_array_get(json_array_get(cases, row), column));
}

static size_t count(const char *text, const char *part) {
    size_t found = 0;
    for (const char *next = text; (next = strstr(next, part)) != NULL; next++) {
        found++;
    }
    return found;
}

/* Says what is wrong; whether nothing is. */
static bool check(size_t row, const char *result) {
    bool all = true;
    const char *source = at(row, 1), *wanted;
    for (size_t i = 2; (wanted = at(row, i)) != NULL; i++) {
        bool good = wanted[0] == '='   ? strcmp(result, wanted + 1) == 0
                    : wanted[0] == '!' ? count(result, wanted + 1) == 0
                                       : count(result, wanted) == count(source, wanted);
        if (!good) {
            print_error("%s:\n%s\n->\n%s\n", wanted, source, result);
            all = false;
        }
    }
    return all;
}

static char *by_interface(size_t row) {
    attn_translate_options options;
    char *out = NULL;
    attn_translate_options_init(&options);
    options.format = is_html(at(row, 0)) ? ATTN_TEXT_HTML : ATTN_TEXT_PLAIN;
    options.attributes = strcmp(at(row, 0), "attributes") == 0;
    assert_int_equal(attn_translate(model, at(row, 1), &options, &out, NULL), ATTN_OK);
    return out;
}

static char *by_server(size_t row) {
    json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:b}", "q", at(row, 1), "source", "en-US",
                                "target", "FR", "format", is_html(at(row, 0)) ? "html" : "text",
                                "attributes", strcmp(at(row, 0), "attributes") == 0);
    char *body = json_dumps(request, 0);
    assert_int_equal(ask("POST", "/translate", "application/json", body), 200);
    json_t *answered = json_loads(answer.body.data, 0, NULL);
    char *out = strdup(json_string_value(json_object_get(answered, "translatedText")));
    json_decref(answered);
    json_decref(request);
    free(body);
    return out;
}

/* The output of the tool for a file that holds the text. */
static char *by_tool(const char *text, const char *options) {
    char path[] = "/tmp/attn-cases-XXXXXX", command[1000];
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    snprintf(command, sizeof command, "%s translate --model %s %s %s", ATTN_TEST_TOOL, model_path,
             options, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t room = 1 << 20;
    char *out = malloc(room);
    size_t length = fread(out, 1, room - 1, pipe);
    out[length] = '\0';
    assert_int_equal(pclose(pipe), 0);
    unlink(path);
    return out;
}

static void interface_and_server(void **unused) {
    (void)unused;
    bool good = true;
    for (size_t row = 0; row < json_array_size(cases); row++) {
        char *ours = by_interface(row), *served = by_server(row);
        good = check(row, ours) && good;
        assert_string_equal(served, ours);
        attn_translate_free(ours);
        free(served);
    }
    assert_true(good);
}

/* "scores" gives the sentence that was sent, whatever stood for its numbers; "alternatives" changes no translation. */
static void scores(void **unused) {
    (void)unused;
    static const char *const texts[] = {"I have 3 cats.", "Write to me@example.com.",
                                        "Where is the station?", "I LOVE YOU",
                                        "See {name} and %s, please."};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *translation = NULL;
        for (int alternatives = 0; alternatives < 2; alternatives++) {
            char body[500];
            snprintf(body, sizeof body,
                     "{\"q\":\"%s\",\"source\":\"en\",\"target\":\"fr\",\"scores\":true,"
                     "\"alternatives\":%d}",
                     texts[i], 3 * alternatives);
            assert_int_equal(ask("POST", "/translate", "application/json", body), 200);
            json_t *answered = json_loads(answer.body.data, 0, NULL), *sentence;
            json_t *sentences = json_object_get(answered, "sentences");
            json_t *text = json_object_get(answered, "translatedText");
            size_t s;
            json_array_foreach(sentences, s, sentence) {
                const char *source = json_string_value(json_object_get(sentence, "source"));
                const char *read = json_string_value(json_object_get(sentence, "read"));
                assert_non_null(strstr(texts[i], source));
                assert_true(read == NULL || strcmp(read, source) != 0);
            }
            assert_true(translation == NULL || json_equal(translation, text));
            translation = translation != NULL ? translation : json_incref(text);
            json_decref(answered);
        }
        json_decref(translation);
    }
}

/* All lines in one call; each page in its own. */
static void tool(void **unused) {
    (void)unused;
    size_t length = 0, lines = 0;
    char *all = calloc(json_array_size(cases) + 1, 4096);
    for (size_t row = 0; row < json_array_size(cases); row++) {
        if (!is_html(at(row, 0)) && strchr(at(row, 1), '\n') == NULL) {
            length += (size_t)snprintf(all + length, 4096, "%s\n", at(row, 1));
            lines++;
        } else if (is_html(at(row, 0))) {
            bool attributes = strcmp(at(row, 0), "attributes") == 0;
            char *ours = by_interface(row);
            char *page = by_tool(at(row, 1), attributes ? "--html --attributes" : "--html");
            assert_string_equal(page, ours);
            attn_translate_free(ours);
            free(page);
        }
    }
    char *out = by_tool(all, ""), *line = out;
    for (size_t row = 0; row < json_array_size(cases); row++) {
        if (!is_html(at(row, 0)) && strchr(at(row, 1), '\n') == NULL) {
            char *end = strchr(line, '\n'), *ours = by_interface(row);
            assert_non_null(end);
            *end = '\0';
            assert_string_equal(line, ours);
            line = end + 1;
            lines--;
            attn_translate_free(ours);
        }
    }
    assert_int_equal(lines, 0);
    free(out);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interface_and_server),
        cmocka_unit_test(scores),
        cmocka_unit_test(tool),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
