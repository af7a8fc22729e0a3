/* image/confusion.c: counting, and what is computed from the counts.
 *
 * Counts are whole numbers, so the order of pictures and threads does not matter. Next:
 * confusion_show.c. */
#include "image/confusion.h"

#include <math.h>

#include "base/fail.h"
#include "base/memory.h"

attn_status attn_confusion_create(int classes, attn_confusion *out, attn_error *error) {
    size_t cells = (size_t)classes * (size_t)classes;
    *out = (attn_confusion){classes, attn_alloc_zero(cells, sizeof(int64_t)), 0};
    return out->count != NULL ? ATTN_OK : attn_fail_memory(error, cells * sizeof(int64_t));
}

void attn_confusion_free(attn_confusion *confusion) {
    attn_free(confusion->count);
    *confusion = (attn_confusion){0, NULL, 0};
}

static attn_status check_labels(const attn_confusion *confusion, const attn_mask *truth,
                                const attn_mask *predicted, int ignore, attn_error *error) {
    for (int64_t i = 0; i < truth->width * truth->height; i++) {
        int t = truth->label[i], p = predicted->label[i];
        if ((t >= confusion->classes && t != ignore) || p >= confusion->classes) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "confusion matrix", -1, NULL,
                             "pixel (%lld, %lld) has the true label %d and the predicted label %d; "
                             "there are %d classes",
                             (long long)(i % truth->width), (long long)(i / truth->width), t, p,
                             confusion->classes);
        }
    }
    return ATTN_OK;
}

attn_status attn_confusion_add(attn_confusion *confusion, const attn_mask *truth,
                               const attn_mask *predicted, int ignore, attn_error *error) {
    if (truth->width != predicted->width || truth->height != predicted->height) {
        return attn_fail(error, ATTN_ERR_SHAPE, "confusion matrix", -1, NULL,
                         "a true mask of %lld x %lld and a predicted one of %lld x %lld",
                         (long long)truth->width, (long long)truth->height,
                         (long long)predicted->width, (long long)predicted->height);
    }
    attn_status status = check_labels(confusion, truth, predicted, ignore, error);
    for (int64_t i = 0; status == ATTN_OK && i < truth->width * truth->height; i++) {
        int t = truth->label[i];
        if (t == ignore) {
            confusion->ignored++;
        } else {
            confusion->count[t * confusion->classes + predicted->label[i]]++;
        }
    }
    return status;
}

void attn_confusion_merge(attn_confusion *a, const attn_confusion *b) {
    for (int i = 0; i < a->classes * a->classes; i++) {
        a->count[i] += b->count[i];
    }
    a->ignored += b->ignored;
}

static double ratio(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : NAN;
}

void attn_confusion_scores(const attn_confusion *confusion, attn_segmentation_scores *out) {
    int n = confusion->classes, occurring = 0, true_classes = 0;
    int64_t right = 0;
    double iou_sum = 0, accuracy_sum = 0;
    out->labelled = 0;
    for (int c = 0; c < n; c++) {
        int64_t row = 0, column = 0, hit = confusion->count[c * n + c];
        for (int other = 0; other < n; other++) {
            row += confusion->count[c * n + other];
            column += confusion->count[other * n + c];
        }
        out->iou[c] = ratio(hit, row + column - hit);
        out->accuracy[c] = ratio(hit, row);
        if (row + column > 0) {
            iou_sum += out->iou[c];
            occurring++;
        }
        if (row > 0) {
            accuracy_sum += out->accuracy[c];
            true_classes++;
        }
        right += hit;
        out->labelled += row;
    }
    out->mean_iou = occurring > 0 ? iou_sum / occurring : NAN;
    out->mean_accuracy = true_classes > 0 ? accuracy_sum / true_classes : NAN;
    out->global_accuracy = ratio(right, out->labelled);
}
