/* text/vocabulary.c: asking the tokenizer. */
#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "text/known_words.h"
#include "text/unknown.h"

/* A piece of a byte says nothing of what the model knows: it was hardly ever trained, and three of them that
 * are one wrong are another character. */
static bool all_known(const attn_tokenizer *tokenizer, const int32_t *ids, size_t count) {
    int32_t unknown = attn_tokenizer_special(tokenizer).unk;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == unknown || attn_tokenizer_is_byte(tokenizer, ids[i])) {
            return false;
        }
    }
    return true;
}

static size_t pieces_of(const attn_tokenizer *tokenizer, const char *text, size_t length,
                        bool *failed) {
    int32_t *ids = NULL;
    char *back = NULL;
    size_t count = 0;
    attn_status status = attn_tokenizer_encode(tokenizer, text, length, &ids, &count, NULL);
    bool known = status == ATTN_OK && all_known(tokenizer, ids, count);
    if (known) {
        status = attn_tokenizer_decode(tokenizer, ids, count, &back, NULL);
    }
    *failed = *failed || status == ATTN_ERR_MEMORY;
    bool same =
        known && status == ATTN_OK && strlen(back) == length && memcmp(back, text, length) == 0;
    free(back);
    free(ids);
    return same ? count : 0;
}

/* Read by the source's side, and written by the target's. */
static size_t pieces(const void *context, const char *text, size_t length, bool *failed) {
    const attn_tokenizer *source = context, *target = attn_tokenizer_target(source);
    size_t count = pieces_of(source, text, length, failed);
    return count > 0 && (target == source || pieces_of(target, text, length, failed) > 0) ? count
                                                                                          : 0;
}

static bool knows(const void *context, const char *word, size_t length) {
    return attn_known_words_has(attn_tokenizer_known_words(context), word, length);
}

attn_vocabulary attn_vocabulary_of(const attn_tokenizer *tokenizer) {
    bool counted = attn_tokenizer_known_words(tokenizer).bits != NULL;
    return (attn_vocabulary){
        .pieces = pieces, .knows = counted ? knows : NULL, .context = tokenizer};
}

bool attn_vocabulary_has_words(const attn_vocabulary *v) {
    return v->knows != NULL;
}

bool attn_vocabulary_knows(const attn_vocabulary *v, const char *word, size_t length) {
    return v->knows == NULL || v->knows(v->context, word, length);
}

size_t attn_vocabulary_pieces(const attn_vocabulary *v, const char *text, size_t length) {
    bool failed = false;
    size_t count = v->pieces != NULL ? v->pieces(v->context, text, length, &failed) : 0;
    if (failed && v->failed != NULL) {
        *v->failed = true;
    }
    return count;
}

bool attn_vocabulary_writes(const attn_vocabulary *v, const char *text, size_t length) {
    return v->pieces == NULL || attn_vocabulary_pieces(v, text, length) > 0;
}
