/* text/elision.c: setting elisions apart, and joining them; see elision.h. */
#include "text/elision.h"

#include <string.h>

#include "base/utf8.h"

/* Whether the code point that begins with this byte is a letter: ASCII, or of two bytes past the signs
 * of Latin-1 (Latin, Greek, Cyrillic, Hebrew, Arabic), which are all but a few letters. */
static bool is_letter(unsigned char first) {
    return (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') ||
           (first >= 0xC3 && first <= 0xDF);
}

static bool is_continuation(unsigned char byte) {
    return (byte & 0xC0) == 0x80;
}

static unsigned char lower(unsigned char byte) {
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + 'a' - 'A') : byte;
}

static bool same_word(const char *a, const char *b, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (lower((unsigned char)a[i]) != lower((unsigned char)b[i])) {
            return false;
        }
    }
    return true;
}

static bool is_listed(const char *elisions, const char *word, size_t length) {
    while (length > 0 && *elisions != '\0') {
        size_t size = strcspn(elisions, " ");
        if (size == length && same_word(elisions, word, length)) {
            return true;
        }
        elisions += size + (elisions[size] == ' ');
    }
    return false;
}

/* Bytes of the apostrophe at the start of the text; 0: there is none. */
static size_t apostrophe(const char *text, size_t left) {
    static const char TYPOGRAPHIC[] = "\xe2\x80\x99";
    if (left >= 1 && text[0] == '\'') {
        return 1;
    }
    return left >= 3 && memcmp(text, TYPOGRAPHIC, 3) == 0 ? 3 : 0;
}

/* Whether the word that ends before `end` is an elision: the letters back to what is no letter. */
static bool ends_elision(const char *elisions, const char *text, size_t end) {
    size_t start = end;
    while (start > 0) {
        size_t at = start - 1;
        while (at > 0 && is_continuation((unsigned char)text[at])) {
            at--;
        }
        if (!is_letter((unsigned char)text[at])) {
            break;
        }
        start = at;
    }
    bool after_digit = start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9';
    return !after_digit && is_listed(elisions, text + start, end - start);
}

bool attn_elisions_valid(const char *elisions) {
    bool in_word = false;
    for (const char *at = elisions; *at != '\0'; at++) {
        bool letter =
            is_letter((unsigned char)*at) || (in_word && is_continuation((unsigned char)*at));
        if (!letter && !(*at == ' ' && in_word && at[1] != '\0')) {
            return false;
        }
        in_word = letter;
    }
    return attn_utf8_whole(elisions, strlen(elisions));
}

size_t attn_elisions_split(const char *elisions, const char *text, size_t length, char *out) {
    size_t size = 0;
    for (size_t i = 0; i < length;) {
        size_t mark = apostrophe(text + i, length - i), next = i + mark;
        if (mark == 0) {
            out[size++] = text[i++];
            continue;
        }
        memcpy(out + size, text + i, mark);
        size += mark;
        if (next < length && is_letter((unsigned char)text[next]) &&
            ends_elision(elisions, text, i)) {
            out[size++] = ' ';
        }
        i = next;
    }
    return size;
}

/* What has been joined already is text[0 .. size); the words before an apostrophe are looked for there. */
size_t attn_elisions_join(const char *elisions, char *text, size_t length) {
    size_t size = 0;
    for (size_t i = 0; i < length;) {
        size_t mark = apostrophe(text + i, length - i), next = i + mark;
        if (mark == 0) {
            text[size++] = text[i++];
            continue;
        }
        bool joins = next + 1 < length && text[next] == ' ' &&
                     is_letter((unsigned char)text[next + 1]) && ends_elision(elisions, text, size);
        memmove(text + size, text + i, mark);
        size += mark;
        i = joins ? next + 1 : next;
    }
    return size;
}
