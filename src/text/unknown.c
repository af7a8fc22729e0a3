/* text/unknown.c: counting by code point. */
#include "text/unknown.h"

#include "base/fail.h"
#include "base/memory.h"

enum { CODE_POINTS = 0x110000 };

static uint32_t code_point(const char *text, size_t length) {
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t value = (unsigned char)text[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        value = value << 6 | ((unsigned char)text[i] & 0x3F);
    }
    return value;
}

static void write_code_point(uint32_t value, char text[5]) {
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; value >>= 6) {
        text[i] = (char)(0x80 | (value & 0x3F));
    }
    text[0] = (char)(leads[length] | value);
    text[length] = '\0';
}

static void count_one(const char *character, size_t length, void *context) {
    attn_unknown *unknown = context;
    unknown->total++;
    unknown->different += unknown->count[code_point(character, length)]++ == 0;
}

attn_status attn_unknown_add(attn_unknown *unknown, const attn_tokenizer *tokenizer,
                             const char *text, size_t length, const int32_t *ids, size_t id_count,
                             attn_error *error) {
    int32_t unknown_id = attn_tokenizer_special(tokenizer).unk;
    size_t i = 0;
    while (i < id_count && ids[i] != unknown_id && !attn_tokenizer_is_byte(tokenizer, ids[i])) {
        i++;
    }
    if (i == id_count) {
        return ATTN_OK;
    }
    if (unknown->count == NULL) {
        unknown->count = attn_alloc_zero(CODE_POINTS, sizeof *unknown->count);
        if (unknown->count == NULL) {
            return attn_fail_memory(error, CODE_POINTS * sizeof *unknown->count);
        }
    }
    return attn_tokenizer_unknown(tokenizer, text, length, count_one, unknown, error);
}

void attn_unknown_finish(attn_unknown *unknown) {
    for (size_t i = 0; i < ATTN_UNKNOWN_SHOWN && (int64_t)i < unknown->different; i++) {
        uint32_t most = 0;
        for (uint32_t c = 1; c < CODE_POINTS; c++) {
            most = unknown->count[c] > unknown->count[most] ? c : most;
        }
        write_code_point(most, unknown->most[i].text);
        unknown->most[i].count = unknown->count[most];
        unknown->count[most] = 0;
    }
    attn_free(unknown->count);
    unknown->count = NULL;
}
