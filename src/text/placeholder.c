/* text/placeholder.c: finding templates, printf conversions and addresses. ASCII rules on UTF-8. */
#include "text/placeholder.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

/* A template longer than this is prose in braces. */
enum { LONGEST_TEMPLATE = 100 };

typedef struct cursor {
    const char *text;
    size_t length;
} cursor;

/* NUL past the end. */
static unsigned char peek(cursor c, size_t at) {
    return at < c.length ? (unsigned char)c.text[at] : 0;
}

static bool is_one_of(const char *set, unsigned char byte) {
    return byte != 0 && strchr(set, byte) != NULL;
}

static bool is_digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(unsigned char c) {
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_word(unsigned char c) {
    return is_letter(c) || is_digit(c) || c == '_';
}

/* {{ anything }} */
static size_t double_braces(cursor c, size_t at) {
    for (size_t i = at + 2; i < at + LONGEST_TEMPLATE && i < c.length; i++) {
        if (peek(c, i) == '\n') {
            return 0;
        }
        if (peek(c, i) == '}' && peek(c, i + 1) == '}') {
            return i + 2 - at;
        }
    }
    return 0;
}

/* {no_space}; with `spaces` also { x } */
static size_t braces(cursor c, size_t at, bool spaces) {
    for (size_t i = at + 1; i < at + LONGEST_TEMPLATE && i < c.length; i++) {
        unsigned char byte = peek(c, i);
        if (byte == '}') {
            return i + 1 - at;
        }
        if (byte == '{' || byte < ' ' || (byte == ' ' && !spaces)) {
            return 0;
        }
    }
    return 0;
}

/* %[position$][flags][width][.precision][length]conversion */
static size_t printf_conversion(cursor c, size_t at) {
    if (at > 0 && is_digit(peek(c, at - 1))) {
        return 0; /* "50%discount" is a number */
    }
    size_t i = at + 1;
    if (peek(c, i) == '%') {
        return 2;
    }
    if (peek(c, i) == '(') { /* %(name)s */
        while (peek(c, i) > ' ' && peek(c, i) != ')' && i < at + LONGEST_TEMPLATE) {
            i++;
        }
        if (peek(c, i) != ')') {
            return 0;
        }
        i++;
    }
    while (is_one_of("-+#0'", peek(c, i))) {
        i++;
    }
    while (is_digit(peek(c, i)) || is_one_of(".*$", peek(c, i))) {
        i++;
    }
    while (is_one_of("hlqjzt", peek(c, i))) {
        i++;
    }
    unsigned char conversion = peek(c, i);
    if (i > at + LONGEST_TEMPLATE || conversion == 0) {
        return 0;
    }
    if (is_one_of("sdiuf@", conversion)) { /* these are met before letters: "%dpx" */
        return i + 1 - at;
    }
    bool known = is_one_of("oxXeEgGaAcp", conversion);
    return known && !is_letter(peek(c, i + 1)) ? i + 1 - at : 0;
}

static bool begins(cursor c, size_t at, const char *word) {
    size_t length = strlen(word);
    return c.length - at >= length && strncasecmp(c.text + at, word, length) == 0;
}

/* An address, without the punctuation that belongs to the sentence around it. */
static size_t address(cursor c, size_t at) {
    static const char *const schemes[] = {"http://", "https://", "ftp://", "mailto:", "www."};
    size_t head = 0;
    for (size_t s = 0; s < sizeof schemes / sizeof schemes[0] && head == 0; s++) {
        head = begins(c, at, schemes[s]) ? strlen(schemes[s]) : 0;
    }
    if (head == 0) {
        return 0;
    }
    size_t end = at + head, open = 0;
    /* Bytes above 0x7f may be letters of an address or the punctuation of Chinese: they end it. */
    while (peek(c, end) > ' ' && peek(c, end) < 0x7f && strchr("<>\"", peek(c, end)) == NULL) {
        open += strchr("([{", peek(c, end)) != NULL;
        end++;
    }
    while (end > at + head) {
        unsigned char last = peek(c, end - 1);
        if (strchr(".,;:!?'*_", last) == NULL && !(strchr(")]}", last) != NULL && open == 0)) {
            break;
        }
        end--;
    }
    return end > at + head ? end - at : 0;
}

static bool is_mail_local(unsigned char c) {
    return is_letter(c) || is_digit(c) || (c != 0 && strchr("._%+-", c) != NULL);
}

static size_t mail(cursor c, size_t at) {
    if (at > 0 && is_mail_local(peek(c, at - 1))) {
        return 0;
    }
    size_t i = at;
    while (is_mail_local(peek(c, i))) {
        i++;
    }
    if (i == at || peek(c, i) != '@') {
        return 0;
    }
    size_t host = ++i, dot = 0;
    while (is_letter(peek(c, i)) || is_digit(peek(c, i)) || peek(c, i) == '-' ||
           peek(c, i) == '.') {
        dot = peek(c, i) == '.' && is_letter(peek(c, i + 1)) ? i : dot;
        i++;
    }
    while (i > host && (peek(c, i - 1) == '.' || peek(c, i - 1) == '-')) {
        i--;
    }
    return dot > host && i > dot + 2 ? i - at : 0;
}

/* {count, plural, one {# message} other {# messages}}: its braces are in pairs. */
static size_t message_format(cursor c, size_t at) {
    enum { LONGEST_MESSAGE = 2000 };
    static const char *const kinds[] = {"plural", "select", "selectordinal",
                                        "number", "date",   "time"};
    size_t i = at + 1, depth = 1;
    while (is_word(peek(c, i))) {
        i++;
    }
    if (i == at + 1 || peek(c, i) != ',') {
        return 0;
    }
    for (i++; peek(c, i) == ' '; i++) {
    }
    bool known = false;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0] && i < c.length; k++) {
        size_t length = strlen(kinds[k]);
        known = known || (begins(c, i, kinds[k]) && !is_word(peek(c, i + length)));
    }
    for (; known && i < c.length && i < at + LONGEST_MESSAGE; i++) {
        depth += peek(c, i) == '{';
        depth -= peek(c, i) == '}';
        if (depth == 0) {
            return i + 1 - at;
        }
    }
    return 0;
}

/* A word between two marks of `size` equal bytes: __x__, %x%. */
static size_t framed(cursor c, size_t at, size_t size) {
    size_t i = at + size;
    while (is_word(peek(c, i)) && !(size == 2 && peek(c, i) == '_' && peek(c, i + 1) == '_')) {
        i++;
    }
    bool closed = i > at + size;
    for (size_t k = 0; k < size; k++) {
        closed = closed && peek(c, i + k) == peek(c, at);
    }
    return closed ? i + size - at : 0;
}

/* A sign before a word: $x :x @user. The point of "@a.b" belongs to it, one behind it does not. */
static size_t signed_word(cursor c, size_t at, const char *also) {
    size_t i = at + 1;
    if (!is_letter(peek(c, i)) && peek(c, i) != '_') {
        return 0;
    }
    while (is_word(peek(c, i)) || (is_one_of(also, peek(c, i)) && is_word(peek(c, i + 1)))) {
        i++;
    }
    return peek(c, i) < 0x80 ? i - at : 0;
}

/* #12, #word in letters of any script. */
static size_t hash_tag(cursor c, size_t at) {
    size_t end = at + 1;
    for (size_t next = end; next < c.length; end = next) {
        UChar32 found;
        U8_NEXT(c.text, next, c.length, found);
        if (!u_isalnum(found) && found != '_' && (U_GET_GC_MASK(found) & U_GC_M_MASK) == 0) {
            break;
        }
    }
    return end > at + 1 ? end - at : 0;
}

/* [name], but not the text of a link. */
static size_t brackets(cursor c, size_t at) {
    size_t i = at + 1;
    while (is_word(peek(c, i)) || is_one_of("[]%.:-", peek(c, i))) {
        if (peek(c, i) == ']') {
            break;
        }
        i++;
    }
    size_t open = peek(c, at + 1) == '[' ? 2 : 1;
    for (size_t k = 0; k < open; k++) {
        if (peek(c, i + k) != ']') {
            return 0;
        }
    }
    i += open;
    return i > at + 2 * open && peek(c, i) != '(' ? i - at : 0;
}

/* <0> </0> <br/> <a href="x"> <%= x %>, in what is plain text. */
static size_t angle_brackets(cursor c, size_t at) {
    enum { LONGEST_TAG = 500 };
    size_t i = at + 1;
    bool code = peek(c, i) == '%' || peek(c, i) == '?';
    i += code || peek(c, i) == '/';
    if (!code && !is_word(peek(c, i))) {
        return 0;
    }
    while (!code && (is_word(peek(c, i)) || is_one_of(":-.", peek(c, i)))) {
        i++;
    }
    bool attributes = false;
    if (!code && peek(c, i) != '>' && peek(c, i) != '/' && peek(c, i) != ' ') {
        return 0;
    }
    for (; i < c.length && i < at + LONGEST_TAG; i++) {
        unsigned char byte = peek(c, i);
        attributes = attributes || byte == '=';
        if (byte == '<' || byte < ' ') {
            return 0;
        }
        if (byte == '>') {
            bool bare = memchr(c.text + at, ' ', i - at) == NULL || peek(c, i - 1) == '/';
            return code || attributes || bare ? i + 1 - at : 0;
        }
    }
    return 0;
}

static size_t in_braces(cursor c, size_t at) {
    size_t found = peek(c, at + 1) == '{' ? double_braces(c, at) : 0;
    found = found > 0 ? found : braces(c, at, false);
    return found > 0 ? found : message_format(c, at);
}

static size_t with_sign(cursor c, size_t at, unsigned char first, bool inside_word) {
    size_t found = 0;
    if ((first == '$' || first == '%' || first == '#') && peek(c, at + 1) == '{') {
        found = braces(c, at + 1, true);
        return found > 0 ? found + 1 : 0;
    }
    if (first == '%') {
        found = framed(c, at, 1);
        return found > 0 ? found : printf_conversion(c, at);
    }
    if (inside_word) {
        return 0;
    }
    switch (first) {
    case '$':
        return signed_word(c, at, "");
    case '@':
        return signed_word(c, at, "._-");
    case ':':
        return signed_word(c, at, "-");
    case '#':
        return hash_tag(c, at);
    case '_':
        return peek(c, at + 1) == '_' ? framed(c, at, 2) : 0;
    default:
        return 0;
    }
}

size_t attn_placeholder_at(const char *text, size_t length, size_t at) {
    cursor c = {text, length};
    size_t found = 0;
    unsigned char first = peek(c, at);
    unsigned char last = at > 0 ? peek(c, at - 1) : 0;
    bool inside_word = is_letter(last) || is_digit(last) || last >= 0x80;
    switch (first) {
    case '{':
        return in_braces(c, at);
    case '[':
        return inside_word ? 0 : brackets(c, at);
    case '<':
        return angle_brackets(c, at);
    case '\\':
        return last != '\\' && is_one_of("ntr\"'\\", peek(c, at + 1)) ? 2 : 0;
    default:
        break;
    }
    if (is_one_of("$%#@:_", first)) {
        found = with_sign(c, at, first, inside_word);
    } else if (!inside_word && is_letter(first)) {
        found = address(c, at);
    }
    return found > 0 ? found : is_mail_local(first) ? mail(c, at) : 0;
}
