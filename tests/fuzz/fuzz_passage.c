/* Any text, and any translations of its parts: no number and no placeholder is lost, doubled or made up, and a page's
 * tags all come out. The first byte chooses HTML, the vocabulary and how the rest is cut: up to a NUL the text,
 * behind it what is mixed into translations. Built with clang -fsanitize=fuzzer, or with replay.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/rule_lines.h"
#include "text/passage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A vocabulary without digits and with few signs. */
static size_t few_signs(const void *context, const char *text, size_t length, bool *failed) {
    (void)failed;
    (void)context;
    for (size_t i = 0; i < length; i++) {
        bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'T');
        if (!letter && (text[i] == '\0' || strchr(" .,!?'", text[i]) == NULL)) {
            return 0;
        }
    }
    return 1;
}

/* A unit's translation: itself, or what the input says, or both, whole or cut short. */
static char *translate(const char *unit, const char *other, unsigned how) {
    size_t length = strlen(unit), more = strlen(other);
    char *out = malloc(2 * (length + more) + 2);
    out[0] = '\0';
    strcat(out, (how & 1) != 0 ? other : "");
    strcat(out, (how & 2) != 0 ? unit : "");
    strcat(out, (how & 4) != 0 ? other : "");
    strcat(out, (how & 8) != 0 ? unit : "");
    return out;
}

static void check(const char *text, const char *out, bool html) {
    char *before = rule_digits(text), *after = rule_digits(out);
    bool lost = rule_count(text, "{name}") > rule_count(out, "{name}");
    lost = lost || rule_count(text, "\xf0\x9f\x90\xb6") > rule_count(out, "\xf0\x9f\x90\xb6");
    /* A page may write a character as a number, and a number in words may become one in digits. */
    bool exact = !html && rule_count(text, "three") + rule_count(text, "seven") == 0;
    lost = lost || (exact && strcmp(before, after) != 0);
    if (lost || !attn_utf8_whole(out, strlen(out))) {
        fprintf(stderr, "%s\n->\n%s\n", text, out);
        abort();
    }
    free(before);
    free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > RULE_LINE_SIZE / 2) {
        return 0;
    }
    attn_passage_options options = {.language = "en", .target = (data[0] & 1) != 0 ? "fr" : NULL};
    options.html = options.attributes = (data[0] & 2) != 0;
    options.vocabulary.pieces = (data[0] & 4) != 0 ? few_signs : NULL;
    unsigned how = data[0] >> 3U;
    char *text = calloc(size + 1, 1), *out = NULL;
    memcpy(text, data + 1, size - 1);
    const char *other = strlen(text) + 2 < size ? text + strlen(text) + 1 : "";
    attn_passage *passage;
    if (!attn_utf8_whole(other, strlen(other)) ||
        attn_passage_parse(text, strlen(text), &options, &passage, NULL) != ATTN_OK) {
        free(text);
        return 0;
    }
    size_t count = attn_passage_unit_count(passage);
    char **answers = calloc(count + 1, sizeof *answers);
    bool *needed = calloc(count + 1, sizeof *needed);
    for (size_t missing = 1; missing > 0;) {
        if (attn_passage_needed(passage, (const char *const *)answers, needed, &missing, NULL) !=
            ATTN_OK) {
            abort();
        }
        for (size_t i = 0; i < count; i++) {
            answers[i] =
                needed[i] ? translate(attn_passage_unit(passage, i), other, how) : answers[i];
        }
    }
    if (attn_passage_join(passage, (const char *const *)answers, NULL, NULL, &out, NULL) !=
        ATTN_OK) {
        abort();
    }
    check(text, out, options.html);
    free(out);
    for (size_t i = 0; i < count; i++) {
        free(answers[i]);
    }
    free(answers);
    free(needed);
    attn_passage_free(passage);
    free(text);
    return 0;
}
