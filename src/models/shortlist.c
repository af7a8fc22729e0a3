/* models/shortlist.c: the target words that can matter for a sentence, and their file.
 *
 * V vocabulary. Next: translator_state.c, which computes the scores of these alone. */
#include "models/shortlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/safetensors.h"
#include "base/fail.h"
#include "base/memory.h"

#define FORMAT_KEY     "attn.shortlist"
#define VERSION        "1"
#define VOCABULARY_KEY "vocabulary"

enum { MOST_WORDS = 1 << 20 }; /* as in a model's configuration */

struct attn_shortlist {
    int64_t vocabulary, source_vocabulary, frequent_count, per_token;
    int32_t *frequent; /* [frequent_count] */
    int32_t *likely;   /* [source words, per_token]; -1: none */
};

static bool in_range(const int32_t *ids, int64_t count, int64_t least, int64_t vocabulary) {
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] < least || ids[i] >= vocabulary) {
            return false;
        }
    }
    return true;
}

static bool possible(int64_t vocabulary, int64_t source_words, int64_t frequent_count,
                     int64_t per_token) {
    return vocabulary >= 1 && vocabulary <= MOST_WORDS && source_words >= 1 &&
           source_words <= MOST_WORDS && frequent_count >= 0 && frequent_count <= vocabulary &&
           per_token >= 0 && per_token <= vocabulary;
}

/* The rows of `likely`. */
static int64_t source_words(const attn_shortlist *list) {
    return list->source_vocabulary != 0 ? list->source_vocabulary : list->vocabulary;
}

attn_status attn_shortlist_create(int64_t vocabulary, int64_t source_vocabulary,
                                  int64_t frequent_count, const int32_t *frequent,
                                  int64_t per_token, const int32_t *likely, attn_shortlist **out,
                                  attn_error *error) {
    *out = NULL;
    int64_t sources = source_vocabulary != 0 ? source_vocabulary : vocabulary;
    if (!possible(vocabulary, sources, frequent_count, per_token) ||
        !in_range(frequent, frequent_count, 0, vocabulary) ||
        !in_range(likely, sources * per_token, -1, vocabulary)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "a size or an id is out of range for a shortlist of %lld words",
                         (long long)vocabulary);
    }
    size_t frequent_size = (size_t)frequent_count * sizeof *frequent;
    size_t likely_size = (size_t)(sources * per_token) * sizeof *likely;
    attn_shortlist *list = attn_alloc_zero(1, sizeof *list);
    if (list != NULL) {
        *list = (attn_shortlist){.vocabulary = vocabulary,
                                 .source_vocabulary = source_vocabulary,
                                 .frequent_count = frequent_count,
                                 .per_token = per_token,
                                 .frequent = attn_alloc(frequent_size),
                                 .likely = attn_alloc(likely_size)};
    }
    if (list == NULL || list->frequent == NULL || list->likely == NULL) {
        attn_shortlist_free(list);
        return attn_fail_memory(error, likely_size);
    }
    memcpy(list->frequent, frequent, frequent_size);
    memcpy(list->likely, likely, likely_size);
    *out = list;
    return ATTN_OK;
}

void attn_shortlist_free(attn_shortlist *list) {
    if (list == NULL) {
        return;
    }
    attn_free(list->frequent);
    attn_free(list->likely);
    attn_free(list);
}

int64_t attn_shortlist_vocabulary(const attn_shortlist *list) {
    return list->vocabulary;
}

int64_t attn_shortlist_source_vocabulary(const attn_shortlist *list) {
    return list->source_vocabulary;
}

void attn_shortlist_choose(const attn_shortlist *list, int64_t length, const int32_t *source,
                           bool *chosen) {
    memset(chosen, 0, (size_t)list->vocabulary * sizeof *chosen);
    for (int64_t i = 0; i < list->frequent_count; i++) {
        chosen[list->frequent[i]] = true;
    }
    for (int64_t i = 0; i < length; i++) {
        const int32_t *likely = list->likely + source[i] * list->per_token;
        if (list->source_vocabulary == 0) {
            chosen[source[i]] = true;
        }
        for (int64_t j = 0; j < list->per_token; j++) {
            if (likely[j] >= 0) {
                chosen[likely[j]] = true;
            }
        }
    }
}

/* ---- the file ---- */

attn_status attn_shortlist_save(const attn_shortlist *list, const char *path, attn_error *error) {
    const attn_tensor_info tensors[] = {
        {.name = "frequent",
         .dtype = ATTN_DTYPE_I32,
         .rank = 1,
         .shape = {list->frequent_count},
         .data = list->frequent,
         .size = (size_t)list->frequent_count * sizeof *list->frequent},
        {.name = "likely",
         .dtype = ATTN_DTYPE_I32,
         .rank = 2,
         .shape = {source_words(list), list->per_token},
         .data = list->likely,
         .size = (size_t)(source_words(list) * list->per_token) * sizeof *list->likely},
    };
    char words[24];
    snprintf(words, sizeof words, "%lld", (long long)list->vocabulary);
    const attn_metadata metadata[] = {{FORMAT_KEY, VERSION}, {VOCABULARY_KEY, words}};
    return attn_safetensors_write(path, tensors, 2, metadata, list->source_vocabulary != 0 ? 2 : 1,
                                  error);
}

static attn_status read_file(const attn_safetensors *file, const char *path, attn_shortlist **out,
                             attn_error *error) {
    const char *version = attn_safetensors_metadata(file, FORMAT_KEY);
    if (version == NULL || strcmp(version, VERSION) != 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, "give a file written by attn shortlist",
                         "not a shortlist that this attn reads (metadata %s is %.16s)", FORMAT_KEY,
                         version != NULL ? version : "missing");
    }
    const attn_tensor_info *frequent = attn_safetensors_find(file, "frequent");
    const attn_tensor_info *likely = attn_safetensors_find(file, "likely");
    if (frequent == NULL || likely == NULL || frequent->dtype != ATTN_DTYPE_I32 ||
        likely->dtype != ATTN_DTYPE_I32 || frequent->rank != 1 || likely->rank != 2) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL,
                         "the tensors frequent and likely are missing or not int32");
    }
    const char *words = attn_safetensors_metadata(file, VOCABULARY_KEY); /* NULL: a joint one */
    int64_t vocabulary = words != NULL ? strtoll(words, NULL, 10) : likely->shape[0];
    attn_error detail;
    attn_status status =
        attn_shortlist_create(vocabulary, words != NULL ? likely->shape[0] : 0, frequent->shape[0],
                              frequent->data, likely->shape[1], likely->data, out, &detail);
    if (status == ATTN_ERR_ARGUMENT) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "%.400s", detail.what);
    }
    return status == ATTN_OK ? ATTN_OK : attn_fail_memory(error, likely->size);
}

attn_status attn_shortlist_parse(const void *bytes, size_t size, const char *name,
                                 attn_shortlist **out, attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    attn_status status = attn_safetensors_parse(bytes, size, name, &file, error);
    if (status == ATTN_OK) {
        status = read_file(file, name, out, error);
    }
    attn_safetensors_close(file);
    return status;
}

attn_status attn_shortlist_load(const char *path, attn_shortlist **out, attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    attn_status status = attn_safetensors_open(path, &file, error);
    if (status == ATTN_OK) {
        status = read_file(file, path, out, error);
    }
    attn_safetensors_close(file);
    return status;
}
