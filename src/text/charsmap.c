/* text/charsmap.c: bounds of the normalization table inside a SentencePiece model.
 *
 * Layout: ModelProto has the fields 3 normalizer_spec and 5 denormalizer_spec; field 2 of either is
 * precompiled_charsmap: u32 trie size in bytes, the trie (u32 units), then strings that end in NUL,
 * which the trie's values point into. All little-endian.
 * Trie units as in Darts-clone: bits 10.. the offset (times 256 when bit 9 is set), bit 8 "a value
 * follows", bit 31 "this is a value", bits 0..7 the label. */
#include "text/charsmap.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "text/protobuf.h"

enum { NORMALIZER_SPEC = 3, DENORMALIZER_SPEC = 5, PRECOMPILED_CHARSMAP = 2 };
static uint32_t read_u32(const unsigned char *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* With a whole number of 256-unit blocks, a base inside the array keeps base ^ label inside for
 * every label; so one test a unit is enough, reachable or not. */
static bool trie_is_closed(const unsigned char *units, size_t count, size_t strings_size) {
    for (size_t i = 0; i < count; i++) {
        uint32_t unit = read_u32(units + 4 * i);
        if (unit >> 31 != 0 && i > 0) {
            continue; /* never entered: no label equals it; the root is entered unseen */
        }
        size_t offset = (size_t)(unit >> 10) << ((unit & 1U << 9) >> 6);
        size_t base = i ^ offset;
        if (base >= count) {
            return false;
        }
        bool has_value = (unit >> 8 & 1) != 0;
        if (has_value && (read_u32(units + 4 * base) & 0x7FFFFFFF) >= strings_size) {
            return false;
        }
    }
    return true;
}

static bool charsmap_is_safe(attn_protobuf map) {
    if (map.size == 0) {
        return true; /* no normalization */
    }
    if (map.size < 4) {
        return false;
    }
    size_t trie_size = read_u32(map.data);
    if (trie_size == 0 || trie_size % (256 * 4) != 0 || trie_size >= map.size - 4) {
        return false;
    }
    size_t strings_size = map.size - 4 - trie_size;
    return map.data[map.size - 1] == '\0' &&
           trie_is_closed(map.data + 4, trie_size / 4, strings_size);
}

static bool spec_is_safe(attn_protobuf spec) {
    while (spec.at < spec.size) {
        attn_protobuf_field f;
        if (!attn_protobuf_next(&spec, &f)) {
            return false;
        }
        if (f.number == PRECOMPILED_CHARSMAP && f.holds_bytes && !charsmap_is_safe(f.bytes)) {
            return false;
        }
    }
    return true;
}

attn_status attn_charsmap_check(const void *model, size_t size, attn_error *error) {
    attn_protobuf r = {model, size, 0};
    while (r.at < r.size) {
        int64_t position = (int64_t)r.at;
        attn_protobuf_field f;
        if (!attn_protobuf_next(&r, &f)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", position,
                             "take an undamaged copy of the model",
                             "the bytes are not a SentencePiece model");
        }
        bool spec = f.number == NORMALIZER_SPEC || f.number == DENORMALIZER_SPEC;
        if (spec && f.holds_bytes && !spec_is_safe(f.bytes)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", position,
                             "take an undamaged copy of the model",
                             "the normalization table points outside itself");
        }
    }
    return ATTN_OK;
}
