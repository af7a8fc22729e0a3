/* text/piece_table.h: the pieces of a model by id, where its tokenizer does not number them itself.
 *
 * Models of Marian, Hugging Face, CTranslate2 and fairseq cut a text by a SentencePiece file and look the pieces up in a list of
 * their own. Such a list travels in the bytes of the tokenizer, in a field that SentencePiece leaves to others, so the file itself
 * stays as it was made. What the file has and the list lacks is unknown; what the list has and the file lacks no text becomes,
 * unless it is a whole run of characters that the file does not know. A vocabulary of WordPiece is such a list too.
 * A table is filled by id, then finished, then asked. A zeroed one is empty. */
#ifndef ATTN_TEXT_PIECE_TABLE_H
#define ATTN_TEXT_PIECE_TABLE_H

#include "attn/tokenizer.h"
#include "text/buffer.h"
#include "text/protobuf.h"

/* More than any model has. */
enum { ATTN_PIECES_MOST = 1 << 22 };

typedef struct attn_piece {
    char *text;   /* NULL: no piece has this id */
    bool control; /* no text becomes it, and it becomes no text: <pad>, a language */
} attn_piece;

typedef struct attn_piece_table {
    attn_piece *piece;
    int32_t count;
    size_t room;
    attn_special_ids special;
    bool codes; /* ">>fra<<" in front of a text is one piece, whatever stands between */
    bool
        plain; /* a text is cut at spaces, and each part looked up: no model of SentencePiece cuts it */
    int32_t *sorted;
    int32_t
        sorted_count; /* the ids by the bytes of their pieces; filled in by attn_piece_table_finish */
} attn_piece_table;

/* Puts a piece at an id; an empty text leaves the id without one. ATTN_ERR_FORMAT: the id is negative, too large or taken; the text is no UTF-8, or has a NUL. */
ATTN_MUST_CHECK attn_status attn_piece_table_set(attn_piece_table *table, int64_t id,
                                                 const char *text, size_t length, bool control,
                                                 attn_error *error);
/* After the last. */
ATTN_MUST_CHECK attn_status attn_piece_table_add(attn_piece_table *table, const char *text,
                                                 bool control, attn_error *error);
/* Makes it ready to be asked. ATTN_ERR_FORMAT: two ids have one piece; there is none for what is unknown; a special id is out of
 * range. */
ATTN_MUST_CHECK attn_status attn_piece_table_finish(attn_piece_table *table, attn_error *error);
/* As finish, with the special ids taken from the usual names, no text becomes which: <pad> or [PAD], <unk> or [UNK], <s> or
 * [CLS], </s> or [SEP]; where there is no other for what is unknown, <|endoftext|>. */
ATTN_MUST_CHECK attn_status attn_piece_table_finish_by_name(attn_piece_table *table,
                                                            attn_error *error);
void attn_piece_table_free(attn_piece_table *table);

/* The id of a piece; -1: it is not there. */
int32_t attn_piece_table_find(const attn_piece_table *table, const char *text, size_t length);
/* "" when there is none. */
const char *attn_piece_table_text(const attn_piece_table *table, int32_t id);
/* Whether it is one of the four special pieces. */
bool attn_is_special(attn_special_ids special, int32_t id);

/* ---- in the bytes of a tokenizer ---- */

/* Appends a finished table to a message, a SentencePiece model for one. */
void attn_piece_table_write(const attn_piece_table *table, attn_buffer *message);
/* The last one in the message, finished; count 0: there is none, or no message. ATTN_ERR_FORMAT: it is damaged. */
ATTN_MUST_CHECK attn_status attn_piece_table_read(attn_protobuf message, attn_piece_table *out,
                                                  attn_error *error);
/* The bytes of a SentencePiece model whose ids shall be those of a finished table. *bytes is to be freed with free. */
ATTN_MUST_CHECK attn_status attn_piece_table_over(const attn_piece_table *table, const void *model,
                                                  size_t size, char **bytes, size_t *bytes_size,
                                                  attn_error *error);

/* ---- lists that are made by rule ---- */

/* The pieces of a SentencePiece model in its own order, its control pieces as such, not finished: for models that take a
 * SentencePiece file as it is. */
ATTN_MUST_CHECK attn_status attn_piece_table_of_model(const void *model, size_t size,
                                                      attn_piece_table *out, attn_error *error);
/* As fairseq and what comes from it (mBART, NLLB, XLM-R) number them: <s>, <pad>, </s>, <unk>, then the pieces of the model after
 * its first three. Not finished: languages and <mask> are added by the caller. */
ATTN_MUST_CHECK attn_status attn_piece_table_of_fairseq(const void *model, size_t size,
                                                        attn_piece_table *out, attn_error *error);

/* Whether a model of SentencePiece is one of BPE. */
bool attn_model_is_bpe(attn_protobuf message);

#endif
