/* The confusion matrix: counted by hand, ignored pixels left out, one matrix over all pictures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/memory.h"
#include "image/confusion.h"
#include "support/pictures.h"

static attn_mask mask_of(uint8_t *labels, int64_t width, int64_t height) {
    return (attn_mask){width, height, labels};
}

static attn_classes three_classes(void) {
    static const char text[] = "0 sky 1 2 3\n1 traffic \"light\", red 4 5 6\n2 caf\xc3\xa9 7 8 9\n";
    attn_classes classes;
    assert_int_equal(attn_classes_parse(text, sizeof text - 1, "", 255, &classes, NULL), ATTN_OK);
    return classes;
}

/* Two pictures over classes 0, 1 and 2:   truth 0 0 1 1 | 1 255 0
 *                                    prediction 0 1 1 1 | 0 2   0 */
static attn_confusion counted(void) {
    uint8_t truth[7] = {0, 0, 1, 1, 1, 255, 0}, predicted[7] = {0, 1, 1, 1, 0, 2, 0};
    attn_confusion c;
    assert_int_equal(attn_confusion_create(3, &c, NULL), ATTN_OK);
    attn_mask t = mask_of(truth, 2, 2), p = mask_of(predicted, 2, 2);
    assert_int_equal(attn_confusion_add(&c, &t, &p, 255, NULL), ATTN_OK);
    t = mask_of(truth + 4, 3, 1);
    p = mask_of(predicted + 4, 3, 1);
    assert_int_equal(attn_confusion_add(&c, &t, &p, 255, NULL), ATTN_OK);
    return c;
}

static void counts_and_scores(void **state) {
    (void)state;
    static const int64_t expected[9] = {2, 1, 0, 1, 2, 0, 0, 0, 0};
    attn_confusion c = counted();
    attn_segmentation_scores s;
    assert_memory_equal(c.count, expected, sizeof expected);
    assert_int_equal(c.ignored, 1);
    attn_confusion_scores(&c, &s);
    assert_float_equal(s.iou[0], 0.5, 1e-12);
    assert_float_equal(s.iou[1], 0.5, 1e-12);
    assert_true(isnan(s.iou[2]) && isnan(s.accuracy[2]));
    assert_float_equal(s.accuracy[0], 2.0 / 3, 1e-12);
    assert_float_equal(s.mean_iou, 0.5, 1e-12);
    assert_float_equal(s.mean_accuracy, 2.0 / 3, 1e-12);
    assert_float_equal(s.global_accuracy, 4.0 / 6, 1e-12);
    assert_int_equal(s.labelled, 6);
    /* A class that is only predicted, never true, is wrong everywhere: it counts in the mean. */
    c.count[2] = 3;
    attn_confusion_scores(&c, &s);
    assert_float_equal(s.iou[2], 0, 0);
    assert_true(isnan(s.accuracy[2]));
    assert_float_equal(s.mean_iou, (2.0 / 7 + 0.5 + 0) / 3, 1e-12);
    attn_confusion_free(&c);
}

static void merging_is_adding(void **state) {
    (void)state;
    attn_confusion a = counted(), b = counted();
    attn_confusion_merge(&a, &b);
    assert_int_equal(a.ignored, 2);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(a.count[i], 2 * b.count[i]);
    }
    attn_confusion_free(&a);
    attn_confusion_free(&b);
}

static void nothing_counted_is_no_score(void **state) {
    (void)state;
    attn_confusion c;
    attn_segmentation_scores s;
    assert_int_equal(attn_confusion_create(2, &c, NULL), ATTN_OK);
    attn_confusion_scores(&c, &s);
    assert_true(isnan(s.mean_iou) && isnan(s.mean_accuracy) && isnan(s.global_accuracy));
    attn_confusion_free(&c);
}

static void wrong_masks_change_nothing(void **state) {
    (void)state;
    attn_confusion c = counted();
    int64_t before[9];
    attn_error error;
    uint8_t truth[4] = {0, 0, 3, 0}, predicted[4] = {0, 0, 0, 255};
    attn_mask t = mask_of(truth, 2, 2), p = mask_of(predicted, 2, 2), wide = mask_of(truth, 4, 1);
    memcpy(before, c.count, sizeof before);
    assert_int_equal(attn_confusion_add(&c, &wide, &p, 255, &error), ATTN_ERR_SHAPE);
    assert_int_equal(attn_confusion_add(&c, &t, &p, 255, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "(0, 1) has the true label 3"));
    truth[2] = 0;
    assert_int_equal(attn_confusion_add(&c, &t, &p, 255, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "(1, 1) has the true label 0 and the predicted label 255"));
    assert_memory_equal(before, c.count, sizeof before);
    attn_confusion_free(&c);
}

static void table_and_csv(void **state) {
    (void)state;
    attn_confusion c = counted();
    attn_classes classes = three_classes();
    char *table = attn_confusion_table(&c, &classes), *csv = attn_confusion_csv(&c, &classes);
    assert_string_equal(csv, "true\\predicted,sky,\"traffic \"\"light\"\", red\",caf\xc3\xa9\n"
                             "sky,2,1,0\n"
                             "\"traffic \"\"light\"\", red\",1,2,0\n"
                             "caf\xc3\xa9,0,0,0\n");
    assert_string_equal(table, "class                   IoU %   acc. %  share %\n"
                               "sky                      50.0     66.7     50.0\n"
                               "traffic \"light\", red     50.0     66.7     50.0\n"
                               "caf\xc3\xa9                        -        -      0.0\n"
                               "mean                     50.0     66.7\n"
                               "global accuracy     66.7 % of 6 pixels; 1 ignored\n");
    attn_free(table);
    attn_free(csv);
    attn_confusion_free(&c);
}

static void as_a_picture(void **state) {
    (void)state;
    static const char *const names[] = {"c.png", "c.svg", "c.PDF"};
    static const char *const magic[] = {"\x89PNG", "<?xml", "%PDF"};
    attn_confusion c = counted();
    attn_classes classes = three_classes();
    char folder[64], path[96], start[5];
    attn_error error;
    folder_make(folder);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(attn_confusion_draw(&c, &classes, path, &error), ATTN_OK);
        FILE *file = fopen(path, "rb");
        assert_int_equal(fread(start, 1, sizeof start, file), sizeof start);
        assert_memory_equal(start, magic[i], strlen(magic[i]));
        fclose(file);
    }
    snprintf(path, sizeof path, "%s/c.gif", folder);
    assert_int_equal(attn_confusion_draw(&c, &classes, path, &error), ATTN_ERR_ARGUMENT);
    folder_remove(folder);
    attn_confusion_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_scores),
        cmocka_unit_test(merging_is_adding),
        cmocka_unit_test(nothing_counted_is_no_score),
        cmocka_unit_test(wrong_masks_change_nothing),
        cmocka_unit_test(table_and_csv),
        cmocka_unit_test(as_a_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
