/* serve/models.c: loading models and glossaries, and exchanging them under a lock. */
#include "serve/models.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attn/safetensors.h"
#include "base/fail.h"

struct attn_serve_models {
    pthread_mutex_t lock;              /* guards `current` and every model's `references` */
    const attn_serve_sources *sources; /* NULL when wrapped */
    attn_serve_model *current[ATTN_SERVE_MODELS];
    size_t count;
};

static void free_model(attn_serve_model *model) {
    if (model == NULL) {
        return;
    }
    if (model->segmenting != NULL) {
        attn_segmenting_close(model->segmenting);
        free(model->segmenting);
    }
    attn_translator_free(model->translator);
    attn_tokenizer_free(model->tokenizer);
    attn_glossary_free(model->glossary);
    free(model);
}

/* ---- languages ---- */

/* A code like en, zh, pt-BR or zh_Hant: letters, digits, '-' and '_'. */
static bool is_code(const char *text, size_t length) {
    if (length < 2 || length >= ATTN_LANGUAGE_CODE) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        bool letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
        bool other = (text[i] >= '0' && text[i] <= '9') || text[i] == '-' || text[i] == '_';
        if (!letter && !(i >= 2 && other)) {
            return false;
        }
    }
    return true;
}

/* "en-fr..." up to a dot. */
static bool languages_of_name(const char *path, attn_serve_model *model) {
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dash = strchr(name, '-');
    size_t first = dash != NULL ? (size_t)(dash - name) : 0;
    size_t second = dash != NULL ? strcspn(dash + 1, ".-_") : 0;
    if (first > 3 || second > 3 || !is_code(name, first) || !is_code(dash + 1, second)) {
        return false;
    }
    snprintf(model->source, sizeof model->source, "%.*s", (int)first, name);
    snprintf(model->target, sizeof model->target, "%.*s", (int)second, dash + 1);
    return true;
}

static attn_status read_languages(attn_serve_model *model, attn_error *error) {
    attn_safetensors *file;
    attn_status status = attn_safetensors_open(model->path, &file, error);
    if (status != ATTN_OK) {
        return status;
    }
    const char *source = attn_safetensors_metadata(file, "source_language");
    const char *target = attn_safetensors_metadata(file, "target_language");
    if (source != NULL && target != NULL && is_code(source, strlen(source)) &&
        is_code(target, strlen(target))) {
        snprintf(model->source, sizeof model->source, "%s", source);
        snprintf(model->target, sizeof model->target, "%s", target);
    } else if (!languages_of_name(model->path, model)) {
        status = attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                           "name the file after its languages, as in en-fr.safetensors",
                           "the model does not say which languages it translates");
    }
    attn_safetensors_close(file);
    return status;
}

/* ---- loading ---- */

static attn_status read_glossary(const attn_serve_sources *sources, attn_serve_model *model,
                                 attn_error *error) {
    char pair[2 * ATTN_LANGUAGE_CODE + 4];
    snprintf(pair, sizeof pair, "%s-%s:", model->source, model->target);
    for (size_t i = 0; i < sources->glossary_count; i++) {
        const char *given = sources->glossary[i];
        const char *colon = strchr(given, ':'), *slash = strchr(given, '/');
        bool names_pair = colon != NULL && (slash == NULL || colon < slash);
        if (!names_pair || strncmp(given, pair, strlen(pair)) == 0) {
            return attn_glossary_read(names_pair ? colon + 1 : given, &model->glossary, error);
        }
    }
    return ATTN_OK;
}

static attn_status read_weights(attn_serve_model *model, attn_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    attn_status status = attn_translator_load(model->path, false, ATTN_COMPUTE_F32,
                                              &model->translator, &bytes, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (bytes == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                         "save it with `attn train translator`", "the model has no tokenizer");
    }
    status = attn_tokenizer_from_bytes(bytes, size, &model->tokenizer, error);
    attn_translator_free_bytes(bytes);
    if (status != ATTN_OK) {
        return status;
    }
    int64_t vocabulary = attn_translator_get_config(model->translator)->vocabulary;
    if (attn_tokenizer_size(model->tokenizer) != vocabulary) {
        return attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                         "re-export it: tokenizer and weights differ",
                         "the tokenizer has %d pieces, but the model has %lld",
                         (int)attn_tokenizer_size(model->tokenizer), (long long)vocabulary);
    }
    return ATTN_OK;
}

/* Whether the file says that it is a segmenter; whatever is wrong with it is found when it is loaded. */
static attn_status is_segmenter(const char *path, bool *out, attn_error *error) {
    attn_safetensors *file;
    attn_status status = attn_safetensors_open(path, &file, error);
    *out = false;
    if (status == ATTN_OK) {
        const char *kind = attn_safetensors_metadata(file, "attn.model");
        *out = kind != NULL && strcmp(kind, "segmenter") == 0;
        attn_safetensors_close(file);
    }
    return status;
}

static attn_status read_segmenter(attn_serve_model *model, attn_error *error) {
    model->segmenting = calloc(1, sizeof *model->segmenting);
    return model->segmenting != NULL ? attn_segmenting_open(model->path, model->segmenting, error)
                                     : attn_fail_memory(error, sizeof *model->segmenting);
}

static attn_status read_translator(const attn_serve_sources *sources, attn_serve_model *model,
                                   attn_error *error) {
    attn_status status = read_weights(model, error);
    if (status == ATTN_OK) {
        status = read_languages(model, error);
    }
    return status == ATTN_OK ? read_glossary(sources, model, error) : status;
}

static bool identify(const char *path, int64_t identity[4]) {
    struct stat info;
    if (stat(path, &info) != 0) {
        return false;
    }
    identity[0] = (int64_t)info.st_dev;
    identity[1] = (int64_t)info.st_ino;
    identity[2] = (int64_t)info.st_size;
    identity[3] = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    return true;
}

static attn_status load(const attn_serve_sources *sources, const char *path, attn_serve_model **out,
                        attn_error *error) {
    *out = NULL;
    attn_serve_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        return attn_fail_memory(error, sizeof *model);
    }
    model->references = 1;
    attn_status status = ATTN_OK;
    if (snprintf(model->path, sizeof model->path, "%s", path) >= (int)sizeof model->path) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL, "the path is too long");
    }
    identify(path, model->identity); /* before reading: a file changed meanwhile is read again */
    bool pictures = false;
    if (status == ATTN_OK) {
        status = is_segmenter(path, &pictures, error);
    }
    if (status == ATTN_OK) {
        status = pictures ? read_segmenter(model, error) : read_translator(sources, model, error);
    }
    if (status != ATTN_OK) {
        free_model(model);
        return status;
    }
    *out = model;
    return ATTN_OK;
}

/* No request could choose between two models for pictures. */
static attn_status check_pictures(const attn_serve_models *models, size_t at,
                                  const attn_serve_model *model, attn_error *error) {
    for (size_t i = 0; i < models->count && model->segmenting != NULL; i++) {
        if (i != at && models->current[i]->segmenting != NULL) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, model->path, -1, "serve only one segmenter",
                             "%.200s is a segmenter too", models->current[i]->path);
        }
    }
    return ATTN_OK;
}

static attn_serve_models *make_models(const attn_serve_sources *sources) {
    attn_serve_models *models = calloc(1, sizeof *models);
    if (models != NULL) {
        pthread_mutex_init(&models->lock, NULL);
        models->sources = sources;
    }
    return models;
}

attn_status attn_serve_models_open(const attn_serve_sources *sources, attn_serve_models **out,
                                   attn_error *error) {
    *out = NULL;
    attn_serve_models *models = make_models(sources);
    if (models == NULL) {
        return attn_fail_memory(error, sizeof *models);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sources->model_count && i < ATTN_SERVE_MODELS && status == ATTN_OK;
         i++) {
        attn_serve_model *model;
        status = load(sources, sources->model[i], &model, error);
        if (status != ATTN_OK) {
            break;
        }
        status = check_pictures(models, i, model, error);
        models->current[models->count++] = model;
    }
    if (status != ATTN_OK) {
        attn_serve_models_close(models);
        return status;
    }
    *out = models;
    return ATTN_OK;
}

attn_status attn_serve_models_wrap(attn_translator *translator, attn_tokenizer *tokenizer,
                                   const char *source, const char *target, attn_serve_models **out,
                                   attn_error *error) {
    *out = make_models(NULL);
    attn_serve_model *model = calloc(1, sizeof *model);
    if (*out == NULL || model == NULL) {
        free(model);
        free(*out);
        *out = NULL;
        return attn_fail_memory(error, sizeof *model);
    }
    snprintf(model->source, sizeof model->source, "%s", source);
    snprintf(model->target, sizeof model->target, "%s", target);
    model->translator = translator;
    model->tokenizer = tokenizer;
    model->references = 1;
    (*out)->current[(*out)->count++] = model;
    return ATTN_OK;
}

bool attn_serve_models_add_pictures(attn_serve_models *models, attn_segmenting *segmenting) {
    attn_serve_model *model = calloc(1, sizeof *model);
    if (model == NULL || models->count == ATTN_SERVE_MODELS) {
        free(model);
        return false;
    }
    model->segmenting = segmenting;
    model->references = 1;
    models->current[models->count++] = model;
    return true;
}

void attn_serve_models_close(attn_serve_models *models) {
    if (models == NULL) {
        return;
    }
    for (size_t i = 0; i < models->count; i++) {
        attn_serve_model_release(models, models->current[i]);
    }
    pthread_mutex_destroy(&models->lock);
    free(models);
}

/* ---- use ---- */

size_t attn_serve_models_count(const attn_serve_models *models) {
    return models->count; /* fixed once opened */
}

attn_serve_model *attn_serve_models_get(attn_serve_models *models, size_t i) {
    pthread_mutex_lock(&models->lock);
    attn_serve_model *model = models->current[i];
    model->references++;
    pthread_mutex_unlock(&models->lock);
    return model;
}

attn_serve_model *attn_serve_models_find(attn_serve_models *models, const char *source,
                                         const char *target) {
    attn_serve_model *found = NULL;
    pthread_mutex_lock(&models->lock);
    for (size_t i = 0; i < models->count && found == NULL; i++) {
        attn_serve_model *model = models->current[i];
        if (strcmp(model->source, source) == 0 && strcmp(model->target, target) == 0) {
            found = model;
            found->references++;
        }
    }
    pthread_mutex_unlock(&models->lock);
    return found;
}

attn_serve_model *attn_serve_models_for_pictures(attn_serve_models *models) {
    attn_serve_model *found = NULL;
    pthread_mutex_lock(&models->lock);
    for (size_t i = 0; i < models->count && found == NULL; i++) {
        if (models->current[i]->segmenting != NULL) {
            found = models->current[i];
            found->references++;
        }
    }
    pthread_mutex_unlock(&models->lock);
    return found;
}

void attn_serve_model_release(attn_serve_models *models, attn_serve_model *model) {
    pthread_mutex_lock(&models->lock);
    bool last = --model->references == 0;
    pthread_mutex_unlock(&models->lock);
    if (last) {
        free_model(model);
    }
}

attn_status attn_serve_models_reload(attn_serve_models *models, size_t i, bool force, bool *done,
                                     attn_error *error) {
    *done = false;
    attn_serve_model *old = attn_serve_models_get(models, i), *model = NULL;
    int64_t identity[4] = {0};
    bool there = identify(old->path, identity);
    bool changed = there && memcmp(identity, old->identity, sizeof identity) != 0;
    attn_status status = ATTN_OK;
    if ((force || changed) && models->sources != NULL) {
        status = load(models->sources, old->path, &model, error);
        if (status == ATTN_OK) {
            status = check_pictures(models, i, model, error);
        }
    }
    if (status != ATTN_OK) {
        /* Not tried again until the file changes once more. */
        memcpy(old->identity, identity, sizeof identity);
        free_model(model);
    } else if (model != NULL) {
        pthread_mutex_lock(&models->lock);
        models->current[i] = model;
        pthread_mutex_unlock(&models->lock);
        attn_serve_model_release(models, old); /* as the current one */
        *done = true;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): this one is counted apart from the current one */
    attn_serve_model_release(models, old);
    return status;
}
