/* import/side.h: the words of one side: how text is cut, and where each piece stands in the model's tables.
 *
 * attn numbers them its own way: <pad>, <unk>, <s>, </s>, then the rest in the model's order, so nothing after the import has to
 * know of other ids. */
#ifndef ATTN_IMPORT_SIDE_H
#define ATTN_IMPORT_SIDE_H

#include "attn/translator.h"
#include "import/weights.h"
#include "text/piece_table.h"

typedef struct attn_import_side {
    char *
        segmenter; /* the bytes of a SentencePiece model, attn_alloc'ed; NULL: texts are pieces parted by spaces */
    size_t segmenter_size;
    attn_piece_table theirs;   /* to be finished before it is numbered */
    attn_word_order order;     /* ours to theirs */
    attn_tokenizer *tokenizer; /* over our numbers */
} attn_import_side;

/* From segmenter and theirs: order and tokenizer. rows: how many words the tensors have, of which some may have no piece. start: the
 * word whose embedding begins a translation; -1: zeros do.
 * ATTN_ERR_FORMAT: more pieces than rows, or a damaged segmenter; ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_import_side_number(attn_import_side *side, int64_t rows,
                                                    int32_t start, attn_error *error);
/* One tokenizer of both; of the first side alone where they are the same, or the second has none. ATTN_ERR_FORMAT: `tied`, but the two sides number their words differently. */
ATTN_MUST_CHECK attn_status attn_import_join(const attn_import_side sides[2], bool tied,
                                             attn_tokenizer **out, attn_error *error);
/* A network of this configuration, whose vocabularies are set here, with the file's weights, and its tokenizer. Of a model with
 * one side alone sides[1] is empty. Both are the caller's, *translator also after a failure. */
ATTN_MUST_CHECK attn_status attn_import_network(attn_translator_config *config,
                                                const attn_weight_map *map,
                                                const attn_tensor_file *file,
                                                const attn_import_side sides[2],
                                                attn_translator **translator,
                                                attn_tokenizer **tokenizer, attn_error *error);
void attn_import_side_free(attn_import_side *side);

#endif
