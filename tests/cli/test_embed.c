/* tests/cli/test_embed.c: `attn embed` and `attn nearest`: what they print, and what they refuse. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/tiny_encoder_file.h"

static char folder[] = "/tmp/attn-test-XXXXXX";
static char output[200000];

static int set_up(void **unused) {
    (void)unused;
    attn_encoder_config config = tiny_encoder_config();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    tiny_encoder_write(&config, "tiny.safetensors");
    FILE *lines = fopen("lines", "w");
    assert_non_null(lines);
    fputs("cab\nbad cab\n\ncab\nabba?\n", lines);
    for (int i = 0; i < 100; i++) {
        fputs("dad a bad cab.\n", lines);
    }
    fclose(lines);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    unlink("tiny.safetensors");
    unlink("lines");
    unlink("v.npy");
    assert_int_equal(chdir("/"), 0);
    return rmdir(folder);
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

/* The first line's numbers. */
static void read_first(float vector[TINY_CHANNELS]) {
    char *at = output;
    for (int i = 0; i < TINY_CHANNELS; i++) {
        vector[i] = strtof(at, &at);
    }
    assert_int_equal(*at, '\n');
}

static int count_lines(void) {
    int count = 0;
    for (const char *at = output; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    return count;
}

static void test_vectors(void **unused) {
    (void)unused;
    float all[TINY_CHANNELS], one[TINY_CHANNELS], stored;
    assert_int_equal(run("embed -m tiny.safetensors lines"), 0);
    assert_int_equal(count_lines(), 105);
    read_first(all);
    assert_int_equal(run("embed -m tiny.safetensors --threads 1 <lines | head -n 1"), 0);
    read_first(one);
    assert_memory_equal(one, all, sizeof one);
    assert_int_equal(run("embed -m tiny.safetensors --npy v.npy lines"), 0);
    assert_string_equal(output, "");
    FILE *file = fopen("v.npy", "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, -(long)(105 * sizeof all), SEEK_END), 0);
    assert_int_equal(fread(&stored, sizeof stored, 1, file), 1);
    fclose(file);
    assert_true(stored == all[0]);
    assert_int_equal(run("embed -m tiny.safetensors --json lines | head -n 1"), 0);
    json_t *object = json_loads(output, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(object, "line")), 1);
    const json_t *vector = json_object_get(object, "vector");
    assert_int_equal(json_array_size(vector), TINY_CHANNELS);
    assert_true((float)json_real_value(json_array_get(vector, 5)) == all[5]);
    json_decref(object);
    assert_int_equal(run("embed -m tiny.safetensors --pooling cls --normalise lines"), 0);
    read_first(one);
    double squares = 0;
    for (int i = 0; i < TINY_CHANNELS; i++) {
        squares += (double)one[i] * (double)one[i];
    }
    assert_true(fabs(squares - 1) < 1e-5);
}

/* A line that is no text costs the lines before it nothing. */
static void test_lines_before_a_bad_one(void **unused) {
    (void)unused;
    char good[sizeof output];
    assert_int_equal(
        system("head -n 2 lines >good; cp good latin; printf '\\351\\ncab\\n' >>latin"), 0);
    assert_int_equal(run("embed -m tiny.safetensors good"), 0);
    strcpy(good, output);
    assert_says("embed -m tiny.safetensors latin", 1, "latin:3: ");
    assert_memory_equal(output, good, strlen(good));
}

static void test_attention(void **unused) {
    (void)unused;
    assert_int_equal(
        run("embed -m tiny.safetensors --attention --layer 1 --head 2 lines | head -n 2"), 0);
    char *second = strchr(output, '\n') + 1;
    json_t *object = json_loads(second, 0, NULL);
    json_t *tokens = json_object_get(object, "tokens"),
           *weights = json_object_get(object, "weights");
    assert_int_equal(json_array_size(tokens), 6); /* [CLS] b ##a ##d cab [SEP] */
    assert_string_equal(json_string_value(json_array_get(tokens, 0)), "[CLS]");
    assert_string_equal(json_string_value(json_array_get(tokens, 2)), "a");
    assert_int_equal(json_array_size(weights), 6);
    double sum = 0;
    for (size_t i = 0; i < 6; i++) {
        sum += json_real_value(json_array_get(json_array_get(weights, 3), i));
    }
    assert_true(fabs(sum - 1) < 1e-5);
    json_decref(object);
    assert_says("embed -m tiny.safetensors --attention --layer 9 lines", 1, "no layer 9");
}

static void test_nearest(void **unused) {
    (void)unused;
    assert_int_equal(run("nearest -m tiny.safetensors --in lines -n 3 cab"), 0);
    assert_int_equal(strncmp(output, "1.0000\t1\tcab\n1.0000\t4\tcab\n", 26), 0);
    assert_int_equal(count_lines(), 3);
    assert_int_equal(run("nearest -m tiny.safetensors --in lines -n 1 cab 'bad  CAB'"), 0);
    assert_string_equal(output, "1.0000\t1\tcab\n\n1.0000\t2\tbad cab\n");
    assert_int_equal(run("nearest -m tiny.safetensors --in lines -n 1 </dev/null"), 0);
    assert_string_equal(output, "");
    assert_says("nearest -m tiny.safetensors --in lines -n 1 --json <lines", 0,
                "{\"query\":\"bad cab\",\"nearest\":[{\"line\":2,\"cosine\":1");
}

static void test_refused(void **unused) {
    (void)unused;
    assert_says("embed lines", 1, "no encoder: name one with --model or ATTN_ENCODER");
    assert_says("nearest -m tiny.safetensors", 2, "--in FILE");
    assert_says("embed -m tiny.safetensors --normalise --no-normalise", 2, "exclude each other");
    assert_says("embed -m tiny.safetensors --npy x --json", 2, "excludes");
    assert_says("embed -m tiny.safetensors --pooling max", 2, "pooling");
    assert_says("embed -m none.safetensors lines", 1, "none.safetensors");
    assert_says("translate -m tiny.safetensors lines", 1, "it is an encoder, for vectors of text");
    assert_says("segment -m tiny.safetensors lines", 1, "it is an encoder, for vectors of text");
    assert_says("info tiny.safetensors", 0, "pooling                  mean");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),   cmocka_unit_test(test_lines_before_a_bad_one),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
