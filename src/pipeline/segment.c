/* pipeline/segment.c: pictures tile by tile, and one pixel's attention. */
#include "pipeline/segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/sized.h"
#include "image/resize.h"
#include "image/tiles.h"
#include "models/segmenter.h"

void attn_segment_options_init_sized(attn_segment_options *options, size_t size) {
    const attn_segment_options defaults = {.tile = 1024, .overlap = 128};
    attn_sized_init(options, size, &defaults, sizeof defaults);
}

attn_status attn_segmenting_start(const attn_model *model, attn_segmenting *out,
                                  attn_error *error) {
    *out = (attn_segmenting){.model = model};
    attn_status status = attn_model_check_kind(model, ATTN_MODEL_SEGMENTER, error);
    return status == ATTN_OK ? attn_tape_create(&out->tape, error) : status;
}

void attn_segmenting_end(attn_segmenting *segmenting) {
    attn_tape_free(segmenting->tape);
    segmenting->tape = NULL;
}

/* ---- views: a tile at other sizes, and in the mirror ---- */

enum { MOST_SCALES = 8 };

typedef struct scale_list {
    double scale[MOST_SCALES];
    int count;
} scale_list;

static attn_status parse_scales(const char *text, scale_list *out, attn_error *error) {
    *out = (scale_list){{1}, 1};
    for (int i = 0; text != NULL; i++) {
        char *end;
        double scale = i < MOST_SCALES ? strtod(text, &end) : 0;
        if (!(scale >= 0.1 && scale <= 4) || (*end != ',' && *end != '\0')) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "--scales", -1,
                             "give a list such as 0.75,1,1.25",
                             "not a list of at most %d numbers from 0.1 to 4", MOST_SCALES);
        }
        out->scale[i] = scale;
        out->count = i + 1;
        text = *end == ',' ? end + 1 : NULL;
    }
    return ATTN_OK;
}

typedef struct tile_work {
    attn_segmenting *segmenting;
    const attn_pixels *picture;
    attn_tile_axis x, y;
    attn_tile_blend *blend;
    scale_list scales;
    bool flip;
    uint8_t *pixels;      /* of one tile */
    float *probabilities; /* of one tile */
    attn_scratch view_pixels, view_probabilities, filter;
} tile_work;

/* Both ways round: [height, width, each] with every row from right to left, in place. */
static void mirror(void *rows, int64_t height, int64_t width, size_t each) {
    char *row = rows, one[ATTN_MAX_CLASSES * sizeof(float)];
    for (int64_t y = 0; y < height; y++, row += (size_t)width * each) {
        for (int64_t x = 0; x < width / 2; x++) {
            char *left = row + (size_t)x * each, *right = row + (size_t)(width - 1 - x) * each;
            memcpy(one, left, each);
            memcpy(left, right, each);
            memcpy(right, one, each);
        }
    }
}

/* What was said of height x width pixels, in the tile's size: on the tape until it begins again. */
static attn_status resize_answer(tile_work *w, int64_t height, int64_t width, const float *said,
                                 float **answer, attn_error *error) {
    attn_tape *tape = w->segmenting->tape;
    int64_t classes = w->segmenting->model->classes.count;
    attn_grid from = {1, height, width}, to = {1, w->y.tile, w->x.tile};
    attn_tape_begin(tape, false, 0, 0);
    attn_tensor *x = attn_tape_tensor(tape, height * width, classes);
    if (x != NULL) {
        memcpy(x->data, said, (size_t)(height * width * classes) * sizeof *said);
    }
    const attn_tensor *y = attn_layer_resize(tape, x, &from, &to);
    *answer = y != NULL ? y->data : NULL;
    return y != NULL ? ATTN_OK : attn_fail_memory(error, (size_t)(to.height * to.width));
}

/* What the model says of a tile's pixels at height x width, in the tile's size and direction. */
static attn_status ask_view(tile_work *w, int64_t height, int64_t width, bool flipped,
                            float **answer, attn_error *error) {
    int64_t classes = w->segmenting->model->classes.count;
    size_t pixels = (size_t)(height * width);
    uint8_t *seen = attn_scratch_get(&w->view_pixels, pixels * 3);
    float *said = attn_scratch_get(&w->view_probabilities, pixels * (size_t)classes * sizeof *said);
    if (seen == NULL || said == NULL) {
        return attn_fail_memory(error, pixels * (size_t)classes * sizeof *said);
    }
    attn_picture tile = {w->x.tile, w->y.tile, w->pixels};
    attn_resize_part all = {width, height, 0, 0, width, height};
    attn_status status = attn_resize_picture(&tile, &all, seen, &w->filter, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (flipped) {
        mirror(seen, height, width, 3);
    }
    attn_pictures one = {1, height, width, seen};
    status = attn_segmenter_predict(w->segmenting->model->segmenter, w->segmenting->tape, &one,
                                    NULL, said, error);
    if (status == ATTN_OK && flipped) {
        mirror(said, height, width, (size_t)classes * sizeof *said);
    }
    return status == ATTN_OK ? resize_answer(w, height, width, said, answer, error) : status;
}

/* The mean over all views, in their order. */
static attn_status ask_views(tile_work *w, attn_error *error) {
    int64_t values = w->x.tile * w->y.tile * w->segmenting->model->classes.count;
    int views = w->scales.count * (w->flip ? 2 : 1);
    attn_status status = ATTN_OK;
    memset(w->probabilities, 0, (size_t)values * sizeof *w->probabilities);
    for (int v = 0; v < views && status == ATTN_OK; v++) {
        double scale = w->scales.scale[v % w->scales.count];
        int64_t height = (int64_t)((double)w->y.tile * scale + 0.5);
        int64_t width = (int64_t)((double)w->x.tile * scale + 0.5);
        float *answer = NULL;
        status = ask_view(w, height > 0 ? height : 1, width > 0 ? width : 1, v >= w->scales.count,
                          &answer, error);
        for (int64_t i = 0; i < values && status == ATTN_OK; i++) {
            w->probabilities[i] += answer[i] / (float)views;
        }
    }
    return status;
}

/* A pixel's probabilities are NaN all or none: its first tells. */
static attn_status check_numbers(const tile_work *w, attn_error *error) {
    int64_t classes = w->segmenting->model->classes.count;
    for (int64_t i = 0; i < w->x.tile * w->y.tile; i++) {
        if (!isfinite(w->probabilities[i * classes])) {
            return attn_fail(error, ATTN_ERR_NUMERIC, "attn_segment", -1,
                             "the model's weights are damaged or its training diverged",
                             "the model gives no probability to any class");
        }
    }
    return ATTN_OK;
}

static attn_status ask(tile_work *w, attn_error *error) {
    attn_status status = ATTN_OK;
    if (w->flip || w->scales.count > 1 || w->scales.scale[0] != 1) {
        status = ask_views(w, error);
    } else {
        attn_pictures one = {1, w->y.tile, w->x.tile, w->pixels};
        status = attn_segmenter_predict(w->segmenting->model->segmenter, w->segmenting->tape, &one,
                                        NULL, w->probabilities, error);
    }
    return status == ATTN_OK ? check_numbers(w, error) : status;
}

/* ---- tiles ---- */

static attn_status do_tile(tile_work *w, int64_t column, int64_t row, attn_error *error) {
    int64_t x = attn_tile_start(&w->x, column), y = attn_tile_start(&w->y, row);
    size_t bytes = (size_t)w->x.tile * 3;
    for (int64_t i = 0; i < w->y.tile; i++) {
        memcpy(w->pixels + (size_t)i * bytes,
               w->picture->rgb + ((y + i) * w->picture->width + x) * 3, bytes);
    }
    attn_status status = ask(w, error);
    if (status == ATTN_OK) {
        attn_tile_blend_add(w->blend, column, row, w->probabilities);
    }
    return status;
}

static attn_status do_tiles(tile_work *w, attn_segmented_rows *receive, void *context,
                            attn_error *error) {
    attn_status status = ATTN_OK;
    for (int64_t row = 0; row < w->y.count && status == ATTN_OK; row++) {
        for (int64_t column = 0; column < w->x.count && status == ATTN_OK; column++) {
            status = do_tile(w, column, row, error);
        }
        if (status == ATTN_OK) {
            int64_t first, rows;
            const float *values;
            attn_tile_blend_finish_row(w->blend, row, &first, &rows, &values);
            status = receive(context, first, rows, values, error);
        }
    }
    return status;
}

static attn_status check_work(const attn_pixels *picture, const attn_segment_options *options,
                              attn_error *error) {
    if (picture->width < 1 || picture->height < 1) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "picture", -1, NULL, "it has no pixels");
    }
    if (options->tile < 1 || options->overlap < 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tile", -1,
                         "give a tile of at least 1 pixel and an overlap of at least 0",
                         "tiles of %lld pixels that overlap by %lld", (long long)options->tile,
                         (long long)options->overlap);
    }
    return ATTN_OK;
}

attn_status attn_segment_rows(attn_segmenting *segmenting, const attn_pixels *picture,
                              const attn_segment_options *options, attn_segmented_rows *receive,
                              void *context, attn_error *error) {
    attn_segment_options chosen;
    attn_segment_options_init(&chosen);
    attn_status status = options == NULL
                             ? ATTN_OK
                             : attn_sized_read(options, &chosen, sizeof chosen,
                                               ATTN_SIZE_UP_TO(attn_segment_options, scales),
                                               "attn_segment_options", error);
    status = status == ATTN_OK ? check_work(picture, &chosen, error) : status;
    tile_work w = {.segmenting = segmenting, .picture = picture, .flip = chosen.flip};
    status = status == ATTN_OK ? parse_scales(chosen.scales, &w.scales, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    w.x = attn_tile_plan(picture->width, chosen.tile, chosen.overlap);
    w.y = attn_tile_plan(picture->height, chosen.tile, chosen.overlap);
    size_t area = (size_t)(w.x.tile * w.y.tile), classes = (size_t)segmenting->model->classes.count;
    w.pixels = attn_alloc(3 * area);
    w.probabilities = attn_alloc_zero(area * classes, sizeof *w.probabilities);
    status = w.pixels == NULL || w.probabilities == NULL
                 ? attn_fail_memory(error, area * classes * sizeof(float))
                 : attn_tile_blend_create(&w.x, &w.y, (int64_t)classes, &w.blend, error);
    if (status == ATTN_OK) {
        status = do_tiles(&w, receive, context, error);
    }
    attn_tile_blend_free(w.blend);
    attn_free(w.pixels);
    attn_free(w.probabilities);
    attn_scratch_free(&w.view_pixels);
    attn_scratch_free(&w.view_probabilities);
    attn_scratch_free(&w.filter);
    return status;
}

/* ---- masks ---- */

void attn_segment_choose(const float *probabilities, int64_t count, int64_t classes,
                         uint8_t *labels) {
    for (int64_t i = 0; i < count; i++) {
        const float *p = probabilities + i * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++) {
            best = p[c] > p[best] ? c : best;
        }
        labels[i] = (uint8_t)best;
    }
}

typedef struct mask_rows {
    uint8_t *labels; /* [H, W] */
    int64_t width, classes;
} mask_rows;

static attn_status receive_mask(void *context, int64_t first, int64_t rows,
                                const float *probabilities, attn_error *error) {
    const mask_rows *m = context;
    (void)error;
    attn_segment_choose(probabilities, rows * m->width, m->classes, m->labels + first * m->width);
    return ATTN_OK;
}

attn_status attn_segment_mask(attn_segmenting *segmenting, const attn_picture *picture,
                              const attn_segment_options *options, attn_mask *out,
                              attn_error *error) {
    attn_status status = attn_mask_create(picture->width, picture->height, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_pixels pixels = {picture->width, picture->height, picture->rgb};
    mask_rows rows = {out->label, picture->width, segmenting->model->classes.count};
    return attn_segment_rows(segmenting, &pixels, options, receive_mask, &rows, error);
}

attn_status attn_segment(const attn_model *model, const attn_pixels *picture,
                         const attn_segment_options *options, uint8_t *classes, attn_error *error) {
    attn_segmenting segmenting;
    attn_status status = attn_segmenting_start(model, &segmenting, error);
    if (status == ATTN_OK) {
        mask_rows rows = {classes, picture->width, model->classes.count};
        status = attn_segment_rows(&segmenting, picture, options, receive_mask, &rows, error);
    }
    attn_segmenting_end(&segmenting);
    return status;
}

/* ---- classes ---- */

int attn_model_classes(const attn_model *model) {
    return model->classes.count;
}

const char *attn_model_class_name(const attn_model *model, int number) {
    return number >= 0 && number < model->classes.count ? model->classes.item[number].name : NULL;
}

const uint8_t *attn_model_class_color(const attn_model *model, int number) {
    return number >= 0 && number < model->classes.count ? model->classes.item[number].color : NULL;
}

/* ---- attention ---- */

static attn_status check_query(const attn_segmenting *s, const attn_picture *picture,
                               const attn_pixel_query *q, attn_error *error) {
    const attn_segmenter_config *config = attn_segmenter_get_config(s->model->segmenter);
    if (q->x < 0 || q->y < 0 || q->x >= picture->width || q->y >= picture->height) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--at", -1,
                         "give X,Y, counted from 0 at the top left",
                         "pixel %lld,%lld lies outside the picture of %lld x %lld", (long long)q->x,
                         (long long)q->y, (long long)picture->width, (long long)picture->height);
    }
    if (q->layer < 0 || q->layer > config->blocks || config->blocks == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--layer", -1, NULL, "the model has %lld blocks",
                         (long long)config->blocks);
    }
    if (q->head < 0 || q->head > config->heads) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--head", -1, NULL, "the model has %lld heads",
                         (long long)config->heads);
    }
    return ATTN_OK;
}

/* weights [heads, places] of the place that the pixel lies in. */
static attn_status run_and_look(attn_segmenting *s, const attn_picture *picture,
                                const attn_pixel_query *q, float *weights, attn_error *error) {
    int64_t layer =
        q->layer > 0 ? q->layer : attn_segmenter_get_config(s->model->segmenter)->blocks;
    attn_pictures one = {1, picture->height, picture->width, picture->rgb};
    attn_grid grid;
    attn_tape_watch(s->tape, true);
    attn_tape_begin(s->tape, false, 0, 0);
    if (attn_segmenter_forward(s->model->segmenter, s->tape, &one, &grid) == NULL) {
        return attn_fail(error, attn_tape_status(s->tape), NULL, -1, "give a smaller picture",
                         "%s while running the model", attn_status_name(attn_tape_status(s->tape)));
    }
    return attn_segmenter_attend(s->model->segmenter, s->tape, picture->height, picture->width,
                                 layer - 1, q->y / 8, q->x / 8, weights, error);
}

int64_t attn_segment_pixels_within(const attn_model *model, int64_t bytes) {
    enum { LEAST = 64 * 64 };
    size_t each = attn_segmenter_pixel_bytes(attn_segmenter_get_config(model->segmenter));
    int64_t pixels = bytes / (int64_t)each;
    return pixels > LEAST ? pixels : LEAST;
}

static int64_t padded_pixels(int64_t width, int64_t height) {
    enum { STEP = SEGMENTER_STRIDE };
    return (width + STEP - 1) / STEP * STEP * ((height + STEP - 1) / STEP * STEP);
}

/* The largest size of the picture's shape that has, padded, at most that many pixels. */
static void size_within(const attn_picture *picture, int64_t most, int64_t *width,
                        int64_t *height) {
    double scale = 1;
    *width = picture->width;
    *height = picture->height;
    while (padded_pixels(*width, *height) > most &&
           (*width > SEGMENTER_STRIDE || *height > SEGMENTER_STRIDE)) {
        double over = (double)most / (double)padded_pixels(*width, *height);
        scale *= sqrt(over) < 0.99 ? sqrt(over) : 0.99;
        *width = (int64_t)fmax(1, floor((double)picture->width * scale));
        *height = (int64_t)fmax(1, floor((double)picture->height * scale));
    }
}

/* The picture at that size. Its pixels are to be freed with attn_free. */
static attn_status shrink(const attn_picture *picture, int64_t width, int64_t height,
                          attn_picture *out, attn_error *error) {
    attn_resize_part all = {width, height, 0, 0, width, height};
    attn_scratch filter = {0};
    *out = (attn_picture){width, height, attn_alloc((size_t)(width * height) * 3)};
    attn_status status = out->rgb != NULL
                             ? attn_resize_picture(picture, &all, out->rgb, &filter, error)
                             : attn_fail_memory(error, (size_t)(width * height) * 3);
    attn_scratch_free(&filter);
    return status;
}

/* weights [heads, places] to one map at their beginning: a head, or the mean of all. */
static void choose_head(int64_t head, int64_t heads, int64_t places, float *weights) {
    for (int64_t i = 0; i < places; i++) {
        float sum = 0;
        for (int64_t h = 0; h < heads; h++) {
            sum += weights[h * places + i];
        }
        weights[i] = head > 0 ? weights[(head - 1) * places + i] : sum / (float)heads;
    }
}

attn_status attn_segment_attend(attn_segmenting *s, const attn_picture *picture,
                                const attn_pixel_query *query, int64_t most, attn_grid *keys,
                                float **weights, attn_error *error) {
    *weights = NULL;
    attn_status status = check_query(s, picture, query, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_picture seen = *picture, small = {.rgb = NULL};
    attn_pixel_query asked = *query;
    int64_t width, height, heads = attn_segmenter_get_config(s->model->segmenter)->heads;
    size_within(picture, most, &width, &height);
    if (width != picture->width || height != picture->height) {
        status = shrink(picture, width, height, &small, error);
        seen = small;
        asked.x = query->x * width / picture->width;
        asked.y = query->y * height / picture->height;
    }
    *keys = attn_segmenter_key_grid(s->model->segmenter, height, width);
    size_t places = (size_t)(keys->height * keys->width), count = places * (size_t)heads;
    float *all = status == ATTN_OK ? attn_alloc_zero(count, sizeof *all) : NULL;
    if (status == ATTN_OK) {
        status = all != NULL ? run_and_look(s, &seen, &asked, all, error)
                             : attn_fail_memory(error, count * sizeof *all);
    }
    attn_tape_watch(s->tape, false);
    attn_free(small.rgb);
    if (status != ATTN_OK) {
        attn_free(all);
        return status;
    }
    choose_head(query->head, heads, (int64_t)places, all);
    *weights = all;
    return ATTN_OK;
}
