/* show/numbers_json.c: base64 (RFC 4648) over numbers. */
#include "show/numbers_json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/narrow.h"

/* The bytes of the numbers, one after another: width 4 for float32, 2 for bfloat16. */
typedef struct numbers {
    const double *doubles;
    const attn_real *reals;
    int64_t count;
    int width;
} numbers;

static uint32_t bits_of(const numbers *n, int64_t i) {
    float value = n->doubles != NULL ? (float)n->doubles[i] : (float)n->reals[i];
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return n->width == 2 ? bits >> 16 : bits;
}

static unsigned byte_of(const numbers *n, int64_t at) {
    return bits_of(n, at / n->width) >> (8 * (at % n->width)) & 0xFF;
}

static json_t *encode(const numbers *n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int64_t bytes = n->count * n->width;
    size_t length = (size_t)((bytes + 2) / 3 * 4);
    char *text = malloc(length + 1), *to = text;
    for (int64_t i = 0; text != NULL && i < bytes; i += 3) {
        unsigned three = byte_of(n, i) << 16;
        three |= i + 1 < bytes ? byte_of(n, i + 1) << 8 : 0;
        three |= i + 2 < bytes ? byte_of(n, i + 2) : 0;
        *to++ = digits[three >> 18];
        *to++ = digits[three >> 12 & 63];
        *to++ = digits[three >> 6 & 63];
        *to++ = digits[three & 63];
        to[-1] = i + 2 < bytes ? to[-1] : '=';
        to[-2] = i + 1 < bytes ? to[-2] : '=';
    }
    json_t *string = text != NULL ? json_stringn_nocheck(text, length) : NULL;
    free(text);
    return string;
}

json_t *attn_json_packed(const double *values, int64_t count) {
    return encode(&(numbers){.doubles = values, .count = count, .width = 4});
}

json_t *attn_json_packed_reals(const attn_real *values, int64_t count) {
    return encode(&(numbers){.reals = values, .count = count, .width = 4});
}

json_t *attn_json_packed_weights(const attn_real *values, int64_t count) {
    numbers n = {.reals = values, .count = count, .width = 4};
    bool short_ones = true;
    for (int64_t i = 0; i < count && short_ones; i++) {
        short_ones = (bits_of(&n, i) & 0xFFFF) == 0;
    }
    n.width = short_ones ? 2 : 4;
    return json_pack("{s:s, s:o}", "type", short_ones ? "bf16" : "f32", "data", encode(&n));
}
