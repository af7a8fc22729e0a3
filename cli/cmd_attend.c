/* cli/cmd_attend.c: `attn attend`: what a pixel of a picture attends to, laid over the picture. */
#include <stdio.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "image/overlay.h"
#include "model.h"
#include "show/segmenting.h"

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

static attn_status draw(const options *o, const attn_picture *picture, const attn_pixel_query *at,
                        const attn_grid *keys, const float *weights, attn_error *error) {
    char title[128], which[32] = "mean of all heads";
    if (at->head > 0) {
        snprintf(which, sizeof which, "head %lld", (long long)at->head);
    }
    snprintf(title, sizeof title, "what pixel %lld,%lld attends to: block %lld, %s",
             (long long)at->x, (long long)at->y, (long long)at->layer, which);
    attn_heat heat = {.picture = picture,
                      .map = weights,
                      .map_width = keys->width,
                      .map_height = keys->height,
                      .at_x = at->x,
                      .at_y = at->y,
                      .title = title,
                      .quantity = "attention"};
    return attn_heat_write(o->out, &heat, error);
}

static attn_status attend(const options *o, attn_segmenting *s, const attn_picture *picture,
                          attn_error *error) {
    long long x, y;
    char rest;
    if (sscanf(o->at, "%lld,%lld%c", &x, &y, &rest) != 2) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--at", -1,
                         "give X,Y counted from 0 at the top left", "'%.40s' is no pixel", o->at);
    }
    int64_t last = attn_segmenter_get_config(s->model)->blocks;
    attn_pixel_query at = {x, y, o->layer > 0 ? o->layer : last, o->mean ? 0 : o->head};
    attn_grid keys;
    float *weights;
    attn_status status = attn_segment_attend(s, picture, &at, &keys, &weights, error);
    if (status == ATTN_OK) {
        status = draw(o, picture, &at, &keys, weights, error);
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
    attn_status status = attn_model_open_segmenter(o->model, &segmenting, &error);
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
