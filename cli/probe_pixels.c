/* cli/probe_pixels.c: for many pixels of many pictures, where each head looks and what lies there.
 *
 * The class of a position of the grid is the one that most of its pixels have; the ignored ones do not
 * count, and a position without any other is left out. */
#include "probe_pixels.h"

#include <stdlib.h>

#include "base/fail.h"
#include "image/mask.h"
#include "image/pairs.h"
#include "pipeline/segment.h"

enum { STRIDE = 4, NONE = -1 };

/* The classes of a grid's positions, malloc'ed: NONE where all is ignored. */
static int *grid_classes(const attn_mask *mask, const attn_classes *classes, attn_grid grid) {
    int *out = malloc((size_t)(grid.height * grid.width) * sizeof *out);
    for (int64_t i = 0; out != NULL && i < grid.height * grid.width; i++) {
        int64_t seen[ATTN_MAX_CLASSES] = {0}, y = i / grid.width, x = i % grid.width;
        int64_t top = y * mask->height / grid.height, left = x * mask->width / grid.width;
        int64_t bottom = (y + 1) * mask->height / grid.height;
        int64_t right = (x + 1) * mask->width / grid.width;
        out[i] = NONE;
        for (int64_t r = top; r < bottom; r++) {
            for (int64_t c = left; c < right; c++) {
                int label = mask->label[r * mask->width + c];
                seen[label]++;
                bool counts = label < classes->count;
                out[i] = counts && (out[i] == NONE || seen[label] > seen[out[i]]) ? label : out[i];
            }
        }
    }
    return out;
}

typedef struct view {
    attn_grid queries, keys;
    int *query_class, *key_class;
    float *weights; /* [heads, keys] */
    double *row;    /* what is compared of them */
    bool *same;
} view;

static void free_view(view *v) {
    free(v->query_class);
    free(v->key_class);
    free(v->weights);
    free(v->row);
    free(v->same);
}

static attn_status make_view(const attn_model *model, const attn_mask *mask, view *v,
                             attn_error *error) {
    v->queries = attn_segmenter_query_grid(model->segmenter, mask->height, mask->width);
    v->keys = attn_segmenter_key_grid(model->segmenter, mask->height, mask->width);
    size_t keys = (size_t)(v->keys.height * v->keys.width);
    int64_t heads = attn_segmenter_get_config(model->segmenter)->heads;
    v->query_class = grid_classes(mask, &model->classes, v->queries);
    v->key_class = grid_classes(mask, &model->classes, v->keys);
    v->weights = malloc((size_t)heads * keys * sizeof *v->weights);
    v->row = malloc(keys * sizeof *v->row);
    v->same = malloc(keys * sizeof *v->same);
    bool done = v->query_class != NULL && v->key_class != NULL && v->weights != NULL &&
                v->row != NULL && v->same != NULL;
    return done ? ATTN_OK : attn_fail_memory(error, (size_t)heads * keys * sizeof *v->weights);
}

/* The weights of heads first .. last - 1 together; what is left out is not in the row. */
static void count_heads(const view *v, int64_t first, int64_t last, int64_t own, int class,
                        attn_probe_count *count) {
    int64_t keys = v->keys.height * v->keys.width, used = 0;
    for (int64_t k = 0; k < keys; k++) {
        if (k == own || v->key_class[k] == NONE) {
            continue;
        }
        v->row[used] = 0;
        for (int64_t h = first; h < last; h++) {
            v->row[used] += (double)v->weights[h * keys + k];
        }
        v->same[used++] = v->key_class[k] == class;
    }
    if (used > 0) {
        attn_probe_point(count, v->row, used, v->same);
    }
}

static attn_status count_position(attn_segmenting *s, const attn_mask *mask, const view *v,
                                  int64_t y, int64_t x, attn_probe *out, attn_error *error) {
    int class = v->query_class[y * v->queries.width + x];
    int64_t own = y * v->keys.height / v->queries.height * v->keys.width +
                  x * v->keys.width / v->queries.width;
    for (int64_t block = 0; block < out->layers; block++) {
        attn_probe_count *row = out->head + block * (out->heads + 1);
        attn_status status = attn_segmenter_attend(s->model->segmenter, s->tape, mask->height,
                                                   mask->width, block, y, x, v->weights, error);
        if (status != ATTN_OK) {
            return status;
        }
        for (int64_t h = 0; h < out->heads; h++) {
            count_heads(v, h, h + 1, own, class, &row[h]);
        }
        count_heads(v, 0, out->heads, own, class, &row[out->heads]);
    }
    return ATTN_OK;
}

static attn_status count_picture(attn_segmenting *s, const attn_picture *picture,
                                 const attn_mask *mask, attn_probe *out, attn_error *error) {
    attn_pictures one = {1, picture->height, picture->width, picture->rgb};
    attn_grid grid;
    view v = {0};
    attn_status status = make_view(s->model, mask, &v, error);
    attn_tape_watch(s->tape, true);
    attn_tape_begin(s->tape, false, 0, 0);
    if (status == ATTN_OK &&
        attn_segmenter_forward(s->model->segmenter, s->tape, &one, &grid) == NULL) {
        status = attn_tape_check(s->tape, error);
    }
    for (int64_t y = STRIDE / 2; status == ATTN_OK && y < v.queries.height; y += STRIDE) {
        for (int64_t x = STRIDE / 2; status == ATTN_OK && x < v.queries.width; x += STRIDE) {
            if (v.query_class[y * v.queries.width + x] != NONE) {
                status = count_position(s, mask, &v, y, x, out, error);
            }
        }
    }
    attn_tape_watch(s->tape, false);
    free_view(&v);
    return status;
}

attn_status attn_probe_pixels(const attn_model *model, const char *list, int ignore, int first,
                              attn_probe *out, attn_error *error) {
    if (model->segmenter == NULL) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, attn_model_path(model), -1,
                         "`attn attend` shows what a pixel looks at",
                         "of segmenters, only those that attn trained are counted");
    }
    const attn_segmenter_config *c = attn_segmenter_get_config(model->segmenter);
    const attn_mask_options plain = {.first = first};
    attn_classes classes = model->classes;
    ignore = ignore < first ? -1 : ignore; /* what is below the first class is left out anyway */
    classes.ignore = ignore < 0 ? classes.ignore : ignore;
    attn_pairs pairs = {0};
    attn_segmenting s = {0};
    if (ignore >= 0 && ignore < classes.count) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--ignore", -1, NULL, "%d is the class '%s'",
                         ignore, classes.item[ignore].name);
    }
    attn_status status = attn_probe_create(out, "weights", c->blocks, c->heads, error);
    status = status == ATTN_OK ? attn_pairs_from_list(list, &pairs, error) : status;
    status = status == ATTN_OK ? attn_segmenting_start(model, &s, error) : status;
    for (size_t i = 0; i < pairs.count && status == ATTN_OK; i++) {
        attn_picture picture = {0};
        attn_mask mask = {0};
        status = attn_pair_read(pairs.picture[i], pairs.mask[i], &classes, &plain, &picture, &mask,
                                error);
        status = status == ATTN_OK ? count_picture(&s, &picture, &mask, out, error) : status;
        attn_picture_free(&picture);
        attn_mask_free(&mask);
    }
    if (status == ATTN_OK && (c->blocks == 0 || out->head[0].count == 0)) {
        status = attn_fail(error, ATTN_ERR_FORMAT, list, -1, NULL,
                           "the model has no attention, or the masks no classes");
    }
    attn_segmenting_end(&s);
    attn_pairs_free(&pairs);
    return status;
}
