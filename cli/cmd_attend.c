/* cli/cmd_attend.c: `attn attend`: what a pixel of a picture attends to, laid over the picture. */
#include <stdio.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "image/overlay.h"
#include "segmenting.h"

typedef struct options {
    const char *model, *at, *out;
    int64_t layer, head, max_pixels, threads;
    bool mean;
} options;

static const options defaults = {.out = "attention.png"};

#define ROW(label, letter, type, field, low, high, value, help)                                    \
    { label, letter, type, offsetof(options, field), low, high, NULL, value, help }
static const attn_option table[] = {
    ROW("at", 0, ATTN_OPTION_TEXT, at, 0, 0, "X,Y", "the pixel that asks, from the top left"),
    ROW("layer", 'l', ATTN_OPTION_INT, layer, 1, 64, "L", "the block (default: the last)"),
    ROW("head", 0, ATTN_OPTION_INT, head, 1, 256, "H", "one head (default: the mean of all)"),
    ROW("mean", 0, ATTN_OPTION_FLAG, mean, 0, 0, NULL, "the mean of all heads"),
    ROW("out", 'o', ATTN_OPTION_FILE, out, 0, 0, "FILE",
        "FILE.png, .svg or .pdf (default: attention.png)"),
    ROW("model", 'm', ATTN_OPTION_FILE, model, 0, 0, "FILE",
        "the model (default: $ATTN_SEGMENTER, else models/street.safetensors)"),
    ROW("max-pixels", 0, ATTN_OPTION_INT, max_pixels, 1, 1e12, "N",
        "refuse larger pictures (default 100 million)"),
    ROW("threads", 'j', ATTN_OPTION_INT, threads, 1, 256, "N",
        "threads; changes the speed only (default: all cores)"),
};

typedef struct place {
    int64_t x, y, layer; /* layer from 0 */
} place;

static attn_status find_place(const options *o, const attn_segmenting *s,
                              const attn_picture *picture, place *out, attn_error *error) {
    const attn_segmenter_config *config = attn_segmenter_get_config(s->model);
    long long x, y;
    char rest;
    if (sscanf(o->at, "%lld,%lld%c", &x, &y, &rest) != 2 || x < 0 || y < 0 || x >= picture->width ||
        y >= picture->height) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--at", -1,
                         "give X,Y counted from 0 at the top left",
                         "'%.40s' is no pixel of a picture of %lld x %lld", o->at,
                         (long long)picture->width, (long long)picture->height);
    }
    if (o->layer > config->blocks || config->blocks == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--layer", -1, NULL, "the model has %lld blocks",
                         (long long)config->blocks);
    }
    if (o->head > config->heads) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--head", -1, NULL, "the model has %lld heads",
                         (long long)config->heads);
    }
    *out = (place){x, y, o->layer > 0 ? o->layer - 1 : config->blocks - 1};
    return ATTN_OK;
}

/* weights [heads, places] to one map: a head, or their mean. */
static void choose(const options *o, int64_t heads, int64_t places, const float *weights,
                   float *map) {
    for (int64_t i = 0; i < places; i++) {
        float sum = 0;
        for (int64_t h = 0; h < heads; h++) {
            sum += weights[h * places + i];
        }
        map[i] = o->head > 0 ? weights[(o->head - 1) * places + i] : sum / (float)heads;
    }
}

static attn_status draw(const options *o, const attn_segmenting *s, const attn_picture *picture,
                        const place *at, const float *weights, attn_error *error) {
    int64_t heads = attn_segmenter_get_config(s->model)->heads;
    attn_grid keys = attn_segmenter_key_grid(s->model, picture->height, picture->width);
    int64_t places = keys.height * keys.width;
    float *map = attn_alloc_zero((size_t)places, sizeof *map);
    if (map == NULL) {
        return attn_fail_memory(error, (size_t)places * sizeof *map);
    }
    choose(o, heads, places, weights, map);
    char title[128], which[32] = "mean of all heads";
    if (o->head > 0) {
        snprintf(which, sizeof which, "head %lld", (long long)o->head);
    }
    snprintf(title, sizeof title, "what pixel %lld,%lld attends to: block %lld, %s",
             (long long)at->x, (long long)at->y, (long long)at->layer + 1, which);
    attn_heat heat = {.picture = picture,
                      .map = map,
                      .map_width = keys.width,
                      .map_height = keys.height,
                      .at_x = at->x,
                      .at_y = at->y,
                      .title = title,
                      .quantity = "attention"};
    attn_status status = attn_heat_write(o->out, &heat, error);
    attn_free(map);
    return status;
}

static attn_status attend(const options *o, attn_segmenting *s, const attn_picture *picture,
                          attn_error *error) {
    place at = {0, 0, 0};
    attn_status status = find_place(o, s, picture, &at, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_grid keys = attn_segmenter_key_grid(s->model, picture->height, picture->width), grid;
    size_t count = (size_t)(keys.height * keys.width * attn_segmenter_get_config(s->model)->heads);
    float *weights = attn_alloc_zero(count, sizeof *weights);
    if (weights == NULL) {
        return attn_fail_memory(error, count * sizeof *weights);
    }
    attn_pictures one = {1, picture->height, picture->width, picture->rgb};
    attn_tape_watch(s->tape, true);
    attn_tape_begin(s->tape, false, 0, 0);
    if (attn_segmenter_forward(s->model, s->tape, &one, &grid) == NULL) {
        status =
            attn_fail(error, attn_tape_status(s->tape), "attend", -1, "give a smaller picture",
                      "%s while running the model", attn_status_name(attn_tape_status(s->tape)));
    }
    if (status == ATTN_OK) {
        status = attn_segmenter_attend(s->model, s->tape, picture->height, picture->width, at.layer,
                                       at.y / 8, at.x / 8, weights, error);
    }
    if (status == ATTN_OK) {
        status = draw(o, s, picture, &at, weights, error);
    }
    attn_free(weights);
    return status;
}

static int run(const void *given, int operand_count, char **operand) {
    (void)operand_count;
    const options *o = given;
    static attn_segmenting segmenting; /* large */
    attn_picture picture = {.rgb = NULL};
    attn_error error;
    if (o->at == NULL) {
        return attn_say_misuse("attend: give --at X,Y");
    }
    if (o->threads > 0) {
        attn_set_threads((int)o->threads);
    }
    attn_status status = attn_segmenting_open(o->model, &segmenting, &error);
    if (status == ATTN_OK) {
        status = attn_picture_read(operand[0], o->max_pixels, &picture, &error);
    }
    if (status == ATTN_OK) {
        status = attend(o, &segmenting, &picture, &error);
    }
    attn_picture_free(&picture);
    attn_segmenting_close(&segmenting);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_attend = {
    .name = "attend",
    .summary = "show what a pixel of a picture attends to",
    .usage = "PICTURE --at X,Y [OPTION]...",
    .description = "Runs the segmenter on the picture and lays the attention of one pixel over it, "
                   "brighter for more.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
