/* text/pieces.c: cutting a long line at the ends of sentences. */
#include "text/pieces.h"

#include <stddef.h>
#include <string.h>

static const char WORD_START[] = "\xe2\x96\x81"; /* how a piece marks the space before it */

static bool starts_word(const attn_tokenizer *tokenizer, int32_t id) {
    return strncmp(attn_tokenizer_piece(tokenizer, id), WORD_START, sizeof WORD_START - 1) == 0;
}

static bool ends_sentence(const attn_tokenizer *tokenizer, int32_t id) {
    static const char *const ends[] = {".", "!", "?", "…", "。", "！", "？", "।"};
    const char *piece = attn_tokenizer_piece(tokenizer, id);
    size_t length = strlen(piece);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t end = strlen(ends[i]);
        if (length >= end && strcmp(piece + length - end, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

int64_t attn_piece_length(const attn_tokenizer *tokenizer, const int32_t *ids, int64_t count,
                          int64_t most, bool *clean) {
    if (count <= most) {
        return count;
    }
    int64_t word = 0;
    for (int64_t length = most; length > 0; length--) {
        bool new_word = starts_word(tokenizer, ids[length]);
        if (new_word && ends_sentence(tokenizer, ids[length - 1])) {
            return length;
        }
        word = word == 0 && new_word ? length : word;
    }
    *clean = false;
    return word > 0 ? word : most;
}
