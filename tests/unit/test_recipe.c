/* Recipes: every type of key, every complaint, and the nearest key. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "io/file.h"
#include "io/recipe.h"

typedef struct settings {
    int64_t layers;
    int64_t seed;
    double dropout;
    double learning_rate;
    bool tied;
    int norm;
    char name[ATTN_KEY_TEXT_SIZE];
} settings;

static const char *const norms[] = {"pre", "post", NULL};

static const attn_key keys[] = {
    {"layers", ATTN_KEY_INT, offsetof(settings, layers), 1, 64, NULL, "encoder layers"},
    {"seed", ATTN_KEY_INT, offsetof(settings, seed), -9.3e18, 9.3e18, NULL, "random seed"},
    {"dropout", ATTN_KEY_REAL, offsetof(settings, dropout), 0, 0.9, NULL, "share set to zero"},
    {"learning_rate", ATTN_KEY_REAL, offsetof(settings, learning_rate), -1e300, 1e300, NULL, ""},
    {"tied", ATTN_KEY_BOOL, offsetof(settings, tied), 0, 0, NULL, "share the embeddings"},
    {"norm", ATTN_KEY_CHOICE, offsetof(settings, norm), 0, 0, norms, "place of the norm"},
    {"name", ATTN_KEY_TEXT, offsetof(settings, name), 0, 0, NULL, "free text"},
};
enum { KEYS = sizeof keys / sizeof *keys };

static const attn_recipe *table_of(settings *values) {
    static attn_recipe table;
    table = (attn_recipe){.values = values};
    attn_recipe_add(&table, keys, KEYS, 0);
    return &table;
}

static attn_status parse(const char *text, settings *out, attn_error *error) {
    return attn_recipe_parse(table_of(out), text, strlen(text), "recipe", error);
}

static void assert_flaw(const char *text, int64_t line, const char *what, const char *hint) {
    settings out = {0};
    attn_error error = {0};
    attn_status status = parse(text, &out, &error);
    if (status != ATTN_ERR_FORMAT || error.position != line || strstr(error.what, what) == NULL ||
        strstr(error.hint, hint) == NULL) {
        print_error("%.100s\n gave %d line %d \"%s\" (%s)\n", text, status, (int)error.position,
                    error.what, error.hint);
    }
    assert_int_equal(status, ATTN_ERR_FORMAT);
    assert_int_equal(error.position, line);
    assert_string_equal(error.where, "recipe");
    assert_non_null(strstr(error.what, what));
    assert_non_null(strstr(error.hint, hint));
    assert_int_equal(parse(text, &out, NULL), ATTN_ERR_FORMAT);
}

static void every_type(void **state) {
    (void)state;
    settings out = {.dropout = 0.25};
    attn_error error = {0};
    assert_int_equal(parse("\xEF\xBB\xBF# the base model\n"
                           "  layers = 6\r\n"
                           "\n"
                           "; another comment, with [brackets] and no equals sign\n"
                           "learning_rate=5e-4 ; inline\n"
                           "tied = yes\n"
                           "norm = post\n"
                           "\tname = d\xC3\xA9j\xC3\xA0 vu: 1 = 2\n"
                           "seed = -9223372036854775808",
                           &out, &error),
                     ATTN_OK);
    assert_int_equal(out.layers, 6);
    assert_true(out.learning_rate == 5e-4);
    assert_true(out.tied);
    assert_int_equal(out.norm, 1);
    assert_string_equal(out.name, "d\xC3\xA9j\xC3\xA0 vu: 1 = 2");
    assert_true(out.seed == INT64_MIN);
    assert_true(out.dropout == 0.25); /* not mentioned, not changed */
    assert_int_equal(parse("", &out, NULL), ATTN_OK);
    assert_int_equal(parse("\n\n#", &out, NULL), ATTN_OK);
    assert_int_equal(parse("name =", &out, NULL), ATTN_OK);
    assert_string_equal(out.name, "");
}

static void long_comments(void **state) {
    (void)state;
    char text[5000];
    settings out = {0};
    memset(text, 'c', sizeof text);
    text[0] = '#';
    strcpy(text + sizeof text - 20, "\nlayers = 3\n");
    assert_int_equal(parse(text, &out, NULL), ATTN_OK);
    assert_int_equal(out.layers, 3);
}

static void unknown_keys(void **state) {
    (void)state;
    assert_flaw("layers = 1\nlayer = 6", 2, "unknown key layer", "did you mean layers?");
    assert_flaw("learning-rate = 1", 1, "unknown key", "did you mean learning_rate?");
    assert_flaw("Dropout = 0", 1, "unknown key", "did you mean dropout?");
    assert_flaw("dorpout = 0", 1, "unknown key", "did you mean dropout?");
    assert_flaw("warmup = 1", 1, "unknown key warmup", "known are: layers seed");
    assert_flaw("= 1", 1, "unknown key", "known are");
    assert_flaw("\x1b[2J = 1", 1, "unknown key ?[2J", "");
}

static void wrong_values(void **state) {
    (void)state;
    assert_flaw("\n\nlayers = six", 3, "layers = six: expected a whole number", "encoder layers");
    assert_flaw("layers = 6.0", 1, "a whole number", "");
    assert_flaw("layers = 1e1", 1, "a whole number", "");
    assert_flaw("layers = 0x6", 1, "a whole number", "");
    assert_flaw("layers = 6 7", 1, "a whole number", "");
    assert_flaw("layers = -", 1, "a whole number", "");
    assert_flaw("layers =", 1, "a whole number", "");
    assert_flaw("layers = 0", 1, "a whole number in 1 .. 64", "");
    assert_flaw("layers = 65", 1, "a whole number in 1 .. 64", "");
    assert_flaw("layers = 99999999999999999999", 1, "a whole number in 1 .. 64", "");
    assert_flaw("seed = 9223372036854775808", 1, "a whole number in", "");
    assert_flaw("seed = -9223372036854775809", 1, "a whole number in", "");
    assert_flaw("dropout = 0.91", 1, "a number in 0 .. 0.9", "share");
    assert_flaw("dropout = -0.01", 1, "a number in 0 .. 0.9", "");
    assert_flaw("dropout = 1e999", 1, "a number in 0 .. 0.9", "");
    assert_flaw("dropout = nan", 1, "a number such as", "");
    assert_flaw("dropout = inf", 1, "a number such as", "");
    assert_flaw("dropout = 0x1p-3", 1, "a number such as", "");
    assert_flaw("dropout = 0,1", 1, "a number such as", "");
    assert_flaw("dropout = .", 1, "a number such as", "");
    assert_flaw("dropout = 1e", 1, "a number such as", "");
    assert_flaw("dropout = 1e+", 1, "a number such as", "");
    assert_flaw("dropout = 0.1f", 1, "a number such as", "");
    assert_flaw("tied = maybe", 1, "true or false", "");
    assert_flaw("norm = pots", 1, "one of pre, post", "did you mean post?");
    assert_flaw("norm = somewhere", 1, "one of pre, post", "place of the norm");
    assert_flaw("name = a\tb", 1, "control characters", "");
}

static void wrong_lines(void **state) {
    (void)state;
    assert_flaw("layers = 1\nseed = 1\nlayers = 1", 3, "layers is given twice", "");
    assert_flaw("[model]\nlayers = 1", 1, "no sections", "remove");
    assert_flaw("layers = 1\n  [model]", 2, "no sections", "remove");
    assert_flaw("layers 6", 1, "no '='", "key = value");
    assert_flaw("layers = 1\n  6\n", 2, "no '='", "");
    assert_flaw("name = \xFF\xFE", 1, "UTF-8", "");
    assert_flaw("# \xC3\xA9\nname = caf\xE9", 2, "UTF-8", "");
    char text[400] = "name = ";
    memset(text + 7, 'x', 128);
    assert_flaw(text, 1, "at most 127 bytes", "");
    memset(text + 7, 'x', 190);
    assert_flaw(text, 1, "longer than 190 bytes", "");
    settings out = {0};
    attn_error error = {0};
    assert_int_equal(attn_recipe_parse(table_of(&out), "layers = 6\0", 11, "recipe", &error),
                     ATTN_ERR_FORMAT);
    assert_int_equal(error.position, 1);
}

static void one_at_a_time(void **state) {
    (void)state;
    settings out = {0};
    attn_error error = {0};
    assert_int_equal(attn_recipe_set_pair(table_of(&out), "layers=12", &error), ATTN_OK);
    assert_int_equal(out.layers, 12);
    assert_int_equal(attn_recipe_set_pair(table_of(&out), "name=a=b", &error), ATTN_OK);
    assert_string_equal(out.name, "a=b");
    assert_int_equal(attn_recipe_set_pair(table_of(&out), "dropout=+.5", &error), ATTN_OK);
    assert_true(out.dropout == 0.5);
    static const char *const wrong[] = {"layers", "=1", "", "layer=1", "layers=x", "layers=0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(attn_recipe_set_pair(table_of(&out), wrong[i], &error), ATTN_ERR_ARGUMENT);
        assert_int_equal(error.status, ATTN_ERR_ARGUMENT);
        assert_string_equal(error.where, "--set");
        assert_int_equal(attn_recipe_set_pair(table_of(&out), wrong[i], NULL), ATTN_ERR_ARGUMENT);
    }
    char pair[500] = "dropout=";
    memset(pair + 8, '1', 400);
    assert_int_equal(attn_recipe_set_pair(table_of(&out), pair, &error), ATTN_ERR_ARGUMENT);
    memset(pair, 'k', 400);
    assert_int_equal(attn_recipe_set_pair(table_of(&out), pair, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(out.layers, 12);
}

static void assert_prints(const settings *in, size_t key, const char *text) {
    char buffer[ATTN_KEY_TEXT_SIZE];
    attn_recipe_print(&keys[key], in, buffer, sizeof buffer);
    assert_string_equal(buffer, text);
}

static void printing(void **state) {
    (void)state;
    settings in = {6, INT64_MIN, 0.1, 5e-4, true, 1, "text"};
    assert_prints(&in, 0, "6");
    assert_prints(&in, 1, "-9223372036854775808");
    assert_prints(&in, 2, "0.1");
    assert_prints(&in, 3, "0.0005");
    assert_prints(&in, 4, "true");
    assert_prints(&in, 5, "post");
    assert_prints(&in, 6, "text");
    char cut[3];
    attn_recipe_print(&keys[6], &in, cut, sizeof cut);
    assert_string_equal(cut, "te");
    attn_random random = attn_random_start(3);
    for (int i = 0; i < 10000; i++) {
        settings out = {0};
        char buffer[64];
        uint64_t bits = (uint64_t)attn_random_u32(&random) << 32 | attn_random_u32(&random);
        memcpy(&in.learning_rate, &bits, sizeof bits);
        if (!isfinite(in.learning_rate) || fabs(in.learning_rate) > 1e300) {
            continue;
        }
        attn_recipe_print(&keys[3], &in, buffer, sizeof buffer);
        assert_int_equal(attn_recipe_set(table_of(&out), "learning_rate", buffer, "", -1, NULL),
                         ATTN_OK);
        assert_true(out.learning_rate == in.learning_rate);
    }
}

/* A German user's machine reads and writes the same recipes. */
static void any_locale(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    const char *found = NULL;
    for (size_t i = 0; i < 4 && found == NULL; i++) {
        found = setlocale(LC_NUMERIC, names[i]);
    }
    if (found == NULL) {
        skip();
    }
    settings out = {0};
    attn_status status = parse("dropout = 0.25\nlearning_rate = 1.5e-3", &out, NULL);
    char buffer[64];
    attn_recipe_print(&keys[3], &out, buffer, sizeof buffer);
    setlocale(LC_NUMERIC, "C");
    assert_int_equal(status, ATTN_OK);
    assert_true(out.dropout == 0.25 && out.learning_rate == 1.5e-3);
    assert_string_equal(buffer, "0.0015");
}

static void nearest(void **state) {
    (void)state;
    static const char *const names[] = {"translate", "train", "show", "eval"};
    assert_string_equal(attn_nearest("tranlsate", names, 4), "translate");
    assert_string_equal(attn_nearest("trian", names, 4), "train");
    assert_string_equal(attn_nearest("TRAIN", names, 4), "train");
    assert_string_equal(attn_nearest("sho", names, 4), "show");
    assert_null(attn_nearest("quantize", names, 4));
    assert_null(attn_nearest("x", names, 4));
    assert_null(attn_nearest("", names, 4));
    assert_null(attn_nearest("train", names, 0));
    char name[200];
    memset(name, 't', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(attn_nearest(name, names, 4));
}

static void files(void **state) {
    (void)state;
    char path[] = "/tmp/attn-test-recipe-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    const attn_bytes text[] = {{"layers = 2\nnorm = pst\n", 22}};
    assert_int_equal(attn_file_replace(path, text, 1, NULL), ATTN_OK);
    settings out = {0};
    attn_error error = {0};
    attn_status status = attn_recipe_read(table_of(&out), path, &error);
    unlink(path);
    assert_int_equal(status, ATTN_ERR_FORMAT);
    assert_string_equal(error.where, path);
    assert_int_equal(error.position, 2);
    assert_int_equal(out.layers, 2);
    assert_int_equal(attn_recipe_read(table_of(&out), "/nonexistent", &error), ATTN_ERR_IO);
    assert_int_equal(attn_recipe_read(table_of(&out), "/dev/zero", &error), ATTN_ERR_FORMAT);
}

static void *allocate_nothing(size_t size, void *context) {
    (void)size;
    (void)context;
    return NULL;
}

static void release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

static void needs_no_memory(void **state) {
    (void)state;
    settings out = {0};
    attn_set_allocator(allocate_nothing, release, NULL);
    attn_status whole = parse("layers = 6", &out, NULL);
    attn_status unknown = attn_recipe_set(table_of(&out), "layer", "6", "", -1, NULL);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(whole, ATTN_OK);
    assert_int_equal(out.layers, 6);
    assert_int_equal(unknown, ATTN_ERR_FORMAT);
}

/* Parts are joined in order, each with its offsets in a member of its own. */
static void joined_tables(void **state) {
    (void)state;
    struct {
        settings first, second;
    } both = {{0}, {0}};
    attn_recipe table = {.values = &both};
    attn_error error;
    attn_recipe_add(&table, keys, 2, 0);
    attn_recipe_add(&table, keys + 2, KEYS - 2, offsetof(__typeof__(both), second));
    assert_int_equal(table.count, KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        assert_string_equal(table.keys[i].name, keys[i].name);
    }
    assert_int_equal(attn_recipe_set(&table, "layers", "6", "", -1, &error), ATTN_OK);
    assert_int_equal(attn_recipe_set(&table, "learning_rate", "0.5", "", -1, &error), ATTN_OK);
    assert_true(both.first.layers + both.second.layers == 6);
    assert_true(both.first.learning_rate == 0 && both.second.learning_rate == 0.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),      cmocka_unit_test(long_comments),
        cmocka_unit_test(unknown_keys),    cmocka_unit_test(wrong_values),
        cmocka_unit_test(wrong_lines),     cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(printing),        cmocka_unit_test(any_locale),
        cmocka_unit_test(nearest),         cmocka_unit_test(files),
        cmocka_unit_test(needs_no_memory), cmocka_unit_test(joined_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
