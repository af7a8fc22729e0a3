/* text/score_bleu.c: corpus BLEU-4.
 *
 * BLEU = BP exp(sum over n of log p_n / 4), p_n = matches / n-grams of the hypotheses,
 * BP = exp(1 - reference length / hypothesis length) when the hypotheses are shorter, else 1. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "text/score_parts.h"

enum { ORDERS = 4 };

static const char *const tokenizer_names[] = {
    [ATTN_BLEU_13A] = "13a",
    [ATTN_BLEU_NONE] = "none",
    [ATTN_BLEU_ZH] = "zh",
    [ATTN_BLEU_CHAR] = "char",
};

attn_status attn_bleu_tokenizer_parse(const char *name, attn_bleu_tokenizer *out,
                                      attn_error *error) {
    for (size_t i = 0; i < sizeof tokenizer_names / sizeof *tokenizer_names; i++) {
        if (strcmp(name, tokenizer_names[i]) == 0) {
            *out = (attn_bleu_tokenizer)i;
            return ATTN_OK;
        }
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "use 13a, none, zh or char",
                     "unknown BLEU tokenizer \"%s\"", name);
}

/* ---- words as numbers ---- */

typedef struct word {
    const char *text;
    size_t length;
    size_t place; /* hypothesis words first, then those of the reference */
} word;

typedef struct word_list {
    word *item;
    size_t count, capacity;
} word_list;

static bool add_word(word_list *list, const char *text, size_t length) {
    if (!attn_grow(&list->item, &list->capacity, list->count + 1, sizeof *list->item)) {
        return false;
    }
    list->item[list->count] = (word){text, length, list->count};
    list->count++;
    return true;
}

static bool split(const attn_buffer *text, word_list *list) {
    size_t start = 0, step;
    for (size_t i = 0; i <= text->length; i += step) {
        step = 1;
        bool space = i == text->length ||
                     attn_is_space(attn_code_point(text->data + i, text->length - i, &step));
        if (space) {
            if (i > start && !add_word(list, text->data + start, i - start)) {
                return false;
            }
            start = i + step;
        }
    }
    return true;
}

static int compare_words(const void *left, const void *right) {
    const word *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    if (order == 0) {
        order = a->length < b->length ? -1 : a->length > b->length;
    }
    return order;
}

static bool fill_symbols(attn_symbols *symbols, size_t count) {
    symbols->count = 0;
    while (symbols->count < count) {
        if (!attn_symbols_add(symbols, 0)) {
            return false;
        }
    }
    return true;
}

/* Equal words get equal numbers. */
static bool number_words(word_list *list, size_t hypothesis_count, attn_symbols *hypothesis,
                         attn_symbols *reference) {
    if (!fill_symbols(hypothesis, hypothesis_count) ||
        !fill_symbols(reference, list->count - hypothesis_count)) {
        return false;
    }
    if (list->count == 0) {
        return true;
    }
    qsort(list->item, list->count, sizeof *list->item, compare_words);
    int32_t number = 0;
    for (size_t i = 0; i < list->count; i++) {
        number += i > 0 && compare_words(&list->item[i - 1], &list->item[i]) != 0;
        size_t place = list->item[i].place;
        if (place < hypothesis_count) {
            hypothesis->item[place] = number;
        } else {
            reference->item[place - hypothesis_count] = number;
        }
    }
    return true;
}

/* ---- counting ---- */

/* The two lines of a pair are alive at once, so each side has its own tokenizer. */
typedef struct bleu_counter {
    attn_bleu_lines hypothesis_lines, reference_lines;
    word_list words;
    attn_symbols hypothesis, reference;
    attn_gram_space space;
    int64_t match[ORDERS], total[ORDERS];
    int64_t hypothesis_length, reference_length;
} bleu_counter;

static bool count_pair(bleu_counter *c, const char *hypothesis, const char *reference) {
    const attn_buffer *hypothesis_text, *reference_text;
    c->words.count = 0;
    if (!attn_bleu_tokenize(&c->hypothesis_lines, hypothesis, &hypothesis_text) ||
        !attn_bleu_tokenize(&c->reference_lines, reference, &reference_text) ||
        !split(hypothesis_text, &c->words)) {
        return false;
    }
    size_t hypothesis_count = c->words.count;
    if (!split(reference_text, &c->words) ||
        !number_words(&c->words, hypothesis_count, &c->hypothesis, &c->reference) ||
        !attn_ngrams_match(&c->hypothesis, &c->reference, ORDERS, &c->space, c->match)) {
        return false;
    }
    for (size_t n = 1; n <= ORDERS; n++) {
        c->total[n - 1] += hypothesis_count >= n ? (int64_t)(hypothesis_count - n + 1) : 0;
    }
    c->hypothesis_length += (int64_t)hypothesis_count;
    c->reference_length += (int64_t)(c->words.count - hypothesis_count);
    return true;
}

static void counter_free(bleu_counter *c) {
    attn_bleu_lines_free(&c->hypothesis_lines);
    attn_bleu_lines_free(&c->reference_lines);
    attn_free(c->words.item);
    attn_symbols_free(&c->hypothesis);
    attn_symbols_free(&c->reference);
    attn_gram_space_free(&c->space);
}

/* ---- the score ---- */

static double brevity_penalty(int64_t hypothesis_length, int64_t reference_length) {
    if (hypothesis_length >= reference_length) {
        return 1.0;
    }
    return hypothesis_length > 0 ? exp(1.0 - (double)reference_length / (double)hypothesis_length)
                                 : 0.0;
}

/* An order without a match counts 1/2, the next such one 1/4, ... of a match ("exp"). */
static void fill_precisions(const bleu_counter *c, bool smooth, double precision[ORDERS]) {
    double fraction = 1.0;
    for (int n = 0; n < ORDERS && c->total[n] > 0; n++) {
        double total = (double)c->total[n];
        if (c->match[n] > 0) {
            precision[n] = 100.0 * (double)c->match[n] / total;
        } else if (smooth) {
            fraction *= 2.0;
            precision[n] = 100.0 / (fraction * total);
        }
    }
}

static void compute(const bleu_counter *c, bool smooth, attn_bleu *out) {
    out->hypothesis_length = c->hypothesis_length;
    out->reference_length = c->reference_length;
    out->brevity_penalty = brevity_penalty(c->hypothesis_length, c->reference_length);
    if (c->match[0] == 0) {
        return; /* no word in common: 0, smoothed or not */
    }
    fill_precisions(c, smooth, out->precision);
    double sum = 0.0;
    for (int n = 0; n < ORDERS; n++) {
        if (out->precision[n] == 0.0) {
            return;
        }
        sum += log(out->precision[n]);
    }
    out->score = out->brevity_penalty * exp(sum / ORDERS);
}

attn_status attn_bleu_compute(const char *const *hypotheses, const char *const *references,
                              size_t count, attn_bleu_tokenizer tokenizer, int lowercase,
                              int smooth, attn_bleu *out, attn_error *error) {
    *out = (attn_bleu){0};
    if (count == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "there are no lines to score");
    }
    bleu_counter counter = {
        .hypothesis_lines = {.tokenizer = tokenizer, .lowercase = lowercase != 0},
        .reference_lines = {.tokenizer = tokenizer, .lowercase = lowercase != 0},
    };
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < count; i++) {
        if (!count_pair(&counter, hypotheses[i], references[i])) {
            status = attn_fail_memory(error, strlen(hypotheses[i]) + strlen(references[i]));
            goto out;
        }
    }
    compute(&counter, smooth != 0, out);
    snprintf(out->signature, sizeof out->signature,
             "nrefs:1|case:%s|eff:no|tok:%s|smooth:%s|version:" ATTN_SACREBLEU_VERSION,
             lowercase != 0 ? "lc" : "mixed", tokenizer_names[tokenizer],
             smooth != 0 ? "exp" : "none");
out:
    counter_free(&counter);
    return status;
}
