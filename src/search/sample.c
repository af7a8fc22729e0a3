/* search/sample.c: one step of sampling for one sentence. */
#include "search/search.h"

#include <math.h>

#include "base/math.h"

/* p^(1 / temperature), up to a common factor: the likeliest token gets 1. */
static double weight(real log_p, real best, double temperature) {
    if (!(log_p > -INFINITY)) {
        return 0.0;
    }
    return (double)real_exp2((real)((double)(log_p - best) * (double)REAL_LOG2E / temperature));
}

int64_t attn_search_draw(const real *log_p, const int32_t *token, int64_t n, real best,
                         double temperature, double u) {
    double total = 0.0, passed = 0.0;
    int64_t chosen = -1;
    for (int64_t i = 0; i < n && (token == NULL || token[i] >= 0); i++) {
        total += weight(log_p[i], best, temperature);
    }
    for (int64_t i = 0; i < n && (token == NULL || token[i] >= 0); i++) {
        double w = weight(log_p[i], best, temperature);
        if (w > 0.0) {
            chosen = i; /* also the answer when rounding leaves u * total beyond the last sum */
            passed += w;
            if (passed > u * total) {
                break;
            }
        }
    }
    return chosen;
}

double attn_search_uniform(uint64_t seed, uint64_t stream, uint64_t draw, int64_t step) {
    attn_random random = attn_random_start(attn_random_key(seed, stream, draw));
    random.position = (uint64_t)step;
    return attn_random_uniform(&random);
}

void attn_search_advance_sample(const attn_search_step *step, attn_search_sentence *sentence) {
    const attn_search_options *o = step->options;
    int64_t next_count = 0;
    for (int64_t from = 0; from < sentence->live_count; from++) {
        int64_t row = sentence->first_row + from, number = sentence->live[from].draw;
        const int32_t *top_token = step->top_token + row * step->top_count;
        const real *top_log_p = step->top_log_p + row * step->top_count;
        if (top_token[0] < 0) {
            continue;
        }
        double u = attn_search_uniform(o->seed, sentence->stream, (uint64_t)number, step->number);
        int32_t token;
        real log_p;
        if (o->top_k > 0) {
            int64_t rank = attn_search_draw(top_log_p, top_token, step->top_count, top_log_p[0],
                                            o->temperature, u);
            token = top_token[rank];
            log_p = top_log_p[rank];
        } else {
            const real *all = step->log_p + row * step->vocabulary;
            token = (int32_t)attn_search_draw(all, NULL, step->vocabulary, top_log_p[0],
                                              o->temperature, u);
            log_p = all[token];
        }
        int32_t node = attn_search_grow(step, sentence, from, token, log_p);
        if (token == o->end_token) {
            sentence->finished[number] = node;
            sentence->finished_count++;
        } else {
            sentence->next[next_count++] =
                (attn_search_live){.node = node, .row = row, .draw = number};
        }
    }
    sentence->live_count = next_count;
    attn_search_live *old = sentence->live;
    sentence->live = sentence->next;
    sentence->next = old;
}
