/* tests/fault/faulty_heap.c: a heap in which chosen allocations fail, for LD_PRELOAD.
 *
 * Counted are allocations of the program itself and of jansson. Not those of C++'s own `new`: SentencePiece ends the
 * process when one fails. Nor those of ICU, unless asked for: it crashes when one fails while it reads its rules for
 * numbers.
 *
 *   HEAP_FAIL=K     the allocation number K fails, counted from 0
 *   HEAP_EVERY=N    every Nth fails
 *   HEAP_LISTEN=1   counting begins when the program listens on a socket
 *   HEAP_ICU=1      ICU's are counted too
 *   HEAP_COUNT=FILE how many were counted is written there at the end */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

enum { MOST = 32 };
static struct { uintptr_t from, to; } counted[MOST];
static int counted_count;
static atomic_long count;
static long fail_at = -1, every;
static atomic_bool armed;

static int add_object(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    bool wanted = info->dlpi_name[0] == '\0' || strstr(info->dlpi_name, "/libjansson") != NULL ||
                  (strstr(info->dlpi_name, "/libicuuc") != NULL && getenv("HEAP_ICU") != NULL);
    for (int i = 0; wanted && i < info->dlpi_phnum && counted_count < MOST; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0) {
            counted[counted_count].from = info->dlpi_addr + header->p_vaddr;
            counted[counted_count++].to = info->dlpi_addr + header->p_vaddr + header->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("HEAP_FAIL"), *n = getenv("HEAP_EVERY");
    fail_at = at != NULL ? atol(at) : -1;
    every = n != NULL ? atol(n) : 0;
    dl_iterate_phdr(add_object, NULL);
    armed = getenv("HEAP_LISTEN") == NULL;
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("HEAP_COUNT");
    FILE *out = path != NULL ? fopen(path, "w") : NULL;
    if (out != NULL) {
        fprintf(out, "%ld\n", atomic_load(&count));
        fclose(out);
    }
}

int listen(int descriptor, int backlog) {
    int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");
    armed = true;
    return next(descriptor, backlog);
}

static bool fails(const void *caller) {
    uintptr_t place = (uintptr_t)caller;
    int i = 0;
    while (i < counted_count && (place < counted[i].from || place >= counted[i].to)) {
        i++;
    }
    if (!armed || i == counted_count) {
        return false;
    }
    long number = atomic_fetch_add(&count, 1);
    bool failing = number == fail_at || (every > 0 && number % every == every - 1);
    errno = failing ? ENOMEM : errno;
    return failing;
}

void *malloc(size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
