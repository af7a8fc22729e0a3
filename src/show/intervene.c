/* show/intervene.c: the same sentence through the model and through its edited twin. */
#include "show/intervene.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

void attn_intervened_free(attn_intervened *x) {
    free(x->before.text);
    free(x->after.text);
    *x = (attn_intervened){0};
}

/* The sum of log p of the pair's target, as `translator` computes it. */
static attn_status score(const attn_model *model, attn_translator *translator,
                         const attn_sentence_pair *pair, double *sum, attn_error *error) {
    attn_model own = *model;
    own.translator = translator;
    attn_real *log_p = malloc((size_t)pair->target_length * sizeof *log_p);
    if (log_p == NULL) {
        return attn_fail_memory(error, (size_t)pair->target_length * sizeof *log_p);
    }
    attn_status status = attn_sentence_pairs_score(&own, pair, 1, &log_p, error);
    *sum = 0;
    for (int64_t i = 0; status == ATTN_OK && i < pair->target_length; i++) {
        *sum += (double)log_p[i];
    }
    free(log_p);
    return status;
}

static attn_status score_both(const attn_model *model, attn_translator *edited,
                              const attn_sentence_pair *pair, attn_intervened_text *out,
                              attn_error *error) {
    attn_status status = score(model, model->translator, pair, &out->plain, error);
    status = status == ATTN_OK ? score(model, edited, pair, &out->edited, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    /* Between <s> and </s>. */
    return attn_tokenizer_decode(attn_tokenizer_target(model->tokenizer), pair->target + 1,
                                 (size_t)(pair->target_length - 1), &out->text, error);
}

/* <s>, ids, </s>: a pair with the same source. Its target is malloc'ed. */
static attn_status pair_with(const attn_model *model, const attn_sentence_pair *pair,
                             const attn_hypothesis *best, attn_sentence_pair *out,
                             attn_error *error) {
    *out = *pair;
    return attn_sentence_pair_set_target(model, best->ids, best->length, out, error);
}

attn_status attn_intervene(const attn_model *model, const attn_sentence_pair *pair,
                           const attn_translator_edit *edits, size_t count,
                           const attn_search_options *search, attn_intervened *out,
                           attn_error *error) {
    attn_translator *edited = NULL;
    attn_search_result result = {0};
    attn_sentence_pair after = {0};
    const int64_t starts[] = {0, pair->source_length};
    attn_search_options how = *search;
    attn_model_set_search(model, &how);
    *out = (attn_intervened){0};
    attn_status status = attn_translator_edited(model->translator, edits, count, &edited, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = score_both(model, edited, pair, &out->before, error);
    if (status == ATTN_OK) {
        status = attn_search(edited, 1, pair->source, starts, NULL, &how, &result, error);
    }
    if (status == ATTN_OK) {
        status = pair_with(model, pair, &result.hypotheses[0], &after, error);
    }
    if (status == ATTN_OK) {
        status = score_both(model, edited, &after, &out->after, error);
    }
    free(after.target);
    attn_search_results_free(&result, 1);
    attn_translator_free(edited);
    return status;
}

static json_t *text_json(const attn_intervened_text *t) {
    return json_pack("{s:s, s:f, s:f}", "text", t->text, "log_probability", t->plain,
                     "log_probability_edited", t->edited);
}

json_t *attn_intervened_json(const attn_intervened *i) {
    return json_pack("{s:o, s:o}", "before", text_json(&i->before), "after", text_json(&i->after));
}

/* ---- edits from text ---- */

/* "4.2" or "3.*" at *at, which moves behind it. */
static bool read_head(const char **at, int64_t *layer, int64_t *head) {
    char *end;
    if (**at < '0' || **at > '9') {
        return false;
    }
    *layer = strtoll(*at, &end, 10) - 1;
    if (*end != '.') {
        return false;
    }
    *at = end + 1;
    if (**at == '*') {
        *head = -1;
        ++*at;
        return true;
    }
    if (**at < '0' || **at > '9') {
        return false;
    }
    *head = strtoll(*at, &end, 10) - 1;
    *at = end;
    return *head >= 0;
}

attn_status attn_edits_read(const attn_translator *translator, const char *heads,
                            attn_translator_part part, attn_head_edit edit,
                            attn_translator_edit **edits, size_t *count, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(translator);
    int64_t layers = part == ATTN_PART_ENCODER ? c->encoder_layers : c->decoder_layers;
    const char *at = heads;
    do {
        int64_t layer;
        attn_translator_edit *grown = realloc(*edits, (*count + 1) * sizeof *grown);
        if (grown == NULL) {
            return attn_fail_memory(error, (*count + 1) * sizeof *grown);
        }
        *edits = grown;
        if (!read_head(&at, &layer, &edit.head) || (*at != ',' && *at != '\0') || layer < 0 ||
            layer >= layers || edit.head >= c->heads) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                             "write LAYER.HEAD, as 2.1, or LAYER.* for all heads of a layer",
                             "'%s' names no heads of layers 1 to %lld with heads 1 to %lld", heads,
                             (long long)layers, (long long)c->heads);
        }
        grown[(*count)++] = (attn_translator_edit){part, layer, edit};
    } while (*at++ == ',');
    return ATTN_OK;
}
