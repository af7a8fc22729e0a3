/* A training that is killed and resumed ends with the same files as one that is not.
 *
 * Each training runs in a child process, so that it can be killed with SIGKILL, and so that it
 * starts as a new process does. Compared byte for byte: the model and the best model; line by line,
 * apart from times: the log. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attn/threads.h"
#include "support.h"
#include "train/log.h"

typedef struct plan {
    const char *folder;
    attn_translator_recipe recipe;
    bool resume;
    int64_t kill_at; /* step whose report ends the process; 0: none */
    int64_t stop_at; /* step whose report raises the flag; 0: none */
    bool kill_in_validation;
    int threads;
} plan;

typedef struct watcher {
    const plan *plan;
    attn_train_log *log;
} watcher;

static volatile sig_atomic_t stop;

static void watch(const attn_train_event *event, void *context) {
    watcher *w = context;
    attn_train_log_event(w->log, event);
    bool last = w->plan->kill_in_validation ? event->kind == ATTN_TRAIN_VALIDATION
                                            : event->kind == ATTN_TRAIN_STEP;
    if (last && w->plan->kill_at > 0 && event->step >= w->plan->kill_at) {
        kill(getpid(), SIGKILL);
    }
    if (w->plan->stop_at > 0 && event->step >= w->plan->stop_at) {
        stop = 1;
    }
}

static attn_status train(const plan *p) {
    attn_set_threads(p->threads);
    toy_paths path = toy_paths_in(p->folder);
    attn_translator_recipe recipe = p->recipe;
    attn_recipe table = attn_translator_recipe_table(&recipe);
    attn_translator_data data = {.tokenizer = NULL};
    toy_corpus(70, 1, &data.train);
    toy_corpus(10, 2, &data.valid);
    attn_checkpoint checkpoint = {.file = NULL};
    watcher w = {.plan = p};
    bool resume = p->resume && access(path.checkpoint, F_OK) == 0;
    attn_error error = {.status = ATTN_OK};
    attn_status status =
        resume ? attn_checkpoint_load(path.checkpoint, &checkpoint, &error) : ATTN_OK;
    if (status == ATTN_OK) {
        status = attn_train_log_open(path.log, resume ? checkpoint.state.count.step : -1, "test",
                                     &table, &w.log, &error);
    }
    attn_training training = {
        .model_path = path.model,
        .best_path = path.best,
        .checkpoint_path = path.checkpoint,
        .resume = resume ? &checkpoint : NULL,
        .report = watch,
        .context = &w,
        .stop = &stop,
    };
    attn_train_summary summary;
    if (status == ATTN_OK) {
        status = toy_train(&recipe, &data, training, &summary, &error);
    }
    if (status == ATTN_OK) {
        status = attn_train_log_close(w.log, &error);
    }
    if (status != ATTN_OK && status != ATTN_ERR_INTERRUPTED) {
        fprintf(stderr, "%s: %s: %s\n", error.where, error.what, error.hint);
    }
    return status;
}

/* The child's wait status. */
static int run(const plan *p) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit((int)train(p));
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    return result;
}

static void run_whole(const plan *p) {
    int result = run(p);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), ATTN_OK);
}

static void run_killed(const plan *p) {
    int result = run(p);
    assert_true(WIFSIGNALED(result));
    assert_int_equal(WTERMSIG(result), SIGKILL);
}

/* ---- comparing ---- */

/* The next line that tells of a step, times cut off; false at the end. */
static bool next_line(FILE *file, char *line, int size) {
    while (fgets(line, size, file) != NULL) {
        if (strstr(line, "\"event\":\"begin\"") == NULL &&
            strstr(line, "\"event\":\"resume\"") == NULL) {
            char *times = strstr(line, "\"seconds\"");
            assert_non_null(times);
            *times = '\0';
            return true;
        }
    }
    return false;
}

static int assert_same_log(const char *a, const char *b) {
    enum { LINE = 8192 };
    static char x[LINE], y[LINE];
    FILE *first = fopen(a, "r"), *second = fopen(b, "r");
    assert_non_null(first);
    assert_non_null(second);
    int lines = 0;
    while (next_line(first, x, LINE)) {
        assert_true(next_line(second, y, LINE));
        assert_string_equal(x, y);
        lines++;
    }
    assert_false(next_line(second, y, LINE));
    fclose(first);
    fclose(second);
    return lines;
}

static void assert_same_outcome(const char *a, const char *b) {
    toy_paths x = toy_paths_in(a), y = toy_paths_in(b);
    assert_true(toy_files_equal(x.model, y.model));
    assert_true(toy_files_equal(x.best, y.best));
    assert_true(assert_same_log(x.log, y.log) >= 8);
}

static plan new_plan(void) {
    plan p = {.folder = toy_folder(), .threads = 1};
    assert_non_null(p.folder);
    toy_options(&p.recipe);
    return p;
}

/* ---- tests ---- */

static void killed_is_the_same(void **state) {
    (void)state;
    plan straight = new_plan(), broken = new_plan();
    run_whole(&straight);
    static const int64_t places[] = {1, 2, 10, 11, 17, 29, 30};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        broken.kill_at = places[i];
        broken.threads = 1 + (int)(i % 3);
        run_killed(&broken);
        broken.resume = true;
    }
    broken.kill_at = 0;
    run_whole(&broken);
    assert_same_outcome(straight.folder, broken.folder);
    toy_remove(straight.folder);
    toy_remove(broken.folder);
}

/* Between the snapshot of a validation and the checkpoint that counts it. */
static void killed_in_validation_is_the_same(void **state) {
    (void)state;
    plan straight = new_plan(), broken = new_plan();
    straight.recipe.train.validate_every = broken.recipe.train.validate_every = 7;
    straight.recipe.train.average_from = broken.recipe.train.average_from = ATTN_AVERAGE_BEST;
    run_whole(&straight);
    broken.kill_in_validation = true;
    for (int64_t at = 7; at <= 28; at += 7) {
        broken.kill_at = at;
        run_killed(&broken);
        broken.resume = true;
    }
    broken.kill_at = 0;
    run_whole(&broken);
    assert_same_outcome(straight.folder, broken.folder);
    toy_remove(straight.folder);
    toy_remove(broken.folder);
}

static void stopped_is_the_same(void **state) {
    (void)state;
    plan straight = new_plan(), broken = new_plan();
    run_whole(&straight);
    broken.stop_at = 13;
    int result = run(&broken);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), ATTN_ERR_INTERRUPTED);
    toy_paths path = toy_paths_in(broken.folder);
    assert_int_not_equal(access(path.model, F_OK), 0);
    attn_checkpoint checkpoint;
    assert_int_equal(attn_checkpoint_load(path.checkpoint, &checkpoint, NULL), ATTN_OK);
    assert_int_equal(checkpoint.state.count.step, 13);
    attn_checkpoint_close(&checkpoint);
    broken.stop_at = 0;
    broken.resume = true;
    run_whole(&broken);
    assert_same_outcome(straight.folder, broken.folder);
    toy_remove(straight.folder);
    toy_remove(broken.folder);
}

/* A training resumed after its end writes the same model again; with more steps it goes on. */
static void goes_on_after_the_end(void **state) {
    (void)state;
    plan whole = new_plan(), longer = new_plan();
    whole.recipe.train.validate_every = longer.recipe.train.validate_every = 10;
    longer.recipe.train.max_steps = 20;
    run_whole(&longer);
    longer.resume = true;
    longer.recipe.train.max_steps = 30;
    run_whole(&longer);
    run_whole(&whole);
    toy_paths x = toy_paths_in(whole.folder), y = toy_paths_in(longer.folder);
    attn_checkpoint a, b;
    assert_int_equal(attn_checkpoint_load(x.checkpoint, &a, NULL), ATTN_OK);
    assert_int_equal(attn_checkpoint_load(y.checkpoint, &b, NULL), ATTN_OK);
    assert_memory_equal(a.weights, b.weights, (size_t)a.size * sizeof *a.weights);
    attn_checkpoint_close(&a);
    attn_checkpoint_close(&b);
    toy_remove(whole.folder);
    toy_remove(longer.folder);
}

static void checkpoint_goes_when_not_kept(void **state) {
    (void)state;
    plan p = new_plan();
    p.recipe.train.keep_checkpoint = false;
    run_whole(&p);
    toy_paths path = toy_paths_in(p.folder);
    assert_int_equal(access(path.model, F_OK), 0);
    assert_int_not_equal(access(path.checkpoint, F_OK), 0);
    char command[256];
    snprintf(command, sizeof command, "test -z \"$(ls %s | grep checkpoint)\"", p.folder);
    assert_int_equal(system(command), 0);
    toy_remove(p.folder);
}

/* Two trainings into the same files would spoil both. */
static void one_training_has_the_log(void **state) {
    (void)state;
    plan p = new_plan();
    toy_paths path = toy_paths_in(p.folder);
    attn_recipe table = attn_translator_recipe_table(&p.recipe);
    attn_train_log *first, *second;
    attn_error error;
    for (int64_t resume_step = -1; resume_step <= 0; resume_step++) {
        assert_int_equal(
            attn_train_log_open(path.log, resume_step, "first", &table, &first, &error), ATTN_OK);
        for (int64_t other = -1; other <= 0; other++) {
            assert_int_equal(
                attn_train_log_open(path.log, other, "second", &table, &second, &error),
                ATTN_ERR_IO);
            assert_non_null(strstr(error.what, "another training"));
        }
        assert_int_equal(attn_train_log_close(first, &error), ATTN_OK);
    }
    char line[256];
    FILE *file = fopen(path.log, "r");
    assert_non_null(file);
    for (int i = 0; i < 2; i++) { /* begin, resume */
        assert_non_null(fgets(line, sizeof line, file));
        assert_non_null(strstr(line, "\"first\""));
        while (strchr(line, '\n') == NULL && fgets(line, sizeof line, file) != NULL) {
        }
    }
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    toy_remove(p.folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_is_the_same),
        cmocka_unit_test(killed_in_validation_is_the_same),
        cmocka_unit_test(stopped_is_the_same),
        cmocka_unit_test(goes_on_after_the_end),
        cmocka_unit_test(checkpoint_goes_when_not_kept),
        cmocka_unit_test(one_training_has_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
