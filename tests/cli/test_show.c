/* tests/cli/test_show.c: the document of attention adds up, and `attn show` draws it, prints it, and
 * says what is wrong.
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
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "attn/safetensors.h"
#include "show/canvas.h"
#include "show/document.h"
#include "show/view.h"
#include "support/sentences.h"
#include "support/tiny_translator.h"

enum { PIECES = 120 };
static const char SENTENCE[] = "The elephant sees the river, number 7.";

static char model_path[64], bare_path[64], folder[64];
static attn_tokenizer *tokenizer;
static attn_translator *model;

static attn_translator_config config_of(int64_t longest) {
    attn_translator_config config = tiny_config();
    config.vocabulary = PIECES;
    config.max_length = longest;
    return config;
}

static void save(char path[64], const void *bytes, size_t size) {
    const attn_metadata facts[] = {{"name", "tiny"}, {"source_language", "en"}};
    attn_error error = {0};
    sentences_write(path, "", 0);
    assert_int_equal(
        attn_translator_save(model, ATTN_STORE_F32, bytes, size, facts, 2, path, &error), ATTN_OK);
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
    attn_translator_config config = config_of(TINY_LONGEST);
    model = tiny_translator(&config, false);
    size_t size;
    const void *bytes = attn_tokenizer_bytes(tokenizer, &size);
    save(model_path, bytes, size);
    save(bare_path, NULL, 0);
    strcpy(folder, "/tmp/attn-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **unused) {
    (void)unused;
    char command[96];
    attn_translator_free(model);
    attn_tokenizer_free(tokenizer);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return unlink(model_path) | unlink(bare_path) | system(command);
}

/* ---- the document ---- */

static attn_status make(attn_translator *of, const char *source, const char *target, int64_t repeat,
                        attn_document **out, attn_error *error) {
    const char *texts[] = {source, target};
    int32_t *ids[2];
    int64_t length[2];
    for (int i = 0; i < 2; i++) {
        int32_t *some = NULL;
        size_t count = 0;
        assert_int_equal(
            attn_tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), &some, &count, error),
            ATTN_OK);
        length[i] = (int64_t)count * repeat;
        ids[i] = malloc(((size_t)length[i] + 2) * sizeof *ids[i]);
        ids[i][0] = ATTN_BOS;
        for (int64_t k = 0; k < length[i]; k++) {
            ids[i][i + k] = some[k % (int64_t)count];
        }
        ids[i][i + length[i]] = ATTN_EOS;
        free(some);
    }
    attn_document_request request = {of,     tokenizer, "tiny",        "en",   NULL,         source,
                                     target, ids[0],    length[0] + 1, ids[1], length[1] + 1};
    attn_status status = attn_document_create(&request, out, error);
    free(ids[0]);
    free(ids[1]);
    return status;
}

static void assert_rows_sum_to_one(const attn_document_part *part, int64_t layer, int64_t head,
                                   bool words) {
    static double matrix[64 * 64];
    int64_t rows = attn_document_rows(part, words), columns = attn_document_columns(part, words);
    attn_document_matrix(part, layer, head, words, matrix);
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int64_t c = 0; c < columns; c++) {
            sum += matrix[r * columns + c];
            assert_true(!part->causal || c <= r || matrix[r * columns + c] == 0);
        }
        assert_true(fabs(sum - 1) < 1e-5);
    }
}

static void test_document(void **unused) {
    (void)unused;
    attn_document *d = NULL;
    attn_error error = {0};
    assert_int_equal(make(model, SENTENCE, "The cat forgets the mountain.", 1, &d, &error),
                     ATTN_OK);
    assert_string_equal(d->source.word[1].text, "elephant");
    assert_string_equal(d->read.word[0].text, "<s>");
    assert_string_equal(d->written.word[d->written.count - 1].text, "</s>");
    assert_string_equal(d->target_language, "");
    for (int i = 0; i < ATTN_DOCUMENT_PARTS; i++) {
        const attn_document_part *part = &d->part[i];
        assert_int_equal(part->layers, 2);
        assert_int_equal(part->heads, 4);
        assert_true(attn_document_rows(part, true) < attn_document_rows(part, false));
        for (int words = 0; words < 2; words++) {
            assert_rows_sum_to_one(part, ATTN_DOCUMENT_ROLLOUT, ATTN_DOCUMENT_MEAN, words);
            for (int64_t at = 0; at < 2 * 5; at++) {
                assert_rows_sum_to_one(part, at / 5, at % 5 - 1, words); /* -1: the mean */
            }
        }
        for (int64_t at = 0; at < 2 * 4; at++) {
            assert_true(part->entropy[at] > 0 && part->entropy[at] < log((double)part->keys));
            assert_true(part->distance == NULL ||
                        (part->distance[at] > 0 && part->distance[at] < (double)part->keys));
        }
        assert_true((part->distance == NULL) == (i == ATTN_PART_CROSS));
    }
    attn_document_free(d);
}

/* Too many weights are refused before they are computed; NaN is noticed. */
static void test_document_errors(void **unused) {
    (void)unused;
    attn_translator_config config = config_of(2000);
    attn_translator *other = tiny_translator(&config, false);
    attn_document *d = NULL;
    attn_error error = {0};
    assert_int_equal(make(other, "cat", "cat", 900, &d, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "at most 16000000"));
    assert_null(d);
    attn_params_find(attn_translator_params(other), "encoder.1.self.query.bias")->data[0] = NAN;
    assert_int_equal(make(other, "cat", "cat", 1, &d, &error), ATTN_ERR_NUMERIC);
    attn_translator_free(other);
}

/* ---- the canvas ---- */

static void test_canvas_limits(void **unused) {
    (void)unused;
    static const double sizes[][2] = {{16001, 10}, {10, 16001}, {8000, 8000}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        attn_canvas *canvas = NULL;
        attn_error error = {0};
        assert_int_equal(attn_canvas_create(ATTN_CANVAS_SVG, &canvas, &error), ATTN_OK);
        attn_color white = attn_palette_background(ATTN_THEME_LIGHT);
        attn_canvas_begin(canvas, sizes[i][0], sizes[i][1], white, "too large");
        attn_canvas_text(canvas, 0, 0, "nothing happens", (attn_text_style){.size = 12});
        assert_int_equal(attn_canvas_save(canvas, "/nowhere/x.svg", &error), ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, "16000"));
        assert_non_null(strstr(error.what, "25 million"));
        attn_canvas_free(canvas);
    }
}

static void test_canvas_text(void **unused) {
    (void)unused;
    attn_canvas *canvas = NULL;
    attn_error error = {0};
    char text[64];
    assert_int_equal(attn_canvas_create(ATTN_CANVAS_SVG, &canvas, &error), ATTN_OK);
    double one = attn_canvas_text_width(canvas, "river", 13, false);
    assert_true(one > 20 && one < 60);
    assert_true(fabs(attn_canvas_text_width(canvas, "river", 26, false) - 2 * one) < 0.1);
    assert_string_equal(attn_canvas_fit(canvas, "river", 13, one + 1, text, sizeof text), "river");
    attn_canvas_fit(canvas, "d\xc3\xa9j\xc3\xa0 vu et revu", 13, one, text, sizeof text);
    assert_non_null(strstr(text, "\xe2\x80\xa6"));
    assert_true(attn_canvas_text_width(canvas, text, 13, false) <= one);
    attn_text_style style = {.size = 13};
    double line = attn_canvas_paragraph_height(canvas, 500, "river", style);
    assert_true(attn_canvas_paragraph_height(canvas, one, "river river river", style) > 2.9 * line);
    attn_canvas_free(canvas);
}

/* ---- the tool ---- */

/* Runs the tool with these arguments; what it says on stdout and stderr, and its exit status. */
static const char *run(const char *arguments, int *status) {
    static char output[1 << 21];
    char command[2048];
    snprintf(command, sizeof command, "cd '%s' && ATTN_MODEL=%s '%s' show %s 2>&1", folder,
             model_path, ATTN_TEST_TOOL, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    *status = WEXITSTATUS(pclose(pipe));
    return output;
}

static void assert_quiet(const char *arguments) {
    int status;
    const char *output = run(arguments, &status);
    if (status != 0 || output[0] != '\0') {
        fail_msg("show %s: exit %d: %s", arguments, status, output);
    }
}

static void assert_refused(const char *arguments, int expected, const char *says) {
    int status;
    const char *output = run(arguments, &status);
    if (status != expected || strstr(output, says) == NULL || strncmp(output, "attn: ", 6) != 0 ||
        strchr(output, '\n') != output + strlen(output) - 1) {
        fail_msg("show %s: exit %d: %s", arguments, status, output);
    }
}

/* A file that the tool wrote, until the next call. */
static const char *written(const char *name, size_t *size) {
    static char bytes[1 << 23];
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *size = fread(bytes, 1, sizeof bytes - 1, file);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

static void test_misuse(void **unused) {
    (void)unused;
    assert_refused("-o a.gif cat", 2, ".svg, .png, .pdf or .html");
    assert_refused("-o svg cat", 2, ".svg, .png, .pdf or .html");
    assert_refused("-o page.html --words cat", 2, "leave these options out");
    assert_refused("-o a.svg cat cat", 2, "give one sentence");
    assert_refused("-o a.svg --json cat", 2, "leave out -o");
    assert_refused("-l 3 cat", 2, "--layer '3': this model has layers 1 to 2");
    assert_refused("-l 0 cat", 2, "layers 1 to 2");
    assert_refused("-l mean cat", 2, "layers 1 to 2");
    assert_refused("--head 5 cat", 2,
                   "--head '5': this model has heads 1 to 4 here; also: mean, all");
    assert_refused("--head 1x cat", 2, "heads 1 to 4");
    assert_refused("-w -t dog --raw 'The cat sees'", 2,
                   "'dog': the words are: 1 The, 2 cat, 3 sees, 4 </s>");
    assert_refused("-t dog --raw 'The cat'", 2, "the pieces are: 1 \xe2\x96\x81The");
    assert_refused("-t 99 --raw 'The cat'", 2, "the pieces are: 1 \xe2\x96\x81The");
    assert_refused("-v lines -l all -o a.svg cat", 2, "--view grid");
    assert_refused("-v matrix --head all -o a.svg cat", 2, "--view grid");
    assert_refused("-v rollout -l 1 cat", 2, "leave out --layer");
    assert_refused("-v lines cat", 2, "needs -o FILE");
    assert_refused("-t cat --head all -v lines cat", 2, "one head or the mean");
    assert_refused("-p encoder --target dog cat", 2, "--target goes with");
    assert_refused("-v pie cat", 2, "lines, matrix, grid, rollout");
    assert_refused("--theme pink cat", 2, "light, dark");
    assert_refused("", 2, "usage");
}

static void test_failures(void **unused) {
    (void)unused;
    char arguments[256], path[128];
    assert_refused("-o /nowhere/a.svg cat", 1, "/nowhere/a.svg");
    assert_refused("''", 1, "holds nothing to translate");
    assert_refused("\"$(printf 'cat\\377')\"", 1, "the text is not UTF-8");
    assert_refused("--target '' cat", 1, "the translation is empty");
    snprintf(arguments, sizeof arguments, "-m '%s' -o a.svg cat", bare_path);
    assert_refused(arguments, 1, "no tokenizer");
    struct stat full;
    if (stat("/dev/full", &full) == 0 && S_ISCHR(full.st_mode)) {
        snprintf(path, sizeof path, "%s/full.png", folder);
        assert_int_equal(symlink("/dev/full", path), 0);
        assert_refused("-o full.png cat", 1, "No space left");
    }
}

static void assert_repeats(const char *view, const char *kind) {
    static char first[1 << 23];
    char arguments[256], name[16];
    size_t size, again;
    snprintf(arguments, sizeof arguments, "%s -o a.%s '%s'", view, kind, SENTENCE);
    snprintf(name, sizeof name, "a.%s", kind);
    assert_quiet(arguments);
    memcpy(first, written(name, &size), sizeof first);
    setenv("OMP_NUM_THREADS", "1", 1);
    assert_quiet(arguments);
    unsetenv("OMP_NUM_THREADS");
    const char *bytes = written(name, &again);
    assert_int_equal(size, again);
    assert_memory_equal(first, bytes, size);
}

/* The same command writes the same bytes, whatever the number of threads. */
static void test_bytes_repeat(void **unused) {
    (void)unused;
    assert_repeats("-w", "svg");
    assert_repeats("-w", "png");
    assert_repeats("-w", "pdf");
    assert_repeats("-v lines --head all -p cross", "svg");
    assert_repeats("-v grid -p decoder", "svg");
    assert_repeats("", "html");
    assert_repeats("-v rollout -w -p cross --theme dark", "svg");
}

/* The page is one file with its data, in which a sentence stays text. */
static void test_page(void **unused) {
    (void)unused;
    size_t size;
    assert_quiet("-o a.html --raw 'The elephant </script><b>sees</b> it.' 'The cat.'");
    const char *page = written("a.html", &size);
    static const char *const there[] = {
        "content=\"default-src 'none';",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "id=\"document-0\">",
        "id=\"document-1\">",
        "id=\"layer-0-encoder-0\">",
        "id=\"layer-1-cross-1\">",
        "id=\"matrices-decoder-0\">",
        "\\u003c/script>\\u003cb>sees",
        "const m_main = (() => {",
    };
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        if (strstr(page, there[i]) == NULL) {
            fail_msg("the page lacks %s", there[i]);
        }
    }
    assert_null(strstr(page, "</script><b>"));
    assert_null(strstr(page, "import {"));
    assert_null(strstr(page, "<link rel=\"stylesheet\""));
}

static void test_svg(void **unused) {
    (void)unused;
    size_t size;
    assert_quiet(
        "-w -t elephant -v matrix -o a.svg --raw 'The elephant sees <a href=\"x\"> & more.'");
    const char *svg = written("a.svg", &size);
    assert_int_equal(strncmp(svg, "<?xml", 5), 0);
    assert_string_equal(svg + size - 7, "</svg>\n");
    assert_non_null(strstr(svg, "<title>tiny: encoder, source to source, layer 2 of 2, mean of 4 "
                                "heads</title>"));
    assert_non_null(strstr(svg, ">elephant</text>"));
    assert_non_null(strstr(svg, "&lt;a href=&quot;x&quot;&gt; &amp; more."));
    assert_null(strstr(svg, "<a "));
    assert_non_null(strstr(svg, "Words:"));
    assert_null(strstr(svg, "<glyph"));
    assert_quiet("-t 2 --head 3 -o a.svg 'The cat'"); /* lines */
    svg = written("a.svg", &size);
    assert_non_null(strstr(svg, "head 3 of 4"));
    assert_non_null(strstr(svg, "A line goes from a word"));
    assert_non_null(strstr(svg, " C ")); /* a curve */
    assert_quiet("--view grid -o a.svg 'The cat'");
    svg = written("a.svg", &size);
    assert_non_null(strstr(svg, "distance"));
    assert_quiet("--view grid --part cross -o a.svg 'The cat'");
    svg = written("a.svg", &size);
    assert_non_null(strstr(svg, "entropy"));
    assert_null(strstr(svg, "distance"));
    assert_quiet("--view rollout -o a.svg 'The cat'");
    assert_non_null(strstr(written("a.svg", &size), "Abnar and Zuidema 2020"));
}

static uint32_t big_endian(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static const char *draw(const attn_document *d, int kind, const char *name, size_t *size) {
    char path[128];
    attn_error error = {0};
    const attn_view view = {.kind = (attn_view_kind)kind,
                            .layer = kind == ATTN_VIEW_GRID ? ATTN_VIEW_ALL : 1,
                            .head = kind == ATTN_VIEW_GRID ? ATTN_VIEW_ALL : ATTN_DOCUMENT_MEAN,
                            .token = -1};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (attn_view_draw(d, &view, path, NULL, &error) != ATTN_OK) {
        fail_msg("view %d: %s", kind, error.what);
    }
    return written(name, size);
}

/* The PNG has twice the points of the SVG each way; long sentences stay within a page or two. */
static void test_sizes(void **unused) {
    (void)unused;
    for (int64_t repeat = 1; repeat <= 150; repeat += 149) {
        attn_document *d = NULL;
        attn_error error = {0};
        assert_int_equal(make(model, "cat", "cat", repeat, &d, &error), ATTN_OK);
        for (int kind = ATTN_VIEW_LINES; kind <= ATTN_VIEW_ROLLOUT; kind++) {
            size_t size;
            double width, height;
            const char *at = strstr(draw(d, kind, "a.svg", &size), "viewBox=\"0 0 ");
            assert_non_null(at);
            assert_int_equal(sscanf(at, "viewBox=\"0 0 %lf %lf\"", &width, &height), 2);
            assert_true(width >= 400 && width < 1600 && height > 100 && height < 3000);
            assert_true(size < 1000000 || kind == ATTN_VIEW_LINES);
            const char *png = draw(d, kind, "a.png", &size);
            assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
            assert_int_equal(big_endian(png + 16), 2 * width);
            assert_int_equal(big_endian(png + 20), 2 * height);
        }
        attn_document_free(d);
    }
}

static void test_pdf(void **unused) {
    (void)unused;
    size_t size;
    assert_quiet("-o a.PDF 'The cat'");
    const char *pdf = written("a.PDF", &size);
    assert_memory_equal(pdf, "%PDF-1.", 7);
    assert_string_equal(pdf + size - 6, "%%EOF\n");
}

/* A character that no font has is told of, and the picture is drawn all the same. */
static void test_fonts(void **unused) {
    (void)unused;
    int status;
    size_t size;
    const char *output = run("-o a.png --raw 'cat \xf4\x8f\xbf\xbd'", &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(output, "attn: warning: no installed font has all characters of \"cat"));
    assert_true(strlen(written("a.png", &size)) > 4);
    char path[160], arguments[256];
    snprintf(path, sizeof path, "%s/fonts.conf", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "<?xml version=\"1.0\"?><fontconfig><dir>/nowhere</dir><cachedir>%s</cachedir>"
            "</fontconfig>",
            folder);
    fclose(file);
    setenv("FONTCONFIG_FILE", path, 1);
    snprintf(arguments, sizeof arguments, "-o a.png cat");
    assert_refused(arguments, 1, "no font is installed");
    unsetenv("FONTCONFIG_FILE");
}

static void test_terminal(void **unused) {
    (void)unused;
    int status;
    const char *output = run("-w --part cross --target 'the river' 'The cat sees'", &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(output, "tiny: cross attention, translation to source, layer 2 of 2"));
    assert_non_null(strstr(output, "The columns:\n1 The  2 cat  3 sees  4 </s>"));
    assert_non_null(strstr(output, "entropy (nats)\n"));
    assert_null(strchr(output, '\033'));
    assert_non_null(strstr(run("-w -t cat 'The cat sees'", &status), "\"cat\" attends to"));
    assert_int_equal(status, 0);
    output = run("-l all 'The cat'", &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(output, "    2     4 "));
    assert_non_null(strstr(output, "distance (pieces)"));
    assert_non_null(strstr(run("-v rollout 'The cat'", &status), "rollout over 2 layers"));
    assert_int_equal(status, 0);
}

/* ---- JSON ---- */

/* Adds up the innermost rows, which have to be 1; counts them. */
static int64_t count_rows(const json_t *array) {
    int64_t rows = 0;
    double sum = 0;
    assert_true(json_is_array(array) && json_array_size(array) > 0);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (json_is_array(item)) {
            rows += count_rows(item);
        } else {
            assert_true(json_is_real(item));
            sum += json_real_value(item);
        }
    }
    assert_true(rows > 0 || fabs(sum - 1) < 1e-5);
    return rows > 0 ? rows : 1;
}

static json_t *tokens_of(const json_t *all, const char *list) {
    const json_t *object = strcmp(list, "source") == 0
                               ? json_object_get(all, "source")
                               : json_object_get(json_object_get(all, "target"), list + 7);
    return json_object_get(object, "tokens");
}

static void test_json(void **unused) {
    (void)unused;
    static const char *const names[] = {"encoder", "decoder", "cross"};
    int status;
    json_error_t where;
    json_t *all =
        json_loads(run("--json --raw 'The elephant sees the \xe5\x8b\x95.'", &status), 0, &where);
    assert_int_equal(status, 0);
    assert_non_null(all);
    assert_string_equal(json_string_value(json_object_get(all, "format")), "attn.attention");
    assert_string_equal(json_string_value(json_object_get(all, "model")), "tiny");
    const json_t *source = json_object_get(all, "source");
    assert_string_equal(json_string_value(json_object_get(source, "language")), "en");
    assert_string_equal(json_string_value(json_object_get(source, "text")),
                        "The elephant sees the \xe5\x8b\x95.");
    const json_t *word = json_array_get(json_object_get(source, "words"), 1);
    assert_string_equal(json_string_value(json_object_get(word, "word")), "elephant");
    assert_int_equal(json_integer_value(json_object_get(word, "first")), 1);
    for (int i = 0; i < 3; i++) {
        const json_t *part = json_object_get(json_object_get(all, "parts"), names[i]);
        size_t queries =
            json_array_size(tokens_of(all, json_string_value(json_object_get(part, "queries"))));
        size_t keys =
            json_array_size(tokens_of(all, json_string_value(json_object_get(part, "keys"))));
        const json_t *weights = json_object_get(part, "weights");
        assert_int_equal(count_rows(weights), 2 * 4 * queries);
        const json_t *head = json_array_get(json_array_get(weights, 1), 3);
        assert_int_equal(json_array_size(json_array_get(head, 0)), keys);
        assert_int_equal(count_rows(json_object_get(part, "rollout")), queries);
        assert_int_equal(json_array_size(json_object_get(part, "entropy")), 2);
        assert_true(json_is_null(json_object_get(part, "distance")) == (i == 2));
    }
    json_decref(all);
}

/* The numbers are those of `attn explain`. */
static void test_json_is_explains(void **unused) {
    (void)unused;
    int status;
    char command[512];
    json_t *all = json_loads(run("--json --target 'the river' 'The cat sees'", &status), 0, NULL);
    assert_non_null(all);
    snprintf(command, sizeof command,
             "--help >/dev/null && ATTN_MODEL=%s '%s' explain --json --part cross --layer 2 "
             "--target 'the river' 'The cat sees'",
             model_path, ATTN_TEST_TOOL);
    json_t *one = json_loads(run(command, &status), 0, NULL);
    assert_non_null(one);
    const json_t *part = json_object_get(json_object_get(all, "parts"), "cross");
    assert_true(json_equal(json_array_get(json_object_get(part, "weights"), 1),
                           json_object_get(one, "weights")));
    assert_true(json_equal(tokens_of(all, "target.written"), json_object_get(one, "query_pieces")));
    json_decref(all);
    json_decref(one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_document_errors),
        cmocka_unit_test(test_canvas_limits),
        cmocka_unit_test(test_canvas_text),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_bytes_repeat),
        cmocka_unit_test(test_svg),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_pdf),
        cmocka_unit_test(test_fonts),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_is_explains),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
