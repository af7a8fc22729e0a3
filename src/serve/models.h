/* serve/models.h: the models that are being served, and how one is exchanged while requests run.
 *
 * Whoever uses a model holds a reference; a reload puts another one in its place, and the old one goes
 * when its last user does. Every function may be called from any thread. */
#ifndef ATTN_SERVE_MODELS_H
#define ATTN_SERVE_MODELS_H

#include "pipeline/segment.h"

enum { ATTN_SERVE_MODELS = 64 };

typedef struct attn_serve_model {
    attn_model *open; /* a translator or a segmenter; only read */
    /* Kept by models.c. */
    int references;
    uint64_t serial;     /* no other model that this process opened has it */
    int64_t identity[4]; /* of the file: device, inode, size, time */
} attn_serve_model;

typedef struct attn_serve_models attn_serve_models;

/* glossary: path, or "SOURCE-TARGET:PATH" for the models of one pair of languages; a model takes the
 * first that fits. */
typedef struct attn_serve_sources {
    const char *const *model;
    size_t model_count;
    const char *const *glossary;
    size_t glossary_count;
} attn_serve_sources;

/* Loads every model, translators and at most one segmenter. A translator's languages are the metadata source_language and target_language of its
 * file, or the name of the file when that is like en-fr.safetensors. A model of several pairs is loaded once for
 * each, and counts as so many models. Of several models for one pair the first named is the pair's own. `sources` must outlive it. */
ATTN_MUST_CHECK attn_status attn_serve_models_open(const attn_serve_sources *sources,
                                                   attn_serve_models **out, attn_error *error);
/* One model made elsewhere, which is then owned; for tests. */
ATTN_MUST_CHECK attn_status attn_serve_models_wrap(attn_translator *translator,
                                                   attn_tokenizer *tokenizer, const char *source,
                                                   const char *target, attn_serve_models **out,
                                                   attn_error *error);
/* Adds another one, which is then owned; for tests. false: no room. */
bool attn_serve_models_add(attn_serve_models *models, attn_model *open);
void attn_serve_models_close(attn_serve_models *models);

bool attn_serve_model_translates(const attn_serve_model *model);
size_t attn_serve_models_count(const attn_serve_models *models);
/* Model i, with a reference. */
attn_serve_model *attn_serve_models_get(attn_serve_models *models, size_t i);
/* The first for a pair, with a reference; NULL when there is none. Of codes that name one language (en, EN, en-US),
 * the same one is preferred. */
attn_serve_model *attn_serve_models_find(attn_serve_models *models, const char *source,
                                         const char *target);
/* The one for pictures, with a reference; NULL when there is none. */
attn_serve_model *attn_serve_models_for_pictures(attn_serve_models *models);
void attn_serve_model_release(attn_serve_models *models, attn_serve_model *model);

/* Loads model i again where its file is another one than the one in use, or always with `force`. *done:
 * whether it was exchanged. After an error the old one stays in use. */
ATTN_MUST_CHECK attn_status attn_serve_models_reload(attn_serve_models *models, size_t i,
                                                     bool force, bool *done, attn_error *error);

#endif
