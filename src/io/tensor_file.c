/* io/tensor_file.c: which kind a file is, and the parts of a model in several files. */
#include "io/tensor_file.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/archive.h"
#include "io/ctranslate2.h"
#include "io/dtype.h"
#include "io/file.h"
#include "io/marian_bin.h"
#include "io/npz.h"
#include "io/tensor_list.h"
#include "io/torch_file.h"

struct attn_tensor_file {
    attn_tensor_file_kind kind;
    attn_tensor_list list;
    attn_safetensors **parts; /* of a safetensors model; the tensors lie in them */
    size_t part_count, part_room;
    char *where; /* the path, for the list's messages */
};

const char *attn_tensor_file_kind_name(attn_tensor_file_kind kind) {
    static const char *const names[] = {
        [ATTN_FILE_SAFETENSORS] = "a safetensors file",
        [ATTN_FILE_NPZ] = "an .npz file",
        [ATTN_FILE_MARIAN] = "a Marian .bin file",
        [ATTN_FILE_CTRANSLATE2] = "a CTranslate2 model",
        [ATTN_FILE_TORCH] = "a PyTorch checkpoint",
    };
    return names[kind];
}

/* ---- safetensors ---- */

static bool safetensors_begins(const char *bytes, size_t size) {
    return size > 8 && bytes[8] == '{' && memcmp(bytes + 4, "\0\0\0\0", 4) == 0;
}

/* Takes over the part, also on failure. */
static attn_status add_part(attn_tensor_file *file, attn_safetensors *part, attn_error *error) {
    if (!attn_grow(&file->parts, &file->part_room, file->part_count + 1, sizeof *file->parts)) {
        attn_safetensors_close(part);
        return attn_fail_memory(error, sizeof *file->parts);
    }
    file->parts[file->part_count++] = part;
    attn_status status = ATTN_OK;
    for (size_t i = 0; status == ATTN_OK && i < attn_safetensors_count(part); i++) {
        const attn_tensor_info *t = attn_safetensors_at(part, i);
        status = attn_tensor_list_add(&file->list, t, t->size, -1, error);
    }
    const char *key, *value;
    for (size_t i = 0; status == ATTN_OK && attn_safetensors_metadata_at(part, i, &key, &value);
         i++) {
        status = key[0] != '\0'
                     ? attn_tensor_list_add_text(&file->list, key, value, strlen(value), error)
                     : ATTN_OK;
    }
    return status;
}

static attn_status open_part(attn_tensor_file *file, const char *path, attn_error *error) {
    attn_safetensors *part = NULL;
    attn_status status = attn_safetensors_open(path, &part, error);
    return status == ATTN_OK ? add_part(file, part, error) : status;
}

/* ---- the index of a model in several files: {"weight_map": {"TENSOR": "FILE", ...}} ---- */

static bool index_begins(const char *bytes, size_t size) {
    return size > 0 && bytes[0] == '{';
}

static attn_status open_beside(attn_tensor_file *file, const char *name, attn_error *error) {
    char path[PATH_MAX];
    const char *slash = strrchr(file->where, '/');
    int folder = slash != NULL ? (int)(slash + 1 - file->where) : 0;
    if (!attn_path_stays_below(name) ||
        snprintf(path, sizeof path, "%.*s%s", folder, file->where, name) >= (int)sizeof path) {
        char quoted[120];
        return attn_fail(error, ATTN_ERR_FORMAT, file->where, -1, "do not trust this file",
                         "a part of the model is called \"%s\", which is not in its folder",
                         attn_utf8_quote(quoted, sizeof quoted, name));
    }
    return open_part(file, path, error);
}

/* opened: the parts so far, as the keys of an object. */
static attn_status open_parts(attn_tensor_file *file, json_t *map, json_t *opened,
                              attn_error *error) {
    attn_status status = ATTN_OK;
    for (void *i = json_object_iter(map); status == ATTN_OK && i != NULL;
         i = json_object_iter_next(map, i)) {
        const char *name = json_string_value(json_object_iter_value(i));
        if (name == NULL) {
            return attn_fail(error, ATTN_ERR_FORMAT, file->where, -1, "the file is damaged",
                             "\"weight_map\" has to give the file of each tensor");
        }
        if (json_object_get(opened, name) != NULL) {
            continue;
        }
        if (json_object_set_new(opened, name, json_true()) != 0) {
            return attn_fail_memory(error, strlen(name));
        }
        status = open_beside(file, name, error);
    }
    return status;
}

static attn_status read_index(attn_tensor_file *file, const char *bytes, size_t size,
                              attn_error *error) {
    json_error_t cause;
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &cause);
    json_t *map = json_object_get(root, "weight_map");
    attn_status status;
    if (root == NULL) {
        status = attn_fail(error, ATTN_ERR_FORMAT, file->where, cause.line, "is it a model?",
                           "it is no JSON: %s", cause.text);
    } else if (!json_is_object(map)) {
        status = attn_fail(error, ATTN_ERR_FORMAT, file->where, -1,
                           "name the file with the weights, or its folder",
                           "this JSON file is no index of a model: it has no \"weight_map\"");
    } else {
        json_t *opened = json_object();
        status = open_parts(file, map, opened, error);
        json_decref(opened);
    }
    json_decref(root);
    return status;
}

/* ---- which kind ---- */

/* Files that people try, and what to do with them. */
static const struct {
    const char *start;
    size_t size;
    const char *what, *hint;
} strangers[] = {
    {"GGUF", 4, "a GGUF file", "import the model that it was made from"},
    {"version https://git-lfs", 23, "a note of git-lfs, not the file itself",
     "fetch the file with git lfs pull"},
    {"\x1F\x8B", 2, "packed with gzip", "unpack it first: gunzip FILE"},
    {"\x89HDF", 4, "an HDF5 file", "save the model as safetensors"},
    {"\x08\x07\x12", 3, "an ONNX file", "import the model that it was made from"},
    {"<!DOCTYPE", 9, "a web page", "the download gave a page instead of the file"},
};

static attn_status refuse_stranger(const char *bytes, size_t size, const char *where,
                                   attn_error *error) {
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        if (size >= strangers[i].size &&
            memcmp(bytes, strangers[i].start, strangers[i].size) == 0) {
            return attn_fail(error, ATTN_ERR_UNSUPPORTED, where, -1, strangers[i].hint, "it is %s",
                             strangers[i].what);
        }
    }
    return attn_fail(error, ATTN_ERR_FORMAT, where, 0, "is it the file with the weights?",
                     "no kind of model file that attn knows");
}

static attn_status read_archive(attn_tensor_file *file, attn_archive *archive, attn_error *error) {
    if (attn_torch_is(archive)) {
        file->kind = ATTN_FILE_TORCH;
        return attn_torch_read_zip(archive, &file->list, error);
    }
    if (attn_npz_is(archive)) {
        file->kind = ATTN_FILE_NPZ;
        return attn_npz_read(archive, &file->list, error);
    }
    return attn_fail(error, ATTN_ERR_FORMAT, file->where, -1,
                     "name the file with the weights in it",
                     "the zip file is neither an .npz nor a PyTorch checkpoint");
}

/* bytes live as long as the file. */
static attn_status read_bytes(attn_tensor_file *file, const char *bytes, size_t size,
                              attn_error *error) {
    attn_archive *archive = NULL;
    if (attn_archive_begins(bytes, size)) {
        attn_status status = attn_archive_parse(bytes, size, file->where, &archive, error);
        status = status == ATTN_OK ? read_archive(file, archive, error) : status;
        attn_archive_close(archive);
        return status;
    }
    /* Marian before safetensors, which a file of 123 parameters looks like. */
    if (attn_marian_bin_begins(bytes, size)) {
        file->kind = ATTN_FILE_MARIAN;
        return attn_marian_bin_read(bytes, size, &file->list, error);
    }
    if (safetensors_begins(bytes, size)) {
        attn_safetensors *part = NULL;
        attn_status status = attn_safetensors_parse(bytes, size, file->where, &part, error);
        return status == ATTN_OK ? add_part(file, part, error) : status;
    }
    if (attn_ctranslate2_begins(bytes, size)) {
        file->kind = ATTN_FILE_CTRANSLATE2;
        return attn_ctranslate2_read(bytes, size, &file->list, error);
    }
    if (attn_torch_begins(bytes, size)) {
        file->kind = ATTN_FILE_TORCH;
        return attn_torch_read_old(bytes, size, &file->list, error);
    }
    if (index_begins(bytes, size)) {
        return read_index(file, bytes, size, error);
    }
    return refuse_stranger(bytes, size, file->where, error);
}

/* ---- opening ---- */

static attn_status file_new(const char *name, attn_tensor_file **out, attn_error *error) {
    attn_tensor_file *file = attn_alloc_zero(1, sizeof *file);
    if (file == NULL) {
        return attn_fail_memory(error, sizeof *file);
    }
    file->where = attn_alloc(strlen(name) + 1);
    if (file->where == NULL) {
        attn_free(file);
        return attn_fail_memory(error, strlen(name) + 1);
    }
    memcpy(file->where, name, strlen(name) + 1);
    file->list.where = file->where;
    *out = file;
    return ATTN_OK;
}

static attn_status finish(attn_tensor_file *file, attn_status status, attn_tensor_file **out,
                          attn_error *error) {
    if (status == ATTN_OK) {
        status = attn_tensor_list_finish(&file->list, error);
    }
    if (status != ATTN_OK) {
        attn_tensor_file_close(file);
        return status;
    }
    *out = file;
    return ATTN_OK;
}

attn_status attn_tensor_file_take(char *bytes, size_t size, const char *name,
                                  attn_tensor_file **out, attn_error *error) {
    attn_tensor_file *file = NULL;
    attn_status status = file_new(name, &file, error);
    if (status != ATTN_OK) {
        attn_free(bytes);
        return status;
    }
    status = attn_tensor_list_adopt(&file->list, bytes, error);
    status = status == ATTN_OK ? read_bytes(file, bytes, size, error) : status;
    return finish(file, status, out, error);
}

/* The first bytes: enough to see whether it is better read piece by piece. */
static attn_status read_start(const char *path, char start[16], size_t *size, attn_error *error) {
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return attn_fail_errno(error, path, "cannot open");
    }
    *size = fread(start, 1, 16, stream);
    attn_status status = ferror(stream) ? attn_fail_errno(error, path, "cannot read") : ATTN_OK;
    fclose(stream);
    return status;
}

/* A zip file is not read whole beside its members, nor a safetensors file copied. */
static attn_status open_pieces(const char *path, bool zip, attn_tensor_file **out,
                               attn_error *error) {
    attn_tensor_file *file = NULL;
    attn_archive *archive = NULL;
    attn_status status = file_new(path, &file, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (zip) {
        status = attn_archive_open(path, &archive, error);
        status = status == ATTN_OK ? read_archive(file, archive, error) : status;
        attn_archive_close(archive);
    } else {
        status = open_part(file, path, error);
    }
    return finish(file, status, out, error);
}

attn_status attn_tensor_file_open(const char *path, attn_tensor_file **out, attn_error *error) {
    char start[16], *bytes = NULL;
    size_t size = 0;
    attn_status status = read_start(path, start, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    bool zip = attn_archive_begins(start, size);
    if (zip || (safetensors_begins(start, size) && !attn_marian_bin_begins(start, size))) {
        return open_pieces(path, zip, out, error);
    }
    status = attn_file_read(path, 0, &bytes, &size, error);
    return status == ATTN_OK ? attn_tensor_file_take(bytes, size, path, out, error) : status;
}

void attn_tensor_file_close(attn_tensor_file *file) {
    if (file == NULL) {
        return;
    }
    for (size_t i = 0; i < file->part_count; i++) {
        attn_safetensors_close(file->parts[i]);
    }
    attn_free(file->parts);
    attn_tensor_list_free(&file->list);
    attn_free(file->where);
    attn_free(file);
}

/* ---- what is in it ---- */

attn_tensor_file_kind attn_tensor_file_kind_of(const attn_tensor_file *file) {
    return file->kind;
}

size_t attn_tensor_file_count(const attn_tensor_file *file) {
    return file->list.count;
}

const attn_tensor_info *attn_tensor_file_at(const attn_tensor_file *file, size_t index) {
    return index < file->list.count ? &file->list.tensors[index] : NULL;
}

const attn_tensor_info *attn_tensor_file_find(const attn_tensor_file *file, const char *name) {
    return attn_tensor_list_find(&file->list, name);
}

const char *attn_tensor_file_text(const attn_tensor_file *file, const char *key) {
    return attn_tensor_list_text(&file->list, key);
}

bool attn_tensor_file_text_at(const attn_tensor_file *file, size_t index, const char **key,
                              const char **value) {
    if (index >= file->list.text_count) {
        return false;
    }
    *key = file->list.texts[index].key;
    *value = file->list.texts[index].value;
    return true;
}

void attn_tensor_floats(const attn_tensor_info *tensor, float *out) {
    attn_f32_from(tensor->dtype, tensor->data, tensor->size / attn_dtype_size(tensor->dtype), out);
}
