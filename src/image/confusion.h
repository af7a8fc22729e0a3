/* image/confusion.h: how good a segmentation is, as the field counts it.
 *
 * One confusion matrix over all pictures of a set (the rule of CamVid and others): M[t][p] counts
 * the pixels of class t that were called p. Pixels that the mask ignores count nowhere. C:
 * classes. */
#ifndef ATTN_IMAGE_CONFUSION_H
#define ATTN_IMAGE_CONFUSION_H

#include "image/classes.h"
#include "image/picture.h"

typedef struct attn_confusion {
    int classes;
    int64_t *count;  /* [C, C], rows are the truth */
    int64_t ignored; /* pixels left out */
} attn_confusion;

ATTN_MUST_CHECK attn_status attn_confusion_create(int classes, attn_confusion *out,
                                                  attn_error *error);
void attn_confusion_free(attn_confusion *confusion);

/* Adds one picture. ATTN_ERR_SHAPE: sizes differ; ATTN_ERR_ARGUMENT: a predicted label that is no
 * class, or a true one that is neither a class nor `ignore`; nothing has been added then. */
ATTN_MUST_CHECK attn_status attn_confusion_add(attn_confusion *confusion, const attn_mask *truth,
                                               const attn_mask *predicted, int ignore,
                                               attn_error *error);
/* a += b, both of the same number of classes: sums made by several threads. */
void attn_confusion_merge(attn_confusion *a, const attn_confusion *b);

/* Shares 0 .. 1; NaN where there is nothing to divide by. */
typedef struct attn_segmentation_scores {
    double iou[ATTN_MAX_CLASSES];      /* M[c][c] / (row c + column c - M[c][c]) */
    double accuracy[ATTN_MAX_CLASSES]; /* M[c][c] / row c */
    double mean_iou;                   /* over the classes that occur, in truth or prediction */
    double mean_accuracy;              /* over the classes that occur in truth */
    double global_accuracy;            /* sum of M[c][c] / sum of M */
    int64_t labelled;                  /* sum of M */
} attn_segmentation_scores;

void attn_confusion_scores(const attn_confusion *confusion, attn_segmentation_scores *out);

/* Texts: NUL-terminated, free them with attn_free; NULL when out of memory. The table has a line a
 * class (IoU, accuracy, share of the pixels) and one for the means. */
char *attn_confusion_table(const attn_confusion *confusion, const attn_classes *classes);
/* The matrix, as comma-separated values: names in the first row and column, rows are the truth. */
char *attn_confusion_csv(const attn_confusion *confusion, const attn_classes *classes);
/* The matrix as a picture, each row in percent of its class, to a .png, .svg or .pdf file. */
ATTN_MUST_CHECK attn_status attn_confusion_draw(const attn_confusion *confusion,
                                                const attn_classes *classes, const char *path,
                                                attn_error *error);

#endif
