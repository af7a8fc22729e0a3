/* The files of a model in a folder and in a zip file, seen alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/bundle.h"
#include "support/model_bytes.h"

/* "package/..." as in an Argos package; the folder holds the same without "package/". */
static const char *const names[] = {"package/", "package/metadata.json", "package/model/",
                                    "package/model/model.bin", "package/sentencepiece.model"};
enum { NAMES = sizeof names / sizeof *names };

static char folder[64], archive[80];

static void write_file(const char *path, const void *data, size_t size) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, size, stream), size);
    fclose(stream);
}

/* A CTranslate2 file of one number. */
static bytes tiny_model(void) {
    bytes b = {NULL, 0};
    put_number(&b, 4, 1);
    put_number(&b, 4, 1);
    put_number(&b, 2, 2);
    put_text(&b, "w");
    put_number(&b, 1, 0);
    put_number(&b, 1, 4);
    put_number(&b, 4, 1);
    put(&b, "\0\0\x80\x3F", 4);
    return b;
}

static int make_files(void **state) {
    (void)state;
    strcpy(folder, "/tmp/attn-test-bundle-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(archive, sizeof archive, "%s.argosmodel", folder);
    bytes model = tiny_model();
    member members[NAMES];
    for (int i = 0; i < NAMES; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", folder, names[i] + strlen("package/"));
        bool model_file = strstr(names[i], ".bin") != NULL;
        bytes text = {(unsigned char *)(uintptr_t)names[i], strlen(names[i])};
        members[i] = (member){names[i], model_file ? model : text};
        if (names[i][strlen(names[i]) - 1] == '/') {
            members[i].content.size = 0;
            mkdir(path, 0700);
        } else {
            write_file(path, members[i].content.data, members[i].content.size);
        }
    }
    bytes zip = zip_of(members, NAMES, ZIP_CM_DEFLATE);
    write_file(archive, zip.data, zip.size);
    free(zip.data);
    free(model.data);
    return 0;
}

static int remove_files(void **state) {
    (void)state;
    char command[200];
    snprintf(command, sizeof command, "rm -r %s %s", folder, archive);
    return system(command);
}

static void assert_bundle(const char *path) {
    attn_bundle *b = NULL;
    attn_error error = {0};
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(attn_bundle_open(path, &b, &error), ATTN_OK);
    assert_int_equal(attn_bundle_count(b), 3);
    assert_string_equal(attn_bundle_name(b, 0), "metadata.json");
    assert_string_equal(attn_bundle_name(b, 1), "model/model.bin");
    assert_null(attn_bundle_name(b, 3));
    assert_true(attn_bundle_has(b, "sentencepiece.model"));
    assert_false(attn_bundle_has(b, "model"));
    assert_int_equal(attn_bundle_read(b, "metadata.json", 100, &data, &size, &error), ATTN_OK);
    assert_string_equal(data, "package/metadata.json");
    assert_int_equal(size, strlen(data));
    attn_free(data);
    assert_int_equal(attn_bundle_read(b, "metadata.json", 5, &data, &size, &error),
                     ATTN_ERR_FORMAT);
    assert_int_equal(attn_bundle_read(b, "absent", 0, &data, &size, &error), ATTN_ERR_IO);
    assert_int_equal(attn_bundle_read(b, "../secret", 0, &data, &size, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_bundle_read(b, "/etc/passwd", 0, &data, &size, &error),
                     ATTN_ERR_ARGUMENT);
    attn_tensor_file *model = NULL;
    assert_int_equal(attn_bundle_tensors(b, "model/model.bin", &model, &error), ATTN_OK);
    attn_bundle_close(b);
    assert_floats(model, "w", (float[]){1}, 1);
    attn_tensor_file_close(model);
}

static void folder_and_zip(void **state) {
    (void)state;
    assert_bundle(folder);
    assert_bundle(archive);
}

static void neither(void **state) {
    (void)state;
    char path[200];
    attn_bundle *b = NULL;
    snprintf(path, sizeof path, "%s/metadata.json", folder);
    assert_int_equal(attn_bundle_open(path, &b, NULL), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_bundle_open("/no/such/place", &b, NULL), ATTN_ERR_IO);
    assert_null(b);
}

static void memory_fails(void **state) {
    (void)state;
    const char *const places[] = {folder, archive};
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    for (int i = 0; i < 2; i++) {
        attn_status status = ATTN_ERR_MEMORY;
        for (long n = 1; status != ATTN_OK; n++) {
            attn_bundle *b = NULL;
            heap = (faulty){.fail_at = n};
            status = attn_bundle_open(places[i], &b, NULL);
            assert_true(status == ATTN_OK || status == ATTN_ERR_MEMORY);
            attn_bundle_close(b);
            assert_int_equal(heap.live, 0);
        }
    }
    attn_set_allocator(NULL, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder_and_zip),
        cmocka_unit_test(neither),
        cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
