/* cli/align_model.c: see align_model.h. */
#include "align_model.h"

#include <stdlib.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "pipeline/links.h"
#include "pipeline/pair.h"

enum { BATCH = 32 };

/* Lines on their way through the model together. */
typedef struct batch {
    attn_sentence_pair pair[BATCH];
    attn_real *weights[BATCH]; /* [target_length, source_length] */
    int64_t line[BATCH];
    size_t count;
} batch;

/* What the parts of one line look at. */
typedef struct part_weights {
    int64_t targets, sources;
    double *weight;  /* [targets, sources] */
    double *sum;     /* [sources]: over all targets */
    int32_t *pieces; /* [targets]: how many it is made of */
} part_weights;

static void empty_batch(batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        attn_sentence_pair_free(&b->pair[i]);
        free(b->weights[i]);
    }
    b->count = 0;
}

/* The part that byte end - 1 of a line belongs to; -1: none, the piece is white space. */
static int32_t find_part(const char *line, const attn_part *part, int64_t parts, size_t begin,
                         size_t end) {
    while (end > begin && (line[end - 1] == ' ' || line[end - 1] == '\t')) {
        end--;
    }
    for (int32_t i = 0; end > begin && i < parts; i++) {
        if ((size_t)part[i].end >= end) {
            return i;
        }
    }
    return -1;
}

/* part_of[i]: the part of each of `count` pieces. */
static attn_status find_parts(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count,
                              const char *line, const attn_part *part, int64_t parts,
                              int32_t *part_of, attn_error *error) {
    size_t *ends = malloc((count + 1) * sizeof *ends);
    bool good = ends != NULL && attn_links_ends(tokenizer, ids, count, line, ends);
    for (size_t i = 0; good && i < count; i++) {
        part_of[i] = find_part(line, part, parts, i > 0 ? ends[i - 1] : 0, ends[i]);
    }
    free(ends);
    return good ? ATTN_OK : attn_fail_memory(error, count * sizeof *ends);
}

/* Where each target part looks: the mean of its pieces, summed over the pieces of each source part.
 * Pieces of white space and </s> belong to no part. */
static void gather_parts(const attn_sentence_pair *p, const attn_real *weights,
                         const int32_t *source_part, int64_t source_pieces,
                         const int32_t *target_part, int64_t target_pieces, part_weights *out) {
    for (int64_t t = 0; t < target_pieces; t++) {
        if (target_part[t] < 0) {
            continue;
        }
        out->pieces[target_part[t]]++;
        for (int64_t s = 0; s < source_pieces; s++) {
            if (source_part[s] >= 0) {
                out->weight[target_part[t] * out->sources + source_part[s]] +=
                    (double)weights[t * p->source_length + s];
            }
        }
    }
    for (int64_t t = 0; t < out->targets; t++) {
        for (int64_t s = 0; s < out->sources && out->pieces[t] > 0; s++) {
            double *w = &out->weight[t * out->sources + s];
            *w /= out->pieces[t];
            out->sum[s] += *w;
        }
    }
}

/* Without a threshold a target part is linked to what it looks at most. */
static bool is_link(const part_weights *w, double threshold, int64_t target, int64_t source) {
    const double *row = w->weight + target * w->sources;
    bool found = row[source] > 0;
    if (threshold > 0) {
        return found && row[source] * row[source] >= threshold * threshold * w->sum[source];
    }
    for (int64_t s = 0; s < w->sources && found; s++) {
        found = s < source ? row[s] < row[source] : row[s] <= row[source];
    }
    return found;
}

static attn_status add_links(const part_weights *w, double threshold, attn_link_set *out,
                             size_t *room, attn_error *error) {
    for (int64_t t = 0; t < w->targets; t++) {
        for (int64_t s = 0; s < w->sources; s++) {
            if (!is_link(w, threshold, t, s)) {
                continue;
            }
            size_t at = (size_t)out->start[out->count];
            if (!attn_grow(&out->link, room, at + 1, sizeof *out->link)) {
                return attn_fail_memory(error, (at + 1) * sizeof *out->link);
            }
            out->link[at] = (attn_link){(int32_t)s, (int32_t)t};
            out->start[out->count]++;
        }
    }
    return ATTN_OK;
}

static bool is_late(const attn_model *model, const attn_model_links *how) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    return c->alignment_layer > 0 && (how->layer == 0 || (how->layer == c->alignment_layer &&
                                                          how->head == c->alignment_head));
}

static attn_status link_line(const attn_model *model, const attn_parallel *text,
                             const attn_word_parts *parts, const attn_model_links *how,
                             const batch *b, size_t i, attn_link_set *out, size_t *room,
                             attn_error *error) {
    const attn_sentence_pair *p = &b->pair[i];
    int64_t line = b->line[i];
    size_t sources = (size_t)attn_source_words(p->source, p->source_length);
    size_t targets = (size_t)p->target_length - 1;
    int32_t *source_part = malloc((sources + targets + 1) * sizeof *source_part);
    part_weights w = {.sources = attn_bitext_length(&parts->text, 0, line),
                      .targets = attn_bitext_length(&parts->text, 1, line)};
    size_t cells = (size_t)((w.targets + 1) * w.sources);
    w.weight = attn_alloc_zero(cells, sizeof *w.weight);
    w.pieces = attn_alloc_zero((size_t)w.targets, sizeof *w.pieces);
    attn_status status = source_part != NULL && w.weight != NULL && w.pieces != NULL
                             ? ATTN_OK
                             : attn_fail_memory(error, cells * sizeof *w.weight);
    if (status == ATTN_OK) {
        status =
            find_parts(model->tokenizer, p->source, sources, text->source.line[line],
                       parts->part[0] + parts->text.start[0][line], w.sources, source_part, error);
    }
    if (status == ATTN_OK) {
        status = find_parts(attn_tokenizer_target(model->tokenizer), p->target + 1, targets,
                            text->target.line[line], parts->part[1] + parts->text.start[1][line],
                            w.targets, source_part + sources, error);
    }
    if (status == ATTN_OK) {
        const attn_real *first = b->weights[i] + (is_late(model, how) ? p->source_length : 0);
        w.sum = w.weight + w.targets * w.sources;
        gather_parts(p, first, source_part, (int64_t)sources, source_part + sources,
                     (int64_t)targets, &w);
        status = add_links(&w, how->threshold, out, room, error);
    }
    free(source_part);
    attn_free(w.weight);
    attn_free(w.pieces);
    return status;
}

/* A line without words or too long for the model joins no batch. */
static attn_status add_line(const attn_model *model, const attn_parallel *text,
                            const attn_word_parts *parts, int64_t line, batch *b, int64_t *left_out,
                            attn_error *error) {
    attn_sentence_pair *p = &b->pair[b->count];
    attn_status status = ATTN_OK;
    if (attn_bitext_length(&parts->text, 0, line) == 0 ||
        attn_bitext_length(&parts->text, 1, line) == 0) {
        return ATTN_OK;
    }
    status =
        attn_sentence_pair_raw(model, text->source.line[line], text->target.line[line], p, error);
    if (status == ATTN_OK && p->source_length > 1 && p->target_length > 1) {
        size_t size = (size_t)(p->source_length * p->target_length);
        b->line[b->count] = line;
        b->weights[b->count] = malloc(size * sizeof **b->weights);
        status = b->weights[b->count++] != NULL ? ATTN_OK : attn_fail_memory(error, size);
    } else {
        attn_sentence_pair_free(p);
        *left_out += status == ATTN_ERR_ARGUMENT;
        status = status == ATTN_ERR_ARGUMENT ? ATTN_OK : status;
    }
    return status;
}

/* Links of the lines [first, last), those of the batch among them. */
static attn_status link_batch(const attn_model *model, const attn_parallel *text,
                              const attn_word_parts *parts, const attn_model_links *how, batch *b,
                              int64_t last, attn_link_set *out, size_t *room, attn_error *error) {
    attn_status status = attn_sentence_pairs_attend(model, b->pair, b->count, how->layer, how->head,
                                                    b->weights, error);
    size_t i = 0;
    for (; out->count < last && status == ATTN_OK;) {
        out->count++;
        out->start[out->count] = out->start[out->count - 1];
        if (i < b->count && b->line[i] == out->count - 1) {
            status = link_line(model, text, parts, how, b, i++, out, room, error);
        }
    }
    return status;
}

attn_status attn_align_by_model(const attn_model *model, const attn_parallel *text,
                                const attn_word_parts *parts, const attn_model_links *how,
                                attn_link_set *out, int64_t *left_out, attn_error *error) {
    int64_t lines = (int64_t)text->source.count;
    size_t room = 0;
    batch b = {.count = 0};
    *out = (attn_link_set){.start = attn_alloc_zero((size_t)lines + 1, sizeof *out->start)};
    *left_out = 0;
    attn_status status =
        out->start != NULL ? ATTN_OK : attn_fail_memory(error, (size_t)lines * sizeof *out->start);
    for (int64_t line = 0; line < lines && status == ATTN_OK; line++) {
        status = add_line(model, text, parts, line, &b, left_out, error);
        if (status == ATTN_OK && (b.count == BATCH || line + 1 == lines)) {
            status = link_batch(model, text, parts, how, &b, line + 1, out, &room, error);
            empty_batch(&b);
        }
    }
    empty_batch(&b);
    if (status != ATTN_OK) {
        attn_link_set_free(out);
    }
    return status;
}
