/* cpu/quota.c: how many processors' time a container lets this process use, from Linux's control groups.
 *
 * A group of version 2 has the file cpu.max, "QUOTA PERIOD" in microseconds or "max PERIOD"; one of
 * version 1 has cpu.cfs_quota_us (-1: no limit) and cpu.cfs_period_us. The groups above it limit as well.
 * A container may be told the host's name of its group, which it does not see; what it sees instead is its
 * own group at the root, so names that are not there are passed over on the way up.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/minmax.h"
#include "cpu/cpu.h"

#ifdef __linux__

enum { LONGEST = 4096 };

/* root and three parts as one path; false: it is too long. */
static bool join(char path[LONGEST], const char *root, const char *mount, const char *group,
                 const char *name) {
    int length = snprintf(path, LONGEST, "%s/sys/fs/cgroup%s%s/%s", root, mount, group, name);
    return length > 0 && length < LONGEST;
}

/* The first line of a file; false: there is none. */
static bool first_line(const char *path, char *line, int size) {
    FILE *file = fopen(path, "re");
    bool found = file != NULL && fgets(line, size, file) != NULL;
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    return found;
}

/* The quota as whole processors, rounded up; 0: no limit. */
static int processors_of(long long quota, long long period) {
    if (quota <= 0 || period <= 0) {
        return 0;
    }
    int64_t processors = attn_ceil_div(quota, period);
    return processors > 1 << 20 ? 0 : (int)processors;
}

static int quota_of_v2(const char *root, const char *mount, const char *group) {
    char path[LONGEST], line[64];
    long long quota, period;
    bool has = join(path, root, mount, group, "cpu.max") && first_line(path, line, sizeof line) &&
               sscanf(line, "%18lld %18lld", &quota, &period) == 2; /* "max" is no number */
    return has ? processors_of(quota, period) : 0;
}

static int quota_of_v1(const char *root, const char *mount, const char *group) {
    char path[LONGEST], line[64];
    long long quota, period;
    bool has = join(path, root, mount, group, "cpu.cfs_quota_us") &&
               first_line(path, line, sizeof line) && sscanf(line, "%18lld", &quota) == 1 &&
               join(path, root, mount, group, "cpu.cfs_period_us") &&
               first_line(path, line, sizeof line) && sscanf(line, "%18lld", &period) == 1;
    return has ? processors_of(quota, period) : 0;
}

static int smaller(int a, int b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The smallest quota from the group up to the root. Cuts `group` to pieces. */
static int quota_upwards(const char *root, const char *mount, char *group,
                         int (*quota_of)(const char *, const char *, const char *)) {
    int least = 0;
    for (char *end; (end = strrchr(group, '/')) != NULL; *end = '\0') {
        if (end[1] != '\0') { /* "/" alone is the root, asked last */
            least = smaller(least, quota_of(root, mount, group));
        }
    }
    return smaller(least, quota_of(root, mount, ""));
}

/* Whether a list of names separated by commas has "cpu". */
static bool names_cpu(const char *list) {
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0')) {
            return true;
        }
    }
    return false;
}

/* A line of /proc/self/cgroup: NUMBER:CONTROLLERS:/GROUP; no controllers: version 2. */
static int quota_of_line(const char *root, char *line) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(++controllers, ':');
    if (group == NULL) {
        return 0;
    }
    *group++ = '\0';
    if (*controllers == '\0') {
        return quota_upwards(root, "", group, quota_of_v2);
    }
    char mount[64]; /* named after the controllers that share it */
    int length = snprintf(mount, sizeof mount, "/%s", controllers);
    bool fits = length > 0 && length < (int)sizeof mount;
    return fits && names_cpu(controllers) ? quota_upwards(root, mount, group, quota_of_v1) : 0;
}

int attn_cpu_quota(const char *root) {
    char path[LONGEST], line[LONGEST];
    int length = snprintf(path, sizeof path, "%s/proc/self/cgroup", root), least = 0;
    FILE *file = length > 0 && length < LONGEST ? fopen(path, "re") : NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        least = smaller(least, quota_of_line(root, line));
    }
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    return least;
}

#else

int attn_cpu_quota(const char *root) {
    (void)root;
    return 0;
}

#endif
