/* text/protobuf.c: reading and writing fields; see protobuf.h. */
#include "text/protobuf.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static bool read_varint(attn_protobuf *message, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (message->at >= message->size) {
            return false;
        }
        unsigned char byte = message->data[message->at++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool skip(attn_protobuf *message, uint64_t count) {
    if (count > message->size - message->at) {
        return false;
    }
    message->at += (size_t)count;
    return true;
}

/* Groups (wire types 3 and 4) do not occur in these messages and are refused, so that this reader
 * cannot see other fields than SentencePiece does. */
bool attn_protobuf_next(attn_protobuf *message, attn_protobuf_field *out) {
    uint64_t tag, length;
    if (!read_varint(message, &tag) || tag > UINT32_MAX) {
        return false; /* a longer tag would be cut to 32 bits there */
    }
    int wire = (int)(tag & 7);
    *out = (attn_protobuf_field){.number = tag >> 3, .holds_bytes = wire == WIRE_BYTES};
    switch (wire) {
    case WIRE_VARINT:
        return read_varint(message, &out->value);
    case WIRE_64:
        return skip(message, 8);
    case WIRE_32:
        return skip(message, 4);
    case WIRE_BYTES:
        if (!read_varint(message, &length)) {
            return false;
        }
        out->bytes = (attn_protobuf){message->data + message->at, (size_t)length, 0};
        return skip(message, length);
    default:
        return false;
    }
}

static void add_varint(attn_buffer *message, uint64_t value) {
    unsigned char bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[count++] = (unsigned char)(value | 0x80);
    }
    bytes[count++] = (unsigned char)value;
    attn_buffer_add(message, bytes, count);
}

void attn_protobuf_add_number(attn_buffer *message, unsigned number, uint64_t value) {
    add_varint(message, (uint64_t)number << 3 | WIRE_VARINT);
    add_varint(message, value);
}

void attn_protobuf_add_float(attn_buffer *message, unsigned number, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                    (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
    add_varint(message, (uint64_t)number << 3 | WIRE_32);
    attn_buffer_add(message, bytes, sizeof bytes);
}

void attn_protobuf_add_bytes(attn_buffer *message, unsigned number, const void *bytes,
                             size_t size) {
    add_varint(message, (uint64_t)number << 3 | WIRE_BYTES);
    add_varint(message, size);
    attn_buffer_add(message, bytes, size);
}
