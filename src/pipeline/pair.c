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

enum { NOTHING = -1 };

/* ids[0 .. count), with `first` before them (NOTHING: without), and </s> after them. */
static attn_status copy_ids(const int32_t *ids, int64_t count, int32_t first, int32_t **out,
                            attn_error *error) {
    int32_t *copy = malloc((size_t)(count + 2) * sizeof *copy);
    int64_t begin = first != NOTHING;
    *out = copy;
    if (copy == NULL) {
        return attn_fail_memory(error, (size_t)count * sizeof *copy);
    }
    copy[0] = first;
    if (count > 0) {
        memcpy(copy + begin, ids, (size_t)count * sizeof *ids);
    }
    copy[begin + count] = ATTN_EOS;
    return ATTN_OK;
}

static attn_status copy_text(const char *text, char **out, attn_error *error) {
    *out = strdup(text);
    return *out != NULL ? ATTN_OK : attn_fail_memory(error, strlen(text));
}

static attn_status copy_source(const char *sentence, const int32_t *ids, int64_t length,
                               attn_sentence_pair *out, attn_error *error) {
    out->source_length = length;
    attn_status status =
        copy_ids(ids, attn_source_words(ids, length), NOTHING, &out->source, error);
    return status == ATTN_OK ? copy_text(sentence, &out->sentence, error) : status;
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
        out->target_length = s.best->length + 1;
        status = copy_ids(s.best->ids, s.best->length, ATTN_BOS, &out->target, error);
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

/* All of a text as one sequence; its ids. */
static attn_status encode(const attn_model *model, const attn_tokenizer *tokenizer,
                          const char *what, const char *text, int32_t first, int32_t **out,
                          int64_t *length, attn_error *error) {
    int32_t *ids = NULL;
    size_t count = 0;
    int64_t tags = first >= 0 && first != ATTN_BOS;
    int64_t most = attn_translator_get_config(model->translator)->max_length - 1 - tags;
    if (!attn_utf8_whole(text, strlen(text))) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the %s is not UTF-8", what);
    }
    attn_status status = attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, error);
    if (status == ATTN_OK && (int64_t)count > most) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give a shorter one",
                           "the %s has %lld tokens; the model takes at most %lld", what,
                           (long long)count, (long long)most);
    }
    status = status == ATTN_OK ? copy_ids(ids, (int64_t)count, first, out, error) : status;
    *length = tags + (int64_t)count + (first == ATTN_BOS ? 1 : attn_model_source_end(model));
    free(ids);
    return status;
}

static attn_status encode_translation(const attn_model *model, const char *text,
                                      attn_sentence_pair *out, attn_error *error) {
    return encode(model, attn_tokenizer_target(model->tokenizer), "translation", text, ATTN_BOS,
                  &out->target, &out->target_length, error);
}

attn_status attn_sentence_pair_raw(const attn_model *model, const char *text,
                                   const char *translation, attn_sentence_pair *out,
                                   attn_error *error) {
    *out = (attn_sentence_pair){0};
    attn_status status =
        encode(model, model->tokenizer, "sentence", text, model->tag > 0 ? model->tag : NOTHING,
               &out->source, &out->source_length, error);
    status = status == ATTN_OK ? copy_text(text, &out->sentence, error) : status;
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
        int64_t tags = model->tag > 0; /* it was cut as a source is */
        out->target_length = t->length - tags;
        status = copy_ids(t->ids + tags, t->length - tags - 1, ATTN_BOS, &out->target, error);
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
                log_p[i][step] = logits[row_of[i] * vocabulary + pairs[i].target[step + 1]];
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
