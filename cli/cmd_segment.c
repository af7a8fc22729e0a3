/* cli/cmd_segment.c: `attn segment`: pictures in; masks, overlays and probabilities out. */
#include <jansson.h>
#include <stdlib.h>
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
#include "image/pairs.h"
#include "io/json_write.h"
#include "model.h"
#include "tiling.h"

typedef struct options {
    const char *model, *out;
    bool probabilities, json, no_overlay;
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

/* DIR/NAME + ending, NAME without folder and extension. */
static attn_status output_path(const options *o, const char *picture, const char *ending,
                               char path[4096], attn_error *error) {
    const char *slash = strrchr(picture, '/'), *name = slash != NULL ? slash + 1 : picture;
    const char *dot = strrchr(name, '.');
    int length = dot != NULL && dot != name ? (int)(dot - name) : (int)strlen(name);
    if (snprintf(path, 4096, "%s/%.*s%s", o->out, length, name, ending) >= 4096) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, picture, -1, NULL, "the path is too long");
    }
    return ATTN_OK;
}

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
        status = attn_picture_write(path, &overlay, error);
    }
    attn_picture_free(&overlay);
    return status;
}

static attn_status write_results(const attn_segmenting *s, const options *o, const char *name,
                                 const attn_picture *picture, const result *r, attn_error *error) {
    char path[4096];
    const int64_t shape[3] = {r->mask.height, r->mask.width, r->classes};
    attn_status status = output_path(o, name, ".mask.png", path, error);
    if (status == ATTN_OK) {
        status = attn_mask_write(path, &r->mask, &s->model->classes, error);
    }
    if (status == ATTN_OK && r->probabilities != NULL) {
        status = output_path(o, name, ".npy", path, error);
        status =
            status == ATTN_OK ? attn_npy_write(path, r->probabilities, shape, 3, error) : status;
    }
    if (status == ATTN_OK && !o->no_overlay) {
        status = output_path(o, name, ".overlay.png", path, error);
        status = status == ATTN_OK ? write_overlay(s, o, picture, &r->mask, path, error) : status;
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

static attn_status segment_file(attn_segmenting *s, const options *o, const char *name,
                                attn_error *error) {
    attn_picture picture;
    attn_status status = attn_picture_read(name, o->max_pixels, &picture, error);
    if (status != ATTN_OK) {
        return status;
    }
    result r;
    double start = attn_clock();
    status = compute(s, o, &picture, &r, error);
    double seconds = attn_clock() - start;
    if (status == ATTN_OK) {
        status = write_results(s, o, name, &picture, &r, error);
    }
    if (status == ATTN_OK && o->json) {
        status = print_json(s, name, &r, seconds, error);
    }
    attn_mask_free(&r.mask);
    attn_free(r.probabilities);
    attn_picture_free(&picture);
    return status;
}

/* ---- all of them ---- */

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static void progress(size_t done, size_t count) {
    if (count > 1 && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%zu of %zu pictures%s", done, count, done == count ? "\n" : "");
    }
}

static attn_status segment_folder(attn_segmenting *s, const options *o, const char *folder,
                                  attn_error *error) {
    attn_pairs pictures;
    attn_status status = attn_pairs_from_folder(folder, &pictures, error);
    if (status != ATTN_OK) {
        return status;
    }
    for (size_t i = 0; i < pictures.count && status == ATTN_OK; i++) {
        status = segment_file(s, o, pictures.picture[i], error);
        progress(i + 1, pictures.count);
    }
    attn_pairs_free(&pictures);
    return status;
}

static int segment_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    attn_model *model = NULL;
    attn_segmenting segmenting = {.model = NULL};
    attn_error error;
    if (o->threads > 0) {
        attn_set_threads((int)o->threads);
    }
    attn_status status = attn_segmenter_model_open(o->model, &model, &error);
    status = status == ATTN_OK ? attn_segmenting_start(model, &segmenting, &error) : status;
    if (status == ATTN_OK && mkdir(o->out, 0777) != 0 && !is_folder(o->out)) {
        status = attn_fail(&error, ATTN_ERR_IO, o->out, -1, "choose another with --out",
                           "cannot create the folder");
    }
    for (int i = 0; i < operand_count && status == ATTN_OK; i++) {
        status = is_folder(operand[i]) ? segment_folder(&segmenting, o, operand[i], &error)
                                       : segment_file(&segmenting, o, operand[i], &error);
    }
    attn_segmenting_end(&segmenting);
    attn_model_close(model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_segment = {
    .name = "segment",
    .summary = "Assign a class to each pixel of a picture",
    .usage = "[OPTION]... PICTURE|FOLDER...",
    .description = "Writes NAME.mask.png (one class per pixel, with the classes' colours as "
                   "palette) and NAME.overlay.png (the colours laid over the picture, with a "
                   "legend), both at the picture's own size. Reads JPEG and PNG of any size; large "
                   "pictures are processed in overlapping tiles.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1000000,
    .run = segment_run,
};
