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

enum { NORMALIZER_SPEC = 3, DENORMALIZER_SPEC = 5, PRECOMPILED_CHARSMAP = 2 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct reader {
    const unsigned char *data;
    size_t size, at;
} reader;

typedef struct field {
    uint64_t number;
    int wire;
    reader bytes; /* of a WIRE_BYTES field */
} field;

static bool read_varint(reader *r, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (r->at >= r->size) {
            return false;
        }
        unsigned char byte = r->data[r->at++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool skip(reader *r, uint64_t count) {
    if (count > r->size - r->at) {
        return false;
    }
    r->at += (size_t)count;
    return true;
}

/* Groups (wire types 3 and 4) do not occur in these messages and are refused, so that this reader
 * cannot see other fields than SentencePiece does. */
static bool read_field(reader *r, field *out) {
    uint64_t tag, length;
    if (!read_varint(r, &tag) || tag > UINT32_MAX) {
        return false; /* a longer tag would be cut to 32 bits there */
    }
    *out = (field){.number = tag >> 3, .wire = (int)(tag & 7)};
    switch (out->wire) {
    case WIRE_VARINT:
        return read_varint(r, &length);
    case WIRE_64:
        return skip(r, 8);
    case WIRE_32:
        return skip(r, 4);
    case WIRE_BYTES:
        if (!read_varint(r, &length)) {
            return false;
        }
        out->bytes = (reader){r->data + r->at, (size_t)length, 0};
        return skip(r, length);
    default:
        return false;
    }
}

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

static bool charsmap_is_safe(reader map) {
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

static bool spec_is_safe(reader spec) {
    while (spec.at < spec.size) {
        field f;
        if (!read_field(&spec, &f)) {
            return false;
        }
        if (f.number == PRECOMPILED_CHARSMAP && f.wire == WIRE_BYTES &&
            !charsmap_is_safe(f.bytes)) {
            return false;
        }
    }
    return true;
}

attn_status attn_charsmap_check(const void *model, size_t size, attn_error *error) {
    reader r = {model, size, 0};
    while (r.at < r.size) {
        int64_t position = (int64_t)r.at;
        field f;
        if (!read_field(&r, &f)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", position,
                             "take an undamaged copy of the model",
                             "the bytes are not a SentencePiece model");
        }
        bool spec = f.number == NORMALIZER_SPEC || f.number == DENORMALIZER_SPEC;
        if (spec && f.wire == WIRE_BYTES && !spec_is_safe(f.bytes)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", position,
                             "take an undamaged copy of the model",
                             "the normalization table points outside itself");
        }
    }
    return ATTN_OK;
}
