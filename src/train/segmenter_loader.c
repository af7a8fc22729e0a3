/* train/segmenter_loader.c: two batches, one in use and one being made. */
#include "train/segmenter_loader.h"

#include <pthread.h>

#include "base/fail.h"
#include "base/random.h"
#include "image/augment.h"

/* A batch and what its making said. */
typedef struct slot {
    int64_t index; /* of the batch in the epoch; -1: none */
    uint8_t *pixels, *labels;
    attn_status status;
    attn_error error;
} slot;

struct attn_segmenter_loader {
    const attn_segmenter_data *data;
    const attn_segmenter_recipe *recipe;
    uint64_t seed;
    int64_t epoch;
    int64_t *order;            /* of the training pictures in this epoch */
    int64_t batches, pictures; /* of the epoch; of a batch */
    slot slots[2];             /* [0] in use, [1] being made or ready */
    attn_augment_space space;  /* of who makes a batch; never two at once */
    pthread_t thread;
    bool running; /* the thread makes slots[1] */
};

static attn_augment_options augment_options(const attn_segmenter_recipe *recipe) {
    return (attn_augment_options){.crop_width = recipe->crop_width,
                                  .crop_height = recipe->crop_height,
                                  .scale_low = recipe->scale_low,
                                  .scale_high = recipe->scale_high,
                                  .flip = recipe->flip,
                                  .brightness = recipe->brightness,
                                  .contrast = recipe->contrast,
                                  .saturation = recipe->saturation};
}

static attn_status make_picture(attn_segmenter_loader *l, int64_t number, uint8_t *pixels,
                                uint8_t *labels, attn_error *error) {
    attn_picture picture;
    attn_mask mask;
    attn_status status = attn_segmenter_data_load(l->data, &l->data->train, number,
                                                  l->recipe->reduce, &picture, &mask, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_augment_options options = augment_options(l->recipe);
    attn_augment_plan plan = attn_augment_draw(&options, l->seed, (uint64_t)l->epoch,
                                               (uint64_t)number, picture.width, picture.height);
    status = attn_augment_apply(&plan, &picture, &mask, ATTN_IGNORE_LABEL, pixels, labels,
                                &l->space, error);
    attn_picture_free(&picture);
    attn_mask_free(&mask);
    return status;
}

static void make_batch(attn_segmenter_loader *l, slot *s) {
    int64_t area = l->recipe->crop_width * l->recipe->crop_height;
    s->status = ATTN_OK;
    for (int64_t i = 0; i < l->pictures && s->status == ATTN_OK; i++) {
        s->status = make_picture(l, l->order[s->index * l->pictures + i], s->pixels + 3 * area * i,
                                 s->labels + area * i, &s->error);
    }
}

/* ---- the thread ---- */

static void *thread_main(void *context) {
    attn_segmenter_loader *l = context;
    make_batch(l, &l->slots[1]);
    return NULL;
}

static void join(attn_segmenter_loader *l) {
    if (l->running) {
        pthread_join(l->thread, NULL);
        l->running = false;
    }
}

/* Where no thread can be had, the batch is made when it is asked for. */
static void begin_next(attn_segmenter_loader *l, int64_t index) {
    l->slots[1].index = -1;
    if (index >= 0 && index < l->batches) {
        l->slots[1].index = index;
        l->running = pthread_create(&l->thread, NULL, thread_main, l) == 0;
        if (!l->running) {
            l->slots[1].index = -1;
        }
    }
}

attn_status attn_segmenter_loader_get(attn_segmenter_loader *loader, int64_t index, int64_t next,
                                      attn_segmenter_batch *out, attn_error *error) {
    attn_segmenter_loader *l = loader;
    join(l);
    if (l->slots[1].index == index) {
        slot made = l->slots[1];
        l->slots[1] = l->slots[0];
        l->slots[0] = made;
    } else {
        l->slots[0].index = index;
        make_batch(l, &l->slots[0]);
    }
    if (l->slots[0].status != ATTN_OK) {
        if (error != NULL) {
            *error = l->slots[0].error;
        }
        return l->slots[0].status;
    }
    begin_next(l, next);
    *out = (attn_segmenter_batch){
        .pictures = {l->pictures, l->recipe->crop_height, l->recipe->crop_width,
                     l->slots[0].pixels},
        .labels = l->slots[0].labels,
        .class_weights = l->data->weights,
    };
    return ATTN_OK;
}

int64_t attn_segmenter_loader_begin(attn_segmenter_loader *loader, uint64_t seed, int64_t epoch) {
    attn_segmenter_loader *l = loader;
    int64_t count = (int64_t)l->data->train.count;
    if (l->batches > 0 && l->seed == seed && l->epoch == epoch) {
        return l->batches;
    }
    join(l);
    l->slots[0].index = l->slots[1].index = -1;
    l->seed = seed;
    l->epoch = epoch;
    l->batches = count / l->pictures;
    for (int64_t i = 0; i < count; i++) {
        l->order[i] = i;
    }
    attn_random random = attn_random_start(attn_random_key(seed, (uint64_t)epoch, (uint64_t)count));
    attn_random_shuffle(&random, l->order, count);
    return l->batches;
}

int64_t attn_segmenter_loader_pictures(const attn_segmenter_loader *loader) {
    return loader->pictures;
}

attn_status attn_segmenter_loader_create(const attn_segmenter_data *data,
                                         const attn_segmenter_recipe *recipe,
                                         attn_segmenter_loader **out, attn_error *error) {
    attn_segmenter_loader *l = *out = attn_alloc_zero(1, sizeof *l);
    if (l == NULL) {
        return attn_fail_memory(error, sizeof *l);
    }
    int64_t count = (int64_t)data->train.count;
    l->data = data;
    l->recipe = recipe;
    l->pictures = count < recipe->batch_pictures ? count : recipe->batch_pictures;
    l->order = attn_alloc_zero((size_t)count, sizeof *l->order);
    size_t pixels = (size_t)(l->pictures * recipe->crop_width * recipe->crop_height);
    bool complete = l->order != NULL;
    for (int i = 0; i < 2; i++) {
        l->slots[i].index = -1;
        l->slots[i].pixels = attn_alloc(3 * pixels);
        l->slots[i].labels = attn_alloc(pixels);
        complete = complete && l->slots[i].pixels != NULL && l->slots[i].labels != NULL;
    }
    if (!complete) {
        attn_segmenter_loader_free(l);
        *out = NULL;
        return attn_fail_memory(error, 8 * pixels);
    }
    return ATTN_OK;
}

void attn_segmenter_loader_free(attn_segmenter_loader *loader) {
    if (loader == NULL) {
        return;
    }
    join(loader);
    for (int i = 0; i < 2; i++) {
        attn_free(loader->slots[i].pixels);
        attn_free(loader->slots[i].labels);
    }
    attn_augment_space_free(&loader->space);
    attn_free(loader->order);
    attn_free(loader);
}
