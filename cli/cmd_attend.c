/* cli/cmd_attend.c: `attn attend`: what a pixel of a picture attends to, laid over the picture or in
 * the terminal. */
#include <stdio.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "image/overlay.h"
#include "model.h"
#include "pipeline/segment.h"
#include "show/terminal.h"

typedef struct options {
    const char *model, *at, *out;
    int64_t layer, head, max_pixels, memory, threads;
    bool mean;
} options;

static const options defaults = {.memory = 1024};

#define ROW(label, letter, type, field, low, high, value, help)                                    \
    { label, letter, type, offsetof(options, field), low, high, NULL, value, help }
static const attn_option table[] = {
    ROW("at", 0, ATTN_OPTION_TEXT, at, 0, 0, "X,Y",
        "the pixel whose attention to show, counted from 0 at the top left; `class`: the class "
        "token "
        "of a ViT"),
    ROW("layer", 'l', ATTN_OPTION_INT, layer, 1, 1024, "L", "the block (default: the last)"),
    ROW("head", 0, ATTN_OPTION_INT, head, 1, 256, "H", "one head (default: the mean over all)"),
    ROW("mean", 0, ATTN_OPTION_FLAG, mean, 0, 0, NULL, "the mean of all heads"),
    ROW("out", 'o', ATTN_OPTION_FILE, out, 0, 0, "FILE",
        "FILE.png, .svg or .pdf (default: draw in the terminal)"),
    ROW("model", 'm', ATTN_OPTION_FILE, model, 0, 0, "FILE",
        "the model (default: $ATTN_SEGMENTER, else models/street.safetensors)"),
    ROW("max-pixels", 0, ATTN_OPTION_INT, max_pixels, 1, 1e12, "N",
        "refuse larger pictures (default 100 million)"),
    ROW("memory", 0, ATTN_OPTION_INT, memory, 16, 1e6, "MIB",
        "memory that the model may take; a picture that needs more is made smaller (default 1024)"),
    ROW("threads", 'j', ATTN_OPTION_INT, threads, 1, 256, "N",
        "threads; affects speed only (default: all cores)"),
};

/* A character or two for each place that is asked. */
static void print_map(const attn_picture *picture, const attn_grid *keys,
                      const attn_pixel_query *at, const float *map, bool has_class_token) {
    static const char shades[] = " .:-=+*#%@";
    attn_terminal terminal;
    attn_terminal_init(&terminal, stdout);
    float top = 0;
    double sum = 0;
    for (int64_t i = 0; i < keys->height * keys->width; i++) {
        top = map[i] > top ? map[i] : top;
        sum += (double)map[i];
    }
    /* A terminal's cell is about twice as high as wide. */
    int across = 2 * keys->width + 2 <= terminal.width ? 2 : 1;
    int64_t query_x = at->x * keys->width / picture->width;
    int64_t query_y = at->y * keys->height / picture->height;
    for (int64_t y = 0; y < keys->height; y++) {
        putchar('|');
        for (int64_t x = 0; x < keys->width; x++) {
            float share = top > 0 ? map[y * keys->width + x] / top : 0;
            int level = (int)(share * (float)(sizeof shades - 2) + 0.5f);
            bool asks = !at->class_token && x == query_x && y == query_y;
            if (terminal.color) {
                uint8_t rgb[3];
                attn_heat_color(share, rgb);
                printf("\033[48;2;%d;%d;%dm%s%s\033[0m", rgb[0], rgb[1], rgb[2],
                       asks ? "\033[1;35mx" : " ", across == 2 ? (asks ? "x" : " ") : "");
            } else {
                for (int i = 0; i < across; i++) {
                    putchar(asks ? 'X' : shades[level]);
                }
            }
        }
        puts("|");
    }
    printf("%s: the pixel that asks; the %s a place, the more of its attention (at most %.1f %%)\n",
           terminal.color ? "x" : "X", terminal.color ? "lighter" : "darker", 100 * (double)top);
    if (has_class_token) {
        printf("%.1f %% goes to the class token\n", 100 * (1 - sum));
    }
}

static attn_status draw(const options *o, const attn_segmenting *s, const attn_picture *picture,
                        const attn_pixel_query *at, const attn_grid *keys, const float *weights,
                        attn_error *error) {
    char title[128], which[32] = "mean of all heads", who[64] = "the class token";
    if (at->head > 0) {
        snprintf(which, sizeof which, "head %lld", (long long)at->head);
    }
    if (!at->class_token) {
        snprintf(who, sizeof who, "pixel %lld,%lld", (long long)at->x, (long long)at->y);
    }
    snprintf(title, sizeof title, "what %s attends to: block %lld, %s", who, (long long)at->layer,
             which);
    attn_heat heat = {.picture = picture,
                      .map = weights,
                      .map_width = keys->width,
                      .map_height = keys->height,
                      .at_x = at->x,
                      .at_y = at->y,
                      .title = title,
                      .quantity = "attention"};
    if (o->out != NULL) {
        return attn_heat_write(o->out, &heat, error);
    }
    printf("%s\n", title);
    print_map(picture, keys, at, weights, attn_segment_has_class_token(s->model));
    return ATTN_OK;
}

static attn_status attend(const options *o, attn_segmenting *s, const attn_picture *picture,
                          attn_error *error) {
    long long x = 0, y = 0;
    char rest;
    bool class_token = strcmp(o->at, "class") == 0;
    if (!class_token && sscanf(o->at, "%lld,%lld%c", &x, &y, &rest) != 2) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--at", -1,
                         "give X,Y, counted from 0 at the top left",
                         "'%.40s' is not a pixel position", o->at);
    }
    int64_t layer = o->layer > 0 ? o->layer : attn_segment_layers(s->model);
    attn_pixel_query at = {x, y, layer, o->mean ? 0 : o->head, class_token};
    attn_grid keys;
    float *weights;
    int64_t most = attn_segment_pixels_within(s->model, o->memory << 20);
    attn_status status = attn_segment_attend(s, picture, &at, most, &keys, &weights, error);
    if (status == ATTN_OK) {
        status = draw(o, s, picture, &at, &keys, weights, error);
    }
    attn_free(weights);
    return status;
}

static int attend_run(const void *given, int operand_count, char **operand) {
    (void)operand_count;
    const options *o = given;
    attn_model *model = NULL;
    attn_segmenting segmenting = {.model = NULL};
    attn_picture picture = {.rgb = NULL};
    attn_error error;
    if (o->at == NULL) {
        return attn_say_misuse("attend: give --at X,Y");
    }
    if (o->threads > 0) {
        attn_set_threads((int)o->threads);
    }
    attn_status status = attn_picture_model_open(o->model, &model, &error);
    status = status == ATTN_OK ? attn_segmenting_look(model, &segmenting, &error) : status;
    if (status == ATTN_OK) {
        status = attn_picture_read(operand[0], o->max_pixels, &picture, &error);
    }
    if (status == ATTN_OK) {
        status = attend(o, &segmenting, &picture, &error);
    }
    attn_picture_free(&picture);
    attn_segmenting_end(&segmenting);
    attn_model_close(model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_attend = {
    .name = "attend",
    .summary = "Show what a pixel of a picture attends to",
    .usage = "PICTURE --at X,Y [OPTION]...",
    .description =
        "Runs the model on the picture and shows what one pixel attends to, as a map in "
        "the terminal or laid over the picture, where brighter means more. The model is "
        "a segmenter, attn's own or a SegFormer, or a ViT, whose pixels ask as the patch "
        "that they lie in.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1,
    .run = attend_run,
};
