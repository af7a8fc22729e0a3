/* Lines made by rule: what people write around the words. The same number gives the same line everywhere.
 *
 * RULE_LINES of them hold numbers, names, dates, units, capitals, small letters, typing errors, emoji,
 * markup, single words, long lines, several sentences, addresses and code. */
#ifndef ATTN_TESTS_SUPPORT_RULE_LINES_H
#define ATTN_TESTS_SUPPORT_RULE_LINES_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { RULE_LINES = 300, RULE_LINE_SIZE = 2000 };

typedef struct rule_maker {
    attn_random random;
    char *out;
    size_t length;
} rule_maker;

static inline size_t rule_pick(rule_maker *m, size_t count) {
    return (size_t)attn_random_below(&m->random, (uint64_t)count);
}

static inline void rule_add(rule_maker *m, const char *text) {
    m->length += (size_t)snprintf(m->out + m->length, RULE_LINE_SIZE - m->length, "%s", text);
}

#define RULE_ONE(m, ...)                                                                           \
    do {                                                                                           \
        static const char *const list_[] = {__VA_ARGS__};                                          \
        rule_add(m, list_[rule_pick(m, sizeof list_ / sizeof list_[0])]);                          \
    } while (0)

static inline void rule_number(rule_maker *m) {
    char text[64];
    unsigned a = (unsigned)rule_pick(m, 10000), b = (unsigned)rule_pick(m, 100);
    switch (rule_pick(m, 16)) {
    case 0:
        snprintf(text, sizeof text, "%u", b);
        break;
    case 1:
        snprintf(text, sizeof text, "%u.%02u", a, b);
        break;
    case 2:
        snprintf(text, sizeof text, "1,%03u", a % 1000);
        break;
    case 3:
        snprintf(text, sizeof text, "%u:%02u", b % 24, a % 60);
        break;
    case 4:
        snprintf(text, sizeof text, "20%02u-%02u-%02u", b, 1 + a % 12, 1 + a % 28);
        break;
    case 5:
        snprintf(text, sizeof text, "$%u", a);
        break;
    case 6:
        snprintf(text, sizeof text, "%u %%", b);
        break;
    case 7:
        snprintf(text, sizeof text, "%u\xe2\x82\xac", b);
        break;
    case 8:
        snprintf(text, sizeof text, "%uth", b);
        break;
    case 9:
        snprintf(text, sizeof text, "%u kg", b);
        break;
    case 10:
        snprintf(text, sizeof text, "+33 6 %02u %02u", b, a % 100);
        break;
    case 11:
        snprintf(text, sizeof text, "v%u.%u.%u", b % 10, a % 10, a % 7);
        break;
    case 12:
        snprintf(text, sizeof text, "%u/%u", b, 1 + a % 31);
        break;
    case 13:
        snprintf(text, sizeof text,
                 "-%u\xc2\xb0"
                 "C",
                 b);
        break;
    case 14:
        snprintf(text, sizeof text, "%u", 1900 + b);
        break;
    default:
        snprintf(text, sizeof text, "COVID-%u", b);
    }
    rule_add(m, text);
}

static inline void rule_thing(rule_maker *m) {
    RULE_ONE(m, "cats", "apples", "new messages", "people", "red cars", "days", "books",
             "old friends");
}

static inline void rule_code(rule_maker *m) {
    RULE_ONE(m, "me@example.com", "http://a.org/x?y=2", "#music", "@tom_s", "{name}", "{{count}}",
             "%s", "%1$d", "${x}", "readme.txt", "/usr/bin", "foo_bar()", "`ls -l`", "__ID__",
             "<0>", ":user", "A4", "www.b.net", "[name]", "%(n)s");
}

static inline void rule_emoji(rule_maker *m) {
    RULE_ONE(m, "\xf0\x9f\x90\xb6", "\xf0\x9f\x98\x80", "\xe2\x9d\xa4\xef\xb8\x8f",
             "\xf0\x9f\x87\xab\xf0\x9f\x87\xb7", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
             "\xe2\x98\x95");
}

static inline void rule_clause(rule_maker *m) {
    RULE_ONE(m, "I have ", "She bought ", "He saw ", "They need ", "we wanted ", "There are ",
             "You lost ");
    if (rule_pick(m, 2) == 0) {
        rule_number(m);
        rule_add(m, " ");
    }
    rule_thing(m);
    if (rule_pick(m, 3) == 0) {
        RULE_ONE(m, " in ", " at ", " since ", " before ", " for ");
        rule_number(m);
    }
    if (rule_pick(m, 4) == 0) {
        RULE_ONE(m, " with ", " and ", " from ");
        rule_code(m);
    }
    if (rule_pick(m, 6) == 0) {
        rule_add(m, " ");
        rule_emoji(m);
    }
}

static inline void rule_sentence(rule_maker *m) {
    rule_clause(m);
    RULE_ONE(m, ".", ".", "!", "?", "", "...", ";");
}

/* Changes letters of what was made from `start` on, not those of a code. */
static inline void rule_case(rule_maker *m, size_t start, int (*change)(int)) {
    for (size_t i = start; i < m->length; i++) {
        m->out[i] = (char)change((unsigned char)m->out[i]);
    }
}

static inline void rule_line(int number, char out[RULE_LINE_SIZE]) {
    rule_maker maker = {.random = attn_random_start((uint64_t)number + 1000), .out = out};
    rule_maker *m = &maker;
    out[0] = '\0';
    switch (number % 15) {
    case 0:
        rule_add(m, "Call ");
        rule_number(m);
        rule_add(m, ".");
        break;
    case 1:
        rule_clause(m);
        rule_case(m, 0, toupper);
        break;
    case 2:
        rule_sentence(m);
        rule_case(m, 0, tolower);
        break;
    case 3:
        RULE_ONE(m, "dog", "Hello", "Monday", "SETTINGS", "12", "Total", "STOP", "100 %", "house");
        break;
    case 4:
        rule_sentence(m);
        rule_add(m, " ");
        rule_sentence(m);
        break;
    case 5: /* no space between */
        rule_clause(m);
        rule_add(m, ".She has ");
        rule_number(m);
        rule_add(m, " dogs.");
        break;
    case 6:
        for (int i = 0; i < 8; i++) {
            rule_add(m, i > 0 ? ", and " : "");
            rule_clause(m);
        }
        rule_add(m, ".");
        break;
    case 7:
        RULE_ONE(m, "- ", "* ", "1. ", "a) ", "> ", "\xe2\x80\xa2 ");
        rule_sentence(m);
        break;
    case 8:
        rule_add(m, "Send it to ");
        rule_code(m);
        rule_add(m, " and ");
        rule_code(m);
        rule_add(m, ", please.");
        break;
    case 9:
        rule_emoji(m);
        rule_add(m, " ");
        rule_clause(m);
        rule_emoji(m);
        break;
    case 10:
        rule_number(m);
        rule_add(m, " + ");
        rule_number(m);
        rule_add(m, " = ");
        rule_number(m);
        RULE_ONE(m, "", " is wrong.", ", I think");
        break;
    case 11:
        RULE_ONE(m, "I hvae ", "teh ", "he recieved ", "\xe4\xbd\xa0\xe5\xa5\xbd ",
                 "\xd0\x9f\xd1\x80\xd0\xb8 ");
        rule_number(m);
        rule_add(m, " ");
        rule_thing(m);
        break;
    case 12:
        rule_add(m, "Room ");
        rule_number(m);
        rule_add(m, ", ");
        rule_number(m);
        rule_add(m, " Main Street, Springfield");
        break;
    case 13:
        rule_add(m, "Tom, Mary and John of Boston met Kate in ");
        rule_number(m);
        rule_add(m, " (with ");
        rule_number(m);
        rule_add(m, " others).");
        break;
    default:
        rule_add(m, "if (x == ");
        rule_number(m);
        rule_add(m, ") { return ");
        rule_number(m);
        rule_add(m, "; }");
    }
}

/* ---- what must not change ---- */

static inline int rule_by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The runs of digits of a text, sorted, with a space behind each; malloc'ed. */
static inline char *rule_digits(const char *text) {
    char *runs[RULE_LINE_SIZE], *out = calloc(2 * strlen(text) + 1, 1);
    size_t count = 0;
    while (out != NULL && *text != '\0') {
        size_t length = strspn(text, "0123456789");
        if (length > 0) {
            runs[count++] = strndup(text, length);
        }
        text += length > 0 ? length : 1;
    }
    qsort(runs, count, sizeof *runs, rule_by_text);
    for (size_t i = 0; i < count; i++) {
        strcat(strcat(out, runs[i]), " ");
        free(runs[i]);
    }
    return out;
}

static inline size_t rule_count(const char *text, const char *part) {
    size_t count = 0, size = strlen(part), length = strlen(text);
    for (size_t at = 0; at + size <= length; at++) {
        count += memcmp(text + at, part, size) == 0;
    }
    return count;
}

/* The first part of the source that the result has more or less often; NULL when all is there. */
static inline const char *rule_lost(const char *source, const char *result) {
    static const char *const parts[] = {"me@example.com",
                                        "http://a.org/x?y=2",
                                        "#music",
                                        "@tom_s",
                                        "{name}",
                                        "{{count}}",
                                        "%s",
                                        "%1$d",
                                        "${x}",
                                        "readme.txt",
                                        "/usr/bin",
                                        "foo_bar()",
                                        "`ls -l`",
                                        "__ID__",
                                        "<0>",
                                        ":user",
                                        "A4",
                                        "www.b.net",
                                        "[name]",
                                        "%(n)s",
                                        "\xf0\x9f\x90\xb6",
                                        "\xf0\x9f\x98\x80",
                                        "\xe2\x9d\xa4\xef\xb8\x8f",
                                        "\xf0\x9f\x87\xab\xf0\x9f\x87\xb7",
                                        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
                                        "\xe2\x98\x95",
                                        "\xe4\xbd\xa0\xe5\xa5\xbd",
                                        "\xd0\x9f\xd1\x80\xd0\xb8",
                                        "\xe2\x80\xa2 ",
                                        "\xe2\x82\xac",
                                        "$",
                                        ("\xc2\xb0"
                                         "C"),
                                        "COVID-"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (rule_count(source, parts[i]) != rule_count(result, parts[i])) {
            return parts[i];
        }
    }
    char *before = rule_digits(source), *after = rule_digits(result);
    bool same = strcmp(before, after) == 0;
    free(before);
    free(after);
    return same ? NULL : "a number";
}

#endif
