/* pipeline/pair.c: ids of both sides, from a translation that was made or from given texts. */
#include "pipeline/pair.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "models/translator.h"
#include "pipeline/translation.h"

void attn_sentence_pair_free(attn_sentence_pair *p) {
    free(p->source);
    free(p->target);
    free(p->sentence);
    free(p->translation);
    *p = (attn_sentence_pair){0};
}

static attn_status fail_sentence(const char *text, size_t i, size_t count, attn_error *error) {
    if (count == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give a sentence of words",
                         text[0] == '\0' ? "the sentence is empty"
                                         : "the text holds nothing to translate");
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "count from 1",
                     "the text has %zu sentence%s, and no number %zu", count, count == 1 ? "" : "s",
                     i + 1);
}

attn_status attn_sentence_pair_set_target(const attn_model *model, const int32_t *words,
                                          int64_t count, attn_sentence_pair *out,
                                          attn_error *error) {
    int32_t begin[2];
    int64_t given = attn_model_target_begin(model, begin);
    size_t bytes = (size_t)(given + count + 1) * sizeof *out->target;
    out->target = malloc(bytes);
    if (out->target == NULL) {
        return attn_fail_memory(error, bytes);
    }
    memcpy(out->target, begin, (size_t)given * sizeof *begin);
    if (count > 0) {
        memcpy(out->target + given, words, (size_t)count * sizeof *words);
    }
    out->target_length = given + count;
    out->target[out->target_length] = ATTN_EOS;
    return ATTN_OK;
}

static attn_status copy_text(const char *text, char **out, attn_error *error) {
    *out = strdup(text);
    return *out != NULL ? ATTN_OK : attn_fail_memory(error, strlen(text));
}

static attn_status copy_source(const char *sentence, const int32_t *ids, int64_t length,
                               attn_sentence_pair *out, attn_error *error) {
    out->source_length = length;
    out->source = malloc((size_t)(length + 1) * sizeof *ids);
    if (out->source == NULL) {
        return attn_fail_memory(error, (size_t)(length + 1) * sizeof *ids);
    }
    memcpy(out->source, ids, (size_t)length * sizeof *ids);
    out->source[length] = ATTN_EOS; /* beyond: of a source that is read without it */
    return copy_text(sentence, &out->sentence, error);
}

attn_status attn_sentence_pair_of_translation(const attn_translation *t, size_t text, size_t i,
                                              attn_sentence_pair *out, attn_error *error) {
    attn_translated_sentence s;
    *out = (attn_sentence_pair){0};
    size_t count = attn_translation_sentences(t, text);
    bool found = count > 0 ? attn_translation_sentence(t, text, i, &s)
                           : attn_translation_searched(t, text, i, &s);
    if (!found || s.best == NULL) {
        return fail_sentence("-", i, count, error);
    }
    attn_status status = copy_source(s.source, s.source_ids, s.source_length, out, error);
    if (status == ATTN_OK) {
        status = attn_sentence_pair_set_target(attn_translation_model(t), s.best->ids,
                                               s.best->length, out, error);
    }
    if (status == ATTN_OK) {
        const attn_tokenizer *tokenizer =
            attn_tokenizer_target(attn_translation_model(t)->tokenizer);
        status = attn_tokenizer_decode(tokenizer, s.best->ids, (size_t)s.best->length,
                                       &out->translation, error);
    }
    return status;
}

/* The sentences of a text, as they would be searched. */
static attn_status cut(const attn_model *model, const char *text, attn_text_format format,
                       attn_translation **out, size_t *count, attn_error *error) {
    attn_translate_options options;
    attn_translate_options_init(&options);
    options.format = format;
    attn_status status = attn_translation_create(model, &text, 1, &options, out, error);
    *count = 0;
    while (status == ATTN_OK && attn_translation_source(*out, *count, NULL) != NULL) {
        ++*count;
    }
    return status;
}

attn_status attn_sentence_pair_of_source(const attn_model *model, const char *text,
                                         attn_text_format format, size_t i, attn_sentence_pair *out,
                                         size_t *count, attn_error *error) {
    attn_translation *t = NULL;
    *out = (attn_sentence_pair){0};
    attn_status status = cut(model, text, format, &t, count, error);
    if (status == ATTN_OK && i >= *count) {
        status = fail_sentence(text, i, *count, error);
    } else if (status == ATTN_OK) {
        const attn_sentence *s;
        const char *sentence = attn_translation_source(t, i, &s);
        status = copy_source(sentence, s->ids, s->length, out, error);
    }
    attn_translation_free(t);
    return status;
}

/* All of a text as one sequence: its words, at most `most`. */
static attn_status encode(const attn_tokenizer *tokenizer, const char *what, const char *text,
                          int64_t most, int32_t **ids, size_t *count, attn_error *error) {
    *ids = NULL;
    *count = 0;
    if (!attn_utf8_whole(text, strlen(text))) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the %s is not UTF-8", what);
    }
    attn_status status = attn_tokenizer_encode(tokenizer, text, strlen(text), ids, count, error);
    if (status == ATTN_OK && (int64_t)*count > most) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give a shorter one",
                           "the %s has %lld tokens; the model takes at most %lld", what,
                           (long long)*count, (long long)most);
    }
    return status;
}

static attn_status encode_source(const attn_model *model, const char *text, attn_sentence_pair *out,
                                 attn_error *error) {
    int32_t *ids;
    size_t count;
    attn_status status = encode(model->tokenizer, "sentence", text, attn_model_most_words(model),
                                &ids, &count, error);
    if (status == ATTN_OK) {
        int64_t room = (int64_t)count + attn_model_source_extra(model) + 1;
        out->source = malloc((size_t)room * sizeof *out->source);
        status = out->source != NULL ? ATTN_OK : attn_fail_memory(error, (size_t)room);
    }
    if (status == ATTN_OK) {
        out->source_length = attn_model_write_source(model, ids, (int64_t)count, out->source);
        status = copy_text(text, &out->sentence, error);
    }
    free(ids);
    return status;
}

static attn_status encode_translation(const attn_model *model, const char *text,
                                      attn_sentence_pair *out, attn_error *error) {
    int32_t *ids, begin[2];
    size_t count;
    int64_t most = attn_translator_get_config(model->translator)->max_length -
                   attn_model_target_begin(model, begin);
    attn_status status = encode(attn_tokenizer_target(model->tokenizer), "translation", text, most,
                                &ids, &count, error);
    status = status == ATTN_OK
                 ? attn_sentence_pair_set_target(model, ids, (int64_t)count, out, error)
                 : status;
    free(ids);
    return status;
}

attn_status attn_sentence_pair_raw(const attn_model *model, const char *text,
                                   const char *translation, attn_sentence_pair *out,
                                   attn_error *error) {
    *out = (attn_sentence_pair){0};
    attn_status status = attn_model_check_languages(model, error);
    status = status == ATTN_OK ? encode_source(model, text, out, error) : status;
    if (status == ATTN_OK) {
        status = encode_translation(model, translation, out, error);
    }
    return status == ATTN_OK ? copy_text(translation, &out->translation, error) : status;
}

static attn_status pair_sentences(const attn_translation *source, const attn_translation *target,
                                  size_t i, attn_sentence_pair *out, attn_error *error) {
    const attn_sentence *s, *t;
    const char *sentence = attn_translation_source(source, i, &s);
    const char *translation = attn_translation_source(target, i, &t);
    attn_status status = copy_source(sentence, s->ids, s->length, out, error);
    const attn_model *model = attn_translation_model(target);
    if (status == ATTN_OK && attn_tokenizer_target(model->tokenizer) != model->tokenizer) {
        status = encode_translation(model, translation, out, error);
    } else if (status == ATTN_OK) {
        int64_t words = t->length - attn_model_source_extra(model); /* it was cut as a source is */
        status = attn_sentence_pair_set_target(model, t->ids + (model->tags.before > 0), words, out,
                                               error);
    }
    return status == ATTN_OK ? copy_text(translation, &out->translation, error) : status;
}

attn_status attn_sentence_pair_of_texts(const attn_model *model, const char *text,
                                        const char *translation, size_t i, attn_sentence_pair *out,
                                        size_t *count, attn_error *error) {
    attn_translation *source = NULL, *target = NULL;
    size_t targets = 0;
    *out = (attn_sentence_pair){0};
    attn_status status = cut(model, text, ATTN_TEXT_PLAIN, &source, count, error);
    if (status == ATTN_OK && *count > 1) {
        status = cut(model, translation, ATTN_TEXT_PLAIN, &target, &targets, error);
        if (status == ATTN_OK && targets != *count) {
            status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                               "give as many sentences on both sides",
                               "the text has %zu sentences, its translation %zu", *count, targets);
        }
    }
    if (status == ATTN_OK && translation[0] == '\0') {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give its words",
                           "the translation is empty");
    } else if (status == ATTN_OK && i >= *count) {
        status = fail_sentence(text, i, *count, error);
    } else if (status == ATTN_OK) {
        status = target != NULL ? pair_sentences(source, target, i, out, error)
                                : attn_sentence_pair_raw(model, text, translation, out, error);
    }
    attn_translation_free(source);
    attn_translation_free(target);
    return status;
}

attn_status attn_sentence_pair_read(const attn_model *model, const char *text,
                                    const char *translation, attn_text_format format, size_t i,
                                    const attn_search_options *search, attn_sentence_pair *out,
                                    attn_error *error) {
    size_t count;
    *out = (attn_sentence_pair){0};
    if (translation != NULL) {
        return format == ATTN_TEXT_RAW
                   ? attn_sentence_pair_raw(model, text, translation, out, error)
                   : attn_sentence_pair_of_texts(model, text, translation, i, out, &count, error);
    }
    attn_translate_options how;
    attn_translation *made = NULL;
    attn_translate_options_init(&how);
    how.search = search;
    how.format = format;
    attn_status status = attn_translate_texts(model, &text, 1, &how, &made, error);
    if (status == ATTN_OK) {
        status = attn_sentence_pair_of_translation(made, 0, i, out, error);
    }
    attn_translation_free(made);
    return status;
}

/* ---- scoring ---- */

/* The pairs that still have a target id at this step, as rows; returns how many. */
static int64_t gather_rows(const attn_sentence_pair *pairs, size_t count, int64_t step,
                           int64_t *row_of, int32_t *tokens, int64_t *parents) {
    int64_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (step < pairs[i].target_length) {
            tokens[rows] = pairs[i].target[step];
            parents[rows] = step == 0 ? (int64_t)i : row_of[i];
            row_of[i] = rows++;
        }
    }
    return rows;
}

static attn_status encode_sources(attn_translator_state *state, const attn_sentence_pair *pairs,
                                  size_t count, attn_error *error) {
    int64_t total = 0, steps = 0;
    for (size_t i = 0; i < count; i++) {
        total += pairs[i].source_length;
        steps = pairs[i].target_length > steps ? pairs[i].target_length : steps;
    }
    int32_t *source = malloc((size_t)(total + 1) * sizeof *source);
    int64_t *starts = malloc((count + 1) * sizeof *starts);
    attn_status status = ATTN_OK;
    if (source == NULL || starts == NULL) {
        status = attn_fail_memory(error, (size_t)total * sizeof *source);
        goto out;
    }
    starts[0] = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(source + starts[i], pairs[i].source,
               (size_t)pairs[i].source_length * sizeof *source);
        starts[i + 1] = starts[i] + pairs[i].source_length;
    }
    status =
        attn_translator_encode(state, (int64_t)count, source, starts, (int64_t)count, steps, error);
out:
    free(source);
    free(starts);
    return status;
}

/* log_p, weights: NULL, or what the header says. */
static attn_status read_steps(const attn_model *model, attn_translator_state *state,
                              const attn_sentence_pair *pairs, size_t count,
                              attn_real *const *log_p, attn_real *const *weights,
                              attn_error *error) {
    int64_t vocabulary = attn_translator_get_config(model->translator)->vocabulary, row = 0;
    int32_t begin[2];
    int64_t given = attn_model_target_begin(model, begin);
    attn_real *logits = malloc(count * (size_t)vocabulary * sizeof *logits), *attention = NULL;
    int64_t *row_of = malloc(count * sizeof *row_of), *parents = malloc(count * sizeof *parents);
    int32_t *tokens = malloc(count * sizeof *tokens);
    attn_status status = logits == NULL || row_of == NULL || parents == NULL || tokens == NULL
                             ? attn_fail_memory(error, count * (size_t)vocabulary * sizeof *logits)
                             : encode_sources(state, pairs, count, error);
    if (status == ATTN_OK && weights != NULL) {
        row = attn_translator_state_source_length(state);
        attention = malloc(count * (size_t)row * sizeof *attention);
        status = attention != NULL ? ATTN_OK : attn_fail_memory(error, count * (size_t)row);
    }
    for (int64_t step = 0; status == ATTN_OK; step++) {
        int64_t rows = gather_rows(pairs, count, step, row_of, tokens, parents);
        if (rows == 0) {
            break;
        }
        status = attn_translator_step(state, rows, tokens, parents, logits, attention, error);
        for (size_t i = 0; i < count && status == ATTN_OK; i++) {
            if (step < pairs[i].target_length && log_p != NULL) {
                bool chosen = step + 1 >= given;
                log_p[i][step] =
                    chosen ? logits[row_of[i] * vocabulary + pairs[i].target[step + 1]] : 0;
            }
            if (step < pairs[i].target_length && weights != NULL) {
                int64_t length = pairs[i].source_length;
                memcpy(weights[i] + step * length, attention + row_of[i] * row,
                       (size_t)length * sizeof *attention);
            }
        }
    }
    free(logits);
    free(attention);
    free(row_of);
    free(parents);
    free(tokens);
    return status;
}

attn_status attn_sentence_pairs_score(const attn_model *model, const attn_sentence_pair *pairs,
                                      size_t count, attn_real *const *log_p, attn_error *error) {
    attn_translator_state *state = NULL;
    if (count == 0) {
        return ATTN_OK;
    }
    attn_status status = attn_translator_state_create(model->translator, &state, error);
    if (status == ATTN_OK) {
        status = read_steps(model, state, pairs, count, log_p, NULL, error);
    }
    attn_translator_state_free(state);
    return status;
}

attn_status attn_sentence_pairs_attend(const attn_model *model, const attn_sentence_pair *pairs,
                                       size_t count, int64_t layer, int64_t head,
                                       attn_real *const *weights, attn_error *error) {
    const attn_translator_config *config = attn_translator_get_config(model->translator);
    attn_translator_state *state = NULL;
    if (layer > config->decoder_layers || head > config->heads) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
            "there is no head %lld.%lld: the model has %lld decoder layers of %lld heads",
            (long long)layer, (long long)head, (long long)config->decoder_layers,
            (long long)config->heads);
    }
    if (count == 0) {
        return ATTN_OK;
    }
    attn_status status = attn_translator_state_create(model->translator, &state, error);
    if (status == ATTN_OK) {
        if (layer > 0) {
            attn_translator_state_watch(state, layer, head);
        }
        status = read_steps(model, state, pairs, count, NULL, weights, error);
    }
    attn_translator_state_free(state);
    return status;
}
