/* import/weights.c: finding, turning and ordering, one parameter after another. */
#include "import/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/tokenizer.h"
#include "base/fail.h"
#include "base/memory.h"
#include "io/dtype.h"
#include "kernels/loss/loss.h"

enum { NAME_SIZE = 160 };

typedef struct import_work {
    const attn_weight_map *map;
    const attn_tensor_file *file;
    const attn_word_order *source, *target;
    bool *used; /* by index in the file */
    float *values;
    size_t room;
} import_work;

/* ---- names ---- */

bool attn_weight_name_matches(const char *pattern, const char *name, int64_t *layer) {
    const char *hash = strchr(pattern, '#');
    *layer = -1;
    if (hash == NULL) {
        return strcmp(pattern, name) == 0;
    }
    size_t before = (size_t)(hash - pattern);
    if (strncmp(pattern, name, before) != 0 || name[before] < '0' || name[before] > '9') {
        return false;
    }
    char *end;
    *layer = strtoll(name + before, &end, 10);
    return strcmp(hash + 1, end) == 0;
}

void attn_weight_name_fill(const char *prefix, const char *pattern, int64_t layer, char *name,
                           size_t size) {
    const char *hash = strchr(pattern, '#');
    if (hash == NULL) {
        snprintf(name, size, "%s%s", prefix, pattern);
    } else {
        snprintf(name, size, "%s%.*s%lld%s", prefix, (int)(hash - pattern), pattern,
                 (long long)layer, hash + 1);
    }
}

static const char *prefix_of(const attn_weight_map *map) {
    return map->prefix != NULL ? map->prefix : "";
}

/* The tensor by name, which counts as used; NULL: there is none. */
static const attn_tensor_info *take(import_work *w, const char *name) {
    for (size_t i = 0; i < attn_tensor_file_count(w->file); i++) {
        const attn_tensor_info *tensor = attn_tensor_file_at(w->file, i);
        if (strcmp(tensor->name, name) == 0) {
            w->used[i] = true;
            return tensor;
        }
    }
    return NULL;
}

/* ---- values ---- */

static int64_t elements_of(const attn_tensor_info *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

static bool is_integer(const attn_tensor_info *tensor) {
    return tensor->dtype == ATTN_DTYPE_I8 || tensor->dtype == ATTN_DTYPE_I16;
}

static attn_status read_numbers(const attn_tensor_info *tensor, float *out, attn_error *error) {
    if (!attn_dtype_is_number(tensor->dtype)) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, "convert it to F32, BF16 or F16",
                         "tensor %s is of type %s", tensor->name, attn_dtype_name(tensor->dtype));
    }
    attn_tensor_floats(tensor, out);
    return ATTN_OK;
}

/* Quantised integers are values times a scale, one for all or for each row. */
static attn_status unscale(import_work *w, const attn_tensor_info *tensor, attn_error *error) {
    char name[NAME_SIZE + 16];
    if (!is_integer(tensor)) {
        return ATTN_OK;
    }
    snprintf(name, sizeof name, "%s%s", tensor->name, w->map->scale != NULL ? w->map->scale : "");
    const attn_tensor_info *scale = w->map->scale != NULL ? take(w, name) : NULL;
    int64_t count = elements_of(tensor), rows = tensor->rank > 1 ? tensor->shape[0] : 1;
    int64_t scales = scale != NULL ? elements_of(scale) : 0;
    if (scales < 1 || (scales != 1 && scales != rows)) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL,
                         "tensor %s is of integers and has %lld scales, expected 1 or %lld",
                         tensor->name, (long long)scales, (long long)rows);
    }
    float *factor = attn_alloc((size_t)scales * sizeof *factor);
    if (factor == NULL) {
        return attn_fail_memory(error, (size_t)scales * sizeof *factor);
    }
    attn_status status = read_numbers(scale, factor, error);
    if (status != ATTN_OK) {
        attn_free(factor);
        return status;
    }
    int64_t each = count / scales;
    for (int64_t s = 0; s < scales; s++) {
        for (int64_t i = s * each; i < (s + 1) * each; i++) {
            w->values[i] /= factor[s];
        }
    }
    attn_free(factor);
    return ATTN_OK;
}

static attn_status read_values(import_work *w, const attn_tensor_info *tensor, attn_error *error) {
    size_t count = (size_t)elements_of(tensor);
    if (count > w->room) {
        attn_free(w->values);
        w->room = count;
        w->values = attn_alloc(count * sizeof *w->values);
    }
    if (w->values == NULL) {
        w->room = 0;
        return attn_fail_memory(error, count * sizeof *w->values);
    }
    attn_status status = read_numbers(tensor, w->values, error);
    return status == ATTN_OK ? unscale(w, tensor, error) : status;
}

/* ---- layouts ---- */

static void copy_words(const float *from, int64_t row_step, int64_t column_step,
                       const attn_word_order *order, attn_param *to) {
    for (int64_t r = 0; r < to->rows; r++) {
        for (int64_t c = 0; c < to->cols; c++) {
            int64_t at = order->theirs[r] * row_step + c * column_step;
            to->data[r * to->cols + c] = order->theirs[r] >= 0 ? from[at] : 0;
        }
    }
}

/* from NULL: all 0. */
static void copy_bias(const float *from, const attn_word_order *order, attn_param *to) {
    for (int64_t c = 0; c < to->cols; c++) {
        bool never = order->theirs[c] < 0 || (c == ATTN_BOS && order->start_is_copy);
        to->data[c] = never ? ATTN_NEVER : from != NULL ? from[order->theirs[c]] : 0;
    }
}

/* [out, in, places] to [out, places, in] */
static void copy_kernels(const float *from, int64_t places, attn_param *to) {
    int64_t in = to->cols / places;
    for (int64_t r = 0; r < to->rows; r++) {
        for (int64_t i = 0; i < to->cols; i++) {
            to->data[r * to->cols + i] = from[r * to->cols + i % in * places + i / in];
        }
    }
}

static const attn_word_order *order_of(const import_work *w, attn_weight_layout layout) {
    return layout == ATTN_WEIGHT_SOURCE_ROWS ? w->source : w->target;
}

/* How many of their words the order asks for. */
static int64_t words_of(const attn_word_order *order) {
    int64_t most = -1;
    for (int64_t i = 0; i < order->count; i++) {
        most = order->theirs[i] > most ? order->theirs[i] : most;
    }
    return most + 1;
}

/* Whether the tensor is [first, second] (or [second] alone, where first is 1); first negative: at least that many. */
static bool has_shape(const attn_tensor_info *t, int64_t first, int64_t second) {
    int64_t columns = t->rank > 0 ? t->shape[t->rank - 1] : 1;
    int64_t rows = columns > 0 ? elements_of(t) / columns : 0;
    return columns == second && (first < 0 ? rows >= -first : rows == first);
}

static bool has_kernels(const attn_tensor_info *t, int64_t out, int64_t in, int64_t side) {
    return t->rank == 4 && t->shape[0] == out && t->shape[1] == in && t->shape[2] == side &&
           t->shape[3] == side;
}

static bool fits(const import_work *w, const attn_weight_rule *rule, const attn_param *param,
                 const attn_tensor_info *t) {
    int64_t parts = rule->parts > 0 ? rule->parts : 1;
    switch (rule->layout) {
    case ATTN_WEIGHT_SAME:
        return param->rows > 1 ? has_shape(t, parts * param->rows, param->cols)
                               : has_shape(t, 1, parts * param->cols);
    case ATTN_WEIGHT_TRANSPOSED:
        return has_shape(t, param->cols, param->rows);
    case ATTN_WEIGHT_LATER_ROWS:
        return has_shape(t, -(rule->part + param->rows), param->cols);
    case ATTN_WEIGHT_SOURCE_ROWS:
    case ATTN_WEIGHT_TARGET_ROWS:
        return has_shape(t, -words_of(order_of(w, rule->layout)), param->cols);
    case ATTN_WEIGHT_TARGET_COLUMNS:
        return t->rank == 2 && t->shape[0] == param->cols && t->shape[1] >= words_of(w->target);
    case ATTN_WEIGHT_TARGET_BIAS:
        return elements_of(t) >= words_of(w->target);
    case ATTN_WEIGHT_KERNELS: {
        int64_t places = (int64_t)rule->part * rule->part;
        return param->cols % places == 0 &&
               has_kernels(t, param->rows, param->cols / places, rule->part);
    }
    case ATTN_WEIGHT_CHANNEL_KERNELS:
        return has_kernels(t, param->cols, 1, rule->part);
    case ATTN_WEIGHT_COLUMNS:
        return has_kernels(t, param->rows, parts * param->cols, 1);
    case ATTN_WEIGHT_HEADS: {
        attn_weight_heads heads = attn_weight_heads_of(w->map, rule->part);
        return param->rows > 1 ? has_shape(t, param->rows / heads.own * heads.all, param->cols)
                               : has_shape(t, 1, param->cols / heads.own * heads.all);
    }
    }
    return false;
}

static void copy(const import_work *w, const attn_weight_rule *rule, const attn_tensor_info *t,
                 attn_param *param) {
    int64_t count = param->rows * param->cols;
    switch (rule->layout) {
    case ATTN_WEIGHT_SAME:
        memcpy(param->data, w->values + rule->part * count, (size_t)count * sizeof *param->data);
        break;
    case ATTN_WEIGHT_TRANSPOSED:
    case ATTN_WEIGHT_CHANNEL_KERNELS:
        for (int64_t i = 0; i < count; i++) {
            param->data[i] = w->values[i % param->cols * param->rows + i / param->cols];
        }
        break;
    case ATTN_WEIGHT_LATER_ROWS:
        memcpy(param->data, w->values + rule->part * param->cols,
               (size_t)count * sizeof *param->data);
        break;
    case ATTN_WEIGHT_SOURCE_ROWS:
    case ATTN_WEIGHT_TARGET_ROWS:
        copy_words(w->values, param->cols, 1, order_of(w, rule->layout), param);
        break;
    case ATTN_WEIGHT_TARGET_COLUMNS:
        copy_words(w->values, 1, t->shape[1], w->target, param);
        break;
    case ATTN_WEIGHT_TARGET_BIAS:
        copy_bias(w->values, w->target, param);
        break;
    case ATTN_WEIGHT_KERNELS:
        copy_kernels(w->values, (int64_t)rule->part * rule->part, param);
        break;
    case ATTN_WEIGHT_HEADS: {
        attn_weight_heads heads = attn_weight_heads_of(w->map, rule->part);
        memcpy(param->data, w->values + count / heads.own * heads.before,
               (size_t)count * sizeof *param->data);
        break;
    }
    case ATTN_WEIGHT_COLUMNS:
        for (int64_t r = 0; r < param->rows; r++) {
            memcpy(param->data + r * param->cols,
                   w->values + (r * rule->parts + rule->part) * param->cols,
                   (size_t)param->cols * sizeof *param->data);
        }
        break;
    }
}

/* ---- how many there are ---- */

attn_status attn_import_check_size(const attn_tensor_file *file, const attn_params *params,
                                   int64_t lacking, attn_error *error) {
    int64_t held = 0, asked = attn_params_size(params);
    for (size_t i = 0; i < attn_tensor_file_count(file); i++) {
        held += elements_of(attn_tensor_file_at(file, i));
    }
    return asked - lacking <= held
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, "its configuration is another model's",
                           "the model asks for %lld numbers, the file of tensors has %lld",
                           (long long)asked, (long long)held);
}

/* ---- one parameter ---- */

static attn_status fail_shape(const attn_tensor_info *t, const attn_param *param,
                              attn_error *error) {
    char shape[96] = "";
    for (int i = 0, end = 0; i < t->rank && end < 80; i++) {
        end += snprintf(shape + end, sizeof shape - (size_t)end, "%s%lld", i > 0 ? ", " : "",
                        (long long)t->shape[i]);
    }
    return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL,
                     "tensor %s is [%s], which does not fit %s [%lld, %lld]", t->name, shape,
                     param->name, (long long)param->rows, (long long)param->cols);
}

static bool ends_in_bias(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL && strcmp(dot, ".bias") == 0;
}

static attn_status fill(import_work *w, attn_param *param, attn_error *error) {
    const attn_weight_rule *rule = NULL;
    const attn_tensor_info *tensor = NULL;
    char name[NAME_SIZE] = "";
    for (size_t i = 0; i < w->map->rule_count && tensor == NULL; i++) {
        int64_t layer;
        if (attn_weight_name_matches(w->map->rules[i].ours, param->name, &layer)) {
            rule = &w->map->rules[i]; /* the next one when the file lacks this name */
            attn_weight_name_fill(prefix_of(w->map), rule->theirs, layer + w->map->first_layer,
                                  name, sizeof name);
            tensor = take(w, name);
        }
    }
    if (tensor == NULL && rule != NULL && rule->layout == ATTN_WEIGHT_TARGET_BIAS) {
        copy_bias(NULL, w->target, param);
        return ATTN_OK;
    }
    if (tensor == NULL && rule != NULL && w->map->biases_may_lack && ends_in_bias(param->name)) {
        return ATTN_OK; /* the parameters of a new model are 0 */
    }
    if (tensor == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "tensor %s is missing",
                         rule != NULL ? name : param->name);
    }
    attn_weight_rule turned = *rule;
    if (rule->layout == ATTN_WEIGHT_TRANSPOSED && w->map->integers_are_turned &&
        is_integer(tensor)) {
        turned.layout = ATTN_WEIGHT_SAME;
        rule = &turned;
    }
    if (!fits(w, rule, param, tensor)) {
        return fail_shape(tensor, param, error);
    }
    attn_status status = read_values(w, tensor, error);
    if (status == ATTN_OK) {
        copy(w, rule, tensor, param);
    }
    return status;
}

/* ---- all of them ---- */

static bool is_idle(const attn_weight_map *map, const attn_tensor_info *tensor) {
    if (map->numbers_are_settings && tensor->rank == 0) {
        return true;
    }
    size_t prefix = strlen(prefix_of(map));
    bool prefixed = strncmp(tensor->name, prefix_of(map), prefix) == 0;
    const char *name = tensor->name + (prefixed ? prefix : 0);
    for (size_t i = 0; map->idle[i] != NULL; i++) {
        int64_t layer;
        if (strncmp(name, map->idle[i], strlen(map->idle[i])) == 0 ||
            attn_weight_name_matches(map->idle[i], name, &layer)) {
            return true;
        }
    }
    return false;
}

static attn_status check_all_used(const import_work *w, attn_error *error) {
    for (size_t i = 0; i < attn_tensor_file_count(w->file); i++) {
        const attn_tensor_info *tensor = attn_tensor_file_at(w->file, i);
        if (!w->used[i] && !is_idle(w->map, tensor)) {
            return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                             "tensor %s belongs to a kind of layer that attn does not know",
                             tensor->name);
        }
    }
    return ATTN_OK;
}

attn_status attn_import_weights(const attn_weight_map *map, const attn_tensor_file *file,
                                const attn_word_order *source, const attn_word_order *target,
                                attn_params *params, attn_error *error) {
    size_t count = attn_tensor_file_count(file);
    import_work w = {.map = map,
                     .file = file,
                     .source = source,
                     .target = target,
                     .used = attn_alloc_zero(count, sizeof *w.used)};
    attn_status status = w.used != NULL ? ATTN_OK : attn_fail_memory(error, count * sizeof *w.used);
    for (size_t i = 0; i < attn_params_count(params) && status == ATTN_OK; i++) {
        status = fill(&w, attn_params_at(params, i), error);
    }
    if (status == ATTN_OK) {
        status = check_all_used(&w, error);
    }
    attn_free(w.used);
    attn_free(w.values);
    return status;
}
