/* cli/cmd_score.c: `attn score`: how likely the model finds given translations.
 *
 * The decoder is fed the given target ids step by step, a batch of pairs at a time; a pair's figures
 * are the bits that searching would have given. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "decode.h"
#include "text/corpus.h"

typedef struct options {
    const char *model, *source, *target;
    int64_t batch, threads;
    bool json;
} options;

static const options defaults = {.batch = 64};

/* clang-format off */
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "FILE",
     .help = "the model (default: $ATTN_MODEL, else models/en-fr.safetensors)"},
    {"source", 's', ATTN_OPTION_FILE, offsetof(options, source), .value = "FILE",
     .help = "the sentences, one per line"},
    {"target", 't', ATTN_OPTION_FILE, offsetof(options, target), .value = "FILE",
     .help = "their translations"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print one JSON object per line, with every token's log-probability"},
    {"batch", 0, ATTN_OPTION_INT, offsetof(options, batch), 1, 4096, .value = "N",
     .help = "pairs scored together; affects speed only (default 64)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
};
/* clang-format on */

/* One pair: ids with </s> at the end, and log p of each target id. */
typedef struct pair {
    int32_t *source, *target;
    int64_t source_length, target_length;
    attn_real *log_p; /* [target_length] */
} pair;

static attn_status read_side(const attn_model *model, const char *text, const char *name,
                             int64_t line, int32_t **ids, int64_t *length, attn_error *error) {
    int64_t most = attn_translator_get_config(model->translator)->max_length;
    int32_t *found = NULL;
    size_t count = 0;
    attn_status status =
        attn_tokenizer_encode(model->tokenizer, text, strlen(text), &found, &count, error);
    if (status != ATTN_OK) {
        return status;
    }
    *ids = realloc(found, (count + 1) * sizeof **ids);
    if (*ids == NULL) {
        free(found);
        return attn_fail_memory(error, (count + 1) * sizeof **ids);
    }
    (*ids)[count] = ATTN_EOS;
    *length = (int64_t)count + 1;
    if (*length > most) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, line, "split the line",
                         "%lld tokens, but the model takes at most %lld", (long long)*length,
                         (long long)most);
    }
    return ATTN_OK;
}

static void free_pairs(pair *pairs, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        free(pairs[i].source);
        free(pairs[i].target);
        free(pairs[i].log_p);
    }
}

/* The pairs that still have a target id at this step, as rows; returns how many. */
static int64_t gather_rows(const pair *pairs, int64_t count, int64_t step, int64_t *row_of,
                           int32_t *tokens, int64_t *parents) {
    int64_t rows = 0;
    for (int64_t i = 0; i < count; i++) {
        if (step < pairs[i].target_length) {
            tokens[rows] = step == 0 ? ATTN_BOS : pairs[i].target[step - 1];
            parents[rows] = step == 0 ? i : row_of[i];
            row_of[i] = rows++;
        }
    }
    return rows;
}

static attn_status encode(attn_translator_state *state, const pair *pairs, int64_t count,
                          attn_error *error) {
    int64_t total = 0, steps = 0;
    for (int64_t i = 0; i < count; i++) {
        total += pairs[i].source_length;
        steps = pairs[i].target_length > steps ? pairs[i].target_length : steps;
    }
    int32_t *source = malloc((size_t)(total + 1) * sizeof *source);
    int64_t *starts = malloc((size_t)(count + 1) * sizeof *starts);
    attn_status status;
    if (source == NULL || starts == NULL) {
        status = attn_fail_memory(error, (size_t)total * sizeof *source);
        goto out;
    }
    starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        memcpy(source + starts[i], pairs[i].source,
               (size_t)pairs[i].source_length * sizeof *source);
        starts[i + 1] = starts[i] + pairs[i].source_length;
    }
    status = attn_translator_encode(state, count, source, starts, count, steps, error);
out:
    free(source);
    free(starts);
    return status;
}

static attn_status score_batch(const attn_model *model, attn_translator_state *state, pair *pairs,
                               int64_t count, attn_error *error) {
    int64_t vocabulary = attn_translator_get_config(model->translator)->vocabulary;
    size_t n = (size_t)count;
    attn_real *log_p = malloc(n * (size_t)vocabulary * sizeof *log_p);
    int64_t *row_of = malloc(n * sizeof *row_of), *parents = malloc(n * sizeof *parents);
    int32_t *tokens = malloc(n * sizeof *tokens);
    attn_status status = ATTN_OK;
    if (log_p == NULL || row_of == NULL || parents == NULL || tokens == NULL) {
        status = attn_fail_memory(error, n * (size_t)vocabulary * sizeof *log_p);
        goto out;
    }
    status = encode(state, pairs, count, error);
    for (int64_t step = 0; status == ATTN_OK; step++) {
        int64_t rows = gather_rows(pairs, count, step, row_of, tokens, parents);
        if (rows == 0) {
            break;
        }
        status = attn_translator_step(state, rows, tokens, parents, log_p, NULL, error);
        for (int64_t i = 0; i < count && status == ATTN_OK; i++) {
            if (step < pairs[i].target_length) {
                pairs[i].log_p[step] = log_p[row_of[i] * vocabulary + pairs[i].target[step]];
            }
        }
    }
out:
    free(log_p);
    free(row_of);
    free(parents);
    free(tokens);
    return status;
}

static void print_pair(const attn_model *model, const options *o, int64_t line, const pair *p) {
    double sum = 0.0;
    for (int64_t t = 0; t < p->target_length; t++) {
        sum += p->log_p[t];
    }
    double each = sum / (double)p->target_length;
    if (!o->json) {
        printf("%.4f\t%.4f\n", sum, each);
        return;
    }
    json_t *tokens = json_array(), *log_p = json_array();
    for (int64_t t = 0; t < p->target_length; t++) {
        const char *piece = attn_tokenizer_piece(model->tokenizer, p->target[t]);
        json_array_append_new(tokens, json_string(piece));
        json_array_append_new(log_p, json_real(p->log_p[t]));
    }
    json_t *object =
        json_pack("{s:I, s:f, s:f, s:o, s:o}", "line", (json_int_t)line, "log_probability", sum,
                  "per_token", each, "tokens", tokens, "token_log_probabilities", log_p);
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
    putchar('\n');
    json_decref(object);
}

/* Reads, scores and prints the pairs from line `first` (from 0) on. */
static attn_status score_lines(const attn_model *model, const options *o, const attn_lines *source,
                               const attn_lines *target, size_t first, size_t count,
                               attn_translator_state *state, attn_error *error) {
    pair *pairs = calloc(count, sizeof *pairs);
    if (pairs == NULL) {
        return attn_fail_memory(error, count * sizeof *pairs);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        int64_t line = (int64_t)(first + i) + 1;
        status = read_side(model, source->line[first + i], o->source, line, &pairs[i].source,
                           &pairs[i].source_length, error);
        if (status == ATTN_OK) {
            status = read_side(model, target->line[first + i], o->target, line, &pairs[i].target,
                               &pairs[i].target_length, error);
        }
        if (status == ATTN_OK) {
            pairs[i].log_p = malloc((size_t)(pairs[i].target_length + 1) * sizeof(attn_real));
            status = pairs[i].log_p != NULL ? ATTN_OK : attn_fail_memory(error, sizeof(attn_real));
        }
    }
    if (status == ATTN_OK) {
        status = score_batch(model, state, pairs, (int64_t)count, error);
    }
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        print_pair(model, o, (int64_t)(first + i) + 1, &pairs[i]);
    }
    free_pairs(pairs, (int64_t)count);
    free(pairs);
    return status == ATTN_OK ? attn_output_flush(error) : status;
}

static attn_status score_files(const options *o, const attn_lines *source, const attn_lines *target,
                               attn_error *error) {
    attn_model model;
    attn_translator_state *state = NULL;
    attn_status status = attn_model_open(o->model, ATTN_COMPUTE_F32, &model, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_translator_state_create(model.translator, &state, error);
    size_t batch = (size_t)o->batch;
    for (size_t first = 0; first < source->count && status == ATTN_OK; first += batch) {
        size_t left = source->count - first;
        status = score_lines(&model, o, source, target, first, left < batch ? left : batch, state,
                             error);
    }
    attn_translator_state_free(state);
    attn_model_close(&model);
    return status;
}

static int run(const void *given, int operand_count, char **operand) {
    (void)operand_count;
    (void)operand;
    const options *o = given;
    if (o->source == NULL || o->target == NULL) {
        return attn_say_misuse("score: name both sides: --source FILE --target FILE");
    }
    attn_set_threads((int)o->threads);
    attn_lines source = {0}, target = {0};
    attn_error error;
    attn_status status = attn_lines_read(o->source, &source, &error);
    if (status == ATTN_OK) {
        status = attn_lines_read(o->target, &target, &error);
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
    .description =
        "Prints, for each pair of lines, the natural logarithm of the target's probability given "
        "the source, end of sentence included, and the same per token.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .run = run,
};
