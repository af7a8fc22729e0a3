/* Any bytes as one of the lists that users write, which the first letter chooses: g a glossary, k API keys, c classes, p pairs
 * of pictures, l lines of text. Refused with a line, or a list that can be used. Built with clang -fsanitize=fuzzer, or with
 * replay.c. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "image/classes.h"
#include "image/pairs.h"
#include "io/lines.h"
#include "serve/keys.h"
#include "support/fuzz_file.h"
#include "text/glossary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_glossary(const char *text, size_t size) {
    attn_glossary *glossary = NULL;
    attn_error error;
    attn_status status = attn_glossary_parse(text, size, "fuzz", &glossary, &error);
    fuzz_require_outcome(status, &error);
    for (size_t at = 0; status == ATTN_OK && at < size; at++) {
        const char *target;
        size_t length = attn_glossary_at(glossary, text, size, at, &target);
        fuzz_require(length <= size - at && (length == 0 || target[0] != '\0'));
    }
    attn_glossary_free(glossary);
}

static void use_keys(const char *text, size_t size) {
    attn_keys *keys = NULL;
    attn_error error;
    char one[129] = "";
    attn_status status = attn_keys_read(fuzz_file(text, size), &keys, &error);
    fuzz_require_outcome(status, &error);
    if (status == ATTN_OK) { /* a line's key is known; with a letter more it is not */
        size_t length = strcspn(text, "\r\n \t");
        memcpy(one, text, length < 128 ? length : 0);
        bool first = length >= 22 && length < 128 && text[0] != '#' && length < size;
        fuzz_require(!first || text[length] == ' ' || text[length] == '\t' ||
                     attn_keys_match(keys, one, NULL));
        fuzz_require(!attn_keys_match(keys, "", NULL));
    }
    attn_keys_free(keys);
}

static void use_classes(const char *text, size_t size) {
    attn_classes classes, again;
    attn_error error;
    attn_status status = attn_classes_parse(text, size, "fuzz", 255, &classes, &error);
    fuzz_require_outcome(status, &error);
    char *printed = status == ATTN_OK ? attn_classes_print(&classes) : NULL;
    if (printed != NULL) {
        fuzz_require(attn_classes_parse(printed, strlen(printed), "again", 255, &again, NULL) ==
                     ATTN_OK);
        fuzz_require(again.count == classes.count);
    }
    attn_free(printed);
}

static void use_pairs(const char *text, size_t size) {
    attn_pairs pairs = {0};
    attn_error error;
    attn_status status = attn_pairs_from_list(fuzz_file(text, size), &pairs, &error);
    fuzz_require_outcome(status, &error);
    attn_pairs_free(&pairs);
}

static void use_lines(const char *text, size_t size) {
    attn_lines lines;
    attn_error error;
    attn_status status = attn_lines_read(fuzz_file(text, size), &lines, &error);
    fuzz_require_outcome(status, &error);
    for (size_t i = 0; status == ATTN_OK && i < lines.count; i++) {
        fuzz_require(lines.length[i] == strlen(lines.line[i]));
        fuzz_require(attn_utf8_whole(lines.line[i], lines.length[i]));
    }
    if (status == ATTN_OK) {
        attn_lines_free(&lines);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    char *text = malloc(size); /* a NUL behind it, as files have in memory */
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0]) {
    case 'g':
        use_glossary(text, size - 1);
        break;
    case 'k':
        use_keys(text, size - 1);
        break;
    case 'c':
        use_classes(text, size - 1);
        break;
    case 'p':
        use_pairs(text, size - 1);
        break;
    default:
        use_lines(text, size - 1);
        break;
    }
    free(text);
    return 0;
}
