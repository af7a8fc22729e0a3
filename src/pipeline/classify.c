/* pipeline/classify.c: the door is attn/classify.h. A picture through a network of pictures, one at a time. */
#include "attn/classify.h"

#include <math.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/sized.h"
#include "pipeline/model.h"
#include "pipeline/resized.h"

/* Of what a pass made, the numbers that are wanted. */
typedef attn_tensor *finish(const attn_vision *model, attn_tape *tape, const attn_pictures *picture,
                            attn_pooling pooling);

static attn_status check(const attn_model *model, const attn_pixels *picture, attn_error *error) {
    attn_status status = attn_model_check_kind(model, ATTN_MODEL_PICTURES, error);
    if (status == ATTN_OK && (picture->width < 1 || picture->height < 1)) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, "picture", -1, NULL, "it has no pixels");
    }
    return status;
}

/* out: [count] */
static attn_status run(const attn_vision *vision, const attn_picture *seen, finish *end,
                       attn_pooling pooling, float *out, int64_t count, attn_error *error) {
    attn_tape *tape = NULL;
    attn_pictures one = {1, seen->height, seen->width, seen->rgb};
    attn_status status = attn_tape_create(&tape, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tape_begin(tape, false, 0, 0);
    const attn_tensor *x = end(vision, tape, &one, pooling);
    if (x == NULL) {
        status = attn_tape_check(tape, error);
    }
    for (int64_t i = 0; i < count && status == ATTN_OK; i++) {
        out[i] = (float)x->data[i];
        if (!isfinite(out[i])) {
            status = attn_fail(error, ATTN_ERR_NUMERIC, "picture", -1,
                               "the model's weights are damaged or its training diverged",
                               "the model makes no number of it");
        }
    }
    attn_tape_free(tape);
    return status;
}

static attn_status see_and_run(const attn_model *model, const attn_pixels *picture, finish *end,
                               attn_pooling pooling, float *out, int64_t count, attn_error *error) {
    const attn_vision_config *config = attn_vision_get_config(model->vision);
    attn_picture seen;
    attn_status status =
        attn_picture_resized(picture, config->width > 0 ? config->width : picture->width,
                             config->height > 0 ? config->height : picture->height, &seen, error);
    if (status == ATTN_OK) {
        status = run(model->vision, &seen, end, pooling, out, count, error);
    }
    attn_free(seen.rgb);
    return status;
}

static attn_tensor *classify(const attn_vision *vision, attn_tape *tape,
                             const attn_pictures *picture, attn_pooling pooling) {
    (void)pooling;
    return attn_vision_classify(vision, tape, picture);
}

attn_status attn_classify(const attn_model *model, const attn_pixels *picture, float *probabilities,
                          attn_error *error) {
    attn_status status = check(model, picture, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (model->labels.count == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, model->path, -1,
                         "`attn embed` gives its vectors", "the model knows no classes");
    }
    return see_and_run(model, picture, classify, ATTN_POOLING_FIRST, probabilities,
                       model->labels.count, error);
}

static attn_tensor *embed(const attn_vision *vision, attn_tape *tape, const attn_pictures *picture,
                          attn_pooling pooling) {
    const attn_tensor *x = attn_vision_forward(vision, tape, picture);
    return x != NULL ? attn_vision_pool(vision, tape, x, 1, pooling) : NULL;
}

static void make_unit(float *vector, int64_t count) {
    double squares = 0;
    for (int64_t i = 0; i < count; i++) {
        squares += (double)vector[i] * (double)vector[i];
    }
    for (int64_t i = 0; i < count && squares > 0; i++) {
        vector[i] = (float)((double)vector[i] / sqrt(squares));
    }
}

attn_status attn_embed_picture(const attn_model *model, const attn_pixels *picture,
                               const attn_embed_options *options, float *vector,
                               attn_error *error) {
    attn_embed_options chosen;
    attn_embed_options_init(&chosen);
    attn_status status = check(model, picture, error);
    if (status == ATTN_OK && options != NULL) {
        status = attn_sized_read(options, &chosen, sizeof chosen,
                                 ATTN_SIZE_UP_TO(attn_embed_options, length), "attn_embed_options",
                                 error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    attn_pooling pooling = chosen.pooling == ATTN_EMBED_MEAN ? ATTN_POOLING_MEAN
                           : chosen.pooling == ATTN_EMBED_FIRST
                               ? ATTN_POOLING_FIRST
                               : attn_vision_pooling(model->vision);
    int64_t size = attn_model_vector_size(model);
    status = see_and_run(model, picture, embed, pooling, vector, size, error);
    if (status == ATTN_OK && chosen.length == ATTN_EMBED_LENGTH_ONE) {
        make_unit(vector, size);
    }
    return status;
}
