/* For images_compare.py: runs one layer of attn/images.h, forward and backward, on tensors from a
 * .safetensors file and writes what comes out.
 *
 *   images_driver LAYER IN OUT        conv, depthwise, group_norm, resize or loss
 *
 * The sizes stand in the file's metadata. IN: x, d_y (not for loss) and the layer's parameters; OUT:
 * y and the gradients, d.NAME. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/images.h"
#include "attn/safetensors.h"

enum { MAX_RESULTS = 8 };

static attn_safetensors *input;
static attn_tensor_info results[MAX_RESULTS];
static char names[MAX_RESULTS][80];
static size_t result_count;

__attribute__((noreturn)) static void stop(const char *what) {
    fprintf(stderr, "images_driver: %s\n", what);
    exit(1);
}

static void check(attn_status status, const char *what) {
    if (status != ATTN_OK) {
        stop(what);
    }
}

static int64_t number(const char *key) {
    const char *value = attn_safetensors_metadata(input, key);
    if (value == NULL) {
        stop(key);
    }
    return strtol(value, NULL, 10);
}

static const attn_tensor_info *need(const char *name) {
    const attn_tensor_info *tensor = attn_safetensors_find(input, name);
    if (tensor == NULL) {
        stop(name);
    }
    return tensor;
}

static void put(const char *name, const float *data, int64_t count) {
    snprintf(names[result_count], sizeof names[0], "%s", name);
    results[result_count] = (attn_tensor_info){.name = names[result_count],
                                               .dtype = ATTN_DTYPE_F32,
                                               .rank = 1,
                                               .shape = {count},
                                               .data = data,
                                               .size = (size_t)count * sizeof *data};
    result_count++;
}

static attn_window window(void) {
    return (attn_window){number("kernel_height"),  number("kernel_width"),
                         number("stride"),         number("dilation"),
                         number("padding_height"), number("padding_width")};
}

static void fill(attn_params *params) {
    check(attn_params_allocate(params, true, NULL), "out of memory");
    for (size_t i = 0; i < attn_params_count(params); i++) {
        attn_param *row = attn_params_at(params, i);
        const attn_tensor_info *from = need(row->name);
        if (from->size != (size_t)(row->rows * row->cols) * sizeof *row->data) {
            stop(row->name);
        }
        memcpy(row->data, from->data, from->size);
    }
}

/* Returns y, or NULL after the loss, which is put. */
static attn_tensor *run(const char *layer, attn_tape *tape, attn_params *params, attn_tensor *x) {
    static double loss[2];
    static float sums[2];
    attn_grid grid = {number("batch"), number("height"), number("width")};
    if (strcmp(layer, "conv") == 0) {
        attn_window w = window();
        attn_conv conv = attn_conv_declare(params, "conv", x->cols, number("out"), &w, true);
        fill(params);
        return attn_layer_conv(tape, x, &grid, &conv, ATTN_ACTIVATION_GELU, NULL);
    }
    if (strcmp(layer, "depthwise") == 0) {
        attn_window w = window();
        attn_depthwise depthwise = attn_depthwise_declare(params, "depthwise", x->cols, &w);
        fill(params);
        return attn_layer_depthwise(tape, x, &grid, &depthwise, ATTN_ACTIVATION_RELU);
    }
    if (strcmp(layer, "group_norm") == 0) {
        attn_group_norm norm = attn_group_norm_declare(params, "norm", x->cols, number("groups"));
        fill(params);
        return attn_layer_group_norm(tape, x, &grid, &norm, ATTN_ACTIVATION_RELU);
    }
    if (strcmp(layer, "resize") == 0) {
        attn_grid to = {grid.batch, number("to_height"), number("to_width")};
        return attn_layer_resize(tape, x, &grid, &to);
    }
    attn_pixel_labels labels = {sizeof(attn_pixel_labels), need("labels")->data, 255,
                                need("class_weights")->data,
                                (double)number("smoothing_percent") / 100.0};
    attn_layer_pixel_loss(tape, x, &labels, 1.0f, &loss[0], &loss[1]);
    sums[0] = (float)loss[0];
    sums[1] = (float)loss[1];
    put("loss", sums, 2);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 4) {
        stop("LAYER IN OUT");
    }
    attn_params *params;
    attn_tape *tape;
    attn_error error = {0};
    check(attn_safetensors_open(arguments[2], &input, &error), error.what);
    check(attn_params_create(&params, NULL), "out of memory");
    check(attn_tape_create(&tape, NULL), "out of memory");
    attn_tape_begin(tape, true, 0, 0);
    const attn_tensor_info *from = need("x");
    attn_tensor *x = attn_tape_tensor(tape, from->shape[0], from->shape[1]);
    memcpy(x->data, from->data, from->size);
    attn_tensor *y = run(arguments[1], tape, params, x);
    check(attn_tape_status(tape), "the layer failed");
    if (y != NULL) {
        memcpy(attn_tape_grad(tape, y), need("d_y")->data, need("d_y")->size);
        put("y", y->data, y->rows * y->cols);
    }
    check(attn_tape_backward(tape, NULL), "the backward failed");
    put("d.x", x->grad, x->rows * x->cols);
    for (size_t i = 0; i < attn_params_count(params); i++) {
        attn_param *row = attn_params_at(params, i);
        char name[80];
        snprintf(name, sizeof name, "d.%s", row->name);
        put(name, row->grad, row->rows * row->cols);
    }
    check(attn_safetensors_write(arguments[3], results, result_count, NULL, 0, &error), error.what);
    attn_tape_free(tape);
    attn_params_free(params);
    attn_safetensors_close(input);
    return 0;
}
