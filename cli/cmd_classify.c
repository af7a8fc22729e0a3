/* cli/cmd_classify.c: `attn classify`: what a picture shows, by a network of pictures such as ViT. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "attn/classify.h"
#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "command.h"
#include "image/picture.h"
#include "io/json_write.h"
#include "model.h"

typedef struct options {
    const char *model;
    int64_t top, max_pixels, threads;
    bool json, strict;
} options;

static const options defaults = {.top = 5};

/* clang-format off */
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "PATH",
     .help = "the model: a file of attn's, or a folder of Hugging Face's (default: $ATTN_CLASSIFIER)"},
    {"top", 'n', ATTN_OPTION_INT, offsetof(options, top), 1, 1000000, .value = "N",
     .help = "so many classes of each picture, the likeliest first (default 5)"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print one JSON object per picture: picture, classes with number, name, probability"},
    {"strict", 0, ATTN_OPTION_FLAG, offsetof(options, strict),
     .help = "stop at the first picture that cannot be read"},
    {"max-pixels", 0, ATTN_OPTION_INT, offsetof(options, max_pixels), 1, 1e12, .value = "N",
     .help = "refuse larger pictures (default 100 million)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
};
/* clang-format on */

typedef struct work {
    const options *options;
    attn_model *model;
    int classes;
    float *probability; /* [classes] */
    int *order;         /* [classes]: the likeliest first, of equal ones the first */
} work;

/* The `count` likeliest to the front. */
static void sort_front(work *w, int count) {
    for (int i = 0; i < w->classes; i++) {
        w->order[i] = i;
    }
    for (int i = 0; i < count; i++) {
        int best = i;
        for (int k = i + 1; k < w->classes; k++) {
            float p = w->probability[w->order[k]], q = w->probability[w->order[best]];
            best = p > q || (p == q && w->order[k] < w->order[best]) ? k : best;
        }
        int chosen = w->order[best];
        w->order[best] = w->order[i];
        w->order[i] = chosen;
    }
}

static attn_status print(const work *w, const char *path, int count, attn_error *error) {
    json_t *list = json_array();
    if (!w->options->json) {
        printf("%s\n", path);
    }
    for (int i = 0; i < count; i++) {
        int number = w->order[i];
        double probability = (double)w->probability[number];
        const char *name = attn_model_class_name(w->model, number);
        if (w->options->json) {
            json_array_append_new(list, json_pack("{s:i, s:s, s:f}", "class", number, "name", name,
                                                  "probability", probability));
        } else {
            printf("  %5.1f %%  %s\n", 100 * probability, name);
        }
    }
    attn_status status = ATTN_OK;
    if (w->options->json) {
        status = attn_json_print(json_pack("{s:s, s:O}", "picture", path, "classes", list),
                                 JSON_COMPACT | JSON_REAL_PRECISION(9), stdout, error);
    }
    json_decref(list);
    return status == ATTN_OK ? attn_output_flush(error) : status;
}

static attn_status classify(work *w, const char *path, const attn_picture *picture,
                            attn_error *error) {
    attn_pixels pixels = {picture->width, picture->height, picture->rgb};
    int count = (int)attn_min(w->options->top, w->classes);
    attn_status status = attn_classify(w->model, &pixels, w->probability, error);
    if (status == ATTN_OK) {
        sort_front(w, count);
        status = print(w, path, count, error);
    }
    return status;
}

/* A picture that cannot be read is named, and the rest goes on. *unread: how many could not. */
static attn_status classify_all(work *w, int count, char **path, int *unread, attn_error *error) {
    attn_status status = ATTN_OK;
    for (int i = 0; i < count && status == ATTN_OK; i++) {
        attn_picture picture = {.rgb = NULL};
        status = attn_picture_read(path[i], w->options->max_pixels, &picture, error);
        if (status == ATTN_OK) {
            status = classify(w, path[i], &picture, error);
        } else if (count > 1 && !w->options->strict && status != ATTN_ERR_MEMORY) {
            attn_say_error(error);
            (*unread)++;
            status = ATTN_OK;
        }
        attn_picture_free(&picture);
    }
    return status;
}

static attn_status open_model(work *w, attn_error *error) {
    const char *path = w->options->model != NULL ? w->options->model : getenv("ATTN_CLASSIFIER");
    if (path == NULL || path[0] == '\0') {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "name one with --model or ATTN_CLASSIFIER", "no model");
    }
    attn_status status = attn_picture_model_open(path, &w->model, error);
    if (status == ATTN_OK) {
        status = attn_model_check_kind(w->model, ATTN_MODEL_PICTURES, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    w->classes = attn_model_classes(w->model);
    size_t room = (size_t)w->classes + 1;
    w->probability = attn_alloc_zero(room, sizeof *w->probability);
    w->order = attn_alloc_zero(room, sizeof *w->order);
    return w->probability != NULL && w->order != NULL
               ? ATTN_OK
               : attn_fail_memory(error, room * sizeof *w->probability);
}

static int classify_run(const void *given, int operand_count, char **operand) {
    work w = {.options = given};
    int unread = 0;
    attn_error error;
    if (w.options->threads > 0) {
        attn_set_threads((int)w.options->threads);
    }
    attn_status status = open_model(&w, &error);
    if (status == ATTN_OK) {
        status = classify_all(&w, operand_count, operand, &unread, &error);
    }
    attn_free(w.probability);
    attn_free(w.order);
    attn_model_close(w.model);
    return status != ATTN_OK ? attn_say_error(&error)
           : unread > 0      ? ATTN_EXIT_FAILURE
                             : ATTN_EXIT_OK;
}

const attn_command attn_cmd_classify = {
    .name = "classify",
    .summary = "Say what a picture shows",
    .usage = "[OPTION]... --model PATH PICTURE...",
    .description =
        "Prints the likeliest classes of each picture with their probabilities. The model is a "
        "ViT, "
        "or a SegFormer with a head for whole pictures, read as its makers made it; docs/import.md "
        "says which. `attn attend` shows what it looked at. A picture that cannot be read is "
        "named; "
        "the others go on, and the exit status is 1.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1000000,
    .run = classify_run,
};
