/* train/translator_data.c: reading, holding out, and the sentences that validation translates. */
#include "train/translator_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "io/file.h"
#include "text/known_words.h"
#include "text/tokenizer_lines.h"

/* ---- the tokenizer ---- */

static attn_status tokenizer_from_file(const char *path, attn_tokenizer **out, attn_error *error) {
    enum { LIMIT = 1 << 28 };
    char *bytes;
    size_t size;
    attn_status status = attn_file_read(path, LIMIT, &bytes, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_tokenizer_from_bytes(bytes, size, out, error);
    attn_free(bytes);
    return status;
}

static attn_status tokenizer_from_files(const attn_translator_files *files, attn_tokenizer **out,
                                        attn_error *error) {
    attn_tokenizer *target = NULL, *source = NULL;
    attn_status status = tokenizer_from_file(files->tokenizer, &source, error);
    if (status != ATTN_OK || files->target_tokenizer == NULL) {
        *out = source;
        return status;
    }
    status = tokenizer_from_file(files->target_tokenizer, &target, error);
    if (status == ATTN_OK) {
        status = attn_tokenizer_join(source, target, out, error);
    }
    attn_tokenizer_free(source);
    attn_tokenizer_free(target);
    return status;
}

static attn_status tokenizer_train(const attn_parallel *pairs, const attn_translator_recipe *recipe,
                                   const char *tags, int threads, attn_tokenizer **out,
                                   attn_error *error) {
    const attn_lines texts[2] = {pairs->source, pairs->target};
    attn_tokenizer *source = NULL, *target = NULL;
    attn_tokenizer_options wanted = {
        .type = attn_translator_recipe_tokenizer(recipe),
        .normalization = recipe->normalization,
        .vocabulary = (int32_t)recipe->vocabulary,
        .elisions = recipe->elisions,
        .character_coverage = recipe->character_coverage,
        .threads = threads,
        .byte_fallback = recipe->byte_fallback,
        .lower_vocabulary = true,
        .tags = tags,
    };
    if (recipe->vocabularies == ATTN_VOCABULARIES_JOINT) {
        return attn_tokenizer_train_lines(texts, 2, &wanted, out, error);
    }
    attn_status status = attn_tokenizer_train_lines(&texts[0], 1, &wanted, &source, error);
    wanted.tags = NULL; /* they stand in front of sources */
    if (recipe->target_vocabulary > 0) {
        wanted.vocabulary = (int32_t)recipe->target_vocabulary;
    }
    if (status == ATTN_OK) {
        status = attn_tokenizer_train_lines(&texts[1], 1, &wanted, &target, error);
    }
    if (status == ATTN_OK) {
        status = attn_tokenizer_join(source, target, out, error);
    }
    attn_tokenizer_free(source);
    attn_tokenizer_free(target);
    return status;
}

/* ---- holding out ---- */

uint64_t attn_corpus_hash(const attn_corpus *corpus) {
    size_t starts = (size_t)(corpus->count + 1) * sizeof(int64_t);
    uint64_t hash = attn_hash64(corpus->source_start, starts, 0);
    hash = attn_hash64(corpus->target_start, starts, hash);
    hash = attn_hash64(corpus->source,
                       (size_t)corpus->source_start[corpus->count] * sizeof(int32_t), hash);
    return attn_hash64(corpus->target,
                       (size_t)corpus->target_start[corpus->count] * sizeof(int32_t), hash);
}

static uint64_t source_hash(const attn_corpus *corpus, int64_t pair) {
    int64_t start = corpus->source_start[pair];
    return attn_hash64(corpus->source + start,
                       (size_t)(corpus->source_start[pair + 1] - start) * sizeof(int32_t), 0);
}

static int compare_hashes(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static attn_status corpus_allocate(const attn_corpus *like, attn_corpus *out, attn_error *error) {
    *out = (attn_corpus){0};
    size_t sources = (size_t)like->source_start[like->count];
    size_t targets = (size_t)like->target_start[like->count];
    size_t starts = (size_t)like->count + 1;
    out->source = attn_alloc_zero(sources, sizeof(int32_t));
    out->target = attn_alloc_zero(targets, sizeof(int32_t));
    out->source_start = attn_alloc_zero(starts, sizeof(int64_t));
    out->target_start = attn_alloc_zero(starts, sizeof(int64_t));
    if (out->source == NULL || out->target == NULL || out->source_start == NULL ||
        out->target_start == NULL) {
        attn_corpus_free(out);
        return attn_fail_memory(error, (sources + targets) * sizeof(int32_t));
    }
    return ATTN_OK;
}

static void append(const int32_t *ids, const int64_t *start, int64_t pair, int32_t *to,
                   int64_t *to_start, int64_t to_pair) {
    int64_t length = start[pair + 1] - start[pair];
    memcpy(to + to_start[to_pair], ids + start[pair], (size_t)length * sizeof *to);
    to_start[to_pair + 1] = to_start[to_pair] + length;
}

static void append_pair(const attn_corpus *from, int64_t pair, attn_corpus *to) {
    append(from->source, from->source_start, pair, to->source, to->source_start, to->count);
    append(from->target, from->target_start, pair, to->target, to->target_start, to->count);
    to->count++;
}

/* held[pair] is set for `count` pairs; hashes receives those of their sources, sorted. */
static void choose(const attn_corpus *corpus, int64_t count, int64_t *order, bool *held,
                   uint64_t *hashes) {
    for (int64_t i = 0; i < corpus->count; i++) {
        order[i] = i;
    }
    attn_random random = attn_random_start(attn_random_key(0, 0, (uint64_t)corpus->count));
    attn_random_shuffle(&random, order, corpus->count);
    for (int64_t i = 0; i < count; i++) {
        held[order[i]] = true;
        hashes[i] = source_hash(corpus, order[i]);
    }
    qsort(hashes, (size_t)count, sizeof *hashes, compare_hashes);
}

attn_status attn_corpus_hold_out(attn_corpus *corpus, int64_t count, attn_corpus *held,
                                 attn_error *error) {
    attn_corpus rest = {0};
    *held = (attn_corpus){0};
    int64_t *order = attn_alloc_zero((size_t)corpus->count, sizeof *order);
    bool *chosen = attn_alloc_zero((size_t)corpus->count, sizeof *chosen);
    uint64_t *hashes = attn_alloc_zero((size_t)count, sizeof *hashes);
    attn_status status = ATTN_OK;
    if (order == NULL || chosen == NULL || hashes == NULL) {
        status = attn_fail_memory(error, (size_t)corpus->count * (sizeof *order + 1));
        goto out;
    }
    status = corpus_allocate(corpus, &rest, error);
    if (status == ATTN_OK) {
        status = corpus_allocate(corpus, held, error);
    }
    if (status != ATTN_OK) {
        goto out;
    }
    choose(corpus, count, order, chosen, hashes);
    for (int64_t pair = 0; pair < corpus->count; pair++) {
        uint64_t hash = source_hash(corpus, pair);
        if (chosen[pair]) {
            append_pair(corpus, pair, held);
        } else if (bsearch(&hash, hashes, (size_t)count, sizeof hash, compare_hashes) == NULL) {
            append_pair(corpus, pair, &rest);
        }
    }
    if (rest.count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, "training", -1,
                           "give more text, or name validation files",
                           "nothing is left to train on besides the held-out pairs");
        goto out;
    }
    rest.dropped_empty = corpus->dropped_empty;
    rest.dropped_long = corpus->dropped_long;
    rest.unknown = corpus->unknown;
    attn_corpus_free(corpus);
    *corpus = rest;
    rest = (attn_corpus){0};
out:
    if (status != ATTN_OK) {
        attn_corpus_free(held);
    }
    attn_corpus_free(&rest);
    attn_free(order);
    attn_free(chosen);
    attn_free(hashes);
    return status;
}

/* ---- lines to translate ---- */

static attn_status lines_allocate(size_t count, attn_translator_data *out, attn_error *error) {
    out->line = attn_alloc_zero(count, sizeof *out->line);
    if (out->line == NULL) {
        return attn_fail_memory(error, count * sizeof *out->line);
    }
    out->line_count = count;
    return ATTN_OK;
}

/* The held-out pairs: their ids turned into text again. */
static attn_status lines_from_corpus(attn_translator_data *data, attn_error *error) {
    const attn_corpus *corpus = &data->valid;
    attn_status status = lines_allocate((size_t)corpus->count, data, error);
    for (size_t i = 0; i < data->line_count && status == ATTN_OK; i++) {
        int64_t source = corpus->source_start[i], target = corpus->target_start[i];
        data->line[i].direction = attn_directions_of_id(&data->directions, corpus->source[source]);
        status = attn_tokenizer_decode(data->tokenizer, corpus->source + source,
                                       (size_t)(corpus->source_start[i + 1] - source),
                                       &data->line[i].source, error);
        if (status == ATTN_OK) {
            status = attn_tokenizer_decode(
                attn_tokenizer_target(data->tokenizer), corpus->target + target,
                (size_t)(corpus->target_start[i + 1] - target), &data->line[i].reference, error);
        }
    }
    return status;
}

/* All lines of the validation files, also those that the corpus left out. */
static attn_status lines_from_texts(const attn_translator_files *files, const attn_parallel *pairs,
                                    attn_translator_data *data, attn_error *error) {
    const attn_lines *source = &pairs->source, *target = &pairs->target;
    attn_status status = lines_allocate(source->count, data, error);
    for (size_t i = 0; i < data->line_count && status == ATTN_OK; i++) {
        data->line[i].source = strdup(source->line[i]);
        data->line[i].reference = strdup(target->line[i]);
        if (files->valid_languages != NULL) {
            data->line[i].direction = attn_directions_of_text(
                &data->directions, files->valid_languages[pairs->origin[i]]);
        }
        if (data->line[i].source == NULL || data->line[i].reference == NULL) {
            status = attn_fail_memory(error, source->length[i] + target->length[i]);
        }
    }
    return status;
}

/* ---- all together ---- */

static attn_status filter(const attn_translator_recipe *recipe, attn_parallel *pairs,
                          attn_translator_data *out, attn_error *error) {
    const attn_corpus_filters filters = {
        .ratio = recipe->filter_ratio,
        .copies = recipe->filter_copies,
        .doubles = recipe->filter_doubles,
        .script = recipe->filter_script,
    };
    return attn_corpus_filter(pairs, &filters, &out->filtered, error);
}

static attn_status find_tokenizer(const attn_translator_files *files,
                                  const attn_translator_recipe *recipe, const attn_parallel *pairs,
                                  const void *bytes, size_t size, int threads,
                                  attn_translator_data *out, attn_error *error) {
    if (bytes != NULL) {
        return attn_tokenizer_from_bytes(bytes, size, &out->tokenizer, error);
    }
    return files->tokenizer != NULL ? tokenizer_from_files(files, &out->tokenizer, error)
                                    : tokenizer_train(pairs, recipe, out->directions.tags, threads,
                                                      &out->tokenizer, error);
}

/* The words of a model that has read other text before are those of its tokenizer, and these; none where nobody counted then. */
static attn_status learn_words(const attn_translator_files *files, const attn_parallel *pairs,
                               attn_translator_data *out, attn_error *error) {
    attn_tokenizer *learned = NULL;
    if (!files->all_text && attn_tokenizer_known_words(out->tokenizer).bits == NULL) {
        return ATTN_OK;
    }
    attn_status status = attn_known_words_learn(out->tokenizer, &pairs->source, &learned, error);
    if (learned != NULL) {
        attn_tokenizer_free(out->tokenizer);
        out->tokenizer = learned;
    }
    return status;
}

/* Tokenizers that were given decide how many there are; the recipe must agree, for embeddings are tied by it. */
static attn_status check_sides(const attn_translator_recipe *recipe,
                               const attn_tokenizer *tokenizer, attn_error *error) {
    bool two = attn_tokenizer_target(tokenizer) != tokenizer;
    bool wanted = recipe->vocabularies == ATTN_VOCABULARIES_SEPARATE;
    if (two == wanted) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, "vocabularies", -1,
                     two ? "set vocabularies = separate" : "set vocabularies = joint",
                     "the tokenizer given has %s, the recipe says %s",
                     two ? "a side for each language" : "one side for both languages",
                     wanted ? "separate" : "joint");
}

/* ---- directions ---- */

static attn_status add_directions(const char *const *languages, size_t count, attn_directions *out,
                                  attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; languages != NULL && i < count && status == ATTN_OK; i++) {
        status = attn_directions_add(out, languages[i], error);
    }
    return status;
}

static attn_status list_directions(const attn_translator_files *files,
                                   const attn_translator_recipe *recipe, attn_directions *out,
                                   attn_error *error) {
    attn_status status = add_directions(files->train_languages, files->train_count, out, error);
    if (status == ATTN_OK) {
        status = add_directions(files->valid_languages, files->valid_count, out, error);
    }
    if (status == ATTN_OK && out->count == 0) {
        attn_direction *only = &out->item[out->count++];
        snprintf(only->source, sizeof only->source, "%.15s", recipe->source_language);
        snprintf(only->target, sizeof only->target, "%.15s", recipe->target_language);
        only->tag = -1;
    }
    return status;
}

/* The pairs as ids, with the tags of their files. */
static attn_status encode(const attn_parallel *pairs, const char *const *languages, size_t count,
                          const attn_tokenizer *tokenizer, int64_t limit, int threads,
                          attn_corpus *out, attn_error *error) {
    attn_tags *tags = NULL;
    attn_status status = ATTN_OK;
    if (languages != NULL) {
        tags = attn_alloc_zero(count, sizeof *tags);
        status = tags != NULL ? ATTN_OK : attn_fail_memory(error, count * sizeof *tags);
    }
    for (size_t i = 0; tags != NULL && i < count && status == ATTN_OK; i++) {
        status = attn_directions_tags(languages[i], tokenizer, &tags[i], error);
    }
    if (status == ATTN_OK) {
        status = attn_corpus_encode(pairs, tokenizer, tags, limit, threads, out, error);
    }
    attn_free(tags);
    return status;
}

static attn_status read_validation(const attn_translator_files *files, int64_t limit, int threads,
                                   attn_translator_data *out, attn_error *error) {
    if (files->valid_count == 0) {
        int64_t count = out->train.count / 100;
        out->held_out = count > 1000 ? 1000 : count > 1 ? count : 1;
        attn_status status = attn_corpus_hold_out(&out->train, out->held_out, &out->valid, error);
        return status == ATTN_OK ? lines_from_corpus(out, error) : status;
    }
    attn_parallel pairs;
    attn_status status = attn_parallel_read(files->valid, files->valid_count, &pairs, error);
    if (status == ATTN_OK) {
        status = encode(&pairs, files->valid_languages, files->valid_count, out->tokenizer, limit,
                        threads, &out->valid, error);
    }
    if (status == ATTN_OK) {
        status = lines_from_texts(files, &pairs, out, error);
    }
    attn_parallel_free(&pairs);
    return status;
}

attn_status attn_translator_data_read(const attn_translator_files *files,
                                      const attn_translator_recipe *recipe,
                                      const void *tokenizer_bytes, size_t tokenizer_size,
                                      int threads, attn_translator_data *out, attn_error *error) {
    *out = (attn_translator_data){.tokenizer = NULL};
    int64_t limit = recipe->max_length - 1; /* </s> and <s> take a place */
    attn_parallel pairs = {.file_count = 0};
    attn_status status = list_directions(files, recipe, &out->directions, error);
    if (status == ATTN_OK) {
        status = attn_parallel_read(files->train, files->train_count, &pairs, error);
    }
    if (status == ATTN_OK) {
        out->short_lines = pairs.short_lines;
        memcpy(out->first_short, pairs.first_short, sizeof out->first_short);
        status = filter(recipe, &pairs, out, error);
    }
    if (status == ATTN_OK) {
        status = find_tokenizer(files, recipe, &pairs, tokenizer_bytes, tokenizer_size, threads,
                                out, error);
    }
    if (status == ATTN_OK) {
        status = check_sides(recipe, out->tokenizer, error);
    }
    if (status == ATTN_OK) {
        status = learn_words(files, &pairs, out, error);
    }
    if (status == ATTN_OK && out->directions.tags[0] != '\0') {
        status = attn_directions_find_tags(&out->directions, out->tokenizer, error);
    }
    if (status == ATTN_OK) {
        status = encode(&pairs, files->train_languages, files->train_count, out->tokenizer, limit,
                        threads, &out->train, error);
    }
    attn_parallel_free(&pairs);
    if (status == ATTN_OK) {
        status = read_validation(files, limit, threads, out, error);
    }
    if (status != ATTN_OK) {
        attn_translator_data_free(out);
    }
    return status;
}

void attn_translator_data_free(attn_translator_data *data) {
    attn_tokenizer_free(data->tokenizer);
    attn_corpus_free(&data->train);
    attn_corpus_free(&data->valid);
    for (size_t i = 0; i < data->line_count; i++) {
        free(data->line[i].source);
        free(data->line[i].reference);
    }
    attn_free(data->line);
    *data = (attn_translator_data){.tokenizer = NULL};
}
