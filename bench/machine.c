/* bench/machine.c: the processor's name and the memory that the process has held. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/peak.h"

char *attn_machine_name(char *buffer, size_t size) {
    static const char *const fields[] = {"model name", "Model", "Hardware"};
    struct utsname system;
    snprintf(buffer, size, "%s", uname(&system) == 0 ? system.machine : "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) {
        return buffer;
    }
    char line[256];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        for (size_t i = 0; colon != NULL && i < sizeof fields / sizeof *fields; i++) {
            if (strncmp(line, fields[i], strlen(fields[i])) == 0) {
                colon += 1 + strspn(colon + 1, " \t");
                snprintf(buffer, size, "%.*s", (int)strcspn(colon, "\n"), colon);
                found = true;
            }
        }
    }
    fclose(file);
    return buffer;
}

void attn_machine_reset_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file != NULL) {
        fputs("5", file); /* proc(5): the peak becomes what is held now */
        fclose(file);
    }
}

int64_t attn_machine_peak_bytes(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return 0;
    }
#if defined(__APPLE__)
    return (int64_t)usage.ru_maxrss;
#else
    return (int64_t)usage.ru_maxrss * 1024;
#endif
}

int64_t attn_machine_held_bytes(void) {
    long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r"); /* in pages */
    if (file != NULL) {
        if (fscanf(file, "%lld %lld", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}
