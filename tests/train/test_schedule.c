/* The learning rate at the joints of its parts, and the options that shape it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "train/schedule.h"
#include "train/translator_recipe.h"

static attn_train_options options_of(void) {
    attn_train_options options;
    attn_train_options_init(&options);
    options.learning_rate = 0.005;
    options.warmup_init = 1e-7;
    options.warmup_steps = 2000;
    options.max_steps = 8000;
    return options;
}

static attn_translator_recipe recipe_of(void) {
    attn_translator_recipe recipe;
    attn_translator_recipe_init(&recipe);
    recipe.train = options_of();
    return recipe;
}

static void close_to(double value, double expected) {
    assert_true(fabs(value - expected) <= 1e-12 * fabs(expected));
}

static void warms_up_linearly(void **state) {
    (void)state;
    attn_train_options options = options_of();
    close_to(attn_train_rate(&options, 1), 1e-7 + (0.005 - 1e-7) / 2000);
    close_to(attn_train_rate(&options, 1000), 1e-7 + (0.005 - 1e-7) / 2);
    close_to(attn_train_rate(&options, 2000), 0.005);
}

static void decays_with_the_root(void **state) {
    (void)state;
    attn_train_options options = options_of();
    close_to(attn_train_rate(&options, 8000), 0.0025);
    close_to(attn_train_rate(&options, 4500), 0.005 / 1.5);
    options.schedule = ATTN_SCHEDULE_CONSTANT;
    assert_true(attn_train_rate(&options, 8000) == 0.005);
    assert_true(attn_train_rate(&options, 2001) == 0.005);
}

static void no_warmup_starts_at_the_rate(void **state) {
    (void)state;
    attn_train_options options = options_of();
    options.warmup_steps = 0;
    assert_true(attn_train_rate(&options, 1) == 0.005);
    close_to(attn_train_rate(&options, 4), 0.0025);
}

static void cools_down_to_zero(void **state) {
    (void)state;
    attn_train_options options = options_of();
    options.cooldown_steps = 999;
    double start = attn_train_rate(&options, 7001);
    close_to(start, 0.005 * sqrt(2000.0 / 7001));
    close_to(attn_train_rate(&options, 7501), start / 2);
    close_to(attn_train_rate(&options, 8000), start / 1000);
    assert_true(attn_train_rate(&options, 8001) == 0);
    /* All of the training. */
    options.cooldown_steps = 8000;
    assert_true(attn_train_rate(&options, 1) > attn_train_rate(&options, 2));
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    attn_error error;
    attn_translator_recipe recipe = recipe_of();
    assert_int_equal(attn_translator_recipe_check(&recipe, &error), ATTN_OK);
    recipe.train.cooldown_steps = 8001;
    assert_int_equal(attn_translator_recipe_check(&recipe, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "cooldown_steps");
    recipe = recipe_of();
    recipe.heads = 3;
    assert_int_equal(attn_translator_recipe_check(&recipe, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "heads");
    recipe = recipe_of();
    recipe.kv_heads = 3;
    assert_int_equal(attn_translator_recipe_check(&recipe, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "kv_heads");
    recipe = recipe_of();
    recipe.train.max_steps = recipe.train.max_epochs = recipe.train.patience = 0;
    assert_int_equal(attn_translator_recipe_check(&recipe, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "end"));
    recipe = recipe_of();
    strcpy(recipe.train.licence, "two\nlines");
    assert_int_equal(attn_translator_recipe_check(&recipe, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "licence");
}

/* Every option survives being written and read back. */
static void recipes_read_back(void **state) {
    (void)state;
    attn_translator_recipe recipe = recipe_of(), back;
    recipe.train.learning_rate = 1.0 / 3;
    recipe.norm = ATTN_NORM_POST;
    recipe.train.keep_checkpoint = false;
    strcpy(recipe.train.attribution, "whoever; wrote = it # all");
    attn_recipe table = attn_translator_recipe_table(&recipe);
    attn_recipe read = attn_translator_recipe_table(&back);
    char *text;
    assert_int_equal(attn_recipe_write(&table, &text, NULL), ATTN_OK);
    attn_translator_recipe_init(&back);
    attn_error error;
    assert_int_equal(attn_recipe_parse(&read, text, strlen(text), "text", &error), ATTN_OK);
    assert_memory_equal(&back, &recipe, sizeof recipe);
    assert_int_equal(attn_recipe_same(&table, &read, &error), ATTN_OK);
    attn_free(text);
}

static void only_some_options_may_change(void **state) {
    (void)state;
    attn_error error;
    attn_translator_recipe before = recipe_of(), now = before;
    attn_recipe was = attn_translator_recipe_table(&before);
    attn_recipe is = attn_translator_recipe_table(&now);
    now.train.max_steps = 9000;
    strcpy(now.train.licence, "CC0");
    assert_int_equal(attn_recipe_same(&was, &is, &error), ATTN_OK);
    now.dropout = 0.2;
    assert_int_equal(attn_recipe_same(&was, &is, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.where, "dropout");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warms_up_linearly),
        cmocka_unit_test(decays_with_the_root),
        cmocka_unit_test(no_warmup_starts_at_the_rate),
        cmocka_unit_test(cools_down_to_zero),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(recipes_read_back),
        cmocka_unit_test(only_some_options_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
