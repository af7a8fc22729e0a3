/* cli/cmd_embed.c: `attn embed`: one vector of each line, or what the pieces of each line attend to; of a network of pictures, one
 * vector of each picture. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "attn/classify.h"
#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "command.h"
#include "encoding.h"
#include "image/encode.h"
#include "image/picture.h"
#include "io/json_write.h"
#include "lines.h"

enum { GROUP = 64 }; /* lines computed together, when so many have come */

typedef struct options {
    attn_encoding_options encoding;
    const char *npy;
    int64_t layer, head, max_pixels;
    bool json, attention;
} options;

static const options defaults = {.json = false};

/* clang-format off */
static const attn_option table[] = {
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print one JSON object per line: line, vector"},
    {"npy", 0, ATTN_OPTION_FILE, offsetof(options, npy), .value = "FILE",
     .help = "write all vectors to FILE instead, as numpy reads them: float32 [lines, numbers]"},
    {"attention", 0, ATTN_OPTION_FLAG, offsetof(options, attention),
     .help = "print what each piece of a line attends to instead, as JSON: tokens, weights"},
    {"layer", 0, ATTN_OPTION_INT, offsetof(options, layer), 1, 256, .value = "N",
     .help = "of --attention: the layer (default: the last)"},
    {"head", 0, ATTN_OPTION_INT, offsetof(options, head), 1, 256, .value = "N",
     .help = "of --attention: the head (default: the mean of all)"},
    {"max-pixels", 0, ATTN_OPTION_INT, offsetof(options, max_pixels), 1, 1e12, .value = "N",
     .help = "of pictures: refuse larger ones (default 100 million)"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_encoding_table, offsetof(options, encoding)},
    {NULL, 0},
};

typedef struct work {
    const options *options;
    attn_model *model;
    attn_line_reader reader;
    float *all;   /* with --npy: the vectors so far ... */
    int64_t kept; /* ... and how many */
    size_t room;
} work;

/* ---- what is said of a group ---- */

static void print_plain(const float *vector, size_t size) {
    for (size_t i = 0; i < size; i++) {
        printf("%s%.9g", i > 0 ? " " : "", (double)vector[i]);
    }
    putchar('\n');
}

static attn_status print_object(json_t *object, attn_error *error) {
    return attn_json_print(object, JSON_COMPACT | JSON_REAL_PRECISION(9), stdout, error);
}

static json_t *list_of(const float *values, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_real((double)values[i]));
    }
    return list;
}

static attn_status keep(work *w, const float *vectors, size_t count, size_t size,
                        attn_error *error) {
    size_t before = (size_t)w->kept * size, more = count * size;
    if (!attn_grow(&w->all, &w->room, before + more, sizeof *w->all)) {
        return attn_fail_memory(error, (before + more) * sizeof *w->all);
    }
    memcpy(w->all + before, vectors, more * sizeof *vectors);
    w->kept += (int64_t)count;
    return ATTN_OK;
}

static attn_status embed_group(work *w, const attn_line_group *group, attn_error *error) {
    const options *o = w->options;
    size_t size = (size_t)attn_model_vector_size(w->model);
    float *vectors;
    attn_status status =
        attn_encoding_texts(w->model, &o->encoding, group->line, group->count, &vectors, error);
    if (status == ATTN_OK && o->npy != NULL) {
        status = keep(w, vectors, group->count, size, error);
    }
    for (size_t i = 0; i < group->count && status == ATTN_OK && o->npy == NULL; i++) {
        const float *vector = vectors + i * size;
        if (o->json) {
            status = print_object(json_pack("{s:I, s:o}", "line",
                                            (json_int_t)(group->before + (int64_t)i + 1), "vector",
                                            list_of(vector, size)),
                                  error);
        } else {
            print_plain(vector, size);
        }
    }
    attn_free(vectors);
    return status;
}

static attn_status look_at_group(work *w, const attn_line_group *group, attn_error *error) {
    const options *o = w->options;
    const attn_tokenizer *tokenizer = attn_model_tokenizer(w->model);
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < group->count && status == ATTN_OK; i++) {
        attn_embed_look look;
        status = attn_embed_attend(w->model, group->line[i], o->layer, o->head, &look, error);
        json_t *tokens = json_array(), *weights = json_array();
        for (int64_t t = 0; t < look.count && status == ATTN_OK; t++) {
            json_array_append_new(tokens,
                                  json_string(attn_tokenizer_piece(tokenizer, look.ids[t])));
            json_array_append_new(weights,
                                  list_of(look.weights + t * look.count, (size_t)look.count));
        }
        json_t *object =
            json_pack("{s:I, s:o, s:o}", "line", (json_int_t)(group->before + (int64_t)i + 1),
                      "tokens", tokens, "weights", weights);
        if (status == ATTN_OK) {
            status = print_object(object, error);
        } else {
            json_decref(object);
        }
        attn_embed_look_free(&look);
    }
    return status;
}

static attn_status finish_group(void *context, const attn_line_group *group, attn_error *error) {
    work *w = context;
    return w->options->attention ? look_at_group(w, group, error) : embed_group(w, group, error);
}

/* ---- pictures ---- */

static attn_status embed_picture(work *w, const char *path, float *vector, size_t size,
                                 attn_error *error) {
    const options *o = w->options;
    attn_picture picture = {.rgb = NULL};
    attn_embed_options how = attn_encoding_embed_options(&o->encoding);
    attn_status status = attn_picture_read(path, o->max_pixels, &picture, error);
    if (status == ATTN_OK) {
        attn_pixels pixels = {picture.width, picture.height, picture.rgb};
        status = attn_embed_picture(w->model, &pixels, &how, vector, error);
    }
    attn_picture_free(&picture);
    if (status == ATTN_OK && o->npy != NULL) {
        status = keep(w, vector, 1, size, error);
    } else if (status == ATTN_OK && o->json) {
        status = print_object(
            json_pack("{s:s, s:o}", "picture", path, "vector", list_of(vector, size)), error);
    } else if (status == ATTN_OK) {
        print_plain(vector, size);
    }
    return status == ATTN_OK ? attn_output_flush(error) : status;
}

static attn_status embed_pictures(work *w, int count, char **path, attn_error *error) {
    size_t size = (size_t)attn_model_vector_size(w->model);
    float *vector = attn_alloc_zero(size, sizeof *vector);
    attn_status status = vector != NULL ? ATTN_OK : attn_fail_memory(error, size * sizeof *vector);
    if (status == ATTN_OK && (count == 0 || w->options->attention)) {
        status =
            attn_fail(error, ATTN_ERR_ARGUMENT, attn_model_path(w->model), -1,
                      count == 0 ? "name pictures" : "`attn attend` shows what a place looks at",
                      "it is an encoder of pictures");
    }
    for (int i = 0; i < count && status == ATTN_OK; i++) {
        status = embed_picture(w, path[i], vector, size, error);
    }
    attn_free(vector);
    return status;
}

/* ---- all lines ---- */

static attn_status embed_lines(work *w, int count, char **operand, attn_error *error) {
    if (count > 1) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, operand[1], -1, "give one file of lines",
                         "an encoder of text takes one file");
    }
    attn_status status = attn_line_reader_open(count > 0 ? operand[0] : NULL, &w->reader, error);
    return status == ATTN_OK ? attn_line_reader_groups(&w->reader, finish_group, w, error) : status;
}

static attn_status write_all(const work *w, attn_error *error) {
    const int64_t shape[2] = {w->kept, attn_model_vector_size(w->model)};
    static const float none = 0;
    return attn_npy_write(w->options->npy, w->all != NULL ? w->all : &none, shape, 2, error);
}

static int embed_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    work w = {.options = o, .reader = {.fd = -1}};
    attn_error error;
    if (o->encoding.normalise && o->encoding.no_normalise) {
        return attn_say_misuse("embed: --normalise and --no-normalise exclude each other");
    }
    if (o->npy != NULL && (o->json || o->attention)) {
        return attn_say_misuse("embed: --npy excludes --json and --attention");
    }
    attn_status status = attn_encoding_open(&o->encoding, true, &w.model, &error);
    if (status == ATTN_OK) {
        status = attn_model_get_kind(w.model) == ATTN_MODEL_PICTURES
                     ? embed_pictures(&w, operand_count, operand, &error)
                     : embed_lines(&w, operand_count, operand, &error);
    }
    if (status == ATTN_OK && o->npy != NULL) {
        status = write_all(&w, &error);
    }
    attn_line_reader_close(&w.reader);
    attn_model_close(w.model);
    attn_free(w.all);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_embed = {
    .name = "embed",
    .summary = "Turn each line of text, or each picture, into one vector",
    .usage = "[OPTION]... --model PATH [FILE]\n[OPTION]... --model PATH PICTURE...",
    .description =
        "Reads FILE, or standard input, and prints for each line its vector: numbers separated by "
        "spaces, as many as the model's layers are wide. Lines of like meaning have vectors that "
        "point nearly the same way, where the model was trained for that. The model is an encoder "
        "such as BERT or MiniLM, read as its makers made it; docs/import.md says which. A line's "
        "numbers are the same bits whatever lines are beside it. What is longer than the model "
        "reads is cut off.\nWith a network of pictures such as ViT it reads JPEG and PNG and "
        "prints one vector of each: that of the class token, or with --pooling mean the mean over "
        "all.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 1000000,
    .run = embed_run,
};
