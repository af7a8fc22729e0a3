/* attn/version.h: the version of attn, at compile time and at run time.
 *
 * The numbers are defined only here; the build reads them from this file. While MAJOR is 0, a new
 * MINOR may change the interface and a new PATCH does not. Next: attn/status.h. */
#ifndef ATTN_VERSION_H
#define ATTN_VERSION_H

#include "attn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATTN_VERSION_MAJOR 0
#define ATTN_VERSION_MINOR 1
#define ATTN_VERSION_PATCH 0

/* One number to compare: MAJOR * 1000000 + MINOR * 1000 + PATCH. */
#define ATTN_VERSION_NUMBER                                                                        \
    (ATTN_VERSION_MAJOR * 1000000 + ATTN_VERSION_MINOR * 1000 + ATTN_VERSION_PATCH)

#define ATTN_VERSION_TEXT_(number) #number
#define ATTN_VERSION_TEXT(major, minor, patch)                                                     \
    ATTN_VERSION_TEXT_(major) "." ATTN_VERSION_TEXT_(minor) "." ATTN_VERSION_TEXT_(patch)
/* "MAJOR.MINOR.PATCH" */
#define ATTN_VERSION_STRING                                                                        \
    ATTN_VERSION_TEXT(ATTN_VERSION_MAJOR, ATTN_VERSION_MINOR, ATTN_VERSION_PATCH)

/* The ATTN_VERSION_NUMBER of the library in use. It should be at least the number that the program
 * was compiled with. Thread-safe. */
ATTN_API int attn_version_number(void);

/* The ATTN_VERSION_STRING of the library in use. Thread-safe. */
ATTN_API const char *attn_version(void);

#ifdef __cplusplus
}
#endif
#endif
