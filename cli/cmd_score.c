/* cli/cmd_score.c: `attn score`: how likely the model finds given translations.
 *
 * A pair's figures are the bits that searching would have given (pipeline/pair.h). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "command.h"
#include "io/json_write.h"
#include "model.h"
#include "pipeline/pair.h"
#include "io/unpack.h"

typedef struct options {
    const char *model, *source, *target;
    attn_pair_options pair;
    int64_t batch, threads;
    bool json, raw;
} options;

static const options defaults = {.batch = 64};

/* clang-format off */
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "FILE",
     .help = "the model (default: $ATTN_MODEL, else models/en-fr.safetensors)"},
    {"source", 's', ATTN_OPTION_FILE, offsetof(options, source), .value = "FILE",
     .help = "the sentences, one per line; text may be packed (gzip, xz, zstd), a pipe, or - for standard input"},
    {"target", 't', ATTN_OPTION_FILE, offsetof(options, target), .value = "FILE",
     .help = "their translations"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print one JSON object per line, with every token's log-probability"},
    {"raw", 0, ATTN_OPTION_FLAG, offsetof(options, raw),
     .help = "score each pair of lines as one sequence each: no sentences are cut"},
    {"batch", 0, ATTN_OPTION_INT, offsetof(options, batch), 1, 4096, .value = "N",
     .help = "pairs scored together; affects speed only (default 64)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_pair_table, offsetof(options, pair)},
    {NULL, 0},
};

/* A line of both files: pairs of sentences, one after another among those of the batch. */
typedef struct scored_line {
    size_t first, count;
} scored_line;

typedef struct batch {
    scored_line *lines;
    attn_sentence_pair *pairs;
    attn_real **log_p; /* [pair_count], each [its target_length] */
    size_t line_count, pair_count, room;
} batch;

static attn_status grow_batch(batch *b, attn_error *error) {
    if (b->pair_count < b->room) {
        return ATTN_OK;
    }
    size_t room = 2 * b->room + 16;
    attn_sentence_pair *pairs = realloc(b->pairs, room * sizeof *pairs);
    b->pairs = pairs != NULL ? pairs : b->pairs;
    attn_real **log_p = realloc(b->log_p, room * sizeof *log_p);
    b->log_p = log_p != NULL ? log_p : b->log_p;
    if (pairs == NULL || log_p == NULL) {
        return attn_fail_memory(error, room * sizeof *pairs);
    }
    b->room = room;
    return ATTN_OK;
}

static void free_batch(batch *b) {
    for (size_t i = 0; i < b->pair_count; i++) {
        attn_sentence_pair_free(&b->pairs[i]);
        free(b->log_p[i]);
    }
    free(b->lines);
    free(b->pairs);
    free(b->log_p);
}

/* Sentence i of a line; the whole line as one sequence where its sides do not match. */
static attn_status read_pair(const attn_model *model, const options *o, const char *source,
                             const char *target, size_t i, attn_sentence_pair *out, size_t *count,
                             attn_error *error) {
    attn_status status = ATTN_ERR_ARGUMENT;
    if (!o->raw) {
        status = attn_sentence_pair_of_texts(model, source, target, i, out, count, error);
    }
    if (status == ATTN_ERR_ARGUMENT && i == 0) {
        attn_sentence_pair_free(out);
        *count = 1;
        status = attn_sentence_pair_raw(model, source, target, out, error);
    }
    return status;
}

static attn_status add_line(const attn_model *model, const options *o, const char *source,
                            const char *target, int64_t number, batch *b, attn_error *error) {
    scored_line *line = &b->lines[b->line_count++];
    attn_status status = ATTN_OK;
    line->first = b->pair_count;
    line->count = 1;
    for (size_t i = 0; i < line->count && status == ATTN_OK; i++) {
        status = grow_batch(b, error);
        if (status != ATTN_OK) {
            break;
        }
        attn_sentence_pair *pair = &b->pairs[b->pair_count];
        b->log_p[b->pair_count++] = NULL;
        *pair = (attn_sentence_pair){0};
        status = read_pair(model, o, source, target, i, pair, &line->count, error);
        if (status == ATTN_OK) {
            attn_real *log_p = malloc((size_t)(pair->target_length + 1) * sizeof *log_p);
            b->log_p[b->pair_count - 1] = log_p;
            status = log_p != NULL ? ATTN_OK : attn_fail_memory(error, sizeof *log_p);
        }
    }
    if (status == ATTN_ERR_ARGUMENT) {
        snprintf(error->where, sizeof error->where, "%s", o->source);
        error->position = number;
    }
    return status;
}

/* One sentence's tokens and their log-probabilities go behind those of the line so far. */
static void add_tokens(const attn_model *model, const attn_sentence_pair *p, const attn_real *log_p,
                       json_t *tokens, json_t *values) {
    for (int64_t t = 0; t < p->target_length; t++) {
        const char *piece =
            attn_tokenizer_piece(attn_tokenizer_target(model->tokenizer), p->target[t + 1]);
        json_array_append_new(tokens, json_string(piece));
        json_array_append_new(values, json_real(log_p[t]));
    }
}

static attn_status print_line(const attn_model *model, const options *o, int64_t number,
                              const batch *b, const scored_line *line, attn_error *error) {
    double sum = 0.0;
    int64_t length = 0;
    json_t *tokens = o->json ? json_array() : NULL, *log_p = o->json ? json_array() : NULL;
    for (size_t i = line->first; i < line->first + line->count; i++) {
        const attn_sentence_pair *p = &b->pairs[i];
        for (int64_t t = 0; t < p->target_length; t++) {
            sum += b->log_p[i][t];
        }
        length += p->target_length;
        add_tokens(model, p, b->log_p[i], tokens, log_p);
    }
    if (!o->json) {
        printf("%.4f\t%.4f\n", sum, sum / (double)length);
        return ATTN_OK;
    }
    json_t *object =
        json_pack("{s:I, s:f, s:f, s:I, s:o, s:o}", "line", (json_int_t)number, "log_probability",
                  sum, "per_token", sum / (double)length, "sentences", (json_int_t)line->count,
                  "tokens", tokens, "token_log_probabilities", log_p);
    return attn_json_print(object, JSON_COMPACT | JSON_REAL_PRECISION(7), stdout, error);
}

/* Reads, scores and prints `count` lines from line `first` (from 0) on. */
static attn_status score_lines(const attn_model *model, const options *o, const attn_lines *source,
                               const attn_lines *target, size_t first, size_t count,
                               attn_error *error) {
    batch b = {.lines = calloc(count, sizeof *b.lines)};
    attn_status status =
        b.lines != NULL ? ATTN_OK : attn_fail_memory(error, count * sizeof *b.lines);
    for (size_t i = first; i < first + count && status == ATTN_OK; i++) {
        status = add_line(model, o, source->line[i], target->line[i], (int64_t)i + 1, &b, error);
    }
    if (status == ATTN_OK) {
        status = attn_sentence_pairs_score(model, b.pairs, b.pair_count, b.log_p, error);
    }
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = print_line(model, o, (int64_t)(first + i) + 1, &b, &b.lines[i], error);
    }
    free_batch(&b);
    return status == ATTN_OK ? attn_output_flush(error) : status;
}

static attn_status score_files(const options *o, const attn_lines *source, const attn_lines *target,
                               attn_error *error) {
    attn_model *model = NULL;
    attn_model_options open;
    attn_model_options_init(&open);
    open.source = o->pair.from;
    open.target = o->pair.to;
    attn_status status = attn_translator_model_open(o->model, &open, &model, error);
    size_t most = (size_t)o->batch;
    for (size_t first = 0; first < source->count && status == ATTN_OK; first += most) {
        size_t left = source->count - first;
        status = score_lines(model, o, source, target, first, left < most ? left : most, error);
    }
    attn_model_close(model);
    return status;
}

static int score_run(const void *given, int operand_count, char **operand) {
    (void)operand_count;
    (void)operand;
    const options *o = given;
    if (o->source == NULL || o->target == NULL) {
        return attn_say_misuse("score: name both sides: --source FILE --target FILE");
    }
    attn_set_threads((int)o->threads);
    attn_lines source = {0}, target = {0};
    attn_error error;
    attn_status status = attn_unpack_lines(o->source, &source, &error);
    if (status == ATTN_OK) {
        status = attn_unpack_lines(o->target, &target, &error);
    }
    if (status == ATTN_OK && source.count != target.count) {
        status = attn_fail(&error, ATTN_ERR_FORMAT, o->target, -1,
                           "give both files the same number of lines", "%zu lines, but %s has %zu",
                           target.count, o->source, source.count);
    }
    if (status == ATTN_OK) {
        status = score_files(o, &source, &target, &error);
    }
    attn_lines_free(&source);
    attn_lines_free(&target);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_score = {
    .name = "score",
    .summary = "Print how likely a model finds given translations",
    .usage = "[OPTION]... --source FILE --target FILE",
    .description = "Prints for each pair of lines the natural logarithm of the target's "
                   "probability given the source, ends of sentences included, and the same per "
                   "token. Lines of as many sentences on both sides are scored sentence by "
                   "sentence, as they are translated; other lines as one sequence.",
    .options = table,
    .groups = groups,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .run = score_run,
};
