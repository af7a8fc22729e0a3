/* text/corpus.c: from lines to two arrays of ids.
 *
 * The lines were checked when they were read (io/lines.h). */
#include "text/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

typedef struct encoded_line {
    int32_t *id; /* malloc'ed by the tokenizer; NULL when count is 0 */
    size_t count;
} encoded_line;

static void encoded_free(encoded_line *encoded, size_t count) {
    for (size_t i = 0; encoded != NULL && i < count; i++) {
        free(encoded[i].id);
    }
    attn_free(encoded);
}

/* Each line on its own, so the threads only share out the work. The error kept is that of the
 * first line in file order, whichever thread met it. */
static attn_status encode_lines(const attn_lines *lines, const attn_tokenizer *tokenizer,
                                int threads, encoded_line *encoded, attn_error *error) {
    attn_status status = ATTN_OK;
    size_t failed = lines->count;
    (void)threads; /* used by OpenMP alone */
#pragma omp parallel for schedule(dynamic, 64) num_threads(threads > 0 ? threads : 1)
    for (size_t i = 0; i < lines->count; i++) {
        attn_error line_error;
        attn_status line_status =
            attn_tokenizer_encode(tokenizer, lines->line[i], lines->length[i], &encoded[i].id,
                                  &encoded[i].count, &line_error);
        if (line_status != ATTN_OK) {
#pragma omp critical(attn_corpus_error)
            if (i < failed) {
                failed = i;
                status = line_status;
                if (error != NULL) {
                    *error = line_error;
                }
            }
        }
    }
    return status;
}

static attn_status count_unknown(const attn_lines *lines, const encoded_line *encoded,
                                 const attn_tokenizer *tokenizer, attn_unknown *unknown,
                                 attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < lines->count && status == ATTN_OK; i++) {
        status = attn_unknown_add(unknown, tokenizer, lines->line[i], lines->length[i],
                                  encoded[i].id, encoded[i].count, error);
    }
    return status;
}

static bool keep_pair(const encoded_line *source, const encoded_line *target, int tags,
                      int64_t max_tokens, attn_corpus *out) {
    if (source->count == 0 || target->count == 0) {
        out->dropped_empty++;
        return false;
    }
    if ((int64_t)source->count + tags > max_tokens || (int64_t)target->count > max_tokens) {
        out->dropped_long++;
        return false;
    }
    return true;
}

static void append(int32_t *ids, int64_t *start, int64_t pair, const attn_tags *tags,
                   const encoded_line *line) {
    int32_t *to = ids + start[pair];
    memcpy(to, tags->id, (size_t)tags->count * sizeof *ids);
    memcpy(to + tags->count, line->id, line->count * sizeof *ids);
    start[pair + 1] = start[pair] + tags->count + (int64_t)line->count;
}

static attn_status gather(const attn_parallel *pairs, const attn_tags *tags,
                          const encoded_line *source, const encoded_line *target,
                          int64_t max_tokens, attn_corpus *out, attn_error *error) {
    static const attn_tags none = {.count = 0};
    size_t source_total = 0, target_total = 0, count = pairs->source.count;
    for (size_t i = 0; i < count; i++) {
        source_total += source[i].count + ATTN_TAGS;
        target_total += target[i].count;
    }
    out->source = attn_alloc_zero(source_total, sizeof *out->source);
    out->target = attn_alloc_zero(target_total, sizeof *out->target);
    out->source_start = attn_alloc_zero(count + 1, sizeof *out->source_start);
    out->target_start = attn_alloc_zero(count + 1, sizeof *out->target_start);
    if (out->source == NULL || out->target == NULL || out->source_start == NULL ||
        out->target_start == NULL) {
        return attn_fail_memory(error, (source_total + target_total) * sizeof(int32_t) +
                                           2 * (count + 1) * sizeof(int64_t));
    }
    for (size_t i = 0; i < count; i++) {
        const attn_tags *before = tags != NULL ? &tags[pairs->origin[i]] : &none;
        if (keep_pair(&source[i], &target[i], before->count, max_tokens, out)) {
            append(out->source, out->source_start, out->count, before, &source[i]);
            append(out->target, out->target_start, out->count, &none, &target[i]);
            out->count++;
        }
    }
    return ATTN_OK;
}

attn_status attn_corpus_encode(const attn_parallel *pairs, const attn_tokenizer *tokenizer,
                               const attn_tags *tags, int64_t max_tokens, int threads,
                               attn_corpus *out, attn_error *error) {
    *out = (attn_corpus){0};
    const attn_lines *source = &pairs->source, *target = &pairs->target;
    size_t count = source->count;
    encoded_line *source_ids = attn_alloc_zero(count, sizeof *source_ids);
    encoded_line *target_ids = attn_alloc_zero(count, sizeof *target_ids);
    attn_status status = ATTN_OK;
    if (source_ids == NULL || target_ids == NULL) {
        status = attn_fail_memory(error, 2 * count * sizeof *source_ids);
        goto out;
    }
    status = encode_lines(source, tokenizer, threads, source_ids, error);
    if (status == ATTN_OK) {
        status = encode_lines(target, attn_tokenizer_target(tokenizer), threads, target_ids, error);
    }
    if (status == ATTN_OK) {
        status = count_unknown(source, source_ids, tokenizer, &out->unknown, error);
    }
    if (status == ATTN_OK) {
        status = count_unknown(target, target_ids, attn_tokenizer_target(tokenizer), &out->unknown,
                               error);
    }
    attn_unknown_finish(&out->unknown);
    if (status == ATTN_OK) {
        status = gather(pairs, tags, source_ids, target_ids, max_tokens, out, error);
    }
    if (status == ATTN_OK && out->count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, "the text", -1, NULL,
                           "no sentence pair is left: %lld have an empty side, %lld more than "
                           "%lld tokens on a side",
                           (long long)out->dropped_empty, (long long)out->dropped_long,
                           (long long)max_tokens);
    }
out:
    encoded_free(source_ids, count);
    encoded_free(target_ids, count);
    if (status != ATTN_OK) {
        attn_corpus_free(out);
    }
    return status;
}

attn_status attn_corpus_read(const char *source_path, const char *target_path,
                             const attn_tokenizer *tokenizer, int64_t max_tokens, int threads,
                             attn_corpus *out, attn_error *error) {
    attn_parallel_source from = {.source = source_path, .target = target_path};
    attn_parallel pairs;
    *out = (attn_corpus){0};
    attn_status status = attn_parallel_read(&from, 1, &pairs, error);
    if (status == ATTN_OK) {
        status = attn_corpus_encode(&pairs, tokenizer, NULL, max_tokens, threads, out, error);
        attn_parallel_free(&pairs);
    }
    return status;
}

void attn_corpus_free(attn_corpus *corpus) {
    attn_free(corpus->source);
    attn_free(corpus->target);
    attn_free(corpus->source_start);
    attn_free(corpus->target_start);
    *corpus = (attn_corpus){0};
}
