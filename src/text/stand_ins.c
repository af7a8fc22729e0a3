/* text/stand_ins.c: names that translators know and leave as they are, and ICU's number words. */
#include "text/stand_ins.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unum.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include "text/boundary.h"
#include "text/icu.h"
#include "text/protect.h"

static const char *const names[] = {"Tom",   "Mary", "Boston", "John", "Paris", "Jim",
                                    "Alice", "Bob",  "Peter",  "Anna", "Jack",  "London"};
enum { NAMES = sizeof names / sizeof names[0] };

bool attn_text_contains(const char *text, size_t length, const char *word) {
    size_t size = strlen(word);
    for (size_t at = 0; at + size <= length; at++) {
        if (memcmp(text + at, word, size) == 0) {
            return true;
        }
    }
    return false;
}

bool attn_stand_in_name(const attn_vocabulary *vocabulary, const char *text, size_t length,
                        size_t turn, size_t *number, attn_stand_in *out) {
    while (*number < NAMES) {
        const char *name = names[(*number + turn) % NAMES];
        ++*number;
        if (!attn_text_contains(text, length, name) &&
            attn_vocabulary_writes(vocabulary, name, strlen(name))) {
            snprintf(out->given, sizeof out->given, "%s", name);
            snprintf(out->expected, sizeof out->expected, "%s", name);
            return true;
        }
    }
    return false;
}

/* One word of letters alone. */
static bool is_word(const char *text) {
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        if (c < 0 || attn_is_digit(c) || (!u_isalpha(c) && (U_GET_GC_MASK(c) & U_GC_M_MASK) == 0)) {
            return false;
        }
    }
    return length > 0;
}

static bool spell(UNumberFormat *format, int64_t value, char *out, bool *out_of_memory) {
    UChar wide[ATTN_STAND_IN_SIZE];
    UErrorCode code = U_ZERO_ERROR;
    int32_t length = unum_formatInt64(format, value, wide, ATTN_STAND_IN_SIZE, NULL, &code), bytes;
    u_strToUTF8(out, ATTN_STAND_IN_SIZE, &bytes, wide, length, &code);
    *out_of_memory = *out_of_memory || attn_icu_out_of_memory(code);
    return U_SUCCESS(code) && code != U_STRING_NOT_TERMINATED_WARNING && is_word(out);
}

static UNumberFormat *open_format(const char *language, bool *out_of_memory) {
    UErrorCode code = U_ZERO_ERROR;
    UNumberFormat *format = unum_open(UNUM_SPELLOUT, NULL, 0, language, NULL, &code);
    const char *found =
        U_SUCCESS(code) ? unum_getLocaleByType(format, ULOC_ACTUAL_LOCALE, &code) : "";
    *out_of_memory = *out_of_memory || attn_icu_out_of_memory(code);
    /* A language that ICU does not know gets the words of its root. */
    if (U_FAILURE(code) || strncmp(found, language, 2) != 0) {
        unum_close(format);
        return NULL;
    }
    return format;
}

/* Opening ICU's rules takes milliseconds: the words of a pair of languages are kept. */
enum { PAIRS = 32, CODE = 16 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char source[CODE], target[CODE];
    attn_number_words words;
} pairs[PAIRS];
static size_t pair_count;

static bool find_pair(const char *source, const char *target, attn_number_words *words) {
    bool found = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < pair_count && !found; i++) {
        found = strcmp(pairs[i].source, source) == 0 && strcmp(pairs[i].target, target) == 0;
        *words = found ? pairs[i].words : *words;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void keep_pair(const char *source, const char *target, const attn_number_words *words) {
    pthread_mutex_lock(&lock);
    if (pair_count < PAIRS) {
        snprintf(pairs[pair_count].source, CODE, "%s", source);
        snprintf(pairs[pair_count].target, CODE, "%s", target);
        pairs[pair_count++].words = *words;
    }
    pthread_mutex_unlock(&lock);
}

/* Whether memory was enough. */
static bool load_pair(const char *source, const char *target, attn_number_words *words) {
    bool out_of_memory = false;
    UNumberFormat *from = open_format(source, &out_of_memory);
    UNumberFormat *to = open_format(target, &out_of_memory);
    for (size_t i = 0; i < ATTN_NUMBER_WORDS && from != NULL && to != NULL; i++) {
        attn_stand_in *word = &words->word[i];
        int64_t value = ATTN_LEAST_NUMBER_WORD + (int64_t)i;
        if (!spell(from, value, word->given, &out_of_memory) ||
            !spell(to, value, word->expected, &out_of_memory)) {
            word->given[0] = '\0';
        }
    }
    unum_close(from);
    unum_close(to);
    return !out_of_memory;
}

bool attn_number_words_load(attn_number_words *words, const char *source, const char *target,
                            const attn_vocabulary *vocabulary) {
    *words = (attn_number_words){0};
    if (source[0] != '\0' && target[0] != '\0' && !find_pair(source, target, words)) {
        if (!load_pair(source, target, words)) {
            return false;
        }
        keep_pair(source, target, words);
    }
    words->asked = true;
    for (size_t i = 0; i < ATTN_NUMBER_WORDS; i++) {
        attn_stand_in *word = &words->word[i];
        if (word->given[0] != '\0' &&
            attn_vocabulary_writes(vocabulary, word->given, strlen(word->given)) &&
            attn_vocabulary_writes(vocabulary, word->expected, strlen(word->expected))) {
            words->known = true;
        } else {
            word->given[0] = '\0';
        }
    }
    return true;
}

bool attn_stand_in_number(const attn_number_words *words, const char *text, size_t length,
                          size_t value, bool *taken, attn_stand_in *out) {
    static const size_t others[] = {7, 9, 6, 8, 5, 4, 3, 10, 12};
    for (size_t i = 0; i <= sizeof others / sizeof others[0]; i++) {
        size_t wanted = i == 0 ? value : others[i - 1];
        if (wanted < ATTN_LEAST_NUMBER_WORD ||
            wanted >= ATTN_LEAST_NUMBER_WORD + ATTN_NUMBER_WORDS) {
            continue;
        }
        size_t w = wanted - ATTN_LEAST_NUMBER_WORD;
        if (words->word[w].given[0] != '\0' && !taken[w] &&
            !attn_text_contains(text, length, words->word[w].given)) {
            taken[w] = true;
            *out = words->word[w];
            return true;
        }
    }
    return false;
}

/* ---- numbers in words ---- */

/* The rules of the language that was asked about last; they are for one thread at a time. */
static pthread_mutex_t speller_lock = PTHREAD_MUTEX_INITIALIZER;
static UNumberFormat *speller;
static char speller_language[CODE];

static UNumberFormat *speller_of(const char *language, bool *out_of_memory) {
    if (strcmp(speller_language, language) != 0) {
        unum_close(speller);
        speller = open_format(language, out_of_memory);
        snprintf(speller_language, sizeof speller_language, "%s", *out_of_memory ? "" : language);
    }
    return speller;
}

/* Whether the words are text[at ..), in any case; white space and hyphens are the same. */
static bool says(const char *text, size_t length, size_t at, const char *words) {
    size_t w = 0, size = strlen(words), start = at;
    while (w < size) {
        UChar32 a, b;
        if (at >= length) {
            return false;
        }
        U8_NEXT(text, at, length, a);
        U8_NEXT(words, w, size, b);
        bool parts = (a == '-' || a == ' ') && (b == '-' || b == ' ');
        if (!parts && u_tolower(a) != u_tolower(b)) {
            return false;
        }
    }
    return !attn_inside_word(text, length, start) && !attn_inside_word(text, length, at);
}

static size_t count_said(const char *text, const char *rules, int64_t value, bool *out_of_memory) {
    UChar wide[4 * ATTN_STAND_IN_SIZE], name[32];
    char words[8 * ATTN_STAND_IN_SIZE];
    UErrorCode code = U_ZERO_ERROR;
    size_t count = 0, text_length = strlen(text);
    u_charsToUChars(rules, name, (int32_t)strlen(rules) + 1);
    unum_setTextAttribute(speller, UNUM_DEFAULT_RULESET, name, (int32_t)strlen(rules), &code);
    int32_t length =
        unum_formatInt64(speller, value, wide, sizeof wide / sizeof wide[0], NULL, &code);
    u_strToUTF8(words, sizeof words, NULL, wide, length, &code);
    *out_of_memory = *out_of_memory || attn_icu_out_of_memory(code);
    if (U_FAILURE(code) || words[0] == '\0' || attn_is_digit((unsigned char)words[0])) {
        return 0;
    }
    for (size_t at = 0; at < text_length;) {
        count += says(text, text_length, at, words);
        U8_FWD_1(text, at, text_length);
    }
    return count;
}

bool attn_number_said(const char *language, const char *text, int64_t value, size_t *count) {
    static const char *const rules[] = {"%spellout-numbering", "%spellout-ordinal",
                                        "%spellout-ordinal-masculine",
                                        "%spellout-ordinal-feminine"};
    bool out_of_memory = false;
    *count = 0;
    pthread_mutex_lock(&speller_lock);
    bool known = language[0] != '\0' && speller_of(language, &out_of_memory) != NULL;
    for (size_t i = 0; known && i < sizeof rules / sizeof rules[0]; i++) {
        *count += count_said(text, rules[i], value, &out_of_memory);
    }
    pthread_mutex_unlock(&speller_lock);
    return !out_of_memory;
}
