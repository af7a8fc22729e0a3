/* train/translator_start.c: opening it, and handing its weights over. */
#include "train/translator_start.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "import/import.h"
#include "models/translator.h"

/* One of attn's own. */
static attn_status open_own(const char *path, attn_translator_start *out, attn_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    attn_safetensors *file = NULL;
    attn_status status = attn_safetensors_open_header(path, &file, error);
    if (status == ATTN_OK) {
        status = attn_translator_read(file, path, ATTN_LOAD_TO_TRAIN, ATTN_COMPUTE_F32, &out->model,
                                      &bytes, &size, error);
    }
    if (status == ATTN_OK) {
        const struct {
            const char *key;
            char *field;
            size_t size;
        } texts[] = {{"source_language", out->source, sizeof out->source},
                     {"target_language", out->target, sizeof out->target},
                     {"licence", out->licence, sizeof out->licence}};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            const char *value = attn_safetensors_metadata(file, texts[i].key);
            snprintf(texts[i].field, texts[i].size, "%s", value != NULL ? value : "");
        }
    }
    if (status == ATTN_OK && bytes != NULL) {
        status = attn_tokenizer_from_bytes(bytes, size, &out->tokenizer, error);
    }
    attn_translator_free_bytes(bytes);
    attn_safetensors_close(file);
    return status;
}

attn_status attn_translator_start_open(const char *path, attn_translator_start *out,
                                       attn_error *error) {
    attn_imported imported;
    *out = (attn_translator_start){.model = NULL};
    if (!attn_import_is_foreign(path)) {
        return open_own(path, out, error);
    }
    attn_status status = attn_import_read(path, &imported, error);
    if (status == ATTN_OK && imported.translator == NULL) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, "start from a translator",
                           "it is an encoder, for vectors of text");
    }
    if (status != ATTN_OK) {
        attn_imported_free(&imported);
        return status;
    }
    out->model = imported.translator;
    out->tokenizer = imported.tokenizer;
    memcpy(out->source, imported.source, sizeof out->source);
    memcpy(out->target, imported.target, sizeof out->target);
    memcpy(out->licence, imported.licence, sizeof out->licence);
    return ATTN_OK;
}

void attn_translator_start_free(attn_translator_start *start) {
    attn_translator_free(start->model);
    attn_tokenizer_free(start->tokenizer);
    *start = (attn_translator_start){.model = NULL};
}

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

attn_status attn_translator_start_take(const attn_translator_start *start, bool new_words,
                                       const attn_params *params, size_t *taken, char *left,
                                       size_t left_size, attn_error *error) {
    size_t used = 0;
    *taken = 0;
    left[0] = '\0';
    for (size_t i = 0; i < attn_params_count(params); i++) {
        attn_param *row = attn_params_at(params, i);
        const attn_param *from = attn_params_find(attn_translator_params(start->model), row->name);
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
