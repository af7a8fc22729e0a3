/* cli/cmd_shortlist.c: `attn shortlist`: learns from parallel text which target tokens matter for which
 * source tokens, for `attn translate --shortlist`. */
#include <stdlib.h>

#include "attn/shortlist.h"
#include "attn/threads.h"
#include "base/fail.h"
#include "base/minmax.h"
#include "command.h"
#include "model.h"
#include "text/alignment.h"

typedef struct options {
    const char *model, *source, *target, *output;
    int64_t frequent, likely, iterations, threads;
} options;

static const options defaults = {.frequent = 200, .likely = 50, .iterations = 4};

/* clang-format off */
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "FILE",
     .help = "the model to make the shortlist for (default: $ATTN_MODEL, else models/en-fr.safetensors)"},
    {"source", 's', ATTN_OPTION_FILE, offsetof(options, source), .value = "FILE",
     .help = "sentences, one per line: the training text or a part of it"},
    {"target", 't', ATTN_OPTION_FILE, offsetof(options, target), .value = "FILE",
     .help = "their translations"},
    {"output", 'o', ATTN_OPTION_FILE, offsetof(options, output), .value = "FILE",
     .help = "the shortlist"},
    {"frequent", 0, ATTN_OPTION_INT, offsetof(options, frequent), 1, 1e6, .value = "N",
     .help = "target tokens that every sentence may use (default 200)"},
    {"likely", 0, ATTN_OPTION_INT, offsetof(options, likely), 1, 1e5, .value = "N",
     .help = "translations of each source token (default 50)"},
    {"iterations", 0, ATTN_OPTION_INT, offsetof(options, iterations), 1, 100, .value = "N",
     .help = "rounds of expectation maximization (default 4)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
};
/* clang-format on */

static attn_status write_shortlist(const options *o, const attn_corpus *corpus,
                                   const attn_translator_config *config, attn_error *error) {
    int64_t vocabulary = config->vocabulary;
    int64_t sources = config->source_vocabulary != 0 ? config->source_vocabulary : vocabulary;
    int64_t most = attn_min(o->frequent, vocabulary), per_token = attn_min(o->likely, vocabulary);
    int32_t *frequent = malloc((size_t)most * sizeof *frequent);
    int32_t *likely = malloc((size_t)(sources * per_token) * sizeof *likely);
    attn_shortlist *list = NULL;
    attn_status status = frequent != NULL && likely != NULL
                             ? ATTN_OK
                             : attn_fail_memory(error, (size_t)(sources * per_token) * 4);
    if (status == ATTN_OK) {
        status = attn_alignment_frequent(corpus, vocabulary, most, frequent, error);
    }
    if (status == ATTN_OK) {
        status = attn_alignment_likely(corpus, sources, o->iterations, per_token, likely, error);
    }
    while (status == ATTN_OK && most > 0 && frequent[most - 1] < 0) {
        most--;
    }
    if (status == ATTN_OK) {
        status = attn_shortlist_create(vocabulary, config->source_vocabulary, most, frequent,
                                       per_token, likely, &list, error);
    }
    if (status == ATTN_OK) {
        status = attn_shortlist_save(list, o->output, error);
    }
    attn_shortlist_free(list);
    free(likely);
    free(frequent);
    return status;
}

static int shortlist_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    (void)operand_count;
    (void)operand;
    if (o->source == NULL || o->target == NULL || o->output == NULL) {
        return attn_say_misuse("shortlist: name the text with --source and --target, and the "
                               "shortlist with --output");
    }
    attn_model *model;
    attn_error error;
    attn_set_threads((int)o->threads);
    attn_status status = attn_translator_model_open(o->model, NULL, &model, &error);
    if (status != ATTN_OK) {
        attn_model_close(model);
        return attn_say_error(&error);
    }
    const attn_translator_config *config = attn_translator_get_config(model->translator);
    attn_corpus corpus = {0};
    status = attn_corpus_read(o->source, o->target, model->tokenizer, config->max_length - 1,
                              attn_get_threads(), &corpus, &error);
    if (status == ATTN_OK) {
        status = write_shortlist(o, &corpus, config, &error);
    }
    attn_corpus_free(&corpus);
    attn_model_close(model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_shortlist = {
    .name = "shortlist",
    .summary = "Learn which words matter for a sentence, to translate faster",
    .usage = "[OPTION]... --source FILE --target FILE --output FILE",
    .description = "Learns from parallel text, by IBM model 1, which target tokens translate each "
                   "source token. `attn translate --shortlist` then scores only these and the most "
                   "frequent ones, which is faster and changes few translations.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .run = shortlist_run,
};
