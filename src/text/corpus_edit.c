/* text/corpus_edit.c: see corpus_edit.h. */
#include "text/corpus_edit.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "text/buffer.h"

/* ---- case ---- */

static attn_status change_case(const UCaseMap *map, bool capitals, char **text, attn_error *error) {
    int32_t length = (int32_t)strlen(*text), room = 3 * length + 1; /* the most that one becomes */
    char *out = malloc((size_t)room);
    UErrorCode code = U_ZERO_ERROR;
    if (out == NULL) {
        return attn_fail_memory(error, (size_t)room);
    }
    if (capitals) {
        ucasemap_utf8ToUpper(map, out, room, *text, length, &code);
    } else {
        ucasemap_utf8ToLower(map, out, room, *text, length, &code);
    }
    if (U_FAILURE(code)) {
        free(out); /* as it was will do */
        return ATTN_OK;
    }
    free(*text);
    *text = out;
    return ATTN_OK;
}

attn_status attn_edit_case(bool capitals, char **source, char **target, attn_error *error) {
    UErrorCode code = U_ZERO_ERROR;
    UCaseMap *map = ucasemap_open("", 0, &code);
    if (U_FAILURE(code)) {
        return attn_fail_memory(error, 0);
    }
    attn_status status = change_case(map, capitals, source, error);
    status = status == ATTN_OK ? change_case(map, capitals, target, error) : status;
    ucasemap_close(map);
    return status;
}

/* ---- the end ---- */

static bool is_ender(UChar32 c) {
    return c == '.' || c == '!' || c == '?' || c == 0x3002 || c == 0xFF01 || c == 0xFF1F ||
           c == 0x061F || c == 0x06D4 || c == 0x0964;
}

/* Where the text ends without its last sign and the space before that; 0: it has none, or several. */
static int32_t without_end(const char *text) {
    int32_t at = (int32_t)strlen(text), before;
    UChar32 c = 0;
    if (at == 0) {
        return 0;
    }
    U8_PREV(text, 0, at, c);
    if (!is_ender(c)) {
        return 0;
    }
    for (before = at; before > 0; at = before) {
        before = at;
        U8_PREV(text, 0, before, c);
        if (!u_isUWhiteSpace(c)) {
            return is_ender(c) ? 0 : at;
        }
    }
    return 0;
}

void attn_edit_end(char *source, char *target) {
    int32_t source_end = without_end(source), target_end = without_end(target);
    if (source_end > 0 && target_end > 0) {
        source[source_end] = target[target_end] = '\0';
    }
}

/* ---- what is copied ---- */

enum { MOST = 16, LONGEST = 200 };

/* A number, name or address: bytes at .. at + length of a text. */
typedef struct token {
    size_t at, length;
    bool address;
} token;

static bool ascii_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool ascii_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool ascii_alnum(char c) {
    return ascii_letter(c) || ascii_digit(c);
}

/* Letters of scripts that have capitals belong to the word beside them. */
static bool cased(UChar32 c) {
    return c >= 0x80 && (u_isUUppercase(c) || u_isULowercase(c));
}

static bool stands_apart(const char *text, size_t from, size_t to) {
    int32_t before = (int32_t)from, after = (int32_t)to, length = (int32_t)strlen(text);
    UChar32 c = 0, d = 0;
    if (before > 0) {
        U8_PREV(text, 0, before, c);
    }
    if (after < length) {
        U8_NEXT(text, after, length, d);
    }
    return !cased(c) && !cased(d);
}

/* "Tom", "2025", "A320": a capital and small letters, a number that is neither 0 nor 1, or both kinds. */
static bool worth_copying(const char *text, size_t length) {
    size_t digits = 0, small = 0;
    for (size_t i = 0; i < length; i++) {
        digits += ascii_digit(text[i]);
        small += text[i] >= 'a' && text[i] <= 'z';
    }
    if (digits == length) {
        return length > 1 || text[0] > '1';
    }
    bool capital = text[0] >= 'A' && text[0] <= 'Z';
    return digits > 0 ? length > 1 : capital && length > 2 && small == length - 1;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

/* An address from `at` on, up to a space or a sign that ends it; 0: none. */
static size_t address_length(const char *text, size_t at) {
    size_t length = 0;
    while (text[at + length] != '\0' && !is_space(text[at + length]) &&
           (unsigned char)text[at + length] < 0x80 && length < LONGEST) {
        length++;
    }
    while (length > 0 && !ascii_alnum(text[at + length - 1]) && text[at + length - 1] != '/') {
        length--;
    }
    char copy[LONGEST + 1];
    memcpy(copy, text + at, length);
    copy[length] = '\0';
    char *sign = strchr(copy, '@');
    bool mail = sign != NULL && sign > copy && strchr(sign, '.') != NULL;
    return ascii_alnum(text[at]) && (mail || strstr(copy, "://") != NULL) ? length : 0;
}

/* The next token from *at on; false: there is none. */
static bool next_token(const char *text, size_t *at, token *out) {
    while (text[*at] != '\0') {
        size_t start = *at, length = address_length(text, start);
        *out = (token){start, length, length > 0};
        if (length > 0) {
            *at = start + length;
            return true;
        }
        while (ascii_alnum(text[start + length])) {
            length++;
        }
        out->length = length;
        *at = start + (length > 0 ? length : 1);
        if (length > 0 && length <= LONGEST && worth_copying(text + start, length) &&
            stands_apart(text, start, start + length)) {
            return true;
        }
    }
    return false;
}

static size_t all_tokens(const char *text, token *out) {
    size_t count = 0, at = 0;
    while (count < MOST && next_token(text, &at, &out[count])) {
        count++;
    }
    return count;
}

static bool same(const char *a, token x, const char *b, token y) {
    return x.length == y.length && memcmp(a + x.at, b + y.at, x.length) == 0;
}

/* Its index among the tokens when it is there just once; -1. */
static int only_one(const char *text, token wanted, const char *other, const token *list,
                    size_t count) {
    int found = -1;
    for (size_t i = 0; i < count; i++) {
        if (same(text, wanted, other, list[i])) {
            if (found >= 0) {
                return -1;
            }
            found = (int)i;
        }
    }
    return found;
}

static char one_of(attn_random *random, const char *letters) {
    return letters[attn_random_below(random, strlen(letters))];
}

static bool kept_in_addresses(const char *word, size_t length) {
    static const char *const kept[] = {"http", "https", "ftp", "www", "com", "org", "net", "html"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (strlen(kept[i]) == length && memcmp(kept[i], word, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Digits for digits, letters for letters; no number gets a 0 in front. */
static void replace_signs(attn_random *random, const char *text, size_t length, char *out) {
    for (size_t i = 0; i < length; i++) {
        if (ascii_digit(text[i])) {
            bool first = i == 0 || !ascii_digit(text[i - 1]);
            out[i] = one_of(random, length == 1 ? "23456789" : first ? "123456789" : "0123456789");
        } else if (ascii_letter(text[i])) {
            out[i] = one_of(random, text[i] >= 'a' ? "abcdefghijklmnopqrstuvwxyz"
                                                   : "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        } else {
            out[i] = text[i];
        }
    }
}

static void replace_address(attn_random *random, const char *text, size_t length, char *out) {
    for (size_t i = 0, end; i < length; i = end) {
        for (end = i; end < length && ascii_alnum(text[end]); end++) {
        }
        if (kept_in_addresses(text + i, end - i)) {
            memcpy(out + i, text + i, end - i);
        } else {
            replace_signs(random, text + i, end - i, out + i);
        }
        for (; end < length && !ascii_alnum(text[end]); end++) {
            out[end] = text[end];
        }
    }
}

/* Two or three syllables. */
static size_t make_name(attn_random *random, char *out) {
    size_t length = 0;
    for (uint64_t i = 2 + attn_random_below(random, 2); i > 0; i--) {
        out[length++] = one_of(random, "bdfgklmnprstvz");
        out[length++] = one_of(random, "aeiou");
    }
    out[0] = (char)(out[0] - 'a' + 'A');
    if (attn_random_below(random, 2) == 0) {
        out[length++] = one_of(random, "lnrs");
    }
    return length;
}

static size_t replace(attn_random *random, const char *text, token t, char *out) {
    bool name = !t.address;
    for (size_t i = 0; i < t.length; i++) {
        name = name && ascii_letter(text[t.at + i]);
    }
    if (name) {
        return make_name(random, out);
    }
    if (t.address) {
        replace_address(random, text + t.at, t.length, out);
    } else {
        replace_signs(random, text + t.at, t.length, out);
    }
    return t.length;
}

typedef struct replacement {
    char text[LONGEST + 1];
    size_t length; /* 0: the token stays */
} replacement;

static attn_status rebuild(char **text, const token *tokens, size_t count, const int *index,
                           const replacement *by, attn_error *error) {
    attn_buffer out = {0};
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const replacement *r = index[i] < 0 ? NULL : &by[index[i]];
        if (r != NULL && r->length > 0) {
            attn_buffer_add(&out, *text + at, tokens[i].at - at);
            attn_buffer_add(&out, r->text, r->length);
            at = tokens[i].at + tokens[i].length;
        }
    }
    attn_buffer_text(&out, *text + at);
    char *made;
    attn_status status = attn_buffer_take(&out, &made, error);
    if (status == ATTN_OK) {
        free(*text);
        *text = made;
    }
    return status;
}

attn_status attn_edit_copy(attn_random *random, char **source, char **target, attn_error *error) {
    token mine[MOST], theirs[MOST];
    int index[MOST], own[MOST];
    replacement by[MOST];
    size_t count = all_tokens(*source, mine), others = all_tokens(*target, theirs);
    for (size_t i = 0; i < others; i++) {
        index[i] = -1;
    }
    for (size_t i = 0; i < count; i++) {
        own[i] = (int)i;
        by[i].length = 0;
        int there = only_one(*source, mine[i], *target, theirs, others);
        if (there >= 0 && only_one(*source, mine[i], *source, mine, count) == (int)i) {
            by[i].length = replace(random, *source, mine[i], by[i].text);
            index[there] = (int)i;
        }
    }
    attn_status status = rebuild(source, mine, count, own, by, error);
    return status == ATTN_OK ? rebuild(target, theirs, others, index, by, error) : status;
}

/* ---- two texts ---- */

static bool sets_no_space(const char *text) {
    int32_t at = (int32_t)strlen(text);
    UChar32 c = 0;
    if (at > 0) {
        U8_PREV(text, 0, at, c);
    }
    int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
    return c >= 0x2E80 && (width == U_EA_WIDE || width == U_EA_FULLWIDTH) &&
           !(c >= 0xAC00 && c <= 0xD7A3); /* Korean does */
}

attn_status attn_edit_join(const char *first, const char *second, char **out, attn_error *error) {
    attn_buffer joined = {0};
    attn_buffer_text(&joined, first);
    attn_buffer_text(&joined, sets_no_space(first) ? "" : " ");
    attn_buffer_text(&joined, second);
    return attn_buffer_take(&joined, out, error);
}
