/* cli/decode.c: the options of decoding as the pipeline takes them, and its speed. */
#include "decode.h"

#include "attn/threads.h"
#include "base/clock.h"

const attn_option attn_decode_table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(attn_decode_options, model), .value = "FILE",
     .help = "the model (default: $ATTN_MODEL, else models/en-fr.safetensors)"},
    {"beam", 'b', ATTN_OPTION_INT, offsetof(attn_decode_options, beam), 1, 256, .value = "N",
     .help = "width of the beam search; 1 is greedy (default 4)"},
    {"length-penalty", 0, ATTN_OPTION_REAL, offsetof(attn_decode_options, length_penalty), -10, 10,
     .value = "A", .help = "score = log-probability / length^A (default 1)"},
    {"max-length", 0, ATTN_OPTION_INT, offsetof(attn_decode_options, max_length), 1, 1e6,
     .value = "N", .help = "most tokens in a translation (default: the model's limit)"},
    {"no-repeat-guard", 0, ATTN_OPTION_FLAG, offsetof(attn_decode_options, no_repeat_guard),
     .help = "allow endless repetition"},
    {"no-length-guard", 0, ATTN_OPTION_FLAG, offsetof(attn_decode_options, no_length_guard),
     .help = "allow more than 2 x source + 20 tokens"},
    {"int8", 0, ATTN_OPTION_FLAG, offsetof(attn_decode_options, int8),
     .help = "use 8-bit integer products: faster, with almost the same translations"},
    {"shortlist", 0, ATTN_OPTION_FILE, offsetof(attn_decode_options, shortlist), .value = "FILE",
     .help = "consider only the words proposed by FILE, from `attn shortlist`: faster"},
    {"glossary", 0, ATTN_OPTION_FILE, offsetof(attn_decode_options, glossary), .value = "FILE",
     .help = "terms whose translation is fixed: lines of SOURCE<TAB>TARGET"},
    {"raw", 0, ATTN_OPTION_FLAG, offsetof(attn_decode_options, raw),
     .help = "hand each line to the model as it is: no sentences are cut, nothing is kept"},
    {"translate-all", 0, ATTN_OPTION_FLAG, offsetof(attn_decode_options, translate_all),
     .help =
         "translate also what is surely in the target language already; else it stays as it is"},
    {"batch", 0, ATTN_OPTION_INT, offsetof(attn_decode_options, batch), 1, 4096, .value = "N",
     .help = "sentences per thread and batch; affects speed only (default 64)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(attn_decode_options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
    {"stats", 0, ATTN_OPTION_FLAG, offsetof(attn_decode_options, stats),
     .help = "print the speed on stderr at the end"},
    {.name = NULL},
};

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
    translate.translate_all = options->translate_all;
    translate.attributes = options->attributes;
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
    model.source = options->pair.from;
    model.target = options->pair.to;
    return attn_translator_model_open(options->model, &model, out, error);
}

attn_status attn_decode_texts(const attn_model *model, const char *const *texts, size_t count,
                              const attn_translate_options *options, attn_translation **out,
                              attn_decode_stats *stats, attn_error *error) {
    double start = attn_clock();
    attn_status status = attn_translate_texts(model, texts, count, options, out, error);
    stats->seconds += attn_clock() - start;
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
