/* train/bleu.c: validation sentences in batches of like length, back in order, scored. */
#include "train/bleu.h"

#include <stdlib.h>
#include <string.h>

#include "attn/search.h"
#include "base/fail.h"
#include "base/memory.h"
#include "text/score.h"

enum { BATCH = 64 };

typedef struct by_length {
    size_t length, index;
} by_length;

static int compare_lengths(const void *a, const void *b) {
    const by_length *x = a, *y = b;
    if (x->length != y->length) {
        return x->length < y->length ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

/* Sentences order[0 .. count) into text[their index]. */
static attn_status translate_batch(attn_translator *model, const attn_translator_data *data,
                                   const by_length *order, size_t count,
                                   const attn_search_options *options, char **text,
                                   attn_error *error) {
    int64_t starts[BATCH + 1] = {0};
    attn_search_result results[BATCH] = {{NULL, 0}};
    for (size_t i = 0; i < count; i++) {
        starts[i + 1] = starts[i] + (int64_t)order[i].length + 1;
    }
    size_t bytes = (size_t)starts[count] * sizeof(int32_t);
    int32_t *ids = attn_alloc(bytes);
    if (ids == NULL) {
        return attn_fail_memory(error, bytes);
    }
    for (size_t i = 0; i < count; i++) {
        if (order[i].length > 0) {
            memcpy(ids + starts[i], data->sentence[order[i].index].source,
                   order[i].length * sizeof *ids);
        }
        ids[starts[i + 1] - 1] = ATTN_EOS;
    }
    attn_status status =
        attn_search(model, (int64_t)count, ids, starts, NULL, options, results, error);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        const attn_hypothesis *best = &results[i].hypotheses[0];
        status = attn_tokenizer_decode(data->tokenizer, best->ids, (size_t)best->length,
                                       &text[order[i].index], error);
    }
    attn_search_results_free(results, (int64_t)count);
    attn_free(ids);
    return status;
}

static attn_status translate(attn_translator *model, const attn_translator_data *data, int64_t beam,
                             by_length *order, char **text, attn_error *error) {
    attn_search_options options;
    attn_search_options_init(&options);
    options.beam = beam;
    for (size_t i = 0; i < data->sentence_count; i++) {
        order[i] = (by_length){data->sentence[i].length, i};
    }
    qsort(order, data->sentence_count, sizeof *order, compare_lengths);
    attn_status status =
        attn_translator_pack(model, ATTN_COMPUTE_F32, error); /* the weights have changed since */
    for (size_t i = 0; i < data->sentence_count && status == ATTN_OK; i += BATCH) {
        size_t left = data->sentence_count - i;
        status = translate_batch(model, data, order + i, left < BATCH ? left : BATCH, &options,
                                 text, error);
    }
    return status;
}

static attn_status score(const attn_translator_data *data, char **text, double *bleu,
                         attn_error *error) {
    attn_bleu result;
    const char **reference = attn_alloc_zero(data->sentence_count, sizeof *reference);
    if (reference == NULL) {
        return attn_fail_memory(error, data->sentence_count * sizeof *reference);
    }
    for (size_t i = 0; i < data->sentence_count; i++) {
        reference[i] = data->sentence[i].reference;
    }
    attn_status status =
        attn_bleu_compute((const char *const *)text, reference, data->sentence_count, ATTN_BLEU_13A,
                          0, 1, &result, error);
    if (status == ATTN_OK) {
        *bleu = result.score;
    }
    attn_free(reference);
    return status;
}

attn_status attn_train_bleu(attn_translator *model, const attn_translator_data *data, int64_t beam,
                            double *bleu, attn_error *error) {
    attn_status status = ATTN_OK;
    by_length *order = attn_alloc_zero(data->sentence_count, sizeof *order);
    char **text = attn_alloc_zero(data->sentence_count, sizeof *text);
    if (order == NULL || text == NULL) {
        status = attn_fail_memory(error, data->sentence_count * sizeof *order);
        goto out;
    }
    status = translate(model, data, beam, order, text, error);
    if (status == ATTN_OK) {
        status = score(data, text, bleu, error);
    }
out:
    for (size_t i = 0; text != NULL && i < data->sentence_count; i++) {
        free(text[i]); /* malloc'ed by the tokenizer */
    }
    attn_free(text);
    attn_free(order);
    return status;
}
