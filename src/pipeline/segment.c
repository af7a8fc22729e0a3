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
#include "pipeline/resized.h"

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

attn_status attn_segmenting_look(const attn_model *model, attn_segmenting *out, attn_error *error) {
    *out = (attn_segmenting){.model = model};
    attn_status status = ATTN_OK;
    if (model->kind != ATTN_MODEL_PICTURES) {
        status = attn_model_check_kind(model, ATTN_MODEL_SEGMENTER, error);
    }
    return status == ATTN_OK ? attn_tape_create(&out->tape, error) : status;
}

void attn_segmenting_end(attn_segmenting *segmenting) {
    attn_tape_free(segmenting->tape);
    segmenting->tape = NULL;
}

/* ---- one pass ---- */

/* The size that a network resizes pictures to; NULL: it sees them as they are. */
static const attn_vision_config *fixed_size(const attn_model *model) {
    const attn_vision_config *config =
        model->vision != NULL ? attn_vision_get_config(model->vision) : NULL;
    return config != NULL && config->height > 0 ? config : NULL;
}

/* probabilities [height, width, V] */
static attn_status predict(attn_segmenting *s, int64_t height, int64_t width, const uint8_t *pixels,
                           float *probabilities, attn_error *error) {
    attn_pictures one = {1, height, width, pixels};
    attn_grid grid;
    if (s->model->vision == NULL) {
        return attn_segmenter_predict(s->model->segmenter, s->tape, &one, NULL, probabilities,
                                      error);
    }
    attn_tape_begin(s->tape, false, 0, 0);
    const attn_tensor *logits = attn_vision_segment(s->model->vision, s->tape, &one, &grid);
    if (logits == NULL) {
        return attn_tape_check(s->tape, error);
    }
    attn_status status =
        attn_vision_rows(s->tape, logits, &grid, height, width, 0, height, probabilities);
    return status == ATTN_OK ? status : attn_fail_memory(error, (size_t)(height * width));
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
    status = predict(w->segmenting, height, width, seen, said, error);
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
static attn_status check_numbers(const float *probabilities, int64_t pixels, int64_t classes,
                                 attn_error *error) {
    for (int64_t i = 0; i < pixels; i++) {
        if (!isfinite(probabilities[i * classes])) {
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
        status = predict(w->segmenting, w->y.tile, w->x.tile, w->pixels, w->probabilities, error);
    }
    return status == ATTN_OK ? check_numbers(w->probabilities, w->x.tile * w->y.tile,
                                             w->segmenting->model->classes.count, error)
                             : status;
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

/* ---- a picture at the one size that its network sees ---- */

/* What was said of it, at the picture's own size, a few rows at a time. */
static attn_status spread(attn_segmenting *s, const attn_tensor *logits, const attn_grid *grid,
                          const attn_pixels *picture, attn_segmented_rows *receive, void *context,
                          attn_error *error) {
    enum { PIXELS = 1 << 16 };
    int64_t width = picture->width, height = picture->height, classes = logits->cols;
    int64_t each = width < PIXELS ? PIXELS / width : 1;
    each = each < height ? each : height;
    size_t bytes = (size_t)(each * width * classes) * sizeof(float);
    float *rows = attn_alloc(bytes);
    attn_status status = rows != NULL ? ATTN_OK : attn_fail_memory(error, bytes);
    for (int64_t first = 0; first < height && status == ATTN_OK; first += each) {
        int64_t count = each < height - first ? each : height - first;
        status = attn_vision_rows(s->tape, logits, grid, height, width, first, count, rows);
        status = status == ATTN_OK ? check_numbers(rows, count * width, classes, error)
                                   : attn_fail_memory(error, bytes);
        status = status == ATTN_OK ? receive(context, first, count, rows, error) : status;
    }
    attn_free(rows);
    return status;
}

static attn_status segment_whole(attn_segmenting *s, const attn_pixels *picture,
                                 const attn_vision_config *size, attn_segmented_rows *receive,
                                 void *context, attn_error *error) {
    attn_picture seen;
    attn_grid grid;
    attn_status status = attn_picture_resized(picture, size->width, size->height, &seen, error);
    if (status == ATTN_OK) {
        attn_pictures one = {1, seen.height, seen.width, seen.rgb};
        attn_tape_begin(s->tape, false, 0, 0);
        const attn_tensor *logits = attn_vision_segment(s->model->vision, s->tape, &one, &grid);
        status = logits != NULL ? spread(s, logits, &grid, picture, receive, context, error)
                                : attn_tape_check(s->tape, error);
    }
    attn_free(seen.rgb);
    return status;
}

/* ---- any picture ---- */

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
    const attn_vision_config *size = fixed_size(segmenting->model);
    if (status == ATTN_OK && size != NULL && (chosen.flip || chosen.scales != NULL)) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, "scales", -1, "leave out --scales and --flip",
                           "the model sees every picture at %lld x %lld pixels",
                           (long long)size->width, (long long)size->height);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (size != NULL) {
        return segment_whole(segmenting, picture, size, receive, context, error);
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
    return model->kind == ATTN_MODEL_PICTURES ? (int)model->labels.count : model->classes.count;
}

const char *attn_model_class_name(const attn_model *model, int number) {
    if (number >= 0 && number < model->labels.count) {
        return model->labels.name[number];
    }
    return number >= 0 && number < model->classes.count ? model->classes.item[number].name : NULL;
}

const uint8_t *attn_model_class_color(const attn_model *model, int number) {
    return number >= 0 && number < model->classes.count ? model->classes.item[number].color : NULL;
}

/* ---- attention ---- */

int64_t attn_segment_layers(const attn_model *model) {
    return model->vision != NULL ? attn_vision_blocks(model->vision)
                                 : attn_segmenter_get_config(model->segmenter)->blocks;
}

int64_t attn_segment_heads(const attn_model *model, int64_t layer) {
    layer = layer > 0 ? layer : attn_segment_layers(model);
    return model->vision != NULL ? attn_vision_heads(model->vision, layer - 1)
                                 : attn_segmenter_get_config(model->segmenter)->heads;
}

bool attn_segment_has_class_token(const attn_model *model) {
    return model->vision != NULL &&
           attn_vision_get_config(model->vision)->network == ATTN_VISION_VIT;
}

static attn_status check_query(const attn_segmenting *s, const attn_picture *picture,
                               const attn_pixel_query *q, attn_error *error) {
    int64_t layers = attn_segment_layers(s->model);
    if (q->class_token && !attn_segment_has_class_token(s->model)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--at", -1, "give X,Y",
                         "the model has no class token");
    }
    if (!q->class_token &&
        (q->x < 0 || q->y < 0 || q->x >= picture->width || q->y >= picture->height)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--at", -1,
                         "give X,Y, counted from 0 at the top left",
                         "pixel %lld,%lld lies outside the picture of %lld x %lld", (long long)q->x,
                         (long long)q->y, (long long)picture->width, (long long)picture->height);
    }
    if (q->layer < 0 || q->layer > layers || layers == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--layer", -1, NULL, "the model has %lld blocks",
                         (long long)layers);
    }
    int64_t heads = attn_segment_heads(s->model, q->layer);
    if (q->head < 0 || q->head > heads) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--head", -1, NULL,
                         s->model->vision != NULL ? "the block has %lld heads"
                                                  : "the model has %lld heads",
                         (long long)heads);
    }
    return ATTN_OK;
}

/* weights [heads, keys] of the place that the pixel lies in. */
static attn_status look(attn_segmenting *s, const attn_picture *picture, const attn_pixel_query *q,
                        float *weights, attn_error *error) {
    if (s->model->vision == NULL) {
        return attn_segmenter_attend(s->model->segmenter, s->tape, picture->height, picture->width,
                                     q->layer - 1, q->y / SEGMENTER_STRIDE, q->x / SEGMENTER_STRIDE,
                                     weights, error);
    }
    attn_grid grid, keys;
    attn_vision_grids(s->model->vision, picture->height, picture->width, q->layer - 1, &grid,
                      &keys);
    int64_t place =
        q->y * grid.height / picture->height * grid.width + q->x * grid.width / picture->width;
    int64_t token = q->class_token ? 0 : place + attn_segment_has_class_token(s->model);
    return attn_vision_attend(s->model->vision, s->tape, picture->height, picture->width,
                              q->layer - 1, token, weights, error);
}

static attn_status run_and_look(attn_segmenting *s, const attn_picture *picture,
                                const attn_pixel_query *q, float *weights, attn_error *error) {
    attn_pictures one = {1, picture->height, picture->width, picture->rgb};
    attn_grid grid;
    attn_tape_watch(s->tape, true);
    attn_tape_begin(s->tape, false, 0, 0);
    const attn_tensor *made =
        s->model->vision != NULL
            ? attn_vision_forward(s->model->vision, s->tape, &one)
            : attn_segmenter_forward(s->model->segmenter, s->tape, &one, &grid);
    if (made == NULL) {
        attn_status status = attn_tape_status(s->tape);
        return status == ATTN_ERR_ARGUMENT
                   ? attn_tape_check(s->tape, error)
                   : attn_fail(error, status, NULL, -1, "give a smaller picture",
                               "%s while running the model", attn_status_name(status));
    }
    return look(s, picture, q, weights, error);
}

int64_t attn_segment_pixels_within(const attn_model *model, int64_t bytes) {
    enum { LEAST = 64 * 64 };
    if (fixed_size(model) != NULL) {
        return INT64_MAX; /* whatever the picture's size */
    }
    size_t each = model->vision != NULL
                      ? attn_vision_pixel_bytes(attn_vision_get_config(model->vision))
                      : attn_segmenter_pixel_bytes(attn_segmenter_get_config(model->segmenter));
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

/* weights [heads, keys] to one map at their beginning: a head, or the mean of all; the first `skip` keys are no places. */
static void choose_head(int64_t head, int64_t heads, int64_t keys, int64_t skip, float *weights) {
    for (int64_t i = 0; i < keys - skip; i++) {
        float sum = 0;
        for (int64_t h = 0; h < heads; h++) {
            sum += weights[h * keys + skip + i];
        }
        weights[i] = head > 0 ? weights[(head - 1) * keys + skip + i] : sum / (float)heads;
    }
}

/* The size at which the model looks at a picture; returns the grid of the keys of a layer. */
static attn_grid size_seen(const attn_model *model, const attn_picture *picture, int64_t layer,
                           int64_t most, int64_t *width, int64_t *height) {
    const attn_vision_config *size = fixed_size(model);
    attn_grid queries, keys;
    size_within(picture, most, width, height);
    if (size != NULL) {
        *width = size->width;
        *height = size->height;
    }
    if (model->vision == NULL) {
        return attn_segmenter_key_grid(model->segmenter, *height, *width);
    }
    attn_vision_grids(model->vision, *height, *width, layer - 1, &queries, &keys);
    return keys;
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
    asked.layer = query->layer > 0 ? query->layer : attn_segment_layers(s->model);
    int64_t width, height, heads = attn_segment_heads(s->model, asked.layer);
    int64_t skip = attn_segment_has_class_token(s->model);
    *keys = size_seen(s->model, picture, asked.layer, most, &width, &height);
    if (width != picture->width || height != picture->height) {
        attn_pixels whole = {picture->width, picture->height, picture->rgb};
        status = attn_picture_resized(&whole, width, height, &small, error);
        seen = small;
        asked.x = query->x * width / picture->width;
        asked.y = query->y * height / picture->height;
    }
    size_t places = (size_t)(keys->height * keys->width + skip), count = places * (size_t)heads;
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
    choose_head(query->head, heads, (int64_t)places, skip, all);
    *weights = all;
    return ATTN_OK;
}
