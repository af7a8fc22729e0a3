/* Model files of others, written here byte by byte: read as they are, and refused for each way in which they
 * can be wrong. PyTorch's are in test_torch_file.c; tests/parity compares with their makers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/archive.h"
#include "support/model_bytes.h"

/* ---- CTranslate2 ---- */

typedef struct ct2 {
    uint32_t version, count, size, alias_count;
    uint8_t rank, type;
    uint32_t shape[2];
    uint16_t name_length; /* 0: as it is */
    const char *alias_of;
    size_t missing; /* bytes of the last variable */
} ct2;

static const ct2 good_ct2 = {.version = 6,
                             .count = 1,
                             .size = 24,
                             .alias_count = 1,
                             .rank = 2,
                             .type = 0,
                             .shape = {2, 3},
                             .alias_of = "w"};
static const float six[6] = {1, -2, 3.5f, 0, 7, -8};

static void put_ct2_string(bytes *b, const char *text) {
    put_number(b, 2, strlen(text) + 1);
    put_text(b, text);
}

static bytes ct2_file(ct2 f) {
    bytes b = {NULL, 0};
    put_number(&b, 4, f.version);
    put_ct2_string(&b, "Spec");
    put_number(&b, 4, 3);
    put_number(&b, 4, f.count);
    put_number(&b, 2, f.name_length != 0 ? f.name_length : 2);
    put_text(&b, "w");
    put_number(&b, 1, f.rank);
    put_number(&b, 4, f.shape[0]);
    put_number(&b, 4, f.shape[1]);
    put_number(&b, 1, f.type);
    put_number(&b, 4, f.size);
    put(&b, six, sizeof six - f.missing);
    put_number(&b, 4, f.alias_count);
    put_ct2_string(&b, "again");
    put_ct2_string(&b, f.alias_of);
    return b;
}

static void ct2_is_read(void **state) {
    (void)state;
    bytes b = ct2_file(good_ct2);
    attn_tensor_file *file = good_model(&b);
    assert_int_equal(attn_tensor_file_kind_of(file), ATTN_FILE_CTRANSLATE2);
    assert_int_equal(attn_tensor_file_count(file), 2);
    assert_floats(file, "w", six, 6);
    assert_ptr_equal(attn_tensor_file_find(file, "again")->data,
                     attn_tensor_file_find(file, "w")->data);
    assert_string_equal(attn_tensor_file_text(file, "spec"), "Spec");
    assert_string_equal(attn_tensor_file_text(file, "revision"), "3");
    assert_null(attn_tensor_file_text(file, "vocabulary"));
    assert_null(attn_tensor_file_at(file, 2));
    attn_tensor_file_close(file);
    assert_cuts_refused(&b);
    assert_failures_survived(&b);
    free(b.data);
}

static void ct2_flaws(void **state) {
    (void)state;
    static const struct {
        ct2 file;
        attn_status status;
        const char *says;
    } flaws[] = {
        {{0, 1, 24, 1, 2, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "no kind of model"},
        {{7, 1, 24, 1, 2, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "no kind of model"},
        {{6, 0, 24, 1, 2, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "without a variable"},
        {{6, 0xFFFFFFFF, 24, 1, 2, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, ""},
        {{6, 1, 24, 1, 255, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "has the rank 255"},
        {{6, 1, 24, 1, 2, 6, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "has the type 6"},
        {{6, 1, 24, 1, 2, 0, {0xFFFFFFFF, 0xFFFFFFFF}, 0, "w", 0}, ATTN_ERR_FORMAT, "shape"},
        {{6, 1, 24, 1, 2, 0, {2, 4}, 0, "w", 0}, ATTN_ERR_FORMAT, "wrong size 24"},
        {{6, 1, 0xFFFFFFF0, 1, 2, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "wrong size"},
        {{6, 1, 0x40000000, 1, 2, 0, {0x10000000, 1}, 0, "w", 0}, ATTN_ERR_FORMAT, "needs more"},
        {{6, 1, 24, 1, 2, 0, {2, 3}, 0xFFFF, "w", 0}, ATTN_ERR_FORMAT, "name of a variable"},
        {{6, 1, 24, 1, 2, 0, {2, 3}, 1, "w", 0}, ATTN_ERR_FORMAT, "does not end where"},
        {{6, 1, 24, 0xFFFFFFFF, 2, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "an alias needs"},
        {{6, 1, 24, 0, 2, 0, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "bytes follow"},
        {{6, 1, 24, 1, 2, 0, {2, 3}, 0, "v", 0}, ATTN_ERR_FORMAT, "stands for \"v\""},
        {{6, 1, 24, 1, 2, 0, {2, 3}, 0, "w", 4}, ATTN_ERR_FORMAT, ""},
        {{3, 1, 6, 1, 2, 3, {2, 3}, 0, "w", 0}, ATTN_ERR_FORMAT, "has the width 3"},
    };
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        bytes b = ct2_file(flaws[i].file);
        assert_refused(&b, flaws[i].status, flaws[i].says);
        free(b.data);
    }
}

/* ---- Marian ---- */

typedef struct marian {
    uint64_t count, name_size, type, rank, data_size, padding;
    int32_t shape[2];
    const char *name;
} marian;

static const marian good_marian = {1, 2, 0x404, 2, 24, 8, {2, 3}, "w"};

static bytes marian_file(marian f) {
    bytes b = {NULL, 0};
    put_number(&b, 8, 1);
    put_number(&b, 8, f.count);
    put_number(&b, 8, f.name_size);
    put_number(&b, 8, f.type);
    put_number(&b, 8, f.rank);
    put_number(&b, 8, f.data_size);
    put_text(&b, f.name);
    put_number(&b, 4, (uint32_t)f.shape[0]);
    put_number(&b, 4, (uint32_t)f.shape[1]);
    put_number(&b, 8, f.padding);
    put(&b, "\0\0\0\0\0\0\0", 8);
    put(&b, six, sizeof six);
    return b;
}

static void marian_is_read(void **state) {
    (void)state;
    bytes b = marian_file(good_marian);
    attn_tensor_file *file = good_model(&b);
    assert_int_equal(attn_tensor_file_kind_of(file), ATTN_FILE_MARIAN);
    assert_floats(file, "w", six, 6);
    attn_tensor_file_close(file);
    assert_cuts_refused(&b);
    assert_failures_survived(&b);
    free(b.data);
}

/* Quantised: [in 4, out 5] lies, and is given, as [5, 4], with its multiplier; an embedding as it is. */
static void marian_integers(void **state) {
    (void)state;
    marian f = {1, 2, 0x4101, 2, 24, 8, {4, 5}, "w"};
    bytes b = marian_file(f);
    attn_tensor_file *file = good_model(&b);
    const attn_tensor_info *w = attn_tensor_file_find(file, "w");
    assert_int_equal(w->dtype, ATTN_DTYPE_I8);
    assert_int_equal(w->shape[0], 5);
    assert_int_equal(w->shape[1], 4);
    assert_memory_equal(w->data, six, 20);
    assert_floats(file, "w.multiplier", six + 5, 1);
    attn_tensor_file_close(file);
    free(b.data);
    f.name = "Wemb";
    f.name_size = 5;
    b = marian_file(f);
    file = good_model(&b);
    assert_int_equal(attn_tensor_file_find(file, "Wemb")->shape[0], 4);
    attn_tensor_file_close(file);
    free(b.data);
}

static void marian_flaws(void **state) {
    (void)state;
    static const uint64_t huge = (uint64_t)1 << 60;
    const struct {
        marian file;
        attn_status status;
        const char *says;
    } flaws[] = {
        {{huge, 2, 0x404, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "list of items"},
        {{UINT64_MAX, 2, 0x404, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "list of items"},
        {{1, huge, 0x404, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "a name of"},
        {{1, 0, 0x404, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, ""},
        {{1, 3, 0x404, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, ""},
        {{1, 2, 0x405, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "a type that is none"},
        {{1, 2, huge, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "a type that is none"},
        {{1, 2, 0x5101, 2, 24, 8, {2, 3}, "w"}, ATTN_ERR_UNSUPPORTED, "one kind of processor"},
        {{1, 2, 0x404, 9, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "a shape of"},
        {{1, 2, 0x404, huge, 24, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "a shape of"},
        {{1, 2, 0x404, 2, huge, 8, {2, 3}, "w"}, ATTN_ERR_FORMAT, "w needs more"},
        {{1, 2, 0x404, 2, 24, huge, {2, 3}, "w"}, ATTN_ERR_FORMAT, "padding"},
        {{1, 2, 0x404, 2, 24, 0, {-2, -3}, "w"}, ATTN_ERR_FORMAT, "shape of tensor"},
        {{1, 2, 0x404, 2, 24, 8, {0x7FFFFFFF, 0x7FFFFFFF}, "w"}, ATTN_ERR_FORMAT, "\"w\""},
        {{1, 2, 0x404, 2, 24, 8, {2, 4}, "w"}, ATTN_ERR_FORMAT, "needs 32 bytes"},
        {{1, 2, 0x4101, 2, 24, 8, {7, 3}, "w"}, ATTN_ERR_FORMAT, "no multiplier"},
        {{1, 2, 0x404, 2, 24, 8, {2, 3}, "\xFF"}, ATTN_ERR_FORMAT, "cannot be a name"},
    };
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        bytes b = marian_file(flaws[i].file);
        assert_refused(&b, flaws[i].status, flaws[i].says);
        free(b.data);
    }
}

/* ---- numpy ---- */

static bytes npy(const char *header, size_t length, const void *data, size_t size) {
    bytes b = {NULL, 0};
    put(&b, "\x93NUMPY\x01\x00", 8);
    put_number(&b, 2, length != 0 ? length : strlen(header));
    put(&b, header, strlen(header));
    put(&b, data, size);
    return b;
}

static bytes npz(const char *header, size_t length, zip_int32_t method) {
    member m = {"w.npy", npy(header, length, six, sizeof six)};
    bytes b = zip_of(&m, 1, method);
    free(m.content.data);
    return b;
}

static void npz_is_read(void **state) {
    (void)state;
    static const char plain[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n";
    static const char fortran[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
    static const float turned[6] = {1, 3.5f, 7, -2, 0, -8};
    const struct {
        const char *header;
        const float *wanted;
        zip_int32_t method;
    } cases[] = {
        {plain, six, ZIP_CM_STORE}, {plain, six, ZIP_CM_DEFLATE}, {fortran, turned, ZIP_CM_STORE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes b = npz(cases[i].header, 0, cases[i].method);
        attn_tensor_file *file = good_model(&b);
        assert_int_equal(attn_tensor_file_kind_of(file), ATTN_FILE_NPZ);
        assert_floats(file, "w", cases[i].wanted, 6);
        attn_tensor_file_close(file);
        assert_cuts_refused(&b);
        assert_failures_survived(&b);
        free(b.data);
    }
}

static void special_text(void **state) {
    (void)state;
    bytes array =
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }", 0, "a: 1\nb: 2\0\0", 12);
    member m = {"special:model.yml.npy", array};
    bytes b = zip_of(&m, 1, ZIP_CM_STORE);
    attn_tensor_file *file = good_model(&b);
    assert_int_equal(attn_tensor_file_count(file), 0);
    assert_string_equal(attn_tensor_file_text(file, "special:model.yml"), "a: 1\nb: 2");
    attn_tensor_file_close(file);
    free(array.data);
    free(b.data);
}

static void npz_flaws(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t length;
        attn_status status;
        const char *says;
    } flaws[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 0,
         ATTN_ERR_FORMAT, "shape of tensor"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (4294967296, 4294967296), }", 0,
         ATTN_ERR_FORMAT, "has not the bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", 0, ATTN_ERR_FORMAT,
         "needs 32 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }", 0, ATTN_ERR_FORMAT,
         "header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0,
         ATTN_ERR_FORMAT, "header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 0,
         ATTN_ERR_FORMAT, "header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 60000, ATTN_ERR_FORMAT,
         "needs more"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 20, ATTN_ERR_FORMAT,
         "header"},
        {"{'descr': '<f4', 'fortran_order': False, }", 0, ATTN_ERR_FORMAT, "header"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (), }", 0,
         ATTN_ERR_FORMAT, "header"},
        {"", 0, ATTN_ERR_FORMAT, "header"},
        {"{'descr': '<f4', 'fortran_order': __import__('os'), 'shape': (2, 3), }", 0,
         ATTN_ERR_FORMAT, "header"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", 0, ATTN_ERR_UNSUPPORTED,
         "other order"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 0, ATTN_ERR_UNSUPPORTED,
         "no common number"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }", 0,
         ATTN_ERR_UNSUPPORTED, "several fields"},
    };
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        bytes b = npz(flaws[i].header, flaws[i].length, ZIP_CM_STORE);
        assert_refused(&b, flaws[i].status, flaws[i].says);
        free(b.data);
    }
}

/* ---- zip files ---- */

static void zip_flaws(void **state) {
    (void)state;
    static const char *const escapes[] = {"../w.npy", "/etc/w.npy", "a/../../w.npy", "..\\w.npy"};
    bytes array =
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", 0, six, sizeof six);
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        member m = {escapes[i], array};
        bytes b = zip_of(&m, 1, ZIP_CM_STORE);
        assert_refused(&b, ATTN_ERR_FORMAT, "leads out of the archive");
        free(b.data);
    }
    member text = {"readme.txt", array}, mixed[2] = {{"w.npy", array}, {"readme.txt", array}};
    bytes b = zip_of(&text, 1, ZIP_CM_STORE);
    assert_refused(&b, ATTN_ERR_FORMAT, "neither an .npz nor");
    free(b.data);
    b = zip_of(mixed, 2, ZIP_CM_STORE);
    assert_refused(&b, ATTN_ERR_FORMAT, "has not the name of an array");
    free(b.data);
    free(array.data);
}

/* 100 MB of zeros in 100 KB. */
static void zip_bomb(void **state) {
    (void)state;
    member m = {"w.npy", {calloc(100, 1 << 20), (size_t)100 << 20}};
    assert_non_null(m.content.data);
    bytes b = zip_of(&m, 1, ZIP_CM_DEFLATE);
    assert_true(b.size < 1 << 20);
    assert_refused(&b, ATTN_ERR_FORMAT, "zip bomb");
    free(m.content.data);
    free(b.data);
}

/* Sizes in the list of members that the members do not have: each byte of the file changed once. */
static void zip_changed_bytes(void **state) {
    (void)state;
    bytes b = npz("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 0, ZIP_CM_DEFLATE);
    for (size_t i = 0; i < b.size; i++) {
        attn_tensor_file *file = NULL;
        b.data[i] ^= 0x5A;
        heap = (faulty){0};
        attn_set_allocator(faulty_allocate, faulty_release, &heap);
        attn_status status = read_model(&b, &file, NULL);
        assert_true((status == ATTN_OK) == (file != NULL));
        attn_tensor_file_close(file);
        attn_set_allocator(NULL, NULL, NULL);
        assert_int_equal(heap.live, 0);
        b.data[i] ^= 0x5A;
    }
    free(b.data);
}

static void paths(void **state) {
    (void)state;
    assert_true(attn_path_stays_below("model/config.json"));
    assert_true(attn_path_stays_below("a..b/..c"));
    assert_false(attn_path_stays_below(""));
    assert_false(attn_path_stays_below(".."));
    assert_false(attn_path_stays_below("a/.."));
    assert_false(attn_path_stays_below("a/../b"));
    assert_false(attn_path_stays_below("/a"));
}

/* ---- other files ---- */

static void strangers(void **state) {
    (void)state;
    static const struct {
        const char *start;
        attn_status status;
        const char *says;
    } cases[] = {
        {"", ATTN_ERR_FORMAT, "no kind of model"},
        {"GGUF\3", ATTN_ERR_UNSUPPORTED, "GGUF"},
        {"version https://git-lfs.github.com/spec/v1\n", ATTN_ERR_UNSUPPORTED, "git-lfs"},
        {"\x1F\x8B\x08", ATTN_ERR_UNSUPPORTED, "gzip"},
        {"{\"a\": 1}", ATTN_ERR_FORMAT, "no index of a model"},
        {"{\"a\": ", ATTN_ERR_FORMAT, "no JSON"},
        {"{\"weight_map\": {\"a\": 1}}", ATTN_ERR_FORMAT, "the file of each tensor"},
        {"{\"weight_map\": {\"a\": \"../x\"}}", ATTN_ERR_FORMAT, "not in its folder"},
        {"{\"weight_map\": {\"a\": \"/x\"}}", ATTN_ERR_FORMAT, "not in its folder"},
        {"{\"weight_map\": {\"a\": \"no such file\"}}", ATTN_ERR_IO, "cannot open"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes b = {(unsigned char *)(uintptr_t)cases[i].start, strlen(cases[i].start)};
        assert_refused(&b, cases[i].status, cases[i].says);
    }
    attn_tensor_file *file = NULL;
    assert_int_equal(attn_tensor_file_open("/no/such/file", &file, NULL), ATTN_ERR_IO);
}

/* From a path each kind is read as it is from memory. */
static void from_a_path(void **state) {
    (void)state;
    bytes files[] = {
        ct2_file(good_ct2), marian_file(good_marian),
        npz("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 0, ZIP_CM_STORE)};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[] = "/tmp/attn-test-model-XXXXXX";
        int fd = mkstemp(path);
        assert_int_equal(write(fd, files[i].data, files[i].size), (ssize_t)files[i].size);
        close(fd);
        attn_tensor_file *file = NULL;
        assert_int_equal(attn_tensor_file_open(path, &file, NULL), ATTN_OK);
        assert_floats(file, "w", six, 6);
        attn_tensor_file_close(file);
        unlink(path);
        free(files[i].data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ct2_is_read),       cmocka_unit_test(ct2_flaws),
        cmocka_unit_test(marian_is_read),    cmocka_unit_test(marian_integers),
        cmocka_unit_test(marian_flaws),      cmocka_unit_test(npz_is_read),
        cmocka_unit_test(special_text),      cmocka_unit_test(npz_flaws),
        cmocka_unit_test(zip_flaws),         cmocka_unit_test(zip_bomb),
        cmocka_unit_test(zip_changed_bytes), cmocka_unit_test(paths),
        cmocka_unit_test(strangers),         cmocka_unit_test(from_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
