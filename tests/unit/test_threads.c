/* The number of threads: of one caller, after a fork, and within a container's quota. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "attn/matmul.h"
#include "attn/threads.h"
#include "cpu/cpu.h"

enum { SIZE = 160, LONGEST_PATH = 512 }; /* enough products for several threads */

static float left[SIZE][SIZE], right[SIZE][SIZE];

static int fill(void **state) {
    (void)state;
    for (int i = 0; i < SIZE * SIZE; i++) {
        left[i / SIZE][i % SIZE] = (float)(i * 7 % 101) / 17;
        right[i / SIZE][i % SIZE] = (float)(i * 5 % 103) / 19;
    }
    return 0;
}

#ifdef _OPENMP

static int multiply(float product[SIZE][SIZE]) {
    attn_matmul p;
    attn_matmul_init(&p);
    p.m = p.n = p.k = SIZE;
    p.a = left[0];
    p.b = right[0];
    p.c = product[0];
    p.a_row = p.b_row = p.c_row = SIZE;
    p.a_col = p.b_col = 1;
    return attn_matmul_run(&p, NULL) == ATTN_OK;
}

typedef struct {
    int threads; /* 0: does not say */
    int used, worked;
    float product[SIZE][SIZE];
} caller;

static void *call(void *context) {
    caller *c = context;
    if (c->threads != 0) {
        attn_set_threads_here(c->threads);
    }
    c->used = attn_get_threads();
    c->worked = multiply(c->product);
    return NULL;
}

/* Each caller has the number it asked for, the others that of the process, and all have the same bits. */
static void each_caller_has_its_number(void **state) {
    (void)state;
    static caller callers[3] = {{.threads = 1}, {.threads = 3}, {.threads = 0}};
    pthread_t thread[3];
    attn_set_threads(2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(callers[i].used, callers[i].threads != 0 ? callers[i].threads : 2);
        assert_true(callers[i].worked);
        assert_memory_equal(callers[i].product, callers[0].product, sizeof callers[0].product);
    }
    assert_int_equal(attn_get_threads(), 2);
    attn_set_threads_here(1000);
    assert_int_equal(attn_get_threads(), 256);
    attn_set_threads_here(-1);
    assert_int_equal(attn_get_threads(), 1);
    attn_set_threads_here(0);
    assert_int_equal(attn_get_threads(), 2);
    attn_set_threads(0);
}

/* In a child: 0 if the product has the bits of the parent's, with one thread here and, as nothing keeps
 * a new thread from having several, two there. */
static int run_child(float expected[SIZE][SIZE]) {
    static caller here, there;
    alarm(60); /* a child that hangs dies of it */
    call(&here);
    pthread_t thread;
    if (here.used != 1 || pthread_create(&thread, NULL, call, &there) != 0 ||
        pthread_join(thread, NULL) != 0 || there.used != 2) {
        return 1;
    }
    return !here.worked || !there.worked ||
           memcmp(here.product, expected, sizeof here.product) != 0 ||
           memcmp(there.product, expected, sizeof there.product) != 0;
}

static int status_of_child(float expected[SIZE][SIZE]) {
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        _exit(run_child(expected));
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_forked_child_works(void **state) {
    if (getenv("ATTN_TEST_ALL_OF") != NULL) {
        skip(); /* under qemu, which itself fails when a process of several threads forks */
    }
    (void)state;
    static float product[SIZE][SIZE], again[SIZE][SIZE];
    attn_set_threads(2);
    assert_true(multiply(product));
    assert_int_equal(status_of_child(product), 0);
    assert_int_equal(attn_get_threads(), 2); /* nothing changes for the parent */
    assert_true(multiply(again));
    assert_memory_equal(again, product, sizeof product);
    attn_set_threads(0);
}

/* A process that has used one thread only loses nothing: its child may use several. */
static void *fork_unused(void *context) {
    int *status = context;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        static float product[SIZE][SIZE];
        _exit(attn_get_threads() != 2 || !multiply(product));
    }
    if (child < 0 || waitpid(child, status, 0) != child) {
        *status = -1;
    }
    return NULL;
}

static void a_child_of_one_thread_has_all(void **state) {
    (void)state;
    int status = -1;
    pthread_t thread; /* which has never used OpenMP */
    attn_set_threads(2);
    assert_int_equal(pthread_create(&thread, NULL, fork_unused, &status), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(status, 0);
    attn_set_threads(0);
}

#endif

/* --- quotas --- */

static char root[LONGEST_PATH];

static void put(const char *name, const char *content) {
    char path[2 * LONGEST_PATH];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0700); /* it may be there */
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_root(void **state) {
    (void)state;
    const char *folder = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/attn-threads-XXXXXX", folder != NULL ? folder : "/tmp");
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state) {
    (void)state;
    char command[2 * LONGEST_PATH];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

#ifdef __linux__

static void quotas_of_version_2(void **state) {
    (void)state;
    assert_int_equal(attn_cpu_quota(root), 0); /* no such files */
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "max 100000\n");
    assert_int_equal(attn_cpu_quota(root), 0);
    put("sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_int_equal(attn_cpu_quota(root), 4);
    put("proc/self/cgroup", "0::/a.slice/b.scope\n");
    assert_int_equal(attn_cpu_quota(root), 4); /* names that are not there */
    put("sys/fs/cgroup/a.slice/b.scope/cpu.max", "250000 100000\n");
    assert_int_equal(attn_cpu_quota(root), 3); /* rounded up */
    put("sys/fs/cgroup/a.slice/cpu.max", "50000 100000\n");
    assert_int_equal(attn_cpu_quota(root), 1); /* what is above limits as well */
    put("sys/fs/cgroup/a.slice/cpu.max", "max 100000\n");
    assert_int_equal(attn_cpu_quota(root), 3);
}

static void quotas_of_version_1(void **state) {
    (void)state;
    put("proc/self/cgroup", "9:memory:/m\n4:cpu,cpuacct:/docker/1f\n3:cpuset:/c\n0::/\n");
    assert_int_equal(attn_cpu_quota(root), 0);
    put("sys/fs/cgroup/cpuset/c/cpu.cfs_quota_us", "100000\n"); /* of no meaning there */
    put("sys/fs/cgroup/cpuset/c/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(attn_cpu_quota(root), 0);
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "1000000\n");
    assert_int_equal(attn_cpu_quota(root), 10);
    put("sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us", "75000\n");
    assert_int_equal(attn_cpu_quota(root), 10); /* no period */
    put("sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_period_us", "50000\n");
    assert_int_equal(attn_cpu_quota(root), 2);
}

static void damaged_files_limit_nothing(void **state) {
    (void)state;
    static const char *const damaged[] = {
        "", "\n", "0", "0:", "0::", "4:cpu", "4:cpu:", "::", "x\n\n:"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        put("proc/self/cgroup", damaged[i]);
        assert_int_equal(attn_cpu_quota(root), 0);
    }
    static const char *const quotas[] = {"",         "5",    "x y",
                                         "100000 0", "-5 7", "999999999999999999 1"};
    put("proc/self/cgroup", "0::/\n");
    for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
        put("sys/fs/cgroup/cpu.max", quotas[i]);
        assert_int_equal(attn_cpu_quota(root), 0);
    }
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
#ifdef _OPENMP
        cmocka_unit_test(each_caller_has_its_number),
        cmocka_unit_test(a_child_of_one_thread_has_all),
        cmocka_unit_test(a_forked_child_works),
#endif
#ifdef __linux__
        cmocka_unit_test_setup_teardown(quotas_of_version_2, make_root, remove_root),
        cmocka_unit_test_setup_teardown(quotas_of_version_1, make_root, remove_root),
        cmocka_unit_test_setup_teardown(damaged_files_limit_nothing, make_root, remove_root),
#endif
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
