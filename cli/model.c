/* cli/model.c: finding model files. */
#include "model.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/safetensors.h"
#include "base/fail.h"
#include "data.h"
#include "import/import.h"

#define TRANSLATOR          "models/en-fr.safetensors"
#define TRANSLATOR_VARIABLE "ATTN_MODEL"

const attn_option attn_pair_table[] = {
    {"from", 0, ATTN_OPTION_TEXT, offsetof(attn_pair_options, from), .value = "CODE",
     .help =
         "the source language, such as en, of a model that has several; without a model, one that "
         "has it"},
    {"to", 0, ATTN_OPTION_TEXT, offsetof(attn_pair_options, to), .value = "CODE",
     .help = "the target language (default: the model's first)"},
    {.name = NULL},
};

attn_status attn_model_find(const char *path, const char *variable, const char *name, char *out,
                            size_t size, attn_error *error) {
    if (path == NULL) {
        path = getenv(variable);
    }
    if (path == NULL || path[0] == '\0') {
        char hint[128];
        snprintf(hint, sizeof hint, "name a model with --model or %s", variable);
        return attn_data_find(name, "no model", NULL, hint, out, size, error);
    }
    if (snprintf(out, size, "%s", path) >= (int)size) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL, "the path is too long");
    }
    return ATTN_OK;
}

static bool is_translator(const char *path) {
    attn_safetensors *file;
    if (attn_safetensors_open_header(path, &file, NULL) != ATTN_OK) {
        return false;
    }
    const char *kind = attn_safetensors_metadata(file, "attn.model");
    bool found = kind != NULL && strcmp(kind, "translator") == 0;
    attn_safetensors_close(file);
    return found;
}

static int is_model_name(const struct dirent *entry) {
    static const char ending[] = ".safetensors";
    size_t length = strlen(entry->d_name), end = sizeof ending - 1;
    return length > end && strcmp(entry->d_name + length - end, ending) == 0;
}

static attn_status add_path(attn_model_list *list, const char *path, attn_error *error) {
    char **grown = realloc(list->path, (list->count + 1) * sizeof *grown);
    list->path = grown != NULL ? grown : list->path;
    if (grown == NULL || (grown[list->count] = strdup(path)) == NULL) {
        return attn_fail_memory(error, strlen(path) + 1);
    }
    list->count++;
    return ATTN_OK;
}

/* The other translators of the folder of list->path[0]. */
static attn_status add_neighbours(attn_model_list *list, attn_error *error) {
    const char *first = list->path[0];
    int folder = (int)(strrchr(first, '/') - first); /* attn_data_find's names have a folder */
    char path[4096];
    struct dirent **entry = NULL;
    attn_status status = ATTN_OK;
    snprintf(path, sizeof path, "%.*s", folder, first);
    int count = scandir(path, &entry, is_model_name, alphasort);
    for (int i = 0; i < count; i++) {
        int length = snprintf(path, sizeof path, "%.*s/%s", folder, first, entry[i]->d_name);
        free(entry[i]);
        if (status == ATTN_OK && length < (int)sizeof path && strcmp(path, first) != 0 &&
            is_translator(path)) {
            status = add_path(list, path, error);
        }
    }
    free(entry);
    return status;
}

attn_status attn_models_find(attn_model_list *out, attn_error *error) {
    char found[4096];
    *out = (attn_model_list){.count = 0};
    attn_status status =
        attn_model_find(NULL, TRANSLATOR_VARIABLE, TRANSLATOR, found, sizeof found, error);
    status = status == ATTN_OK ? add_path(out, found, error) : status;
    const char *named = getenv(TRANSLATOR_VARIABLE);
    if (status == ATTN_OK && (named == NULL || named[0] == '\0')) {
        status = add_neighbours(out, error);
    }
    if (status != ATTN_OK) {
        attn_model_list_free(out);
    }
    return status;
}

void attn_model_list_free(attn_model_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->path[i]);
    }
    free(list->path);
    *list = (attn_model_list){.count = 0};
}

/* The first of the program's own models that has the languages asked for. */
static attn_status open_for_languages(const attn_model_options *options, attn_model **out,
                                      attn_error *error) {
    attn_model_list list;
    attn_status status = attn_models_find(&list, error);
    bool done = status != ATTN_OK;
    for (size_t i = 0; i < list.count && !done; i++) {
        attn_model_close(*out);
        status = attn_import_open(list.path[i], options, out, error);
        done = status != ATTN_ERR_ARGUMENT; /* others' languages */
    }
    if (!done && list.count > 1) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                           "name a model with --model; `attn info MODEL` lists its languages",
                           "none of the %zu models beside %.200s translates%s%.15s%s%.15s",
                           list.count, list.path[0], options->source != NULL ? " from " : "",
                           options->source != NULL ? options->source : "",
                           options->target != NULL ? " to " : "",
                           options->target != NULL ? options->target : "");
    }
    attn_model_list_free(&list);
    return status;
}

attn_status attn_translator_model_open(const char *path, const attn_model_options *options,
                                       attn_model **out, attn_error *error) {
    char found[4096];
    const char *named = getenv(TRANSLATOR_VARIABLE);
    *out = NULL;
    if (path == NULL && (named == NULL || named[0] == '\0') && options != NULL &&
        (options->source != NULL || options->target != NULL)) {
        return open_for_languages(options, out, error);
    }
    attn_status status =
        attn_model_find(path, TRANSLATOR_VARIABLE, TRANSLATOR, found, sizeof found, error);
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
