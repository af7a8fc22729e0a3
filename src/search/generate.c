/* search/generate.c: texts gone on with, one token a step. V vocabulary. */
#include "attn/generate.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/sized.h"
#include "search/search.h"

static const attn_generate_options defaults = {.size = sizeof(attn_generate_options),
                                               .temperature = 1.0};

void attn_generate_options_init_sized(attn_generate_options *options, size_t size) {
    attn_sized_init(options, size, &defaults, sizeof defaults);
}

typedef struct generation {
    const attn_decoder_config *config;
    const attn_generate_options *options;
    attn_decoder_state *state;
    int64_t count;
    const uint64_t *streams;
    int64_t *limit;     /* [count]: most ids of each continuation */
    bool *done;         /* [count] */
    real *log_p;        /* [count, V] */
    int32_t *top_token; /* [top_k] */
    real *top_log_p;
    int32_t *ids;    /* [count]: what each reads next ... */
    int64_t *starts; /* [count + 1]: ... if it goes on */
} generation;

static attn_status check_options(const attn_generate_options *o, attn_error *error) {
    const char *wrong = NULL;
    if (o->max_tokens < 0 || o->top_k < 0) {
        wrong = "max_tokens and top_k must not be negative";
    } else if (o->sample && !(o->temperature > 0 && isfinite(o->temperature))) {
        wrong = "temperature must be above 0";
    }
    return wrong == NULL
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_ARGUMENT, "attn_generate", -1, NULL, "%s", wrong);
}

/* The room for each continuation, and the longest. */
static attn_status find_limits(generation *g, const int64_t *starts, int64_t *longest,
                               attn_error *error) {
    for (int64_t i = 0; i < g->count; i++) {
        int64_t length = starts[i + 1] - starts[i], places = g->config->max_length - length;
        if (length < 1 || places < 0) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, i + 1,
                             length < 1 ? "begin it" : "give a shorter one",
                             "a text has %lld tokens; the model takes 1 to %lld", (long long)length,
                             (long long)g->config->max_length);
        }
        g->limit[i] =
            g->options->max_tokens > 0 ? attn_min(places, g->options->max_tokens) : places;
        g->done[i] = g->limit[i] == 0;
        *longest = attn_max(*longest, g->limit[i]);
    }
    return ATTN_OK;
}

static attn_status start(generation *g, const int64_t *starts, attn_continuation *out,
                         attn_error *error) {
    size_t count = (size_t)g->count, cells;
    size_t kept = (size_t)attn_min(attn_max(g->options->top_k, 1), g->config->vocabulary);
    int64_t longest = 0;
    if (!attn_size_mul(count, (size_t)g->config->vocabulary * sizeof(real), &cells)) {
        return attn_fail_memory(error, SIZE_MAX);
    }
    g->limit = attn_alloc(count * sizeof *g->limit);
    g->done = attn_alloc(count * sizeof *g->done);
    g->log_p = attn_alloc(cells);
    g->top_token = attn_alloc(kept * sizeof *g->top_token);
    g->top_log_p = attn_alloc(kept * sizeof *g->top_log_p);
    g->ids = attn_alloc(count * sizeof *g->ids);
    g->starts = attn_alloc((count + 1) * sizeof *g->starts);
    if (g->limit == NULL || g->done == NULL || g->log_p == NULL || g->top_token == NULL ||
        g->top_log_p == NULL || g->ids == NULL || g->starts == NULL) {
        return attn_fail_memory(error, cells);
    }
    attn_status status = find_limits(g, starts, &longest, error);
    for (int64_t i = 0; i < g->count && status == ATTN_OK; i++) {
        size_t room = (size_t)g->limit[i];
        out[i].ids = attn_alloc(room * sizeof *out[i].ids);
        out[i].token_log_probability = attn_alloc(room * sizeof *out[i].token_log_probability);
        if (out[i].ids == NULL || out[i].token_log_probability == NULL) {
            status = attn_fail_memory(error, room * sizeof *out[i].ids);
        }
    }
    return status;
}

static void finish(generation *g) {
    attn_decoder_state_free(g->state);
    attn_free(g->limit);
    attn_free(g->done);
    attn_free(g->log_p);
    attn_free(g->top_token);
    attn_free(g->top_log_p);
    attn_free(g->ids);
    attn_free(g->starts);
}

/* The token that text i goes on with; -1: none has a probability. */
static int32_t choose(const generation *g, int64_t i, int64_t number) {
    const attn_generate_options *o = g->options;
    const real *row = g->log_p + i * g->config->vocabulary;
    int64_t kept = attn_min(attn_max(o->sample ? o->top_k : 1, 1), g->config->vocabulary);
    attn_search_top(row, NULL, g->config->vocabulary, kept, g->top_token, g->top_log_p);
    if (!o->sample || g->top_token[0] < 0) {
        return g->top_token[0];
    }
    uint64_t stream = g->streams != NULL ? g->streams[i] : (uint64_t)i;
    double u = attn_search_uniform(o->seed, stream, 0, number);
    if (o->top_k > 0) {
        return g->top_token[attn_search_draw(g->top_log_p, g->top_token, kept, g->top_log_p[0],
                                             o->temperature, u)];
    }
    return (int32_t)attn_search_draw(row, NULL, g->config->vocabulary, g->top_log_p[0],
                                     o->temperature, u);
}

/* Adds a token to every text that is not done, and lines up what they read next. */
static attn_status advance(generation *g, int64_t number, attn_continuation *out,
                           attn_error *error) {
    for (int64_t i = 0; i < g->count; i++) {
        g->starts[i + 1] = g->starts[i];
        if (g->done[i]) {
            continue;
        }
        int32_t token = choose(g, i, number);
        if (token < 0) {
            return attn_fail(error, ATTN_ERR_NUMERIC, "attn_generate", -1,
                             "the model's weights are damaged",
                             "the model gives no probability to any token");
        }
        real log_p = g->log_p[i * g->config->vocabulary + token];
        out[i].token_log_probability[number] = log_p;
        out[i].log_probability += (double)log_p;
        out[i].ended = token == g->config->end_token;
        if (!out[i].ended) {
            out[i].ids[out[i].length++] = token;
        }
        g->done[i] = out[i].ended || out[i].length == g->limit[i];
        if (!g->done[i]) {
            g->ids[g->starts[i + 1]++] = token;
        }
    }
    return ATTN_OK;
}

static attn_status run(generation *g, const int32_t *ids, const int64_t *starts,
                       attn_continuation *out, attn_error *error) {
    attn_status status = attn_decoder_step(g->state, ids, starts, g->log_p, error);
    g->starts[0] = 0;
    for (int64_t number = 0; status == ATTN_OK; number++) {
        status = advance(g, number, out, error);
        if (status != ATTN_OK || g->starts[g->count] == 0) {
            return status;
        }
        status = attn_decoder_step(g->state, g->ids, g->starts, g->log_p, error);
    }
    return status;
}

attn_status attn_generate(const attn_decoder *model, int64_t count, const int32_t *ids,
                          const int64_t *starts, const uint64_t *streams,
                          const attn_generate_options *given, attn_continuation *continuations,
                          attn_error *error) {
    attn_generate_options options = defaults;
    generation g = {.config = attn_decoder_get_config(model),
                    .options = &options,
                    .count = count,
                    .streams = streams};
    memset(continuations, 0, (size_t)count * sizeof *continuations);
    attn_status status = attn_sized_read(given, &options, sizeof options,
                                         ATTN_SIZE_UP_TO(attn_generate_options, seed),
                                         "attn_generate_options", error);
    status = status == ATTN_OK ? check_options(&options, error) : status;
    if (status != ATTN_OK || count == 0) {
        return status;
    }
    status = start(&g, starts, continuations, error);
    if (status == ATTN_OK) {
        status = attn_decoder_state_create(model, count, &g.state, error);
    }
    status = status == ATTN_OK ? run(&g, ids, starts, continuations, error) : status;
    finish(&g);
    return status;
}

void attn_continuations_free(attn_continuation *continuations, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        attn_free(continuations[i].ids);
        attn_free(continuations[i].token_log_probability);
        continuations[i] = (attn_continuation){0};
    }
}
