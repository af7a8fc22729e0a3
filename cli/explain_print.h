/* cli/explain_print.h: what `attn explain` prints, for people and for programs. */
#ifndef ATTN_CLI_EXPLAIN_PRINT_H
#define ATTN_CLI_EXPLAIN_PRINT_H

#include "show/explain.h"
#include "show/intervene.h"
#include "show/terminal.h"
#include "show/words.h"

/* One attention, and what was chosen of it. */
typedef struct attn_explained {
    const char *sentence, *target; /* target: NULL for the encoder */
    attn_translator_part part;
    attn_explain_shape shape;
    attn_words queries, keys;
    int64_t layer, head, word; /* counted from 0; word: of the queries */
    bool one_head;             /* show that head; else the mean over heads */
    bool whole;                /* no word was asked for: show the matrix too */
    attn_real *weights;        /* [H, Q, K] of the layer, in pieces */
    double *word_weights;      /* [query words, key words], of the head or the mean */
    attn_explain_steps steps;  /* of the head and the word's first piece */
} attn_explained;

void attn_explained_print(const attn_explained *explained, const attn_terminal *terminal);
ATTN_MUST_CHECK attn_status attn_explained_print_json(const attn_explained *explained, FILE *out,
                                                      attn_error *error);

/* The translation before and after an intervention, and log p of both either way. */
void attn_intervened_print(const attn_intervened *intervened, const attn_terminal *terminal);
ATTN_MUST_CHECK attn_status attn_intervened_print_json(const attn_intervened *intervened, FILE *out,
                                                       attn_error *error);

#endif
