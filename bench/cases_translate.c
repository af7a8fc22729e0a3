/* bench/cases_translate.c: decoding with cached keys and values, random weights.
 *
 * d 256, hidden 1,024, 4 + 4 layers, 8,000 words. The number of tokens is fixed by the length limit:
 * random weights practically never end a sentence before. */
#include "attn/search.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/bench.h"

enum { WORDS = 8000, FIRST_ID = 4, END_ID = 3 };

typedef struct state {
    attn_translator *model;
    int64_t count;
    int32_t *source;
    int64_t *starts;
    attn_search_options options;
} state;

static void translate_stop(void *given) {
    state *s = given;
    if (s != NULL) {
        attn_translator_free(s->model);
        attn_free(s->source);
        attn_free(s->starts);
        attn_free(s);
    }
}

/* Translates; *tokens (may be NULL) receives how many came out, </s> counted. */
static attn_status translate(const state *s, int64_t *tokens, attn_error *error) {
    attn_search_result *results = attn_alloc_zero((size_t)s->count, sizeof *results);
    if (results == NULL) {
        return attn_fail_memory(error, (size_t)s->count * sizeof *results);
    }
    attn_status status =
        attn_search(s->model, s->count, s->source, s->starts, NULL, &s->options, results, error);
    for (int64_t i = 0; i < s->count && status == ATTN_OK && tokens != NULL; i++) {
        *tokens += results[i].hypotheses[0].length + 1;
    }
    attn_search_results_free(results, s->count);
    attn_free(results);
    return status;
}

static attn_status translate_run(void *given, attn_error *error) {
    return translate(given, NULL, error);
}

static attn_status make_source(state *s, int64_t length, attn_error *error) {
    size_t ids = (size_t)(s->count * length);
    s->source = attn_alloc_zero(ids, sizeof *s->source);
    s->starts = attn_alloc_zero((size_t)s->count + 1, sizeof *s->starts);
    if (s->source == NULL || s->starts == NULL) {
        return attn_fail_memory(error, ids * sizeof *s->source);
    }
    attn_random random = attn_random_start(attn_random_key(1, 0, 1));
    for (size_t i = 0; i < ids; i++) {
        bool last = (i + 1) % (size_t)length == 0;
        s->source[i] = last ? END_ID : FIRST_ID + (int32_t)attn_random_below(&random, WORDS / 2);
    }
    for (int64_t i = 0; i <= s->count; i++) {
        s->starts[i] = i * length;
    }
    return ATTN_OK;
}

/* 2 operations for each weight that a token meets; every hypothesis of the beam is a token. */
static double flops(const attn_translator_config *c, double sources, double targets, double beam) {
    double d = (double)c->d_model, f = (double)c->ffn;
    double encoder = (double)c->encoder_layers * (4 * d * d + 2 * d * f);
    double memory = (double)c->decoder_layers * 2 * d * d;
    double decoder =
        (double)c->decoder_layers * (6 * d * d + 2 * d * f) + d * (double)c->vocabulary;
    return 2 * ((encoder + memory) * sources + decoder * targets * beam);
}

static attn_status translate_start(const attn_bench_case *given, void **out, attn_bench_work *work,
                                   attn_error *error) {
    int64_t length = given->size[1];
    state *s = *out = attn_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    s->count = given->size[0];
    attn_translator_config config;
    attn_translator_config_init(&config);
    config.vocabulary = WORDS;
    config.d_model = 256;
    config.ffn = 1024;
    config.heads = config.kv_heads = 4;
    config.encoder_layers = config.decoder_layers = 4;
    attn_search_options_init(&s->options);
    s->options.beam = given->size[2];
    s->options.max_length = length;
    s->options.length_guard = s->options.repeat_guard = false;
    attn_status status = attn_translator_create(&config, false, &s->model, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_params_init(attn_translator_params(s->model), 1);
    status = attn_translator_pack(s->model, (attn_compute)given->size[3], error);
    if (status != ATTN_OK) {
        return status;
    }
    status = make_source(s, length, error);
    if (status == ATTN_OK) {
        status = translate(s, &work->tokens, error);
    }
    work->amount =
        flops(&config, (double)(s->count * length), (double)work->tokens, (double)s->options.beam);
    return status;
}

const attn_bench_kind attn_bench_translate = {ATTN_BENCH_GFLOPS, translate_start, translate_run,
                                              translate_stop};
