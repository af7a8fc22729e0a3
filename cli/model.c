/* cli/model.c: finding model files. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "import/import.h"

const attn_option attn_pair_table[] = {
    {"from", 0, ATTN_OPTION_TEXT, offsetof(attn_pair_options, from), .value = "CODE",
     .help = "of a model of several pairs of languages: the source language, such as en"},
    {"to", 0, ATTN_OPTION_TEXT, offsetof(attn_pair_options, to), .value = "CODE",
     .help = "of a model of several pairs of languages: the target language (default: its first)"},
    {.name = NULL},
};

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

attn_status attn_translator_model_open(const char *path, const attn_model_options *options,
                                       attn_model **out, attn_error *error) {
    char found[4096];
    *out = NULL;
    attn_status status =
        attn_model_find(path, "ATTN_MODEL", "models/en-fr.safetensors", found, sizeof found, error);
    status = status == ATTN_OK ? attn_import_open(found, options, out, error) : status;
    return status == ATTN_OK ? attn_model_check_kind(*out, ATTN_MODEL_TRANSLATOR, error) : status;
}

attn_status attn_picture_model_open(const char *path, attn_model **out, attn_error *error) {
    char found[4096];
    *out = NULL;
    attn_status status = attn_model_find(path, "ATTN_SEGMENTER", "models/street.safetensors", found,
                                         sizeof found, error);
    return status == ATTN_OK ? attn_import_open(found, NULL, out, error) : status;
}

attn_status attn_segmenter_model_open(const char *path, attn_model **out, attn_error *error) {
    attn_status status = attn_picture_model_open(path, out, error);
    return status == ATTN_OK ? attn_model_check_kind(*out, ATTN_MODEL_SEGMENTER, error) : status;
}

attn_status attn_model_check_own(const char *path, attn_error *error) {
    return attn_import_is_foreign(path)
               ? attn_fail(error, ATTN_ERR_ARGUMENT, path, -1,
                           "`attn import` says what it is, and makes one file of attn's of it",
                           "another program made it")
               : ATTN_OK;
}
