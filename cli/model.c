/* cli/model.c: finding and opening a model file. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"

/* The folder that holds this program's file, "" where the system does not tell. */
static void program_folder(char *folder, size_t size) {
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

static attn_status find_default(const char *variable, const char *name, char *out, size_t size,
                                attn_error *error) {
    char folder[2048];
    char tried[3][2200];
    program_folder(folder, sizeof folder);
    snprintf(tried[0], sizeof tried[0], "%s", name);
    snprintf(tried[1], sizeof tried[1], "%s/../%s", folder, name);
    snprintf(tried[2], sizeof tried[2], "%s/%s", ATTN_DATA_DIR, name);
    for (int i = 0; i < 3; i++) {
        if (access(tried[i], F_OK) == 0) {
            snprintf(out, size, "%s", tried[i]);
            return ATTN_OK;
        }
    }
    char hint[128];
    snprintf(hint, sizeof hint, "name a model with --model or %s", variable);
    return attn_fail(error, ATTN_ERR_IO, NULL, -1, hint,
                     "no model: tried %.100s, %.150s and %.150s", tried[0], tried[1], tried[2]);
}

attn_status attn_model_find(const char *path, const char *variable, const char *name, char *out,
                            size_t size, attn_error *error) {
    if (path == NULL) {
        path = getenv(variable);
    }
    if (path == NULL || path[0] == '\0') {
        return find_default(variable, name, out, size, error);
    }
    if (snprintf(out, size, "%s", path) >= (int)size) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL, "the path is too long");
    }
    return ATTN_OK;
}

static attn_status open_model(const char *path, bool packed, attn_compute compute, attn_model *out,
                              attn_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    memset(out, 0, sizeof *out);
    attn_status status = attn_model_find(path, "ATTN_MODEL", "models/en-fr.safetensors", out->path,
                                         sizeof out->path, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = packed ? attn_translator_load_packed(out->path, compute, &out->translator, &bytes,
                                                  &size, error)
                    : attn_translator_load(out->path, false, compute, &out->translator, &bytes,
                                           &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (bytes == NULL) {
        status = attn_fail(error, ATTN_ERR_FORMAT, out->path, -1,
                           "save it with `attn train translator`", "the model has no tokenizer");
        goto out;
    }
    status = attn_tokenizer_from_bytes(bytes, size, &out->tokenizer, error);
    if (status != ATTN_OK) {
        goto out;
    }
    int64_t vocabulary = attn_translator_get_config(out->translator)->vocabulary;
    if (attn_tokenizer_size(out->tokenizer) != vocabulary) {
        status = attn_fail(error, ATTN_ERR_FORMAT, out->path, -1,
                           "re-export it: tokenizer and weights differ",
                           "the tokenizer has %d pieces, but the model has %lld",
                           (int)attn_tokenizer_size(out->tokenizer), (long long)vocabulary);
    }
out:
    attn_translator_free_bytes(bytes);
    if (status != ATTN_OK) {
        attn_model_close(out);
    }
    return status;
}

attn_status attn_model_open(const char *path, attn_compute compute, attn_model *out,
                            attn_error *error) {
    return open_model(path, false, compute, out, error);
}

attn_status attn_model_open_packed(const char *path, attn_compute compute, attn_model *out,
                                   attn_error *error) {
    return open_model(path, true, compute, out, error);
}

void attn_model_close(attn_model *model) {
    attn_tokenizer_free(model->tokenizer);
    attn_translator_free(model->translator);
    attn_shortlist_free(model->shortlist);
    model->tokenizer = NULL;
    model->translator = NULL;
    model->shortlist = NULL;
}

attn_status attn_model_open_segmenter(const char *path, attn_segmenting *out, attn_error *error) {
    char found[4096];
    memset(out, 0, sizeof *out);
    attn_status status = attn_model_find(path, "ATTN_SEGMENTER", "models/street.safetensors", found,
                                         sizeof found, error);
    return status == ATTN_OK ? attn_segmenting_open(found, out, error) : status;
}
