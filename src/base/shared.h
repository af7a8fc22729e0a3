/* base/shared.h: what libattn-pipeline needs of libattn beside its interface.
 *
 * Functions marked ATTN_SHARED are exported for that library alone, which comes from the same build. They are
 * no part of the interface: no public header declares them, and they may change at any time. */
#ifndef ATTN_BASE_SHARED_H
#define ATTN_BASE_SHARED_H

#include "attn/export.h"

#define ATTN_SHARED ATTN_API

#endif
