/* text/tags.c: how pieces that name languages are written. */
#include "text/tags.h"

#include <stdio.h>
#include <string.h>
#include <unicode/uloc.h>

void attn_tag_of_language(const char *code, char piece[ATTN_TAG_SIZE]) {
    snprintf(piece, ATTN_TAG_SIZE, "<2%.18s>", code);
}

/* Two or three small letters, and then nothing or '_'. */
static bool is_code(const char *text, size_t length) {
    size_t letters = 0;
    while (letters < length && text[letters] >= 'a' && text[letters] <= 'z') {
        letters++;
    }
    return letters >= 2 && letters <= 3 && (letters == length || text[letters] == '_');
}

bool attn_language_of_piece(const attn_tokenizer *tokenizer, int32_t id, char code[ATTN_TAG_SIZE]) {
    const char *piece = attn_tokenizer_piece(tokenizer, id);
    size_t length = strlen(piece);
    if (length > 4 && strncmp(piece, "__", 2) == 0 && strcmp(piece + length - 2, "__") == 0) {
        piece += 2;
        length -= 4;
    }
    if (length >= ATTN_TAG_SIZE || !is_code(piece, length) ||
        attn_tags_before(tokenizer, &id, 1) == 0) {
        return false;
    }
    snprintf(code, ATTN_TAG_SIZE, "%.*s", (int)length, piece);
    return true;
}

int32_t attn_tokenizer_language(const attn_tokenizer *tokenizer, const char *code) {
    size_t length = strlen(code), found = 0;
    int32_t begins = -1;
    for (int32_t id = 0; id < attn_tokenizer_size(tokenizer); id++) {
        char named[ATTN_TAG_SIZE];
        if (!attn_language_of_piece(tokenizer, id, named) || strncmp(named, code, length) != 0) {
            continue;
        }
        if (named[length] == '\0') {
            return id;
        }
        if (named[length] == '_') {
            begins = id;
            found++;
        }
    }
    return found == 1 ? begins : -1;
}

void attn_language_short(const char *code, char out[ATTN_TAG_SIZE]) {
    UErrorCode status = U_ZERO_ERROR;
    int32_t length = uloc_getLanguage(code, out, ATTN_TAG_SIZE, &status);
    if (U_FAILURE(status) || length < 2 || length >= ATTN_TAG_SIZE) {
        snprintf(out, ATTN_TAG_SIZE, "%s", code);
    }
}
