/* cli/decode.c: lines in, translations out.
 *
 * Each line becomes one piece (several when it is too long for the model); pieces are sorted by
 * length and searched in batches; the pieces of a line are joined again. Next: src/search/search.c.
 */
#include "decode.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "text/pieces.h"

/* Memory that cached keys and values may take in one batch. */
static const double CACHE_BYTES = 256e6;

/* A part of a line that is translated on its own. */
typedef struct piece {
    size_t line; /* index of its translation */
    const int32_t *ids;
    int64_t length; /* with </s> */
    attn_search_result result;
} piece;

typedef struct decoder {
    const attn_model *model;
    const attn_search_options *search;
    piece *pieces;
    int64_t *order; /* piece numbers, by length */
    size_t count, room;
    int64_t first_line;
} decoder;

attn_search_options attn_decode_search_options(const attn_decode_options *options) {
    attn_search_options search;
    attn_search_options_init(&search);
    search.beam = options->beam;
    search.n_best = options->n_best;
    search.length_penalty = options->length_penalty;
    search.sample = options->sample;
    search.temperature = options->temperature;
    search.top_k = options->top_k;
    search.seed = (uint64_t)options->seed;
    search.max_length = options->max_length;
    search.length_guard = !options->no_length_guard;
    search.repeat_guard = !options->no_repeat_guard;
    return search;
}

attn_status attn_decode_open(const attn_decode_options *options, attn_model *out,
                             attn_error *error) {
    attn_compute compute = options->int8 ? ATTN_COMPUTE_I8 : ATTN_COMPUTE_F32;
    attn_status status = attn_model_open_packed(options->model, compute, out, error);
    if (status != ATTN_OK || options->shortlist == NULL) {
        return status;
    }
    status = attn_shortlist_load(options->shortlist, &out->shortlist, error);
    int64_t words = attn_translator_get_config(out->translator)->vocabulary;
    if (status == ATTN_OK && attn_shortlist_vocabulary(out->shortlist) != words) {
        status = attn_fail(error, ATTN_ERR_FORMAT, options->shortlist, -1,
                           "make it with this model: `attn shortlist`",
                           "the shortlist covers %lld words, but the model has %lld",
                           (long long)attn_shortlist_vocabulary(out->shortlist), (long long)words);
    }
    if (status != ATTN_OK) {
        attn_model_close(out);
    }
    return status;
}

static attn_status add_piece(decoder *d, size_t line, const int32_t *ids, int64_t length,
                             attn_error *error) {
    if (d->count == d->room) {
        size_t room = d->room > 0 ? 2 * d->room : 64;
        piece *grown = realloc(d->pieces, room * sizeof *grown);
        if (grown == NULL) {
            return attn_fail_memory(error, room * sizeof *grown);
        }
        d->pieces = grown;
        d->room = room;
    }
    d->pieces[d->count++] = (piece){.line = line, .ids = ids, .length = length};
    return ATTN_OK;
}

/* The ids of one line, cut so that each part with its </s> fits the model. */
static attn_status tokenize(decoder *d, const char *text, size_t line, const char *name,
                            attn_translation *out, attn_error *error) {
    const attn_tokenizer *tokenizer = d->model->tokenizer;
    int64_t most = attn_translator_get_config(d->model->translator)->max_length - 1;
    int32_t *ids = NULL;
    size_t count = 0;
    attn_status status = attn_tokenizer_encode(tokenizer, text, strlen(text), &ids, &count, error);
    if (status != ATTN_OK || count == 0) {
        free(ids);
        return status;
    }
    /* At worst every id gets a </s> of its own. */
    out->source = malloc(2 * count * sizeof *out->source);
    if (out->source == NULL) {
        free(ids);
        return attn_fail_memory(error, 2 * count * sizeof *out->source);
    }
    bool clean = true;
    int64_t number = 0;
    for (int64_t done = 0; done < (int64_t)count && status == ATTN_OK; number++) {
        int64_t length =
            attn_piece_length(tokenizer, ids + done, (int64_t)count - done, most, &clean);
        int32_t *to = out->source + out->source_length;
        memcpy(to, ids + done, (size_t)length * sizeof *to);
        to[length] = ATTN_EOS;
        status = add_piece(d, line, to, length + 1, error);
        out->source_length += length + 1;
        done += length;
    }
    if (!clean && status == ATTN_OK) {
        attn_say_warning("%s:%lld: the line has %zu tokens, but the model takes at most %lld: cut "
                         "into %lld parts, within a sentence",
                         name, (long long)d->first_line + (long long)line, count, (long long)most,
                         (long long)number);
    }
    free(ids);
    return status;
}

static const piece *sorted_pieces; /* for qsort, which passes nothing on */

static int by_length(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int64_t difference = sorted_pieces[x].length - sorted_pieces[y].length;
    return difference != 0 ? (difference > 0) - (difference < 0) : (x > y) - (x < y);
}

static attn_status sort_pieces(decoder *d, attn_error *error) {
    d->order = malloc((d->count + 1) * sizeof *d->order);
    if (d->order == NULL) {
        return attn_fail_memory(error, d->count * sizeof *d->order);
    }
    for (size_t i = 0; i < d->count; i++) {
        d->order[i] = (int64_t)i;
    }
    sorted_pieces = d->pieces;
    qsort(d->order, d->count, sizeof *d->order, by_length);
    return ATTN_OK;
}

/* How many sentences of at most `length` ids may be searched at once. */
static int64_t batch_room(const decoder *d, int64_t batch, int64_t length) {
    const attn_translator_config *c = attn_translator_get_config(d->model->translator);
    double width = (double)(d->search->sample ? d->search->n_best : d->search->beam);
    double steps = (double)(d->search->length_guard ? 2 * length + 20 : c->max_length);
    double channels = (double)(c->d_model / c->heads * c->kv_heads);
    double bytes = 2 * sizeof(float) * (double)c->decoder_layers * channels * steps * width;
    int64_t room = (int64_t)(CACHE_BYTES / bytes);
    return room < 1 ? 1 : room < batch ? room : batch;
}

/* Searches pieces order[from .. from + count). */
static attn_status search_batch(decoder *d, const int64_t *order, int64_t count,
                                attn_error *error) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        total += d->pieces[order[i]].length;
    }
    int32_t *source = malloc((size_t)(total + 1) * sizeof *source);
    int64_t *starts = malloc((size_t)(count + 1) * sizeof *starts);
    uint64_t *streams = malloc((size_t)count * sizeof *streams);
    attn_search_result *results = malloc((size_t)count * sizeof *results);
    attn_status status = ATTN_OK;
    if (source == NULL || starts == NULL || streams == NULL || results == NULL) {
        status = attn_fail_memory(error, (size_t)total * sizeof *source);
        goto out;
    }
    starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        const piece *p = &d->pieces[order[i]];
        memcpy(source + starts[i], p->ids, (size_t)p->length * sizeof *source);
        starts[i + 1] = starts[i] + p->length;
        /* A second part of a line must not repeat the first one's random numbers. */
        int64_t part = 0;
        while (order[i] - part > 0 && p[-part - 1].line == p->line) {
            part++;
        }
        streams[i] = (uint64_t)(d->first_line + (int64_t)p->line) | (uint64_t)part << 48;
    }
    status = attn_search(d->model->translator, count, source, starts, streams, d->search, results,
                         error);
    if (status != ATTN_OK) {
        attn_search_results_free(results, count);
        goto out;
    }
    for (int64_t i = 0; i < count; i++) {
        d->pieces[order[i]].result = results[i];
    }
out:
    free(source);
    free(starts);
    free(streams);
    free(results);
    return status;
}

/* Hypothesis `rank` of parts [count] as one: ids, log-probabilities and attention one after
 * another, with the </s> of every part but the last among the ids. */
static attn_status join_hypotheses(const piece *parts, int64_t count, int64_t rank,
                                   int64_t source_length, double length_penalty,
                                   attn_hypothesis *out) {
    bool attention = parts[0].result.hypotheses[rank].attention != NULL;
    int64_t length = -1;
    for (int64_t p = 0; p < count; p++) {
        length += parts[p].result.hypotheses[rank].length + 1;
    }
    out->length = length;
    out->source_length = source_length;
    out->ids = attn_alloc((size_t)(length + 1) * sizeof *out->ids);
    out->token_log_probability = attn_alloc((size_t)(length + 1) * sizeof(attn_real));
    if (attention) {
        out->attention =
            attn_alloc_zero((size_t)(length + 1), (size_t)source_length * sizeof(attn_real));
    }
    if (out->ids == NULL || out->token_log_probability == NULL ||
        (attention && out->attention == NULL)) {
        return ATTN_ERR_MEMORY;
    }
    int64_t row = 0, column = 0;
    for (int64_t p = 0; p < count; p++) {
        const attn_hypothesis *h = &parts[p].result.hypotheses[rank];
        memcpy(out->ids + row, h->ids, (size_t)h->length * sizeof *h->ids);
        out->ids[row + h->length] = ATTN_EOS;
        memcpy(out->token_log_probability + row, h->token_log_probability,
               (size_t)(h->length + 1) * sizeof(attn_real));
        for (int64_t t = 0; attention && t <= h->length; t++) {
            memcpy(out->attention + (row + t) * source_length + column,
                   h->attention + t * h->source_length,
                   (size_t)h->source_length * sizeof(attn_real));
        }
        out->log_probability += h->log_probability;
        out->cut = out->cut || h->cut;
        row += h->length + 1;
        column += h->source_length;
    }
    out->score = attn_search_normalize(out->log_probability, length + 1, length_penalty);
    return ATTN_OK;
}

/* The results of a line's parts become the line's. */
static attn_status join_parts(const decoder *d, piece *parts, int64_t count,
                              attn_translation *translation, attn_error *error) {
    if (count == 1) {
        translation->result = parts[0].result;
        parts[0].result = (attn_search_result){0};
        return ATTN_OK;
    }
    int64_t ranks = d->search->n_best;
    for (int64_t p = 0; p < count; p++) {
        ranks = parts[p].result.count < ranks ? parts[p].result.count : ranks;
    }
    attn_hypothesis *joined = attn_alloc_zero((size_t)ranks, sizeof *joined);
    if (joined == NULL) {
        return attn_fail_memory(error, (size_t)ranks * sizeof *joined);
    }
    translation->result = (attn_search_result){joined, ranks};
    for (int64_t rank = 0; rank < ranks; rank++) {
        attn_status status = join_hypotheses(parts, count, rank, translation->source_length,
                                             d->search->length_penalty, &joined[rank]);
        if (status != ATTN_OK) {
            return attn_fail(error, status, NULL, -1, NULL, "out of memory");
        }
    }
    return ATTN_OK;
}

static attn_status join_lines(decoder *d, attn_translation *translations, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < d->count && status == ATTN_OK;) {
        size_t end = i + 1;
        while (end < d->count && d->pieces[end].line == d->pieces[i].line) {
            end++;
        }
        status = join_parts(d, d->pieces + i, (int64_t)(end - i), &translations[d->pieces[i].line],
                            error);
        i = end;
    }
    return status;
}

double attn_decode_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

attn_status attn_decode_lines(const attn_model *model, const char *const *lines, size_t count,
                              const char *name, int64_t first_line, int64_t batch,
                              const attn_search_options *search, attn_translation *translations,
                              attn_decode_stats *stats, attn_error *error) {
    attn_search_options chosen = *search;
    decoder d = {.model = model, .search = &chosen, .first_line = first_line};
    chosen.shortlist = model->shortlist;
    double start = attn_decode_clock();
    attn_status status = ATTN_OK;
    memset(translations, 0, count * sizeof *translations);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = tokenize(&d, lines[i], i, name, &translations[i], error);
    }
    if (status == ATTN_OK) {
        status = sort_pieces(&d, error);
    }
    /* Each thread searches its own part, and has as many sentences as asked for. */
    int64_t together = batch > 1 ? batch * attn_get_threads() : 1;
    /* The longest first, so that the most memory is asked for at once. */
    for (int64_t left = (int64_t)d.count; left > 0 && status == ATTN_OK;) {
        int64_t room = batch_room(&d, together, d.pieces[d.order[left - 1]].length);
        int64_t taken = room < left ? room : left;
        status = search_batch(&d, d.order + left - taken, taken, error);
        left -= taken;
    }
    if (status == ATTN_OK) {
        status = join_lines(&d, translations, error);
    }
    for (size_t i = 0; i < d.count; i++) {
        attn_search_results_free(&d.pieces[i].result, 1);
    }
    free(d.pieces);
    free(d.order);
    stats->sentences += (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        const attn_search_result *result = &translations[i].result;
        stats->tokens += result->count > 0 ? result->hypotheses[0].length + 1 : 0;
    }
    stats->seconds += attn_decode_clock() - start;
    return status;
}

void attn_translations_free(attn_translation *translations, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(translations[i].source);
        attn_search_results_free(&translations[i].result, 1);
    }
}

attn_status attn_translation_text(const attn_model *model, const attn_translation *translation,
                                  int64_t rank, char **text, attn_error *error) {
    *text = NULL;
    if (rank >= translation->result.count) {
        *text = calloc(1, 1);
        return *text != NULL ? ATTN_OK : attn_fail_memory(error, 1);
    }
    const attn_hypothesis *h = &translation->result.hypotheses[rank];
    attn_status status =
        attn_tokenizer_decode(model->tokenizer, h->ids, (size_t)h->length, text, error);
    for (char *c = *text; status == ATTN_OK && *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r') { /* a line in, a line out */
            *c = ' ';
        }
    }
    return status;
}

void attn_decode_stats_print(const attn_decode_stats *stats) {
    double seconds = stats->seconds > 0 ? stats->seconds : 1e-9;
    fprintf(stderr, "%lld sentences in %.3f s: %.1f sentences/s, %.0f tokens/s (%d threads, %s)\n",
            (long long)stats->sentences, stats->seconds, (double)stats->sentences / seconds,
            (double)stats->tokens / seconds, attn_get_threads(), attn_isa_name());
}
