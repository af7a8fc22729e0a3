/* search/hypothesis.c: the tree of hypotheses: growing it, guarding it, reading it out. */
#include "search/search.h"

#include <math.h>
#include <string.h>

#include "base/math.h"
#include "base/memory.h"

/* A loop is the same n-gram, n up to MAX_NGRAM, more than MAX_REPEATS times in a row, or more often than
 * the source repeats anything. */
enum { MAX_NGRAM = 4, MAX_REPEATS = 3 };

enum { BLOCK = 32 };

/* Whether any of a block is above the bound. Of its own a loop that a compiler turns into vectors, which
 * it does not where it is part of another. */
static __attribute__((noinline)) bool any_above(const real *x, real bound) {
    int above = 0;
    for (int i = 0; i < BLOCK; i++) {
        above |= x[i] > bound;
    }
    return above != 0;
}

void attn_search_top(const real *log_p, const int32_t *ids, int64_t n, int64_t k, int32_t *token,
                     real *value) {
    int64_t count = 0;
    real worst = -INFINITY; /* of the kept ones, once there are k */
    for (int64_t i = 0; i < n; i++) {
        if (ids == NULL && i % BLOCK == 0 && i + BLOCK <= n && !any_above(log_p + i, worst)) {
            i += BLOCK - 1;
            continue;
        }
        int64_t id = ids != NULL ? ids[i] : i;
        real x = log_p[id];
        if (!(x > worst)) { /* also NaN; an equal one with a higher id loses */
            continue;
        }
        int64_t at = count < k ? count++ : k - 1;
        for (; at > 0 && value[at - 1] < x; at--) {
            value[at] = value[at - 1];
            token[at] = token[at - 1];
        }
        value[at] = x;
        token[at] = (int32_t)id;
        if (count == k) {
            worst = value[k - 1];
        }
    }
    for (; count < k; count++) {
        token[count] = -1;
    }
}

/* The node `steps` before, or -1: the root and what lies before it are no target ids. */
static int32_t back(const attn_search_sentence *sentence, int32_t node, int64_t steps) {
    for (; steps > 0 && node > 0; steps--) {
        node = sentence->nodes[node].parent;
    }
    return node > 0 ? node : -1;
}

/* How often at most some n-gram, n up to MAX_NGRAM, stands in the source one right after another. */
static int64_t source_repeats(const int32_t *source, int64_t length) {
    int64_t most = 1;
    for (int64_t n = 1; n <= MAX_NGRAM; n++) {
        int64_t same = 0; /* ids in a row that equal the one n before */
        for (int64_t i = n; i < length; i++) {
            same = source[i] == source[i - n] ? same + 1 : 0;
            most = same / n + 1 > most ? same / n + 1 : most;
        }
    }
    return most;
}

int64_t attn_search_repeats(const int32_t *source, int64_t length) {
    int64_t repeats = source_repeats(source, length);
    return repeats > MAX_REPEATS ? repeats : MAX_REPEATS;
}

/* Whether the hypothesis, followed by the id that stands n before, would end in more than `repeats`
 * times the same n-gram: each of its last ids equals the one n before. */
static bool would_loop(const attn_search_sentence *sentence, int32_t node, int64_t n,
                       int64_t repeats) {
    int32_t earlier = back(sentence, node, n);
    for (int64_t i = 0; i < n * repeats - 1; i++) {
        if (earlier < 0 || sentence->nodes[node].token != sentence->nodes[earlier].token) {
            return false;
        }
        node = back(sentence, node, 1);
        earlier = back(sentence, earlier, 1);
    }
    return true;
}

/* Strikes out every id that would close a loop. */
static void forbid_loops(const attn_search_sentence *sentence, int32_t node, real *row) {
    int32_t earlier = node; /* the node n - 1 before */
    for (int64_t n = 1; n <= MAX_NGRAM && earlier > 0; n++) {
        if (would_loop(sentence, node, n, sentence->repeats)) {
            row[sentence->nodes[earlier].token] = -INFINITY;
        }
        earlier = sentence->nodes[earlier].parent;
    }
}

void attn_search_forbid(const attn_search_step *step, const attn_search_sentence *sentence,
                        int32_t node, real *row) {
    const attn_search_options *o = step->options;
    if (step->number >= sentence->limit) {
        real end = row[o->end_token];
        for (int64_t id = 0; id < step->vocabulary; id++) {
            row[id] = -INFINITY;
        }
        row[o->end_token] = end;
        return;
    }
    for (int32_t id = 0; id < o->forbidden_below; id++) {
        row[id] = -INFINITY;
    }
    row[o->start_token] = -INFINITY;
    if (o->repeat_guard) {
        forbid_loops(sentence, node, row);
    }
}

int32_t attn_search_grow(const attn_search_step *step, attn_search_sentence *sentence, int64_t from,
                         int32_t token, real log_p) {
    int32_t parent = sentence->live[from].node;
    int64_t node = sentence->node_count++;
    sentence->nodes[node] = (attn_search_node){.token = token,
                                               .parent = parent,
                                               .log_p = log_p,
                                               .sum = sentence->nodes[parent].sum + log_p};
    if (sentence->attention != NULL) {
        int64_t length = sentence->source_length;
        memcpy(sentence->attention + node * length,
               step->attention + (sentence->first_row + from) * step->attention_stride,
               (size_t)length * sizeof(real));
    }
    return (int32_t)node;
}

double attn_search_normalize(double sum, int64_t length, double length_penalty) {
    if (length_penalty == 1.0) {
        return sum / (double)length;
    }
    return sum / (double)real_exp2((real)length_penalty * real_log2((real)length));
}

/* Fills one hypothesis from its </s> node back to the root. */
static attn_status trace(const attn_search_options *options, const attn_search_sentence *sentence,
                         int32_t node, attn_hypothesis *out) {
    int64_t given = attn_search_given(options), length = -1 - given; /* nor does </s> count */
    for (int32_t at = node; sentence->nodes[at].parent >= 0; at = sentence->nodes[at].parent) {
        length++;
    }
    int64_t source_length = sentence->source_length;
    out->length = length;
    out->source_length = source_length;
    out->cut = length + given >= sentence->limit;
    out->log_probability = sentence->nodes[node].sum;
    out->score = attn_search_normalize(out->log_probability, length + 1, options->length_penalty);
    out->ids = attn_alloc((size_t)length * sizeof *out->ids);
    out->token_log_probability = attn_alloc((size_t)(length + 1) * sizeof(real));
    if (options->attention) {
        out->attention = attn_alloc((size_t)((length + 1) * source_length) * sizeof(real));
    }
    if (out->ids == NULL || out->token_log_probability == NULL ||
        (options->attention && out->attention == NULL)) {
        return ATTN_ERR_MEMORY;
    }
    int32_t after = node; /* the node that was chosen by the step that read the token */
    for (int64_t at = length; at >= 0; at--, after = node, node = sentence->nodes[node].parent) {
        if (at < length) {
            out->ids[at] = sentence->nodes[node].token;
        }
        out->token_log_probability[at] = sentence->nodes[node].log_p;
        if (options->attention) {
            int32_t from = sentence->late ? after : node;
            memcpy(out->attention + at * source_length, sentence->attention + from * source_length,
                   (size_t)source_length * sizeof(real));
        }
    }
    return ATTN_OK;
}

/* Best score first; the order of equal ones stays. */
static void sort_by_score(attn_hypothesis *hypotheses, int64_t count) {
    for (int64_t i = 1; i < count; i++) {
        attn_hypothesis moved = hypotheses[i];
        int64_t at = i;
        for (; at > 0 && hypotheses[at - 1].score < moved.score; at--) {
            hypotheses[at] = hypotheses[at - 1];
        }
        hypotheses[at] = moved;
    }
}

static void free_hypothesis(attn_hypothesis *hypothesis) {
    attn_free(hypothesis->ids);
    attn_free(hypothesis->token_log_probability);
    attn_free(hypothesis->attention);
}

attn_status attn_search_collect(const attn_search_options *options,
                                const attn_search_sentence *sentence, attn_search_result *out) {
    int64_t width = options->sample ? options->n_best : options->beam;
    out->hypotheses = attn_alloc_zero((size_t)width, sizeof *out->hypotheses);
    if (out->hypotheses == NULL) {
        return ATTN_ERR_MEMORY;
    }
    for (int64_t i = 0; i < width; i++) {
        if (sentence->finished[i] < 0) {
            continue;
        }
        attn_hypothesis *hypothesis = &out->hypotheses[out->count++];
        attn_status status = trace(options, sentence, sentence->finished[i], hypothesis);
        if (status != ATTN_OK) {
            return status;
        }
    }
    if (!options->sample) {
        sort_by_score(out->hypotheses, out->count);
    }
    while (out->count > options->n_best) {
        free_hypothesis(&out->hypotheses[--out->count]);
    }
    return ATTN_OK;
}

void attn_search_results_free(attn_search_result *results, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        for (int64_t h = 0; h < results[i].count; h++) {
            free_hypothesis(&results[i].hypotheses[h]);
        }
        attn_free(results[i].hypotheses);
        results[i] = (attn_search_result){0};
    }
}
