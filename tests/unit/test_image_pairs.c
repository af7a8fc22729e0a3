/* Pairs of files: found by name, sorted as bytes, and every missing partner named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "image/pairs.h"
#include "support/pictures.h"

static char root[64], pictures[128], masks[128];

static int setup(void **state) {
    (void)state;
    folder_make(root);
    snprintf(pictures, sizeof pictures, "%s/pictures", root);
    snprintf(masks, sizeof masks, "%s/masks", root);
    return mkdir(pictures, 0777) == 0 && mkdir(masks, 0777) == 0 ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    folder_remove(root);
    return 0;
}

static void touch(const char *folder, const char *name) {
    file_write(folder, name, "", 0);
}

static const char *name_of(const char *path) {
    return strrchr(path, '/') + 1;
}

static void fill(void) {
    static const char *const picture[] = {"b.JPG",        "a.png",   "a-b.jpeg",  "B.jpg",
                                          "\xc3\xa9.jpg", "a.b.jpg", "notes.txt", ".hidden.png",
                                          "t.TIF",        "u.tiff",  "w.webp"};
    static const char *const mask[] = {"b.png",   "a.png", "a-b.PNG", "B.png",  "\xc3\xa9.png",
                                       "a.b.png", "a.txt", "t.tiff",  "u.webp", "w.tif"};
    for (size_t i = 0; i < sizeof picture / sizeof *picture; i++) {
        touch(pictures, picture[i]);
    }
    for (size_t i = 0; i < sizeof mask / sizeof *mask; i++) {
        touch(masks, mask[i]);
    }
}

static void folders_are_matched_by_name(void **state) {
    (void)state;
    static const char *const expected[][2] = {
        {"B.jpg", "B.png"},     {"a.png", "a.png"},  {"a-b.jpeg", "a-b.PNG"},
        {"a.b.jpg", "a.b.png"}, {"b.JPG", "b.png"},  {"t.TIF", "t.tiff"},
        {"u.tiff", "u.webp"},   {"w.webp", "w.tif"}, {"\xc3\xa9.jpg", "\xc3\xa9.png"},
    };
    char slash[160];
    attn_pairs pairs;
    fill();
    snprintf(slash, sizeof slash, "%s//", masks);
    assert_int_equal(attn_pairs_from_folders(pictures, slash, &pairs, NULL), ATTN_OK);
    assert_int_equal(pairs.count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_string_equal(name_of(pairs.picture[i]), expected[i][0]);
        assert_string_equal(name_of(pairs.mask[i]), expected[i][1]);
        assert_int_equal(access(pairs.picture[i], R_OK), 0);
        assert_int_equal(access(pairs.mask[i], R_OK), 0);
    }
    attn_pairs_free(&pairs);
    assert_int_equal(attn_pairs_from_folder(pictures, &pairs, NULL), ATTN_OK);
    assert_int_equal(pairs.count, 9);
    assert_null(pairs.mask);
    assert_string_equal(name_of(pairs.picture[3]), "a.b.jpg");
    attn_pairs_free(&pairs);
}

static void expect_refusal(attn_status expected, const char *where, const char *what) {
    attn_pairs pairs;
    attn_error error = {0};
    assert_int_equal(attn_pairs_from_folders(pictures, masks, &pairs, &error), expected);
    assert_int_equal(pairs.count, 0);
    assert_null(pairs.picture);
    if (strcmp(error.where, where) != 0 || strstr(error.what, what) == NULL) {
        fail_msg("%s: %s", error.where, error.what);
    }
}

static void missing_partners_are_named(void **state) {
    (void)state;
    expect_refusal(ATTN_ERR_FORMAT, pictures, "no pictures");
    touch(pictures, "one.jpg");
    expect_refusal(ATTN_ERR_FORMAT, masks, "no pictures");
    touch(masks, "two.png");
    expect_refusal(ATTN_ERR_FORMAT, pictures, "one.jpg has no mask in ");
    touch(masks, "one.png");
    expect_refusal(ATTN_ERR_FORMAT, masks, "two.png has no picture in ");
    touch(pictures, "two.jpg");
    touch(pictures, "two.png");
    expect_refusal(ATTN_ERR_FORMAT, pictures, "two files share a name: two.jpg and two.png");
    folder_remove(masks);
    expect_refusal(ATTN_ERR_FORMAT, pictures, "two files share a name");
    folder_remove(pictures);
    expect_refusal(ATTN_ERR_IO, pictures, "cannot open the folder");
}

static attn_status read_list(const char *text, attn_pairs *pairs, attn_error *error) {
    char path[128];
    file_write(root, "list.txt", text, strlen(text));
    snprintf(path, sizeof path, "%s/list.txt", root);
    return attn_pairs_from_list(path, pairs, error);
}

static void lists_keep_their_order(void **state) {
    (void)state;
    attn_pairs pairs;
    char text[512];
    fill();
    snprintf(text, sizeof text,
             "pictures/b.JPG\tmasks/a.png\r\n\npictures/b.JPG\t%s/B.png\n"
             "pictures/\xc3\xa9.jpg\tmasks/\xc3\xa9.png",
             masks);
    assert_int_equal(read_list(text, &pairs, NULL), ATTN_OK);
    assert_int_equal(pairs.count, 3);
    assert_string_equal(name_of(pairs.mask[0]), "a.png");
    assert_string_equal(name_of(pairs.mask[1]), "B.png");
    assert_int_equal(strncmp(pairs.mask[1], masks, strlen(masks)), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(access(pairs.picture[i], R_OK), 0);
        assert_int_equal(access(pairs.mask[i], R_OK), 0);
    }
    attn_pairs_free(&pairs);
}

static void lists_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t line;
        const char *what;
    } cases[] = {
        {"", -1, "names no pictures"},
        {"pictures/a.png masks/a.png\n", 1, "no TAB"},
        {"pictures/a.png\tmasks/a.png\tmore\n", 1, "more than one TAB"},
        {"pictures/a.png\tmasks/a.png\n\tmasks/a.png\n", 2, "empty"},
        {"pictures/a.png\tmasks/a.png\n\npictures/a.png\t\n", 3, "empty"},
        {"pictures/a.png\tmasks/a.png\npictures/z.png\tmasks/a.png\n", 2, "z.png"},
        {"pictures/a.png\tmasks/z.png\n", 1, "z.png"},
        {"a\xff\tb\n", 1, "not UTF-8"},
    };
    fill();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_pairs pairs;
        attn_error error = {0};
        assert_int_equal(read_list(cases[i].text, &pairs, &error), ATTN_ERR_FORMAT);
        assert_null(pairs.picture);
        if (error.position != cases[i].line || strstr(error.what, cases[i].what) == NULL) {
            fail_msg("%lld: %s", (long long)error.position, error.what);
        }
    }
    attn_pairs pairs;
    assert_int_equal(attn_pairs_from_list("/nonexistent", &pairs, NULL), ATTN_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_are_matched_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_partners_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_checked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
