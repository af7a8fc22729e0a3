/* import/added_pieces.h: pieces that a folder of Hugging Face adds to those of its segmenter: languages, <mask>.
 *
 * They are named, with ids or in order, by one of tokenizer.json, tokenizer_config.json, added_tokens.json and
 * special_tokens_map.json. */
#ifndef ATTN_IMPORT_ADDED_PIECES_H
#define ATTN_IMPORT_ADDED_PIECES_H

#include "io/bundle.h"
#include "text/piece_table.h"

/* Adds them to an unfinished table, as pieces that no text becomes; those with a name that the table has at that id already
 * only become such. ATTN_ERR_FORMAT: an id is taken by another piece. */
ATTN_MUST_CHECK attn_status attn_import_added_pieces(attn_bundle *bundle, attn_piece_table *table,
                                                     attn_error *error);

#endif
