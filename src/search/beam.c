/* search/beam.c: one step of beam search for one sentence. K candidates a row, W = beam. */
#include "search/search.h"

/* A continuation: live hypothesis `from` followed by its rank-th likeliest token. */
typedef struct candidate {
    double sum;
    int64_t from, rank;
} candidate;

enum { MAX_CANDIDATES = 2 * 256 };

/* The best 2 W continuations of all live hypotheses, best first. The rows come in order and each
 * row's tokens in order of rank, so that among equal sums the lower row, then the lower rank, which
 * is the lower id, stays ahead. */
static int64_t best_candidates(const attn_search_step *step, const attn_search_sentence *sentence,
                               candidate best[MAX_CANDIDATES]) {
    int64_t wanted = 2 * step->width, count = 0;
    for (int64_t from = 0; from < sentence->live_count; from++) {
        int64_t row = (sentence->first_row + from) * step->top_count;
        double before = sentence->nodes[sentence->live[from].node].sum;
        for (int64_t rank = 0; rank < step->top_count; rank++) {
            double sum = before + step->top_log_p[row + rank];
            if (step->top_token[row + rank] < 0 ||
                (count == wanted && !(sum > best[wanted - 1].sum))) {
                break; /* the following ones are no better */
            }
            int64_t at = count < wanted ? count++ : wanted - 1;
            for (; at > 0 && best[at - 1].sum < sum; at--) {
                best[at] = best[at - 1];
            }
            best[at] = (candidate){.sum = sum, .from = from, .rank = rank};
        }
    }
    return count;
}

void attn_search_advance_beam(const attn_search_step *step, attn_search_sentence *sentence) {
    candidate best[MAX_CANDIDATES];
    int64_t count = best_candidates(step, sentence, best);
    int64_t width = step->width, next_count = 0;
    for (int64_t i = 0; i < count && next_count < width; i++) {
        int64_t row = sentence->first_row + best[i].from;
        int32_t token = step->top_token[row * step->top_count + best[i].rank];
        bool end = token == step->options->end_token;
        if (end && (i >= width || sentence->finished_count == width)) {
            continue; /* too unlikely to count as finished */
        }
        int32_t node = attn_search_grow(step, sentence, best[i].from, token,
                                        step->top_log_p[row * step->top_count + best[i].rank]);
        if (end) {
            sentence->finished[sentence->finished_count++] = node;
        } else {
            sentence->next[next_count++] = (attn_search_live){.node = node, .row = row};
        }
    }
    bool done = sentence->finished_count == width || step->number >= sentence->limit;
    sentence->live_count = done ? 0 : next_count;
    attn_search_live *old = sentence->live;
    sentence->live = sentence->next;
    sentence->next = old;
}
