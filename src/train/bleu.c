/* train/bleu.c: the validation lines down the road that every text takes, and their score. */
#include "train/bleu.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "pipeline/translation.h"
#include "text/score.h"

/* A view of the model that is being trained; nothing in it is owned. */
static attn_model view_model(attn_translator *translator, const attn_translator_data *data,
                             const attn_direction *direction) {
    attn_model model = {.kind = ATTN_MODEL_TRANSLATOR,
                        .path = (char *)(uintptr_t) "the model in training",
                        .translator = translator,
                        .tokenizer = data->tokenizer,
                        .tags = {.before = direction->tag, .start = ATTN_BOS}};
    snprintf(model.source, sizeof model.source, "%s", direction->source);
    snprintf(model.target, sizeof model.target, "%s", direction->target);
    return model;
}

/* Room for what belongs to each line. */
typedef struct lines {
    const char **source; /* of one direction, one after another */
    const char **reference;
    char **text;
} lines;

/* The lines of one direction become text, at their places. */
static attn_status translate(const attn_model *model, size_t direction,
                             const attn_translator_recipe *recipe, const attn_translator_data *data,
                             const lines *l, attn_error *error) {
    attn_search_options search;
    attn_translate_options options;
    attn_translation *translation = NULL;
    attn_search_options_init(&search);
    attn_translate_options_init(&options);
    search.beam = recipe->bleu_beam;
    options.search = &search;
    options.format = recipe->bleu_raw ? ATTN_TEXT_RAW : ATTN_TEXT_PLAIN;
    size_t count = 0;
    for (size_t i = 0; i < data->line_count; i++) {
        if (data->line[i].direction == direction) {
            l->source[count++] = data->line[i].source;
        }
    }
    attn_status status =
        count > 0 ? attn_translate_texts(model, l->source, count, &options, &translation, error)
                  : ATTN_OK;
    for (size_t i = 0, next = 0; next < count && status == ATTN_OK; i++) {
        if (data->line[i].direction == direction) {
            status = attn_translation_text(translation, next++, 0, &l->text[i], error);
        }
    }
    attn_translation_free(translation);
    return status;
}

static attn_status score(const attn_translator_data *data, bool chrf, const lines *l, double *out,
                         attn_error *error) {
    attn_bleu bleu = {.score = 0};
    attn_chrf by_characters = {.score = 0};
    for (size_t i = 0; i < data->line_count; i++) {
        l->reference[i] = data->line[i].reference;
    }
    attn_status status =
        chrf ? attn_chrf_compute((const char *const *)l->text, l->reference, data->line_count,
                                 &by_characters, error)
             : attn_bleu_compute((const char *const *)l->text, l->reference, data->line_count,
                                 ATTN_BLEU_13A, 0, 1, &bleu, error);
    if (status == ATTN_OK) {
        *out = chrf ? by_characters.score : bleu.score;
    }
    return status;
}

attn_status attn_train_bleu(attn_translator *translator, const attn_translator_recipe *recipe,
                            const attn_translator_data *data, double *out, attn_error *error) {
    size_t count = data->line_count;
    lines l = {attn_alloc_zero(count, sizeof *l.source),
               attn_alloc_zero(count, sizeof *l.reference), attn_alloc_zero(count, sizeof *l.text)};
    attn_status status = l.source == NULL || l.reference == NULL || l.text == NULL
                             ? attn_fail_memory(error, count * sizeof *l.text)
                             : ATTN_OK;
    if (status == ATTN_OK) { /* the weights have changed since they were packed last */
        status = attn_translator_pack(translator, ATTN_COMPUTE_F32, error);
    }
    for (size_t i = 0; i < data->directions.count && status == ATTN_OK; i++) {
        attn_model model = view_model(translator, data, &data->directions.item[i]);
        status = translate(&model, i, recipe, data, &l, error);
    }
    if (status == ATTN_OK) {
        status = score(data, recipe->train.best == ATTN_BEST_CHRF, &l, out, error);
    }
    for (size_t i = 0; l.text != NULL && i < count; i++) {
        attn_translate_free(l.text[i]);
    }
    attn_free(l.source);
    attn_free(l.reference);
    attn_free(l.text);
    return status;
}
