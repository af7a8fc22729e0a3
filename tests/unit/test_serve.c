/* The service without sockets: what it answers, what it refuses, and that a translation is the same bits
 * alone and in company. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/files.h"
#include "serve/form.h"
#include "serve/wellformed.h"
#include "support/asking.h"
#include "support/pictures.h"
#include "support/tiny_model.h"
#include "support/tiny_segmenter.h"

static int set_up(void **unused) {
    (void)unused;
    attn_tokenizer *tokenizer = tiny_model_tokenizer();
    attn_translator *translator = tiny_model_translator(tokenizer, 1);
    set_service();
    assert_int_equal(
        attn_serve_models_wrap(translator, tokenizer, "en", "fr", &service.models, NULL), ATTN_OK);
    assert_int_equal(attn_translator_pack(translator, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    start_batcher(1000, 0.001, 64);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    attn_batcher_free(batcher);
    attn_serve_models_close(service.models);
    attn_http_answer_free(&answer);
    return 0;
}

static void expect(const char *part) {
    if (answer.body.data == NULL || strstr(answer.body.data, part) == NULL) {
        fail_msg("no %s in %s", part, answer.body.data != NULL ? answer.body.data : "(nothing)");
    }
}

static void expect_error(const char *json, const char *text) {
    char wanted[200];
    snprintf(wanted, sizeof wanted, "{\"error\":\"%s\"}\n", text);
    assert_int_equal(post(json), 400);
    assert_string_equal(answer.body.data, wanted);
}

/* ---- tests ---- */

static void refusals(void **unused) {
    (void)unused;
    expect_error("", "Invalid JSON format");
    expect_error("[]", "Invalid JSON format");
    expect_error("{\"q\":\"\\ud800\"}", "Invalid JSON format");
    expect_error("{\"q\":\"a\\u0000b\",\"source\":\"en\"}", "Invalid JSON format");
    expect_error("{}", "Invalid request: missing q parameter");
    expect_error("{\"q\":[]}", "Invalid request: missing q parameter");
    expect_error("{\"q\":\"x\"}", "Invalid request: missing source parameter");
    expect_error("{\"q\":\"x\",\"source\":\"en\"}", "Invalid request: missing target parameter");
    expect_error("{\"q\":[1],\"source\":\"en\",\"target\":\"fr\"}",
                 "Invalid request: q parameter is not text");
    expect_error("{\"q\":\"x\",\"source\":\"zz\",\"target\":\"fr\"}", "zz is not supported");
    expect_error("{\"q\":\"x\",\"source\":\"fr\",\"target\":\"en\"}",
                 "English (en) is not available as a target language from French (fr)");
    expect_error("{\"q\":\"x\",\"source\":\"en\",\"target\":\"fr\",\"format\":\"pdf\"}",
                 "pdf format is not supported");
    expect_error("{\"q\":\"x\",\"source\":\"en\",\"target\":\"fr\",\"alternatives\":\"many\"}",
                 "Invalid request: alternatives parameter is not a number");
    expect_error("{\"q\":\"x\",\"source\":\"en\",\"target\":\"fr\",\"alternatives\":5}",
                 "Invalid request: alternatives parameter must be <= 4");
    expect_error("{\"q\":\"x\",\"source\":\"en\",\"target\":\"fr\",\"model\":-1}",
                 "Invalid request: model parameter must be >= 0");
    expect_error("{\"q\":[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"],\"source\":\"en\","
                 "\"target\":\"fr\"}",
                 "Invalid request: request (9) exceeds text limit (8)");
    expect_error("{\"q\":[\"a\"],\"source\":\"en\",\"target\":\"fr\",\"stream\":true}",
                 "Invalid request: stream takes one text, not a list");
    char *large = calloc(1, 6000);
    strcpy(large, "{\"source\":\"en\",\"target\":\"fr\",\"q\":\"");
    memset(large + strlen(large), 'x', 5001);
    strcat(large, "\"}");
    expect_error(large, "Invalid request: request (5001) exceeds text limit (5000)");
    free(large);
    assert_int_equal(
        ask("POST", "/translate", "application/x-www-form-urlencoded", "q=%ff&source=en&target=fr"),
        400);
    assert_int_equal(ask("POST", "/translate", "application/x-www-form-urlencoded",
                         "q=a%00b&source=en&target=fr"),
                     400);
    assert_int_equal(ask("GET", "/translate", NULL, ""), 405);
    assert_int_equal(ask("T", "/languages", NULL, ""), 405);
    assert_int_equal(ask("GET", "/../etc/passwd", NULL, ""), 404);
}

/* A part that is the file may hold any bytes; there is one. */
static void files_of_forms(void **unused) {
    (void)unused;
    attn_form form;
    static const char body[] =
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.b\"\r\n\r\n1\0002\r\n"
        "--x\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nfr\r\n--x--\r\n";
    assert_null(attn_form_parse("multipart/form-data; boundary=x", body, sizeof body - 1, &form));
    assert_int_equal(form.count, 1);
    assert_int_equal(form.file.size, 3);
    assert_memory_equal(form.file.bytes, "1\0002", 3);
    assert_string_equal(form.file.name, "a.b");
    attn_form_free(&form);
    static const char two[] =
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n1\r\n"
        "--x\r\nContent-Disposition: form-data; name=\"file\"; "
        "filename=\"b\"\r\n\r\n2\r\n--x--\r\n";
    assert_string_equal(
        attn_form_parse("multipart/form-data; boundary=x", two, sizeof two - 1, &form),
        "more than one file");
    attn_form_free(&form);
}

static void forms(void **unused) {
    (void)unused;
    attn_form form;
    assert_null(
        attn_form_parse("application/x-www-form-urlencoded", "a=1+2%41&b&&c=%zz", 17, &form));
    assert_int_equal(form.count, 3);
    assert_string_equal(form.field[0].value, "1 2A");
    assert_string_equal(form.field[1].value, "");
    assert_string_equal(form.field[2].value, "%zz");
    attn_form_free(&form);
    static const char body[] =
        "--x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nHi\r\n you\r\n--x\r\n"
        "Content-Disposition: form-data; filename=\"f\"; name=\"t\"\r\n\r\n\r\n--x--\r\n";
    assert_null(attn_form_parse("multipart/form-data; boundary=x", body, sizeof body - 1, &form));
    assert_int_equal(form.count, 2);
    assert_string_equal(form.field[0].value, "Hi\r\n you");
    assert_string_equal(form.field[1].name, "t");
    attn_form_free(&form);
    for (size_t cut = 0; cut < sizeof body - 6; cut++) {
        assert_non_null(attn_form_parse("multipart/form-data; boundary=\"x\"", body, cut, &form));
        attn_form_free(&form);
    }
    assert_non_null(attn_form_parse("multipart/form-data", body, sizeof body - 1, &form));
    attn_form_free(&form);
}

static void wellformed(void **unused) {
    (void)unused;
    static const char *const good[] = {"/",          "/a?b=%41&c", "*",
                                       "http://h/p", "HTTP://h",   "/\xc3\xa9"};
    static const char *const bad[] = {"",     "a",      "/%",    "/%4", "/%4g",
                                      "/%00", "/a?%00", "/\x1f", "/ ",  "**"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(attn_target_is_good(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(attn_target_is_good(bad[i]));
    }
    assert_string_equal(attn_target_path("http://h:1/p/q"), "/p/q");
    assert_string_equal(attn_target_path("http://h"), "/");
    assert_true(attn_field_is_good("X-a_1", 5, "a\tb\xff", 4));
    assert_false(attn_field_is_good("", 0, "a", 1) || attn_field_is_good("X ", 2, "a", 1) ||
                 attn_field_is_good("X", 1, "a\0b", 3) || attn_field_is_good("X\0", 2, "", 0));
}

static void answers(void **unused) {
    (void)unused;
    assert_int_equal(post("{\"q\":\"The cat\\n\\n {x}  "
                          "12\",\"source\":\"auto\",\"target\":\"fr\",\"alternatives\":2,"
                          "\"scores\":true,\"alignments\":true,\"n_best\":2}"),
                     200);
    expect("\\n\\n {x}  12\"");
    expect("\"detectedLanguage\":{\"confidence\":");
    expect("\"alternatives\":[");
    expect("\"attention\":[[");
    expect("\"hypotheses\":[{");
    assert_int_equal(post("{\"q\":[\"a\",\"42\"],\"source\":\"en\",\"target\":\"fr\"}"), 200);
    expect(",\"42\"]}");
    assert_int_equal(post("{\"q\":\" \\n\",\"source\":\"en\",\"target\":\"fr\"}"), 200);
    assert_string_equal(answer.body.data, "{\"translatedText\":\" \\n\"}\n");
    assert_int_equal(ask("POST", "/detect", "application/json", "{\"q\":\"the cat and the dog\"}"),
                     200);
    expect("[{\"confidence\":");
    assert_int_equal(ask("GET", "/languages", NULL, ""), 200);
    expect("{\"code\":\"en\",\"name\":\"English\",\"targets\":[\"en\",\"fr\"]}");
    expect("\"targets\":[\"fr\"]}]"); /* into itself alone */
    assert_int_equal(ask("GET", "/health", NULL, ""), 200);
    assert_string_equal(answer.body.data, "{\"status\":\"ok\"}\n");
    assert_int_equal(ask("GET", "/frontend/settings", NULL, ""), 200);
    expect("\"charLimit\":5000");
    assert_int_equal(ask("GET", "/spec", NULL, ""), 200);
    assert_int_equal(ask("GET", "/metrics", NULL, ""), 200);
    expect("attn_batches_total");
    assert_int_equal(ask("OPTIONS", "/translate", NULL, ""), 204);
}

static void embedded_files(void **unused) {
    (void)unused;
    attn_http_request request = {
        .method = "GET", .path = "/", .body = "", .accept_encoding = "gzip"};
    attn_http_answer_free(&answer);
    assert_null(attn_router_handle(&service, &request, &answer));
    assert_true(answer.status == 200 && answer.gzip && answer.etag != NULL);
    assert_memory_equal(answer.body.data, "\x1f\x8b", 2);
    char etag[64];
    snprintf(etag, sizeof etag, "%s", answer.etag);
    attn_http_answer_free(&answer);
    request.if_none_match = etag;
    assert_null(attn_router_handle(&service, &request, &answer));
    assert_true(answer.status == 304 && answer.body.length == 0);
    request.if_none_match = request.accept_encoding = NULL;
    assert_null(attn_router_handle(&service, &request, &answer));
    assert_true(answer.status == 200 && !answer.gzip);
    expect("<!doctype html>");
}

static void write_over(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static attn_access *access_to(const char *keys, const char *const *names, size_t count) {
    attn_access_options options = {.keys = keys, .names = names, .name_count = count};
    attn_access *access = NULL;
    assert_int_equal(attn_access_create(&options, &access, NULL), ATTN_OK);
    return access;
}

static void keys(void **unused) {
    (void)unused;
    char path[64];
    attn_error error;
    static const char text[] =
        "# keys\nfirst-key-0123-abcdefghij\r\n\nsecond-key-4567-abcdefghij\n";
    static const char later[] = "third-key-89ab-abcdefghijk\n";
    static const char *const weak[] = {"short\n", "abcdefgabcdefgabcdefgabcdefg\n",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaa\n",
                                       "0123456789abcdef 0123456789\n", "# none\n"};
    static const char again[] = "third-key-89ab-abcdefghijk 5\n# "
                                "others\nfirst-key-0123-abcdefghij\nthird-key-89ab-abcdefghijk\n";
    sentences_write(path, text, sizeof text - 1);
    service.access = access_to(path, NULL, 0);
    expect_error("{\"q\":\"x\"}", "Please contact the server operator to get an API key");
    assert_int_equal(post("{\"q\":\"x\",\"api_key\":\"second-key-4568-abcdefghij\"}"), 403);
    expect("Invalid API key");
    assert_int_equal(post("{\"q\":\"x\",\"api_key\":\"second-key-4567-abcdefghi\"}"), 403);
    expect_error("{\"q\":\"x\",\"api_key\":\"second-key-4567-abcdefghij\"}",
                 "Invalid request: missing source parameter");
    expect_error("{\"q\":\"x\",\"api_key\":\"first-key-0123-abcdefghij\"}",
                 "Invalid request: missing source parameter");
    assert_int_equal(ask("GET", "/languages", NULL, ""), 200);
    write_over(path, later);
    assert_int_equal(attn_access_reload(service.access, NULL), ATTN_OK);
    assert_int_equal(post("{\"q\":\"x\",\"api_key\":\"first-key-0123-abcdefghij\"}"), 403);
    expect_error("{\"q\":\"x\",\"api_key\":\"third-key-89ab-abcdefghijk\"}",
                 "Invalid request: missing source parameter");
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        write_over(path, weak[i]);
        assert_int_equal(attn_access_reload(service.access, &error), ATTN_ERR_FORMAT);
        assert_true(error.position == 1 || i == 4);
    }
    write_over(path, again);
    assert_int_equal(attn_access_reload(service.access, &error), ATTN_ERR_FORMAT);
    assert_int_equal(error.position, 4);
    assert_non_null(strstr(error.what, "the key of line 1 stands here again"));
    expect_error("{\"q\":\"x\",\"api_key\":\"third-key-89ab-abcdefghijk\"}",
                 "Invalid request: missing source parameter");
    attn_access_free(service.access);
    service.access = NULL;
    unlink(path);
}

/* 0, or the status of the refusal. */
static int try_key(attn_access *access, uint64_t client, const char *key) {
    attn_http_request request = {.client = client};
    attn_http_answer refusal = {0};
    bool allowed = attn_access_check(access, &request, key, &refusal);
    int status = refusal.status;
    assert_true(status != 429 || (refusal.retry_after >= 1 && refusal.retry_after <= 61));
    attn_http_answer_free(&refusal);
    return allowed ? 0 : status;
}

/* Ten wrong keys in a row, then the address waits, whatever it says; others do not. */
static void guessing_slows_down(void **unused) {
    (void)unused;
    char path[64];
    static const char right[] = "first-key-0123-abcdefghij";
    sentences_write(path, right, sizeof right - 1);
    attn_access *access = access_to(path, NULL, 0);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(try_key(access, 7, "wrong"), 403);
    }
    assert_int_equal(try_key(access, 7, right), 0); /* not in a row */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(try_key(access, 7, "wrong"), 403);
    }
    assert_int_equal(try_key(access, 7, "wrong"), 429);
    assert_int_equal(try_key(access, 7, right), 429);
    assert_int_equal(try_key(access, 8, "wrong"), 403);
    assert_int_equal(try_key(access, 8, right), 0);
    double until = attn_clock() + 1.01;
    while (attn_clock() < until) {
        usleep(10000);
    }
    assert_int_equal(try_key(access, 7, right), 0);
    assert_int_equal(try_key(access, 7, "wrong"), 403);
    attn_access_free(access);
    unlink(path);
}

/* So many at once, then evenly; a key by its own number, or by that of all. */
static void requests_a_minute(void **unused) {
    (void)unused;
    char path[64];
    static const char keys_of_two[] =
        "first-key-0123-abcdefghij 2\nsecond-key-4567-abcdefghi\t \nthird-key-89ab-abcdefghijk 0\n";
    attn_access_options options = {.per_minute = 3};
    attn_access *access;
    assert_int_equal(attn_access_create(&options, &access, NULL), ATTN_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try_key(access, 7, NULL), 0);
    }
    assert_int_equal(try_key(access, 7, NULL), 429);
    assert_int_equal(try_key(access, 8, NULL), 0);
    attn_access_free(access);
    sentences_write(path, keys_of_two, sizeof keys_of_two - 1);
    options.keys = path;
    assert_int_equal(attn_access_create(&options, &access, NULL), ATTN_OK);
    for (uint64_t i = 0; i < 2; i++) { /* whoever has the key */
        assert_int_equal(try_key(access, i, "first-key-0123-abcdefghij"), 0);
    }
    assert_int_equal(try_key(access, 5, "first-key-0123-abcdefghij"), 429);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try_key(access, 7, "second-key-4567-abcdefghi"), 0);
    }
    assert_int_equal(try_key(access, 7, "second-key-4567-abcdefghi"), 429);
    for (int i = 0; i < 9; i++) { /* 0: any number */
        assert_int_equal(try_key(access, 7, "third-key-89ab-abcdefghijk"), 0);
    }
    assert_int_equal(try_key(access, 7, "third-key-89ab-abcdefghijX"), 403);
    attn_access_free(access);
    unlink(path);
}

/* A language into itself, and two languages through a third. */
static void pairs_of_languages(void **unused) {
    (void)unused;
    assert_int_equal(post("{\"q\":\"The cat, 3 \",\"source\":\"fr\",\"target\":\"FR\"}"), 200);
    assert_string_equal(answer.body.data, "{\"translatedText\":\"The cat, 3 \"}\n");
    attn_tokenizer *tokenizer = tiny_model_tokenizer();
    attn_translator *translator = tiny_model_translator(tokenizer, 2);
    attn_model *second;
    assert_int_equal(attn_translator_pack(translator, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    assert_int_equal(attn_model_wrap(translator, tokenizer, "fr", "de", &second, NULL), ATTN_OK);
    assert_true(attn_serve_models_add(service.models, second));
    assert_int_equal(ask("GET", "/languages", NULL, ""), 200);
    expect("{\"code\":\"en\",\"name\":\"English\",\"targets\":[\"en\",\"fr\",\"de\"]}");
    char body[4000];
    assert_int_equal(post("{\"q\":[\"The cat\",\"\",\"12\"],\"source\":\"en\",\"target\":\"fr\"}"),
                     200);
    char *middle = strdup(strstr(answer.body.data, "["));
    *strstr(middle, "]}") = '\0';
    snprintf(body, sizeof body,
             "{\"q\":%s],\"source\":\"fr\",\"target\":\"de\",\"translate_all\":true}", middle);
    free(middle);
    assert_int_equal(post(body), 200);
    char *end = strdup(answer.body.data);
    assert_int_equal(
        post("{\"q\":[\"The "
             "cat\",\"\",\"12\"],\"source\":\"en\",\"target\":\"de\",\"translate_all\":true}"),
        200);
    assert_string_equal(answer.body.data, end);
    free(end);
    assert_int_equal(post("{\"q\":\" 12 \",\"source\":\"en\",\"target\":\"de\"}"), 200);
    assert_string_equal(answer.body.data, "{\"translatedText\":\" 12 \"}\n");
    assert_int_equal(post("{\"q\":\"the cat and the dog\",\"source\":\"auto\",\"target\":\"de\"}"),
                     200);
    expect("\"detectedLanguage\":{\"confidence\":");
}

/* What was answered before is given again, byte for byte; a cache of little room forgets. */
static void answers_are_kept(void **unused) {
    (void)unused;
    static const char *const asked[] = {
        "{\"q\":\"The cat\",\"source\":\"en\",\"target\":\"fr\"}",
        "{\"q\":[\"The cat\"],\"source\":\"en\",\"target\":\"fr\"}",
        "{\"q\":\"The cat\",\"source\":\"en\",\"target\":\"fr\",\"scores\":true}",
        "{\"q\":\"The cat\",\"source\":\"auto\",\"target\":\"fr\"}",
        "{\"q\":\"The cat \",\"source\":\"en\",\"target\":\"fr\"}"};
    enum { ASKED = sizeof asked / sizeof asked[0] };
    char *first[ASKED];
    assert_int_equal(attn_answers_create(1 << 20, &service.cache, NULL), ATTN_OK);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < ASKED; i++) {
            assert_int_equal(post(asked[i]), 200);
            if (round == 0) {
                first[i] = strdup(answer.body.data);
            } else {
                assert_string_equal(answer.body.data, first[i]);
                free(first[i]);
            }
        }
    }
    attn_answers_counts counts = attn_answers_count(service.cache);
    assert_true(counts.hits == ASKED && counts.misses == ASKED && counts.entries == ASKED);
    assert_int_equal(ask("GET", "/metrics", NULL, ""), 200);
    expect("attn_cache_requests_total{found=\"yes\"} 5\n");
    attn_answers_free(service.cache);
    service.cache = NULL;
}

static int ask_as(const char *host) {
    attn_http_request request = {.method = "GET", .path = "/metrics", .body = "", .host = host};
    return finish_request(&request);
}

static void the_operator_alone_is_told(void **unused) {
    (void)unused;
    static const char *const own[] = {
        NULL,         "localhost", "localhost:5000", "127.0.0.1",     "10.1.2.3:80",
        "[::1]:5000", "[fe80::1]", "attn:5000",      "T.Example.org", "t.example.org:443"};
    static const char *const foreign[] = {
        "example.org", "evil.com:5000", "127.0.0.1.evil.com", "x.t.example.org", "", ":5000",
        "localhost.",  "1.2.3"};
    static const char *const names[] = {"t.example.org"};
    service.access = access_to(NULL, names, 1);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        assert_int_equal(ask_as(own[i]), 200);
        assert_true(answer.own);
    }
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_int_equal(ask_as(foreign[i]), 403);
    }
    assert_int_equal(ask("GET", "/languages", NULL, ""), 200);
    assert_false(answer.own);
    attn_access_free(service.access);
    service.access = NULL;
}

static void streams(void **unused) {
    (void)unused;
    static const char body[] =
        "{\"q\":\"The cat sees. The house.\",\"source\":\"en\",\"target\":\"fr\",\"stream\":true}";
    attn_http_request request = {.method = "POST",
                                 .path = "/translate",
                                 .body = body,
                                 .content_type = "application/json",
                                 .body_size = sizeof body - 1};
    attn_http_answer_free(&answer);
    attn_job *job = attn_router_handle(&service, &request, &answer);
    waiter w = new_waiter();
    assert_non_null(job);
    assert_true(attn_job_streams(job) && attn_job_start(job, batcher, 0, woken, &w));
    finish(job, &w);
    attn_buffer all = {0};
    char part[7];
    for (long n = attn_job_read(job, part, sizeof part); n >= 0;
         n = attn_job_read(job, part, sizeof part)) {
        attn_buffer_add(&all, part, (size_t)n);
    }
    assert_int_equal(strncmp(all.data, "event: partial\ndata: {", 22), 0);
    const char *done = strstr(all.data, "event: done\ndata: ");
    assert_non_null(done);
    /* The end of the stream is the answer that is given without one. */
    attn_http_answer whole = {0};
    attn_job_answer(job, &whole);
    assert_string_equal(done + 18, strcat(whole.body.data, "\n"));
    attn_http_answer_free(&whole);
    attn_buffer_free(&all);
    attn_job_free(job);
}

enum { JOBS = 24 };

static void job_body(char *out, size_t size, int i) {
    char words[400] = "";
    for (int w = 0; w <= i % 9; w++) {
        strcat(words, sentence_noun[(i + w) % 10]);
        strcat(words, w % 4 == 3 ? ". " : " ");
    }
    snprintf(
        out, size,
        "{\"q\":\"The %s\",\"source\":\"en\",\"target\":\"fr\",\"alignments\":%s,\"scores\":true,"
        "\"n_best\":%d}",
        words, i % 3 == 0 ? "true" : "false", 1 + i % 2);
}

/* The same requests alone, one after another, and all at once in a few batches: equal answers to the
 * last digit that is printed, and equal numbers to the last bit. */
static void the_same_bits_in_company(void **unused) {
    (void)unused;
    attn_job *alone[JOBS], *together[JOBS];
    waiter w[JOBS];
    char body[1000];
    attn_batcher *former = batcher;
    start_batcher(100000, 0.05, JOBS);
    for (int i = 0; i < JOBS; i++) {
        job_body(body, sizeof body, i);
        attn_http_request request = {.method = "POST",
                                     .path = "/translate",
                                     .body = body,
                                     .content_type = "application/json",
                                     .body_size = strlen(body)};
        attn_http_answer_free(&answer);
        alone[i] = attn_router_handle(&service, &request, &answer);
        together[i] = attn_router_handle(&service, &request, &answer);
        waiter one = new_waiter();
        assert_true(attn_job_start(alone[i], former, 0, woken, &one));
        finish(alone[i], &one);
    }
    uint64_t before = atomic_load(&metrics.batches);
    for (int i = 0; i < JOBS; i++) {
        w[i] = new_waiter();
        assert_true(attn_job_start(together[i], batcher, 0, woken, &w[i]));
    }
    for (int i = 0; i < JOBS; i++) {
        finish(together[i], &w[i]);
        const attn_batch_group *a = attn_job_group(alone[i]), *b = attn_job_group(together[i]);
        assert_int_equal(a->count, b->count);
        for (size_t s = 0; s < a->count; s++) {
            const attn_search_result *x = &a->sentences[s].result, *y = &b->sentences[s].result;
            assert_int_equal(x->count, y->count);
            for (int64_t h = 0; h < x->count; h++) {
                const attn_hypothesis *p = &x->hypotheses[h], *q = &y->hypotheses[h];
                assert_int_equal(p->length, q->length);
                assert_memory_equal(p->ids, q->ids, (size_t)p->length * sizeof *p->ids);
                assert_memory_equal(p->token_log_probability, q->token_log_probability,
                                    (size_t)(p->length + 1) * sizeof(attn_real));
                assert_memory_equal(&p->score, &q->score, sizeof p->score);
                if (p->attention != NULL) {
                    assert_memory_equal(p->attention, q->attention,
                                        (size_t)((p->length + 1) * p->source_length) *
                                            sizeof(attn_real));
                }
            }
        }
        attn_job_free(alone[i]);
        attn_job_free(together[i]);
    }
    assert_true(atomic_load(&metrics.batches) - before < JOBS / 2);
    attn_batcher_free(batcher);
    batcher = former;
}

static void a_full_queue_refuses(void **unused) {
    (void)unused;
    attn_batcher *former = batcher;
    attn_job *jobs[3];
    waiter w[3];
    char body[1000];
    bool accepted[3];
    start_batcher(100000, 0.3, 2);
    for (int i = 0; i < 3; i++) {
        job_body(body, sizeof body, 0);
        attn_http_request request = {.method = "POST",
                                     .path = "/translate",
                                     .body = body,
                                     .content_type = "application/json",
                                     .body_size = strlen(body)};
        attn_http_answer_free(&answer);
        jobs[i] = attn_router_handle(&service, &request, &answer);
        w[i] = new_waiter();
        accepted[i] = attn_job_start(jobs[i], batcher, 0, woken, &w[i]);
    }
    assert_true(accepted[0] && accepted[1] && !accepted[2]);
    attn_batcher_stop(batcher); /* finishes what it had taken */
    finish(jobs[0], &w[0]);
    finish(jobs[1], &w[1]);
    assert_false(attn_job_start(jobs[2], batcher, 0, woken, &w[2]));
    for (int i = 0; i < 3; i++) {
        attn_job_free(jobs[i]);
    }
    attn_batcher_free(batcher);
    batcher = former;
}

/* ---- turns, and those who leave ---- */

/* Work that holds the worker until it is let go, so that others queue up behind it. */
typedef struct holdup {
    attn_batch_group group;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool begun, free, over;
} holdup;

static void hold(void *context) {
    holdup *h = context;
    pthread_mutex_lock(&h->lock);
    h->begun = true;
    pthread_cond_broadcast(&h->changed);
    while (!h->free) {
        pthread_cond_wait(&h->changed, &h->lock);
    }
    pthread_mutex_unlock(&h->lock);
}

static void held(void *context) {
    holdup *h = context;
    pthread_mutex_lock(&h->lock);
    h->over = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void hold_worker(holdup *h) {
    *h = (holdup){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    h->group = (attn_batch_group){.work = hold, .done = held, .context = h, .ended = true};
    h->group.client = 999;
    assert_true(attn_batcher_submit(batcher, &h->group));
    pthread_mutex_lock(&h->lock);
    while (!h->begun) {
        pthread_cond_wait(&h->changed, &h->lock);
    }
    pthread_mutex_unlock(&h->lock);
}

static void let_worker_go(holdup *h) {
    pthread_mutex_lock(&h->lock);
    h->free = true;
    pthread_cond_broadcast(&h->changed);
    while (!h->over) {
        pthread_cond_wait(&h->changed, &h->lock);
    }
    pthread_mutex_unlock(&h->lock);
}

/* A job for `sentences` sentences. */
static attn_job *job_of(int sentences, bool stream) {
    char body[6000] = "{\"source\":\"en\",\"target\":\"fr\",\"q\":\"";
    for (int i = 0; i < sentences; i++) {
        strcat(body, "The ");
        strcat(body, sentence_noun[i % 10]);
        strcat(body, " sees. ");
    }
    strcat(body, stream ? "\",\"stream\":true}" : "\"}");
    attn_http_request request = {.method = "POST",
                                 .path = "/translate",
                                 .body = body,
                                 .content_type = "application/json",
                                 .body_size = strlen(body)};
    attn_http_answer_free(&answer);
    attn_job *job = attn_router_handle(&service, &request, &answer);
    assert_non_null(job);
    return job;
}

static void end_job(attn_job *job, waiter *w, int status) {
    finish(job, w);
    attn_http_answer_free(&answer);
    attn_job_answer(job, &answer);
    assert_int_equal(answer.status, status);
    attn_job_free(job);
}

/* Which jobs ended, in order. */
static char ended[8];
static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct named {
    waiter w;
    char name;
} named;

static void note_end(void *context, bool done) {
    named *n = context;
    if (done) {
        pthread_mutex_lock(&ended_lock);
        strncat(ended, &n->name, 1);
        pthread_mutex_unlock(&ended_lock);
    }
    woken(&n->w, done);
}

/* One client sends two long texts, then another a short one and a third one as short: they end first, though they came
 * last; and of one client's the first comes first. */
static void clients_take_turns(void **unused) {
    (void)unused;
    static const struct {
        int sentences;
        uint64_t client;
    } jobs[] = {{200, 1}, {150, 1}, {2, 2}, {1, 3}};
    attn_batcher *former = batcher;
    attn_job *job[4];
    named n[4];
    holdup h;
    start_batcher(40, 0, 64);
    hold_worker(&h);
    ended[0] = '\0';
    for (int i = 0; i < 4; i++) {
        n[i] = (named){new_waiter(), (char)('a' + i)};
        job[i] = job_of(jobs[i].sentences, false);
        assert_true(attn_job_start(job[i], batcher, jobs[i].client, note_end, &n[i]));
    }
    let_worker_go(&h);
    for (int i = 0; i < 4; i++) {
        end_job(job[i], &n[i].w, 200);
    }
    assert_string_equal(ended + 2, "ab");
    attn_batcher_free(batcher);
    batcher = former;
}

static void who_has_nothing_waiting_finds_a_place(void **unused) {
    (void)unused;
    attn_batcher *former = batcher;
    attn_job *job[4];
    waiter w[4];
    holdup h;
    start_batcher(40, 0, 2);
    hold_worker(&h);
    for (int i = 0; i < 4; i++) {
        w[i] = new_waiter();
        job[i] = job_of(1, false);
        bool accepted = attn_job_start(job[i], batcher, i < 3 ? 1 : 2, woken, &w[i]);
        assert_int_equal(accepted, i != 2);
    }
    let_worker_go(&h);
    attn_job_free(job[2]);
    end_job(job[0], &w[0], 200);
    end_job(job[1], &w[1], 200);
    end_job(job[3], &w[3], 200);
    attn_batcher_free(batcher);
    batcher = former;
}

typedef struct leaver {
    waiter w;
    attn_job *job;
} leaver;

static void leave_when_woken(void *context, bool done) {
    leaver *l = context;
    if (!done) {
        attn_job_give_up(l->job, batcher);
    }
    woken(&l->w, done);
}

/* What waits is not begun; what is searched ends soon; what has ended, or never began, is left alone. */
static void what_nobody_wants_is_given_up(void **unused) {
    (void)unused;
    attn_batcher *former = batcher;
    attn_job *first, *second;
    waiter w = new_waiter(), v = new_waiter();
    leaver l = {new_waiter(), NULL};
    holdup h;
    start_batcher(40, 0, 64);
    hold_worker(&h);
    first = job_of(3, false);
    second = job_of(3, false);
    attn_job_give_up(first, batcher);
    assert_true(attn_job_start(first, batcher, 1, woken, &w));
    assert_true(attn_job_start(second, batcher, 1, woken, &v));
    uint64_t before = atomic_load(&metrics.sentences);
    attn_job_give_up(first, batcher);
    assert_true(attn_job_done(first)); /* though the worker is held */
    let_worker_go(&h);
    finish(second, &v);
    assert_int_equal(atomic_load(&metrics.sentences) - before, 3);
    attn_job_give_up(second, batcher);
    end_job(first, &w, 503);
    end_job(second, &v, 200);

    l.job = job_of(200, true);
    before = atomic_load(&metrics.sentences);
    assert_true(attn_job_start(l.job, batcher, 1, leave_when_woken, &l));
    finish(l.job, &l.w);
    assert_int_equal(attn_job_group(l.job)->sentences[0].result.count, 0); /* within a step */
    end_job(l.job, &l.w, 503);
    assert_true(atomic_load(&metrics.sentences) - before < 100);
    attn_batcher_free(batcher);
    batcher = former;
}

static void all_are_given_up_at_the_end(void **unused) {
    (void)unused;
    attn_batcher *former = batcher;
    attn_job *job[3];
    waiter w[3];
    holdup h;
    start_batcher(40, 0, 64);
    hold_worker(&h);
    for (int i = 0; i < 3; i++) {
        w[i] = new_waiter();
        job[i] = job_of(3, i == 1);
        assert_true(attn_job_start(job[i], batcher, (uint64_t)i, woken, &w[i]));
    }
    attn_batcher_give_up_all(batcher);
    for (int i = 0; i < 3; i++) {
        end_job(job[i], &w[i], 503);
    }
    assert_true(atomic_load(&h.group.given_up));
    job[0] = job_of(1, false);
    assert_false(attn_job_start(job[0], batcher, 1, woken, &w[0]));
    attn_job_free(job[0]);
    let_worker_go(&h);
    attn_batcher_free(batcher);
    batcher = former;
}

/* ---- pictures ---- */

/* A file with a tiny segmenter and two of its classes' names, opened as the server does it. */
static attn_model *open_segmenter(void) {
    static const char classes[] = "0 sky 1 2 3\n1 a \"road\" 255 0 16\n2 c 4 4 4\n3 d 5 5 5\n"
                                  "4 e 6 6 6\n";
    char folder[64], path[96];
    attn_segmenter_config config = tiny_config(ATTN_MIXER_GLOBAL);
    attn_segmenter *model = tiny_segmenter(&config, false);
    attn_model *opened = NULL;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    assert_int_equal(attn_segmenter_save(model, ATTN_STORE_F32, classes, sizeof classes - 1, NULL,
                                         0, path, NULL),
                     ATTN_OK);
    attn_segmenter_free(model);
    assert_int_equal(attn_model_open(path, NULL, &opened, NULL), ATTN_OK);
    folder_remove(folder);
    return opened;
}

static int send_picture(const char *path, const char *query, const void *bytes, size_t size) {
    attn_http_request request = {
        .method = "POST",
        .path = path,
        .body = bytes,
        .body_size = size,
        /* what curl says without being asked; the body is no form all the same */
        .content_type = "application/x-www-form-urlencoded"};
    char copy[100];
    snprintf(copy, sizeof copy, "%s", query);
    for (char *field = strtok(copy, "&"); field != NULL; field = strtok(NULL, "&")) {
        char *value = strchr(field, '=');
        *value++ = '\0';
        request.query[request.query_count++] = (attn_parameter){field, value};
    }
    attn_http_answer_free(&answer);
    return finish_request(&request);
}

static void pictures(void **unused) {
    (void)unused;
    enum { WIDTH = 40, HEIGHT = 24, LARGE = 160 };
    static uint8_t colors[LARGE * 72 * 3];
    for (size_t i = 0; i < sizeof colors; i++) {
        colors[i] = (uint8_t)(i * i / 97);
    }
    attn_picture large = {LARGE, 72, colors};
    tiny_pictures p;
    tiny_pictures_fill(&p, 0, 1, HEIGHT, WIDTH);
    png_kind kind = {.width = WIDTH, .height = HEIGHT, .type = PNG_COLOR_TYPE_RGB, .depth = 8};
    file_bytes png = make_png(&kind, p.pixels);
    assert_int_equal(send_picture("/attn/segment", "", png.data, png.size), 404);
    expect("No segmenter is served");
    attn_model *segmenter = open_segmenter();
    assert_true(attn_serve_models_add(service.models, segmenter));
    assert_int_equal(ask("GET", "/frontend/settings", NULL, ""), 200);
    expect("\"pictures\":true");
    assert_int_equal(ask("GET", "/languages", NULL, ""), 200);
    assert_null(strstr(answer.body.data, "\"code\":\"\""));

    /* the mask: sizes, classes, and the counts are those of the pixels */
    assert_int_equal(send_picture("/attn/segment", "", png.data, png.size), 200);
    json_t *value = json_loads(answer.body.data, 0, NULL);
    const char *name, *color, *mask;
    json_int_t width, height, pixels, sum = 0;
    json_t *classes;
    assert_int_equal(json_unpack(value, "{s:I, s:I, s:o, s:s}", "width", &width, "height", &height,
                                 "classes", &classes, "mask", &mask),
                     0);
    assert_true(width == WIDTH && height == HEIGHT && json_array_size(classes) == TINY_CLASSES);
    assert_memory_equal(mask, "data:image/png;base64,iVBORw0KGgo", 33);
    for (size_t i = 0; i < TINY_CLASSES; i++) {
        assert_int_equal(json_unpack(json_array_get(classes, i), "{s:s, s:s, s:I}", "name", &name,
                                     "color", &color, "pixels", &pixels),
                         0);
        assert_int_equal(color[0], '#');
        sum += pixels;
    }
    assert_int_equal(sum, WIDTH * HEIGHT);
    json_decref(value);
    expect("\"name\":\"a \\\"road\\\"\",\"color\":\"#ff0010\"");

    /* the attention: what the library says of that pixel, which sums to 1 */
    static const char *const queries[] = {"x=39&y=23", "x=39&y=23&head=2&layer=1",
                                          "x=0&y=9&head=mean&layer=2"};
    static const attn_pixel_query same[] = {
        {39, 23, 2, 0, false}, {39, 23, 1, 2, false}, {0, 9, 2, 0, false}};
    attn_picture picture = {WIDTH, HEIGHT, p.pixels};
    attn_segmenting segmenting;
    assert_int_equal(attn_segmenting_start(segmenter, &segmenting, NULL), ATTN_OK);
    for (size_t q = 0; q < 3; q++) {
        attn_grid keys;
        float *weights;
        double total = 0;
        assert_int_equal(send_picture("/attn/attend", queries[q], png.data, png.size), 200);
        value = json_loads(answer.body.data, 0, NULL);
        json_t *list = json_object_get(value, "weights");
        assert_int_equal(
            attn_segment_attend(&segmenting, &picture, &same[q], 1 << 20, &keys, &weights, NULL),
            ATTN_OK);
        assert_int_equal(json_integer_value(json_object_get(value, "columns")), keys.width);
        assert_int_equal(json_integer_value(json_object_get(value, "rows")), keys.height);
        assert_int_equal(json_integer_value(json_object_get(value, "layers")), 2);
        assert_int_equal(json_integer_value(json_object_get(value, "heads")), 2);
        assert_int_equal(json_array_size(list), keys.width * keys.height);
        for (size_t i = 0; i < json_array_size(list); i++) {
            assert_true((float)json_real_value(json_array_get(list, i)) == weights[i]);
            total += json_real_value(json_array_get(list, i));
        }
        assert_true(total > 0.999 && total < 1.001);
        attn_free(weights);
        json_decref(value);
    }
    /* within less memory than the picture takes: smaller tiles, and attention of a smaller picture */
    attn_segment_options options;
    attn_mask tiles;
    attn_segment_options_init(&options);
    options.tile = 64;
    file_bytes large_png =
        make_png(&(png_kind){.width = LARGE, .height = 72, .type = PNG_COLOR_TYPE_RGB, .depth = 8},
                 large.rgb);
    assert_int_equal(attn_segment_mask(&segmenting, &large, &options, &tiles, NULL), ATTN_OK);
    service.picture_memory = 1;
    service.pixel_limit = LARGE * 72;
    assert_int_equal(send_picture("/attn/segment", "", large_png.data, large_png.size), 200);
    value = json_loads(answer.body.data, 0, NULL);
    for (size_t i = 0; i < TINY_CLASSES; i++) {
        json_int_t there = 0;
        for (int64_t k = 0; k < LARGE * 72; k++) {
            there += tiles.label[k] == i;
        }
        json_t *of = json_array_get(json_object_get(value, "classes"), i);
        assert_int_equal(json_integer_value(json_object_get(of, "pixels")), there);
    }
    json_decref(value);
    assert_int_equal(send_picture("/attn/attend", "x=159&y=71", large_png.data, large_png.size),
                     200);
    value = json_loads(answer.body.data, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(value, "width")), LARGE);
    assert_true(json_integer_value(json_object_get(value, "columns")) < (LARGE / 8 + 1) / 2);
    assert_int_equal(json_array_size(json_object_get(value, "weights")),
                     json_integer_value(json_object_get(value, "columns")) *
                         json_integer_value(json_object_get(value, "rows")));
    json_decref(value);
    attn_mask_free(&tiles);
    bytes_free(&large_png);
    attn_segmenting_end(&segmenting);
    service.picture_memory = 64 << 20;
    service.pixel_limit = 10000;

    /* refusals */
    static const char *const wrong[] = {"x=1",
                                        "y=1",
                                        "x=40&y=1",
                                        "x=1&y=24",
                                        "x=-1&y=1",
                                        "x=a&y=1",
                                        "x=1&y=1&layer=3",
                                        "x=1&y=1&head=3",
                                        "x=1&y=1&head=all"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(send_picture("/attn/attend", wrong[i], png.data, png.size), 400);
        expect("{\"error\":\"Invalid request: ");
    }
    assert_int_equal(send_picture("/attn/segment", "", "", 0), 400);
    expect("missing picture");
    assert_int_equal(send_picture("/attn/segment", "", "GIF89a", 6), 400);
    expect("this is a GIF file");
    for (size_t cut = 1; cut < png.size; cut += 97) {
        assert_int_equal(send_picture("/attn/segment", "", png.data, cut), 400);
    }
    service.pixel_limit = WIDTH * HEIGHT - 1;
    assert_int_equal(send_picture("/attn/segment", "", png.data, png.size), 400);
    expect("40 x 24 pixels; at most 959 are read");
    service.pixel_limit++;
    assert_int_equal(send_picture("/attn/segment", "", png.data, png.size), 200);
    assert_int_equal(ask("GET", "/attn/segment", NULL, ""), 405);

    /* weights that say nothing: no mask is better than one of class 0 */
    attn_params *params = attn_segmenter_params(segmenter->segmenter);
    attn_params_data(params)[attn_params_size(params) - 1] = NAN;
    assert_int_equal(attn_segmenter_pack(segmenter->segmenter, NULL), ATTN_OK);
    assert_int_equal(send_picture("/attn/segment", "", png.data, png.size), 500);
    expect("the model gives no probability to any class");
    bytes_free(&png);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(forms),
        cmocka_unit_test(files_of_forms),
        cmocka_unit_test(wellformed),
        cmocka_unit_test(answers),
        cmocka_unit_test(embedded_files),
        cmocka_unit_test(keys),
        cmocka_unit_test(guessing_slows_down),
        cmocka_unit_test(requests_a_minute),
        cmocka_unit_test(answers_are_kept),
        cmocka_unit_test(the_operator_alone_is_told),
        cmocka_unit_test(streams),
        cmocka_unit_test(the_same_bits_in_company),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(clients_take_turns),
        cmocka_unit_test(who_has_nothing_waiting_finds_a_place),
        cmocka_unit_test(what_nobody_wants_is_given_up),
        cmocka_unit_test(all_are_given_up_at_the_end),
        cmocka_unit_test(pictures),
        cmocka_unit_test(pairs_of_languages), /* the last: it adds a model */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
