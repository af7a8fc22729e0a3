/* tests/cli/test_explain.c: the five steps are the model's own, and `attn explain` says so.
 *
 * The model is a tiny one with random weights and a tokenizer trained on generated sentences. */
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

#include "attn/attention.h"
#include "show/explain.h"
#include "show/terminal.h"
#include "show/words.h"
#include "support/sentences.h"
#include "support/tiny_translator.h"

enum { PIECES = 120 };

static char model_path[64];
static attn_tokenizer *tokenizer;

static attn_translator_config config_of(bool pre_norm) {
    attn_translator_config config = tiny_config();
    config.vocabulary = PIECES;
    config.pre_norm = pre_norm;
    return config;
}

static int set_up(void **unused) {
    (void)unused;
    char text[64];
    const char *files[] = {text};
    attn_error error = {0};
    sentences_generate(text, 0);
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "identity",
                                      .elisions = "",
                                      .vocabulary = PIECES,
                                      .threads = 1};
    assert_int_equal(attn_tokenizer_train(files, 1, &options, &tokenizer, &error), ATTN_OK);
    unlink(text);
    sentences_write(model_path, "", 0);
    attn_translator_config config = config_of(false);
    attn_translator *model = tiny_translator(&config, false);
    size_t size;
    const void *bytes = attn_tokenizer_bytes(tokenizer, &size);
    assert_int_equal(
        attn_translator_save(model, ATTN_STORE_F32, bytes, size, NULL, 0, model_path, &error),
        ATTN_OK);
    attn_translator_free(model);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    attn_tokenizer_free(tokenizer);
    return unlink(model_path);
}

/* ---- the numbers ---- */

static const int32_t source[] = {7, 30, 5, 5, 90, 61, 3};
static const int32_t target[] = {2, 9, 80, 17, 4};
enum { SOURCE = sizeof source / sizeof source[0], TARGET = sizeof target / sizeof target[0] };

static void assert_consistent(const attn_explain_steps *s, const attn_explain_shape *n,
                              const attn_real *own) {
    double sum = 0;
    for (int64_t j = 0; j < n->keys; j++) {
        double score = 0;
        for (int64_t d = 0; d < n->head_size && j < s->visible; d++) {
            score += s->query[d] * s->keys[j * n->head_size + d];
        }
        double bias = s->distance_bias != NULL ? s->distance_bias[j] : 0;
        assert_true(fabs(score - s->scores[j]) < 1e-9);
        assert_true(fabs(score / sqrt((double)n->head_size) + bias - s->scaled[j]) < 1e-9);
        assert_true(fabs(s->weights[j] - (double)own[j]) < 1e-5);
        assert_true(j < s->visible || s->weights[j] == 0.0);
        sum += s->weights[j];
    }
    assert_true(fabs(sum - 1) < 1e-12);
    for (int64_t d = 0; d < n->head_size; d++) {
        double mixed = 0;
        for (int64_t j = 0; j < n->keys; j++) {
            mixed += s->weights[j] * s->values[j * n->head_size + d];
        }
        assert_true(fabs(mixed - s->output[d]) < 1e-9);
        assert_true(s->joined[s->head * n->head_size + d] == s->output[d]);
    }
    assert_true(s->difference > 0 && s->difference < 1e-4);
}

static void walk_part(attn_explain *explain, attn_translator_part part) {
    attn_explain_shape n = attn_explain_get_shape(explain, part);
    attn_real weights[4 * SOURCE * SOURCE];
    attn_explain_steps steps;
    attn_error error = {0};
    assert_int_equal(n.queries, part == ATTN_PART_ENCODER ? SOURCE : TARGET);
    assert_int_equal(n.keys, part == ATTN_PART_DECODER ? TARGET : SOURCE);
    for (int64_t layer = 0; layer < n.layers; layer++) {
        assert_int_equal(attn_explain_weights(explain, part, layer, weights, &error), ATTN_OK);
        for (int64_t i = 0; i < n.heads * n.queries; i++) {
            assert_int_equal(attn_explain_get_steps(explain, part, layer, i / n.queries,
                                                    i % n.queries, &steps, &error),
                             ATTN_OK);
            assert_int_equal(steps.visible, part == ATTN_PART_DECODER ? i % n.queries + 1 : n.keys);
            assert_consistent(&steps, &n, weights + i * n.keys);
        }
    }
    const int64_t bad[][3] = {{n.layers, 0, 0}, {0, n.heads, 0}, {0, 0, n.queries}, {-1, 0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(
            attn_explain_get_steps(explain, part, bad[i][0], bad[i][1], bad[i][2], &steps, &error),
            ATTN_ERR_ARGUMENT);
    }
}

/* Of query q and key j of head h, what the table of that side adds. */
static void assert_bias(const attn_translator *model, attn_explain *explain,
                        attn_translator_part part) {
    attn_explain_layer l;
    attn_error error = {0};
    assert_int_equal(attn_explain_get_layer(explain, part, 1, &l, &error), ATTN_OK);
    assert_true(l.relative);
    if (part == ATTN_PART_CROSS) {
        assert_null(l.distance_bias);
        return;
    }
    bool encoder = part == ATTN_PART_ENCODER;
    const attn_param *table = attn_params_find(attn_translator_params(model),
                                               encoder ? "encoder.relative" : "decoder.relative");
    int64_t queries = l.shape.queries, keys = l.shape.keys;
    for (int64_t i = 0; i < l.shape.heads * queries * keys; i++) {
        int64_t h = i / (queries * keys), q = i / keys % queries, j = i % keys;
        int64_t bucket = attn_attention_bucket(j - q, encoder, 6, 5);
        double expected = l.causal && j > q ? 0 : (double)table->data[bucket * l.shape.heads + h];
        assert_true(l.distance_bias[i] == expected);
    }
}

static void test_steps_are_the_models(void **unused) {
    (void)unused;
    for (int kind = 0; kind < 3; kind++) {
        attn_translator_config config = config_of(kind > 0);
        if (kind == 2) {
            config.relative = true;
            config.relative_buckets = 6;
            config.relative_distance = 5;
        }
        attn_translator *model = tiny_translator(&config, false);
        attn_explain *explain = NULL;
        attn_error error = {0};
        assert_int_equal(
            attn_explain_create(model, source, SOURCE, target, TARGET, &explain, &error), ATTN_OK);
        for (int part = ATTN_PART_ENCODER; part <= ATTN_PART_CROSS; part++) {
            walk_part(explain, (attn_translator_part)part);
            if (kind == 2) {
                assert_bias(model, explain, (attn_translator_part)part);
            }
        }
        attn_explain_free(explain);
        attn_translator_free(model);
    }
}

/* The steps are held to what the model computed: other weights than those it ran with are noticed,
 * whichever step they belong to. */
static void test_other_weights_are_noticed(void **unused) {
    (void)unused;
    static const char *const tensors[] = {"query.weight", "query.bias",   "key.weight",
                                          "value.bias",   "value.weight", "output.weight",
                                          "output.bias"};
    attn_translator_config config = config_of(true);
    attn_translator *model = tiny_translator(&config, false);
    attn_explain *explain = NULL;
    attn_explain_steps steps;
    attn_error error = {0};
    assert_int_equal(attn_explain_create(model, source, SOURCE, target, TARGET, &explain, &error),
                     ATTN_OK);
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "decoder.1.cross.%s", tensors[i]);
        attn_real *first = attn_params_find(attn_translator_params(model), name)->data;
        attn_real before = *first;
        *first += 0.5F;
        assert_int_equal(attn_explain_get_steps(explain, ATTN_PART_CROSS, 1, 0, 2, &steps, &error),
                         ATTN_ERR_NUMERIC);
        *first = before;
    }
    assert_int_equal(attn_explain_get_steps(explain, ATTN_PART_CROSS, 1, 0, 2, &steps, &error),
                     ATTN_OK);
    attn_explain_free(explain);
    attn_translator_free(model);
}

/* What was not computed, and weights that are not there, are refused. */
static void test_what_is_missing(void **unused) {
    (void)unused;
    attn_translator *model = NULL;
    attn_explain *explain = NULL;
    attn_explain_layer layer;
    attn_error error = {0};
    attn_real weights[4 * SOURCE * SOURCE];
    assert_int_equal(
        attn_translator_load(model_path, false, ATTN_COMPUTE_F32, &model, NULL, NULL, &error),
        ATTN_OK);
    assert_int_equal(attn_explain_create(model, source, SOURCE, NULL, 0, &explain, &error),
                     ATTN_OK);
    assert_int_equal(attn_explain_weights(explain, ATTN_PART_ENCODER, 0, weights, &error), ATTN_OK);
    assert_int_equal(attn_explain_weights(explain, ATTN_PART_CROSS, 0, weights, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(
        strstr(error.what, "no attention was recorded for layer 1 of the cross attention"));
    assert_int_equal(attn_explain_get_layer(explain, ATTN_PART_DECODER, 0, &layer, &error),
                     ATTN_ERR_ARGUMENT);
    attn_explain_free(explain);
    attn_translator_free(model);
    assert_int_equal(
        attn_translator_load_packed(model_path, ATTN_COMPUTE_F32, &model, NULL, NULL, &error),
        ATTN_OK);
    assert_int_equal(attn_explain_create(model, source, SOURCE, target, TARGET, &explain, &error),
                     ATTN_OK);
    assert_int_equal(attn_explain_get_layer(explain, ATTN_PART_CROSS, 0, &layer, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "only packed weights"));
    attn_explain_free(explain);
    attn_translator_free(model);
}

static void test_lengths(void **unused) {
    (void)unused;
    static int32_t ids[TINY_LONGEST + 1];
    attn_translator_config config = config_of(true);
    attn_translator *model = tiny_translator(&config, false);
    attn_explain *explain = NULL;
    attn_error error = {0};
    assert_int_equal(attn_explain_create(model, ids, TINY_LONGEST + 1, NULL, 0, &explain, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_explain_create(model, ids, 0, NULL, 0, &explain, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_explain_create(model, ids, 1, ids, TINY_LONGEST + 1, &explain, &error),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_explain_create(model, ids, TINY_LONGEST, NULL, 0, &explain, &error),
                     ATTN_OK);
    attn_explain_free(explain);
    attn_translator_free(model);
}

/* ---- words ---- */

static attn_words words_of(const char *text) {
    int32_t *ids = NULL;
    size_t count = 0;
    attn_words words;
    attn_error error = {0};
    assert_int_equal(attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, &error),
                     ATTN_OK);
    ids = realloc(ids, (count + 1) * sizeof *ids);
    ids[count] = ATTN_EOS;
    assert_int_equal(attn_words_create(tokenizer, ids, (int64_t)count + 1, &words, &error),
                     ATTN_OK);
    free(ids);
    return words;
}

static void test_words(void **unused) {
    (void)unused;
    static const char *const expected[] = {"The", "elephant", "sees", "the", "river",
                                           ",",   "number",   "7",    ".",   "</s>"};
    attn_words words = words_of("The elephant sees the river, number 7.");
    assert_int_equal(words.count, 10);
    int64_t pieces = 0;
    for (int64_t i = 0; i < words.count; i++) {
        assert_string_equal(words.word[i].text, expected[i]);
        assert_int_equal(words.word[i].first, pieces);
        assert_int_equal(words.word[i].mark, strlen(expected[i]) == 1 ? i != 7 : i == 9);
        pieces += words.word[i].count;
    }
    assert_int_equal(pieces, words.pieces);
    assert_true(words.word[1].count > 1); /* never seen in training */
    assert_int_equal(attn_words_find(&words, "the"), 3);
    assert_int_equal(attn_words_find(&words, "THE"), 0);
    assert_int_equal(attn_words_find(&words, "10"), 9);
    assert_int_equal(attn_words_find(&words, "7"), 7);
    assert_int_equal(attn_words_find(&words, "0"), -1);
    assert_int_equal(attn_words_find(&words, "11"), -1);
    assert_int_equal(attn_words_find(&words, ""), -1);
    assert_int_equal(attn_words_find(&words, "giraffe"), -1);
    attn_words_free(&words);
}

static void test_merged_weights(void **unused) {
    (void)unused;
    attn_word three[] = {{"a", 0, 1, false}, {"bc", 1, 2, false}, {"d", 3, 1, false}};
    attn_word two[] = {{"xy", 0, 2, false}, {"z", 2, 1, false}};
    attn_words queries = {.word = two, .count = 2, .pieces = 3};
    attn_words keys = {.word = three, .count = 3, .pieces = 4};
    static const attn_real weights[2][3][4] = {
        {{1, 0, 0, 0}, {0, 0.5F, 0.25F, 0.25F}, {0, 0, 0, 1}},
        {{0, 0, 1, 0}, {0, 0.5F, 0.5F, 0}, {0, 1, 0, 0}},
    };
    double merged[2][3];
    attn_words_merge(&queries, &keys, &weights[0][0][0], 2, &merged[0][0]);
    static const double expected[2][3] = {{0.25, 0.6875, 0.0625}, {0, 0.5, 0.5}};
    for (int i = 0; i < 6; i++) {
        assert_true(fabs(merged[i / 3][i % 3] - expected[i / 3][i % 3]) < 1e-12);
    }
}

/* ---- drawing ---- */

static void test_columns(void **unused) {
    (void)unused;
    assert_int_equal(attn_terminal_columns("river"), 5);
    assert_int_equal(attn_terminal_columns("d\xc3\xa9j\xc3\xa0"), 4);
    assert_int_equal(attn_terminal_columns("de\xcc\x81ja\xcc\x80"), 4);     /* combining */
    assert_int_equal(attn_terminal_columns("\xe5\x8b\x95\xe7\x89\xa9"), 4); /* two Han characters */
    assert_int_equal(attn_terminal_columns("\xea\xb0\x80"), 2);             /* a Hangul syllable */
    assert_int_equal(attn_terminal_columns("\xf0\x9f\x98\x80"), 2);         /* an emoji */
    assert_int_equal(attn_terminal_columns("\xe2\x96\x81the"), 4);
    assert_int_equal(attn_terminal_columns("\xff\xfe"), 2); /* not UTF-8 */
    assert_int_equal(attn_terminal_columns(""), 0);
}

/* What a drawing function writes, in a buffer that lives until the next call. */
static FILE *sheet;
static char *sheet_end(void) {
    static char text[4096];
    rewind(sheet);
    text[fread(text, 1, sizeof text - 1, sheet)] = '\0';
    fclose(sheet);
    return text;
}

static attn_terminal sheet_begin(bool color) {
    sheet = tmpfile();
    assert_non_null(sheet);
    attn_terminal terminal;
    attn_terminal_init(&terminal, sheet);
    assert_true(!terminal.color && !terminal.blocks && terminal.width == 80);
    terminal.color = terminal.blocks = color;
    return terminal;
}

static void assert_text(bool blocks, const char *text, int columns, bool right,
                        const char *expected) {
    attn_terminal t = sheet_begin(blocks);
    attn_terminal_text(&t, text, columns, right);
    assert_string_equal(sheet_end(), expected);
}

static void test_text(void **unused) {
    (void)unused;
    assert_text(false, "cat", 5, false, "cat  ");
    assert_text(false, "cat", 5, true, "  cat");
    assert_text(false, "cat", 3, true, "cat");
    assert_text(false, "window", 5, false, "win..");
    assert_text(true, "window", 5, true, "wind\xe2\x80\xa6");
    /* A wide character that would stick out is left out, and the column filled. */
    assert_text(false, "\xe5\x8b\x95\xe7\x89\xa9\xe5\x9b\xad", 5, false, "\xe5\x8b\x95.. ");
    assert_text(false, "a\033[1m\xff", 8, false, "a?[1m?  ");
}

static void test_bars_and_matrix(void **unused) {
    (void)unused;
    attn_terminal t = sheet_begin(false);
    attn_terminal_bar(&t, "cat", 5, 0.25, 0.5, true);
    attn_terminal_bar(&t, "dog", 5, 0.0, 0.5, true);
    assert_string_equal(sheet_end(), "    cat  25.0 %  ####################\n    dog   0.0 %\n");
    t = sheet_begin(true);
    attn_terminal_bar(&t, "cat", 5, 0.5, 0.5, false);
    char *text = sheet_end();
    assert_non_null(strstr(text, "\033["));
    assert_non_null(strstr(text, "\xe2\x96\x88\xe2\x96\x88"));
    static const char *const names[] = {"a", "dog"};
    static const double weights[] = {1, 0, 0.001, 0.25, 0.5, 0.25};
    t = sheet_begin(false);
    attn_terminal_matrix(&t, names, 2, 3, weights);
    assert_string_equal(sheet_end(), "          1  2  3\n   1 a   99  .  .\n   2 dog 25 50 25\n");
    t = sheet_begin(false);
    t.width = 10;
    attn_terminal_matrix(&t, names, 2, 3, weights);
    assert_string_equal(sheet_end(), "   1 a  @  \n   2 dog:+:\n");
}

/* ---- the tool ---- */

/* Runs the tool with these arguments; its output, stderr too where asked, and its exit status. */
static const char *run(const char *arguments, int *status) {
    static char output[1 << 20];
    char command[1024];
    snprintf(command, sizeof command, "ATTN_MODEL=%s '%s' explain %s 2>&1", model_path,
             ATTN_TEST_TOOL, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    *status = WEXITSTATUS(pclose(pipe));
    return output;
}

static void assert_refused(const char *arguments, int expected, const char *says) {
    int status;
    const char *output = run(arguments, &status);
    if (status != expected || strstr(output, says) == NULL || strncmp(output, "attn: ", 6) != 0 ||
        strchr(output, '\n') != output + strlen(output) - 1) {
        fail_msg("explain %s: exit %d: %s", arguments, status, output);
    }
}

static void test_misuse(void **unused) {
    (void)unused;
    assert_refused("--layer 3 'The cat'", 2, "--layer 3: this part has layers 1 to 2");
    assert_refused("--layer 0 'The cat'", 2, "layers 1 to 2");
    assert_refused("--head 5 'The cat'", 2, "--head 5: each layer has heads 1 to 4");
    assert_refused("--token dog 'The cat sees'", 2, "'dog': the words are: 1 The, 2 cat, 3 sees");
    assert_refused("--part middle 'The cat'", 2, "encoder, decoder, cross");
    assert_refused("--target x 'The cat'", 2, "--target goes with");
    assert_refused("''", 1, "the sentence is empty");
    assert_refused("\"$(printf 'cat\\377')\"", 1, "the text is not UTF-8");
    assert_refused("--part cross --target '' cat", 1, "the translation is empty");
    assert_refused("-m /nowhere/model 'The cat'", 1, "/nowhere/model");
    assert_refused("", 2, "usage");
}

static void test_text_output(void **unused) {
    (void)unused;
    static const char *const expected[] = {"\"cat\" attends to",
                                           "encoder layer 2 of 2, mean of 4 heads",
                                           "1. Embed and project",
                                           "2. Dot products",
                                           "3. Divide by the root",
                                           "/ sqrt(6)=2.45",
                                           "4. Softmax",
                                           "5. Weighted sum of the values",
                                           "heads joined by the output projection",
                                           "The model's own numbers agree"};
    int status;
    const char *output = run("--token cat --layer 2 'The cat sees the river, number 7.'", &status);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (strstr(output, expected[i]) == NULL) {
            fail_msg("'%s' is missing in: %s", expected[i], output);
        }
    }
    assert_null(strchr(output, '\033'));
    assert_non_null(strstr(run("--head 3 'The cat'", &status), "head 3 of 4"));
    assert_non_null(
        strstr(run("--part cross --target 'the river' 'The cat'", &status), "the model looks at"));
    assert_int_equal(status, 0);
    assert_non_null(strstr(run("--part decoder -t the --target 'the river' cat", &status),
                           "later positions are masked"));
    assert_int_equal(status, 0);
}

static void test_json_output(void **unused) {
    (void)unused;
    static const char *const parts[] = {"encoder", "decoder", "cross"};
    for (int part = 0; part < 3; part++) {
        char arguments[128];
        int status;
        snprintf(arguments, sizeof arguments,
                 "--json --layer 1 --part %s 'The cat sees the \xe5\x8b\x95.'", parts[part]);
        json_error_t where;
        json_t *all = json_loads(run(arguments, &status), 0, &where);
        assert_int_equal(status, 0);
        assert_non_null(all);
        assert_string_equal(json_string_value(json_object_get(all, "part")), parts[part]);
        assert_int_equal(json_integer_value(json_object_get(all, "layer")), 1);
        json_t *weights = json_object_get(all, "weights"), *steps = json_object_get(all, "steps");
        assert_int_equal(json_array_size(weights), 4);
        size_t queries = json_array_size(json_object_get(all, "query_pieces"));
        size_t keys = json_array_size(json_object_get(all, "key_pieces"));
        json_t *head = json_array_get(weights, 3), *row = json_array_get(head, 0);
        assert_int_equal(json_array_size(head), queries);
        assert_int_equal(json_array_size(row), keys);
        double sum = 0;
        for (size_t k = 0; k < keys; k++) {
            sum += json_real_value(json_array_get(row, k));
        }
        assert_true(fabs(sum - 1) < 1e-5);
        assert_int_equal(json_array_size(json_object_get(steps, "embedding")), 24);
        assert_int_equal(json_array_size(json_object_get(steps, "keys")), keys);
        assert_true(json_real_value(json_object_get(steps, "difference")) < 1e-4);
        assert_true(json_is_string(json_object_get(all, "target")) == (part != 0));
        json_decref(all);
    }
}

static double logarithm(json_t *all, const char *text, const char *name) {
    return json_real_value(json_object_get(json_object_get(all, text), name));
}

/* Silencing all that reaches the source changes the score; an edit of a word that is not there does nothing. */
static void test_interventions(void **unused) {
    (void)unused;
    static const struct {
        const char *arguments;
        bool changes;
    } runs[] = {
        {"--mask 1.1 --target 'the river' cat", true},
        {"--mask 1.1,2.* --target 'the river' cat", true},
        {"--part cross --mask 2.* --target 'the river' cat", true},
        {"--part decoder --mask 1.1,1.2,1.3,1.4 --token the --target 'the river' cat", true},
        {"--force river --token cat --target 'the river' 'cat sees river'", true},
        {"--part cross --force cat --layer 2 --head 1 --target 'the river' 'cat sees'", true},
        {"--part decoder --force river --token the --target 'the river' cat",
         true}, /* not yet seen: 0 */
        {"--part decoder --force '<s>' --token '<s>' --target 'the river' cat",
         false}, /* sees it alone */
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        char arguments[160];
        int status;
        snprintf(arguments, sizeof arguments, "--raw --json %s", runs[i].arguments);
        const char *output = run(arguments, &status);
        json_t *all = json_loads(output, 0, NULL);
        if (status != 0 || all == NULL) {
            fail_msg("%s: %s", arguments, output);
        }
        double plain = logarithm(all, "before", "log_probability");
        double edited = logarithm(all, "before", "log_probability_edited");
        if ((plain != edited) != runs[i].changes) {
            fail_msg("%s: %g and %g", arguments, plain, edited);
        }
        assert_true(json_is_string(json_object_get(json_object_get(all, "after"), "text")));
        json_decref(all);
    }
    assert_refused("--mask 3.1 cat", 1, "'3.1' names no heads of layers 1 to 2 with heads 1 to 4");
    assert_refused("--mask 1.5 cat", 1, "'1.5'");
    assert_refused("--mask 1 cat", 1, "LAYER.HEAD");
    assert_refused("--mask 1.1, cat", 1, "LAYER.HEAD");
    assert_refused("--mask 0.1 cat", 1, "'0.1'");
    assert_refused("--raw --force dog 'The cat'", 2, "--force 'dog': the words are: 1 The, 2 cat");
    assert_refused("--raw --force cat --token dog 'The cat'", 2, "--token 'dog'");
    int status;
    const char *output = run("--mask 1.1 --token cat 'The cat sees'", &status);
    assert_non_null(strstr(output, "before  "));
    assert_non_null(strstr(output, "with the intervention"));
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_the_models),
        cmocka_unit_test(test_other_weights_are_noticed),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_merged_weights),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_bars_and_matrix),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_text_output),
        cmocka_unit_test(test_json_output),
        cmocka_unit_test(test_interventions),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
