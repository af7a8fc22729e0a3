/* serve/models.c: loading models and glossaries, and exchanging them under a lock. */
#include "serve/models.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attn/segment.h"
#include "attn/translate.h"
#include "base/fail.h"
#include "import/import.h"
#include "text/language.h"

struct attn_serve_models {
    pthread_mutex_t lock;              /* guards `current` and every model's `references` */
    const attn_serve_sources *sources; /* NULL when wrapped */
    attn_serve_model *current[ATTN_SERVE_MODELS];
    size_t count;
};

static attn_serve_model *new_model(void) {
    static atomic_uint_fast64_t last;
    attn_serve_model *model = calloc(1, sizeof *model);
    if (model != NULL) {
        model->references = 1;
        model->serial = atomic_fetch_add(&last, 1) + 1;
    }
    return model;
}

static void free_model(attn_serve_model *model) {
    if (model == NULL) {
        return;
    }
    attn_model_close(model->open);
    free(model);
}

bool attn_serve_model_translates(const attn_serve_model *model) {
    return model->open->kind == ATTN_MODEL_TRANSLATOR;
}

/* ---- loading ---- */

/* Whether "en-fr" names the model's languages; a dash may also stand within a code. */
static bool names_pair_of(const attn_model *model, const char *pair, size_t length) {
    char source[2 * ATTN_LANGUAGE_CODE], *target;
    if (length >= sizeof source) {
        return false;
    }
    snprintf(source, sizeof source, "%.*s", (int)length, pair);
    for (target = strchr(source, '-'); target != NULL; target = strchr(target + 1, '-')) {
        *target = '\0';
        if (attn_language_same(source, model->source) &&
            attn_language_same(target + 1, model->target)) {
            return true;
        }
        *target = '-';
    }
    return false;
}

static attn_status read_glossary(const attn_serve_sources *sources, attn_serve_model *model,
                                 attn_error *error) {
    for (size_t i = 0; i < sources->glossary_count; i++) {
        const char *given = sources->glossary[i];
        const char *colon = strchr(given, ':'), *slash = strchr(given, '/');
        bool names_pair = colon != NULL && (slash == NULL || colon < slash);
        if (!names_pair || names_pair_of(model->open, given, (size_t)(colon - given))) {
            return attn_model_set_glossary(model->open, names_pair ? colon + 1 : given, error);
        }
    }
    return ATTN_OK;
}

static attn_status check_languages(const attn_model *model, attn_error *error) {
    return model->source[0] != '\0' && model->target[0] != '\0'
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                           "name the file after its languages, as in en-fr.safetensors",
                           "the model does not say which languages it translates");
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

/* source, target: one pair of languages of a model that has several; NULL: its first. */
static attn_status open_model(const attn_serve_sources *sources, const char *path,
                              const char *source, const char *target, attn_serve_model *model,
                              attn_error *error) {
    attn_model_options options;
    attn_model_options_init(&options);
    options.whole = true; /* the page looks inside */
    options.source = source;
    options.target = target;
    identify(path, model->identity); /* before reading: a file changed meanwhile is read again */
    attn_status status = attn_import_open(path, &options, &model->open, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (!attn_serve_model_translates(model)) {
        return attn_model_check_kind(model->open, ATTN_MODEL_SEGMENTER, error);
    }
    status = check_languages(model->open, error);
    return status == ATTN_OK ? read_glossary(sources, model, error) : status;
}

/* One answer before any client waits for one: what opens at first use (ICU among it) is open then, and weights that give
 * no numbers are found. */
static attn_status try_out(const attn_model *model, attn_error *error) {
    enum { SIDE = 16 };
    static const uint8_t grey[SIDE * SIDE * 3];
    uint8_t classes[SIDE * SIDE];
    if (model->kind == ATTN_MODEL_SEGMENTER) {
        const attn_pixels picture = {SIDE, SIDE, grey};
        return attn_segment(model, &picture, NULL, classes, error);
    }
    char *translation =
        NULL; /* a sentence in Latin and one in Chinese: a model passes over what is foreign to it */
    attn_status status = attn_translate(model, "Is it 3 or 4? 是的。", NULL, &translation, error);
    attn_translate_free(translation);
    return status;
}

static attn_status load(const attn_serve_sources *sources, const char *path, const char *source,
                        const char *target, attn_serve_model **out, attn_error *error) {
    *out = NULL;
    attn_serve_model *model = new_model();
    if (model == NULL) {
        return attn_fail_memory(error, sizeof *model);
    }
    attn_status status = open_model(sources, path, source, target, model, error);
    if (status == ATTN_OK) {
        status = try_out(model->open, error);
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
    for (size_t i = 0; i < models->count && !attn_serve_model_translates(model); i++) {
        if (i != at && !attn_serve_model_translates(models->current[i])) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, model->open->path, -1,
                             "serve only one segmenter", "%.200s is a segmenter too",
                             models->current[i]->open->path);
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

static attn_status add(attn_serve_models *models, const char *path, const char *source,
                       const char *target, attn_serve_model **out, attn_error *error) {
    if (models->count == ATTN_SERVE_MODELS) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, "serve fewer models",
                         "there are more than %d models and pairs of languages", ATTN_SERVE_MODELS);
    }
    attn_status status = load(models->sources, path, source, target, out, error);
    if (status == ATTN_OK) {
        status = check_pictures(models, models->count, *out, error);
        models->current[models->count++] = *out;
    }
    return status;
}

/* A model of several pairs of languages is there once for each, so that whoever asks for a pair finds it as any other. */
static attn_status add_all(attn_serve_models *models, const char *path, attn_error *error) {
    attn_serve_model *first;
    const char *source, *target;
    attn_status status = add(models, path, NULL, NULL, &first, error);
    for (size_t i = 1; status == ATTN_OK && attn_model_pair(first->open, i, &source, &target);
         i++) {
        attn_serve_model *more;
        status = add(models, path, source, target, &more, error);
    }
    return status;
}

attn_status attn_serve_models_open(const attn_serve_sources *sources, attn_serve_models **out,
                                   attn_error *error) {
    *out = NULL;
    attn_serve_models *models = make_models(sources);
    if (models == NULL) {
        return attn_fail_memory(error, sizeof *models);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sources->model_count && status == ATTN_OK; i++) {
        status = add_all(models, sources->model[i], error);
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
    attn_serve_model *model = new_model();
    attn_status status =
        *out != NULL && model != NULL
            ? attn_model_wrap(translator, tokenizer, source, target, &model->open, error)
            : attn_fail_memory(error, sizeof *model);
    if (status != ATTN_OK) {
        free(model);
        free(*out);
        *out = NULL;
        return status;
    }
    (*out)->current[(*out)->count++] = model;
    return ATTN_OK;
}

bool attn_serve_models_add(attn_serve_models *models, attn_model *open) {
    attn_serve_model *model = new_model();
    if (model == NULL || models->count == ATTN_SERVE_MODELS) {
        free(model);
        return false;
    }
    model->open = open;
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
    for (size_t i = 0; i < models->count; i++) {
        attn_serve_model *model = models->current[i];
        const char *from = model->open->source, *to = model->open->target;
        if (strcmp(from, source) == 0 && strcmp(to, target) == 0) {
            found = model;
            break;
        }
        bool same = attn_serve_model_translates(model) && attn_language_same(from, source) &&
                    attn_language_same(to, target);
        found = found == NULL && same ? model : found;
    }
    if (found != NULL) {
        found->references++;
    }
    pthread_mutex_unlock(&models->lock);
    return found;
}

attn_serve_model *attn_serve_models_for_pictures(attn_serve_models *models) {
    attn_serve_model *found = NULL;
    pthread_mutex_lock(&models->lock);
    for (size_t i = 0; i < models->count && found == NULL; i++) {
        if (!attn_serve_model_translates(models->current[i])) {
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

/* A file in the place of another one serves what that one served; its languages are asked for when it is opened. */
static attn_status check_same(const attn_serve_model *old, const attn_serve_model *model,
                              attn_error *error) {
    bool translates = attn_serve_model_translates(old);
    if (attn_serve_model_translates(model) == translates) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, model->open->path, -1,
                     "put the former kind of model back, or start the server again",
                     "it is a %s now, and was a %s", translates ? "segmenter" : "translator",
                     translates ? "translator" : "segmenter");
}

attn_status attn_serve_models_reload(attn_serve_models *models, size_t i, bool force, bool *done,
                                     attn_error *error) {
    *done = false;
    attn_serve_model *old = attn_serve_models_get(models, i), *model = NULL;
    int64_t identity[4] = {0};
    bool there = identify(old->open->path, identity);
    bool changed = there && memcmp(identity, old->identity, sizeof identity) != 0;
    attn_status status = ATTN_OK;
    if ((force || changed) && models->sources != NULL) {
        bool translates = attn_serve_model_translates(old);
        status = load(models->sources, old->open->path, translates ? old->open->source : NULL,
                      translates ? old->open->target : NULL, &model, error);
        if (status == ATTN_OK) {
            status = check_same(old, model, error);
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
