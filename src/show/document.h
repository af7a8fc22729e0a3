/* show/document.h: all attention of one sentence and its translation, as numbers.
 *
 * What the pictures draw, what `attn show --json` prints, and what a page is to read. A document
 * keeps its own copies; once made it is only read, so threads may share it.
 * Letters: L layers, H heads, Q queries, K keys. Next: measures.h, view.h. */
#ifndef ATTN_SHOW_DOCUMENT_H
#define ATTN_SHOW_DOCUMENT_H

#include "attn/translator.h"
#include "show/explain.h"
#include "show/words.h"

enum { ATTN_DOCUMENT_PARTS = 3 };

/* Most weights in a document, over all parts, layers and heads. */
#define ATTN_DOCUMENT_LIMIT ((int64_t)16000000)

/* How weights of pieces become weights of words (words.h), for legends. */
extern const char ATTN_DOCUMENT_WORDS_RULE[];

/* One of the three attentions, all layers and heads of it. */
typedef struct attn_document_part {
    const char *name; /* "encoder", "decoder", "cross" */
    int64_t layers, heads, queries, keys;
    bool causal; /* query q sees keys 0 .. q only */
    const attn_words *query_words, *key_words;
    attn_real *weights; /* [L, H, Q, K] */
    attn_real *rollout; /* [Q, K]; measures.h says how, for the cross attention too */
    double *entropy;    /* [L, H], in nats, the mean over the queries */
    double *distance;   /* [L, H], in tokens; NULL for cross, whose two sides count apart */
} attn_document_part;

typedef struct attn_document {
    char *model, *source_language, *target_language; /* languages: "" when not known */
    char *sentence, *translation;
    attn_words source;  /* ends in </s> */
    attn_words read;    /* the translation as the decoder reads it: <s> first */
    attn_words written; /* as it is written, one token ahead: </s> last */
    attn_document_part part[ATTN_DOCUMENT_PARTS]; /* by attn_translator_part */
} attn_document;

/* What a document is made of. */
typedef struct attn_document_request {
    attn_translator *translator;
    const attn_tokenizer *tokenizer;
    const char *model;                             /* its name */
    const char *source_language, *target_language; /* NULL: not known */
    const char *sentence, *translation;
    const int32_t *source; /* ids and </s> */
    int64_t source_length;
    const int32_t *target; /* <s>, ids, </s> */
    int64_t target_length; /* without the </s> */
} attn_document_request;

/* Runs the model once. ATTN_ERR_ARGUMENT: empty or too long for the model or for
 * ATTN_DOCUMENT_LIMIT. ATTN_ERR_NUMERIC: the model's weights are not numbers. */
ATTN_MUST_CHECK attn_status attn_document_create(const attn_document_request *request,
                                                 attn_document **out, attn_error *error);
void attn_document_free(attn_document *document);

/* How many rows (columns) a matrix has, and their names: words, else pieces. */
int64_t attn_document_rows(const attn_document_part *part, bool words);
int64_t attn_document_columns(const attn_document_part *part, bool words);
const char *attn_document_row(const attn_document_part *part, bool words, int64_t row);
const char *attn_document_column(const attn_document_part *part, bool words, int64_t column);

/* In place of a layer or a head. */
enum { ATTN_DOCUMENT_MEAN = -1, ATTN_DOCUMENT_ROLLOUT = -2 };
/* The weights of a layer (or ROLLOUT) and of a head (or MEAN, over the layer's heads), all counted
 * from 0, as [rows, columns] of pieces or words. Rows sum to 1. */
void attn_document_matrix(const attn_document_part *part, int64_t layer, int64_t head, bool words,
                          double *out);
/* Everything as JSON, to be freed with json_decref; NULL when out of memory. Indices count from 0.
 * Its shape is written above document_json.c. packed: as the page reads it. */
struct json_t;
struct json_t *attn_document_json(const attn_document *document, bool packed);

#endif
