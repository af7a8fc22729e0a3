/* import/export_weights.c: the parameters of a model become the tensors of somebody else's file, by the tables that read them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/export.h"
#include "io/dtype.h"

enum { NAME_SIZE = 160 };

/* ---- a list of tensors ---- */

static size_t elements_of(int rank, const int64_t *shape) {
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        count *= (size_t)shape[i];
    }
    return count;
}

/* A new one with room for its values, which are not set. */
static attn_status add(attn_export_tensors *list, const char *name, attn_dtype dtype, int rank,
                       const int64_t *shape, void **data, attn_error *error) {
    size_t size = elements_of(rank, shape) * attn_dtype_size(dtype);
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 64;
        attn_tensor_info *grown = realloc(list->tensor, room * sizeof *grown);
        if (grown == NULL) {
            return attn_fail_memory(error, room * sizeof *grown);
        }
        list->tensor = grown;
        list->room = room;
    }
    char *copy = strdup(name);
    *data = attn_alloc(size);
    if (copy == NULL || *data == NULL) {
        free(copy);
        attn_free(*data);
        return attn_fail_memory(error, size);
    }
    attn_tensor_info *t = &list->tensor[list->count++];
    *t =
        (attn_tensor_info){.name = copy, .dtype = dtype, .rank = rank, .data = *data, .size = size};
    for (int i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
    }
    return ATTN_OK;
}

attn_status attn_export_add(attn_export_tensors *list, const char *name, attn_dtype dtype, int rank,
                            const int64_t *shape, const void *data, attn_error *error) {
    void *to;
    attn_status status = add(list, name, dtype, rank, shape, &to, error);
    if (status == ATTN_OK) {
        memcpy(to, data, list->tensor[list->count - 1].size);
    }
    return status;
}

void attn_export_tensors_free(attn_export_tensors *list) {
    for (size_t i = 0; i < list->count; i++) {
        free((char *)(uintptr_t)list->tensor[i].name);
        attn_free((void *)(uintptr_t)list->tensor[i].data);
    }
    free(list->tensor);
    *list = (attn_export_tensors){.tensor = NULL};
}

static float *find(const attn_export_tensors *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->tensor[i].name, name) == 0) {
            return (float *)(uintptr_t)list->tensor[i].data;
        }
    }
    return NULL;
}

/* ---- one parameter ---- */

typedef struct export_work {
    const attn_weight_map *map;
    const attn_export_shapes *shapes;
    const attn_export_words *words; /* of source and target */
    attn_export_tensors *list;
} export_work;

/* The name that is meant of several; NULL: the first. */
static const char *preferred(const export_work *w, const char *ours) {
    for (size_t i = 0; w->shapes->names != NULL && w->shapes->names[i][0] != NULL; i++) {
        if (strcmp(w->shapes->names[i][0], ours) == 0) {
            return w->shapes->names[i][1];
        }
    }
    return NULL;
}

static const attn_weight_rule *rule_of(const export_work *w, const char *name, int64_t *layer) {
    const char *wanted = preferred(w, name);
    for (size_t i = 0; i < w->map->rule_count; i++) {
        const attn_weight_rule *rule = &w->map->rules[i];
        if (attn_weight_name_matches(rule->ours, name, layer) &&
            (wanted == NULL || strcmp(rule->theirs, wanted) == 0)) {
            return rule;
        }
    }
    return NULL;
}

static const attn_export_words *words_of(const export_work *w, attn_weight_layout layout) {
    return &w->words[layout != ATTN_WEIGHT_SOURCE_ROWS];
}

/* Returns the rank. */
static int shape_of(const export_work *w, const attn_weight_rule *rule, const attn_param *param,
                    int64_t shape[2]) {
    int64_t parts = rule->parts > 0 ? rule->parts : 1;
    int64_t words = words_of(w, rule->layout)->count;
    bool vector = param->rows == 1;
    bool row = w->shapes->vectors_are_rows ||
               (w->shapes->bias_is_row && rule->layout == ATTN_WEIGHT_TARGET_BIAS);
    switch (rule->layout) {
    case ATTN_WEIGHT_SAME:
        shape[0] = vector ? 1 : parts * param->rows;
        shape[1] = vector ? parts * param->cols : param->cols;
        break;
    case ATTN_WEIGHT_HEADS: {
        attn_weight_heads heads = attn_weight_heads_of(w->map, rule->part);
        shape[0] = vector ? 1 : param->rows / heads.own * heads.all;
        shape[1] = vector ? param->cols / heads.own * heads.all : param->cols;
        break;
    }
    case ATTN_WEIGHT_LATER_ROWS:
        shape[0] = rule->part + param->rows;
        shape[1] = param->cols;
        break;
    case ATTN_WEIGHT_TRANSPOSED:
        shape[0] = param->cols;
        shape[1] = param->rows;
        break;
    case ATTN_WEIGHT_SOURCE_ROWS:
    case ATTN_WEIGHT_TARGET_ROWS:
        shape[0] = words;
        shape[1] = param->cols;
        break;
    case ATTN_WEIGHT_TARGET_COLUMNS:
        shape[0] = param->cols;
        shape[1] = words;
        break;
    case ATTN_WEIGHT_TARGET_BIAS:
        shape[0] = 1;
        shape[1] = words;
        break;
    case ATTN_WEIGHT_KERNELS: /* none of a translator */
    case ATTN_WEIGHT_CHANNEL_KERNELS:
    case ATTN_WEIGHT_COLUMNS:
        shape[0] = param->rows;
        shape[1] = param->cols;
        break;
    }
    if (vector && !row) {
        shape[0] = shape[1];
        return 1;
    }
    return 2;
}

static int64_t our_word(const attn_export_words *words, int64_t theirs) {
    return words->ours != NULL ? words->ours[theirs] : theirs;
}

static void fill(const export_work *w, const attn_weight_rule *rule, const attn_param *param,
                 float *to) {
    const attn_export_words *words = words_of(w, rule->layout);
    int64_t rows = param->rows, cols = param->cols, count = rows * cols;
    switch (rule->layout) {
    case ATTN_WEIGHT_SAME:
        memcpy(to + rule->part * count, param->data, (size_t)count * sizeof *to);
        break;
    case ATTN_WEIGHT_HEADS: {
        attn_weight_heads heads = attn_weight_heads_of(w->map, rule->part);
        memcpy(to + count / heads.own * heads.before, param->data, (size_t)count * sizeof *to);
        break;
    }
    case ATTN_WEIGHT_LATER_ROWS:
        memset(to, 0, (size_t)(rule->part * cols) * sizeof *to);
        memcpy(to + rule->part * cols, param->data, (size_t)count * sizeof *to);
        break;
    case ATTN_WEIGHT_TRANSPOSED:
        for (int64_t i = 0; i < count; i++) {
            to[i % cols * rows + i / cols] = param->data[i];
        }
        break;
    case ATTN_WEIGHT_SOURCE_ROWS:
    case ATTN_WEIGHT_TARGET_ROWS:
        for (int64_t r = 0; r < words->count; r++) {
            memcpy(to + r * cols, param->data + our_word(words, r) * cols,
                   (size_t)cols * sizeof *to);
        }
        break;
    case ATTN_WEIGHT_TARGET_COLUMNS:
        for (int64_t i = 0; i < words->count * cols; i++) {
            int64_t word = i % words->count;
            to[i] = param->data[our_word(words, word) * cols + i / words->count];
        }
        break;
    case ATTN_WEIGHT_TARGET_BIAS:
        for (int64_t c = 0; c < words->count; c++) {
            to[c] = param->data[our_word(words, c)];
        }
        break;
    case ATTN_WEIGHT_KERNELS: /* none of a translator */
    case ATTN_WEIGHT_CHANNEL_KERNELS:
    case ATTN_WEIGHT_COLUMNS:
        break;
    }
}

static attn_status put(const export_work *w, const attn_param *param, attn_error *error) {
    int64_t layer, shape[2];
    char name[NAME_SIZE];
    const attn_weight_rule *rule = rule_of(w, param->name, &layer);
    if (rule == NULL) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                         "the format has no name for the parameter %s", param->name);
    }
    attn_weight_name_fill("", rule->theirs, layer + w->map->first_layer, name, sizeof name);
    float *values = find(w->list, name); /* where another part of it is already */
    if (values == NULL) {
        int rank = shape_of(w, rule, param, shape);
        void *data = NULL;
        attn_status status = add(w->list, name, ATTN_DTYPE_F32, rank, shape, &data, error);
        if (status != ATTN_OK) {
            return status;
        }
        values = data;
    }
    fill(w, rule, param, values);
    return ATTN_OK;
}

attn_status attn_export_weights(const attn_weight_map *map, const attn_export_shapes *shapes,
                                const attn_export_words words[2], const attn_params *params,
                                attn_export_tensors *list, attn_error *error) {
    const export_work w = {.map = map, .shapes = shapes, .words = words, .list = list};
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < attn_params_count(params) && status == ATTN_OK; i++) {
        status = put(&w, attn_params_at(params, i), error);
    }
    return status;
}
