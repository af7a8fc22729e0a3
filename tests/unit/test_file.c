/* A file is replaced whole or not at all; a whole file is read, within a limit. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/file.h"

static char folder[64];
static char path[128];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/attn-test-file-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/model", folder);
    return 0;
}

/* Removes what is left and the folder. */
static int remove_folder(void **state) {
    (void)state;
    char command[128];
    chmod(folder, 0700);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static int entries(void) {
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        count += entry->d_name[0] != '.';
    }
    closedir(listing);
    return count;
}

static void replace(const char *name, const char *text) {
    const attn_bytes pieces[] = {{text, strlen(text)}};
    assert_int_equal(attn_file_replace(name, pieces, 1, NULL), ATTN_OK);
}

static void assert_holds(const char *name, const char *text) {
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(attn_file_read(name, 0, &data, &size, NULL), ATTN_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text); /* there is a NUL behind it */
    attn_free(data);
}

static void pieces_follow_one_another(void **state) {
    (void)state;
    const attn_bytes pieces[] = {{"key ", 4}, {NULL, 0}, {"value", 5}};
    assert_int_equal(attn_file_replace(path, pieces, 3, NULL), ATTN_OK);
    assert_holds(path, "key value");
    replace(path, "query");
    assert_holds(path, "query");
    assert_int_equal(entries(), 1);
    assert_int_equal(attn_file_replace(path, NULL, 0, NULL), ATTN_OK);
    assert_holds(path, "");
}

static void permissions_and_links_stay(void **state) {
    (void)state;
    char link_name[128];
    struct stat info;
    replace(path, "old");
    assert_int_equal(chmod(path, 0640), 0);
    snprintf(link_name, sizeof link_name, "%s/link", folder);
    assert_int_equal(symlink("model", link_name), 0);
    replace(link_name, "new");
    assert_holds(path, "new");
    assert_int_equal(lstat(link_name, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(entries(), 2);
}

/* No space: a limit on file sizes fails write() half-way like a full disk does. */
static void write_plain(const char *name, const char *text) {
    char place[200];
    snprintf(place, sizeof place, "%s/%s", folder, name);
    FILE *file = fopen(place, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* What a killed process of the same number left is no obstacle, and goes when asked; other files stay. */
static void stale_files(void **state) {
    (void)state;
    static const char *const others[] = {"model.1-x.tmp", "model.2-3.tmp.old", "model.-3.tmp",
                                         "model.3-.tmp",  "other.1-0.tmp",     "xmodel.1-0.tmp",
                                         "model.tmp"};
    enum { OTHERS = sizeof others / sizeof others[0], STALE = 40 };
    char name[64];
    for (int serial = 0; serial < STALE;
         serial++) { /* the next ones too, whatever was written before */
        snprintf(name, sizeof name, "model.%ld-%d.tmp", (long)getpid(), serial);
        write_plain(name, "half");
    }
    for (int i = 0; i < OTHERS; i++) {
        write_plain(others[i], "mine");
    }
    replace(path, "whole");
    assert_holds(path, "whole");
    assert_int_equal(entries(), STALE + OTHERS + 1);
    attn_file_remove_stale(path);
    assert_int_equal(entries(), OTHERS + 1);
    assert_holds(path, "whole");
    attn_file_remove_stale("/nowhere/at/all");
    assert_int_equal(chdir(folder), 0);
    write_plain("model.77-8.tmp", "half");
    attn_file_remove_stale("model");
    assert_int_equal(entries(), OTHERS + 1);
    assert_int_equal(chdir("/"), 0);
}

static void failing_write_leaves_the_old_file(void **state) {
    (void)state;
    static char large[100000];
    const attn_bytes pieces[] = {{"start", 5}, {large, sizeof large}};
    struct rlimit before, small;
    attn_error error;
    replace(path, "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    attn_status status = attn_file_replace(path, pieces, 2, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, ATTN_ERR_IO);
    assert_string_equal(error.where, path);
    assert_non_null(strstr(error.what, strerror(EFBIG)));
    assert_true(error.hint[0] != '\0');
    assert_holds(path, "old");
    assert_int_equal(entries(), 1);
}

static void full_device(void **state) {
    (void)state;
    struct stat info;
    attn_error error;
    if (stat("/dev/full", &info) != 0 || !S_ISCHR(info.st_mode)) {
        skip();
    }
    const attn_bytes pieces[] = {{"text", 4}};
    assert_int_equal(attn_file_replace("/dev/full", pieces, 1, &error), ATTN_ERR_IO);
    assert_non_null(strstr(error.what, strerror(ENOSPC)));
    assert_non_null(strstr(error.hint, "space"));
    assert_int_equal(stat("/dev/full", &info), 0);
    assert_true(S_ISCHR(info.st_mode)); /* written to, not replaced */
    assert_int_equal(attn_file_replace("/dev/null", pieces, 1, NULL), ATTN_OK);
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
}

static void read_only_folder(void **state) {
    (void)state;
    attn_error error;
    const attn_bytes pieces[] = {{"text", 4}};
    if (geteuid() == 0) {
        skip(); /* root may write everywhere */
    }
    replace(path, "old");
    assert_int_equal(chmod(folder, 0500), 0);
    assert_int_equal(attn_file_replace(path, pieces, 1, &error), ATTN_ERR_IO);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_non_null(strstr(error.what, strerror(EACCES)));
    assert_holds(path, "old");
    assert_int_equal(entries(), 1);
}

static void places_that_cannot_be(void **state) {
    (void)state;
    const attn_bytes pieces[] = {{"text", 4}};
    char *data = NULL;
    size_t size = 0;
    char name[5000];
    attn_error error;
    assert_int_equal(attn_file_replace(folder, pieces, 1, &error), ATTN_ERR_IO);
    assert_non_null(strstr(error.hint, "folder"));
    assert_int_equal(attn_file_replace("/nonexistent/model", pieces, 1, NULL), ATTN_ERR_IO);
    assert_int_equal(attn_file_read("/nonexistent/model", 0, &data, &size, &error), ATTN_ERR_IO);
    assert_string_equal(error.where, "/nonexistent/model");
    assert_int_equal(attn_file_read(folder, 0, &data, &size, NULL), ATTN_ERR_IO);
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(attn_file_replace(name, pieces, 1, NULL), ATTN_ERR_IO);
    assert_int_equal(attn_file_replace("", pieces, 1, NULL), ATTN_ERR_IO);
    assert_null(data);
}

static void limits(void **state) {
    (void)state;
    char *data = NULL;
    size_t size = 0;
    attn_error error;
    replace(path, "12345678");
    assert_int_equal(attn_file_read(path, 8, &data, &size, NULL), ATTN_OK);
    assert_int_equal(size, 8);
    attn_free(data);
    data = NULL;
    assert_int_equal(attn_file_read(path, 7, &data, &size, &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "7 bytes"));
    assert_null(data);
    /* Not a regular file: its size is known only at its end, if it has one. */
    assert_int_equal(attn_file_read("/dev/zero", 200000, &data, &size, NULL), ATTN_ERR_FORMAT);
    assert_int_equal(attn_file_read("/dev/null", 0, &data, &size, NULL), ATTN_OK);
    assert_int_equal(size, 0);
    attn_free(data);
}

static void large_pipe(void **state) {
    (void)state;
    char *data = NULL;
    size_t size = 0;
    FILE *pipe_end = popen("head -c 300000 /dev/zero | tr '\\0' 'x'", "r");
    assert_non_null(pipe_end);
    snprintf(path, sizeof path, "/dev/fd/%d", fileno(pipe_end));
    attn_status status = attn_file_read(path, 0, &data, &size, NULL);
    pclose(pipe_end);
    assert_int_equal(status, ATTN_OK);
    assert_int_equal(size, 300000);
    assert_true(data[0] == 'x' && data[299999] == 'x' && data[300000] == '\0');
    attn_free(data);
}

static int allocations_left;

static void *allocate_some(size_t size, void *context) {
    (void)context;
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

static void out_of_memory(void **state) {
    (void)state;
    char *data = NULL;
    size_t size = 0;
    replace(path, "text");
    allocations_left = 0;
    attn_set_allocator(allocate_some, release, NULL);
    attn_status status = attn_file_read(path, 0, &data, &size, NULL);
    allocations_left = 1; /* the second one is asked for while reading on */
    attn_status later = attn_file_read("/dev/zero", 1000000, &data, &size, NULL);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(status, ATTN_ERR_MEMORY);
    assert_int_equal(later, ATTN_ERR_MEMORY);
    assert_null(data);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(pieces_follow_one_another),
        IN_FOLDER(permissions_and_links_stay),
        IN_FOLDER(stale_files),
        IN_FOLDER(failing_write_leaves_the_old_file),
        IN_FOLDER(full_device),
        IN_FOLDER(read_only_folder),
        IN_FOLDER(places_that_cannot_be),
        IN_FOLDER(limits),
        IN_FOLDER(large_pipe),
        IN_FOLDER(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
