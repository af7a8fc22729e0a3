/* serve/pair.h: what translates a pair of languages: a model, two of them one after the other, or nothing but a copy. */
#ifndef ATTN_SERVE_PAIR_H
#define ATTN_SERVE_PAIR_H

#include "serve/models.h"

/* With references to both models. */
typedef struct attn_serve_pair {
    attn_serve_model *model;
    attn_serve_model *then; /* translates what that one gives; NULL: it is done */
    bool unchanged;         /* source and target are one language: `model` is any that knows it */
} attn_serve_pair;

/* The shortest way: of two models those through English, else the first. false: there is none, and no reference. */
bool attn_serve_pair_find(attn_serve_models *models, const char *source, const char *target,
                          attn_serve_pair *out);
/* Whether there is one. */
bool attn_serve_pair_exists(attn_serve_models *models, const char *source, const char *target);
void attn_serve_pair_release(attn_serve_models *models, attn_serve_pair *pair);

#endif
