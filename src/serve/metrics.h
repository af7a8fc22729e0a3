/* serve/metrics.h: counters in the text format of Prometheus. Any thread may count. */
#ifndef ATTN_SERVE_METRICS_H
#define ATTN_SERVE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "text/buffer.h"

enum { ATTN_METRICS_BUCKETS = 12, ATTN_METRICS_ENDPOINTS = 32 };

/* Zeroed is ready. */
typedef struct attn_metrics {
    /* by endpoint, and by the hundreds of the status, 1xx to 5xx */
    atomic_uint_fast64_t requests[ATTN_METRICS_ENDPOINTS][5];
    atomic_uint_fast64_t took[ATTN_METRICS_BUCKETS + 1]; /* of /translate; the last: longer */
    atomic_uint_fast64_t microseconds, characters;
    atomic_uint_fast64_t batches, sentences, source_tokens, target_tokens;
    atomic_uint_fast64_t refused, timed_out, reloads, failed_reloads, lost_lines;
    atomic_int_fast64_t in_flight, connections;
} attn_metrics;

void attn_metrics_request(attn_metrics *metrics, size_t endpoint, int status);
/* A request to /translate took that long. */
void attn_metrics_translated(attn_metrics *metrics, double seconds);
void attn_metrics_batch(attn_metrics *metrics, int64_t sentences, int64_t source_tokens,
                        int64_t target_tokens);
/* names: of the endpoints, by number; NULL: no such endpoint. */
void attn_metrics_print(attn_metrics *metrics, const char *const names[ATTN_METRICS_ENDPOINTS],
                        attn_buffer *out);

#endif
