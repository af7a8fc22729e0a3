/* What a step does with several batches, with NaN, and when a training ends. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "image/encode.h"
#include "support.h"
#include "train/learner.h"
#include "train/segmenter_task.h"

static attn_optimizer_state moments_of(const attn_learner *learner) {
    attn_optimizer_state state;
    attn_optimizer_state_init(&state);
    assert_int_equal(attn_optimizer_get_state(learner->optimizer, &state, NULL), ATTN_OK);
    return state;
}

/* Batches in one step, and shards of them, give the gradient of all pairs together. */
static void accumulation_is_one_large_batch(void **state) {
    (void)state;
    attn_translator_recipe recipe;
    attn_translator_data data = {.tokenizer = NULL};
    attn_translator_task task;
    attn_learner learner;
    attn_learned together, apart;
    attn_shards *shards;
    toy_options(&recipe);
    recipe.dropout = 0;
    recipe.train.learning_rate = recipe.train.warmup_init = 0; /* the weights stay */
    toy_corpus(4, 3, &data.train);
    int64_t pairs[] = {0, 1, 2, 3}, one[] = {0, 4}, two[] = {0, 1, 4}, four[] = {0, 1, 2, 3, 4};
    attn_batches whole = {pairs, one, 1}, cuts[] = {{pairs, two, 2}, {pairs, four, 4}};
    assert_int_equal(attn_translator_task_create(&recipe, &data, TOY_VOCABULARY, &task, NULL),
                     ATTN_OK);
    assert_int_equal(attn_learner_create(&recipe.train, &task.task, &learner, NULL), ATTN_OK);
    task.train = whole;
    assert_int_equal(attn_learner_update(&learner, 0, 1, 0, &together, NULL), ATTN_OK);
    size_t bytes = (size_t)learner.size * sizeof(float);
    float *gradient = attn_alloc(bytes);
    memcpy(gradient, attn_params_grad(task.task.params), bytes);
    assert_int_equal(attn_shards_create(3, &task.task, NULL, &shards, NULL), ATTN_OK);
    for (int n = 0; n < 2; n++) {
        task.train = cuts[n];
        learner.shards = n == 1 ? shards : NULL;
        assert_int_equal(attn_learner_update(&learner, 0, cuts[n].count, 0, &apart, NULL), ATTN_OK);
        assert_int_equal(apart.sums.units, together.sums.units);
        assert_true(fabs(apart.sums.loss - together.sums.loss) < 1e-5 * together.sums.loss);
        assert_true(fabs(apart.gradient_norm - together.gradient_norm) < 1e-5);
        for (int64_t i = 0; i < learner.size; i++) {
            assert_true(fabsf(gradient[i] - attn_params_grad(task.task.params)[i]) < 1e-5f);
        }
    }
    attn_shards_free(shards);
    attn_free(gradient);
    attn_learner_free(&learner);
    task.train = (attn_batches){.pair = NULL}; /* on the stack */
    attn_translator_task_free(&task);
    attn_corpus_free(&data.train);
}

/* Pictures of noise; of the mask of picture n every n + 1st column counts, the first n + 1 of them as
 * class 1. */
static void write_pictures(const char *folder, int64_t count) {
    enum { SIDE = 16 };
    char path[128];
    attn_classes classes;
    attn_random random = attn_random_start(1);
    static const char text[] = "0 ground 0 0 0\n1 thing 255 0 0\n";
    assert_int_equal(attn_classes_parse(text, sizeof text - 1, "classes", 255, &classes, NULL),
                     ATTN_OK);
    snprintf(path, sizeof path, "%s/classes", folder);
    FILE *file = fopen(path, "wb");
    assert_true(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    for (int64_t n = 0; n < count; n++) {
        attn_picture picture;
        attn_mask mask;
        assert_int_equal(attn_picture_create(SIDE, SIDE, &picture, NULL), ATTN_OK);
        assert_int_equal(attn_mask_create(SIDE, SIDE, &mask, NULL), ATTN_OK);
        for (int64_t i = 0; i < 3 * SIDE * SIDE; i++) {
            picture.rgb[i] = (uint8_t)attn_random_below(&random, 256);
        }
        for (int64_t i = 0; i < SIDE * SIDE; i++) {
            int64_t column = i % SIDE;
            mask.label[i] = column % (n + 1) != 0 ? 255 : column <= n;
        }
        snprintf(path, sizeof path, "%s/p%lld.png", folder, (long long)n);
        assert_int_equal(attn_picture_write(path, &picture, NULL, NULL), ATTN_OK);
        snprintf(path, sizeof path, "%s/m/p%lld.png", folder, (long long)n);
        assert_int_equal(attn_mask_write(path, &mask, &classes, NULL, NULL), ATTN_OK);
        attn_picture_free(&picture);
        attn_mask_free(&mask);
    }
}

static void small_segmenter(attn_segmenter_recipe *recipe, int64_t batch_pictures) {
    attn_segmenter_recipe_init(recipe);
    recipe->width_2 = recipe->width_4 = 8;
    recipe->d_model = 16;
    recipe->units_4 = recipe->units_8 = recipe->blocks = 1;
    recipe->heads = 2;
    recipe->ffn = 16;
    recipe->dropout = recipe->attention_dropout = recipe->stochastic_depth = 0;
    recipe->label_smoothing = 0.1;
    recipe->balance = 1;
    recipe->crop_width = recipe->crop_height = 16;
    recipe->batch_pictures = batch_pictures;
    recipe->train.learning_rate = recipe->train.warmup_init = 0; /* the weights stay */
    recipe->train.clip_norm = 0;
}

/* Batches of which different numbers of pixels count, of classes of different weights, give the
 * gradient and the loss of all their pictures together. */
static void pixels_weigh_the_same_in_any_batch(void **state) {
    (void)state;
    enum { COUNT = 4 };
    const char *folder = toy_folder();
    char masks[80], classes[80];
    snprintf(masks, sizeof masks, "%s/m", folder);
    snprintf(classes, sizeof classes, "%s/classes", folder);
    assert_int_equal(mkdir(masks, 0777), 0);
    write_pictures(folder, COUNT + 1); /* the last one is held out */
    attn_segmenter_files files = {
        .images = folder, .masks = masks, .classes = classes, .ignore = 255};
    enum { WAYS = 4 }; /* all at once, halves, one by one, and in three shards */
    attn_learned learned[WAYS];
    float *gradient[WAYS];
    int64_t size = 0;
    for (int n = 0; n < WAYS; n++) {
        int64_t batch = n < 3 ? COUNT >> n : 1;
        attn_shards *shards = NULL;
        int64_t batches;
        attn_segmenter_recipe recipe;
        attn_segmenter_data data;
        attn_segmenter_task task;
        attn_learner learner;
        small_segmenter(&recipe, batch);
        recipe.train.shards = n == 3 ? 3 : 1;
        assert_int_equal(attn_segmenter_data_read(&files, &recipe, &data, NULL), ATTN_OK);
        assert_int_equal(attn_segmenter_task_create(&recipe, &data, &task, NULL), ATTN_OK);
        assert_int_equal(attn_learner_create(&recipe.train, &task.task, &learner, NULL), ATTN_OK);
        assert_int_equal(task.task.begin_epoch(&task, 1, 0, &batches, NULL), ATTN_OK);
        assert_int_equal(batches, COUNT / batch);
        if (recipe.train.shards > 1) {
            assert_int_equal(attn_shards_create(3, &task.task, NULL, &shards, NULL), ATTN_OK);
            learner.shards = shards;
        }
        assert_int_equal(attn_learner_update(&learner, 0, batches, 0, &learned[n], NULL), ATTN_OK);
        assert_false(learned[n].skipped);
        size = learner.size;
        gradient[n] = attn_alloc((size_t)size * sizeof(float));
        memcpy(gradient[n], attn_params_grad(task.task.params), (size_t)size * sizeof(float));
        attn_learner_free(&learner);
        attn_shards_free(shards);
        attn_segmenter_task_free(&task);
        attn_segmenter_data_free(&data);
    }
    float largest = 0;
    for (int64_t i = 0; i < size; i++) {
        largest = fmaxf(largest, fabsf(gradient[0][i]));
    }
    for (int n = 1; n < WAYS; n++) {
        assert_int_equal(learned[n].sums.units, learned[0].sums.units);
        assert_true(fabs(learned[n].sums.loss / learned[0].sums.loss - 1) < 1e-5);
        assert_true(fabs(learned[n].sums.nll / learned[0].sums.nll - 1) < 1e-5);
        for (int64_t i = 0; i < size; i++) {
            assert_true(fabsf(gradient[n][i] - gradient[0][i]) < 1e-5f * largest);
        }
    }
    for (int n = 0; n < WAYS; n++) {
        attn_free(gradient[n]);
    }
    toy_remove(folder);
}

/* With clipping, the step is the same whatever the size of the gradient: its scale is bounded. */
static void clips_to_the_norm(void **state) {
    (void)state;
    attn_translator_recipe recipe;
    attn_translator_data data = {.tokenizer = NULL};
    attn_translator_task task;
    attn_learner learner;
    attn_learned learned;
    toy_options(&recipe);
    recipe.train.clip_norm = 1e-3;
    toy_corpus(3, 3, &data.train);
    int64_t pairs[] = {0, 1, 2}, start[] = {0, 3};
    attn_batches batches = {pairs, start, 1};
    assert_int_equal(attn_translator_task_create(&recipe, &data, TOY_VOCABULARY, &task, NULL),
                     ATTN_OK);
    assert_int_equal(attn_learner_create(&recipe.train, &task.task, &learner, NULL), ATTN_OK);
    task.train = batches;
    assert_int_equal(attn_learner_update(&learner, 0, 1, 0, &learned, NULL), ATTN_OK);
    assert_true(learned.gradient_norm > 1e-3);
    attn_optimizer_state moments = moments_of(&learner);
    double squares = 0; /* m = (1 - beta1) g after one step */
    for (int64_t i = 0; i < learner.size; i++) {
        double g = moments.m[i] / (1 - (double)(float)recipe.train.adam_beta1);
        squares += g * g;
    }
    assert_true(fabs(sqrt(squares) - 1e-3) < 1e-6);
    attn_learner_free(&learner);
    task.train = (attn_batches){.pair = NULL}; /* on the stack */
    attn_translator_task_free(&task);
    attn_corpus_free(&data.train);
}

/* Without dropout the two passes of R-Drop agree: loss and gradient are those of one pass. */
static void r_drop_without_dropout_is_one_pass(void **state) {
    (void)state;
    attn_translator_recipe recipe;
    attn_translator_data data = {.tokenizer = NULL};
    attn_learned learned[3];
    float *gradient[3];
    int64_t pairs[] = {0, 1, 2, 3}, start[] = {0, 4}, size = 0;
    toy_corpus(4, 3, &data.train);
    for (int i = 0; i < 3; i++) {
        attn_translator_task task;
        attn_learner learner;
        toy_options(&recipe);
        recipe.dropout = i == 2 ? 0.3 : 0;
        recipe.r_drop = i == 0 ? 0 : 2;
        assert_int_equal(attn_translator_task_create(&recipe, &data, TOY_VOCABULARY, &task, NULL),
                         ATTN_OK);
        assert_int_equal(attn_learner_create(&recipe.train, &task.task, &learner, NULL), ATTN_OK);
        task.train = (attn_batches){pairs, start, 1};
        assert_int_equal(attn_learner_update(&learner, 0, 1, 0, &learned[i], NULL), ATTN_OK);
        size = learner.size;
        gradient[i] = attn_alloc((size_t)size * sizeof(float));
        memcpy(gradient[i], attn_params_grad(task.task.params), (size_t)size * sizeof(float));
        attn_learner_free(&learner);
        task.train = (attn_batches){.pair = NULL}; /* on the stack */
        attn_translator_task_free(&task);
    }
    assert_int_equal(learned[0].sums.units, learned[1].sums.units);
    assert_true(fabs(learned[0].sums.loss - learned[1].sums.loss) < 1e-5 * learned[0].sums.loss);
    assert_true(fabs(learned[0].sums.nll - learned[1].sums.nll) < 1e-5 * learned[0].sums.nll);
    for (int64_t i = 0; i < size; i++) {
        assert_true(fabsf(gradient[0][i] - gradient[1][i]) < 1e-5f);
    }
    /* With dropout the passes differ, and that costs. */
    assert_true(learned[2].sums.loss > learned[0].sums.loss);
    assert_memory_not_equal(gradient[2], gradient[1], (size_t)size * sizeof(float));
    for (int i = 0; i < 3; i++) {
        attn_free(gradient[i]);
    }
    attn_corpus_free(&data.train);
}

static void nan_changes_nothing(void **state) {
    (void)state;
    attn_translator_recipe recipe;
    attn_translator_data data = {.tokenizer = NULL};
    attn_translator_task task;
    attn_learner learner;
    attn_learned learned;
    toy_options(&recipe);
    toy_corpus(3, 3, &data.train);
    int64_t pairs[] = {0, 1, 2}, start[] = {0, 3};
    attn_batches batches = {pairs, start, 1};
    assert_int_equal(attn_translator_task_create(&recipe, &data, TOY_VOCABULARY, &task, NULL),
                     ATTN_OK);
    assert_int_equal(attn_learner_create(&recipe.train, &task.task, &learner, NULL), ATTN_OK);
    float *weights = attn_params_data(task.task.params);
    weights[learner.size - 1] = NAN;
    size_t bytes = (size_t)learner.size * sizeof *weights;
    float *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, weights, bytes);
    task.train = batches;
    assert_int_equal(attn_learner_update(&learner, 0, 1, 0, &learned, NULL), ATTN_OK);
    assert_true(learned.skipped);
    assert_memory_equal(weights, before, bytes);
    attn_optimizer_state moments = moments_of(&learner);
    for (int64_t i = 0; i < learner.size; i++) {
        assert_true(moments.m[i] == 0 && moments.v[i] == 0);
    }
    assert_true(moments.steps == 1 && moments.skipped == 1);
    free(before);
    attn_learner_free(&learner);
    task.train = (attn_batches){.pair = NULL}; /* on the stack */
    attn_translator_task_free(&task);
    attn_corpus_free(&data.train);
}

/* ---- whole trainings ---- */

typedef struct toy_run {
    const char *folder;
    toy_paths path;
    attn_translator_recipe recipe;
    attn_translator_data data;
    attn_train_summary summary;
    attn_error error;
    int logs, validations;
    double (*clock)(void);
    double rate[200]; /* by step, from 1 */
} toy_run;

/* A step takes 1 s, every eighth 4 s, whatever the machine. */
static double toy_time;

static double toy_clock(void) {
    return toy_time;
}

static void count_events(const attn_train_event *event, void *context) {
    toy_run *r = context;
    if (event->kind == ATTN_TRAIN_STEP) {
        toy_time += event->step % 8 == 0 ? 4 : 1;
        r->rate[event->step < 200 ? event->step : 0] = event->learning_rate;
    }
    r->logs += event->kind == ATTN_TRAIN_LOG;
    r->validations += event->kind == ATTN_TRAIN_VALIDATION;
}

static int set_up(void **state) {
    static toy_run r;
    r = (toy_run){.folder = toy_folder()};
    if (r.folder == NULL) {
        return 1;
    }
    r.path = toy_paths_in(r.folder);
    toy_options(&r.recipe);
    toy_corpus(70, 1, &r.data.train);
    toy_corpus(10, 2, &r.data.valid);
    *state = &r;
    return 0;
}

static int tear_down(void **state) {
    toy_run *r = *state;
    toy_remove(r->folder);
    attn_translator_data_free(&r->data);
    return 0;
}

static attn_status run(toy_run *r, const attn_checkpoint *resume) {
    attn_training training = {
        .model_path = r->path.model,
        .best_path = r->path.best,
        .checkpoint_path = r->path.checkpoint,
        .resume = resume,
        .report = count_events,
        .context = r,
        .clock = r->clock,
    };
    return toy_train(&r->recipe, &r->data, training, &r->summary, &r->error);
}

static void ends_after_max_steps(void **state) {
    toy_run *r = *state;
    assert_int_equal(run(r, NULL), ATTN_OK);
    assert_int_equal(r->summary.ending, ATTN_TRAIN_STEPS_DONE);
    assert_int_equal(r->summary.steps, 30);
    assert_int_equal(r->logs, 30 / 4);
    assert_int_equal(r->summary.averaged, 2);
    assert_true(r->summary.loss < log(TOY_VOCABULARY));
}

static void ends_after_max_epochs(void **state) {
    toy_run *r = *state;
    r->recipe.train.max_steps = 0;
    r->recipe.train.max_epochs = 3;
    r->recipe.train.average = 9;
    assert_int_equal(run(r, NULL), ATTN_OK);
    assert_int_equal(r->summary.ending, ATTN_TRAIN_EPOCHS_DONE);
    assert_int_equal(r->summary.epochs, 3);
    assert_int_equal(r->validations, 3);
    assert_int_equal(r->summary.averaged, 3); /* there are no more */
}

static void ends_out_of_patience(void **state) {
    toy_run *r = *state;
    r->recipe.train.max_steps = 0;
    r->recipe.train.patience = 3;
    r->recipe.train.learning_rate = 1e-12; /* nothing gets better than the first validation */
    r->recipe.train.validate_every = 2;
    assert_int_equal(run(r, NULL), ATTN_OK);
    assert_int_equal(r->summary.ending, ATTN_TRAIN_OUT_OF_PATIENCE);
    assert_true(r->validations >= 4 && r->validations <= 12);
}

static void ends_out_of_time(void **state) {
    toy_run *r = *state;
    r->recipe.train.max_steps = 0;
    r->recipe.train.max_minutes = 1e-6;
    assert_int_equal(run(r, NULL), ATTN_OK);
    assert_int_equal(r->summary.ending, ATTN_TRAIN_OUT_OF_TIME);
    assert_int_equal(r->summary.steps, 1);
    assert_int_equal(r->validations, 1);
}

/* A moving average that forgets at once is the last weights; one that remembers is not, and goes on after a pause. */
static void keeps_the_moving_average(void **state) {
    toy_run *r = *state;
    r->recipe.train.average = 1;
    assert_int_equal(run(r, NULL), ATTN_OK);
    attn_safetensors *file[3] = {NULL};
    const attn_tensor_info *table[3];
    for (int i = 0; i < 3; i++) {
        attn_checkpoint checkpoint = {.file = NULL};
        r->recipe.train.keep = i == 0 ? ATTN_KEEP_AVERAGE : ATTN_KEEP_EMA;
        r->recipe.train.ema = i == 1 ? 1e-9 : 0.9;
        r->recipe.train.max_steps = i == 2 ? 11 : 30; /* then on to 30 */
        assert_int_equal(run(r, NULL), ATTN_OK);
        if (i == 2) {
            r->recipe.train.max_steps = 30;
            assert_int_equal(attn_checkpoint_load(r->path.checkpoint, &checkpoint, NULL), ATTN_OK);
            assert_non_null(checkpoint.ema);
            assert_memory_not_equal(checkpoint.ema, checkpoint.weights,
                                    (size_t)checkpoint.size * sizeof(float));
            assert_int_equal(run(r, &checkpoint), ATTN_OK);
            attn_checkpoint_close(&checkpoint);
        }
        assert_int_equal(r->summary.averaged, i == 0 ? 1 : 0);
        assert_int_equal(attn_safetensors_open(r->path.model, &file[i], NULL), ATTN_OK);
        table[i] = attn_safetensors_find(file[i], "embedding");
    }
    for (size_t i = 0; i < table[0]->size / sizeof(float); i++) {
        const float *last = table[0]->data, *average = table[1]->data;
        assert_true(fabsf(last[i] - average[i]) < 1e-6f);
    }
    assert_memory_not_equal(table[0]->data, table[2]->data, table[0]->size);
    assert_int_equal(run(r, NULL), ATTN_OK); /* the same without a pause */
    attn_safetensors *whole;
    assert_int_equal(attn_safetensors_open(r->path.model, &whole, NULL), ATTN_OK);
    assert_memory_equal(attn_safetensors_find(whole, "embedding")->data, table[2]->data,
                        table[2]->size);
    attn_safetensors_close(whole);
    for (int i = 0; i < 3; i++) {
        attn_safetensors_close(file[i]);
    }
}

/* Of three candidates the best one is the model: here the moving average, with a rate that shakes the weights. */
static void takes_the_best_of_three(void **state) {
    toy_run *r = *state;
    double loss[3];
    r->recipe.train.average = 1;
    r->recipe.train.max_steps = 60;
    r->recipe.train.validate_every = 30;
    r->recipe.train.learning_rate = 0.03;
    r->recipe.train.schedule = ATTN_SCHEDULE_CONSTANT;
    r->recipe.train.ema = 0.9;
    const int keeps[3] = {ATTN_KEEP_AVERAGE, ATTN_KEEP_EMA, ATTN_KEEP_BETTER};
    for (int i = 0; i < 3; i++) {
        r->recipe.train.keep = keeps[i];
        assert_int_equal(run(r, NULL), ATTN_OK);
        loss[i] = r->summary.loss;
    }
    assert_true(loss[1] < loss[0] && loss[1] < r->summary.best_loss);
    assert_true(loss[2] == loss[1]);
    assert_int_equal(r->summary.averaged, 0);
    r->recipe.train.learning_rate = 0.002; /* no shaking: the moving average only lags behind */
    assert_int_equal(run(r, NULL), ATTN_OK);
    assert_int_equal(r->summary.averaged, 1);
    assert_true(r->summary.loss == r->summary.best_loss);
}

/* 44 steps take a minute; the last 20 of them are to be the cooldown. */
static void the_cooldown_fits_the_time(void **state) {
    enum { COOLDOWN = 20 };
    toy_run *r = *state;
    r->clock = toy_clock;
    r->recipe.train.max_steps = 0;
    r->recipe.train.max_minutes = 1;
    r->recipe.train.schedule = ATTN_SCHEDULE_CONSTANT;
    r->recipe.train.cooldown_steps = COOLDOWN;
    toy_time = 1000;
    assert_int_equal(run(r, NULL), ATTN_OK);
    assert_int_equal(r->summary.ending, ATTN_TRAIN_OUT_OF_TIME);
    int64_t last = r->summary.steps;
    assert_true(toy_time - 1000 > 60 - 8 && toy_time - 1000 < 60 + 8);
    for (int64_t i = 1; i <= last; i++) {
        double peak = r->recipe.train.learning_rate;
        if (i >= r->recipe.train.warmup_steps && i <= last - COOLDOWN) {
            assert_true(r->rate[i] == peak);
        } else if (i > last - COOLDOWN + 1) {
            assert_true(r->rate[i] < r->rate[i - 1]);
        }
    }
    assert_true(r->rate[last] < r->recipe.train.learning_rate / 10);
}

/* The weights become infinite at once; the training says so instead of writing a model. */
static void gives_up_on_nan(void **state) {
    toy_run *r = *state;
    r->recipe.train.learning_rate = 100;
    r->recipe.train.warmup_steps = 0;
    r->recipe.train.clip_norm = 0;
    r->recipe.train.max_steps = 1000;
    r->recipe.train.validate_every = 1000000;
    attn_checkpoint checkpoint = {.file = NULL};
    r->recipe.train.max_steps = 1;
    assert_int_equal(run(r, NULL), ATTN_OK);
    unlink(r->path.model);
    assert_int_equal(attn_checkpoint_load(r->path.checkpoint, &checkpoint, NULL), ATTN_OK);
    size_t bytes = (size_t)checkpoint.size * sizeof(float);
    float *weights = attn_alloc(bytes);
    memcpy(weights, checkpoint.weights, bytes);
    weights[checkpoint.size - 1] = NAN;
    checkpoint.weights = weights;
    r->recipe.train.max_steps = 1000;
    assert_int_equal(run(r, &checkpoint), ATTN_ERR_NUMERIC);
    assert_int_equal(r->summary.skipped, ATTN_TRAIN_MAX_SKIPPED);
    assert_non_null(strstr(r->error.hint, "learning_rate"));
    assert_int_not_equal(access(r->path.model, F_OK), 0);
    attn_free(weights);
    attn_checkpoint_close(&checkpoint);
}

static void resumes_only_the_same(void **state) {
    toy_run *r = *state;
    attn_checkpoint checkpoint;
    assert_int_equal(run(r, NULL), ATTN_OK);
    assert_int_equal(attn_checkpoint_load(r->path.checkpoint, &checkpoint, NULL), ATTN_OK);
    r->recipe.ffn = 32;
    assert_int_equal(run(r, &checkpoint), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(r->error.what, "shape"));
    r->recipe.ffn = 24;
    r->data.train.target[5]++;
    assert_int_equal(run(r, &checkpoint), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(r->error.what, "other data"));
    attn_checkpoint_close(&checkpoint);
}

static void an_unwritable_folder_shows_at_once(void **state) {
    toy_run *r = *state;
    snprintf(r->path.checkpoint, sizeof r->path.checkpoint, "%s/none/m.checkpoint", r->folder);
    assert_int_equal(run(r, NULL), ATTN_ERR_IO);
    assert_int_equal(r->summary.steps, 0);
}

/* ---- holding out ---- */

static void held_out_pairs_are_not_trained_on(void **state) {
    (void)state;
    attn_corpus corpus, held;
    toy_corpus(300, 4, &corpus);
    assert_int_equal(attn_corpus_hold_out(&corpus, 20, &held, NULL), ATTN_OK);
    assert_int_equal(held.count, 20);
    assert_true(corpus.count <= 280 && corpus.count >= 250);
    for (int64_t i = 0; i < held.count; i++) {
        int64_t at = held.source_start[i], length = held.source_start[i + 1] - at;
        assert_int_equal(held.target[held.target_start[i]], held.source[at + length - 1]);
        for (int64_t j = 0; j < corpus.count; j++) {
            int64_t other = corpus.source_start[j];
            assert_false(corpus.source_start[j + 1] - other == length &&
                         memcmp(held.source + at, corpus.source + other,
                                (size_t)length * sizeof *held.source) == 0);
        }
    }
    attn_corpus_free(&corpus);
    attn_corpus_free(&held);
    /* Nothing would be left. */
    toy_corpus(1, 4, &corpus);
    assert_int_equal(attn_corpus_hold_out(&corpus, 1, &held, NULL), ATTN_ERR_FORMAT);
    attn_corpus_free(&corpus);
}

int main(void) {
#define RUN(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accumulation_is_one_large_batch),
        cmocka_unit_test(pixels_weigh_the_same_in_any_batch),
        cmocka_unit_test(clips_to_the_norm),
        cmocka_unit_test(r_drop_without_dropout_is_one_pass),
        cmocka_unit_test(nan_changes_nothing),
        RUN(ends_after_max_steps),
        RUN(ends_after_max_epochs),
        RUN(ends_out_of_patience),
        RUN(ends_out_of_time),
        RUN(keeps_the_moving_average),
        RUN(takes_the_best_of_three),
        RUN(the_cooldown_fits_the_time),
        RUN(gives_up_on_nan),
        RUN(resumes_only_the_same),
        RUN(an_unwritable_folder_shows_at_once),
        cmocka_unit_test(held_out_pairs_are_not_trained_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
