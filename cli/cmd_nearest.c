/* cli/cmd_nearest.c: `attn nearest`: the lines of a file that are most like each line asked about. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "command.h"
#include "encoding.h"
#include "io/json_write.h"
#include "io/unpack.h"
#include "lines.h"

typedef struct options {
    attn_encoding_options encoding;
    const char *in;
    int64_t best;
    bool json;
} options;

static const options defaults = {.best = 5};

/* clang-format off */
static const attn_option table[] = {
    {"in", 'i', ATTN_OPTION_FILE, offsetof(options, in), .value = "FILE",
     .help = "the lines to look among; text may be packed (gzip, xz, zstd)"},
    {"best", 'n', ATTN_OPTION_INT, offsetof(options, best), 1, 1e6, .value = "N",
     .help = "print the N nearest lines (default 5)"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print one JSON object per query: query, nearest"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_encoding_table, offsetof(options, encoding)},
    {NULL, 0},
};

typedef struct work {
    const options *options;
    attn_model *model;
    attn_lines lines;
    float *vectors; /* of the lines */
    attn_neighbour *found;
    bool asked; /* before */
} work;

static attn_status print_json(const work *w, const char *query, int64_t count, attn_error *error) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) {
        const attn_neighbour *n = &w->found[i];
        json_array_append_new(list,
                              json_pack("{s:I, s:f, s:s}", "line", (json_int_t)(n->index + 1),
                                        "cosine", n->cosine, "text", w->lines.line[n->index]));
    }
    json_t *object = json_pack("{s:s, s:o}", "query", query, "nearest", list);
    return attn_json_print(object, JSON_COMPACT | JSON_REAL_PRECISION(7), stdout, error);
}

/* An empty line stands between the answers to two queries. */
static void print_plain(const work *w, int64_t count) {
    if (w->asked) {
        putchar('\n');
    }
    for (int64_t i = 0; i < count; i++) {
        const attn_neighbour *n = &w->found[i];
        printf("%.4f\t%lld\t%s\n", n->cosine, (long long)n->index + 1, w->lines.line[n->index]);
    }
}

static attn_status ask(work *w, char *query, attn_error *error) {
    float *vector;
    attn_status status =
        attn_encoding_texts(w->model, &w->options->encoding, &query, 1, &vector, error);
    if (status == ATTN_OK) {
        int64_t count = attn_nearest_vectors(w->vectors, (int64_t)w->lines.count,
                                             attn_model_vector_size(w->model), vector,
                                             w->options->best, w->found);
        if (w->options->json) {
            status = print_json(w, query, count, error);
        } else {
            print_plain(w, count);
        }
        w->asked = true;
        status = status == ATTN_OK ? attn_output_flush(error) : status;
    }
    attn_free(vector);
    return status;
}

static attn_status ask_input(work *w, attn_error *error) {
    attn_line_reader reader;
    char *line = NULL;
    attn_status status = attn_line_reader_open(NULL, &reader, error);
    while (status == ATTN_OK) {
        status = attn_line_reader_next(&reader, true, &line, error);
        if (status != ATTN_OK || line == NULL) {
            break;
        }
        status = ask(w, line, error);
        free(line);
    }
    attn_line_reader_close(&reader);
    return status;
}

static attn_status prepare(work *w, attn_error *error) {
    size_t best = (size_t)attn_min(w->options->best, (int64_t)w->lines.count);
    w->found = malloc((best + 1) * sizeof *w->found);
    return w->found != NULL ? attn_encoding_texts(w->model, &w->options->encoding, w->lines.line,
                                                  w->lines.count, &w->vectors, error)
                            : attn_fail_memory(error, best * sizeof *w->found);
}

static int nearest_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    work w = {.options = o};
    attn_error error;
    if (o->in == NULL) {
        return attn_say_misuse("nearest: name the lines to look among with --in FILE");
    }
    attn_status status = attn_encoding_open(&o->encoding, false, &w.model, &error);
    status = status == ATTN_OK ? attn_unpack_lines(o->in, &w.lines, &error) : status;
    status = status == ATTN_OK ? prepare(&w, &error) : status;
    for (int i = 0; i < operand_count && status == ATTN_OK; i++) {
        status = ask(&w, operand[i], &error);
    }
    if (status == ATTN_OK && operand_count == 0) {
        status = ask_input(&w, &error);
    }
    attn_lines_free(&w.lines);
    attn_free(w.vectors);
    free(w.found);
    attn_model_close(w.model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_nearest = {
    .name = "nearest",
    .summary = "Find the lines of a file that are most like a text",
    .usage = "[OPTION]... --model PATH --in FILE [QUERY]...",
    .description =
        "Prints for each QUERY, or for each line of standard input, the lines of FILE whose "
        "vectors "
        "point most nearly where the query's does: the cosine of the angle, the line's number and "
        "the line, separated by tabs, the nearest first. Of lines as near, the earlier comes "
        "first. "
        "An empty line stands between the answers to two queries. `attn embed` tells of the "
        "vectors.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 1000000,
    .run = nearest_run,
};
