/* import/weights.h: the tensors of somebody else's file become the parameters of a model of attn.
 *
 * What stands where is a table of names, one row a parameter; a model's importer is such a table and what it reads of the
 * configuration. Next: import/marian.c. */
#ifndef ATTN_IMPORT_WEIGHTS_H
#define ATTN_IMPORT_WEIGHTS_H

#include "attn/tape.h"
#include "io/tensor_file.h"

/* How a tensor lies in the file. */
typedef enum attn_weight_layout {
    ATTN_WEIGHT_SAME,            /* [out, in], or a vector */
    ATTN_WEIGHT_TRANSPOSED,      /* [in, out] */
    ATTN_WEIGHT_LATER_ROWS,      /* [rows, channels] after as many others as `part` says */
    ATTN_WEIGHT_SOURCE_ROWS,     /* [source words, channels] */
    ATTN_WEIGHT_TARGET_ROWS,     /* [target words, channels] */
    ATTN_WEIGHT_TARGET_COLUMNS,  /* [channels, target words] */
    ATTN_WEIGHT_TARGET_BIAS,     /* [target words]; missing: all 0 */
    ATTN_WEIGHT_KERNELS,         /* [out, in, part, part], of ours [out, part part in] */
    ATTN_WEIGHT_CHANNEL_KERNELS, /* [channels, 1, part, part], of ours [part part, channels] */
    ATTN_WEIGHT_COLUMNS,         /* [out, parts in, 1, 1]: part `part` of the columns */
    ATTN_WEIGHT_HEADS, /* query, key and value one below the other, of as many heads as the map says: part 0, 1 or 2 */
} attn_weight_layout;

typedef struct attn_weight_rule {
    const char *ours; /* "encoder.#.self.query.weight", where # is the number of a layer, from 0 */
    const char *theirs; /* "encoder_l#_self_Wq" */
    attn_weight_layout layout;
    int part, parts; /* which of so many that lie one below the other; parts 0: the whole tensor */
} attn_weight_rule;

/* Which of their words each of ours is; -1: they have none, its embedding is zero, and it is never predicted. */
typedef struct attn_word_order {
    int64_t count;
    int32_t *theirs;
    bool
        start_is_copy; /* <s> has the embedding of a word that is predicted under another id, but never itself */
} attn_word_order;

typedef struct attn_weight_map {
    const attn_weight_rule *rules;
    size_t rule_count;
    const char
        *prefix; /* "bert.": in front of all names of the file that the rules have; NULL: nothing */
    int64_t first_layer; /* their number of layer 0 */
    const char *
        scale; /* "_scale": what the scales of a quantised tensor are called; NULL: never quantised */
    int64_t heads, kv_heads;   /* of ATTN_WEIGHT_HEADS */
    bool biases_may_lack;      /* one that is not in the file is 0 */
    bool numbers_are_settings; /* tensors of rank 0 are no weights */
    bool integers_are_turned;  /* quantised matrices are [out, in] where the others are [in, out] */
    const char *const *
        idle; /* how names begin that a translation does not need, or patterns of them; ends with NULL */
} attn_weight_map;

/* Of ATTN_WEIGHT_HEADS: how many heads lie before a part, in it, and in all three. */
typedef struct attn_weight_heads {
    int64_t before, own, all;
} attn_weight_heads;
static inline attn_weight_heads attn_weight_heads_of(const attn_weight_map *map, int part) {
    int64_t before[] = {0, map->heads, map->heads + map->kv_heads};
    return (attn_weight_heads){before[part], part == 0 ? map->heads : map->kv_heads,
                               map->heads + 2 * map->kv_heads};
}

/* Whether a name is the pattern with a number in the place of #; *layer: that number, or -1 without #. */
bool attn_weight_name_matches(const char *pattern, const char *name, int64_t *layer);
/* The pattern with that number, after a prefix. */
void attn_weight_name_fill(const char *prefix, const char *pattern, int64_t layer, char *name,
                           size_t size);

/* Before memory is spent on parameters: ATTN_ERR_FORMAT when the file cannot fill them, all but `lacking`, which are then 0. A
 * configuration can promise far more. */
ATTN_MUST_CHECK attn_status attn_import_check_size(const attn_tensor_file *file,
                                                   const attn_params *params, int64_t lacking,
                                                   attn_error *error);

/* Fills all parameters. ATTN_ERR_FORMAT: a tensor is missing or has another shape; ATTN_ERR_UNSUPPORTED: the file has one
 * that no rule knows, so the model is not what attn would compute; ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_import_weights(const attn_weight_map *map,
                                                const attn_tensor_file *file,
                                                const attn_word_order *source,
                                                const attn_word_order *target, attn_params *params,
                                                attn_error *error);

#endif
