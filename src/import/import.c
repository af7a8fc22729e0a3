/* import/import.c: which files of a model hold its tensors, and which importer knows them. */
#include "import/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/memory.h"
#include "io/archive.h"
#include "text/buffer.h"
#include "text/tags.h"

static const attn_importer *const importers[] = {
    &attn_import_mapped,       &attn_import_fairseq,
    &attn_import_opennmt,      &attn_import_marian,
    &attn_import_bert,         &attn_import_vision,
    &attn_import_hugging_face, &attn_import_ctranslate2_decoder,
    &attn_import_ctranslate2};
enum { IMPORTERS = sizeof importers / sizeof importers[0] };

static const char hint[] = "see docs/import.md for what can be imported";

bool attn_name_ends(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* ---- what lies at a path ---- */

/* OWN_MODEL: attn's, or a pipe, which is read but once and so must be. */
typedef enum lies { NOTHING, OWN_MODEL, TENSORS, BUNDLE } lies;

/* Whether a zip file is one of tensors: numpy's or PyTorch's. */
static bool zip_of_tensors(const char *path) {
    attn_archive *archive = NULL;
    bool tensors = false;
    if (attn_archive_open(path, &archive, NULL) != ATTN_OK) {
        return false;
    }
    for (size_t i = 0; i < attn_archive_count(archive) && !tensors; i++) {
        const char *name = attn_archive_name(archive, i);
        tensors = attn_name_ends(name, ".npy") || attn_name_ends(name, "/data.pkl");
    }
    attn_archive_close(archive);
    return tensors;
}

/* A file that says it is attn's. */
static bool is_own(const char *path) {
    attn_safetensors *file = NULL;
    if (attn_safetensors_open_header(path, &file, NULL) != ATTN_OK) {
        return false;
    }
    bool own = attn_safetensors_metadata(file, "attn.model") != NULL;
    attn_safetensors_close(file);
    return own;
}

static lies what_lies_at(const char *path) {
    struct stat info;
    char begin[4] = "";
    if (stat(path, &info) != 0) {
        return NOTHING;
    }
    if (S_ISDIR(info.st_mode)) {
        return BUNDLE;
    }
    if (!S_ISREG(info.st_mode)) {
        return OWN_MODEL;
    }
    FILE *file = fopen(path, "rb");
    size_t read = file != NULL ? fread(begin, 1, sizeof begin, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    if (attn_archive_begins(begin, read)) {
        return zip_of_tensors(path) ? TENSORS : BUNDLE;
    }
    return is_own(path) ? OWN_MODEL : TENSORS;
}

bool attn_import_is_foreign(const char *path) {
    lies what = what_lies_at(path);
    return what == TENSORS || what == BUNDLE;
}

/* ---- the file with the tensors ---- */

static bool is_candidate(const char *name, size_t kind) {
    static const char *const usual[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "model.bin"};
    static const char *const ends[] = {".npz", ".bin", ".pt", ".safetensors"};
    enum { USUAL = sizeof usual / sizeof usual[0] };
    const char *slash = strrchr(name, '/');
    if (kind < USUAL) {
        return strcmp(slash != NULL ? slash + 1 : name, usual[kind]) == 0;
    }
    bool rest = attn_name_ends(name, ".optimizer.npz") || attn_name_ends(name, "training_args.bin");
    return !rest && attn_name_ends(name, ends[kind - USUAL]);
}
enum { CANDIDATE_KINDS = 8 };

/* The most usual one; NULL: none. */
static const char *find_tensors(const attn_bundle *bundle) {
    for (size_t kind = 0; kind < CANDIDATE_KINDS; kind++) {
        for (size_t i = 0; i < attn_bundle_count(bundle); i++) {
            if (is_candidate(attn_bundle_name(bundle, i), kind)) {
                return attn_bundle_name(bundle, i);
            }
        }
    }
    return NULL;
}

/* ---- reading ---- */

/* "/models/en-fr.npz" gives "en-fr", and so does the folder "en-fr/". */
static void name_after(const char *path, char *out, size_t size) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    size_t start = length;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    size_t end = length;
    while (end > start && path[end] != '.') {
        end--;
    }
    end = end > start ? end : length;
    snprintf(out, size, "%.*s", (int)(end - start), path + start);
}

static attn_status read_file(const attn_import_files *files, attn_imported *out,
                             attn_error *error) {
    attn_tensor_file *file = NULL;
    attn_status status = attn_bundle_tensors(files->bundle, files->tensors, &file, error);
    const attn_importer *importer = NULL;
    for (size_t i = 0; status == ATTN_OK && i < IMPORTERS && importer == NULL; i++) {
        importer = importers[i]->recognises(files->bundle, file) ? importers[i] : NULL;
    }
    if (status == ATTN_OK && importer == NULL) {
        status = attn_fail(error, ATTN_ERR_UNSUPPORTED, files->tensors, -1, hint,
                           "%s of a model that attn does not know",
                           attn_tensor_file_kind_name(attn_tensor_file_kind_of(file)));
    }
    if (status == ATTN_OK) {
        out->kind = importer->kind;
        status = importer->read(files, file, out, error);
    }
    if (status != ATTN_OK && error != NULL && error->where[0] == '\0') {
        snprintf(error->where, sizeof error->where, "%s", files->tensors);
    }
    attn_tensor_file_close(file);
    return status;
}

static attn_status read_bundle(const char *folder, const char *tensors, attn_imported *out,
                               attn_error *error) {
    attn_import_files files = {.tensors = tensors};
    attn_status status = attn_bundle_open(folder, &files.bundle, error);
    if (status == ATTN_OK && files.tensors == NULL) {
        files.tensors = find_tensors(files.bundle);
    }
    if (status == ATTN_OK && files.tensors == NULL) {
        status =
            attn_fail(error, ATTN_ERR_ARGUMENT, folder, -1, hint,
                      "no file of a model in it: looked for *.safetensors, *.bin, *.npz, *.pt");
    }
    status = status == ATTN_OK ? read_file(&files, out, error) : status;
    attn_bundle_close(files.bundle);
    return status;
}

/* A file of tensors is explained by those beside it. */
static attn_status read_beside(const char *path, attn_imported *out, attn_error *error) {
    char folder[4096];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t length = slash != NULL && slash > path ? (size_t)(slash - path) : 1;
    if (length >= sizeof folder) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL, "the path is too long");
    }
    snprintf(folder, sizeof folder, "%.*s", (int)length, slash != NULL ? path : ".");
    attn_status status = read_bundle(folder, name, out, error);
    if (status != ATTN_OK && error != NULL && attn_name_ends(error->where, name)) {
        snprintf(error->where, sizeof error->where, "%s", path); /* as the caller calls it */
    }
    return status;
}

attn_status attn_import_read(const char *path, attn_imported *out, attn_error *error) {
    *out = (attn_imported){.kind = ""};
    name_after(path, out->name, sizeof out->name);
    switch (what_lies_at(path)) {
    case BUNDLE:
        return read_bundle(path, NULL, out, error);
    case TENSORS:
        return read_beside(path, out, error);
    case OWN_MODEL:
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, NULL,
                         "this is a model of attn already");
    case NOTHING:
        break;
    }
    return attn_fail(error, ATTN_ERR_IO, path, -1, hint, "there is no such file or folder");
}

void attn_imported_free(attn_imported *imported) {
    attn_translator_free(imported->translator);
    attn_encoder_free(imported->encoder);
    attn_decoder_free(imported->decoder);
    attn_vision_free(imported->vision);
    attn_tokenizer_free(imported->tokenizer);
    free(imported->labels);
    imported->vision = NULL;
    imported->labels = NULL;
    imported->translator = NULL;
    imported->encoder = NULL;
    imported->decoder = NULL;
    imported->tokenizer = NULL;
}

/* ---- what becomes of it ---- */

/* Whether it has to be told which of its languages are meant. */
static bool has_languages(const attn_imported *m) {
    return m->translator != NULL &&
           attn_translator_get_config(m->translator)->tagging != ATTN_TAGGING_TARGET;
}

/* "eng_Latn fra_Latn": those of a model that has to be told which; else NULL. */
static attn_status list_languages(const attn_imported *m, char **out, attn_error *error) {
    attn_buffer list = {0};
    char code[ATTN_TAG_SIZE];
    *out = NULL;
    if (!has_languages(m)) {
        return ATTN_OK;
    }
    for (int32_t id = 0; id < attn_tokenizer_size(m->tokenizer); id++) {
        if (attn_language_of_piece(m->tokenizer, id, code)) {
            attn_buffer_add(&list, " ", list.length > 0);
            attn_buffer_add(&list, code, strlen(code));
        }
    }
    return attn_buffer_take(&list, out, error);
}

static attn_status save(const attn_imported *m, attn_storage storage, const attn_metadata *given,
                        size_t count, const char *path, attn_error *error) {
    size_t size;
    if (m->vision != NULL) {
        size = m->labels != NULL ? strlen(m->labels) : 0;
        return attn_vision_save(m->vision, storage, m->labels, size, given, count, path, error);
    }
    const void *bytes = attn_tokenizer_bytes(m->tokenizer, &size);
    if (m->decoder != NULL) {
        return attn_decoder_save(m->decoder, storage, bytes, size, given, count, path, error);
    }
    return m->encoder != NULL
               ? attn_encoder_save(m->encoder, storage, bytes, size, given, count, path, error)
               : attn_translator_save(m->translator, storage, bytes, size, given, count, path,
                                      error);
}

attn_status attn_import_save(const attn_imported *m, attn_storage storage, const char *path,
                             attn_error *error) {
    char *languages = NULL;
    attn_status status = list_languages(m, &languages, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_metadata all[] = {{"name", m->name},
                                 {"imported_from", m->kind},
                                 {"source_language", m->source},
                                 {"target_language", m->target},
                                 {"languages", languages != NULL ? languages : ""},
                                 {"licence", m->licence}};
    attn_metadata given[sizeof all / sizeof all[0]];
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].value[0] != '\0') {
            given[count++] = all[i];
        }
    }
    status = save(m, storage, given, count, path, error);
    free(languages);
    return status;
}

static attn_status dress(attn_model *model, const char *path, const char *name,
                         const attn_model_options *options, attn_error *error) {
    free(model->path);
    model->path = strdup(path);
    model->name = strdup(name);
    if (model->path == NULL || model->name == NULL) {
        return attn_fail_memory(error, strlen(path) + strlen(name));
    }
    if (model->kind == ATTN_MODEL_TRANSLATOR && model->source[0] == '\0' &&
        attn_translator_get_config(model->translator)->tagging == ATTN_TAGGING_TARGET) {
        attn_model_languages_of_name(model);
    }
    attn_status status = ATTN_OK;
    if (options != NULL && options->shortlist != NULL) {
        status = attn_model_set_shortlist(model, options->shortlist, error);
    }
    if (status == ATTN_OK && options != NULL && options->glossary != NULL) {
        status = attn_model_set_glossary(model, options->glossary, error);
    }
    return status;
}

static attn_status wrap_translator(const attn_imported *m, const attn_model_options *options,
                                   attn_model **out, attn_error *error) {
    bool given = has_languages(m) && options != NULL;
    const char *source = given && options->source != NULL ? options->source : m->source;
    const char *target = given && options->target != NULL ? options->target : m->target;
    return attn_model_wrap(m->translator, m->tokenizer, source, target, out, error);
}

static attn_status pack(const attn_imported *m, attn_compute compute, attn_error *error) {
    return m->vision != NULL    ? attn_vision_pack(m->vision, error)
           : m->encoder != NULL ? attn_encoder_pack(m->encoder, compute, error)
           : m->decoder != NULL ? attn_decoder_pack(m->decoder, compute, error)
                                : attn_translator_pack(m->translator, compute, error);
}

/* Takes it over. */
static attn_status wrap(attn_imported *m, const attn_model_options *options, attn_model **out,
                        attn_error *error) {
    attn_status status =
        m->vision != NULL
            ? attn_model_wrap_vision(m->vision, m->labels,
                                     m->labels != NULL ? strlen(m->labels) : 0, out, error)
        : m->encoder != NULL ? attn_model_wrap_encoder(m->encoder, m->tokenizer, out, error)
        : m->decoder != NULL ? attn_model_wrap_decoder(m->decoder, m->tokenizer, out, error)
                             : wrap_translator(m, options, out, error);
    free(m->labels);
    return status;
}

static attn_status open_own(const char *path, const attn_model_options *options, attn_model **out,
                            attn_error *error) {
    attn_status status = attn_model_open(path, options, out, error);
    status = status == ATTN_OK ? attn_model_check_languages(*out, error) : status;
    if (status != ATTN_OK) {
        attn_model_close(*out);
        *out = NULL;
    }
    return status;
}

attn_status attn_import_open(const char *path, const attn_model_options *options, attn_model **out,
                             attn_error *error) {
    attn_imported m;
    if (!attn_import_is_foreign(path)) {
        return open_own(path, options, out, error);
    }
    *out = NULL;
    attn_status status = attn_import_read(path, &m, error);
    if (status == ATTN_OK) {
        attn_compute compute = options != NULL ? options->compute : ATTN_COMPUTE_F32;
        status = pack(&m, compute, error);
    }
    if (status != ATTN_OK) {
        attn_imported_free(&m);
        return status;
    }
    status = wrap(&m, options, out, error);
    status = status == ATTN_OK ? dress(*out, path, m.name, options, error) : status;
    status = status == ATTN_OK ? attn_model_check_languages(*out, error) : status;
    if (status != ATTN_OK) {
        attn_model_close(*out);
        *out = NULL;
    }
    return status;
}

/* ---- attn's own, beside them ---- */

static void read_facts(const attn_safetensors *file, attn_imported *out) {
    const struct {
        const char *key;
        char *field;
        size_t size;
    } texts[] = {{"source_language", out->source, sizeof out->source},
                 {"target_language", out->target, sizeof out->target},
                 {"licence", out->licence, sizeof out->licence}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = attn_safetensors_metadata(file, texts[i].key);
        snprintf(texts[i].field, texts[i].size, "%s", value != NULL ? value : "");
    }
}

attn_status attn_import_load(const char *path, attn_imported *out, attn_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    attn_safetensors *file = NULL;
    if (attn_import_is_foreign(path)) {
        attn_status status = attn_import_read(path, out, error);
        return status == ATTN_OK && out->translator == NULL
                   ? attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, "give a translator",
                               out->vision != NULL    ? "it is a network of pictures"
                               : out->decoder != NULL ? "it is a decoder, which goes on with texts"
                                                      : "it is an encoder, for vectors of text")
                   : status;
    }
    *out = (attn_imported){.kind = "attn"};
    name_after(path, out->name, sizeof out->name);
    attn_status status = attn_safetensors_open_header(path, &file, error);
    if (status == ATTN_OK) {
        status = attn_translator_read(file, path, ATTN_LOAD_TO_TRAIN, ATTN_COMPUTE_F32,
                                      &out->translator, &bytes, &size, error);
    }
    if (status == ATTN_OK) {
        read_facts(file, out);
    }
    if (status == ATTN_OK && bytes != NULL) {
        status = attn_tokenizer_from_bytes(bytes, size, &out->tokenizer, error);
    }
    attn_translator_free_bytes(bytes);
    attn_safetensors_close(file);
    return status;
}
