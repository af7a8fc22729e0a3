/* Runs a fuzz target over files, or over all files of folders, so that the kept corpus is a test
 * for compilers without libFuzzer too. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, size_t size) {
    /* Exactly as large as the input, so that a sanitizer sees a read past its end. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    FILE *file = fopen(path, "rb");
    if (data == NULL || file == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        free(data);
        return -1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

/* The number of files run, or -1. */
static int replay(const char *path) {
    struct stat info;
    DIR *folder = NULL;
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
        return replay_file(path, (size_t)info.st_size);
    }
    folder = opendir(path);
    if (folder == NULL) {
        fprintf(stderr, "replay: cannot open %s\n", path);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char name[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        int run = replay(name);
        count = run < 0 || count < 0 ? -1 : count + run;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int run = replay(argv[i]);
        if (run < 0) {
            return 1;
        }
        count += run;
    }
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
