/* cli/pair.c: a sentence and its translation, given or found, as ids. */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "decode.h"

void attn_pair_free(attn_pair *p) {
    free(p->source);
    free(p->target);
    free(p->translation);
    memset(p, 0, sizeof *p);
}

/* Ids with `before` (when not negative) and </s> around them. */
static attn_status encode(const attn_model *model, const char *what, const char *text,
                          int32_t before, int32_t **out, int64_t *length, attn_error *error) {
    int32_t *ids = NULL;
    size_t count = 0;
    if (!attn_utf8_whole(text, strlen(text))) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the %s is not UTF-8", what);
    }
    attn_status status =
        attn_tokenizer_encode(model->tokenizer, text, strlen(text), &ids, &count, error);
    if (status == ATTN_OK && count == 0) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "the %s is empty", what);
    }
    int64_t most = attn_translator_get_config(model->translator)->max_length;
    if (status == ATTN_OK && (int64_t)count + 1 > most) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give a shorter one",
                           "the %s has %lld tokens; the model takes at most %lld", what,
                           (long long)count, (long long)most - 1);
    }
    int64_t shift = before >= 0;
    *out = status == ATTN_OK ? malloc((count + 2) * sizeof **out) : NULL;
    if (*out != NULL) {
        (*out)[0] = before;
        memcpy(*out + shift, ids, count * sizeof *ids);
        (*out)[shift + (int64_t)count] = ATTN_EOS;
        *length = (int64_t)count + 1;
    } else if (status == ATTN_OK) {
        status = attn_fail_memory(error, count * sizeof *ids);
    }
    free(ids);
    return status;
}

/* The model's own translation. */
static attn_status translate(const attn_model *model, const char *sentence, int64_t beam,
                             attn_pair *p, attn_error *error) {
    attn_decode_options decode = ATTN_DECODE_DEFAULTS;
    decode.beam = beam;
    attn_search_options search = attn_decode_search_options(&decode);
    attn_translation translation = {0};
    attn_decode_stats stats = {0};
    attn_status status = attn_decode_lines(model, &sentence, 1, "sentence", 1, 1, &search,
                                           &translation, &stats, error);
    if (status == ATTN_OK) {
        status = attn_translation_text(model, &translation, 0, &p->translation, error);
    }
    if (status == ATTN_OK) {
        const attn_hypothesis *h = &translation.result.hypotheses[0];
        p->target_length = h->length + 1;
        p->target = malloc((size_t)(h->length + 2) * sizeof *p->target);
        if (p->target == NULL) {
            status = attn_fail_memory(error, (size_t)h->length * sizeof *p->target);
        } else {
            p->target[0] = ATTN_BOS;
            memcpy(p->target + 1, h->ids, (size_t)h->length * sizeof *h->ids);
            p->target[h->length + 1] = ATTN_EOS;
        }
    }
    attn_translations_free(&translation, 1);
    return status;
}

attn_status attn_pair_read_source(const attn_model *model, const char *sentence, attn_pair *p,
                                  attn_error *error) {
    return encode(model, "sentence", sentence, -1, &p->source, &p->source_length, error);
}

attn_status attn_text_pair_read(const attn_model *model, const char *sentence, const char *target,
                                int64_t beam, attn_pair *p, attn_error *error) {
    attn_status status = attn_pair_read_source(model, sentence, p, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (target == NULL) {
        return translate(model, sentence, beam, p, error);
    }
    p->translation = strdup(target);
    if (p->translation == NULL) {
        return attn_fail_memory(error, strlen(target));
    }
    return encode(model, "target", target, ATTN_BOS, &p->target, &p->target_length, error);
}
