/* import/import.h: models made elsewhere, as models of attn.
 *
 * A folder or zip file is recognised by the files in it, a file by its bytes. What comes out computes what the model's own
 * makers compute: positions, norms and start of a translation are theirs (docs/import.md). Next: import/marian.c, one importer. */
#ifndef ATTN_IMPORT_IMPORT_H
#define ATTN_IMPORT_IMPORT_H

#include "attn/decoder.h"
#include "attn/encoder.h"
#include "attn/tokenizer.h"
#include "attn/translator.h"
#include "io/bundle.h"
#include "models/vision.h"
#include "pipeline/model.h"

/* A model in memory. licence, source, target: "" when the files do not say. */
typedef struct attn_imported {
    const char *kind;            /* "Marian" */
    attn_translator *translator; /* or NULL: it is something else */
    attn_encoder *encoder;
    attn_decoder *decoder;
    attn_tokenizer *tokenizer;
    attn_vision *vision; /* or NULL; it has no tokenizer */
    char *labels;        /* what its classes are called; NULL: none */
    char name[128], licence[128], source[16], target[16];
} attn_imported;

/* What an importer gets: the files, and which of them holds the tensors. */
typedef struct attn_import_files {
    attn_bundle *bundle;
    const char *tensors;
} attn_import_files;

typedef struct attn_importer {
    const char *kind;
    /* Whether these files are of this kind. */
    bool (*recognises)(attn_bundle *bundle, const attn_tensor_file *file);
    attn_status (*read)(const attn_import_files *files, const attn_tensor_file *file,
                        attn_imported *out, attn_error *error);
} attn_importer;

/* Whether there is something at the path that attn_import_read would look at: a folder, a zip file, or a file of tensors that is
 * no model of attn's own. */
bool attn_import_is_foreign(const char *path);
/* ATTN_ERR_ARGUMENT: nothing there that is known, with what was looked for; ATTN_ERR_UNSUPPORTED: a kind of layer or tokenizer that attn does
 * not have; and what reading can give. Freed with attn_imported_free, after a failure too. */
ATTN_MUST_CHECK attn_status attn_import_read(const char *path, attn_imported *out,
                                             attn_error *error);
void attn_imported_free(attn_imported *imported);
/* The same of a path that may also be a model of attn's own, whose tokenizer may be missing (NULL): its weights as floats, not packed.
 * An own one has room for gradients. */
ATTN_MUST_CHECK attn_status attn_import_load(const char *path, attn_imported *out,
                                             attn_error *error);

/* Writes it as one file of attn's. */
ATTN_MUST_CHECK attn_status attn_import_save(const attn_imported *imported, attn_storage storage,
                                             const char *path, attn_error *error);
/* attn_model_open, of a path that may be foreign: then the model is imported into memory. */
ATTN_MUST_CHECK attn_status attn_import_open(const char *path, const attn_model_options *options,
                                             attn_model **out, attn_error *error);

/* Whether the name of a file ends in this. */
bool attn_name_ends(const char *name, const char *end);

extern const attn_importer attn_import_marian, attn_import_bert, attn_import_vision,
    attn_import_hugging_face, attn_import_ctranslate2, attn_import_ctranslate2_decoder,
    attn_import_fairseq, attn_import_opennmt, attn_import_mapped;

#endif
