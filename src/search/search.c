/* search/search.c: the loop over the steps of a batch, and its memory.
 *
 * R rows (live hypotheses of all sentences), V vocabulary, K candidates kept a row. Next: beam.c.
 */
#include "search/search.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/sized.h"
#include "models/translator.h"

enum { MAX_WIDTH = 256 };

static const attn_search_options defaults = {.size = sizeof(attn_search_options),
                                             .beam = 4,
                                             .n_best = 1,
                                             .length_penalty = 1.0,
                                             .temperature = 1.0,
                                             .length_guard = true,
                                             .repeat_guard = true,
                                             .start_token = 2,
                                             .end_token = 3,
                                             .forbidden_below = 3};

void attn_search_options_init_sized(attn_search_options *options, size_t size) {
    attn_sized_init(options, size, &defaults, sizeof defaults);
}

typedef struct search {
    int64_t count;
    int64_t first, stride; /* number i here is first + i x stride of the caller's */
    attn_search_sentence *sentences;
    int64_t longest_limit;
    attn_translator_state *state;
    attn_search_step step;
    int32_t *tokens;  /* [R] */
    int64_t *parents; /* [R] */
    int64_t *owner;   /* [R], the row's sentence */
    real *attention;  /* [R, longest source] or NULL */
    bool late;        /* attn_search_sentence */
    int32_t *ids;     /* [longest_limit + 1], what progress is told; NULL without it */
} search;

static attn_status check_options(const attn_search_options *o, int64_t vocabulary,
                                 attn_error *error) {
    const char *wrong = NULL;
    if (o->beam < 1 || o->beam > MAX_WIDTH) {
        wrong = "beam must be from 1 to 256";
    } else if (o->n_best < 1 || o->n_best > (o->sample ? MAX_WIDTH : o->beam)) {
        wrong = "n_best must be from 1 to the beam's width (256 when sampling)";
    } else if (!isfinite(o->length_penalty)) {
        wrong = "length_penalty must be a finite number";
    } else if (o->sample && !(o->temperature > 0 && isfinite(o->temperature))) {
        wrong = "temperature must be above 0";
    } else if (o->top_k < 0 || o->max_length < 0) {
        wrong = "top_k and max_length must not be negative";
    } else if (o->start_token < 0 || o->start_token >= vocabulary || o->end_token < 0 ||
               o->end_token >= vocabulary || o->end_token < o->forbidden_below ||
               o->first_token < 0 || o->first_token >= vocabulary) {
        wrong = "start_token, first_token or end_token is not one that the model can use";
    }
    if (wrong == NULL) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, "attn_search", -1, NULL, "%s", wrong);
}

/* Most target ids for a source of `length` ids, </s> counted in both, and those that are given. */
static int64_t length_limit(const attn_search_options *o, int64_t model_length, int64_t length) {
    int64_t given = attn_search_given(o), limit = model_length - 1 - given; /* <s> takes a place */
    if (o->max_length > 0 && o->max_length < limit) {
        limit = o->max_length;
    }
    if (o->length_guard && 2 * length + 20 < limit) {
        limit = 2 * length + 20;
    }
    return limit + given;
}

static attn_status start_sentence(const search *s, attn_search_sentence *sentence) {
    int64_t width = s->step.width;
    /* A node for each live hypothesis of each step, </s> included, and the root. */
    size_t nodes = (size_t)width * (size_t)(sentence->limit + 2) + 1;
    sentence->nodes = attn_alloc(nodes * sizeof *sentence->nodes);
    sentence->live = attn_alloc((size_t)width * sizeof *sentence->live);
    sentence->next = attn_alloc((size_t)width * sizeof *sentence->next);
    sentence->finished = attn_alloc((size_t)width * sizeof *sentence->finished);
    if (sentence->nodes == NULL || sentence->live == NULL || sentence->next == NULL ||
        sentence->finished == NULL) {
        return ATTN_ERR_MEMORY;
    }
    if (s->step.options->attention) {
        size_t row = (size_t)sentence->source_length * sizeof *sentence->attention;
        sentence->attention = attn_alloc_zero(nodes, row);
        if (sentence->attention == NULL) {
            return ATTN_ERR_MEMORY;
        }
        sentence->late = s->late;
    }
    sentence->repeats = attn_search_repeats(sentence->source, sentence->source_length);
    sentence->nodes[0] = (attn_search_node){.token = s->step.options->start_token, .parent = -1};
    sentence->node_count = 1;
    sentence->live_count = s->step.options->sample ? width : 1;
    for (int64_t i = 0; i < width; i++) {
        sentence->live[i] = (attn_search_live){.row = sentence - s->sentences, .draw = i};
        sentence->finished[i] = -1;
    }
    return ATTN_OK;
}

static attn_status start_sentences(search *s, const int32_t *source, const int64_t *starts,
                                   const uint64_t *streams, int64_t model_length,
                                   attn_error *error) {
    s->sentences = attn_alloc_zero((size_t)s->count, sizeof *s->sentences);
    if (s->sentences == NULL) {
        return ATTN_ERR_MEMORY;
    }
    for (int64_t i = 0; i < s->count; i++) {
        attn_search_sentence *sentence = &s->sentences[i];
        sentence->source = source + starts[i];
        sentence->source_length = starts[i + 1] - starts[i];
        if (sentence->source_length < 1) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "attn_search", -1,
                             "give each sentence at least its </s>", "sentence %lld has no ids",
                             (long long)i);
        }
        sentence->limit = length_limit(s->step.options, model_length, sentence->source_length);
        sentence->stream = streams != NULL ? streams[i] : (uint64_t)i;
        if (sentence->limit > s->longest_limit) {
            s->longest_limit = sentence->limit;
        }
        attn_status status = start_sentence(s, sentence);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return ATTN_OK;
}

static attn_status start_rows(search *s) {
    size_t rows, cells, tops;
    int64_t vocabulary = s->step.vocabulary;
    if (!attn_size_mul((size_t)s->count, (size_t)s->step.width, &rows) ||
        !attn_size_mul(rows, (size_t)vocabulary * sizeof(real), &cells) ||
        !attn_size_mul(rows, (size_t)s->step.top_count * sizeof(real), &tops)) {
        return ATTN_ERR_MEMORY;
    }
    s->tokens = attn_alloc(rows * sizeof *s->tokens);
    s->parents = attn_alloc(rows * sizeof *s->parents);
    s->owner = attn_alloc(rows * sizeof *s->owner);
    s->step.log_p = attn_alloc(cells);
    s->step.top_log_p = attn_alloc(tops);
    s->step.top_token = attn_alloc(tops);
    if (s->tokens == NULL || s->parents == NULL || s->owner == NULL || s->step.log_p == NULL ||
        s->step.top_log_p == NULL || s->step.top_token == NULL) {
        return ATTN_ERR_MEMORY;
    }
    if (s->step.options->progress != NULL) {
        s->ids = attn_alloc((size_t)(s->longest_limit + 2) * sizeof *s->ids);
        if (s->ids == NULL) {
            return ATTN_ERR_MEMORY;
        }
    }
    if (s->step.options->attention) {
        s->step.attention_stride = attn_translator_state_source_length(s->state);
        s->attention =
            attn_alloc_zero(rows, (size_t)s->step.attention_stride * sizeof *s->attention);
        s->step.attention = s->attention;
        return s->attention != NULL ? ATTN_OK : ATTN_ERR_MEMORY;
    }
    return ATTN_OK;
}

/* Lines up the live hypotheses of all sentences as rows; returns how many there are. */
static int64_t gather_rows(search *s) {
    int64_t rows = 0;
    for (int64_t i = 0; i < s->count; i++) {
        attn_search_sentence *sentence = &s->sentences[i];
        sentence->first_row = rows;
        for (int64_t h = 0; h < sentence->live_count; h++) {
            s->tokens[rows] = sentence->nodes[sentence->live[h].node].token;
            s->parents[rows] = sentence->live[h].row;
            s->owner[rows++] = i;
        }
    }
    return rows;
}

/* In each row: strikes out what may not follow, then finds the likeliest tokens. */
static void rank_rows(const search *s, int64_t rows) {
    enum { WORTH_A_THREAD = 1 << 16 }; /* scores */
    const attn_search_step *step = &s->step;
    int threads = rows * step->vocabulary < WORTH_A_THREAD ? 1 : attn_get_threads();
    (void)threads; /* not read without OpenMP */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t r = 0; r < rows; r++) {
        const attn_search_sentence *sentence = &s->sentences[s->owner[r]];
        real *row = step->log_p + r * step->vocabulary;
        attn_search_forbid(step, sentence, sentence->live[r - sentence->first_row].node, row);
        int64_t count = step->vocabulary;
        const int32_t *ids = attn_translator_candidates(s->state, s->owner[r], &count);
        attn_search_top(row, ids, count, step->top_count, step->top_token + r * step->top_count,
                        step->top_log_p + r * step->top_count);
    }
}

/* Every hypothesis goes on with the token that is given. */
static void advance_first(search *s) {
    for (int64_t i = 0; i < s->count; i++) {
        attn_search_sentence *sentence = &s->sentences[i];
        for (int64_t h = 0; h < sentence->live_count; h++) {
            attn_search_live *live = &sentence->live[h];
            live->node = attn_search_grow(&s->step, sentence, h, s->step.options->first_token, 0);
            live->row = sentence->first_row + h;
        }
    }
}

static attn_status advance(search *s, attn_error *error) {
    for (int64_t i = 0; i < s->count; i++) {
        attn_search_sentence *sentence = &s->sentences[i];
        if (sentence->live_count == 0) {
            continue;
        }
        if (s->step.options->sample) {
            attn_search_advance_sample(&s->step, sentence);
        } else {
            attn_search_advance_beam(&s->step, sentence);
        }
        if (sentence->live_count == 0 && sentence->finished_count == 0) {
            return attn_fail(error, ATTN_ERR_NUMERIC, "attn_search", -1,
                             "the model's weights are damaged or its training diverged",
                             "the model gives no probability to any token");
        }
    }
    return ATTN_OK;
}

/* Tells the caller the likeliest live hypothesis of each sentence. */
static void report_progress(const search *s) {
    for (int64_t i = 0; i < s->count; i++) {
        const attn_search_sentence *sentence = &s->sentences[i];
        if (sentence->live_count == 0) {
            continue;
        }
        int64_t count = s->step.number + 1 - attn_search_given(s->step.options), at = count;
        for (int32_t node = sentence->live[0].node; at > 0; node = sentence->nodes[node].parent) {
            s->ids[--at] = sentence->nodes[node].token;
        }
        s->step.options->progress(s->step.options->progress_context, i, s->ids, count);
    }
}

/* Ends the sentences that the caller no longer wants. */
static void leave_given_up(search *s) {
    const attn_search_options *o = s->step.options;
    for (int64_t i = 0; i < s->count && o->given_up != NULL; i++) {
        attn_search_sentence *sentence = &s->sentences[i];
        if (sentence->live_count > 0 &&
            o->given_up(o->given_up_context, s->first + i * s->stride)) {
            sentence->live_count = 0;
            sentence->given_up = true;
        }
    }
}

static attn_status run_steps(search *s, attn_error *error) {
    for (s->step.number = 0;; s->step.number++) {
        leave_given_up(s);
        int64_t rows = gather_rows(s);
        if (rows == 0) {
            return ATTN_OK;
        }
        attn_status status = attn_translator_step(s->state, rows, s->tokens, s->parents,
                                                  s->step.log_p, s->attention, error);
        if (status != ATTN_OK) {
            return status;
        }
        if (s->step.number < attn_search_given(s->step.options)) {
            advance_first(s);
            continue;
        }
        rank_rows(s, rows);
        status = advance(s, error);
        if (status != ATTN_OK) {
            return status;
        }
        if (s->step.options->progress != NULL) {
            report_progress(s);
        }
    }
}

static void free_search(search *s) {
    for (int64_t i = 0; s->sentences != NULL && i < s->count; i++) {
        attn_free(s->sentences[i].nodes);
        attn_free(s->sentences[i].attention);
        attn_free(s->sentences[i].live);
        attn_free(s->sentences[i].next);
        attn_free(s->sentences[i].finished);
    }
    attn_free(s->sentences);
    attn_free(s->tokens);
    attn_free(s->parents);
    attn_free(s->owner);
    attn_free(s->step.log_p);
    attn_free(s->step.top_token);
    attn_free(s->step.top_log_p);
    attn_free(s->attention);
    attn_free(s->ids);
    attn_translator_state_free(s->state);
}

static int64_t width_of(const attn_search_options *o) {
    return o->sample ? o->n_best : o->beam;
}

/* How many tokens of a row can matter. */
static int64_t top_count(const attn_search_options *o, int64_t vocabulary) {
    int64_t count = 2 * o->beam;
    if (o->sample) {
        count = o->top_k > 0 ? o->top_k : 1; /* all: sample.c reads the row itself */
    }
    return count < vocabulary ? count : vocabulary;
}

/* What attn_search is given; of a part, number i is first + i x stride of the whole. */
typedef struct work {
    const attn_translator *model;
    int64_t count, first, stride;
    const int32_t *source;
    const int64_t *starts;
    const uint64_t *streams;
    const attn_search_options *options;
} work;

/* One state's work: sentences that are searched together. */
static attn_status search_together(const work *w, attn_search_result *results, attn_error *error) {
    const attn_translator_config *config = attn_translator_get_config(w->model);
    const attn_search_options *options = w->options;
    int64_t count = w->count;
    search s = {.count = count,
                .first = w->first,
                .stride = w->stride,
                .late = config->alignment_layer > 0};
    s.step.options = options;
    s.step.width = width_of(options);
    s.step.vocabulary = config->vocabulary;
    s.step.top_count = top_count(options, config->vocabulary);
    attn_status status =
        start_sentences(&s, w->source, w->starts, w->streams, config->max_length, error);
    if (status != ATTN_OK) {
        goto out;
    }
    status = attn_translator_state_create(w->model, &s.state, error);
    if (status != ATTN_OK) {
        goto out;
    }
    status = attn_translator_state_use(s.state, options->shortlist, options->end_token, error);
    if (status != ATTN_OK) {
        goto out;
    }
    status = attn_translator_encode(s.state, count, w->source, w->starts, count * s.step.width,
                                    s.longest_limit + 1, error);
    if (status != ATTN_OK) {
        goto out;
    }
    status = start_rows(&s);
    if (status != ATTN_OK) {
        goto out;
    }
    status = run_steps(&s, error);
    for (int64_t i = 0; i < count && status == ATTN_OK; i++) {
        if (!s.sentences[i].given_up) {
            status = attn_search_collect(options, &s.sentences[i], &results[i]);
        }
    }
out:
    if (status == ATTN_ERR_MEMORY) {
        attn_fail(error, status, NULL, -1,
                  "translate fewer sentences at once or use a smaller beam", "out of memory");
    }
    free_search(&s);
    return status;
}

/* ---- a part of the sentences for each thread ----
 *
 * Threads that share one product wait for each other many times a step; threads that have sentences
 * of their own never do. What a sentence becomes does not depend on those beside it. */

enum { LEAST_ROWS = 4 /* hypotheses of a part: fewer would read all weights for too little */ };

enum { MOST_PARTS = 256 };

static int64_t count_parts(const work *w) {
    int64_t rows = w->count * width_of(w->options), parts = attn_get_threads();
    parts = parts < w->count ? parts : w->count;
    parts = parts < MOST_PARTS ? parts : MOST_PARTS;
    parts = parts < rows / LEAST_ROWS ? parts : rows / LEAST_ROWS;
    return parts < 1 || w->options->progress != NULL ? 1 : parts;
}

/* Sentences first, first + parts ...: callers sort by length, and so the parts are alike. */
static attn_status search_part(const work *w, int64_t parts, int64_t first,
                               attn_search_result *into, attn_error *error) {
    int64_t count = (w->count - first + parts - 1) / parts, ids = w->starts[w->count];
    int32_t *source = attn_alloc((size_t)ids * sizeof *source);
    int64_t *starts = attn_alloc((size_t)(count + 1) * sizeof *starts);
    uint64_t *streams = attn_alloc((size_t)count * sizeof *streams);
    attn_search_result *results = attn_alloc_zero((size_t)count, sizeof *results);
    attn_status status = ATTN_ERR_MEMORY;
    if (source == NULL || starts == NULL || streams == NULL || results == NULL) {
        attn_fail_memory(error, (size_t)ids * sizeof *source);
        goto out;
    }
    starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t number = first + i * parts;
        int64_t length = w->starts[number + 1] - w->starts[number];
        memcpy(source + starts[i], w->source + w->starts[number], (size_t)length * sizeof *source);
        starts[i + 1] = starts[i] + length;
        streams[i] = w->streams != NULL ? w->streams[number] : (uint64_t)number;
    }
    work part = {w->model, count, first, parts, source, starts, streams, w->options};
    status = search_together(&part, results, error);
    for (int64_t i = 0; i < count; i++) {
        into[first + i * parts] = results[i]; /* also of a failure: the caller frees */
    }
out:
    attn_free(source);
    attn_free(starts);
    attn_free(streams);
    attn_free(results);
    return status;
}

/* The failure of the lowest part is the one that is told. */
static attn_status search_parts(const work *w, int64_t parts, attn_search_result *results,
                                attn_error *error) {
    attn_status status[MOST_PARTS] = {ATTN_OK};
    attn_error *errors = attn_alloc_zero((size_t)parts, sizeof *errors);
    if (errors == NULL) {
        return attn_fail_memory(error, (size_t)parts * sizeof *errors);
    }
#pragma omp parallel for schedule(static, 1) num_threads((int)parts)
    for (int64_t part = 0; part < parts; part++) {
        status[part] = search_part(w, parts, part, results, &errors[part]);
    }
    int64_t failed = 0;
    while (failed < parts - 1 && status[failed] == ATTN_OK) {
        failed++;
    }
    attn_status result = status[failed];
    if (result != ATTN_OK && error != NULL) {
        *error = errors[failed];
    }
    attn_free(errors);
    return result;
}

attn_status attn_search(const attn_translator *model, int64_t count, const int32_t *source,
                        const int64_t *starts, const uint64_t *streams,
                        const attn_search_options *given_options, attn_search_result *results,
                        attn_error *error) {
    attn_search_options known = defaults;
    const attn_search_options *options = &known;
    work all = {model, count, 0, 1, source, starts, streams, options};
    memset(results, 0, (size_t)count * sizeof *results);
    attn_status status = attn_sized_read(given_options, &known, sizeof known,
                                         ATTN_SIZE_UP_TO(attn_search_options, shortlist),
                                         "attn_search_options", error);
    if (status == ATTN_OK) {
        status = check_options(options, attn_translator_get_config(model)->vocabulary, error);
    }
    if (status != ATTN_OK || count == 0) {
        return status;
    }
    int64_t parts = count_parts(&all);
    if (parts == 1) {
        return search_together(&all, results, error);
    }
    /* So that a failure names the sentence by its number, whatever the parts. */
    status = attn_translator_check_source(model, count, source, starts, error);
    status = status == ATTN_OK ? attn_translator_check_packed(model, error) : status;
    return status == ATTN_OK ? search_parts(&all, parts, results, error) : status;
}
