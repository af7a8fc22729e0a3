/* train/segmenter_data.c: reading pairs, and what all of them say together. */
#include "train/segmenter_data.h"

#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/math.h"
#include "image/resize.h"

/* ---- one pair ---- */

static attn_status shrink(attn_picture *picture, attn_mask *mask, int64_t reduce,
                          attn_error *error) {
    int64_t width = picture->width / reduce, height = picture->height / reduce;
    width = width > 0 ? width : 1;
    height = height > 0 ? height : 1;
    attn_resize_part part = {width, height, 0, 0, width, height};
    attn_picture small_picture = {.rgb = NULL};
    attn_mask small_mask = {.label = NULL};
    attn_scratch scratch = {NULL, 0};
    attn_status status = attn_picture_create(width, height, &small_picture, error);
    if (status == ATTN_OK) {
        status = attn_mask_create(width, height, &small_mask, error);
    }
    if (status == ATTN_OK) {
        status = attn_resize_picture(picture, &part, small_picture.rgb, &scratch, error);
    }
    attn_scratch_free(&scratch);
    if (status != ATTN_OK) {
        attn_picture_free(&small_picture);
        attn_mask_free(&small_mask);
        return status;
    }
    attn_resize_mask(mask, &part, small_mask.label);
    attn_picture_free(picture);
    attn_mask_free(mask);
    *picture = small_picture;
    *mask = small_mask;
    return ATTN_OK;
}

attn_status attn_segmenter_data_load(const attn_segmenter_data *data, const attn_pairs *pairs,
                                     int64_t index, int64_t reduce, attn_picture *picture,
                                     attn_mask *mask, attn_error *error) {
    attn_status status = attn_pair_read(pairs->picture[index], pairs->mask[index], &data->classes,
                                        &data->mask_options, picture, mask, error);
    if (status == ATTN_OK && data->classes.ignore != ATTN_IGNORE_LABEL) {
        for (int64_t i = 0; i < mask->width * mask->height; i++) {
            if (mask->label[i] == data->classes.ignore) {
                mask->label[i] = ATTN_IGNORE_LABEL;
            }
        }
    }
    if (status == ATTN_OK && reduce > 1) {
        status = shrink(picture, mask, reduce, error);
    }
    if (status != ATTN_OK) {
        attn_picture_free(picture);
        attn_mask_free(mask);
    }
    return status;
}

/* ---- which files ---- */

static attn_status find_pairs(const char *images, const char *masks, attn_pairs *out,
                              attn_error *error) {
    return masks == NULL ? attn_pairs_from_list(images, out, error)
                         : attn_pairs_from_folders(images, masks, out, error);
}

/* The last tenth, at least one, of the training pairs. */
static attn_status hold_out(attn_segmenter_data *data, attn_error *error) {
    size_t count = data->train.count / 10;
    count = count > 0 ? count : 1;
    if (count == data->train.count) {
        return attn_fail(error, ATTN_ERR_FORMAT, "training", -1,
                         "give more pictures, or name separate ones for validation",
                         "a single picture cannot be both trained on and held out");
    }
    attn_pairs *valid = &data->valid;
    size_t first = data->train.count - count;
    valid->picture = attn_alloc_zero(count, sizeof *valid->picture);
    valid->mask = attn_alloc_zero(count, sizeof *valid->mask);
    if (valid->picture == NULL || valid->mask == NULL) {
        return attn_fail_memory(error, 2 * count * sizeof *valid->mask);
    }
    memcpy(valid->picture, data->train.picture + first, count * sizeof *valid->picture);
    memcpy(valid->mask, data->train.mask + first, count * sizeof *valid->mask);
    valid->count = count;
    data->train.count = first;
    data->held_out = true;
    return ATTN_OK;
}

/* ---- what they say together ---- */

typedef struct survey {
    int64_t seen[256];
    uint64_t hash;
    int64_t largest;
} survey;

static attn_status survey_pairs(const attn_segmenter_data *data, const attn_pairs *pairs,
                                int64_t reduce, survey *out, attn_error *error) {
    *out = (survey){.hash = 0};
    for (size_t i = 0; i < pairs->count; i++) {
        attn_picture picture;
        attn_mask mask;
        attn_status status =
            attn_segmenter_data_load(data, pairs, (int64_t)i, reduce, &picture, &mask, error);
        if (status != ATTN_OK) {
            return status;
        }
        size_t pixels = (size_t)(mask.width * mask.height);
        const int64_t size[2] = {mask.width, mask.height};
        out->hash = attn_hash64(size, sizeof size, out->hash);
        out->hash = attn_hash64(picture.rgb, 3 * pixels, out->hash);
        out->hash = attn_hash64(mask.label, pixels, out->hash);
        out->largest = (int64_t)pixels > out->largest ? (int64_t)pixels : out->largest;
        attn_mask_count(&mask, out->seen);
        attn_picture_free(&picture);
        attn_mask_free(&mask);
    }
    return ATTN_OK;
}

/* The middle one of the counts that are not 0, the lower of two. */
static int64_t median_count(const int64_t *seen, int classes) {
    for (int c = 0; c < classes; c++) {
        int below = 0, equal = 0, present = 0;
        for (int other = 0; other < classes && seen[c] > 0; other++) {
            present += seen[other] > 0;
            below += seen[other] > 0 && seen[other] < seen[c];
            equal += seen[other] == seen[c];
        }
        int middle = (present - 1) / 2;
        if (present > 0 && below <= middle && middle < below + equal) {
            return seen[c];
        }
    }
    return 1;
}

static attn_status weigh_classes(attn_segmenter_data *data, const int64_t *seen, double balance,
                                 attn_error *error) {
    if (balance == 0) {
        return ATTN_OK;
    }
    int classes = data->classes.count;
    data->weights = attn_alloc_zero((size_t)classes, sizeof *data->weights);
    if (data->weights == NULL) {
        return attn_fail_memory(error, (size_t)classes * sizeof *data->weights);
    }
    attn_real median = (attn_real)median_count(seen, classes);
    for (int c = 0; c < classes; c++) {
        attn_real ratio = seen[c] > 0 ? median / (attn_real)seen[c] : 1;
        data->weights[c] = real_exp2((attn_real)balance * real_log2(ratio));
    }
    return ATTN_OK;
}

static attn_status read_pairs(const attn_segmenter_files *files,
                              const attn_segmenter_recipe *recipe, attn_segmenter_data *out,
                              attn_error *error) {
    survey train, valid;
    attn_status status = find_pairs(files->images, files->masks, &out->train, error);
    if (status == ATTN_OK) {
        status = files->valid_images != NULL
                     ? find_pairs(files->valid_images, files->valid_masks, &out->valid, error)
                     : hold_out(out, error);
    }
    if (status == ATTN_OK) {
        status = survey_pairs(out, &out->train, recipe->reduce, &train, error);
    }
    if (status == ATTN_OK) {
        status = attn_masks_check(train.seen, &out->classes, files->masks, error);
    }
    if (status == ATTN_OK) {
        status = survey_pairs(out, &out->valid, recipe->reduce, &valid, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    out->hash = train.hash;
    out->largest = valid.largest;
    return weigh_classes(out, train.seen, recipe->balance, error);
}

/* The classes as the model has them: what is left out has the label ATTN_IGNORE_LABEL, and its name. */
static char *print_classes(const attn_classes *classes) {
    attn_classes *own = attn_alloc(sizeof *own);
    if (own == NULL) {
        return NULL;
    }
    *own = *classes;
    own->ignore = ATTN_IGNORE_LABEL;
    if (classes->ignore_is_named) {
        own->item[ATTN_IGNORE_LABEL] = classes->item[classes->ignore];
    }
    char *text = attn_classes_print(own);
    attn_free(own);
    return text;
}

attn_status attn_segmenter_data_read(const attn_segmenter_files *files,
                                     const attn_segmenter_recipe *recipe, attn_segmenter_data *out,
                                     attn_error *error) {
    *out = (attn_segmenter_data){.mask_options = files->masks_are};
    attn_status status = attn_classes_read(files->classes, files->ignore, &out->classes, error);
    if (status == ATTN_OK) {
        out->classes_text = print_classes(&out->classes);
        status = out->classes_text == NULL ? attn_fail_memory(error, 0)
                                           : read_pairs(files, recipe, out, error);
    }
    if (status != ATTN_OK) {
        attn_segmenter_data_free(out);
    }
    return status;
}

void attn_segmenter_data_free(attn_segmenter_data *data) {
    attn_pairs_free(&data->train);
    attn_pairs_free(&data->valid);
    attn_free(data->classes_text);
    attn_free(data->weights);
    *data = (attn_segmenter_data){.classes_text = NULL};
}
