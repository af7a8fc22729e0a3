/* YAML as Marian writes it, flattened; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/yaml.h"
#include "support/faulty_heap.h"

static attn_status parse(const char *text, attn_yaml **yaml, attn_error *error) {
    return attn_yaml_parse(text, strlen(text), "model.yml", yaml, error);
}

/* flat: "name=value;" for each entry. */
static void assert_flat(const char *text, const char *flat) {
    attn_yaml *yaml = NULL;
    attn_error error = {0};
    char found[2000] = "";
    if (parse(text, &yaml, &error) != ATTN_OK) {
        fail_msg("refused: %s", error.what);
    }
    const char *name, *value;
    for (size_t i = 0; attn_yaml_at(yaml, i, &name, &value); i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s=%s;", name, value);
    }
    assert_string_equal(found, flat);
    attn_yaml_free(yaml);
}

static void flattened(void **state) {
    (void)state;
    assert_flat("dim-emb: 512\nenc-type: transformer\n", "dim-emb=512;enc-type=transformer;");
    assert_flat("dim-vocabs:\n  - 65001\n  - 65001\nskip: false\n",
                "dim-vocabs.0=65001;dim-vocabs.1=65001;skip=false;");
    assert_flat("a: {b: {c: 1, d: [x, [y, z]]}, e: ~}\nf: 012\n",
                "a.b.c=1;a.b.d.0=x;a.b.d.1.0=y;a.b.d.1.1=z;a.e=~;f=012;");
    assert_flat("- one\n- {two: 2}\n", "0=one;1.two=2;");
    assert_flat("a: []\nb: {}\nc: ''\n", "c=;");
    assert_flat("text: |\n  two\n  lines\nend: 1", "text=two\nlines\n;end=1;");
}

static void vocabulary(void **state) {
    (void)state;
    attn_yaml *yaml = NULL;
    assert_int_equal(
        parse("</s>: 0\n<unk>: 1\n\"\\\"\": 2\n'''': 3\n\"\\u2581the\": 4\n\xE2\x96\x81z: "
              "5\n\"a.b\": 6\n\":\": 7\n\"#\": 8\n\"- \": 9\n\"\": 10\n\"~\": 11\n",
              &yaml, NULL),
        ATTN_OK);
    static const char *const pieces[] = {
        "</s>", "<unk>", "\"", "'", "\xE2\x96\x81the", "\xE2\x96\x81z", "a.b", ":",
        "#",    "- ",    "",   "~"};
    assert_int_equal(attn_yaml_count(yaml), 12);
    for (int i = 0; i < 12; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        assert_string_equal(attn_yaml_find(yaml, pieces[i]), number);
    }
    assert_null(attn_yaml_find(yaml, "a"));
    attn_yaml_free(yaml);
    /* Of one name the first is found. */
    assert_int_equal(parse("b: 1\na: 2\nb: 3\n", &yaml, NULL), ATTN_OK);
    assert_string_equal(attn_yaml_find(yaml, "b"), "1");
    assert_int_equal(attn_yaml_count(yaml), 3);
    attn_yaml_free(yaml);
}

static void large_vocabulary(void **state) {
    (void)state;
    enum { PIECES = 60000 };
    char *text = malloc(PIECES * 32), *end = text;
    assert_non_null(text);
    for (int i = 0; i < PIECES; i++) {
        end += sprintf(end, "\"piece%d\": %d\n", i * 7 % PIECES, i);
    }
    attn_yaml *yaml = NULL;
    assert_int_equal(parse(text, &yaml, NULL), ATTN_OK);
    assert_int_equal(attn_yaml_count(yaml), PIECES);
    assert_string_equal(attn_yaml_find(yaml, "piece7"), "1");
    attn_yaml_free(yaml);
    free(text);
}

static void assert_refused(const char *text, attn_status status, const char *says, int line) {
    attn_yaml *yaml = NULL;
    attn_error error = {0};
    heap = (faulty){0};
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    attn_status given = parse(text, &yaml, &error);
    attn_set_allocator(NULL, NULL, NULL);
    if (given != status || strstr(error.what, says) == NULL || error.position != line) {
        fail_msg("gave %d \"%s\" in line %d instead of \"%s\" in line %d", (int)given, error.what,
                 (int)error.position, says, line);
    }
    assert_null(yaml);
    assert_int_equal(heap.live, 0);
}

static void refused(void **state) {
    (void)state;
    char deep[200], text[60000], *end = text;
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[199] = '\0';
    assert_refused(deep, ATTN_ERR_FORMAT, "nest more than 32 deep", 1);
    assert_refused("a: &x [1, 2]\nb: *x\n", ATTN_ERR_UNSUPPORTED, "an alias", 2);
    assert_refused("? [a, b]\n: 1\n", ATTN_ERR_UNSUPPORTED, "a key that is a map or a list", 1);
    assert_refused("a: 1\n---\nb: 1\n", ATTN_ERR_FORMAT, "not one map or list", 3);
    assert_refused("only words", ATTN_ERR_FORMAT, "not one map or list", 1);
    assert_refused("a: \"\\0\"\n", ATTN_ERR_FORMAT, "a NUL", 1);
    assert_refused("a: [1\nb: 2\n", ATTN_ERR_FORMAT, "no YAML", 2);
    assert_refused("a: \xFF\n", ATTN_ERR_FORMAT, "no YAML", 1);
    /* A long name that stands before each of many items. */
    end += sprintf(end, "%0900d:\n  %0900d:\n    %0900d: [", 1, 2, 3);
    for (int i = 0; i < 20000; i++) {
        end += sprintf(end, "1,");
    }
    sprintf(end, "1]\n");
    assert_refused(text, ATTN_ERR_FORMAT, "repeat too much", 3);
}

static void memory_fails(void **state) {
    (void)state;
    attn_status status = ATTN_ERR_MEMORY;
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    for (long n = 1; status != ATTN_OK; n++) {
        attn_yaml *yaml = NULL;
        heap = (faulty){.fail_at = n};
        status = parse("a: {b: [1, 2]}\n", &yaml, NULL);
        assert_true(status == ATTN_OK || status == ATTN_ERR_MEMORY);
        attn_yaml_free(yaml);
        yaml = NULL;
        assert_int_equal(heap.live, 0);
    }
    attn_set_allocator(NULL, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flattened),        cmocka_unit_test(vocabulary),
        cmocka_unit_test(large_vocabulary), cmocka_unit_test(refused),
        cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
