/* text/score_text.c: code points, white space and case as Python sees them. */
#include "base/utf8.h"
#include "text/score_parts.h"

void attn_buffer_code_point(attn_buffer *text, uint32_t c) {
    char bytes[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    bytes[0] = (char)(lead[length] | c);
    attn_buffer_add(text, bytes, length);
}

uint32_t attn_code_point(const char *text, size_t left, size_t *length) {
    size_t step = attn_utf8_step(text, left);
    if (step == 0) {
        *length = 1;
        return 0xFFFD;
    }
    *length = step;
    unsigned char first = (unsigned char)text[0];
    uint32_t c = step == 1 ? first : first & (0xFFU >> (step + 1));
    for (size_t i = 1; i < step; i++) {
        c = c << 6 | ((unsigned char)text[i] & 0x3F);
    }
    return c;
}

bool attn_is_space(uint32_t c) {
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

size_t attn_text_rstrip(const char *text, size_t length) {
    while (length > 0) {
        size_t start = length - 1, step;
        while (start > 0 && length - start < 4 && ((unsigned char)text[start] & 0xC0) == 0x80) {
            start--;
        }
        uint32_t c = attn_code_point(text + start, length - start, &step);
        if (start + step != length || !attn_is_space(c)) {
            return length;
        }
        length = start;
    }
    return 0;
}

/* ---- lower case ---- */

/* For Latin, Greek and Cyrillic: all that stands next to a sigma outside of puzzles. */
static bool is_cased(uint32_t c) {
    return attn_lowercase(c) != c || (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0x24F) ||
           (c >= 0x3AC && c <= 0x3FF) || (c >= 0x430 && c <= 0x52F) || (c >= 0x1F00 && c <= 0x1FFF);
}

/* What a word may hold besides letters: apostrophes, stops, combining marks, joiners. */
static bool is_case_ignorable(uint32_t c) {
    return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xA8 || c == 0xAD ||
           c == 0xAF || c == 0xB4 || c == 0xB7 || c == 0xB8 || c == 0x2018 || c == 0x2019 ||
           (c >= 0x300 && c <= 0x36F) || (c >= 0x1DC0 && c <= 0x1DFF) ||
           (c >= 0x200B && c <= 0x200F) || (c >= 0x20D0 && c <= 0x20F0) ||
           (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xFE20 && c <= 0xFE2F) || c == 0xFEFF;
}

/* A capital sigma at the end of a word becomes the final form. `cased_before`: the letter before
 * it has case. */
static bool is_final_sigma(const char *after, size_t left, bool cased_before) {
    size_t step;
    for (size_t i = 0; i < left; i += step) {
        uint32_t c = attn_code_point(after + i, left - i, &step);
        if (!is_case_ignorable(c)) {
            return cased_before && !is_cased(c);
        }
    }
    return cased_before;
}

void attn_text_lower(const char *text, size_t length, attn_buffer *out) {
    enum { CAPITAL_SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2, I_WITH_DOT = 0x130, DOT_ABOVE = 0x307 };
    bool cased_before = false;
    size_t step;
    for (size_t i = 0; i < length; i += step) {
        uint32_t c = attn_code_point(text + i, length - i, &step);
        uint32_t lower = attn_lowercase(c);
        if (c == CAPITAL_SIGMA &&
            is_final_sigma(text + i + step, length - i - step, cased_before)) {
            lower = FINAL_SIGMA;
        }
        if (c == I_WITH_DOT) { /* the one letter whose lower case is two code points */
            attn_buffer_code_point(out, 'i');
            attn_buffer_code_point(out, DOT_ABOVE);
        } else {
            attn_buffer_code_point(out, lower);
        }
        cased_before = is_case_ignorable(c) ? cased_before : is_cased(c);
    }
}
