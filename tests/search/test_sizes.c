/* Every struct that a caller fills and a later version may extend is refused, with its name, unless its
 * init was called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attn/attn.h"

static float x[64];

static void refused(attn_status status, const attn_error *error, const char *type) {
    char text[512] = "initialise it with ";
    strcat(strcat(text, type), "_init");
    assert_int_equal(status, ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error->what, text));
}

static void structs_of_attention(void **state) {
    (void)state;
    attn_error error;
    attn_attention none, good;
    attn_attention_gradients gradients;
    attn_weight_statistics wanted;
    attn_plan plan;
    memset(&none, 0, sizeof none);
    memset(&gradients, 0, sizeof gradients);
    memset(&wanted, 0, sizeof wanted);
    memset(&plan, 0, sizeof plan);
    attn_attention_init(&good, 1, 1, 1, 2, 2, 2, 2);
    assert_int_equal(good.size, sizeof good);
    refused(attn_attention_check(&none, &error), &error, "attn_attention");
    refused(attn_attention_forward(&none, x, x, x, x, x, &error), &error, "attn_attention");
    refused(attn_attention_weights(&none, x, x, x, x, x, &error), &error, "attn_attention");
    refused(attn_attention_statistics(&none, x, x, x, &wanted, &error), &error, "attn_attention");
    refused(attn_attention_statistics(&good, x, x, x, &wanted, &error), &error,
            "attn_weight_statistics");
    refused(attn_attention_plan(&good, false, &plan, &error), &error, "attn_plan");
    refused(attn_attention_backward(&good, x, x, x, x, x, x, &gradients, &error), &error,
            "attn_attention_gradients");
    attn_attention_gradients_init(&gradients);
    attn_weight_statistics_init(&wanted);
    attn_plan_init(&plan);
    assert_int_equal(attn_attention_statistics(&good, x, x, x, &wanted, &error), ATTN_OK);
    assert_int_equal(attn_attention_plan(&good, true, &plan, &error), ATTN_OK);
    assert_int_equal(attn_attention_backward(&good, x, x, x, x, x, x, &gradients, &error), ATTN_OK);
}

static void structs_of_caches(void **state) {
    (void)state;
    attn_error error;
    attn_cache *cache;
    attn_cache_config config;
    attn_cache_attention attention;
    memset(&config, 0, sizeof config);
    memset(&attention, 0, sizeof attention);
    refused(attn_cache_create(&config, &cache, &error), &error, "attn_cache_config");
    attn_cache_config_init(&config);
    config.kv_heads = 1;
    config.head_size = config.value_size = 4;
    assert_int_equal(attn_cache_create(&config, &cache, &error), ATTN_OK);
    refused(attn_cache_attend(cache, &attention, &error), &error, "attn_cache_attention");
    attn_cache_attention_init(&attention, cache, 0, 1);
    assert_int_equal(attn_cache_attend(cache, &attention, &error), ATTN_OK);
    attn_cache_free(cache);
}

static void structs_of_products(void **state) {
    (void)state;
    attn_error error;
    attn_matmul product;
    attn_matmul_i8 integers;
    memset(&product, 0, sizeof product);
    memset(&integers, 0, sizeof integers);
    refused(attn_matmul_run(&product, &error), &error, "attn_matmul");
    refused(attn_matmul_i8_run(&integers, &error), &error, "attn_matmul_i8");
    attn_matmul_init(&product);
    attn_matmul_i8_init(&integers);
    assert_int_equal(attn_matmul_run(&product, &error), ATTN_OK);
    assert_int_equal(attn_matmul_i8_run(&integers, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.what, "weights is NULL");
}

static void structs_of_models(void **state) {
    (void)state;
    attn_error error;
    attn_translator_config translator;
    attn_segmenter_config segmenter;
    attn_translator *model;
    attn_segmenter *pictures;
    attn_decoder_config decoder;
    attn_decoder *alone;
    memset(&translator, 0, sizeof translator);
    memset(&segmenter, 0xFF, sizeof segmenter);
    memset(&decoder, 0, sizeof decoder);
    refused(attn_translator_config_check(&translator, &error), &error, "attn_translator_config");
    refused(attn_translator_create(&translator, false, &model, &error), &error,
            "attn_translator_config");
    refused(attn_segmenter_create(&segmenter, false, &pictures, &error), &error,
            "attn_segmenter_config");
    refused(attn_decoder_create(&decoder, &alone, &error), &error, "attn_decoder_config");
}

static void options_of_a_generation(void **state) {
    (void)state;
    attn_error error;
    attn_decoder_config config;
    attn_decoder *model;
    attn_generate_options options;
    attn_continuation continuation;
    const int32_t ids[] = {3};
    const int64_t starts[] = {0, 1};
    attn_decoder_config_init(&config);
    config.vocabulary = config.d_model = config.ffn = 8;
    config.heads = config.kv_heads = config.layers = 1;
    assert_int_equal(attn_decoder_create(&config, &model, &error), ATTN_OK);
    memset(&options, 0, sizeof options);
    refused(attn_generate(model, 1, ids, starts, NULL, &options, &continuation, &error), &error,
            "attn_generate_options");
    attn_continuations_free(&continuation, 1);
    attn_decoder_free(model);
}

static void options_of_a_search(void **state) {
    (void)state;
    attn_error error;
    attn_translator_config config;
    attn_translator *model;
    attn_search_options options;
    attn_search_result result;
    const int32_t source[] = {3};
    const int64_t starts[] = {0, 1};
    attn_translator_config_init(&config);
    config.vocabulary = 8;
    config.d_model = config.ffn = 8;
    config.heads = config.kv_heads = 1;
    config.encoder_layers = config.decoder_layers = 1;
    assert_int_equal(attn_translator_create(&config, false, &model, &error), ATTN_OK);
    memset(&options, 0, sizeof options);
    refused(attn_search(model, 1, source, starts, NULL, &options, &result, &error), &error,
            "attn_search_options");
    attn_search_results_free(&result, 1);
    attn_translator_free(model);
}

static void labels_of_pixels(void **state) {
    (void)state;
    attn_error error;
    attn_tape *tape;
    attn_pixel_labels labels;
    double loss = 0, nll = 0;
    memset(&labels, 0, sizeof labels);
    assert_int_equal(attn_tape_create(&tape, &error), ATTN_OK);
    attn_tape_begin(tape, false, 0, 0);
    attn_layer_pixel_loss(tape, attn_tape_tensor(tape, 1, 2), &labels, 1, &loss, &nll);
    refused(attn_tape_check(tape, &error), &error, "attn_pixel_labels");
    attn_tape_free(tape);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structs_of_attention), cmocka_unit_test(structs_of_caches),
        cmocka_unit_test(structs_of_products),  cmocka_unit_test(structs_of_models),
        cmocka_unit_test(options_of_a_search),  cmocka_unit_test(options_of_a_generation),
        cmocka_unit_test(labels_of_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
