/* serve/metrics.c: what /metrics says. */
#include "serve/metrics.h"

#include <inttypes.h>

static const double bounds[ATTN_METRICS_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                    0.5,   1,    2.5,   5,    10,  30};

void attn_metrics_request(attn_metrics *m, size_t endpoint, int status) {
    int hundreds = status / 100;
    atomic_fetch_add(&m->requests[endpoint][hundreds >= 1 && hundreds <= 5 ? hundreds - 1 : 4], 1);
}

void attn_metrics_translated(attn_metrics *m, double seconds) {
    size_t bucket = 0;
    while (bucket < ATTN_METRICS_BUCKETS && seconds > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add(&m->took[bucket], 1);
    atomic_fetch_add(&m->microseconds, (uint_fast64_t)(1e6 * seconds));
}

void attn_metrics_batch(attn_metrics *m, int64_t sentences, int64_t source_tokens,
                        int64_t target_tokens) {
    atomic_fetch_add(&m->batches, 1);
    atomic_fetch_add(&m->sentences, (uint_fast64_t)sentences);
    atomic_fetch_add(&m->source_tokens, (uint_fast64_t)source_tokens);
    atomic_fetch_add(&m->target_tokens, (uint_fast64_t)target_tokens);
}

static void head(attn_buffer *out, const char *name, const char *type, const char *help) {
    attn_buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void counter(attn_buffer *out, const char *name, const char *help,
                    atomic_uint_fast64_t *value) {
    head(out, name, "counter", help);
    attn_buffer_format(out, "%s %" PRIuFAST64 "\n", name, atomic_load(value));
}

static void gauge(attn_buffer *out, const char *name, const char *help,
                  atomic_int_fast64_t *value) {
    head(out, name, "gauge", help);
    attn_buffer_format(out, "%s %" PRIdFAST64 "\n", name, atomic_load(value));
}

static void print_requests(attn_metrics *m, const char *const *names, attn_buffer *out) {
    head(out, "attn_requests_total", "counter",
         "Requests answered, by endpoint and class of status.");
    for (size_t e = 0; e < ATTN_METRICS_ENDPOINTS; e++) {
        for (int s = 0; s < 5 && names[e] != NULL; s++) {
            uint_fast64_t count = atomic_load(&m->requests[e][s]);
            if (count > 0) {
                attn_buffer_format(out,
                                   "attn_requests_total{endpoint=\"%s\",status=\"%dxx\"} "
                                   "%" PRIuFAST64 "\n",
                                   names[e], s + 1, count);
            }
        }
    }
}

static void print_times(attn_metrics *m, attn_buffer *out) {
    static const char name[] = "attn_translate_seconds";
    head(out, name, "histogram", "Time from a complete request to the answer of /translate.");
    uint_fast64_t count = 0;
    for (int i = 0; i < ATTN_METRICS_BUCKETS; i++) {
        count += atomic_load(&m->took[i]);
        attn_buffer_format(out, "%s_bucket{le=\"%g\"} %" PRIuFAST64 "\n", name, bounds[i], count);
    }
    count += atomic_load(&m->took[ATTN_METRICS_BUCKETS]);
    attn_buffer_format(
        out, "%s_bucket{le=\"+Inf\"} %" PRIuFAST64 "\n%s_sum %.6f\n%s_count %" PRIuFAST64 "\n",
        name, count, name, 1e-6 * (double)atomic_load(&m->microseconds), name, count);
}

void attn_metrics_print(attn_metrics *m, const char *const names[ATTN_METRICS_ENDPOINTS],
                        attn_buffer *out) {
    print_requests(m, names, out);
    print_times(m, out);
    counter(out, "attn_characters_total", "Characters taken in for translation.", &m->characters);
    counter(out, "attn_batches_total", "Batches searched.", &m->batches);
    counter(out, "attn_sentences_total", "Sentences searched.", &m->sentences);
    counter(out, "attn_source_tokens_total", "Tokens read.", &m->source_tokens);
    counter(out, "attn_target_tokens_total", "Tokens written.", &m->target_tokens);
    counter(out, "attn_refused_total", "Requests answered 429 because the queue was full.",
            &m->refused);
    counter(out, "attn_timed_out_total",
            "Connections closed because a request took too long to arrive.", &m->timed_out);
    counter(out, "attn_reloads_total", "Models reloaded while running.", &m->reloads);
    counter(out, "attn_failed_reloads_total", "Models that could not be reloaded.",
            &m->failed_reloads);
    counter(out, "attn_lost_log_lines_total", "Lines of the access log that could not be written.",
            &m->lost_lines);
    gauge(out, "attn_requests_in_flight", "Requests being answered.", &m->in_flight);
    gauge(out, "attn_connections", "Open connections.", &m->connections);
}
