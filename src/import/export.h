/* import/export.h: models of attn as those of other programs: what src/import reads, written by the same tables of names.
 *
 * An exporter says first what its format cannot express, then writes a folder. Next: import/export_ctranslate2.c, the one that
 * can express most. */
#ifndef ATTN_IMPORT_EXPORT_H
#define ATTN_IMPORT_EXPORT_H

#include <jansson.h>

#include "import/import.h"
#include "import/weights.h"

/* ---- tensors ---- */

typedef struct attn_export_tensors {
    attn_tensor_info *tensor; /* each with a name and bytes of its own */
    size_t count, room;
} attn_export_tensors;

/* Which of our words each of theirs is; ours NULL: the same, in the same order. */
typedef struct attn_export_words {
    int64_t count;
    int32_t *ours;
} attn_export_words;

/* How a format shapes what is no matrix. */
typedef struct attn_export_shapes {
    bool vectors_are_rows; /* [1, n] */
    bool bias_is_row;      /* that of the words alone */
    /* Pairs of our name and theirs, where not the first of several names is meant; ends with NULL. */
    const char *const (*names)[2];
} attn_export_shapes;

/* Adds a copy. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_export_add(attn_export_tensors *list, const char *name,
                                            attn_dtype dtype, int rank, const int64_t *shape,
                                            const void *data, attn_error *error);
/* Adds all parameters by the table. ATTN_ERR_UNSUPPORTED: it has no name for one. */
ATTN_MUST_CHECK attn_status attn_export_weights(const attn_weight_map *map,
                                                const attn_export_shapes *shapes,
                                                const attn_export_words words[2],
                                                const attn_params *params,
                                                attn_export_tensors *list, attn_error *error);
void attn_export_tensors_free(attn_export_tensors *list);

/* ---- what all formats have in common ---- */

/* The positions [max_length, d_model] that the model adds to its embeddings; attn_alloc'ed. */
ATTN_MUST_CHECK attn_status attn_export_positions(const attn_imported *model, float **table,
                                                  attn_error *error);
/* Whether translations begin with zeros. */
bool attn_export_starts_with_zeros(const attn_imported *model);
/* The epsilon of the norms. */
double attn_export_epsilon(const attn_imported *model);

/* The segmenter of a side as SentencePiece wrote it. *bytes is to be freed with free. ATTN_ERR_UNSUPPORTED: there is more to it, a
 * list of elisions for one. */
ATTN_MUST_CHECK attn_status attn_export_segmenter(const attn_imported *model, bool target,
                                                  char **bytes, size_t *size, attn_error *error);
/* A piece by our id; words without one get "<unused N>". */
const char *attn_export_piece(const attn_tokenizer *side, int32_t id, char room[32]);
/* Whether sources begin with pieces that no text becomes, one a language. */
bool attn_export_has_tags(const attn_imported *model);

/* Files of the folder. */
ATTN_MUST_CHECK attn_status attn_export_file(const char *folder, const char *name, const void *data,
                                             size_t size, attn_error *error);
ATTN_MUST_CHECK attn_status attn_export_json(const char *folder, const char *name, json_t *json,
                                             attn_error *error);
/* source.spm and target.spm */
ATTN_MUST_CHECK attn_status attn_export_segmenters(const attn_imported *model, const char *folder,
                                                   attn_error *error);

/* A property that a format lacks: the first that is set is refused. */
typedef struct attn_export_limit {
    bool set;
    const char *what; /* "norms before the layers (norm = pre)" */
} attn_export_limit;
ATTN_MUST_CHECK attn_status attn_export_limits(const char *format, const attn_export_limit *limits,
                                               size_t count, attn_error *error);

/* ---- formats ---- */

typedef struct attn_exporter {
    const char *name;  /* "ctranslate2", as --to has it */
    const char *title; /* "CTranslate2" */
    /* ATTN_ERR_UNSUPPORTED: what the format cannot express; note: what it expresses but nearly, or "". */
    attn_status (*check)(const attn_imported *model, char *note, size_t size, attn_error *error);
    attn_status (*write)(const attn_imported *model, const char *folder, attn_error *error);
} attn_exporter;

extern const attn_exporter attn_export_ctranslate2, attn_export_hugging_face, attn_export_marian;

/* Checks, and writes a folder that must not be there yet; after a failure it is not there. note: see check. */
ATTN_MUST_CHECK attn_status attn_export_write(const attn_exporter *exporter,
                                              const attn_imported *model, const char *folder,
                                              char *note, size_t note_size, attn_error *error);

/* The tables of names. */
extern const attn_weight_map attn_weights_marian, attn_weights_hugging_face;
attn_weight_map attn_weights_ctranslate2(const attn_translator_config *config);

#endif
