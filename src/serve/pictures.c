/* serve/pictures.c: /attn/segment and /attn/attend. The picture is decoded by the worker too: the thread
 * that moves bytes waits for nothing. */
#include "serve/pictures.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/encode.h"
#include "image/mask.h"

typedef struct work {
    attn_serve_models *models;
    attn_serve_model *model;
    bool attend;
    attn_pixel_query query;
    int64_t pixel_limit, memory;
    size_t size;
    char bytes[]; /* of the picture's file */
} work;

static void fail(attn_http_answer *answer, attn_status status, const attn_error *error) {
    bool ours = status == ATTN_ERR_MEMORY || status == ATTN_ERR_NUMERIC;
    attn_http_error(answer, ours ? 500 : 400, "%s%s", ours ? "" : "Invalid request: ", error->what);
}

/* ---- masks ---- */

/* A data: address (RFC 2397); NULL when out of memory. */
static char *data_address(const char *type, const void *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *byte = bytes;
    char *text = malloc(strlen(type) + size / 3 * 4 + 32);
    if (text == NULL) {
        return NULL;
    }
    char *to = text + sprintf(text, "data:%s;base64,", type);
    for (size_t i = 0; i < size; i += 3) {
        size_t here = size - i < 3 ? size - i : 3;
        unsigned long group = (unsigned long)byte[i] << 16 |
                              (here > 1 ? (unsigned long)byte[i + 1] << 8 : 0) |
                              (here > 2 ? (unsigned long)byte[i + 2] : 0);
        for (size_t c = 0; c < 4; c++) {
            *to++ = c <= here ? digits[group >> (18 - 6 * c) & 63] : '=';
        }
    }
    *to = '\0';
    return text;
}

static json_t *classes_json(const attn_classes *classes, const attn_mask *mask) {
    int64_t seen[256] = {0};
    json_t *list = json_array();
    attn_mask_count(mask, seen);
    for (int c = 0; c < classes->count; c++) {
        const attn_class *item = attn_classes_at(classes, c);
        char color[8];
        snprintf(color, sizeof color, "#%02x%02x%02x", item->color[0], item->color[1],
                 item->color[2]);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "name", item->name, "color", color,
                                              "pixels", (json_int_t)seen[c]));
    }
    return list;
}

/* The largest tile, a multiple of 64 up to the tool's own, that keeps within the memory. */
static int64_t tile_within(const attn_model *model, int64_t memory, int64_t most) {
    int64_t pixels = attn_segment_pixels_within(model, memory), tile = 64;
    while (tile + 64 <= most && (tile + 64) * (tile + 64) <= pixels) {
        tile += 64;
    }
    return tile;
}

static void segment(attn_segmenting *s, const attn_picture *picture, int64_t memory,
                    attn_http_answer *answer) {
    attn_mask mask = {0, 0, NULL};
    attn_error error;
    char *png = NULL;
    size_t size = 0;
    attn_segment_options options;
    attn_segment_options_init(&options);
    options.tile = tile_within(s->model, memory, options.tile);
    attn_status status = attn_segment_mask(s, picture, &options, &mask, &error);
    if (status == ATTN_OK) {
        status =
            attn_mask_encode(&mask, &s->model->classes, ATTN_SEGMENT_MARK, &png, &size, &error);
    }
    if (status == ATTN_OK) {
        char *address = data_address("image/png", png, size);
        attn_http_json(answer, json_pack("{s:I, s:I, s:o, s:s}", "width", (json_int_t)mask.width,
                                         "height", (json_int_t)mask.height, "classes",
                                         classes_json(&s->model->classes, &mask), "mask", address));
        free(address);
    } else {
        fail(answer, status, &error);
    }
    attn_free(png);
    attn_mask_free(&mask);
}

/* ---- attention ---- */

static void attend(attn_segmenting *s, const attn_picture *picture, const attn_pixel_query *query,
                   int64_t memory, attn_http_answer *answer) {
    attn_error error;
    attn_grid keys;
    float *weights;
    int64_t most = attn_segment_pixels_within(s->model, memory);
    attn_status status = attn_segment_attend(s, picture, query, most, &keys, &weights, &error);
    if (status != ATTN_OK) {
        fail(answer, status, &error);
        return;
    }
    json_t *list = json_array();
    for (int64_t i = 0; i < keys.height * keys.width; i++) {
        json_array_append_new(list, json_real((double)weights[i]));
    }
    attn_free(weights);
    attn_http_json(answer,
                   json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "width",
                             (json_int_t)picture->width, "height", (json_int_t)picture->height,
                             "layers", (json_int_t)attn_segment_layers(s->model), "heads",
                             (json_int_t)attn_segment_heads(s->model, query->layer), "columns",
                             (json_int_t)keys.width, "rows", (json_int_t)keys.height, "weights",
                             list));
}

/* ---- both ---- */

static void do_work(void *context, attn_http_answer *answer) {
    work *w = context;
    attn_picture picture = {.rgb = NULL};
    attn_segmenting segmenting; /* for this picture alone: its memory is given back */
    attn_error error;
    attn_status status = attn_segmenting_start(w->model->open, &segmenting, &error);
    if (status == ATTN_OK) {
        status = attn_picture_parse(w->bytes, w->size, NULL, ATTN_PICTURES_WEB, w->pixel_limit,
                                    &picture, &error);
    }
    if (status != ATTN_OK) {
        fail(answer, status, &error);
    } else if (w->attend) {
        attend(&segmenting, &picture, &w->query, w->memory, answer);
    } else {
        segment(&segmenting, &picture, w->memory, answer);
    }
    attn_picture_free(&picture);
    attn_segmenting_end(&segmenting);
}

static void release(void *context) {
    work *w = context;
    attn_serve_model_release(w->models, w->model);
    free(w);
}

/* x, y, layer (default: the last) and head (a number, or mean, the default). */
static bool read_query(const attn_parameters *p, attn_pixel_query *out, attn_http_answer *answer) {
    enum { MOST = 1 << 30 };
    const char *head = attn_parameter_text(p, "head");
    static const char *const needed[] = {"x", "y"};
    *out = (attn_pixel_query){.x = 0};
    for (int i = 0; i < 2; i++) {
        if (attn_parameter_text(p, needed[i]) == NULL) {
            attn_http_error(answer, 400, "Invalid request: missing %s parameter", needed[i]);
            return false;
        }
    }
    return attn_parameter_number(p, "x", MOST, 0, &out->x, answer) &&
           attn_parameter_number(p, "y", MOST, 0, &out->y, answer) &&
           attn_parameter_number(p, "layer", MOST, 0, &out->layer, answer) &&
           ((head != NULL && strcmp(head, "mean") == 0) ||
            attn_parameter_number(p, "head", MOST, 0, &out->head, answer));
}

attn_job *attn_picture_job(attn_service *s, const attn_parameters *p, bool attend,
                           attn_http_answer *answer) {
    attn_pixel_query query = {.x = 0};
    if (attend && !read_query(p, &query, answer)) {
        return NULL;
    }
    if (p->request->body_size == 0) {
        attn_http_error(answer, 400, "Invalid request: missing picture");
        return NULL;
    }
    attn_serve_model *model = attn_serve_models_for_pictures(s->models);
    if (model == NULL) {
        attn_http_error(answer, 404, "No segmenter is served");
        return NULL;
    }
    work *w = malloc(sizeof *w + p->request->body_size);
    if (w == NULL) {
        attn_serve_model_release(s->models, model);
        attn_http_error(answer, 500, "out of memory");
        return NULL;
    }
    *w = (work){
        s->models, model, attend, query, s->pixel_limit, s->picture_memory, p->request->body_size};
    memcpy(w->bytes, p->request->body, w->size);
    attn_job *job;
    attn_error error;
    if (attn_job_create_work(do_work, release, w, &job, &error) != ATTN_OK) {
        attn_http_error(answer, 500, "%s", error.what);
        return NULL;
    }
    return job;
}
