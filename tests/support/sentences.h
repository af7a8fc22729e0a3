/* Small generated parallel text for tests: no outside data, and large enough that a vocabulary of
 * some hundred pieces can be trained on it. */
#ifndef TESTS_SUPPORT_SENTENCES_H
#define TESTS_SUPPORT_SENTENCES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const sentence_noun[] = {"cat",   "house", "river",    "engine", "letter",
                                            "child", "table", "mountain", "song",   "window"};
static const char *const sentence_verb[] = {"sees",   "finds",   "carries",
                                            "paints", "forgets", "likes"};

/* Writes the text to a new file in /tmp; the caller unlinks it. */
static inline void sentences_write(char path[64], const char *text, size_t size) {
    strcpy(path, "/tmp/attn-test-XXXXXX");
    int descriptor = mkstemp(path);
    if (descriptor < 0 || write(descriptor, text, size) != (ssize_t)size) {
        abort();
    }
    close(descriptor);
}

/* 600 lines; language 1 says the same as language 0 in other words and order. */
static inline void sentences_generate(char path[64], int language) {
    static char text[600 * 96];
    size_t used = 0;
    for (int i = 0; i < 600; i++) {
        const char *subject = sentence_noun[i % 10], *object = sentence_noun[i / 10 % 10];
        const char *verb = sentence_verb[i / 100];
        const char *format = language == 0 ? "The %s %s the %s, number %d.\n"
                                           : "%s-o %s-u l\xc3\xa0 %s n\xc2\xba %d!\n";
        used += (size_t)snprintf(text + used, sizeof text - used, format, subject, verb, object, i);
    }
    sentences_write(path, text, used);
}

#endif
