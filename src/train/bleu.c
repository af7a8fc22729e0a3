/* train/bleu.c: the validation lines down the road that every text takes, and their score. */
#include "train/bleu.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "pipeline/translation.h"
#include "text/score.h"

/* A view of the model that is being trained; nothing in it is owned. */
static attn_model view_model(attn_translator *translator, const attn_translator_recipe *recipe,
                             const attn_translator_data *data) {
    attn_model model = {.kind = ATTN_MODEL_TRANSLATOR,
                        .path = (char *)(uintptr_t) "the model in training",
                        .translator = translator,
                        .tokenizer = data->tokenizer};
    snprintf(model.source, sizeof model.source, "%.15s", recipe->source_language);
    snprintf(model.target, sizeof model.target, "%.15s", recipe->target_language);
    return model;
}

/* sources: room for the pointers to all lines. */
static attn_status translate(const attn_model *model, const attn_translator_recipe *recipe,
                             const attn_translator_data *data, const char **sources,
                             attn_translation **out, attn_error *error) {
    attn_search_options search;
    attn_translate_options options;
    attn_search_options_init(&search);
    attn_translate_options_init(&options);
    search.beam = recipe->bleu_beam;
    options.search = &search;
    options.format = recipe->bleu_raw ? ATTN_TEXT_RAW : ATTN_TEXT_PLAIN;
    for (size_t i = 0; i < data->line_count; i++) {
        sources[i] = data->line[i].source;
    }
    return attn_translate_texts(model, sources, data->line_count, &options, out, error);
}

/* text, reference: room for the pointers to all lines. */
static attn_status score(const attn_translation *translation, const attn_translator_data *data,
                         bool chrf, char **text, const char **reference, double *out,
                         attn_error *error) {
    attn_bleu bleu = {.score = 0};
    attn_chrf by_characters = {.score = 0};
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < data->line_count && status == ATTN_OK; i++) {
        reference[i] = data->line[i].reference;
        status = attn_translation_text(translation, i, 0, &text[i], error);
    }
    if (status == ATTN_OK) {
        status = chrf ? attn_chrf_compute((const char *const *)text, reference, data->line_count,
                                          &by_characters, error)
                      : attn_bleu_compute((const char *const *)text, reference, data->line_count,
                                          ATTN_BLEU_13A, 0, 1, &bleu, error);
    }
    if (status == ATTN_OK) {
        *out = chrf ? by_characters.score : bleu.score;
    }
    return status;
}

attn_status attn_train_bleu(attn_translator *translator, const attn_translator_recipe *recipe,
                            const attn_translator_data *data, double *out, attn_error *error) {
    attn_model model = view_model(translator, recipe, data);
    attn_translation *translation = NULL;
    const char **lines = attn_alloc_zero(data->line_count, sizeof *lines);
    char **text = attn_alloc_zero(data->line_count, sizeof *text);
    attn_status status = lines == NULL || text == NULL
                             ? attn_fail_memory(error, data->line_count * sizeof *text)
                             : ATTN_OK;
    if (status == ATTN_OK) { /* the weights have changed since they were packed last */
        status = attn_translator_pack(translator, ATTN_COMPUTE_F32, error);
    }
    if (status == ATTN_OK) {
        status = translate(&model, recipe, data, lines, &translation, error);
    }
    if (status == ATTN_OK) {
        status =
            score(translation, data, recipe->train.best == ATTN_BEST_CHRF, text, lines, out, error);
    }
    for (size_t i = 0; text != NULL && i < data->line_count; i++) {
        attn_translate_free(text[i]);
    }
    attn_translation_free(translation);
    attn_free(lines);
    attn_free(text);
    return status;
}
