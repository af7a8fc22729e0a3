/* attn/status.h: how functions report errors.
 *
 * A function that can fail returns an attn_status. It writes the details (what, where, a hint) to
 * an attn_error, which the caller owns and may leave NULL. The library never prints, exits or
 * aborts. Next: attn/threads.h, then attn/attention.h. */
#ifndef ATTN_STATUS_H
#define ATTN_STATUS_H

#include <stdint.h>

#include "attn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The type of every tensor element. float; the gradient checks build the layers with double. */
#ifdef ATTN_REAL_DOUBLE
typedef double attn_real;
#else
typedef float attn_real;
#endif

/* The values are part of the interface and never change. */
typedef enum attn_status {
    ATTN_OK = 0,
    ATTN_ERR_ARGUMENT = 1,    /* the caller passed an invalid argument */
    ATTN_ERR_MEMORY = 2,      /* an allocation failed */
    ATTN_ERR_IO = 3,          /* reading or writing failed */
    ATTN_ERR_FORMAT = 4,      /* input data is malformed */
    ATTN_ERR_SHAPE = 5,       /* a tensor has the wrong shape or type */
    ATTN_ERR_UNSUPPORTED = 6, /* valid, but this build cannot do it */
    ATTN_ERR_NUMERIC = 7,     /* NaN or infinity where a finite number is needed */
    ATTN_ERR_INTERRUPTED = 8, /* the caller asked to stop */
} attn_status;

/* What went wrong. Plain data: copy it, keep it; nothing in it needs freeing. It never grows. */
typedef struct attn_error {
    attn_status status;
    int64_t position; /* line number or byte offset in `where`; -1 when there is none */
    char where[256];  /* the file, tensor or function concerned, or "" */
    char what[512];   /* what is wrong */
    char hint[256];   /* what to do about it, or "" */
} attn_error;

/* A fixed English name such as "out of memory". Never NULL. Thread-safe. */
ATTN_API const char *attn_status_name(attn_status status);

/* Writes "WHERE:POSITION: WHAT: HINT" (parts that are empty are left out) into buffer, cut to size
 * bytes including the final NUL. Returns buffer. */
ATTN_API char *attn_error_format(const attn_error *error, char *buffer, int size);

#ifdef __cplusplus
}
#endif
#endif
