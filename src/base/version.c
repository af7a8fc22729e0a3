/* base/version.c: the version of the library that runs. */
#include "attn/version.h"

int attn_version_number(void) {
    return ATTN_VERSION_NUMBER;
}

const char *attn_version(void) {
    return ATTN_VERSION_STRING;
}
