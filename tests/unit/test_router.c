/* The table of routes: each is described, counted under its name, and takes its own method only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "serve/router.h"
#include "serve/shelf.h"
#include "support/tiny_model.h"

static attn_metrics metrics;
static attn_service service;
static attn_http_answer answer;

static int set_up(void **unused) {
    (void)unused;
    attn_tokenizer *tokenizer = tiny_model_tokenizer();
    service = (attn_service){.metrics = &metrics,
                             .character_limit = 5000,
                             .batch_limit = 8,
                             .alternatives_limit = 4,
                             .pixel_limit = 10000,
                             .picture_memory = 64 << 20};
    assert_int_equal(attn_shelf_create(1000, 60, &service.shelf, NULL), ATTN_OK);
    attn_search_options_init(&service.search);
    assert_int_equal(attn_serve_models_wrap(tiny_model_translator(tokenizer, 1), tokenizer, "en",
                                            "fr", &service.models, NULL),
                     ATTN_OK);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    attn_serve_models_close(service.models);
    attn_shelf_free(service.shelf);
    attn_http_answer_free(&answer);
    return 0;
}

/* A request without parameters, which no route makes a job of. */
static int ask(const char *method, const char *path) {
    attn_http_request request = {.method = method, .path = path, .body = ""};
    attn_http_answer_free(&answer);
    assert_null(attn_router_handle(&service, &request, &answer));
    return answer.status;
}

static bool posts(const attn_route *route) {
    return attn_route_is_post(route);
}

static void each_takes_its_own_method(void **unused) {
    (void)unused;
    size_t count;
    const attn_route *routes = attn_router_routes(&count);
    for (size_t i = 0; i < count; i++) {
        const char *path = routes[i].path;
        bool post = posts(&routes[i]);
        const char *allowed = post ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
        assert_int_equal(ask("POST", path), post ? 400 : 405);
        int there = strchr(path, '{') != NULL ? 404 : 200; /* no such file has been kept */
        assert_int_equal(ask("GET", path), post ? 405 : there);
        assert_int_equal(ask("HEAD", path), post ? 405 : there);
        assert_int_equal(ask("DELETE", path), 405);
        assert_string_equal(answer.allow, allowed);
        assert_int_equal(ask("OPTIONS", path), 204);
        assert_string_equal(answer.allow, allowed);
    }
    static const char *const unknown[] = {"/nothing", "/translate/", "/attn", "/attn/none", ""};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(ask("GET", unknown[i]), 404);
        assert_int_equal(ask("POST", unknown[i]), 404);
        assert_int_equal(ask("OPTIONS", unknown[i]), 404);
    }
    assert_int_equal(ask("GET", "/"), 200);
    assert_int_equal(ask("POST", "/"), 405);
}

/* Files go when they are too old or there is no room, the oldest first; a name outside is made plain. */
static void files_are_kept(void **unused) {
    (void)unused;
    attn_shelf *shelf;
    char kept[3][ATTN_SHELF_NAME];
    attn_buffer bytes = {0}, got = {0};
    assert_int_equal(attn_shelf_create(10, 60, &shelf, NULL), ATTN_OK);
    for (int i = 0; i < 3; i++) {
        attn_buffer_text(&bytes, "1234");
        assert_int_equal(attn_shelf_put(shelf, &bytes, "a\r\n\"/b.txt", kept[i], NULL), ATTN_OK);
        assert_string_equal(kept[i] + 32, ".a____b.txt");
    }
    assert_false(attn_shelf_get(shelf, kept[0], &got));
    assert_true(attn_shelf_get(shelf, kept[1], &got));
    assert_true(attn_shelf_get(shelf, kept[2], &got));
    assert_string_equal(got.data, "12341234");
    attn_buffer_text(&bytes, "12345678901");
    assert_int_equal(attn_shelf_put(shelf, &bytes, "b", kept[0], NULL), ATTN_ERR_FORMAT);
    assert_true(attn_shelf_get(shelf, kept[2], &got));
    attn_shelf_free(shelf);
    assert_int_equal(attn_shelf_create(100, 0, &shelf, NULL), ATTN_OK);
    assert_int_equal(attn_shelf_put(shelf, &bytes, "b", kept[0], NULL), ATTN_OK);
    assert_false(attn_shelf_get(shelf, kept[0], &got));
    attn_shelf_free(shelf);
    attn_buffer_free(&bytes);
    attn_buffer_free(&got);
}

/* In a form or the query each by itself, in a JSON body all in one. */
static bool describes(json_t *operation, const attn_route *route, const char *name) {
    json_t *list = json_object_get(operation, "parameters");
    if (route->body == ATTN_ROUTE_JSON) {
        json_t *schema = json_object_get(json_array_get(list, 0), "schema");
        return json_object_get(json_object_get(schema, "properties"), name) != NULL;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *parameter = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(parameter, "name")), name) == 0) {
            return true;
        }
    }
    return false;
}

static void each_is_in_the_description(void **unused) {
    (void)unused;
    size_t count;
    const attn_route *routes = attn_router_routes(&count);
    assert_int_equal(ask("GET", "/spec"), 200);
    json_t *spec = json_loads(answer.body.data, 0, NULL);
    json_t *paths = json_object_get(spec, "paths");
    assert_int_equal(json_object_size(paths), count);
    for (size_t i = 0; i < count; i++) {
        json_t *operation = json_object_get(json_object_get(paths, routes[i].path),
                                            posts(&routes[i]) ? "post" : "get");
        assert_string_equal(json_string_value(json_object_get(operation, "summary")),
                            routes[i].summary);
        for (size_t p = 0; p < routes[i].parameter_count; p++) {
            assert_true(describes(operation, &routes[i], routes[i].parameters[p].name));
        }
    }
    json_decref(spec);
}

static void expect_count(const char *name, const char *status, int wanted) {
    char line[120];
    snprintf(line, sizeof line, "\nattn_requests_total{endpoint=\"%s\",status=\"%s\"} %d\n", name,
             status, wanted);
    if (strstr(answer.body.data, line) == NULL) {
        fail_msg("no %s in %s", line, answer.body.data);
    }
}

static void each_is_counted_under_its_name(void **unused) {
    (void)unused;
    size_t count;
    const attn_route *routes = attn_router_routes(&count);
    for (size_t i = 0; i < count; i++) {
        attn_router_count(&metrics, routes[i].path, 200, 0.02);
    }
    attn_router_count(&metrics, "/", 304, 9);
    attn_router_count(&metrics, "/nothing", 404, 9);
    attn_router_count(&metrics, "/main.js", 200, 9);
    assert_int_equal(ask("GET", "/metrics"), 200);
    for (size_t i = 0; i < count; i++) {
        const char *name = strrchr(routes[i].path, '/') + 1;
        expect_count(name[0] == '{' ? "download_file" : name, "2xx", 1);
    }
    expect_count("page", "3xx", 1);
    expect_count("other", "4xx", 1);
    expect_count("other", "2xx", 1);
    /* the times are those of /translate alone */
    assert_non_null(strstr(answer.body.data, "attn_translate_seconds_bucket{le=\"0.01\"} 0\n"));
    assert_non_null(strstr(answer.body.data, "attn_translate_seconds_bucket{le=\"0.025\"} 1\n"));
    assert_non_null(strstr(answer.body.data, "attn_translate_seconds_count 1\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_takes_its_own_method),
        cmocka_unit_test(files_are_kept),
        cmocka_unit_test(each_is_in_the_description),
        cmocka_unit_test(each_is_counted_under_its_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
