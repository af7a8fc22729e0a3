/* text/protobuf.h: the fields of a message in protocol buffers, one after another: read, and written.
 *
 * As much of the format as looking into a SentencePiece model and making one takes. The bytes may come from
 * anyone. Source: the encoding guide of protocol buffers. */
#ifndef ATTN_TEXT_PROTOBUF_H
#define ATTN_TEXT_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/buffer.h"

/* A message and how far it has been read; start with at = 0. */
typedef struct attn_protobuf {
    const unsigned char *data;
    size_t size, at;
} attn_protobuf;

typedef struct attn_protobuf_field {
    uint64_t number;
    bool holds_bytes;    /* a string or a message, as opposed to a number */
    attn_protobuf bytes; /* when it holds bytes: these */
    uint64_t value;      /* of a varint; 0 of other numbers */
} attn_protobuf_field;

/* Reads the next field; false when the bytes are not a message. Call while at < size. */
bool attn_protobuf_next(attn_protobuf *message, attn_protobuf_field *out);

/* Appends a field to a message. A number that is negative in the message is cast to 64 bits, sign and all. */
void attn_protobuf_add_number(attn_buffer *message, unsigned number, uint64_t value);
void attn_protobuf_add_float(attn_buffer *message, unsigned number, float value);
void attn_protobuf_add_bytes(attn_buffer *message, unsigned number, const void *bytes, size_t size);

#endif
