/* cli/cmd_segment.c: `attn segment`: pictures in; masks, overlays and probabilities out. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attn/threads.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "image/encode.h"
#include "image/mask.h"
#include "image/overlay.h"
#include "io/json_write.h"
#include "model.h"
#include "segment_plan.h"
#include "tiling.h"

/* After NAME: */
#define MASK          ".mask.png"
#define OVERLAY       ".overlay.png"
#define PROBABILITIES ".npy"

typedef struct options {
    const char *model, *out;
    bool probabilities, json, no_overlay, force, strict;
    double opacity;
    int64_t max_pixels, threads;
    attn_segment_options tiling;
} options;

static const options defaults = {.out = ".", .opacity = 0.6, .tiling = ATTN_TILING_DEFAULTS};

#define ROW(label, letter, type, field, low, high, value, help)                                    \
    { label, letter, type, offsetof(options, field), low, high, NULL, value, help }
static const attn_option table[] = {
    ROW("model", 'm', ATTN_OPTION_FILE, model, 0, 0, "FILE",
        "the model (default: $ATTN_SEGMENTER, else models/street.safetensors)"),
    ROW("out", 'o', ATTN_OPTION_FILE, out, 0, 0, "DIR",
        "folder for the results (default: the current one)"),
    ROW("no-overlay", 0, ATTN_OPTION_FLAG, no_overlay, 0, 0, NULL, "masks alone"),
    ROW("opacity", 0, ATTN_OPTION_REAL, opacity, 0, 1, "X", "opacity of the overlay (default 0.6)"),
    ROW("probabilities", 0, ATTN_OPTION_FLAG, probabilities, 0, 0, NULL,
        "also write NAME.npy: float32 [height, width, classes]"),
    ROW("json", 0, ATTN_OPTION_FLAG, json, 0, 0, NULL,
        "print one JSON object per picture: size, pixels of each class, seconds"),
    ROW("force", 0, ATTN_OPTION_FLAG, force, 0, 0, NULL, "write over files that attn did not make"),
    ROW("strict", 0, ATTN_OPTION_FLAG, strict, 0, 0, NULL,
        "stop at the first picture that cannot be read"),
};

static const attn_option more[] = {
    ROW("max-pixels", 0, ATTN_OPTION_INT, max_pixels, 1, 1e12, "N",
        "refuse larger pictures (default 100 million)"),
    ROW("threads", 'j', ATTN_OPTION_INT, threads, 1, 256, "N",
        "threads; affects speed only (default: all cores)"),
    {.name = NULL},
};

static const attn_option_group groups[] = {
    {attn_tiling_table, offsetof(options, tiling)},
    {more, 0},
    {NULL, 0},
};

/* ---- one picture ---- */

typedef struct result {
    attn_mask mask;
    float *probabilities; /* NULL: not wanted */
    int64_t classes;
} result;

static attn_status receive(void *context, int64_t first, int64_t rows, const float *probabilities,
                           attn_error *error) {
    (void)error;
    result *r = context;
    int64_t width = r->mask.width;
    attn_segment_choose(probabilities, rows * width, r->classes, r->mask.label + first * width);
    if (r->probabilities != NULL) {
        memcpy(r->probabilities + first * width * r->classes, probabilities,
               (size_t)(rows * width * r->classes) * sizeof(float));
    }
    return ATTN_OK;
}

static attn_status compute(attn_segmenting *s, const options *o, const attn_picture *picture,
                           result *out, attn_error *error) {
    *out = (result){.classes = s->model->classes.count};
    attn_pixels pixels = {picture->width, picture->height, picture->rgb};
    size_t area = (size_t)(picture->width * picture->height);
    attn_status status = attn_mask_create(picture->width, picture->height, &out->mask, error);
    if (status == ATTN_OK && o->probabilities) {
        out->probabilities = attn_alloc_zero(area * (size_t)out->classes, sizeof(float));
        if (out->probabilities == NULL) {
            status = attn_fail_memory(error, area * (size_t)out->classes * sizeof(float));
        }
    }
    return status == ATTN_OK ? attn_segment_rows(s, &pixels, &o->tiling, receive, out, error)
                             : status;
}

static attn_status write_overlay(const attn_segmenting *s, const options *o,
                                 const attn_picture *picture, const attn_mask *mask,
                                 const char *path, attn_error *error) {
    attn_picture overlay = {.rgb = NULL};
    attn_status status =
        attn_overlay_mask(picture, mask, &s->model->classes, o->opacity, &overlay, error);
    if (status == ATTN_OK) {
        status = attn_overlay_legend(&overlay, mask, &s->model->classes, error);
    }
    if (status == ATTN_OK) {
        status = attn_picture_write(path, &overlay, ATTN_SEGMENT_MARK, error);
    }
    attn_picture_free(&overlay);
    return status;
}

/* The plan has seen to it that the paths fit. */
static attn_status write_results(const attn_segmenting *s, const options *o, const char *stem,
                                 const attn_picture *picture, const result *r, attn_error *error) {
    char path[4096];
    const int64_t shape[3] = {r->mask.height, r->mask.width, r->classes};
    snprintf(path, sizeof path, "%s" MASK, stem);
    attn_status status =
        attn_mask_write(path, &r->mask, &s->model->classes, ATTN_SEGMENT_MARK, error);
    if (status == ATTN_OK && r->probabilities != NULL) {
        snprintf(path, sizeof path, "%s" PROBABILITIES, stem);
        status = attn_npy_write(path, r->probabilities, shape, 3, error);
    }
    if (status == ATTN_OK && !o->no_overlay) {
        snprintf(path, sizeof path, "%s" OVERLAY, stem);
        status = write_overlay(s, o, picture, &r->mask, path, error);
    }
    return status;
}

static attn_status print_json(const attn_segmenting *s, const char *name, const result *r,
                              double seconds, attn_error *error) {
    int64_t seen[256] = {0};
    attn_mask_count(&r->mask, seen);
    json_t *line = json_object(), *pixels = json_object();
    json_object_set_new(line, "picture", json_string(name));
    json_object_set_new(line, "width", json_integer(r->mask.width));
    json_object_set_new(line, "height", json_integer(r->mask.height));
    for (int c = 0; c < s->model->classes.count; c++) {
        json_object_set_new(pixels, s->model->classes.item[c].name, json_integer(seen[c]));
    }
    json_object_set_new(line, "pixels", pixels);
    json_object_set_new(line, "seconds", json_real(seconds));
    attn_status status =
        attn_json_print(line, JSON_COMPACT | JSON_REAL_PRECISION(6), stdout, error);
    return status == ATTN_OK ? attn_output_flush(error) : status;
}

static attn_status segment_picture(attn_segmenting *s, const options *o, const char *name,
                                   const char *stem, const attn_picture *picture,
                                   attn_error *error) {
    result r;
    double start = attn_clock();
    attn_status status = compute(s, o, picture, &r, error);
    double seconds = attn_clock() - start;
    if (status == ATTN_OK) {
        status = write_results(s, o, stem, picture, &r, error);
    }
    if (status == ATTN_OK && o->json) {
        status = print_json(s, name, &r, seconds, error);
    }
    attn_mask_free(&r.mask);
    attn_free(r.probabilities);
    return status;
}

/* ---- all of them ---- */

static void progress(size_t done, size_t count) {
    if (count > 1 && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%zu of %zu pictures%s", done, count, done == count ? "\n" : "");
    }
}

/* A picture that cannot be read is named, and the rest goes on; what else fails would fail for the next one too.
 * *unread: how many could not. */
static attn_status segment_all(attn_segmenting *s, const options *o, const attn_segment_plan *plan,
                               size_t *unread, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < plan->count && status == ATTN_OK; i++) {
        attn_picture picture = {.rgb = NULL};
        status = attn_picture_read(plan->item[i].picture, o->max_pixels, &picture, error);
        if (status == ATTN_OK) {
            status =
                segment_picture(s, o, plan->item[i].picture, plan->item[i].stem, &picture, error);
        } else if (plan->count > 1 && !o->strict && status != ATTN_ERR_MEMORY) {
            attn_say_error(error);
            (*unread)++;
            status = ATTN_OK;
        }
        attn_picture_free(&picture);
        progress(i + 1, plan->count);
    }
    return status;
}

static attn_status make_folder(const char *path, attn_error *error) {
    struct stat about;
    if (mkdir(path, 0777) == 0 || (stat(path, &about) == 0 && S_ISDIR(about.st_mode))) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_IO, path, -1, "choose another with --out",
                     "cannot create the folder");
}

static int segment_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    const char *endings[4] = {MASK};
    size_t count = 1;
    if (!o->no_overlay) {
        endings[count++] = OVERLAY;
    }
    if (o->probabilities) {
        endings[count++] = PROBABILITIES;
    }
    attn_model *model = NULL;
    attn_segmenting segmenting = {.model = NULL};
    attn_segment_plan plan;
    size_t unread = 0;
    attn_error error;
    if (o->threads > 0) {
        attn_set_threads((int)o->threads);
    }
    attn_status status =
        attn_segment_plan_make(operand, operand_count, o->out, endings, o->force, &plan, &error);
    status = status == ATTN_OK ? attn_segmenter_model_open(o->model, &model, &error) : status;
    status = status == ATTN_OK ? attn_segmenting_start(model, &segmenting, &error) : status;
    status = status == ATTN_OK ? make_folder(o->out, &error) : status;
    if (status == ATTN_OK) {
        status = segment_all(&segmenting, o, &plan, &unread, &error);
    }
    if (unread > 0) {
        fprintf(stderr, "%zu of %zu pictures could not be read\n", unread, plan.count);
    }
    attn_segmenting_end(&segmenting);
    attn_model_close(model);
    attn_segment_plan_free(&plan);
    return status != ATTN_OK ? attn_say_error(&error)
           : unread > 0      ? ATTN_EXIT_FAILURE
                             : ATTN_EXIT_OK;
}

const attn_command attn_cmd_segment = {
    .name = "segment",
    .summary = "Assign a class to each pixel of a picture",
    .usage = "[OPTION]... PICTURE|FOLDER...",
    .description =
        "Writes NAME.mask.png (one class per pixel, with the classes' colours as "
        "palette) and NAME.overlay.png (the colours laid over the picture, with a "
        "legend), both at the picture's own size. Reads JPEG, PNG, TIFF and WebP of any size; "
        "large pictures are processed in overlapping tiles.\nBefore work begins it refuses two "
        "pictures whose results would have one name, and names of files that attn did not "
        "make. In folders, pictures that attn made are left out. A picture that cannot be "
        "read is named; the others go on, and the exit status is 1.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1000000,
    .run = segment_run,
};
