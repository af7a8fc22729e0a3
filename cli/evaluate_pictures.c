/* cli/evaluate_pictures.c: pictures, the model and true masks into one confusion matrix. */
#include "evaluate_pictures.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/confusion.h"
#include "image/mask.h"
#include "image/pairs.h"
#include "io/file.h"
#include "io/json_write.h"
#include "model.h"

const attn_option attn_evaluate_pictures_table[] = {
    {"images", 0, ATTN_OPTION_FILE, offsetof(attn_evaluate_pictures_options, images),
     .value = "DIR", .help = "a segmenter: the pictures to run it on"},
    {"masks", 0, ATTN_OPTION_FILE, offsetof(attn_evaluate_pictures_options, masks), .value = "DIR",
     .help = "their true masks (PNG, TIFF, WebP without loss), by the same names"},
    {"pairs", 0, ATTN_OPTION_FILE, offsetof(attn_evaluate_pictures_options, pairs), .value = "FILE",
     .help = "instead of both: a list with one picture<TAB>mask per line"},
    {"classes", 0, ATTN_OPTION_FILE, offsetof(attn_evaluate_pictures_options, classes),
     .value = "FILE", .help = "the classes of the masks (default: the model's)"},
    {"ignore", 0, ATTN_OPTION_INT, offsetof(attn_evaluate_pictures_options, ignore), 0, 255,
     .value = "N", .help = "mask value to ignore in training and scores (default 255)"},
    {"mask-colors", 0, ATTN_OPTION_FLAG, offsetof(attn_evaluate_pictures_options, colors),
     .help = "masks hold the colours of the classes, not their ids"},
    {"mask-first", 0, ATTN_OPTION_INT, offsetof(attn_evaluate_pictures_options, first), 0, 255,
     .value = "N",
     .help =
         "mask value of class 0; smaller values are ignored too: 1 for masks that count classes "
         "from 1, with 0 for none (default 0)"},
    {"confusion", 0, ATTN_OPTION_FILE, offsetof(attn_evaluate_pictures_options, matrix),
     .value = "FILE", .help = "draw the confusion matrix to FILE.png, .svg or .pdf"},
    {"csv", 0, ATTN_OPTION_FILE, offsetof(attn_evaluate_pictures_options, csv), .value = "FILE",
     .help = "write the confusion matrix as comma-separated values"},
    {"max-pixels", 0, ATTN_OPTION_INT, offsetof(attn_evaluate_pictures_options, max_pixels), 1,
     1e12, .value = "N", .help = "refuse larger pictures (default 100 million)"},
    {.name = NULL},
};

/* ---- the classes of the masks ---- */

static attn_status read_classes(const attn_evaluate_pictures_options *o, const attn_segmenting *s,
                                attn_classes *out, attn_error *error) {
    /* What is below the first class is left out anyway. */
    int64_t given = o->ignore < o->first ? -1 : o->ignore;
    if (o->classes != NULL) {
        int ignore = given >= 0 ? (int)given : ATTN_DEFAULT_IGNORE;
        attn_status status = attn_classes_read(o->classes, ignore, out, error);
        if (status == ATTN_OK && out->count != s->model->classes.count) {
            status = attn_fail(error, ATTN_ERR_ARGUMENT, o->classes, -1,
                               "name the classes that the model was trained with",
                               "%d classes, but the model %s has %d", out->count, s->model->path,
                               s->model->classes.count);
        }
        return status;
    }
    *out = s->model->classes;
    if (given >= 0 && given < out->count) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--ignore", -1,
                         "choose a value that is not a class", "%lld is the model's class '%s'",
                         (long long)given, out->item[given].name);
    }
    if (given >= 0 && given != out->ignore) { /* its name and colour go with it */
        out->item[given] = out->item[out->ignore];
        out->ignore = (int)given;
    }
    return ATTN_OK;
}

/* ---- counting ---- */

static attn_status add_picture(attn_segmenting *s, const attn_evaluate_pictures_options *o,
                               const attn_classes *classes, const char *picture_path,
                               const char *mask_path, attn_confusion *confusion,
                               attn_error *error) {
    attn_picture picture;
    attn_mask truth, predicted = {.label = NULL};
    attn_mask_options options = {
        .colors = o->colors, .max_pixels = o->max_pixels, .first = (int)o->first};
    attn_status status =
        attn_pair_read(picture_path, mask_path, classes, &options, &picture, &truth, error);
    if (status == ATTN_OK) {
        status = attn_segment_mask(s, &picture, &o->tiling, &predicted, error);
    }
    if (status == ATTN_OK) {
        status = attn_confusion_add(confusion, &truth, &predicted, classes->ignore, error);
    }
    attn_picture_free(&picture);
    attn_mask_free(&truth);
    attn_mask_free(&predicted);
    return status;
}

static attn_status count_all(attn_segmenting *s, const attn_evaluate_pictures_options *o,
                             const attn_classes *classes, const attn_pairs *pairs,
                             attn_confusion *confusion, attn_error *error) {
    bool bar = pairs->count > 1 && isatty(STDERR_FILENO);
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < pairs->count && status == ATTN_OK; i++) {
        status = add_picture(s, o, classes, pairs->picture[i], pairs->mask[i], confusion, error);
        if (bar) {
            fprintf(stderr, "\r%zu of %zu pictures%s", i + 1, pairs->count,
                    i + 1 == pairs->count || status != ATTN_OK ? "\n" : "");
        }
    }
    return status;
}

/* ---- printing ---- */

static json_t *share(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *matrix_json(const attn_confusion *confusion) {
    json_t *rows = json_array();
    for (int t = 0; t < confusion->classes; t++) {
        json_t *row = json_array();
        for (int p = 0; p < confusion->classes; p++) {
            json_array_append_new(row, json_integer(confusion->count[t * confusion->classes + p]));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

static attn_status print_json(const attn_confusion *confusion, const attn_classes *classes,
                              size_t pictures, attn_error *error) {
    attn_segmentation_scores scores;
    attn_confusion_scores(confusion, &scores);
    json_t *object = json_object(), *list = json_array();
    for (int c = 0; c < confusion->classes; c++) {
        json_t *one = json_object();
        json_object_set_new(one, "name", json_string(classes->item[c].name));
        json_object_set_new(one, "iou", share(scores.iou[c]));
        json_object_set_new(one, "accuracy", share(scores.accuracy[c]));
        json_array_append_new(list, one);
    }
    json_object_set_new(object, "miou", share(scores.mean_iou));
    json_object_set_new(object, "class_accuracy", share(scores.mean_accuracy));
    json_object_set_new(object, "global_accuracy", share(scores.global_accuracy));
    json_object_set_new(object, "pictures", json_integer((json_int_t)pictures));
    json_object_set_new(object, "labelled", json_integer(scores.labelled));
    json_object_set_new(object, "ignored", json_integer(confusion->ignored));
    json_object_set_new(object, "classes", list);
    json_object_set_new(object, "confusion", matrix_json(confusion));
    return attn_json_print(object, JSON_INDENT(2), stdout, error);
}

static attn_status print_table(const attn_confusion *confusion, const attn_classes *classes,
                               size_t pictures, attn_error *error) {
    char *table = attn_confusion_table(confusion, classes);
    if (table == NULL) {
        return attn_fail_memory(error, 0);
    }
    printf("%s%zu picture%s, one confusion matrix over all\n", table, pictures,
           pictures == 1 ? "" : "s");
    attn_free(table);
    return ATTN_OK;
}

static attn_status write_csv(const char *path, const attn_confusion *confusion,
                             const attn_classes *classes, attn_error *error) {
    char *text = attn_confusion_csv(confusion, classes);
    if (text == NULL) {
        return attn_fail_memory(error, 0);
    }
    attn_bytes bytes = {text, strlen(text)};
    attn_status status = attn_file_replace(path, &bytes, 1, error);
    attn_free(text);
    return status;
}

/* The names and colours shown are those of the masks' classes. */
static attn_status report(const attn_evaluate_pictures_options *o, const attn_confusion *confusion,
                          const attn_classes *classes, size_t pictures, bool json,
                          attn_error *error) {
    attn_status status = ATTN_OK;
    if (o->csv != NULL) {
        status = write_csv(o->csv, confusion, classes, error);
    }
    if (status == ATTN_OK && o->matrix != NULL) {
        status = attn_confusion_draw(confusion, classes, o->matrix, error);
    }
    if (status == ATTN_OK && json) {
        status = print_json(confusion, classes, pictures, error);
    } else if (status == ATTN_OK) {
        status = print_table(confusion, classes, pictures, error);
    }
    return status;
}

attn_status attn_evaluate_pictures(const attn_evaluate_pictures_options *o, const char *path,
                                   bool json, attn_error *error) {
    attn_model *model = NULL;
    attn_segmenting segmenting = {.model = NULL};
    static attn_classes classes; /* large */
    attn_pairs pairs = {.count = 0};
    attn_confusion confusion = {.count = NULL};
    attn_status status = attn_segmenter_model_open(path, &model, error);
    status = status == ATTN_OK ? attn_segmenting_start(model, &segmenting, error) : status;
    if (status == ATTN_OK) {
        status = read_classes(o, &segmenting, &classes, error);
    }
    if (status == ATTN_OK) {
        status = o->pairs != NULL ? attn_pairs_from_list(o->pairs, &pairs, error)
                                  : attn_pairs_from_folders(o->images, o->masks, &pairs, error);
    }
    if (status == ATTN_OK) {
        status = attn_confusion_create(classes.count, &confusion, error);
    }
    if (status == ATTN_OK) {
        status = count_all(&segmenting, o, &classes, &pairs, &confusion, error);
    }
    if (status == ATTN_OK) {
        status = report(o, &confusion, &classes, pairs.count, json, error);
    }
    attn_confusion_free(&confusion);
    attn_pairs_free(&pairs);
    attn_segmenting_end(&segmenting);
    attn_model_close(model);
    return status;
}
