/* Scores predicted masks against true ones, for confusion_compare.py.
 *
 *     confusion_driver CLASSES IGNORE OUT.npy (TRUTH.png PREDICTED.png)...
 *
 * Prints the matrix as comma-separated values, a line `mean IoU, mean accuracy, global accuracy,
 * labelled pixels, ignored pixels`, and writes the IoU of each class (NaN where there is none) to
 * OUT.npy. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "image/confusion.h"
#include "image/encode.h"
#include "image/mask.h"

static int complain(const attn_error *error) {
    char message[1200];
    fprintf(stderr, "confusion_driver: %s\n", attn_error_format(error, message, sizeof message));
    return 1;
}

static attn_status add_pair(char **path, const attn_classes *classes, attn_confusion *confusion,
                            attn_error *error) {
    attn_mask truth = {0, 0, NULL}, predicted = {0, 0, NULL};
    attn_mask_options options = {.colors = false};
    attn_status status = attn_mask_read(path[0], classes, &options, &truth, error);
    if (status == ATTN_OK) {
        status = attn_mask_read(path[1], classes, &options, &predicted, error);
    }
    if (status == ATTN_OK) {
        status = attn_confusion_add(confusion, &truth, &predicted, classes->ignore, error);
    }
    attn_mask_free(&truth);
    attn_mask_free(&predicted);
    return status;
}

static attn_status report(const attn_confusion *confusion, const attn_classes *classes,
                          const char *path, attn_error *error) {
    attn_segmentation_scores scores;
    float iou[ATTN_MAX_CLASSES];
    int64_t shape = confusion->classes;
    char *csv = attn_confusion_csv(confusion, classes);
    attn_confusion_scores(confusion, &scores);
    for (int c = 0; c < confusion->classes; c++) {
        iou[c] = (float)scores.iou[c];
    }
    if (csv != NULL) {
        printf("%s%.17g %.17g %.17g %" PRId64 " %" PRId64 "\n", csv, scores.mean_iou,
               scores.mean_accuracy, scores.global_accuracy, scores.labelled, confusion->ignored);
    }
    attn_free(csv);
    return attn_npy_write(path, iou, &shape, 1, error);
}

int main(int argc, char **argv) {
    attn_error error = {0};
    attn_classes classes;
    attn_confusion confusion;
    if (argc < 6 || argc % 2 != 0) {
        fprintf(stderr, "usage: confusion_driver CLASSES IGNORE OUT.npy (TRUTH PREDICTED)...\n");
        return 2;
    }
    if (attn_classes_read(argv[1], atoi(argv[2]), &classes, &error) != ATTN_OK ||
        attn_confusion_create(classes.count, &confusion, &error) != ATTN_OK) {
        return complain(&error);
    }
    attn_status status = ATTN_OK;
    for (int i = 4; i < argc && status == ATTN_OK; i += 2) {
        status = add_pair(argv + i, &classes, &confusion, &error);
    }
    if (status == ATTN_OK) {
        status = report(&confusion, &classes, argv[3], &error);
    }
    attn_confusion_free(&confusion);
    return status == ATTN_OK ? 0 : complain(&error);
}
