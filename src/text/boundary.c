/* text/boundary.c: by the properties that Unicode gives the characters on both sides. */
#include "text/boundary.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

static bool joined(UChar32 a, UChar32 b) {
    return u_isalnum(a) && u_isalnum(b) &&
           u_getIntPropertyValue(a, UCHAR_LINE_BREAK) != U_LB_IDEOGRAPHIC &&
           u_getIntPropertyValue(b, UCHAR_LINE_BREAK) != U_LB_IDEOGRAPHIC;
}

bool attn_inside_word(const char *text, size_t length, size_t at) {
    if (at == 0 || at >= length) {
        return false;
    }
    UChar32 before, after;
    int32_t back = (int32_t)at;
    size_t ahead = at;
    U8_PREV(text, 0, back, before);
    U8_NEXT(text, ahead, length, after);
    return joined(before, after);
}
