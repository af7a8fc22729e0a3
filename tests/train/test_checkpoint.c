/* A checkpoint comes back as it went; a damaged, cut or foreign one is refused by name; a disk that
 * fills up leaves the old one. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support.h"
#include "train/checkpoint.h"

enum { SIZE = 1000 };

static float weights[SIZE], adam_m[SIZE], adam_v[SIZE];
static const char tokenizer[] = "not a real tokenizer";
static const char options[] = "d_model = 16\n";

static attn_checkpoint sample(void) {
    for (int i = 0; i < SIZE; i++) {
        weights[i] = (float)i;
        adam_m[i] = -(float)i;
        adam_v[i] = (float)i * 0.5f;
    }
    attn_checkpoint checkpoint = {
        .layout = 0xfedcba9876543210,
        .size = SIZE,
        .weights = weights,
        .adam_m = adam_m,
        .adam_v = adam_v,
        .options = options,
        .options_size = sizeof options - 1,
        .tokenizer = tokenizer,
        .tokenizer_size = sizeof tokenizer,
    };
    checkpoint.state.count.step = 123;
    checkpoint.state.count.batches = 246;
    checkpoint.state.count.next_batch = 46;
    checkpoint.state.count.units = 5000;
    checkpoint.state.count.data = -5;
    checkpoint.state.real.best_loss = 1.0 / 3;
    return checkpoint;
}

static char path[256];

static int set_up(void **state) {
    const char *folder = toy_folder();
    *state = (void *)folder;
    snprintf(path, sizeof path, "%s/x.checkpoint", folder != NULL ? folder : "");
    attn_checkpoint checkpoint = sample();
    return folder == NULL || attn_checkpoint_save(&checkpoint, path, NULL) != ATTN_OK;
}

static int tear_down(void **state) {
    toy_remove(*state);
    return 0;
}

static void comes_back(void **state) {
    (void)state;
    attn_checkpoint wanted = sample(), found;
    assert_int_equal(attn_checkpoint_load(path, &found, NULL), ATTN_OK);
    assert_true(found.layout == wanted.layout);
    assert_int_equal(found.size, SIZE);
    assert_memory_equal(&found.state, &wanted.state, sizeof wanted.state);
    assert_memory_equal(found.weights, weights, sizeof weights);
    assert_memory_equal(found.adam_m, adam_m, sizeof adam_m);
    assert_memory_equal(found.adam_v, adam_v, sizeof adam_v);
    assert_int_equal(found.options_size, sizeof options - 1);
    assert_memory_equal(found.options, options, sizeof options - 1);
    assert_int_equal(found.tokenizer_size, sizeof tokenizer);
    assert_memory_equal(found.tokenizer, tokenizer, sizeof tokenizer);
    attn_checkpoint_close(&found);
}

static void flip_bit(long offset) {
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    fputc(byte ^ 4, file);
    fclose(file);
}

static long file_size(void) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (long)status.st_size;
}

/* Any single bit of the data: the error names the section. */
static void a_flipped_bit_is_found(void **state) {
    (void)state;
    attn_error error;
    attn_checkpoint found;
    long size = file_size(), data = 3L * SIZE * 4;
    for (long back = 1; back < data; back += 997) {
        flip_bit(-back);
        assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_ERR_FORMAT);
        assert_non_null(strstr(error.what, "is damaged"));
        assert_null(found.file);
        flip_bit(-back);
    }
    assert_int_equal(file_size(), size);
    assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_OK);
    attn_checkpoint_close(&found);
}

static void every_cut_is_found(void **state) {
    (void)state;
    attn_error error;
    attn_checkpoint found;
    long size = file_size();
    for (long left = size - 1; left >= 0; left -= left > 2000 ? 211 : 37) {
        assert_int_equal(truncate(path, left), 0);
        assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_ERR_FORMAT);
    }
}

static void write_with(const char *version, bool with_weights) {
    static const int64_t numbers[2] = {1, 2};
    attn_tensor_info tensors[] = {{.name = with_weights ? "weights" : "other",
                                   .dtype = ATTN_DTYPE_I64,
                                   .rank = 1,
                                   .shape = {2},
                                   .data = numbers,
                                   .size = sizeof numbers}};
    attn_metadata pairs[] = {{"layout", "0000000000000001"}, {"attn.checkpoint", version}};
    assert_int_equal(attn_safetensors_write(path, tensors, 1, pairs, version != NULL ? 2 : 1, NULL),
                     ATTN_OK);
}

static void foreign_files_are_refused(void **state) {
    (void)state;
    attn_error error;
    attn_checkpoint found;
    write_with("3", true);
    assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.what, "version 3"));
    write_with(NULL, true);
    assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "not a training checkpoint"));
    write_with("2", true);
    assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "'counts'"));
    unlink(path);
    assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_ERR_IO);
}

/* With hashes that are right: somebody wrote them so, or memory failed. */
static void counts_of_no_training_are_refused(void **state) {
    (void)state;
    enum { COUNTS = sizeof(((attn_train_state *)0)->count) / sizeof(int64_t) };
    static const int64_t absurd[] = {-1, INT64_MIN, INT64_MAX, (INT64_C(1) << 53) + 1};
    attn_checkpoint found;
    attn_error error;
    for (size_t i = 0; i + 1 < COUNTS; i++) {
        for (size_t a = 0; a < sizeof absurd / sizeof absurd[0]; a++) {
            attn_checkpoint wrong = sample();
            memcpy((char *)&wrong.state.count + i * sizeof(int64_t), &absurd[a], sizeof(int64_t));
            assert_int_equal(attn_checkpoint_save(&wrong, path, NULL), ATTN_OK);
            assert_int_equal(attn_checkpoint_load(path, &found, &error), ATTN_ERR_FORMAT);
            assert_non_null(strstr(error.what, "counts are those of no training"));
        }
    }
    attn_checkpoint wrong[] = {sample(), sample(), sample(), sample(), sample(), sample()};
    wrong[0].state.count.next_batch = 247;
    wrong[1].state.count.skipped = 124;
    wrong[2].state.count.best_validation = 1;
    wrong[3].state.count.validated_step = 124;
    wrong[4].state.count.window_units = 5001;
    wrong[5].state.real.seconds = NAN;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(attn_checkpoint_save(&wrong[i], path, NULL), ATTN_OK);
        assert_int_equal(attn_checkpoint_load(path, &found, NULL), ATTN_ERR_FORMAT);
    }
}

static void snapshots_belong_to_a_model(void **state) {
    (void)state;
    static float found[SIZE];
    attn_error error;
    sample();
    assert_int_equal(attn_snapshot_save(weights, SIZE, 7, path, NULL), ATTN_OK);
    assert_int_equal(attn_snapshot_load(path, 7, SIZE, found, &error), ATTN_OK);
    assert_memory_equal(found, weights, sizeof found);
    assert_int_equal(attn_snapshot_load(path, 8, SIZE, found, &error), ATTN_ERR_FORMAT);
    assert_int_equal(attn_snapshot_load(path, 7, SIZE - 1, found, &error), ATTN_ERR_FORMAT);
}

/* A limit on the size of files stands for the full disk; in a child, for it cannot be undone. */
static void a_full_disk_leaves_the_old_one(void **state) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        attn_checkpoint checkpoint = sample();
        attn_error error;
        checkpoint.state.count.step = 124;
        struct rlimit limit = {4096, 4096};
        signal(SIGXFSZ, SIG_IGN);
        bool failed = setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                      attn_checkpoint_save(&checkpoint, path, &error) == ATTN_ERR_IO;
        _exit(failed ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    attn_checkpoint found;
    assert_int_equal(attn_checkpoint_load(path, &found, NULL), ATTN_OK);
    assert_int_equal(found.state.count.step, 123);
    attn_checkpoint_close(&found);
    char command[256];
    snprintf(command, sizeof command, "test $(ls -A %s | wc -l) = 1", (const char *)*state);
    assert_int_equal(system(command), 0); /* no temporary file stays */
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(comes_back),
        TEST(a_flipped_bit_is_found),
        TEST(every_cut_is_found),
        TEST(foreign_files_are_refused),
        TEST(counts_of_no_training_are_refused),
        TEST(snapshots_belong_to_a_model),
        TEST(a_full_disk_leaves_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
