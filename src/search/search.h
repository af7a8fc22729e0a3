/* search/search.h: what the files of this folder share.
 *
 * A sentence keeps a tree of nodes, one a token; a hypothesis is a path to the root, so that
 * hypotheses with a common beginning share it. Next: search.c (the loop), then beam.c or sample.c
 * (one step). */
#ifndef ATTN_SEARCH_SEARCH_H
#define ATTN_SEARCH_SEARCH_H

#include "attn/search.h"
#include "attn/threads.h"
#include "base/random.h"
#include "base/real.h"

typedef struct attn_search_node {
    int32_t token;
    int32_t parent; /* node; -1: the root, whose token is <s> */
    real log_p;     /* of the token */
    double sum;     /* of log_p from the root */
} attn_search_node;

/* A hypothesis that is still growing. */
typedef struct attn_search_live {
    int32_t node;
    int64_t row;  /* of the step that made the node: what the model continues */
    int64_t draw; /* number of the draw, when sampling */
} attn_search_live;

typedef struct attn_search_sentence {
    const int32_t *source;
    int64_t source_length; /* S, with </s> */
    int64_t limit;         /* most target ids, with those that are given */
    int64_t repeats;       /* most times that an n-gram may stand in a row */
    attn_search_node *nodes;
    int64_t node_count;
    real *attention; /* [node, S] or NULL: what was attended to when the node's token was chosen */
    bool late;       /* attention to a token's source comes with the step that reads the token */
    attn_search_live *live, *next; /* this step's and the next one's; `width` each */
    int64_t live_count;
    int64_t first_row; /* row of live[0] in this step */
    int32_t *finished; /* nodes of </s>, `width`; -1: none yet */
    int64_t finished_count;
    bool given_up; /* the caller no longer wants it */
    uint64_t stream;
} attn_search_sentence;

/* What a step of the model gave, for all rows. */
typedef struct attn_search_step {
    const attn_search_options *options;
    int64_t width;      /* hypotheses per sentence */
    int64_t number;     /* of the step, from 0: target ids chosen so far */
    int64_t vocabulary; /* V */
    real *log_p;        /* [R, V]; what may not follow has been set to -infinity */
    int64_t top_count;  /* K */
    int32_t *top_token; /* [R, K], likeliest first, equal ones by lower id; -1 after the last */
    real *top_log_p;    /* [R, K] */
    const real *attention;
    int64_t attention_stride;
} attn_search_step;

/* The k likeliest of n tokens, ids[0 .. n - 1] ascending (NULL: 0 .. n - 1), into token[k] and
 * value[k]; NaN and -infinity are never chosen. */
void attn_search_top(const real *log_p, const int32_t *ids, int64_t n, int64_t k, int32_t *token,
                     real *value);
/* Draws one of n tokens with u from [0, 1), from p^(1 / temperature); token[i] is i where token is NULL; best: the highest log_p. Sums
 * run in the order of i. -1 when none has any probability. */
int64_t attn_search_draw(const real *log_p, const int32_t *token, int64_t n, real best,
                         double temperature, double u);
/* The u of one step of a draw. */
double attn_search_uniform(uint64_t seed, uint64_t stream, uint64_t draw, int64_t step);
/* Sets what may not follow the hypothesis to -infinity in its row. */
void attn_search_forbid(const attn_search_step *step, const attn_search_sentence *sentence,
                        int32_t node, real *row);
/* How many ids are read after <s> that no hypothesis chose. */
static inline int64_t attn_search_given(const attn_search_options *options) {
    return options->first_token > 0;
}
/* How many times in a row an n-gram may stand in the translation of this source. */
int64_t attn_search_repeats(const int32_t *source, int64_t length);
/* Adds a node that continues live hypothesis `from`; returns its number. */
int32_t attn_search_grow(const attn_search_step *step, attn_search_sentence *sentence, int64_t from,
                         int32_t token, real log_p);
/* One step of one sentence: finishes hypotheses and chooses the live ones of the next step. */
void attn_search_advance_beam(const attn_search_step *step, attn_search_sentence *sentence);
void attn_search_advance_sample(const attn_search_step *step, attn_search_sentence *sentence);

/* The sentence's finished hypotheses, as the caller gets them. */
ATTN_MUST_CHECK attn_status attn_search_collect(const attn_search_options *options,
                                                const attn_search_sentence *sentence,
                                                attn_search_result *out);

#endif
