/* cli/decode.c: the options of decoding as the pipeline takes them, and its speed. */
#include "decode.h"

#include <time.h>

#include "attn/threads.h"

attn_search_options attn_decode_search_options(const attn_decode_options *options) {
    attn_search_options search;
    attn_search_options_init(&search);
    search.beam = options->beam;
    search.n_best = options->n_best;
    search.length_penalty = options->length_penalty;
    search.sample = options->sample;
    search.temperature = options->temperature;
    search.top_k = options->top_k;
    search.seed = (uint64_t)options->seed;
    search.max_length = options->max_length;
    search.length_guard = !options->no_length_guard;
    search.repeat_guard = !options->no_repeat_guard;
    return search;
}

attn_translate_options attn_decode_translate_options(const attn_decode_options *options,
                                                     const attn_search_options *search) {
    attn_translate_options translate;
    attn_translate_options_init(&translate);
    translate.format = options->raw ? ATTN_TEXT_RAW : ATTN_TEXT_PLAIN;
    translate.batch = options->batch;
    translate.search = search;
    return translate;
}

attn_status attn_decode_open(const attn_decode_options *options, attn_model **out,
                             attn_error *error) {
    attn_model_options model;
    attn_model_options_init(&model);
    model.compute = options->int8 ? ATTN_COMPUTE_I8 : ATTN_COMPUTE_F32;
    model.shortlist = options->shortlist;
    model.glossary = options->glossary;
    return attn_translator_model_open(options->model, &model, out, error);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

attn_status attn_decode_texts(const attn_model *model, const char *const *texts, size_t count,
                              const attn_translate_options *options, attn_translation **out,
                              attn_decode_stats *stats, attn_error *error) {
    double start = now();
    attn_status status = attn_translate_texts(model, texts, count, options, out, error);
    stats->seconds += now() - start;
    stats->lines += (int64_t)count;
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        attn_translated_sentence s;
        for (size_t k = 0; attn_translation_sentence(*out, i, k, &s); k++) {
            stats->sentences++;
            stats->tokens += s.best != NULL ? s.best->length + 1 : 0;
        }
    }
    return status;
}

void attn_decode_warn(const attn_translation *translation, const char *name, int64_t first_line) {
    for (size_t i = 0; i < attn_translation_count(translation); i++) {
        size_t tokens = attn_translation_cut(translation, i);
        if (tokens > 0) {
            const attn_model *model = attn_translation_model(translation);
            int64_t most = attn_translator_get_config(model->translator)->max_length - 1;
            attn_say_warning("%s:%lld: a sentence has %zu tokens, the model takes %lld: cut inside",
                             name, (long long)first_line + (long long)i, tokens, (long long)most);
        }
    }
}

void attn_decode_stats_print(const attn_decode_stats *stats) {
    double seconds = stats->seconds > 0 ? stats->seconds : 1e-9;
    fprintf(stderr, "%lld sentences in %.3f s: %.1f sentences/s, %.0f tokens/s (%d threads, %s)\n",
            (long long)stats->sentences, stats->seconds, (double)stats->sentences / seconds,
            (double)stats->tokens / seconds, attn_get_threads(), attn_isa_name());
}
