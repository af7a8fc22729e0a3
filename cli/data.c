/* cli/data.c: finding the files that come with the program. */
#include "data.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"

/* The folder that holds this program's file, "" where the system does not tell. */
static void program_folder(char *folder, size_t size) {
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

attn_status attn_data_find(const char *name, const char *missing, const char *where,
                           const char *hint, char *out, size_t size, attn_error *error) {
    char folder[2048];
    char tried[3][2400];
    program_folder(folder, sizeof folder);
    snprintf(tried[0], sizeof tried[0], "%s", name);
    snprintf(tried[1], sizeof tried[1], "%s/../%s", folder, name);
    snprintf(tried[2], sizeof tried[2], "%s/%s", ATTN_DATA_DIR, name);
    for (int i = 0; i < 3; i++) {
        if (access(tried[i], F_OK) == 0) {
            snprintf(out, size, "%s", tried[i]);
            return ATTN_OK;
        }
    }
    return attn_fail(error, ATTN_ERR_IO, where, -1, hint, "%s: tried %.100s, %.150s and %.150s",
                     missing, tried[0], tried[1], tried[2]);
}
