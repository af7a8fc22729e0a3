/* pipeline/embed.c: the door is attn/embed.h. Texts become ids, ids as many at a time as fit a pass, passes vectors. */
#include "attn/embed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "pipeline/model.h"

/* Tokens of a pass, unless one text alone has more: a tape keeps all layers of it. */
enum { PASS_TOKENS = 512, PASS_TEXTS = 256 };

void attn_embed_options_init_sized(attn_embed_options *options, size_t size) {
    const attn_embed_options defaults = {.pooling = ATTN_EMBED_AS_MODEL};
    attn_sized_init(options, size, &defaults, sizeof defaults);
}

int64_t attn_model_vector_size(const attn_model *model) {
    if (model->kind == ATTN_MODEL_PICTURES) {
        const attn_vision_config *config = attn_vision_get_config(model->vision);
        return config->stage[config->stages - 1].channels;
    }
    return model->encoder != NULL ? attn_encoder_get_config(model->encoder)->d_model : 0;
}

/* ---- ids ---- */

/* A text's ids between what begins and ends it, cut to what the model reads. */
static attn_status ids_of(const attn_model *model, const char *text, int32_t *ids, int64_t *count,
                          attn_error *error) {
    attn_special_ids special = attn_tokenizer_special(model->tokenizer);
    int64_t room = attn_encoder_get_config(model->encoder)->max_length;
    int32_t *words;
    size_t found, length = strlen(text);
    *count = 0;
    if (!attn_utf8_whole(text, length)) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, "give UTF-8", "the text is not UTF-8");
    }
    attn_status status =
        attn_tokenizer_encode(model->tokenizer, text, length, &words, &found, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (special.bos >= 0) {
        ids[(*count)++] = special.bos;
    }
    int64_t most = room - *count - (special.eos >= 0);
    int64_t kept = (int64_t)found < most ? (int64_t)found : most;
    if (kept > 0) {
        memcpy(ids + *count, words, (size_t)kept * sizeof *ids);
        *count += kept;
    }
    if (special.eos >= 0) {
        ids[(*count)++] = special.eos;
    }
    attn_tokenizer_release(words);
    return ATTN_OK;
}

/* ---- passes ---- */

typedef struct embedding {
    const attn_model *model;
    attn_pooling pooling;
    bool unit_length;
    attn_tape *tape;
    int32_t *ids;
    int64_t starts[PASS_TEXTS + 1];
    int64_t count;  /* texts of the pass so far */
    float *vectors; /* of its first text */
} embedding;

static attn_status start(const attn_model *model, const attn_embed_options *options, embedding *e,
                         attn_error *error) {
    attn_embed_options chosen;
    attn_embed_options_init(&chosen);
    *e = (embedding){.model = model};
    attn_status status = attn_model_check_kind(model, ATTN_MODEL_ENCODER, error);
    if (status == ATTN_OK && options != NULL) {
        status = attn_sized_read(options, &chosen, sizeof chosen,
                                 ATTN_SIZE_UP_TO(attn_embed_options, length), "attn_embed_options",
                                 error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    const attn_encoder_config *config = attn_encoder_get_config(model->encoder);
    e->pooling = chosen.pooling == ATTN_EMBED_AS_MODEL ? config->pooling
                 : chosen.pooling == ATTN_EMBED_MEAN   ? ATTN_POOLING_MEAN
                                                       : ATTN_POOLING_FIRST;
    e->unit_length = chosen.length == ATTN_EMBED_LENGTH_AS_MODEL
                         ? config->unit_length
                         : chosen.length == ATTN_EMBED_LENGTH_ONE;
    /* A full pass, or one long text; and the text that is one too many. */
    size_t bytes = (size_t)(PASS_TOKENS + 2 * config->max_length) * sizeof *e->ids;
    e->ids = attn_alloc(bytes);
    return e->ids != NULL ? attn_tape_create(&e->tape, error) : attn_fail_memory(error, bytes);
}

static void end(embedding *e) {
    attn_tape_free(e->tape);
    attn_free(e->ids);
}

static attn_encoder_batch batch_of(const embedding *e) {
    return (attn_encoder_batch){.count = e->count, .ids = e->ids, .starts = e->starts};
}

/* Runs what the pass holds, and begins an empty one. */
static attn_status run(embedding *e, attn_error *error) {
    attn_encoder_batch batch = batch_of(e);
    attn_tape_begin(e->tape, false, 0, 0);
    const attn_tensor *tokens = attn_encoder_forward(e->model->encoder, e->tape, &batch);
    if (tokens == NULL) {
        return attn_tape_check(e->tape, error);
    }
    attn_encoder_pool(tokens, &batch, e->pooling, e->unit_length, e->vectors);
    e->vectors += e->count * tokens->cols;
    e->count = 0;
    return ATTN_OK;
}

static attn_status add(embedding *e, const char *text, attn_error *error) {
    int64_t length, used = e->starts[e->count];
    attn_status status = ids_of(e->model, text, e->ids + used, &length, error);
    if (status == ATTN_OK && e->count > 0 &&
        (used + length > PASS_TOKENS || e->count == PASS_TEXTS)) {
        status = run(e, error);
        memmove(e->ids, e->ids + used, (size_t)length * sizeof *e->ids);
        used = 0;
    }
    e->starts[++e->count] = used + length;
    return status;
}

attn_status attn_embed_texts(const attn_model *model, const char *const *texts, size_t count,
                             const attn_embed_options *options, float *vectors, attn_error *error) {
    embedding e;
    attn_status status = start(model, options, &e, error);
    e.vectors = vectors;
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = add(&e, texts[i], error);
        if (status == ATTN_ERR_FORMAT && error != NULL) {
            error->position = (int64_t)i;
        }
    }
    if (status == ATTN_OK && e.count > 0) {
        status = run(&e, error);
    }
    end(&e);
    return status;
}

attn_status attn_embed(const attn_model *model, const char *text, const attn_embed_options *options,
                       float *vector, attn_error *error) {
    return attn_embed_texts(model, &text, 1, options, vector, error);
}

/* ---- looking inside ---- */

static void choose_head(const attn_real *all, int64_t heads, int64_t head, int64_t count,
                        float *weights) {
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t h = 0; h < heads; h++) {
            sum += head == 0 || head == h + 1 ? (double)all[h * count + i] : 0;
        }
        weights[i] = (float)(head == 0 ? sum / (double)heads : sum);
    }
}

static attn_status look_at(embedding *e, int64_t layer, int64_t head, attn_embed_look *look,
                           attn_error *error) {
    const attn_encoder_config *config = attn_encoder_get_config(e->model->encoder);
    attn_encoder_batch batch = batch_of(e);
    size_t square = (size_t)(look->count * look->count);
    attn_real *all = attn_alloc_zero(square * (size_t)config->heads + 1, sizeof *all);
    look->weights = calloc(square + 1, sizeof *look->weights);
    if (all == NULL || look->weights == NULL) {
        attn_free(all);
        return attn_fail_memory(error, square * (size_t)config->heads * sizeof *all);
    }
    attn_tape_watch(e->tape, true);
    attn_tape_begin(e->tape, false, 0, 0);
    attn_status status = attn_encoder_forward(e->model->encoder, e->tape, &batch) != NULL
                             ? ATTN_OK
                             : attn_tape_check(e->tape, error);
    if (status == ATTN_OK) {
        status = attn_encoder_attend(e->model->encoder, e->tape, &batch, 0,
                                     (layer > 0 ? layer : config->layers) - 1, all, error);
    }
    if (status == ATTN_OK) {
        choose_head(all, config->heads, head, (int64_t)square, look->weights);
    }
    attn_free(all);
    return status;
}

attn_status attn_embed_attend(const attn_model *model, const char *text, int64_t layer,
                              int64_t head, attn_embed_look *look, attn_error *error) {
    embedding e;
    *look = (attn_embed_look){0};
    attn_status status = start(model, NULL, &e, error);
    if (status == ATTN_OK) {
        const attn_encoder_config *config = attn_encoder_get_config(model->encoder);
        if (layer < 0 || layer > config->layers || head < 0 || head > config->heads) {
            status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                               "there is no layer %lld or no head %lld: it has %lld layers of %lld "
                               "heads",
                               (long long)layer, (long long)head, (long long)config->layers,
                               (long long)config->heads);
        }
    }
    status = status == ATTN_OK ? add(&e, text, error) : status;
    if (status == ATTN_OK) {
        look->count = e.starts[1];
        look->ids = calloc((size_t)look->count + 1, sizeof *look->ids);
        status = look->ids != NULL
                     ? look_at(&e, layer, head, look, error)
                     : attn_fail_memory(error, (size_t)look->count * sizeof *look->ids);
    }
    if (status == ATTN_OK) {
        memcpy(look->ids, e.ids, (size_t)look->count * sizeof *look->ids);
    }
    end(&e);
    return status;
}

void attn_embed_look_free(attn_embed_look *look) {
    free(look->ids);
    free(look->weights);
    *look = (attn_embed_look){0};
}

/* ---- nearest vectors ---- */

/* Sums in the order of the channels. */
static double cosine_of(const float *a, const float *b, int64_t size) {
    double product = 0, a_squares = 0, b_squares = 0;
    for (int64_t c = 0; c < size; c++) {
        product += (double)a[c] * (double)b[c];
        a_squares += (double)a[c] * (double)a[c];
        b_squares += (double)b[c] * (double)b[c];
    }
    double lengths = sqrt(a_squares) * sqrt(b_squares);
    return lengths > 0 ? product / lengths : 0;
}

int64_t attn_nearest_vectors(const float *vectors, int64_t count, int64_t size, const float *query,
                             int64_t most, attn_neighbour *neighbours) {
    int64_t found = 0;
    for (int64_t i = 0; i < count && most > 0; i++) {
        double cosine = cosine_of(vectors + i * size, query, size);
        if (found == most && !(cosine > neighbours[most - 1].cosine)) {
            continue;
        }
        int64_t at = found < most ? found++ : most - 1;
        for (; at > 0 && cosine > neighbours[at - 1].cosine; at--) {
            neighbours[at] = neighbours[at - 1];
        }
        neighbours[at] = (attn_neighbour){i, cosine};
    }
    return found;
}
