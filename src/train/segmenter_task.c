/* train/segmenter_task.c: from pictures and masks to losses, gradients and mIoU. */
#include "train/segmenter_task.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/math.h"
#include "base/memory.h"
#include "kernels/elementwise/elementwise.h"
#include "models/segmenter.h"
#include "train/patterns.h"

static int64_t batch_pixels(const attn_segmenter_task *t) {
    return attn_segmenter_loader_pictures(t->loader) * t->recipe->crop_width *
           t->recipe->crop_height;
}

static bool is_sharded(const attn_segmenter_task *t) {
    return t->recipe->train.shards > 1;
}

static attn_status begin_epoch(void *self, uint64_t seed, int64_t epoch, int64_t *batches,
                               attn_error *error) {
    (void)error;
    *batches = attn_segmenter_loader_begin(((attn_segmenter_task *)self)->loader, seed, epoch);
    return ATTN_OK;
}

static int64_t units(void *self, int64_t first_batch, int64_t count) {
    (void)first_batch;
    return count * batch_pixels(self);
}

/* What to do about it is said in the recipe's terms. */
static attn_status pass_failed(attn_status status, attn_error *error) {
    return status != ATTN_ERR_MEMORY
               ? status
               : attn_fail(error, status, "training", -1, "lower batch_pictures or the crop size",
                           "out of memory while computing the loss");
}

/* A batch without a pixel that counts teaches nothing. What the pixels of the whole update weigh is
 * known after its last batch; until then all count as if they weighed what the first ones do, or, where others may
 * have the first ones, as if each weighed 1. */
static attn_status accumulate(void *self, int64_t batch_index, int64_t next, uint64_t seed,
                              uint64_t key, int64_t all_units, attn_task_loss *out,
                              attn_error *error) {
    attn_segmenter_task *t = self;
    attn_segmenter_batch batch;
    attn_status status = attn_segmenter_loader_get(t->loader, batch_index, next, &batch, error);
    if (status != ATTN_OK) {
        return status;
    }
    double weight = attn_segmenter_batch_weight(t->model, &batch);
    if (weight == 0) {
        return ATTN_OK;
    }
    double loss = 0, nll = 0;
    if (t->share == 0) {
        t->share = is_sharded(t) ? 1 : (double)batch_pixels(t) / weight;
    }
    out->weight += weight;
    attn_tape_begin(t->task.tape, true, seed, key);
    status = attn_segmenter_loss(t->model, t->task.tape, &batch,
                                 (attn_real)(t->share / (double)all_units), &loss, &nll, error);
    if (status == ATTN_OK) {
        status = attn_tape_backward(t->task.tape, error);
    }
    out->loss += t->share * loss;
    out->nll += t->share * nll;
    return pass_failed(status, error);
}

static void conclude(void *self, int64_t all_units, attn_task_loss *out) {
    attn_segmenter_task *t = self;
    double share =
        is_sharded(t) ? 1 : t->share; /* a share of the batches may hold no pixel that counts */
    double factor = out->weight > 0 ? (double)all_units / out->weight / share : 1;
    if ((attn_real)factor != 1) {
        attn_real *gradient = attn_params_grad(t->task.params);
        attn_scale(attn_params_trained(t->task.params), gradient, (attn_real)factor, gradient);
    }
    out->loss *= factor;
    out->nll *= factor;
    t->share = 0;
}

/* ---- validation ---- */

static void add_nll(const attn_segmenter_task *t, const attn_mask *mask, attn_task_loss *out) {
    const attn_real least = (attn_real)1e-37; /* its logarithm is finite */
    int classes = t->data->classes.count;
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        if (mask->label[i] != ATTN_IGNORE_LABEL) {
            attn_real p = t->probabilities[i * classes + mask->label[i]];
            out->nll -= (double)(real_log2(p > least ? p : least) * REAL_LN2);
            out->units++;
        }
    }
}

static attn_status validate_picture(attn_segmenter_task *t, int64_t index, attn_task_loss *out,
                                    attn_error *error) {
    attn_picture picture;
    attn_mask mask;
    attn_status status = attn_segmenter_data_load(t->data, &t->data->valid, index,
                                                  t->recipe->reduce, &picture, &mask, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_pictures one = {1, picture.height, picture.width, picture.rgb};
    if (mask.width * mask.height > t->data->largest) {
        status = attn_fail(error, ATTN_ERR_FORMAT, t->data->valid.picture[index], -1, NULL,
                           "the picture has changed since the training began");
    }
    if (status == ATTN_OK) {
        status = attn_segmenter_predict(t->model, t->task.tape, &one, t->predicted,
                                        t->probabilities, error);
    }
    if (status == ATTN_OK) {
        attn_mask predicted = {mask.width, mask.height, t->predicted};
        add_nll(t, &mask, out);
        status = attn_confusion_add(&t->confusion, &mask, &predicted, ATTN_IGNORE_LABEL, error);
    }
    attn_picture_free(&picture);
    attn_mask_free(&mask);
    return status;
}

static attn_status validate(void *self, attn_task_loss *out, attn_error *error) {
    attn_segmenter_task *t = self;
    size_t classes = (size_t)t->confusion.classes;
    *out = (attn_task_loss){.units = 0};
    memset(t->confusion.count, 0, classes * classes * sizeof *t->confusion.count);
    attn_status status = attn_segmenter_pack(t->model, error); /* once for all the pictures */
    for (int64_t i = 0; i < (int64_t)t->data->valid.count && status == ATTN_OK; i++) {
        status = validate_picture(t, i, out, error);
    }
    attn_segmenter_unpack(t->model);
    out->loss = out->nll;
    out->units = out->units > 0 ? out->units : 1;
    return status;
}

static attn_status measure(void *self, double *score, attn_error *error) {
    (void)error;
    attn_segmentation_scores scores;
    attn_confusion_scores(&((attn_segmenter_task *)self)->confusion, &scores);
    *score = isfinite(scores.mean_iou) ? 100 * scores.mean_iou : 0;
    return ATTN_OK;
}

static attn_status save(void *self, attn_storage storage, const attn_metadata *facts, size_t count,
                        const char *path, attn_error *error) {
    const attn_segmenter_task *t = self;
    return attn_segmenter_save(t->model, storage, t->data->classes_text,
                               strlen(t->data->classes_text), facts, count, path, error);
}

/* ---- creation ---- */

static attn_status create_parts(attn_segmenter_task *t, attn_error *error) {
    attn_segmenter_config config;
    attn_segmenter_recipe_config(t->recipe, t->data->classes.count, &config);
    attn_status status = attn_segmenter_declare(&config, &t->model, error);
    if (status == ATTN_OK) {
        status =
            attn_patterns_freeze(t->recipe->train.freeze, attn_segmenter_params(t->model), error);
    }
    status = status == ATTN_OK ? attn_segmenter_allocate(t->model, true, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    t->task.params = attn_segmenter_params(t->model);
    attn_params_init(t->task.params, (uint64_t)t->recipe->train.seed);
    status = attn_segmenter_loader_create(t->data, t->recipe, &t->loader, error);
    if (status == ATTN_OK) {
        status = attn_confusion_create(t->data->classes.count, &t->confusion, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    size_t pixels = (size_t)t->data->largest;
    t->predicted = attn_alloc(pixels);
    t->probabilities = attn_alloc_zero(pixels * (size_t)config.classes, sizeof(attn_real));
    if (t->predicted == NULL || t->probabilities == NULL) {
        return attn_fail_memory(error, pixels * (size_t)config.classes * sizeof(attn_real));
    }
    return attn_tape_create(&t->task.tape, error);
}

attn_status attn_segmenter_task_create(const attn_segmenter_recipe *recipe,
                                       const attn_segmenter_data *data, attn_segmenter_task *out,
                                       attn_error *error) {
    *out = (attn_segmenter_task){
        .task = {.self = out,
                 .unit = "pixels",
                 .example = "pictures",
                 .score = "miou",
                 .score_name = "mIoU",
                 .data_hash = data->hash,
                 .examples = (int64_t)data->train.count,
                 .begin_epoch = begin_epoch,
                 .units = units,
                 .accumulate = accumulate,
                 .conclude = conclude,
                 .validate = validate,
                 .measure = measure,
                 .save = save},
        .recipe = recipe,
        .data = data,
    };
    attn_status status = create_parts(out, error);
    if (status != ATTN_OK) {
        attn_segmenter_task_free(out);
    }
    return status;
}

void attn_segmenter_task_free(attn_segmenter_task *task) {
    attn_segmenter_loader_free(task->loader);
    attn_confusion_free(&task->confusion);
    attn_free(task->predicted);
    attn_free(task->probabilities);
    attn_tape_free(task->task.tape);
    attn_segmenter_free(task->model);
    *task = (attn_segmenter_task){.recipe = NULL};
}
