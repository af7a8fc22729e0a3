/* tests/fault/test_image.c: every allocation in the life of a picture fails once.
 *
 * Written, read, resized, overlaid, measured, tiled: the life is run with its first allocation
 * failing, then its second, and so on until one run needs no more. Each failure must be reported as
 * lack of memory, and nothing may be left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "image/augment.h"
#include "image/confusion.h"
#include "image/encode.h"
#include "image/mask.h"
#include "image/overlay.h"
#include "image/pairs.h"
#include "image/scenes.h"
#include "image/tiles.h"
#include "support/faulty_heap.h"
#include "support/tiff_webp.h"

static char folder[64], list[96], drawing[96], jpeg_path[96], mask_path[96], chart[96];
static attn_classes classes;

static attn_status files(attn_picture *picture, attn_mask *mask) {
    attn_pairs pairs;
    attn_mask_options options = {.colors = true};
    attn_status status = attn_pairs_from_list(list, &pairs, NULL);
    if (status == ATTN_OK) {
        status = attn_pair_read(pairs.picture[0], pairs.mask[0], &classes, &options, picture, mask,
                                NULL);
    }
    attn_pairs_free(&pairs);
    return status;
}

/* Files that are turned and converted on the way. */
static file_bytes others[4];

static void make_others(void) {
    static const uint8_t rows[24] = {1, 1, 1, 255, 2, 2, 2, 255};
    tiff_kind grey = {.width = 3,
                      .height = 2,
                      .bits = 8,
                      .samples = 1,
                      .photometric = PHOTOMETRIC_MINISBLACK,
                      .extra = -1,
                      .orientation = 6};
    tiff_kind alpha = {.width = 3,
                       .height = 2,
                       .bits = 8,
                       .samples = 4,
                       .tile = 16,
                       .photometric = PHOTOMETRIC_RGB,
                       .extra = EXTRASAMPLE_UNASSALPHA};
    png_kind equal = {.width = 3, .height = 2, .type = PNG_COLOR_TYPE_RGB, .depth = 8};
    others[0] = make_tiff(&grey, rows);
    others[1] = make_tiff(&alpha, rows);
    others[2] = make_webp(3, 2, rows, 1);
    others[3] = make_png(&equal, (const uint8_t[18]){1, 1, 1});
}

static attn_status read_others(void) {
    attn_status status = ATTN_OK;
    for (int i = 0; i < 4 && status == ATTN_OK; i++) {
        attn_picture picture;
        attn_mask mask;
        attn_mask_options options = {.first = 0};
        status = attn_picture_parse(others[i].data, others[i].size, "", ATTN_PICTURES_ALL, 0,
                                    &picture, NULL);
        attn_picture_free(&picture);
        if (status == ATTN_OK && i == 3) {
            status = attn_mask_parse(others[i].data, others[i].size, "", &classes, &options, &mask,
                                     NULL);
            attn_mask_free(&mask);
        }
    }
    return status;
}

static attn_status overlays(const attn_picture *picture, const attn_mask *mask) {
    float map[4] = {0, 1, 2, 3};
    attn_picture over;
    attn_heat heat = {picture, map, 2, 2, 0, 1, 1, "title", NULL};
    attn_status status = attn_overlay_mask(picture, mask, &classes, 0.5, &over, NULL);
    if (status == ATTN_OK) {
        status = attn_overlay_legend(&over, mask, &classes, NULL);
    }
    if (status == ATTN_OK) {
        status = attn_picture_write(drawing, &over, "a test", NULL);
    }
    if (status == ATTN_OK) {
        status = attn_heat_write(drawing, &heat, NULL);
    }
    attn_picture_free(&over);
    return status;
}

static attn_status scores(const attn_mask *mask) {
    attn_confusion confusion = {0, NULL, 0};
    attn_status status = attn_mask_write(mask_path, mask, &classes, "a test", NULL);
    if (status == ATTN_OK) {
        status = attn_confusion_create(classes.count, &confusion, NULL);
    }
    if (status == ATTN_OK) {
        status = attn_confusion_add(&confusion, mask, mask, 255, NULL);
    }
    if (status == ATTN_OK) {
        char *table = attn_confusion_table(&confusion, &classes);
        char *csv = attn_confusion_csv(&confusion, &classes);
        char *text = attn_classes_print(&classes);
        status = table != NULL && csv != NULL && text != NULL ? ATTN_OK : ATTN_ERR_MEMORY;
        attn_free(table);
        attn_free(csv);
        attn_free(text);
    }
    if (status == ATTN_OK) {
        status = attn_confusion_draw(&confusion, &classes, chart, NULL);
    }
    attn_confusion_free(&confusion);
    return status;
}

static attn_status numbers(const attn_picture *picture, const attn_mask *mask) {
    static uint8_t pixels[32 * 32 * 3], labels[32 * 32];
    attn_augment_options options = {32, 32, 0.5, 0.5, 0, 0, 0, 0};
    attn_augment_space space = {{NULL, 0}, {NULL, 0}};
    attn_augment_plan plan = attn_augment_draw(&options, 1, 1, 1, picture->width, picture->height);
    attn_tile_axis axis = attn_tile_plan(32, 20, 4);
    attn_tile_blend *blend = NULL;
    attn_status status =
        attn_augment_apply(&plan, picture, mask, 255, pixels, labels, &space, NULL);
    attn_augment_space_free(&space);
    if (status == ATTN_OK) {
        status = attn_tile_blend_create(&axis, &axis, 3, &blend, NULL);
    }
    attn_tile_blend_free(blend);
    return status;
}

static attn_status live(void) {
    attn_picture picture = {0, 0, NULL}, jpeg = {0, 0, NULL};
    attn_mask mask = {0, 0, NULL}, drawn = {0, 0, NULL};
    attn_status status = files(&picture, &mask);
    if (status == ATTN_OK) {
        status = attn_picture_read(jpeg_path, 0, &jpeg, NULL);
    }
    attn_picture_free(&jpeg);
    if (status == ATTN_OK) {
        status = read_others();
    }
    if (status == ATTN_OK) {
        attn_scene_options options = attn_scene_options_default();
        status = attn_scene_draw(&options, 1, 1, &jpeg, &drawn, NULL);
    }
    if (status == ATTN_OK) {
        status = overlays(&picture, &mask);
    }
    if (status == ATTN_OK) {
        status = scores(&mask);
    }
    if (status == ATTN_OK) {
        status = numbers(&picture, &mask);
    }
    attn_picture_free(&picture);
    attn_picture_free(&jpeg);
    attn_mask_free(&mask);
    attn_mask_free(&drawn);
    return status;
}

static int setup(void **state) {
    (void)state;
    static const char text[] = "0 black 0 0 0\n1 white 255 255 255\n";
    static const char pair[] = "p.png\tp.png\n";
    uint8_t rows[64 * 48 * 4], exif[EXIF_SIZE];
    folder_make(folder);
    make_exif(exif, 6, 0);
    memset(rows, 0, sizeof rows);
    memset(rows, 255, sizeof rows / 2);
    png_kind png = {.width = 64,
                    .height = 48,
                    .type = PNG_COLOR_TYPE_GRAY,
                    .depth = 8,
                    .exif = exif,
                    .exif_size = EXIF_SIZE};
    jpeg_kind jpeg = {.width = 64,
                      .height = 48,
                      .in = JCS_CMYK,
                      .stored = JCS_YCCK,
                      .components = 4,
                      .exif = exif,
                      .exif_size = EXIF_SIZE};
    make_others();
    file_bytes png_file = make_png(&png, rows), jpeg_file = make_jpeg(&jpeg, rows);
    file_write(folder, "p.png", png_file.data, png_file.size);
    file_write(folder, "p.jpg", jpeg_file.data, jpeg_file.size);
    file_write(folder, "list", pair, sizeof pair - 1);
    bytes_free(&png_file);
    bytes_free(&jpeg_file);
    snprintf(list, sizeof list, "%s/list", folder);
    snprintf(drawing, sizeof drawing, "%s/drawing.png", folder);
    snprintf(chart, sizeof chart, "%s/chart.svg", folder);
    snprintf(jpeg_path, sizeof jpeg_path, "%s/p.jpg", folder);
    snprintf(mask_path, sizeof mask_path, "%s/m.png", folder);
    return attn_classes_parse(text, sizeof text - 1, "", 255, &classes, NULL) == ATTN_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        bytes_free(&others[i]);
    }
    folder_remove(folder);
    return 0;
}

static void every_allocation_fails_once(void **state) {
    (void)state;
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    heap = (faulty){0};
    assert_int_equal(live(), ATTN_OK);
    assert_int_equal(heap.live, 0);
    long needed = heap.calls;
    assert_true(needed > 30);
    for (long at = 1; at <= needed; at++) {
        heap = (faulty){.fail_at = at};
        assert_int_equal(live(), ATTN_ERR_MEMORY);
        assert_int_equal(heap.live, 0);
    }
    attn_set_allocator(NULL, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
