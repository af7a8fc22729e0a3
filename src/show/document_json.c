/* show/document_json.c: a document as JSON.
 *
 *   format, version     "attn.attention", 1
 *   model               its name
 *   source              language, text, tokens, words
 *   target              language, text; read and written, each with tokens and words: the decoder
 *                       reads <s> first and writes one token ahead
 *   words_rule          how weights of tokens become weights of words
 *   parts.NAME          encoder, decoder, cross; in each:
 *     queries, keys     which of the lists above: "source", "target.read", "target.written"
 *     layers, heads     how many
 *     weights           [layer][head][query][key], over tokens
 *     rollout           [query][key]
 *     entropy           [layer][head], nats
 *     distance          [layer][head], tokens; null for cross
 *
 * Packed, for the page, the four arrays of numbers are one string each (numbers_json.h), and there are
 * more of them, so that a page computes nothing: mean [layer][query][key] over the heads; words: weights,
 * mean and rollout over words.
 *
 * A word is {word, first, count, mark}: its text, its tokens, whether it is punctuation or </s>. */
#include <jansson.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "show/document.h"
#include "show/numbers_json.h"

/* What is not UTF-8, which only a damaged tokenizer holds, with '?' in its place. */
static json_t *json_text(const char *text) {
    char quoted[256];
    json_t *value = json_string(text);
    return value != NULL ? value : json_string(attn_utf8_quote(quoted, sizeof quoted, text));
}

/* Arrays within arrays of the given sizes around reals or doubles; moves *reals (*doubles) on. */
static json_t *json_numbers(const int64_t *sizes, int depth, const attn_real **reals,
                            const double **doubles) {
    json_t *array = json_array();
    for (int64_t i = 0; i < sizes[0]; i++) {
        json_t *item = depth > 1       ? json_numbers(sizes + 1, depth - 1, reals, doubles)
                       : reals != NULL ? json_real((double)*(*reals)++)
                                       : json_real(*(*doubles)++);
        if (json_array_append_new(array, item) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *json_reals(const attn_real *values, const int64_t *sizes, int depth) {
    return json_numbers(sizes, depth, &values, NULL);
}

/* null for NULL. */
static json_t *json_doubles(const double *values, const int64_t *sizes, int depth) {
    return values != NULL ? json_numbers(sizes, depth, NULL, &values) : json_null();
}

static json_t *json_tokens(const attn_words *list) {
    json_t *array = json_array();
    for (int64_t i = 0; i < list->pieces; i++) {
        json_array_append_new(array, json_text(list->piece[i]));
    }
    return array;
}

static json_t *json_words(const attn_words *list) {
    json_t *array = json_array();
    for (int64_t i = 0; i < list->count; i++) {
        const attn_word *word = &list->word[i];
        json_array_append_new(array,
                              json_pack("{s:o, s:I, s:I, s:b}", "word", json_text(word->text),
                                        "first", (json_int_t)word->first, "count",
                                        (json_int_t)word->count, "mark", (int)word->mark));
    }
    return array;
}

/* Of [L, H, Q, K], or with from = 2 of [Q, K]. */
static json_t *part_reals(const attn_document_part *p, const attn_real *values, int from,
                          bool packed) {
    const int64_t sizes[] = {p->layers, p->heads, p->queries, p->keys};
    int64_t count = (from == 0 ? p->layers * p->heads : 1) * p->queries * p->keys;
    return packed ? attn_json_packed_reals(values, count)
                  : json_reals(values, sizes + from, 4 - from);
}

static json_t *part_doubles(const attn_document_part *p, const double *values, bool packed) {
    const int64_t sizes[] = {p->layers, p->heads};
    return packed && values != NULL ? attn_json_packed(values, p->layers * p->heads)
                                    : json_doubles(values, sizes, 2);
}

/* attn_document_matrix of every layer, and head with heads, else their mean. */
static json_t *packed_matrices(const attn_document_part *p, bool heads, bool words) {
    int64_t matrix = attn_document_rows(p, words) * attn_document_columns(p, words);
    int64_t each = heads ? p->heads : 1, count = p->layers * each;
    double *values = malloc((size_t)(count * matrix) * sizeof *values);
    for (int64_t i = 0; values != NULL && i < count; i++) {
        attn_document_matrix(p, i / each, heads ? i % each : ATTN_DOCUMENT_MEAN, words,
                             values + i * matrix);
    }
    json_t *packed = values != NULL ? attn_json_packed(values, count * matrix) : NULL;
    free(values);
    return packed;
}

static json_t *packed_rollout(const attn_document_part *p) {
    int64_t matrix = attn_document_rows(p, true) * attn_document_columns(p, true);
    double *values = malloc((size_t)matrix * sizeof *values);
    json_t *packed = NULL;
    if (values != NULL) {
        attn_document_matrix(p, ATTN_DOCUMENT_ROLLOUT, 0, true, values);
        packed = attn_json_packed(values, matrix);
    }
    free(values);
    return packed;
}

static json_t *json_part(const attn_document *d, const attn_document_part *p, bool packed) {
    const char *queries = p->query_words == &d->source ? "source"
                          : p->query_words == &d->read ? "target.read"
                                                       : "target.written";
    json_t *part = json_pack(
        "{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "queries", queries, "keys",
        p->key_words == &d->source ? "source" : "target.read", "layers", (json_int_t)p->layers,
        "heads", (json_int_t)p->heads, "weights", part_reals(p, p->weights, 0, packed), "rollout",
        part_reals(p, p->rollout, 2, packed), "entropy", part_doubles(p, p->entropy, packed),
        "distance", part_doubles(p, p->distance, packed));
    if (part != NULL && packed) {
        json_object_set_new(part, "mean", packed_matrices(p, false, false));
        json_object_set_new(part, "words",
                            json_pack("{s:o, s:o, s:o}", "weights", packed_matrices(p, true, true),
                                      "mean", packed_matrices(p, false, true), "rollout",
                                      packed_rollout(p)));
    }
    return part;
}

json_t *attn_document_json(const attn_document *d, bool packed) {
    json_t *parts = json_object();
    for (int i = 0; i < ATTN_DOCUMENT_PARTS; i++) {
        if (json_object_set_new(parts, d->part[i].name, json_part(d, &d->part[i], packed)) != 0) {
            json_decref(parts);
            return NULL;
        }
    }
    return json_pack("{s:s, s:i, s:o, s:{s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:{s:o, s:o}, s:{s:o, "
                     "s:o}}, s:s, s:o}",
                     "format", "attn.attention", "version", 1, "model", json_text(d->model),
                     "source", "language", json_text(d->source_language), "text",
                     json_text(d->sentence), "tokens", json_tokens(&d->source), "words",
                     json_words(&d->source), "target", "language", json_text(d->target_language),
                     "text", json_text(d->translation), "read", "tokens", json_tokens(&d->read),
                     "words", json_words(&d->read), "written", "tokens", json_tokens(&d->written),
                     "words", json_words(&d->written), "words_rule", ATTN_DOCUMENT_WORDS_RULE,
                     "parts", parts);
}
