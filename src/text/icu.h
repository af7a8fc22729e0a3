/* text/icu.h: what ICU says when it cannot. */
#ifndef ATTN_TEXT_ICU_H
#define ATTN_TEXT_ICU_H

#include <unicode/utypes.h>

#include "base/fail.h"

/* Such an answer says nothing about the text or the language, and must not be taken for one that does. */
static inline bool attn_icu_out_of_memory(UErrorCode code) {
    return code == U_MEMORY_ALLOCATION_ERROR;
}

/* ATTN_ERR_MEMORY, or ATTN_ERR_UNSUPPORTED with what it was that ICU cannot do. */
static inline attn_status attn_icu_fail(attn_error *error, UErrorCode code, const char *what) {
    return attn_icu_out_of_memory(code)
               ? attn_fail_memory(error, 0)
               : attn_fail(error, ATTN_ERR_UNSUPPORTED, "ICU", -1, "install ICU's data (libicu)",
                           "cannot %s: %s", what, u_errorName(code));
}

#endif
