/* cli/encoding.c: see encoding.h. */
#include "encoding.h"

#include <stdlib.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "import/import.h"

static const char *const pooling_names[] = {
    [ATTN_EMBED_AS_MODEL] = "model", [ATTN_EMBED_MEAN] = "mean", [ATTN_EMBED_FIRST] = "cls", NULL};

/* clang-format off */
const attn_option attn_encoding_table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(attn_encoding_options, model), .value = "PATH",
     .help = "the encoder: a file of attn's, or a folder of Hugging Face's (default: $ATTN_ENCODER)"},
    {"pooling", 0, ATTN_OPTION_CHOICE, offsetof(attn_encoding_options, pooling), .choices = pooling_names,
     .value = "KIND", .help = "one vector of a line: mean of its tokens, cls (the first), or as the model says (default: model)"},
    {"normalise", 0, ATTN_OPTION_FLAG, offsetof(attn_encoding_options, normalise),
     .help = "divide vectors by their length (default: as the model says)"},
    {"no-normalise", 0, ATTN_OPTION_FLAG, offsetof(attn_encoding_options, no_normalise),
     .help = "leave vectors as long as they are"},
    {"int8", 0, ATTN_OPTION_FLAG, offsetof(attn_encoding_options, int8),
     .help = "multiply 8-bit integers: faster, slightly different vectors"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(attn_encoding_options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
    {.name = NULL},
};
/* clang-format on */

attn_status attn_encoding_open(const attn_encoding_options *o, bool pictures, attn_model **out,
                               attn_error *error) {
    const char *path = o->model != NULL ? o->model : getenv("ATTN_ENCODER");
    attn_model_options options;
    attn_model_options_init(&options);
    options.compute = o->int8 ? ATTN_COMPUTE_I8 : ATTN_COMPUTE_F32;
    *out = NULL;
    attn_set_threads((int)o->threads);
    if (path == NULL || path[0] == '\0') {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1,
                         "name one with --model or ATTN_ENCODER", "no encoder");
    }
    attn_status status = attn_import_open(path, &options, out, error);
    bool sees = status == ATTN_OK && attn_model_get_kind(*out) == ATTN_MODEL_PICTURES;
    return status == ATTN_OK && !(pictures && sees)
               ? attn_model_check_kind(*out, ATTN_MODEL_ENCODER, error)
               : status;
}

attn_embed_options attn_encoding_embed_options(const attn_encoding_options *o) {
    attn_embed_options options;
    attn_embed_options_init(&options);
    options.pooling = (attn_embed_pooling)o->pooling;
    options.length = o->normalise      ? ATTN_EMBED_LENGTH_ONE
                     : o->no_normalise ? ATTN_EMBED_LENGTH_OWN
                                       : ATTN_EMBED_LENGTH_AS_MODEL;
    return options;
}

attn_status attn_encoding_texts(const attn_model *model, const attn_encoding_options *o,
                                char *const *texts, size_t count, float **vectors,
                                attn_error *error) {
    attn_embed_options options = attn_encoding_embed_options(o);
    size_t size = (size_t)attn_model_vector_size(model);
    *vectors = attn_alloc_zero(count * size + 1, sizeof **vectors);
    return *vectors != NULL ? attn_embed_texts(model, (const char *const *)texts, count, &options,
                                               *vectors, error)
                            : attn_fail_memory(error, count * size * sizeof **vectors);
}
