/* attn/tokenizer.h: text to ids and back: SentencePiece behind a C interface.
 *
 * Of the second library, libattn-pipeline (pkg-config attn-pipeline, CMake attn::pipeline).
 * A tokenizer is made by training on files, from a model file, or from the bytes of a SentencePiece model; the bytes
 * are what a model file carries. SentencePiece reads them too; the list of elisions, which it does not
 * know, is in a field that it leaves to others, and so is the tokenizer of the target where the two languages have one
 * each. Piece ids: 0 <pad>, 1 <unk>, 2 <s>, 3 </s> (fixed when training).
 * That of an imported model may have other ids (attn_tokenizer_special): its pieces are numbered by a table of its own
 * (text/piece_table.h). Its bytes may also be a vocabulary of WordPiece (text/wordpiece.h): it takes capitals and accents
 * off where the model wants that, so a text may come back as another, and has neither merges nor bytes to fall back on.
 * Or they are a list of words alone: then a text is its words, parted by spaces, as whoever made the model cut it.
 * Encoding and decoding may be called from several threads at once. */
#ifndef ATTN_TOKENIZER_H
#define ATTN_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ATTN_PAD = 0, ATTN_UNK = 1, ATTN_BOS = 2, ATTN_EOS = 3 };

/* A list of elisions is shorter than this. */
enum { ATTN_ELISIONS_SIZE = 128 };

typedef struct attn_tokenizer attn_tokenizer;

typedef struct attn_tokenizer_options {
    const char *type;          /* "unigram" or "bpe" */
    const char *normalization; /* "identity", "nfkc", "nmt_nfkc" ... (SentencePiece's names) */
    int32_t vocabulary;        /* number of pieces, the four special ones included */
    double character_coverage; /* of the characters of the text, the share that is kept; 1 when 0 */
    const char *elisions;      /* words set apart from the next (text/elision.h); "": none */
    int threads;               /* does not change the result */
    bool byte_fallback;        /* 256 more pieces, <0x00> .. <0xFF>, write what has no piece */
    bool lower_vocabulary;     /* a text that allows fewer pieces gets as many as it allows */
    const char *tags;          /* pieces that no text becomes, "<2en>,<2fr>"; NULL: none */
} attn_tokenizer_options;

/* Trains one model on all the files together (a joint vocabulary). Never prints. When the text is
 * too small for the vocabulary asked for, the error says how many pieces are possible, unless
 * lower_vocabulary takes that many. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_tokenizer_train(
    const char *const *files, int file_count, const attn_tokenizer_options *options,
    attn_tokenizer **out, attn_error *error);
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_tokenizer_from_bytes(const void *bytes,
                                                                        size_t size,
                                                                        attn_tokenizer **out,
                                                                        attn_error *error);
/* The tokenizer that a model file carries. ATTN_ERR_IO; ATTN_ERR_FORMAT: not such a file, or one without a
 * tokenizer; ATTN_ERR_MEMORY. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_tokenizer_open(const char *path,
                                                                  attn_tokenizer **out,
                                                                  attn_error *error);
/* One of two sides: `source` for the text that is read, `target` for what is written. The two stay as they are.
 * ATTN_ERR_ARGUMENT: one of them has two sides itself; ATTN_ERR_MEMORY. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_tokenizer_join(const attn_tokenizer *source,
                                                                  const attn_tokenizer *target,
                                                                  attn_tokenizer **out,
                                                                  attn_error *error);
/* The target's side; of a joint tokenizer itself. Owned by the tokenizer, whose other functions are the source's side. */
ATTN_PIPELINE_API const attn_tokenizer *attn_tokenizer_target(const attn_tokenizer *tokenizer);
/* NULL is allowed. */
ATTN_PIPELINE_API void attn_tokenizer_free(attn_tokenizer *tokenizer);

/* The ids of the pieces that have a meaning of their own; -1: the tokenizer has no such piece. unk is always there. */
typedef struct attn_special_ids {
    int32_t pad, unk, bos, eos;
} attn_special_ids;
ATTN_PIPELINE_API attn_special_ids attn_tokenizer_special(const attn_tokenizer *tokenizer);

/* What attn_tokenizer_from_bytes takes; owned by the tokenizer. */
ATTN_PIPELINE_API const void *attn_tokenizer_bytes(const attn_tokenizer *tokenizer, size_t *size);
ATTN_PIPELINE_API int32_t attn_tokenizer_size(const attn_tokenizer *tokenizer);
/* The surface of a piece ("\xe2\x96\x81" marks a preceding space; "<0xE2>" is a byte); owned by the
 * tokenizer; "" when out of range. */
ATTN_PIPELINE_API const char *attn_tokenizer_piece(const attn_tokenizer *tokenizer, int32_t id);

/* Frees what encoding and decoding give. NULL is allowed. */
ATTN_PIPELINE_API void attn_tokenizer_release(void *memory);

/* Ids of the text, no <s> or </s> added. *ids is to be freed with attn_tokenizer_release, or free (NULL
 * when there are none). */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_tokenizer_encode(const attn_tokenizer *tokenizer,
                                                                    const char *text, size_t length,
                                                                    int32_t **ids, size_t *count,
                                                                    attn_error *error);
/* The text of the ids, special pieces left out, NUL-terminated; *text is to be freed with
 * attn_tokenizer_release, or free. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_tokenizer_decode(const attn_tokenizer *tokenizer,
                                                                    const int32_t *ids,
                                                                    size_t count, char **text,
                                                                    attn_error *error);

#ifdef __cplusplus
}
#endif
#endif
