/* tests/cli/test_generate.c: `attn generate`: what it prints, what it refuses, and that a folder of CTranslate2's gives the same
 * as attn's own file. */
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
#include <unistd.h>

#include <cmocka.h>

#include "io/ctranslate2.h"
#include "support/tiny_decoder.h"
#include "text/piece_table.h"

static char folder[] = "/tmp/attn-test-XXXXXX";
static char output[200000], before[200000];

/* <unk>, <s>, </s>, and 16 letters. */
static void make_table(attn_piece_table *table) {
    static const char *const special[] = {"<unk>", "<s>", "</s>"};
    *table = (attn_piece_table){.plain = true, .special = {-1, 0, 1, 2}};
    for (int i = 0; i < TINY_WORDS; i++) {
        char letter[2] = {(char)('a' + i - 3), '\0'};
        assert_int_equal(attn_piece_table_add(table, i < 3 ? special[i] : letter, false, NULL),
                         ATTN_OK);
    }
}

static void save(const attn_decoder *model, const char *path) {
    attn_piece_table table;
    char *bytes;
    size_t size;
    make_table(&table);
    assert_int_equal(attn_piece_table_finish(&table, NULL), ATTN_OK);
    assert_int_equal(attn_piece_table_over(&table, "", 0, &bytes, &size, NULL), ATTN_OK);
    assert_int_equal(attn_decoder_save(model, ATTN_STORE_F32, bytes, size, NULL, 0, path, NULL),
                     ATTN_OK);
    free(bytes);
    attn_piece_table_free(&table);
}

/* ---- the same as CTranslate2 has it ---- */

typedef struct tensors {
    attn_tensor_info item[64];
    char name[64][96];
    size_t count;
} tensors;

static void add(tensors *list, const char *name, attn_dtype dtype, int rank, int64_t rows,
                int64_t cols, const void *data) {
    attn_tensor_info *t = &list->item[list->count];
    snprintf(list->name[list->count], sizeof list->name[0], "decoder/%s", name);
    *t = (attn_tensor_info){.name = list->name[list->count],
                            .dtype = dtype,
                            .rank = rank,
                            .data = data,
                            .size = (size_t)(rows * cols) * (dtype == ATTN_DTYPE_I8 ? 1 : 4)};
    t->shape[0] = rank == 1 ? cols : rows;
    t->shape[1] = cols;
    list->count++;
}

/* A parameter, and those that lie behind it, up to `rows`. */
static void add_param(tensors *list, const attn_decoder *model, const char *name, const char *ours,
                      int64_t rows) {
    const attn_param *p = attn_params_find(attn_decoder_params(model), ours);
    assert_non_null(p);
    bool vector = p->rows == 1;
    add(list, name, ATTN_DTYPE_F32, vector ? 1 : 2, vector ? 1 : rows, vector ? rows : p->cols,
        p->data);
}

static void write_folder(const attn_decoder *model, const char *path) {
    static const struct {
        const char *theirs, *ours;
        int64_t rows;
    } layer[] = {
        {"self_attention/layer_norm/gamma", "norm_self.gamma", 24},
        {"self_attention/linear_0/weight", "self.query.weight", 48},
        {"self_attention/linear_0/bias", "self.query.bias", 48},
        {"self_attention/linear_1/weight", "self.output.weight", 24},
        {"self_attention/linear_1/bias", "self.output.bias", 24},
        {"ffn/layer_norm/gamma", "norm_feed_forward.gamma", 24},
        {"ffn/linear_0/weight", "feed_forward.gate.weight", 20},
        {"ffn/linear_0/bias", "feed_forward.gate.bias", 20},
        {"ffn/linear_0_noact/weight", "feed_forward.up.weight", 20},
        {"ffn/linear_0_noact/bias", "feed_forward.up.bias", 20},
        {"ffn/linear_1/weight", "feed_forward.down.weight", 24},
        {"ffn/linear_1/bias", "feed_forward.down.bias", 24},
    };
    static const int32_t heads = 4, kv_heads = 2, all = 0;
    static const int8_t no = 0, yes = 1, swish = 2;
    static tensors list;
    char name[80], ours[80], file[120];
    list.count = 0;
    add_param(&list, model, "embeddings/weight", "embedding", TINY_WORDS);
    add_param(&list, model, "projection/weight", "output", TINY_WORDS);
    add_param(&list, model, "layer_norm/gamma", "decoder.norm.gamma", 24);
    add(&list, "num_heads", ATTN_DTYPE_I32, 0, 1, 1, &heads);
    add(&list, "pre_norm", ATTN_DTYPE_I8, 0, 1, 1, &yes);
    add(&list, "activation", ATTN_DTYPE_I8, 0, 1, 1, &swish);
    add(&list, "scale_embeddings", ATTN_DTYPE_I8, 0, 1, 1, &no);
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < sizeof layer / sizeof layer[0]; k++) {
            snprintf(name, sizeof name, "layer_%d/%s", i, layer[k].theirs);
            snprintf(ours, sizeof ours, "decoder.%d.%s", i, layer[k].ours);
            add_param(&list, model, name, ours, layer[k].rows);
        }
        snprintf(name, sizeof name, "layer_%d/self_attention/num_heads_kv", i);
        add(&list, name, ATTN_DTYPE_I32, 0, 1, 1, &kv_heads);
        snprintf(name, sizeof name, "layer_%d/self_attention/rotary_dim", i);
        add(&list, name, ATTN_DTYPE_I32, 0, 1, 1, &all);
        snprintf(name, sizeof name, "layer_%d/self_attention/rotary_interleave", i);
        add(&list, name, ATTN_DTYPE_I8, 0, 1, 1, &no);
    }
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(file, sizeof file, "%s/model.bin", path);
    assert_int_equal(attn_ctranslate2_write(file, list.item, list.count, NULL, 0, NULL), ATTN_OK);
    snprintf(file, sizeof file, "%s/vocabulary.json", path);
    FILE *words = fopen(file, "w");
    assert_non_null(words);
    fputs("[\"<unk>\", \"<s>\", \"</s>\"", words);
    for (int i = 3; i < TINY_WORDS; i++) {
        fprintf(words, ", \"%c\"", 'a' + i - 3);
    }
    fputs("]\n", words);
    fclose(words);
}

/* ---- running the tool ---- */

static int set_up(void **unused) {
    (void)unused;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    attn_decoder_config config = tiny_decoder_config(1);
    config.end_token = 2;
    attn_decoder *model = tiny_decoder(&config);
    save(model, "tiny.safetensors");
    write_folder(model, "tiny");
    attn_decoder_free(model);
    FILE *lines = fopen("lines", "w");
    assert_non_null(lines);
    for (int i = 0; i < 40; i++) {
        fprintf(lines, "a b%s %c <s> d\n", i % 3 == 0 ? " e f g" : "", 'a' + i % 16);
    }
    fclose(lines);
    lines = fopen("same", "w");
    assert_non_null(lines);
    for (int i = 0; i < 40; i++) {
        fputs("a b c\n", lines);
    }
    fclose(lines);
    lines = fopen("gap", "w");
    assert_non_null(lines);
    fputs("a b\n\na\n", lines);
    fclose(lines);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    return system("rm -r tiny tiny.safetensors imported.safetensors lines gap same") != 0 ||
           chdir("/") != 0 || rmdir(folder) != 0;
}

/* Runs the tool; its answer is in `output`. Returns the exit status. */
static int run(const char *arguments) {
    char command[1024];
    snprintf(command, sizeof command, "'%s' %s 2>&1", ATTN_TEST_TOOL, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_says(const char *arguments, int status, const char *words) {
    int found = run(arguments);
    if (found != status || strstr(output, words) == NULL) {
        fail_msg("attn %s: status %d: %s", arguments, found, output);
    }
}

static int count_lines(void) {
    int count = 0;
    for (const char *at = output; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    return count;
}

static void test_continuations(void **unused) {
    (void)unused;
    assert_int_equal(run("generate -m tiny.safetensors --max-tokens 9 lines"), 0);
    assert_int_equal(count_lines(), 40);
    strcpy(before, output);
    assert_int_equal(run("generate -m tiny.safetensors --max-tokens 9 --threads 1 <lines"), 0);
    assert_string_equal(output, before);
    /* A folder of CTranslate2's, by itself and imported. */
    assert_int_equal(run("generate -m tiny --max-tokens 9 lines"), 0);
    assert_string_equal(output, before);
    assert_says("import tiny -o imported.safetensors", 0, "a decoder from CTranslate2");
    assert_int_equal(run("generate -m imported.safetensors --max-tokens 9 lines"), 0);
    assert_string_equal(output, before);
    /* The first line of JSON says what the first line of text says. */
    *strchr(before, '\n') = '\0';
    assert_int_equal(run("generate -m tiny --max-tokens 9 --json lines | head -n 1"), 0);
    json_t *object = json_loads(output, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "text")), before);
    assert_int_equal(json_integer_value(json_object_get(object, "line")), 1);
    size_t tokens = json_array_size(json_object_get(object, "tokens"));
    bool ended = json_is_true(json_object_get(object, "ended"));
    const json_t *told = json_object_get(object, "token_log_probabilities");
    assert_int_equal(json_array_size(told), tokens + ended);
    assert_true(ended || tokens == 9);
    double sum = 0;
    for (size_t i = 0; i < json_array_size(told); i++) {
        sum += json_real_value(json_array_get(told, i));
    }
    assert_true(fabs(sum - json_real_value(json_object_get(object, "log_probability"))) < 1e-4);
    json_decref(object);
}

static void test_sampled(void **unused) {
    (void)unused;
    assert_int_equal(run("generate -m tiny --max-tokens 9 --sample --seed 5 lines"), 0);
    strcpy(before, output);
    assert_int_equal(
        run("generate -m tiny.safetensors --max-tokens 9 --sample --seed 5 -j 1 lines"), 0);
    assert_string_equal(output, before);
    assert_int_equal(run("generate -m tiny --max-tokens 9 --sample --seed 6 lines"), 0);
    assert_string_not_equal(output, before);
    assert_int_equal(run("generate -m tiny --max-tokens 9 --sample --top-k 1 lines"), 0);
    strcpy(before, output);
    assert_int_equal(run("generate -m tiny --max-tokens 9 lines"), 0);
    assert_string_equal(output, before);
}

/* A draw depends on the number of the line in the whole input, not on its place among those computed together. */
static void test_lines_are_drawn_apart(void **unused) {
    (void)unused;
    char line[40][80];
    assert_int_equal(run("generate -m tiny --max-tokens 9 --sample same"), 0);
    const char *at = output;
    for (int i = 0; i < 40; i++) {
        size_t length = strcspn(at, "\n");
        snprintf(line[i], sizeof line[i], "%.*s", (int)length, at);
        at += length + 1;
    }
    for (int i = 1; i < 40; i++) {
        assert_string_not_equal(line[i], line[0]);
    }
}

static void test_scores(void **unused) {
    (void)unused;
    assert_int_equal(run("generate -m tiny.safetensors --score lines"), 0);
    assert_int_equal(count_lines(), 40);
    char *end;
    double sum = strtod(output, &end), each = strtod(end, &end);
    assert_int_equal(*end, '\n');
    assert_true(sum < 0 &&
                fabs(sum / 7 - each) < 1e-4); /* of a b e f g a <s> d, the first is not foretold */
    strcpy(before, output);
    assert_int_equal(run("generate -m tiny --score lines"), 0);
    assert_string_equal(output, before);
    assert_int_equal(run("generate -m tiny --score --json lines | head -n 1"), 0);
    json_t *object = json_loads(output, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(object, "tokens")), 7);
    assert_true(fabs(json_real_value(json_object_get(object, "log_probability")) - sum) < 1e-4);
    json_decref(object);
}

static void test_refused(void **unused) {
    (void)unused;
    assert_says("generate lines", 1, "no decoder: name one with --model or ATTN_DECODER");
    assert_says("generate -m tiny --score --sample lines", 2, "exclude each other");
    assert_says("generate -m none lines", 1, "none");
    assert_says("translate -m tiny lines", 1, "it is a decoder, which goes on with texts");
    assert_says("embed -m tiny.safetensors lines", 1, "it is a decoder, which goes on with texts");
    assert_says("export tiny --to ctranslate2 -o no", 1, "it is a decoder");
    assert_says("info tiny.safetensors", 0, "kv_heads                 2");
    assert_says("generate -m tiny gap", 1, "gap:2: the text is empty");
}

/* What is wrong with a line costs the lines before it nothing, though they came together. */
static void test_lines_before_a_bad_one(void **unused) {
    (void)unused;
    assert_int_equal(run("generate -m tiny --max-tokens 9 lines | head -n 2"), 0);
    strcpy(before, output);
    assert_int_equal(system("head -n 2 lines >empty; cp empty latin; printf '\\na\\n' >>empty; "
                            "printf '\\351\\na\\n' >>latin"),
                     0);
    assert_says("generate -m tiny --max-tokens 9 empty", 1, "empty:3: the text is empty");
    assert_memory_equal(output, before, strlen(before));
    assert_says("generate -m tiny --max-tokens 9 latin", 1, "latin:3: ");
    assert_memory_equal(output, before, strlen(before));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_continuations),          cmocka_unit_test(test_sampled),
        cmocka_unit_test(test_lines_are_drawn_apart),  cmocka_unit_test(test_scores),
        cmocka_unit_test(test_lines_before_a_bad_one), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
