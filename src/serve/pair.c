/* serve/pair.c: ways from one language to another. */
#include "serve/pair.h"

#include "text/language.h"

/* A translator from or into the language; NULL: none. */
static attn_serve_model *find_any(attn_serve_models *models, const char *language) {
    for (size_t i = 0; i < attn_serve_models_count(models); i++) {
        attn_serve_model *model = attn_serve_models_get(models, i);
        if (attn_serve_model_translates(model) &&
            (attn_language_same(model->open->source, language) ||
             attn_language_same(model->open->target, language))) {
            return model;
        }
        attn_serve_model_release(models, model);
    }
    return NULL;
}

/* Through which third language. */
static bool find_two(attn_serve_models *models, const char *source, const char *target,
                     attn_serve_pair *out) {
    bool found = false;
    for (size_t i = 0; i < attn_serve_models_count(models); i++) {
        attn_serve_model *first = attn_serve_models_get(models, i), *then = NULL;
        bool english = attn_language_same(first->open->target, "en");
        if (attn_serve_model_translates(first) && (!found || english) &&
            attn_language_same(first->open->source, source)) {
            then = attn_serve_models_find(models, first->open->target, target);
        }
        if (then == NULL) {
            attn_serve_model_release(models, first);
            continue;
        }
        attn_serve_pair_release(models, out);
        *out = (attn_serve_pair){.model = first, .then = then};
        found = true;
        if (english) {
            break;
        }
    }
    return found;
}

bool attn_serve_pair_find(attn_serve_models *models, const char *source, const char *target,
                          attn_serve_pair *out) {
    *out = (attn_serve_pair){.unchanged = attn_language_same(source, target)};
    out->model =
        out->unchanged ? find_any(models, source) : attn_serve_models_find(models, source, target);
    return out->model != NULL || (!out->unchanged && find_two(models, source, target, out));
}

bool attn_serve_pair_exists(attn_serve_models *models, const char *source, const char *target) {
    attn_serve_pair pair;
    bool found = attn_serve_pair_find(models, source, target, &pair);
    attn_serve_pair_release(models, &pair);
    return found;
}

void attn_serve_pair_release(attn_serve_models *models, attn_serve_pair *pair) {
    if (pair->model != NULL) {
        attn_serve_model_release(models, pair->model);
    }
    if (pair->then != NULL) {
        attn_serve_model_release(models, pair->then);
    }
    *pair = (attn_serve_pair){0};
}
