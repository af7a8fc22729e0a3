/* train/translator_start.c: handing its weights over. */
#include "train/translator_start.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "models/translator.h"

/* The tables with one row or number a word. */
static bool is_of_words(const char *name) {
    static const char *const tables[] = {"embedding", "source_embedding", "target_embedding",
                                         "output", "output.bias"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (strcmp(name, tables[i]) == 0) {
            return true;
        }
    }
    return false;
}

static attn_status misfit(const attn_param *row, const attn_param *from, attn_error *error) {
    if (from == NULL) {
        return attn_fail(error, ATTN_ERR_SHAPE, NULL, -1, NULL, "tensor %s is missing", row->name);
    }
    return attn_fail(error, ATTN_ERR_SHAPE, NULL, -1, NULL,
                     "tensor %s is %lld x %lld, the training needs %lld x %lld", row->name,
                     (long long)from->rows, (long long)from->cols, (long long)row->rows,
                     (long long)row->cols);
}

attn_status attn_translator_start_take(const attn_translator *start, bool new_words,
                                       const attn_params *params, size_t *taken, char *left,
                                       size_t left_size, attn_error *error) {
    size_t used = 0;
    *taken = 0;
    left[0] = '\0';
    for (size_t i = 0; i < attn_params_count(params); i++) {
        attn_param *row = attn_params_at(params, i);
        const attn_param *from = attn_params_find(attn_translator_params(start), row->name);
        bool fits = from != NULL && from->rows == row->rows && from->cols == row->cols;
        if (attn_translator_is_adapter(row->name)) {
            continue;
        }
        if (new_words && is_of_words(row->name)) {
            used += used < left_size ? (size_t)snprintf(left + used, left_size - used, "%s%s",
                                                        used > 0 ? " " : "", row->name)
                                     : 0;
        } else if (!fits) {
            return misfit(row, from, error);
        } else {
            memcpy(row->data, from->data, (size_t)(row->rows * row->cols) * sizeof *row->data);
            ++*taken;
        }
    }
    return ATTN_OK;
}
