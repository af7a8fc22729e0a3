/* base/utf8.c: strict UTF-8, as the Unicode standard's table 3-7 has it. */
#include "base/utf8.h"

#include <string.h>

size_t attn_utf8_step(const char *text, size_t left) {
    const unsigned char *s = (const unsigned char *)text;
    if (left == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || left < length) {
        return 0;
    }
    /* The second byte's range is narrower after these four, against overlong forms, surrogates and
     * values past the last code point. */
    unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

size_t attn_utf8_prefix(const char *text, size_t length) {
    size_t at = 0, step = 1;
    while (at < length && step != 0) {
        step = attn_utf8_step(text + at, length - at);
        at += step;
    }
    return at;
}

bool attn_utf8_whole(const char *text, size_t length) {
    return attn_utf8_prefix(text, length) == length;
}

static bool is_control(const char *text, size_t step) {
    const unsigned char *s = (const unsigned char *)text;
    return (step == 1 && (s[0] < 0x20 || s[0] == 0x7F)) ||
           (step == 2 && s[0] == 0xC2 && s[1] < 0xA0);
}

const char *attn_utf8_quote(char *buffer, size_t size, const char *text) {
    size_t length = strlen(text);
    size_t used = 0;
    size_t room = size - sizeof "...";
    size_t at = 0;
    while (at < length) {
        size_t step = attn_utf8_step(text + at, length - at);
        bool shown = step != 0 && !is_control(text + at, step);
        size_t width = shown ? step : 1;
        if (used + width > room) {
            memcpy(buffer + used, "...", sizeof "...");
            return buffer;
        }
        memcpy(buffer + used, shown ? text + at : "?", width);
        used += width;
        at += step != 0 ? step : 1;
    }
    buffer[used] = '\0';
    return buffer;
}
