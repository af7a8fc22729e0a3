/* image/cairo.c: finding cairo's and pango's functions. */
#include "image/cairo.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include "base/fail.h"

/* It needs all the others. */
#ifdef __APPLE__
#define LIBRARY "libpangocairo-1.0.0.dylib"
#else
#define LIBRARY "libpangocairo-1.0.so.0"
#endif

attn_cairo_functions attn_cairo;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char problem[256]; /* "": all were found */

/* The pointer, by way of memory, as POSIX wants it. */
static void find(void *library, const char *name, void *field) {
    *(void **)field = library != NULL ? dlsym(library, name) : NULL;
    if (*(void **)field == NULL && problem[0] == '\0') {
        const char *why = dlerror();
        snprintf(problem, sizeof problem, "%s", why != NULL ? why : name);
    }
}

static void open_library(void) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
/* `name` is a macro that stands for the field. */
#define ATTN_CAIRO_FIND(name) find(library, #name, (void *)&name);
    ATTN_CAIRO_FUNCTIONS(ATTN_CAIRO_FIND)
#undef ATTN_CAIRO_FIND
}

attn_status attn_cairo_open(attn_error *error) {
    pthread_once(&once, open_library);
    return problem[0] == '\0' ? ATTN_OK
                              : attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1,
                                          "install pango and cairo (Debian: libpangocairo-1.0-0)",
                                          "cannot draw: %s", problem);
}
