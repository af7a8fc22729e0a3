/* serve/metrics.h: counters in the text format of Prometheus. Any thread may count. */
#ifndef ATTN_SERVE_METRICS_H
#define ATTN_SERVE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "text/buffer.h"

typedef enum attn_endpoint {
    /* those that are sent something ... */
    ATTN_ENDPOINT_TRANSLATE,
    ATTN_ENDPOINT_DETECT,
    ATTN_ENDPOINT_SEGMENT,
    ATTN_ENDPOINT_ATTEND,
    /* ... and those that are only asked */
    ATTN_ENDPOINT_LANGUAGES,
    ATTN_ENDPOINT_HEALTH,
    ATTN_ENDPOINT_SPEC,
    ATTN_ENDPOINT_SETTINGS,
    ATTN_ENDPOINT_METRICS,
    ATTN_ENDPOINT_PAGE,
    ATTN_ENDPOINT_OTHER,
    ATTN_ENDPOINTS,
} attn_endpoint;

attn_endpoint attn_endpoint_of(const char *path);

enum { ATTN_METRICS_BUCKETS = 12 };

/* Zeroed is ready. */
typedef struct attn_metrics {
    atomic_uint_fast64_t requests[ATTN_ENDPOINTS]
                                 [5]; /* by the hundreds of the status, 1xx to 5xx */
    atomic_uint_fast64_t took[ATTN_METRICS_BUCKETS + 1]; /* of /translate; the last: longer */
    atomic_uint_fast64_t microseconds, characters;
    atomic_uint_fast64_t batches, sentences, source_tokens, target_tokens;
    atomic_uint_fast64_t refused, timed_out, reloads, failed_reloads;
    atomic_int_fast64_t in_flight, connections;
} attn_metrics;

void attn_metrics_request(attn_metrics *metrics, attn_endpoint endpoint, int status,
                          double seconds);
void attn_metrics_batch(attn_metrics *metrics, int64_t sentences, int64_t source_tokens,
                        int64_t target_tokens);
void attn_metrics_print(attn_metrics *metrics, attn_buffer *out);

#endif
