/* show/document.c: running the model once and taking the numbers of all its attentions. */
#include "show/document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "show/measures.h"

const char ATTN_DOCUMENT_WORDS_RULE[] =
    "the weight on a word is the sum over its pieces, the weights of a word are the mean over its "
    "pieces";

static attn_status copy_text(const char *text, char **out, attn_error *error) {
    size_t size = text != NULL ? strlen(text) + 1 : 1;
    *out = attn_alloc_zero(size, 1);
    if (*out == NULL) {
        return attn_fail_memory(error, size);
    }
    if (text != NULL) {
        memcpy(*out, text, size);
    }
    return ATTN_OK;
}

static attn_status copy_texts(const attn_document_request *r, attn_document *d, attn_error *error) {
    const struct {
        const char *from;
        char **to;
    } texts[] = {{r->model, &d->model},
                 {r->source_language, &d->source_language},
                 {r->target_language, &d->target_language},
                 {r->sentence, &d->sentence},
                 {r->translation, &d->translation}};
    attn_status status = ATTN_OK;
    for (size_t i = 0; status == ATTN_OK && i < sizeof texts / sizeof texts[0]; i++) {
        status = copy_text(texts[i].from, texts[i].to, error);
    }
    return status;
}

static attn_status read_words(const attn_document_request *r, attn_document *d, attn_error *error) {
    const attn_tokenizer *target = attn_tokenizer_target(r->tokenizer);
    attn_status status =
        attn_words_create(r->tokenizer, r->source, r->source_length, &d->source, error);
    if (status == ATTN_OK) {
        status = attn_words_create(target, r->target, r->target_length, &d->read, error);
    }
    if (status == ATTN_OK) {
        status = attn_words_create(target, r->target + 1, r->target_length, &d->written, error);
    }
    return status;
}

static attn_status make_room(attn_document_part *p, bool cross, attn_error *error) {
    size_t heads = (size_t)(p->layers * p->heads), matrix = (size_t)(p->queries * p->keys);
    p->weights = attn_alloc_zero(heads * matrix + 1, sizeof *p->weights);
    p->rollout = attn_alloc_zero(matrix, sizeof *p->rollout);
    p->entropy = attn_alloc_zero(heads + 1, sizeof *p->entropy);
    p->distance = cross ? NULL : attn_alloc_zero(heads + 1, sizeof *p->distance);
    bool done = p->weights != NULL && p->rollout != NULL && p->entropy != NULL &&
                (cross || p->distance != NULL);
    return done ? ATTN_OK : attn_fail_memory(error, heads * matrix * sizeof *p->weights);
}

static attn_status shape_parts(const attn_explain *explain, attn_document *d, attn_error *error) {
    static const char *const names[] = {"encoder", "decoder", "cross"};
    int64_t total = 0;
    for (int i = 0; i < ATTN_DOCUMENT_PARTS; i++) {
        attn_explain_shape n = attn_explain_get_shape(explain, (attn_translator_part)i);
        d->part[i] = (attn_document_part){
            .name = names[i],
            .layers = n.layers,
            .heads = n.heads,
            .queries = n.queries,
            .keys = n.keys,
            .causal = i == ATTN_PART_DECODER,
            .query_words = i == ATTN_PART_ENCODER   ? &d->source
                           : i == ATTN_PART_DECODER ? &d->read
                                                    : &d->written,
            .key_words = i == ATTN_PART_DECODER ? &d->read : &d->source,
        };
        total += n.layers * n.heads * n.queries * n.keys;
    }
    if (total > ATTN_DOCUMENT_LIMIT) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give a shorter sentence",
                         "%lld and %lld tokens make %lld weights over all layers and heads; at "
                         "most %lld are kept",
                         (long long)d->part[0].queries, (long long)d->part[1].queries,
                         (long long)total, (long long)ATTN_DOCUMENT_LIMIT);
    }
    attn_status status = ATTN_OK;
    for (int i = 0; status == ATTN_OK && i < ATTN_DOCUMENT_PARTS; i++) {
        status = make_room(&d->part[i], i == ATTN_PART_CROSS, error);
    }
    return status;
}

static attn_status fill_part(attn_explain *explain, attn_translator_part which,
                             attn_document_part *p, attn_error *error) {
    int64_t matrix = p->queries * p->keys;
    attn_status status = ATTN_OK;
    for (int64_t l = 0; status == ATTN_OK && l < p->layers; l++) {
        status = attn_explain_weights(explain, which, l, p->weights + l * p->heads * matrix, error);
    }
    for (int64_t i = 0; status == ATTN_OK && i < p->layers * p->heads; i++) {
        const attn_real *weights = p->weights + i * matrix;
        for (int64_t w = 0; w < matrix; w++) {
            if (!isfinite(weights[w])) {
                return attn_fail(error, ATTN_ERR_NUMERIC, NULL, -1, "the model file is damaged",
                                 "the %s's attention contains values that are not numbers",
                                 p->name);
            }
        }
        p->entropy[i] = attn_measure_entropy(weights, p->queries, p->keys);
        if (p->distance != NULL) {
            p->distance[i] = attn_measure_distance(weights, p->queries, p->keys);
        }
    }
    return status;
}

static attn_status roll_out(attn_document *d, attn_error *error) {
    attn_document_part *encoder = &d->part[ATTN_PART_ENCODER],
                       *decoder = &d->part[ATTN_PART_DECODER], *cross = &d->part[ATTN_PART_CROSS];
    attn_status status = attn_measure_rollout(encoder->weights, encoder->layers, encoder->heads,
                                              encoder->queries, encoder->rollout, error);
    if (status == ATTN_OK) {
        status = attn_measure_rollout(decoder->weights, decoder->layers, decoder->heads,
                                      decoder->queries, decoder->rollout, error);
    }
    if (status == ATTN_OK) {
        attn_decoder_weights weights = {.layers = cross->layers,
                                        .heads = cross->heads,
                                        .queries = cross->queries,
                                        .keys = cross->keys,
                                        .self = decoder->layers > 0 ? decoder->weights : NULL,
                                        .cross = cross->weights,
                                        .encoder = encoder->rollout};
        status = attn_measure_rollout_cross(&weights, cross->rollout, error);
    }
    return status;
}

attn_status attn_document_create(const attn_document_request *request, attn_document **out,
                                 attn_error *error) {
    attn_explain *explain = NULL;
    *out = NULL;
    attn_document *d = attn_alloc_zero(1, sizeof *d);
    if (d == NULL) {
        return attn_fail_memory(error, sizeof *d);
    }
    attn_status status =
        attn_explain_create(request->translator, request->source, request->source_length,
                            request->target, request->target_length, &explain, error);
    status = status == ATTN_OK ? copy_texts(request, d, error) : status;
    status = status == ATTN_OK ? read_words(request, d, error) : status;
    status = status == ATTN_OK ? shape_parts(explain, d, error) : status;
    for (int i = 0; status == ATTN_OK && i < ATTN_DOCUMENT_PARTS; i++) {
        status = fill_part(explain, (attn_translator_part)i, &d->part[i], error);
    }
    status = status == ATTN_OK ? roll_out(d, error) : status;
    attn_explain_free(explain);
    if (status != ATTN_OK) {
        attn_document_free(d);
        return status;
    }
    *out = d;
    return ATTN_OK;
}

void attn_document_free(attn_document *d) {
    if (d == NULL) {
        return;
    }
    for (int i = 0; i < ATTN_DOCUMENT_PARTS; i++) {
        attn_free(d->part[i].weights);
        attn_free(d->part[i].rollout);
        attn_free(d->part[i].entropy);
        attn_free(d->part[i].distance);
    }
    attn_words_free(&d->source);
    attn_words_free(&d->read);
    attn_words_free(&d->written);
    attn_free(d->model);
    attn_free(d->source_language);
    attn_free(d->target_language);
    attn_free(d->sentence);
    attn_free(d->translation);
    attn_free(d);
}

/* ---- matrices ---- */

int64_t attn_document_rows(const attn_document_part *part, bool words) {
    return words ? part->query_words->count : part->queries;
}

int64_t attn_document_columns(const attn_document_part *part, bool words) {
    return words ? part->key_words->count : part->keys;
}

static const char *name_of(const attn_words *list, bool words, int64_t i) {
    return words ? list->word[i].text : list->piece[i];
}

const char *attn_document_row(const attn_document_part *part, bool words, int64_t row) {
    return name_of(part->query_words, words, row);
}

const char *attn_document_column(const attn_document_part *part, bool words, int64_t column) {
    return name_of(part->key_words, words, column);
}

void attn_document_matrix(const attn_document_part *part, int64_t layer, int64_t head, bool words,
                          double *out) {
    int64_t matrix = part->queries * part->keys, heads = 1;
    const attn_real *from = part->rollout;
    if (layer != ATTN_DOCUMENT_ROLLOUT) {
        from = part->weights + (layer * part->heads + (head >= 0 ? head : 0)) * matrix;
        heads = head >= 0 ? 1 : part->heads;
    }
    if (words) {
        attn_words_merge(part->query_words, part->key_words, from, heads, out);
        return;
    }
    for (int64_t i = 0; i < matrix; i++) {
        double sum = 0;
        for (int64_t h = 0; h < heads; h++) {
            sum += (double)from[h * matrix + i];
        }
        out[i] = sum / (double)heads;
    }
}
