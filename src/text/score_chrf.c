/* text/score_chrf.c: corpus chrF2, the F-score of character n-grams of order 1 to 6.
 *
 * P and R: precision and recall averaged over the orders that both sides have;
 * chrF = 100 (1 + beta^2) P R / (beta^2 P + R) with beta = 2. White space does not count. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "text/score_parts.h"

enum { ORDERS = 6 };

static const double BETA_SQUARED = 4.0;

typedef struct chrf_counter {
    attn_symbols hypothesis, reference;
    attn_gram_space space;
    int64_t match[ORDERS], hypothesis_total[ORDERS], reference_total[ORDERS];
} chrf_counter;

static bool read_characters(const char *line, attn_symbols *out) {
    size_t length = strlen(line), step;
    out->count = 0;
    for (size_t i = 0; i < length; i += step) {
        uint32_t c = attn_code_point(line + i, length - i, &step);
        if (!attn_is_space(c) && !attn_symbols_add(out, (int32_t)c)) {
            return false;
        }
    }
    return true;
}

static int64_t grams(const attn_symbols *symbols, size_t n) {
    return symbols->count >= n ? (int64_t)(symbols->count - n + 1) : 0;
}

static bool count_pair(chrf_counter *c, const char *hypothesis, const char *reference) {
    if (!read_characters(hypothesis, &c->hypothesis) ||
        !read_characters(reference, &c->reference) ||
        !attn_ngrams_match(&c->hypothesis, &c->reference, ORDERS, &c->space, c->match)) {
        return false;
    }
    for (size_t n = 1; n <= ORDERS; n++) {
        int64_t in_reference = grams(&c->reference, n);
        /* A line whose reference has no such n-gram cannot lower the precision. */
        c->hypothesis_total[n - 1] += in_reference > 0 ? grams(&c->hypothesis, n) : 0;
        c->reference_total[n - 1] += in_reference;
    }
    return true;
}

static double f_score(const chrf_counter *c) {
    double precision = 0.0, recall = 0.0;
    int orders = 0;
    for (int n = 0; n < ORDERS; n++) {
        if (c->hypothesis_total[n] > 0 && c->reference_total[n] > 0) {
            precision += (double)c->match[n] / (double)c->hypothesis_total[n];
            recall += (double)c->match[n] / (double)c->reference_total[n];
            orders++;
        }
    }
    if (precision + recall == 0.0) {
        return 0.0;
    }
    precision /= orders;
    recall /= orders;
    return 100.0 * (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall);
}

attn_status attn_chrf_compute(const char *const *hypotheses, const char *const *references,
                              size_t count, attn_chrf *out, attn_error *error) {
    *out = (attn_chrf){0};
    if (count == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "there are no lines to score");
    }
    attn_status status = ATTN_OK;
    chrf_counter counter = {0};
    for (size_t i = 0; i < count; i++) {
        if (!count_pair(&counter, hypotheses[i], references[i])) {
            status = attn_fail_memory(error, strlen(hypotheses[i]) + strlen(references[i]));
            goto out;
        }
    }
    out->score = f_score(&counter);
    snprintf(out->signature, sizeof out->signature,
             "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:" ATTN_SACREBLEU_VERSION);
out:
    attn_symbols_free(&counter.hypothesis);
    attn_symbols_free(&counter.reference);
    attn_gram_space_free(&counter.space);
    return status;
}
