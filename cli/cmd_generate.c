/* cli/cmd_generate.c: `attn generate`: how each line goes on, or how likely it is, as a decoder has it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "attn/generate.h"
#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "import/import.h"
#include "io/json_write.h"
#include "lines.h"
#include "pipeline/prompts.h"

typedef struct options {
    const char *model;
    int64_t max_tokens, top_k, seed, threads;
    double temperature;
    bool sample, score, json, int8;
} options;

static const options defaults = {.max_tokens = 100, .temperature = 1};

/* clang-format off */
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "PATH",
     .help = "the decoder: a file of attn's, or a folder of CTranslate2's (default: $ATTN_DECODER)"},
    {"max-tokens", 0, ATTN_OPTION_INT, offsetof(options, max_tokens), 1, 1e6, .value = "N",
     .help = "most tokens of a continuation (default 100)"},
    {"sample", 0, ATTN_OPTION_FLAG, offsetof(options, sample),
     .help = "draw tokens at random instead of taking the likeliest"},
    {"temperature", 0, ATTN_OPTION_REAL, offsetof(options, temperature), 0.01, 100, .value = "T",
     .help = "sample from p^(1/T): safer below 1, wilder above 1 (default 1)"},
    {"top-k", 0, ATTN_OPTION_INT, offsetof(options, top_k), 0, 1e6, .value = "K",
     .help = "sample from the K likeliest tokens; 0: from all (default)"},
    {"seed", 0, ATTN_OPTION_INT, offsetof(options, seed), 0, 9e15, .value = "N",
     .help = "seed of the random numbers, which also depend on the line number (default 0)"},
    {"score", 0, ATTN_OPTION_FLAG, offsetof(options, score),
     .help = "print instead the log-probability of each line, and the same per token"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print one JSON object per line: text, tokens, their log-probabilities, whether the model ended it"},
    {"int8", 0, ATTN_OPTION_FLAG, offsetof(options, int8),
     .help = "multiply 8-bit integers: faster, slightly different numbers"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
};
/* clang-format on */

typedef struct work {
    const options *options;
    attn_model *model;
    attn_line_reader reader;
    const attn_line_group *group;
    size_t count; /* of its lines, the first ones, that are computed */
} work;

/* ---- what is said of a line ---- */

static json_t *list_tokens(const work *w, const int32_t *ids, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) {
        const char *piece = attn_tokenizer_piece(attn_model_tokenizer(w->model), ids[i]);
        json_array_append_new(list, json_string(piece));
    }
    return list;
}

static json_t *list_reals(const attn_real *values, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) {
        json_array_append_new(list, json_real((double)values[i]));
    }
    return list;
}

static attn_status print_object(json_t *object, attn_error *error) {
    return attn_json_print(object, JSON_COMPACT | JSON_REAL_PRECISION(7), stdout, error);
}

/* A line of the output is one of the input, whatever the model wrote. */
static void print_text(char *text) {
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '\n' || *at == '\r' ? ' ' : *at;
    }
    puts(text);
}

static attn_status print_continuation(const work *w, size_t i, const attn_continuation *c,
                                      attn_error *error) {
    char *text;
    attn_status status = attn_prompts_decode(w->model, c->ids, c->length, &text, error);
    if (status == ATTN_OK && w->options->json) {
        int64_t told = c->length + c->ended;
        status = print_object(
            json_pack("{s:I, s:s, s:b, s:f, s:o, s:o}", "line",
                      (json_int_t)(w->group->before + (int64_t)i + 1), "text", text, "ended",
                      c->ended, "log_probability", c->log_probability, "tokens",
                      list_tokens(w, c->ids, c->length), "token_log_probabilities",
                      list_reals(c->token_log_probability, told)),
            error);
    } else if (status == ATTN_OK) {
        print_text(text);
    }
    attn_tokenizer_release(text);
    return status;
}

/* The first id is not foretold: it is what stands in front of every text, or the text's first token. */
static attn_status print_score(const work *w, size_t i, const int32_t *ids, const attn_real *log_p,
                               int64_t count, attn_error *error) {
    double sum = 0;
    for (int64_t t = 1; t < count; t++) {
        sum += (double)log_p[t];
    }
    double each = count > 1 ? sum / (double)(count - 1) : 0;
    if (!w->options->json) {
        printf("%.4f\t%.4f\n", sum, each);
        return ATTN_OK;
    }
    return print_object(json_pack("{s:I, s:f, s:f, s:o, s:o}", "line",
                                  (json_int_t)(w->group->before + (int64_t)i + 1),
                                  "log_probability", sum, "per_token", each, "tokens",
                                  list_tokens(w, ids + 1, count - 1), "token_log_probabilities",
                                  list_reals(log_p + 1, count - 1)),
                        error);
}

/* ---- a group of lines ---- */

static attn_status score_group(const work *w, const attn_prompts *prompts, attn_error *error) {
    int64_t count = (int64_t)w->count, tokens = prompts->starts[count];
    const attn_decoder_batch batch = {count, prompts->ids, prompts->starts};
    attn_real *log_p = attn_alloc((size_t)tokens * sizeof *log_p);
    attn_status status = log_p != NULL ? attn_decoder_score(w->model->decoder, &batch, log_p, error)
                                       : attn_fail_memory(error, (size_t)tokens * sizeof *log_p);
    for (size_t i = 0; i < w->count && status == ATTN_OK; i++) {
        int64_t start = prompts->starts[i];
        status = print_score(w, i, prompts->ids + start, log_p + start,
                             prompts->starts[i + 1] - start, error);
    }
    attn_free(log_p);
    return status;
}

static attn_status continue_group(const work *w, const attn_prompts *prompts, attn_error *error) {
    const options *o = w->options;
    attn_continuation continuations[ATTN_LENGTH(w->group->line)];
    uint64_t streams[ATTN_LENGTH(w->group->line)];
    attn_generate_options how;
    attn_generate_options_init(&how);
    how.max_tokens = o->max_tokens;
    how.sample = o->sample;
    how.temperature = o->temperature;
    how.top_k = o->top_k;
    how.seed = (uint64_t)o->seed;
    for (size_t i = 0; i < w->count; i++) {
        streams[i] = (uint64_t)w->group->before + i + 1;
    }
    attn_status status = attn_generate(w->model->decoder, (int64_t)w->count, prompts->ids,
                                       prompts->starts, streams, &how, continuations, error);
    for (size_t i = 0; i < w->count && status == ATTN_OK; i++) {
        status = print_continuation(w, i, &continuations[i], error);
    }
    attn_continuations_free(continuations, (int64_t)w->count);
    return status;
}

static attn_status finish_first(work *w, size_t count, attn_error *error) {
    attn_prompts prompts;
    *error = (attn_error){.position = -1};
    w->count = count;
    attn_status status =
        attn_prompts_encode(w->model, (const char *const *)w->group->line, count, &prompts, error);
    if (status == ATTN_OK) {
        status = w->options->score ? score_group(w, &prompts, error)
                                   : continue_group(w, &prompts, error);
    }
    attn_prompts_free(&prompts);
    return status;
}

/* A line that the model does not take is named; those before it have been finished. */
static attn_status finish_group(void *context, const attn_line_group *group, attn_error *error) {
    work *w = context;
    w->group = group;
    attn_status status = finish_first(w, group->count, error);
    if (status == ATTN_OK || error->position <= 0 || error->where[0] != '\0') {
        return status;
    }
    attn_error failed;
    size_t good = (size_t)error->position - 1;
    snprintf(error->where, sizeof error->where, "%s", w->reader.name);
    error->position += group->before;
    if (good > 0 && finish_first(w, good, &failed) != ATTN_OK) {
        *error = failed;
    }
    return status;
}

static attn_status open_model(const options *o, attn_model **out, attn_error *error) {
    const char *path = o->model != NULL ? o->model : getenv("ATTN_DECODER");
    attn_model_options how;
    attn_model_options_init(&how);
    how.compute = o->int8 ? ATTN_COMPUTE_I8 : ATTN_COMPUTE_F32;
    if (path == NULL || path[0] == '\0') {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "name one with --model or ATTN_DECODER", "no decoder");
    }
    attn_status status = attn_import_open(path, &how, out, error);
    return status == ATTN_OK ? attn_model_check_kind(*out, ATTN_MODEL_DECODER, error) : status;
}

static int generate_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    work w = {.options = o, .reader = {.fd = -1}};
    attn_error error;
    if (o->score && o->sample) {
        return attn_say_misuse("generate: --score and --sample exclude each other");
    }
    attn_set_threads((int)o->threads);
    attn_status status = open_model(o, &w.model, &error);
    if (status == ATTN_OK) {
        status = attn_line_reader_open(operand_count > 0 ? operand[0] : NULL, &w.reader, &error);
    }
    status =
        status == ATTN_OK ? attn_line_reader_groups(&w.reader, finish_group, &w, &error) : status;
    attn_line_reader_close(&w.reader);
    attn_model_close(w.model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_generate = {
    .name = "generate",
    .summary = "Go on with each line of text, or say how likely it is",
    .usage = "[OPTION]... --model PATH [FILE]",
    .description =
        "Reads FILE, or standard input, and prints for each line how it goes on: the likeliest "
        "token, then the likeliest after that, until the model ends the text or --max-tokens are "
        "there. The model is a decoder such as GPT-2 or Llama that `attn import` made of a folder "
        "of CTranslate2, or that folder; docs/import.md says which. Where no tokenizer lies beside "
        "it, a line is tokens of its vocabulary, parted by spaces, and so is what is printed. A "
        "line break in a continuation is printed as a space; --json keeps it. A line's "
        "continuation depends on the line, its number if tokens are drawn, the model and the "
        "options alone.\nWith --score it prints the natural logarithm of the line's probability, "
        "and the same per token; nothing foretells the first token of a line, unless the model "
        "has one that stands in front of every text.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 1,
    .run = generate_run,
};
