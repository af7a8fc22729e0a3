/* show/words.c: pieces to words, and weights on pieces to weights on words. */
#include "show/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

static const char SPACE[] = "\xe2\x96\x81"; /* what SentencePiece writes for a space */
enum { SPACE_SIZE = sizeof SPACE - 1 };

/* Marks that stand alone; apostrophes and hyphens belong to words. */
static bool is_mark(const char *piece) {
    static const char *const marks[] = {".", ",", ";",  ":",        "!",        "?",
                                        "(", ")", "\"", "\xc2\xab", "\xc2\xbb", "\xe2\x80\xa6"};
    piece += strncmp(piece, SPACE, SPACE_SIZE) == 0 ? SPACE_SIZE : 0;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strcmp(piece, marks[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_special(int32_t id) {
    return id == ATTN_PAD || id == ATTN_BOS || id == ATTN_EOS;
}

/* Whether piece i begins a word. */
static bool begins(const attn_words *w, const int32_t *ids, int64_t i) {
    if (i == 0 || is_special(ids[i]) || is_special(ids[i - 1])) {
        return true;
    }
    bool after_space = strcmp(w->piece[i - 1], SPACE) == 0;
    return strncmp(w->piece[i], SPACE, SPACE_SIZE) == 0 || (is_mark(w->piece[i]) && !after_space) ||
           is_mark(w->piece[i - 1]);
}

/* The pieces of a word, joined, without the marks of spaces; returns the end of what was written. */
static char *join(const attn_words *w, attn_word *word, char *to) {
    word->text = to;
    for (int64_t i = word->first; i < word->first + word->count; i++) {
        const char *piece = w->piece[i];
        while (*piece != '\0') {
            if (strncmp(piece, SPACE, SPACE_SIZE) == 0) {
                piece += SPACE_SIZE;
            } else {
                *to++ = *piece++;
            }
        }
    }
    if (to == word->text) { /* a space alone */
        *to++ = '_';
    }
    *to++ = '\0';
    return to;
}

attn_status attn_words_create(const attn_tokenizer *tokenizer, const int32_t *ids, int64_t count,
                              attn_words *out, attn_error *error) {
    size_t size = 1;
    memset(out, 0, sizeof *out);
    for (int64_t i = 0; i < count; i++) {
        size += 2 * strlen(attn_tokenizer_piece(tokenizer, ids[i])) + 3;
    }
    out->text = malloc(size);
    out->piece = malloc(((size_t)count + 1) * sizeof *out->piece);
    out->word = calloc((size_t)count + 1, sizeof *out->word);
    if (out->text == NULL || out->piece == NULL || out->word == NULL) {
        attn_words_free(out);
        return attn_fail_memory(error, size);
    }
    char *to = out->text;
    for (int64_t i = 0; i < count; i++) {
        const char *piece = attn_tokenizer_piece(tokenizer, ids[i]);
        size_t bytes = strlen(piece) + 1;
        out->piece[i] = memcpy(to, piece, bytes);
        to += bytes;
    }
    out->pieces = count;
    for (int64_t i = 0; i < count; i++) {
        if (begins(out, ids, i)) {
            out->word[out->count].mark = is_special(ids[i]) || is_mark(out->piece[i]);
            out->word[out->count++].first = i;
        }
        out->word[out->count - 1].count++;
    }
    for (int64_t i = 0; i < out->count; i++) {
        to = join(out, &out->word[i], to);
    }
    return ATTN_OK;
}

void attn_words_free(attn_words *words) {
    free(words->word);
    free(words->piece);
    free(words->text);
    memset(words, 0, sizeof *words);
}

static bool same_but_case(const char *a, const char *b) {
    while (*a != '\0' && tolower((unsigned char)*a) == tolower((unsigned char)*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

int64_t attn_words_find(const attn_words *words, const char *name) {
    for (int64_t i = 0; i < words->count; i++) {
        if (strcmp(words->word[i].text, name) == 0) {
            return i;
        }
    }
    for (int64_t i = 0; i < words->count; i++) {
        if (same_but_case(words->word[i].text, name)) {
            return i;
        }
    }
    char *end;
    long number = strtol(name, &end, 10);
    return *end == '\0' && number >= 1 && number <= words->count ? number - 1 : -1;
}

void attn_words_merge(const attn_words *queries, const attn_words *keys, const attn_real *weights,
                      int64_t heads, double *out) {
    memset(out, 0, (size_t)(queries->count * keys->count) * sizeof *out);
    for (int64_t h = 0; h < heads; h++) {
        const attn_real *matrix = weights + h * queries->pieces * keys->pieces;
        for (int64_t q = 0; q < queries->count; q++) {
            const attn_word *query = &queries->word[q];
            for (int64_t k = 0; k < keys->count; k++) {
                const attn_word *key = &keys->word[k];
                double sum = 0;
                for (int64_t i = query->first; i < query->first + query->count; i++) {
                    for (int64_t j = key->first; j < key->first + key->count; j++) {
                        sum += (double)matrix[i * keys->pieces + j];
                    }
                }
                out[q * keys->count + k] += sum / (double)(query->count * heads);
            }
        }
    }
}
