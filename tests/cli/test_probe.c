/* tests/cli/test_probe.c: the counts of a probe, the gradient of attention's weights, and `attn probe`. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "pipeline/model.h"
#include "pipeline/pair.h"
#include "show/measures.h"
#include "show/probe.h"
#include "show/relevance.h"
#include "support/sentences.h"
#include "support/tiny_translator.h"

/* ---- counting ---- */

static void test_choosing(void **unused) {
    (void)unused;
    static const double row[] = {0.1, 0.5, 0.2, 0.2};
    static const int64_t others[] = {0, 2}, better[] = {1}, equal[] = {3};
    attn_probe_count count = {0};
    attn_probe_choose(&count, row, 1, others, 2);
    attn_probe_choose(&count, row, 2, better, 1);
    attn_probe_choose(&count, row, 2, equal, 1); /* as much is not more */
    assert_int_equal(count.right, 1);
    assert_int_equal(count.count, 3);
    assert_true(fabs(count.chance - (1.0 / 3 + 0.5 + 0.5)) < 1e-12);
}

static void test_pointing(void **unused) {
    (void)unused;
    static const double row[] = {0.1, 0.5, 0.2, 0.2};
    static const bool first[] = {true, false, false, false}, two[] = {false, true, true, false};
    attn_probe_count count = {0};
    attn_probe_point(&count, row, 4, first);
    assert_int_equal(count.right, 0);
    attn_probe_point(&count, row, 4, two);
    assert_int_equal(count.right, 1);
    assert_int_equal(count.count, 2);
    assert_true(fabs(count.chance - 0.75) < 1e-12);
}

/* Wilson's interval, by hand: 81 of 100; and at the ends. */
static void test_interval(void **unused) {
    (void)unused;
    attn_probe_count count = {81, 100, 50};
    double low, high;
    attn_probe_interval(&count, &low, &high);
    assert_true(fabs(low - 0.7222) < 1e-4 && fabs(high - 0.8749) < 1e-4);
    count = (attn_probe_count){0, 10, 5};
    attn_probe_interval(&count, &low, &high);
    assert_true(low == 0 && fabs(high - 0.2775) < 1e-4);
    count = (attn_probe_count){10, 10, 5};
    attn_probe_interval(&count, &low, &high);
    assert_true(fabs(low - 0.7225) < 1e-4 && high > 1 - 1e-9);
}

/* ---- relevance ---- */

enum { SOURCE = 6, TARGET = 5, MATRIX = 36 };
static const int32_t source[] = {5, 9, 17, 4, 30, 3};
static const int32_t target[] = {2, 8, 12, 12, 20, 3};

static double log_p(attn_translator *model, int64_t token) {
    struct attn_model own = {.translator = model};
    attn_sentence_pair pair = {.source = (int32_t *)source,
                               .source_length = SOURCE,
                               .target = (int32_t *)target,
                               .target_length = TARGET};
    attn_real values[TARGET], *out = values;
    double sum = 0;
    assert_int_equal(attn_sentence_pairs_score(&own, &pair, 1, &out, NULL), ATTN_OK);
    for (int64_t t = 0; t < TARGET; t++) {
        sum += token < 0 || token == t ? (double)values[t] : 0;
    }
    return sum;
}

/* A head forced to one key changes log p, to first order, by sum over k of gradient[k] (1{k = key} - A[k]). Over all
 * heads and places of a part: how the prediction and the change correlate. */
static double correlation(attn_translator *model, attn_relevance *relevance,
                          attn_translator_part part, int64_t token) {
    int64_t queries = part == ATTN_PART_ENCODER ? SOURCE : TARGET;
    int64_t keys = part == ATTN_PART_DECODER ? TARGET : SOURCE;
    attn_explain *explain;
    double sums[5] = {0}, before = log_p(model, token), n = 0;
    assert_int_equal(attn_explain_create(model, source, SOURCE, target, TARGET, &explain, NULL),
                     ATTN_OK);
    for (int64_t layer = 0; layer < 2; layer++) {
        attn_real out[4 * MATRIX], gradients[4 * MATRIX], weights[4 * MATRIX];
        assert_int_equal(attn_relevance_get(relevance, part, layer, out, gradients, NULL), ATTN_OK);
        assert_int_equal(attn_explain_weights(explain, part, layer, weights, NULL), ATTN_OK);
        for (int64_t i = 0; i < 4 * queries * keys; i++) {
            int64_t head = i / (queries * keys), q = i / keys % queries, k = i % keys;
            assert_true(fabs((double)out[i] - fmax(0, (double)weights[i] * (double)gradients[i])) <
                        1e-5);
            if (part == ATTN_PART_DECODER && k > q) {
                continue;
            }
            const attn_translator_edit edit = {part, layer, {head, q, 1, k, 1}};
            attn_translator *edited;
            assert_int_equal(attn_translator_edited(model, &edit, 1, &edited, NULL), ATTN_OK);
            double change = log_p(edited, token) - before, predicted = (double)gradients[i];
            attn_translator_free(edited);
            for (int64_t j = 0; j < keys; j++) {
                int64_t at = i - k + j;
                predicted -= (double)weights[at] * (double)gradients[at];
            }
            sums[0] += change;
            sums[1] += predicted;
            sums[2] += change * change;
            sums[3] += predicted * predicted;
            sums[4] += change * predicted;
            n++;
        }
    }
    attn_explain_free(explain);
    return (n * sums[4] - sums[0] * sums[1]) /
           sqrt((n * sums[2] - sums[0] * sums[0]) * (n * sums[3] - sums[1] * sums[1]));
}

static void bias_words(attn_translator *model) {
    attn_param *bias = attn_params_find(attn_translator_params(model), "output.bias");
    for (int64_t v = 0; v < bias->cols; v++) {
        bias->data[v] = v == 15 ? 8 : 0; /* which is written nowhere */
    }
}

static void test_gradient_predicts_edits(void **unused) {
    (void)unused;
    for (int biased = 0; biased < 2; biased++) {
        attn_translator_config config = tiny_config();
        config.pre_norm = true;
        config.output_bias = biased;
        attn_translator *model = tiny_translator(&config, false), *trainable;
        trainable = tiny_translator(&config, true);
        if (biased) {
            bias_words(model);
            bias_words(trainable);
            assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
        }
        attn_relevance *relevance;
        assert_int_equal(attn_relevance_create(trainable, &relevance, NULL), ATTN_OK);
        for (int token = -1; token < TARGET; token += 3) {
            assert_int_equal(
                attn_relevance_run(relevance, source, SOURCE, target, TARGET, token, NULL),
                ATTN_OK);
            for (int part = 0; part < 3; part++) {
                double r = correlation(model, relevance, (attn_translator_part)part, token);
                if (r < (biased ? 0.85 : 0.7)) {
                    fail_msg("bias %d, part %d, token %d: correlation %.3f", biased, part, token,
                             r);
                }
            }
        }
        attn_relevance_free(relevance);
        attn_translator_free(trainable);
        attn_relevance *none = NULL;
        attn_error error = {0};
        assert_int_equal(attn_relevance_create(model, &none, &error), ATTN_ERR_ARGUMENT);
        assert_null(none);
        attn_translator_free(model);
    }
}

/* Chefer's rule by hand: two layers of one head over two tokens. */
static void test_relevance_through_layers(void **unused) {
    (void)unused;
    static const attn_real weights[] = {0, 2, 1, 0, /* layer 1 */ 1, 0, 0, 3 /* layer 2 */};
    static const double expected[] = {2, 4, 4, 4}; /* (I + A2) (I + A1) */
    attn_real out[4];
    assert_int_equal(attn_measure_relevance(weights, 2, 1, 2, out, NULL), ATTN_OK);
    for (int i = 0; i < 4; i++) {
        assert_true((double)out[i] == expected[i]);
    }
    /* One decoder layer that reads nothing of its own: the cross attention's, times the encoder's. */
    static const attn_real none[] = {0, 0, 0, 0}, cross[] = {1, 0, 0, 2}, encoder[] = {1, 1, 0, 1};
    static const double through[] = {1, 1, 0, 2};
    attn_decoder_weights w = {1, 1, 2, 2, none, cross, encoder};
    assert_int_equal(attn_measure_relevance_cross(&w, out, NULL), ATTN_OK);
    for (int i = 0; i < 4; i++) {
        assert_true((double)out[i] == through[i]);
    }
}

/* ---- the tool ---- */

static char model_path[64], set_path[64];

static int set_up(void **unused) {
    (void)unused;
    char text[64];
    const char *files[] = {text};
    attn_tokenizer *tokenizer;
    attn_error error = {0};
    sentences_generate(text, 0);
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "identity",
                                      .elisions = "",
                                      .vocabulary = 120,
                                      .threads = 1};
    assert_int_equal(attn_tokenizer_train(files, 1, &options, &tokenizer, &error), ATTN_OK);
    unlink(text);
    sentences_write(model_path, "", 0);
    sentences_write(set_path, "", 0);
    attn_translator_config config = tiny_config();
    config.vocabulary = 120;
    attn_translator *model = tiny_translator(&config, false);
    size_t size;
    const void *bytes = attn_tokenizer_bytes(tokenizer, &size);
    assert_int_equal(
        attn_translator_save(model, ATTN_STORE_F32, bytes, size, NULL, 0, model_path, &error),
        ATTN_OK);
    attn_translator_free(model);
    attn_tokenizer_free(tokenizer);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    unlink(model_path);
    unlink(set_path);
    return 0;
}

/* `attn probe` over this set; its output with stderr, and its exit status. */
static const char *run(const char *set, const char *arguments, int *status) {
    static char output[1 << 18];
    char command[512];
    FILE *file = fopen(set_path, "w");
    assert_non_null(file);
    fputs(set, file);
    fclose(file);
    snprintf(command, sizeof command, "'%s' probe %s --set %s %s 2>&1", ATTN_TEST_TOOL, model_path,
             set_path, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    *status = WEXITSTATUS(pclose(pipe));
    return output;
}

/* A line and the same with the candidates exchanged: of two answers one is right, whatever the weights. */
#define BOTH_WAYS                                                                                  \
    "# a comment\n\nThe cat sees the river\tsees\tcat\triver\n"                                    \
    "The cat sees the river\tsees\triver\tcat\n"

static void test_both_ways(void **unused) {
    (void)unused;
    int status;
    json_t *all = json_loads(run(BOTH_WAYS, "--json", &status), 0, NULL);
    assert_int_equal(status, 0);
    assert_non_null(all);
    json_t *probes = json_object_get(all, "probes"), *probe, *cell;
    size_t i, k, ties = 0;
    assert_int_equal(json_array_size(probes), 2);
    json_array_foreach(probes, i, probe) {
        json_t *cells = json_object_get(probe, "cells");
        assert_int_equal(json_array_size(cells), 2 * 5 + 1);
        json_array_foreach(cells, k, cell) {
            json_int_t right = json_integer_value(json_object_get(cell, "right"));
            assert_int_equal(json_integer_value(json_object_get(cell, "count")), 2);
            assert_true(json_real_value(json_object_get(cell, "chance")) == 0.5);
            assert_true(right == 1 || right == 0); /* 0: both 0, relevance alone */
            ties += right == 0;
        }
    }
    assert_true(ties < 8);
    json_decref(all);
    const char *output = run(BOTH_WAYS, "", &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(output, "50.0 % (9.5 to 90.5), 1 of 2; chance 50.0 %"));
    for (int part = 1; part < 3; part++) {
        output = run(part == 1 ? "The cat\tsees\tthe\tcat\tthe cat sees\n"
                               : "The cat\tsees\tcat\tThe|</s>\tthe cat sees\n",
                     part == 1 ? "-p decoder" : "-p cross", &status);
        assert_int_equal(status, 0);
        assert_non_null(strstr(output, part == 1 ? "chance 50.0" : "chance 33.3"));
    }
}

/* A sentence of one word: every head looks at it, right or wrong. */
static void test_links(void **unused) {
    (void)unused;
    int status;
    json_t *all =
        json_loads(run("cat\tthe river\t0-0\ncat\tthe\t0?0\n", "--json", &status), 0, NULL);
    assert_int_equal(status, 0);
    assert_string_equal(json_string_value(json_object_get(all, "part")), "cross");
    json_t *cells = json_object_get(json_array_get(json_object_get(all, "probes"), 0), "cells"),
           *cell;
    size_t k;
    assert_int_equal(json_array_size(cells), 2 * 5);
    json_array_foreach(cells, k, cell) {
        assert_int_equal(json_integer_value(json_object_get(cell, "right")), 2);
        assert_int_equal(json_integer_value(json_object_get(cell, "count")), 2);
        assert_true(json_real_value(json_object_get(cell, "chance")) == 1);
    }
    json_decref(all);
    const char *output = run("cat sees\tthe river\t0-1 0-0\ncat sees\tthe\t1-0\n", "", &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(output, "of 3; chance 50.0 %"));
}

static void assert_refused(const char *set, const char *says) {
    int status;
    const char *output = run(set, "", &status);
    if (status != 1 || strstr(output, says) == NULL || strncmp(output, "attn: ", 6) != 0) {
        fail_msg("exit %d: %s", status, output);
    }
}

static void test_refusals(void **unused) {
    (void)unused;
    assert_refused("\n# nothing\n", "the set has no items");
    assert_refused("cat\tthe\t0-0\ncat\tthe\n", "have links");
    assert_refused("cat\tthe\t0-0 x\n", ":1: no word links");
    assert_refused("The cat\tcat\tThe\n", ":1: the line has 3 columns");
    assert_refused("The cat sees\tsees\tcat\tdog\n", ":1: 'dog' is no word");
    assert_refused("\nThe cat sees\tdog\tcat\tThe\n", ":2: 'dog' is no word");
    assert_refused("\tdog\tcat\tThe\n", ":1:");
    int status;
    char path[80];
    snprintf(path, sizeof path, "-o %s.png", set_path);
    (void)run(BOTH_WAYS, path, &status);
    assert_int_equal(status, 0);
    FILE *picture = fopen(path + 3, "rb");
    char head[8] = "";
    assert_non_null(picture);
    assert_int_equal(fread(head, 1, 8, picture), 8);
    assert_memory_equal(head, "\x89PNG", 4);
    fclose(picture);
    unlink(path + 3);
    assert_non_null(strstr(run(BOTH_WAYS, "-o nowhere.txt", &status), "nowhere.txt"));
    assert_int_equal(status, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choosing),
        cmocka_unit_test(test_pointing),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_gradient_predicts_edits),
        cmocka_unit_test(test_relevance_through_layers),
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
