/* text/cutter.c: see cutter.h. */
#include "text/cutter.h"

bool attn_cutter_recognize(const void *bytes, size_t size) {
    return attn_wordpiece_recognize(bytes, size) || attn_byte_pieces_recognize(bytes, size);
}

attn_status attn_cutter_read(const void *bytes, size_t size, attn_cutter *cutter,
                             attn_piece_table *table, attn_error *error) {
    *cutter = (attn_cutter){.of_bytes = attn_byte_pieces_recognize(bytes, size)};
    return cutter->of_bytes ? attn_byte_pieces_read(bytes, size, &cutter->bytes, table, error)
                            : attn_wordpiece_read(bytes, size, &cutter->wordpiece, table, error);
}

void attn_cutter_free(attn_cutter *cutter) {
    attn_byte_pieces_free(&cutter->bytes);
}

attn_status attn_cutter_encode(const attn_cutter *cutter, const attn_piece_table *table,
                               const char *text, size_t length, attn_wordpiece_found *found,
                               void *context, attn_error *error) {
    return cutter->of_bytes
               ? attn_byte_pieces_encode(&cutter->bytes, text, length, found, context, error)
               : attn_wordpiece_encode(&cutter->wordpiece, table, text, length, found, context,
                                       error);
}

void attn_cutter_decode(const attn_cutter *cutter, const attn_piece_table *table,
                        const int32_t *ids, size_t count, attn_buffer *text) {
    if (cutter->of_bytes) {
        attn_byte_pieces_decode(table, ids, count, text);
    } else {
        attn_wordpiece_decode(&cutter->wordpiece, table, ids, count, text);
    }
}

void attn_cutter_surface(const attn_cutter *cutter, const attn_piece_table *table, int32_t id,
                         attn_buffer *text) {
    if (cutter->of_bytes) {
        attn_byte_pieces_surface(table, id, text);
    } else {
        attn_wordpiece_surface(&cutter->wordpiece, table, id, text);
    }
}
