/* pipeline/links.c: cross-attention from pieces to bytes. </s> has no part in it. */
#include "pipeline/links.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

/* Where in the text of all ids each piece ends: the length of the text of the ids so far. */
static bool find_ends(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count,
                      size_t length, size_t *ends) {
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        char *text;
        if (attn_tokenizer_decode(tokenizer, ids, i + 1, &text, NULL) != ATTN_OK) {
            return false;
        }
        size_t end = strlen(text);
        free(text);
        end = end < length ? end : length;
        last = ends[i] = end > last ? end : last;
    }
    return true;
}

static size_t count_visible(const char *text, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += text[i] != ' ' && ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return count;
}

/* The byte of `text` after as large a part of its visible characters as `visible` is of `of`. */
static size_t find_visible(const char *text, size_t visible, size_t of) {
    size_t length = strlen(text), all = count_visible(text, length);
    size_t wanted = of > 0 ? (visible * all + of / 2) / of : 0, at = 0;
    while (at < length && (wanted > 0 || ((unsigned char)text[at] & 0xC0) == 0x80)) {
        wanted -= text[at] != ' ' && ((unsigned char)text[at] & 0xC0) != 0x80;
        at++;
    }
    return at;
}

/* From bytes of the text as the tokenizer sees it, normalized, to bytes of the unit. */
bool attn_links_ends(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count,
                     const char *unit, size_t *ends) {
    char *seen;
    if (attn_tokenizer_decode(tokenizer, ids, count, &seen, NULL) != ATTN_OK) {
        return false;
    }
    bool good = find_ends(tokenizer, ids, count, strlen(seen), ends);
    size_t all = count_visible(seen, strlen(seen));
    for (size_t i = 0; i < count && good && strcmp(seen, unit) != 0; i++) {
        ends[i] = find_visible(unit, count_visible(seen, ends[i]), all);
    }
    free(seen);
    return good;
}

attn_status attn_links_find(const attn_tokenizer *tokenizer, const attn_sentence *sentence,
                            const attn_hypothesis *h, const char *unit, const char *translation,
                            attn_links *out, attn_error *error) {
    *out = (attn_links){0};
    size_t sources = (size_t)attn_source_words(sentence->ids, sentence->length);
    if (h == NULL || h->attention == NULL || h->length == 0 || sources == 0) {
        return ATTN_OK;
    }
    size_t targets = (size_t)h->length;
    size_t *target_end = calloc(targets, sizeof *target_end);
    size_t *source_end = calloc(sources, sizeof *source_end);
    float *weight = calloc(targets * sources, sizeof *weight);
    *out = (attn_links){targets, sources, target_end, source_end, weight};
    if (target_end == NULL || source_end == NULL || weight == NULL ||
        !find_ends(attn_tokenizer_target(tokenizer), h->ids, targets, strlen(translation),
                   target_end) ||
        !attn_links_ends(tokenizer, sentence->ids, sources, unit, source_end)) {
        attn_links_free(out);
        return attn_fail_memory(error, targets * sources * sizeof *weight);
    }
    for (size_t t = 0; t < targets; t++) {
        for (size_t s = 0; s < sources; s++) {
            weight[t * sources + s] = h->attention[t * (size_t)h->source_length + s];
        }
    }
    return ATTN_OK;
}

void attn_links_free(attn_links *links) {
    free((void *)(uintptr_t)links->target_end);
    free((void *)(uintptr_t)links->source_end);
    free((void *)(uintptr_t)links->weight);
    *links = (attn_links){0};
}
