/* text/charsmap.h: is a SentencePiece model's normalization table safe to follow?
 *
 * SentencePiece walks the table (a double-array trie) without bounds checks, and a model file may
 * come from anyone; so the table is checked before SentencePiece sees it. */
#ifndef ATTN_TEXT_CHARSMAP_H
#define ATTN_TEXT_CHARSMAP_H

#include <stddef.h>

#include "attn/status.h"

/* Walks the serialized model (protocol buffers) to its normalization tables and checks that no
 * lookup can leave them. ATTN_ERR_FORMAT, with the byte offset, otherwise. */
ATTN_MUST_CHECK attn_status attn_charsmap_check(const void *model, size_t size, attn_error *error);

#endif
