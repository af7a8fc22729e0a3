/* cli/segment_plan.c: names of results, and whose the files of those names are. */
#include "segment_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "image/encode.h"
#include "image/pairs.h"
#include "pipeline/segment.h"

/* ---- pictures ---- */

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* FOLDER/NAME of a picture's path; NULL when memory ran out. */
static char *stem_of(const char *folder, const char *picture) {
    const char *slash = strrchr(picture, '/'), *name = slash != NULL ? slash + 1 : picture;
    const char *dot = strrchr(name, '.');
    int length = dot != NULL && dot != name ? (int)(dot - name) : (int)strlen(name);
    size_t size = strlen(folder) + (size_t)length + 2;
    char *stem = malloc(size);
    if (stem != NULL) {
        snprintf(stem, size, "%s/%.*s", folder, length, name);
    }
    return stem;
}

static attn_status add(attn_segment_plan *plan, const char *folder, const char *picture,
                       attn_error *error) {
    if (!attn_grow(&plan->item, &plan->room, plan->count + 1, sizeof *plan->item)) {
        return attn_fail_memory(error, plan->count * sizeof *plan->item);
    }
    attn_segment_item *item = &plan->item[plan->count++];
    *item = (attn_segment_item){strdup(picture), stem_of(folder, picture)};
    return item->picture != NULL && item->stem != NULL ? ATTN_OK
                                                       : attn_fail_memory(error, strlen(picture));
}

static attn_status add_folder(attn_segment_plan *plan, const char *folder, const char *pictures,
                              attn_error *error) {
    attn_pairs found;
    attn_status status = attn_pairs_from_folder(pictures, &found, error);
    if (status != ATTN_OK) {
        return status;
    }
    for (size_t i = 0; i < found.count && status == ATTN_OK; i++) {
        if (!attn_picture_is_made_by(found.picture[i], ATTN_SEGMENT_MARK)) {
            status = add(plan, folder, found.picture[i], error);
        }
    }
    attn_pairs_free(&found);
    return status;
}

/* ---- their results ---- */

static int by_stem(const void *a, const void *b) {
    const attn_segment_item *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    return order != 0 ? order : strcmp(x->picture, y->picture);
}

/* Two pictures of one name, or one named twice. */
static attn_status check_names(const attn_segment_plan *plan, attn_error *error) {
    attn_segment_item *sorted = malloc((plan->count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        return attn_fail_memory(error, plan->count * sizeof *sorted);
    }
    memcpy(sorted, plan->item, plan->count * sizeof *sorted);
    qsort(sorted, plan->count, sizeof *sorted, by_stem);
    attn_status status = ATTN_OK;
    for (size_t i = 1; i < plan->count && status == ATTN_OK; i++) {
        if (strcmp(sorted[i - 1].stem, sorted[i].stem) == 0) {
            status = attn_fail(error, ATTN_ERR_ARGUMENT, sorted[i].picture, -1,
                               "segment them one after the other, each with an --out of its own",
                               "its results would have the names of those of %.200s",
                               sorted[i - 1].picture);
        }
    }
    free(sorted);
    return status;
}

/* An array has no place for a mark; it is attn's if the mask beside it is. */
static bool is_own(const char *stem, const char *path) {
    char mask[4096];
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, ".png") == 0) {
        return attn_picture_is_made_by(path, ATTN_SEGMENT_MARK);
    }
    return snprintf(mask, sizeof mask, "%s.mask.png", stem) < (int)sizeof mask &&
           attn_picture_is_made_by(mask, ATTN_SEGMENT_MARK);
}

static attn_status check_place(const char *stem, const char *picture, const char *ending,
                               attn_error *error) {
    char path[4096];
    struct stat about;
    if (snprintf(path, sizeof path, "%s%s", stem, ending) >= (int)sizeof path) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, picture, -1, NULL, "the path is too long");
    }
    if (stat(path, &about) == 0 && !is_own(stem, path)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1,
                         "choose another folder with --out, or --force",
                         "the file is there already, and attn did not make it");
    }
    return ATTN_OK;
}

attn_status attn_segment_plan_make(char *const *operand, int operand_count, const char *folder,
                                   const char *const *endings, bool force, attn_segment_plan *out,
                                   attn_error *error) {
    attn_status status = ATTN_OK;
    *out = (attn_segment_plan){0};
    for (int i = 0; i < operand_count && status == ATTN_OK; i++) {
        status = is_folder(operand[i]) ? add_folder(out, folder, operand[i], error)
                                       : add(out, folder, operand[i], error);
    }
    if (status == ATTN_OK && out->count == 0) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, operand[0], -1, NULL,
                           "every picture there is a result of attn's own");
    }
    status = status == ATTN_OK ? check_names(out, error) : status;
    for (size_t i = 0; i < out->count && status == ATTN_OK && !force; i++) {
        for (size_t e = 0; endings[e] != NULL && status == ATTN_OK; e++) {
            status = check_place(out->item[i].stem, out->item[i].picture, endings[e], error);
        }
    }
    return status;
}

void attn_segment_plan_free(attn_segment_plan *plan) {
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->item[i].picture);
        free(plan->item[i].stem);
    }
    attn_free(plan->item);
}
