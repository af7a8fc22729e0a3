/* align/aligner.c: expectation and maximization, line by line.
 *
 * Lines are counted by any thread in any order: what they add are integers (align/lexicon.h), and jumps are
 * rounded to such units too. */
#include "align/aligner.h"

#include <string.h>

#include "align/hmm.h"
#include "align/lexicon.h"
#include "base/fail.h"
#include "base/memory.h"

#define COUNT_ONE 4294967296.0 /* 2^32 */

/* Integer sums of expected jumps; the last is of the far ones. */
enum { JUMP_SUMS = ATTN_HMM_JUMPS + 1 };

typedef struct aligner {
    const attn_bitext *text;
    attn_aligner_options options;
    attn_lexicon *lexicon;
    attn_jumps jumps[2]; /* by direction */
    uint64_t jump_sum[2][JUMP_SUMS];
} aligner;

/* One line of both sides, and the room to work on it; a thread's own. */
typedef struct line_work {
    attn_scratch places, emission[2], posterior[2], work;
    int64_t length[2];
    const int32_t *unit[2];
    size_t *place;      /* [I + 1, J + 1]: of the pair in the lexicon */
    float *chance[2];   /* [J, I + 1], [I, J + 1]: the empty word last */
    double *chances[2]; /* posteriors, in the same shapes */
} line_work;

static void work_free(line_work *w) {
    attn_scratch_free(&w->places);
    attn_scratch_free(&w->work);
    for (int d = 0; d < 2; d++) {
        attn_scratch_free(&w->emission[d]);
        attn_scratch_free(&w->posterior[d]);
    }
}

void attn_aligner_options_init(attn_aligner_options *options) {
    *options = (attn_aligner_options){.model1_iterations = 5,
                                      .hmm_iterations = 5,
                                      .prior = 0.1,
                                      .empty = 0.1,
                                      .agree = true,
                                      .threads = 1};
}

/* ---- one line ---- */

/* The word at a position; behind the last, the empty word. */
static int32_t unit_at(const aligner *a, const line_work *w, int side, int64_t position) {
    return position < w->length[side] ? w->unit[side][position] : a->text->kinds[side];
}

static void find_pair(const aligner *a, line_work *w, int64_t i, int64_t j) {
    int64_t I = w->length[0], J = w->length[1];
    size_t place = attn_lexicon_find(a->lexicon, unit_at(a, w, 0, i), unit_at(a, w, 1, j));
    w->place[i * (J + 1) + j] = place;
    if (j < J) {
        w->chance[0][j * (I + 1) + i] = attn_lexicon_chance(a->lexicon, place, 0);
    }
    if (i < I) {
        w->chance[1][i * (J + 1) + j] = attn_lexicon_chance(a->lexicon, place, 1);
    }
}

/* Finds each pair of words of the line in the lexicon. False when out of memory. */
static bool open_line(const aligner *a, int64_t line, line_work *w) {
    int64_t I = attn_bitext_length(a->text, 0, line), J = attn_bitext_length(a->text, 1, line);
    size_t cells[2] = {(size_t)(J * (I + 1)), (size_t)(I * (J + 1))};
    w->length[0] = I;
    w->length[1] = J;
    w->place = attn_scratch_get(&w->places, (size_t)((I + 1) * (J + 1)) * sizeof *w->place);
    for (int d = 0; d < 2; d++) {
        w->unit[d] = a->text->unit[d] + a->text->start[d][line];
        w->chance[d] = attn_scratch_get(&w->emission[d], cells[d] * sizeof *w->chance[d]);
        w->chances[d] = attn_scratch_get(&w->posterior[d], cells[d] * sizeof *w->chances[d]);
        if (w->place == NULL || w->chance[d] == NULL || w->chances[d] == NULL) {
            return false;
        }
    }
    for (int64_t i = 0; i <= I; i++) {
        for (int64_t j = 0; j < J + (i < I); j++) {
            attn_lexicon_prepare(a->lexicon, unit_at(a, w, 0, i), unit_at(a, w, 1, j));
        }
        for (int64_t j = 0; j < J + (i < I); j++) {
            find_pair(a, w, i, j);
        }
    }
    return true;
}

/* Model 1: p(i | j) ~ t(j | i), each position with the same chance. */
static void model1_posterior(const line_work *w, int direction, double empty) {
    int64_t states = w->length[direction], words = w->length[1 - direction];
    double each = (1 - empty) / (double)states;
    for (int64_t j = 0; j < words; j++) {
        const float *chance = w->chance[direction] + j * (states + 1);
        double *out = w->chances[direction] + j * (states + 1), sum = 0;
        for (int64_t i = 0; i <= states; i++) {
            out[i] = (double)chance[i] * (i < states ? each : empty);
            sum += out[i];
        }
        for (int64_t i = 0; i <= states; i++) {
            out[i] /= sum;
        }
    }
}

/* False when out of memory. */
static bool hmm_posterior(const aligner *a, line_work *w, int direction, attn_jumps *counts) {
    int64_t states = w->length[direction], words = w->length[1 - direction];
    double *work = attn_scratch_get(&w->work, (size_t)attn_hmm_work(states, words) * sizeof *work);
    if (work != NULL) {
        attn_hmm_posterior(&a->jumps[direction], a->options.empty, states, words,
                           w->chance[direction], w->chances[direction], counts, work);
    }
    return work != NULL;
}

/* ---- counting ---- */

static void count_words(aligner *a, const line_work *w, bool agree) {
    int64_t I = w->length[0], J = w->length[1];
    for (int64_t i = 0; i <= I; i++) {
        for (int64_t j = 0; j < J + (i < I); j++) {
            size_t place = w->place[i * (J + 1) + j];
            double forward = j < J ? w->chances[0][j * (I + 1) + i] : 0;
            double backward = i < I ? w->chances[1][i * (J + 1) + j] : 0;
            if (agree && i < I && j < J) {
                forward = backward = forward * backward;
            }
            attn_lexicon_count(a->lexicon, place, 0, forward);
            attn_lexicon_count(a->lexicon, place, 1, backward);
        }
    }
}

static void add_jumps(aligner *a, int direction, const attn_jumps *counts) {
    for (int d = 0; d < JUMP_SUMS; d++) {
        double count = d < ATTN_HMM_JUMPS ? counts->near[d] : counts->far;
        uint64_t units = (uint64_t)(count * COUNT_ONE);
        if (units > 0) {
            uint64_t *to = &a->jump_sum[direction][d];
#pragma omp atomic
            *to += units;
        }
    }
}

static bool count_line(aligner *a, int64_t line, bool ordered, line_work *w) {
    if (!open_line(a, line, w)) {
        return false;
    }
    for (int d = 0; d < 2; d++) {
        attn_jumps counts = {.far = 0};
        if (!ordered) {
            model1_posterior(w, d, a->options.empty);
        } else if (!hmm_posterior(a, w, d, &counts)) {
            return false;
        }
        add_jumps(a, d, &counts);
    }
    count_words(a, w, ordered && a->options.agree);
    return true;
}

static void update_jumps(aligner *a) {
    for (int direction = 0; direction < 2; direction++) {
        attn_jumps counts;
        for (int d = 0; d < ATTN_HMM_JUMPS; d++) {
            counts.near[d] = (double)a->jump_sum[direction][d] / COUNT_ONE;
        }
        counts.far = (double)a->jump_sum[direction][ATTN_HMM_JUMPS] / COUNT_ONE;
        attn_jumps_from_counts(&counts, &a->jumps[direction]);
    }
    memset(a->jump_sum, 0, sizeof a->jump_sum);
}

/* Calls do_line for every line that is looked at, on all threads. */
static attn_status each_line(aligner *a, bool (*do_line)(aligner *, int64_t, void *, line_work *),
                             void *context, attn_error *error) {
    bool failed = false;
    int threads = a->options.threads;
    (void)threads; /* used by OpenMP alone */
#pragma omp parallel num_threads(threads > 0 ? threads : 1)
    {
        line_work work = {.length = {0, 0}};
#pragma omp for schedule(dynamic, 16)
        for (int64_t line = 0; line < a->text->count; line++) {
            if (attn_bitext_looked_at(a->text, line) && !do_line(a, line, context, &work)) {
#pragma omp atomic write
                failed = true;
            }
        }
        work_free(&work);
    }
    return failed ? attn_fail_memory(error, 0) : ATTN_OK;
}

static bool do_count(aligner *a, int64_t line, void *context, line_work *w) {
    return count_line(a, line, *(bool *)context, w);
}

static attn_status learn(aligner *a, attn_error *error) {
    int64_t first = a->options.model1_iterations, all = first + a->options.hmm_iterations;
    attn_status status = attn_lexicon_create(a->text, &a->lexicon, error);
    for (int d = 0; d < 2; d++) {
        attn_jumps_start(&a->jumps[d]);
    }
    for (int64_t i = 0; i < all && status == ATTN_OK; i++) {
        bool ordered = i >= first;
        status = each_line(a, do_count, &ordered, error);
        if (status == ATTN_OK) {
            status = attn_lexicon_update(a->lexicon, a->options.prior, a->options.threads, error);
        }
        if (ordered) {
            update_jumps(a);
        }
        if (status == ATTN_OK && a->options.progress != NULL) {
            a->options.progress(a->options.context, i + 1, all);
        }
    }
    return status;
}

/* ---- links ---- */

typedef struct linking {
    attn_symmetry symmetry;
    double threshold;
    attn_link **link; /* of each line, attn_alloc'ed */
    int64_t *count;
} linking;

static bool do_link(aligner *a, int64_t line, void *context, line_work *w) {
    linking *out = context;
    if (!open_line(a, line, w) || !hmm_posterior(a, w, 0, NULL) || !hmm_posterior(a, w, 1, NULL)) {
        return false;
    }
    int64_t I = w->length[0], J = w->length[1], count = 0;
    bool *linked = attn_scratch_get(&w->work, (size_t)(3 * I * J + I + J) * sizeof *linked);
    if (linked == NULL) {
        return false;
    }
    attn_symmetrize(out->symmetry, out->threshold, I, J, w->chances[0], w->chances[1], linked,
                    linked + I * J);
    for (int64_t at = 0; at < I * J; at++) {
        count += linked[at];
    }
    attn_link *link = attn_alloc((size_t)count * sizeof *link);
    if (link == NULL) {
        return false;
    }
    out->link[line] = link;
    out->count[line] = count;
    for (int64_t at = 0; at < I * J; at++) {
        if (linked[at]) {
            *link++ = (attn_link){(int32_t)(at / J), (int32_t)(at % J)};
        }
    }
    return true;
}

static attn_status gather(const linking *from, int64_t lines, attn_link_set *out,
                          attn_error *error) {
    out->start = attn_alloc_zero((size_t)lines + 1, sizeof *out->start);
    if (out->start == NULL) {
        return attn_fail_memory(error, ((size_t)lines + 1) * sizeof *out->start);
    }
    for (int64_t line = 0; line < lines; line++) {
        out->start[line + 1] = out->start[line] + from->count[line];
    }
    out->link = attn_alloc_zero((size_t)out->start[lines], sizeof *out->link);
    if (out->link == NULL) {
        return attn_fail_memory(error, (size_t)out->start[lines] * sizeof *out->link);
    }
    for (int64_t line = 0; line < lines; line++) {
        if (from->count[line] > 0) {
            memcpy(out->link + out->start[line], from->link[line],
                   (size_t)from->count[line] * sizeof *out->link);
        }
    }
    out->count = lines;
    return ATTN_OK;
}

static attn_status link_lines(aligner *a, linking *l, attn_link_set *out, attn_error *error) {
    size_t lines = (size_t)a->text->count;
    l->link = attn_alloc_zero(lines, sizeof *l->link);
    l->count = attn_alloc_zero(lines, sizeof *l->count);
    attn_status status = l->link == NULL || l->count == NULL
                             ? attn_fail_memory(error, lines * sizeof *l->link)
                             : each_line(a, do_link, l, error);
    if (status == ATTN_OK) {
        status = gather(l, a->text->count, out, error);
    }
    for (size_t i = 0; l->link != NULL && i < lines; i++) {
        attn_free(l->link[i]);
    }
    attn_free(l->link);
    attn_free(l->count);
    return status;
}

attn_status attn_align(const attn_bitext *text, const attn_aligner_options *options,
                       attn_symmetry symmetry, double threshold, attn_link_set *out,
                       int64_t *too_long, attn_error *error) {
    aligner a = {.text = text, .options = *options};
    linking l = {.symmetry = symmetry, .threshold = threshold};
    *out = (attn_link_set){.count = 0};
    *too_long = 0;
    for (int64_t line = 0; line < text->count; line++) {
        *too_long += !attn_bitext_looked_at(text, line) && attn_bitext_length(text, 0, line) > 0 &&
                     attn_bitext_length(text, 1, line) > 0;
    }
    attn_status status = learn(&a, error);
    if (status == ATTN_OK) {
        status = link_lines(&a, &l, out, error);
    }
    attn_lexicon_free(a.lexicon);
    if (status != ATTN_OK) {
        attn_link_set_free(out);
    }
    return status;
}

void attn_link_set_free(attn_link_set *set) {
    attn_free(set->link);
    attn_free(set->start);
    *set = (attn_link_set){.count = 0};
}
