/* text/known_words.c: counting words, and the filter that they go into. */
#include "text/known_words.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"

/* 12 bits a word and 8 of them set: a word that was not put in is found once in 314 times. */
enum { BITS_A_WORD = 12, BITS_SET = 8, LEAST_TIMES = 3 };
static const size_t most_bytes = (size_t)1 << 20;

/* ---- words ---- */

static bool is_letter(UChar32 c) {
    return u_isalpha(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

/* Of the word in small letters: FNV-1a over its characters, mixed once more. */
static uint64_t hash_of(const char *text, size_t length) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        hash = (hash ^ (uint64_t)u_tolower(c > 0 ? c : 0xFFFD)) * 0x100000001b3;
    }
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 32;
}

/* The bit `number` of a word in a filter of so many (Kirsch and Mitzenmacher 2006). */
static size_t bit_of(uint64_t hash, int number, size_t bits) {
    uint64_t step = (hash >> 32 | hash << 32) | 1;
    return (size_t)((hash + (uint64_t)number * step) % bits);
}

bool attn_known_words_has(attn_known_words words, const char *text, size_t length) {
    uint64_t hash = hash_of(text, length);
    bool all = true;
    for (int i = 0; i < BITS_SET && words.bits != NULL && words.size > 0; i++) {
        size_t bit = bit_of(hash, i, 8 * words.size);
        all = all && (words.bits[bit / 8] >> (bit % 8) & 1) != 0;
    }
    return all;
}

/* ---- counting ---- */

/* Words by their hash; 0: an empty place. Places are a power of two, at most half of them taken. */
typedef struct tally {
    uint64_t *hash;
    unsigned char *count; /* up to LEAST_TIMES */
    size_t places, used;
} tally;

static size_t place_of(const tally *t, uint64_t hash) {
    size_t at = (size_t)hash & (t->places - 1);
    while (t->hash[at] != 0 && t->hash[at] != hash) {
        at = (at + 1) & (t->places - 1);
    }
    return at;
}

static void tally_free(tally *t) {
    free(t->hash);
    free(t->count);
}

static bool tally_grow(tally *t) {
    tally larger = {.places = t->places > 0 ? 2 * t->places : 1 << 14, .used = t->used};
    larger.hash = calloc(larger.places, sizeof *larger.hash);
    larger.count = calloc(larger.places, sizeof *larger.count);
    if (larger.hash == NULL || larger.count == NULL) {
        tally_free(&larger);
        return false;
    }
    for (size_t i = 0; i < t->places; i++) {
        if (t->hash[i] != 0) {
            size_t at = place_of(&larger, t->hash[i]);
            larger.hash[at] = t->hash[i];
            larger.count[at] = t->count[i];
        }
    }
    tally_free(t);
    *t = larger;
    return true;
}

static bool count_word(tally *t, const char *text, size_t length) {
    if (2 * t->used >= t->places && !tally_grow(t)) {
        return false;
    }
    uint64_t hash = hash_of(text, length);
    hash = hash != 0 ? hash : 1;
    size_t at = place_of(t, hash);
    t->used += t->hash[at] == 0;
    t->hash[at] = hash;
    t->count[at] = (unsigned char)(t->count[at] + (t->count[at] < LEAST_TIMES));
    return true;
}

static bool count_line(tally *t, const char *line, size_t length) {
    for (size_t at = 0, start; at < length;) {
        UChar32 c;
        start = at;
        U8_NEXT(line, at, length, c);
        if (!is_letter(c)) {
            continue;
        }
        size_t end = at;
        while (end < length && is_letter(c)) {
            at = end;
            U8_NEXT(line, end, length, c);
        }
        at = is_letter(c) ? end : at;
        if (!count_word(t, line + start, at - start)) {
            return false;
        }
    }
    return true;
}

/* ---- the filter ---- */

static void add_to(unsigned char *bits, size_t size, uint64_t hash) {
    for (int i = 0; i < BITS_SET; i++) {
        size_t bit = bit_of(hash, i, 8 * size);
        bits[bit / 8] = (unsigned char)(bits[bit / 8] | 1 << bit % 8);
    }
}

/* Those of the tally that are frequent, into a filter of their own or the one that is there. */
static attn_status make_filter(const tally *t, attn_known_words former, attn_known_words *out,
                               attn_error *error) {
    size_t frequent = 0;
    for (size_t i = 0; i < t->places; i++) {
        frequent += t->count[i] >= LEAST_TIMES;
    }
    size_t size = (frequent * BITS_A_WORD + 7) / 8 + 1;
    size = former.bits != NULL ? former.size : size < most_bytes ? size : most_bytes;
    unsigned char *bits = calloc(size, 1);
    if (bits == NULL) {
        return attn_fail_memory(error, size);
    }
    if (former.bits != NULL) {
        memcpy(bits, former.bits, size);
    }
    for (size_t i = 0; i < t->places; i++) {
        if (t->count[i] >= LEAST_TIMES) {
            add_to(bits, size, t->hash[i]);
        }
    }
    *out = (attn_known_words){bits, size};
    return ATTN_OK;
}

attn_status attn_known_words_learn(const attn_tokenizer *tokenizer, const attn_lines *text,
                                   attn_tokenizer **out, attn_error *error) {
    tally t = {0};
    attn_known_words words = {0};
    bool good = true;
    *out = NULL;
    if (!attn_tokenizer_carries_words(tokenizer)) {
        return ATTN_OK;
    }
    for (size_t i = 0; i < text->count && good; i++) {
        good = count_line(&t, text->line[i], text->length[i]);
    }
    attn_status status = good
                             ? make_filter(&t, attn_tokenizer_known_words(tokenizer), &words, error)
                             : attn_fail_memory(error, t.places * sizeof *t.hash);
    tally_free(&t);
    attn_known_words former = attn_tokenizer_known_words(tokenizer);
    bool same = status == ATTN_OK && former.size == words.size &&
                memcmp(former.bits, words.bits, words.size) == 0;
    if (status == ATTN_OK && !same) {
        status = attn_tokenizer_with_words(tokenizer, words, out, error);
    }
    free((void *)words.bits);
    return status;
}
