/* models/model_file.c: a model as one .safetensors file.
 *
 * Every tensor is held to the table of tensors before memory is spent on any. Next: io/safetensors.c.
 */
#include "models/model_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/real.h"
#include "io/dtype.h"
#include "io/safetensors_hash.h"
#include "attn/safetensors.h"

#define FORMAT_KEY  "attn.model"
#define VERSION_KEY "attn.version"
#define VERSION     "1"
#define STORAGE_KEY "attn.storage"
#define HASH_KEY    "attn.hash" /* attn_tensors_hash of all else, 16 hexadecimal digits */

enum { SCALE_NAME_SIZE = sizeof((attn_param *)0)->name + 8, HASH_SIZE = 17 };

static const char *const storage_names[] = {"f32", "bf16", "i8"};

/* ---- saving ---- */

typedef struct writer {
    attn_arena arena; /* what the tensors point to */
    attn_tensor_info *tensors;
    size_t tensor_count;
    attn_metadata *metadata;
    size_t metadata_count;
    char hash[HASH_SIZE];
} writer;

static void scale_name(const attn_param *row, char name[SCALE_NAME_SIZE]) {
    snprintf(name, SCALE_NAME_SIZE, "%s.scale", row->name);
}

static attn_status add_param(writer *w, const attn_param *row, attn_storage storage,
                             attn_error *error) {
    size_t count = (size_t)(row->rows * row->cols);
    bool matrix = row->rows > 1;
    attn_tensor_info *t = &w->tensors[w->tensor_count++];
    *t = (attn_tensor_info){.name = row->name,
                            .dtype = ATTN_DTYPE_F32,
                            .rank = matrix ? 2 : 1,
                            .shape = {matrix ? row->rows : row->cols, matrix ? row->cols : 0},
                            .data = row->data,
                            .size = count * sizeof(float)};
    if (!matrix || storage == ATTN_STORE_F32) {
        return ATTN_OK;
    }
    if (storage == ATTN_STORE_BF16) {
        uint16_t *half = attn_arena_alloc(&w->arena, count * sizeof *half);
        if (half == NULL) {
            return attn_fail_memory(error, count * sizeof *half);
        }
        attn_bf16_from_f32(row->data, count, half);
        t->dtype = ATTN_DTYPE_BF16;
        t->data = half;
        t->size = count * sizeof *half;
        return ATTN_OK;
    }
    int8_t *q = attn_arena_alloc(&w->arena, count);
    float *scale = attn_arena_alloc(&w->arena, (size_t)row->rows * sizeof *scale);
    char *name = attn_arena_alloc(&w->arena, SCALE_NAME_SIZE);
    if (q == NULL || scale == NULL || name == NULL) {
        return attn_fail_memory(error, count);
    }
    attn_status status =
        attn_i8_from_f32(row->data, (size_t)row->rows, (size_t)row->cols, q, scale, error);
    scale_name(row, name);
    t->dtype = ATTN_DTYPE_I8;
    t->data = q;
    t->size = count;
    w->tensors[w->tensor_count++] = (attn_tensor_info){.name = name,
                                                       .dtype = ATTN_DTYPE_F32,
                                                       .rank = 1,
                                                       .shape = {row->rows},
                                                       .data = scale,
                                                       .size = (size_t)row->rows * sizeof *scale};
    return status;
}

static attn_status add_tensors(writer *w, const attn_model_format *format,
                               const attn_model_content *content, attn_error *error) {
    attn_model_extra extra = content->extra;
    size_t rows = attn_params_count(content->params);
    w->tensors = attn_arena_alloc(&w->arena, (2 * rows + 1) * sizeof *w->tensors);
    if (w->tensors == NULL) {
        return attn_fail_memory(error, rows * sizeof *w->tensors);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < rows && status == ATTN_OK; i++) {
        status = add_param(w, attn_params_at(content->params, i), content->storage, error);
    }
    if (extra.data != NULL) {
        w->tensors[w->tensor_count++] = (attn_tensor_info){.name = format->extra,
                                                           .dtype = ATTN_DTYPE_U8,
                                                           .rank = 1,
                                                           .shape = {(int64_t)extra.size},
                                                           .data = extra.data,
                                                           .size = extra.size};
    }
    return status;
}

static attn_status add_metadata(writer *w, const attn_model_format *format,
                                const attn_model_content *content, attn_error *error) {
    size_t count = 4 + format->key_count + content->metadata_count;
    w->metadata = attn_arena_alloc(&w->arena, count * sizeof *w->metadata);
    char(*values)[ATTN_CONFIG_VALUE_SIZE] =
        attn_arena_alloc(&w->arena, format->key_count * sizeof *values);
    if (w->metadata == NULL || values == NULL) {
        return attn_fail_memory(error, count * sizeof *w->metadata);
    }
    w->metadata[w->metadata_count++] = (attn_metadata){FORMAT_KEY, format->name};
    w->metadata[w->metadata_count++] = (attn_metadata){VERSION_KEY, VERSION};
    w->metadata[w->metadata_count++] =
        (attn_metadata){STORAGE_KEY, storage_names[content->storage]};
    for (size_t i = 0; i < format->key_count; i++) {
        if (attn_config_absent(content->config, &format->keys[i])) {
            continue;
        }
        attn_config_print(content->config, &format->keys[i], values[i]);
        w->metadata[w->metadata_count++] = (attn_metadata){format->keys[i].key, values[i]};
    }
    for (size_t i = 0; i < content->metadata_count; i++) {
        w->metadata[w->metadata_count++] = content->metadata[i];
    }
    return ATTN_OK;
}

static void print_hash(const attn_tensor_info *const *tensors, size_t count,
                       const attn_metadata *metadata, size_t metadata_count, char out[HASH_SIZE]) {
    snprintf(out, HASH_SIZE, "%016" PRIx64,
             attn_tensors_hash(tensors, count, metadata, metadata_count));
}

/* After all else was added. */
static attn_status add_hash(writer *w, attn_error *error) {
    const attn_tensor_info **tensors =
        attn_arena_alloc(&w->arena, w->tensor_count * sizeof *tensors);
    if (tensors == NULL) {
        return attn_fail_memory(error, w->tensor_count * sizeof *tensors);
    }
    for (size_t i = 0; i < w->tensor_count; i++) {
        tensors[i] = &w->tensors[i];
    }
    print_hash(tensors, w->tensor_count, w->metadata, w->metadata_count, w->hash);
    w->metadata[w->metadata_count++] = (attn_metadata){HASH_KEY, w->hash};
    return ATTN_OK;
}

attn_status attn_model_file_save(const attn_model_format *format, const attn_model_content *content,
                                 const char *path, attn_error *error) {
    writer w = {0};
    attn_status status = add_tensors(&w, format, content, error);
    if (status == ATTN_OK) {
        status = add_metadata(&w, format, content, error);
    }
    if (status == ATTN_OK) {
        status = add_hash(&w, error);
    }
    if (status == ATTN_OK) {
        status = attn_safetensors_write(path, w.tensors, w.tensor_count, w.metadata,
                                        w.metadata_count, error);
    }
    attn_arena_free(&w.arena);
    return status;
}

/* ---- verifying ---- */

/* The hash of all that the file holds but its hash. */
static attn_status hash_of_file(const attn_safetensors *file, char out[HASH_SIZE],
                                attn_error *error) {
    size_t count = attn_safetensors_count(file), pairs = 0;
    const char *key, *value;
    while (attn_safetensors_metadata_at(file, pairs, &key, &value)) {
        pairs++;
    }
    const attn_tensor_info **tensors = attn_alloc(count * sizeof *tensors);
    attn_metadata *metadata = attn_alloc(pairs * sizeof *metadata);
    attn_status status = tensors != NULL && metadata != NULL
                             ? ATTN_OK
                             : attn_fail_memory(error, count * sizeof *tensors);
    if (status == ATTN_OK) {
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            tensors[i] = attn_safetensors_at(file, i);
        }
        for (size_t i = 0; attn_safetensors_metadata_at(file, i, &key, &value); i++) {
            if (strcmp(key, HASH_KEY) != 0) {
                metadata[kept++] = (attn_metadata){key, value};
            }
        }
        print_hash(tensors, count, metadata, kept, out);
    }
    attn_free(tensors);
    attn_free(metadata);
    return status;
}

attn_status attn_model_file_verify(const char *path, attn_error *error) {
    attn_safetensors *file = NULL;
    char found[HASH_SIZE];
    attn_status status = attn_safetensors_open(path, &file, error);
    if (status != ATTN_OK) {
        return status;
    }
    const char *said = attn_safetensors_metadata(file, HASH_KEY);
    if (said == NULL) {
        status = attn_fail(error, ATTN_ERR_UNSUPPORTED, path, -1,
                           "compare its SHA-256 with what its publisher states",
                           "there is no hash in it (metadata " HASH_KEY
                           "): another program or an earlier attn made it");
        goto out;
    }
    status = hash_of_file(file, found, error);
    if (status == ATTN_OK && strcmp(said, found) != 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, "fetch the file again",
                           "it does not hold what was written: its hash is %s and should be %.16s",
                           found, said);
    }
out:
    attn_safetensors_close(file);
    return status;
}

/* ---- loading ---- */

attn_status attn_model_file_config(const attn_model_format *format, const attn_safetensors *file,
                                   const char *path, void *config, attn_error *error) {
    const char *name = attn_safetensors_metadata(file, FORMAT_KEY);
    const char *version = attn_safetensors_metadata(file, VERSION_KEY);
    if (name == NULL || version == NULL || strcmp(name, format->name) != 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, format->hint,
                         "not an attn %s (metadata %s is %s)", format->name, FORMAT_KEY,
                         name != NULL ? name : "missing");
    }
    if (strcmp(version, VERSION) != 0) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, path, -1, "use a newer attn",
                         "model version %.16s, this attn reads version %s", version, VERSION);
    }
    for (size_t i = 0; i < format->key_count; i++) {
        const attn_config_key *key = &format->keys[i];
        const char *value = attn_safetensors_metadata(file, key->key);
        if (value == NULL && attn_config_newer(key)) {
            continue;
        }
        if (value == NULL || !attn_config_read(config, key, value)) {
            return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "metadata %s is %s%.32s",
                             key->key, value != NULL ? "invalid: " : "missing",
                             value != NULL ? value : "");
        }
    }
    return ATTN_OK;
}

static bool has_shape(const attn_tensor_info *t, int rank, int64_t first, int64_t second) {
    return t->rank == rank && t->shape[0] == first && (rank < 2 || t->shape[1] == second);
}

static attn_status check_param(const attn_safetensors *file, const char *path,
                               const attn_param *row, attn_error *error) {
    const attn_tensor_info *t = attn_safetensors_find(file, row->name);
    bool matrix = row->rows > 1;
    if (t == NULL) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL, "tensor %s is missing", row->name);
    }
    if (!has_shape(t, matrix ? 2 : 1, matrix ? row->rows : row->cols, row->cols)) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL,
                         "tensor %s has the wrong shape: expected %lld x %lld", row->name,
                         (long long)row->rows, (long long)row->cols);
    }
    if (t->dtype == ATTN_DTYPE_F32 || t->dtype == ATTN_DTYPE_BF16) {
        return ATTN_OK;
    }
    if (t->dtype != ATTN_DTYPE_I8 || !matrix) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL, "tensor %s has type %s", row->name,
                         attn_dtype_name(t->dtype));
    }
    char name[SCALE_NAME_SIZE];
    scale_name(row, name);
    const attn_tensor_info *scale = attn_safetensors_find(file, name);
    if (scale == NULL || scale->dtype != ATTN_DTYPE_F32 || !has_shape(scale, 1, row->rows, 0)) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL,
                         "tensor %s is missing or is not %lld float32 scales", name,
                         (long long)row->rows);
    }
    return ATTN_OK;
}

/* ---- values, a piece at a time: no tensor is in memory twice ---- */

enum { PIECE = 1 << 14 }; /* bytes */

static attn_status read_bf16(const attn_safetensors *file, const attn_tensor_info *t, real *to,
                             size_t count, attn_error *error) {
    uint16_t piece[PIECE / sizeof(uint16_t)];
    attn_status status = ATTN_OK;
    for (size_t done = 0; done < count && status == ATTN_OK;) {
        size_t next = sizeof piece / sizeof *piece;
        next = next < count - done ? next : count - done;
        status = attn_safetensors_read(file, t, done * sizeof *piece, next * sizeof *piece, piece,
                                       error);
        if (status == ATTN_OK) {
            attn_f32_from_bf16(piece, next, to + done);
        }
        done += next;
    }
    return status;
}

static attn_status read_i8(const attn_safetensors *file, const attn_tensor_info *t,
                           const attn_param *row, attn_error *error) {
    int8_t piece[PIECE];
    char name[SCALE_NAME_SIZE];
    size_t columns = (size_t)row->cols;
    scale_name(row, name);
    const attn_tensor_info *scales = attn_safetensors_find(file, name);
    attn_status status = ATTN_OK;
    for (size_t r = 0; r < (size_t)row->rows && status == ATTN_OK; r++) {
        float scale;
        status = attn_safetensors_read(file, scales, r * sizeof scale, sizeof scale, &scale, error);
        for (size_t done = 0; done < columns && status == ATTN_OK;) {
            size_t next = PIECE < columns - done ? PIECE : columns - done;
            status = attn_safetensors_read(file, t, r * columns + done, next, piece, error);
            if (status == ATTN_OK) {
                attn_f32_from_i8(piece, &scale, 1, next, row->data + r * columns + done);
            }
            done += next;
        }
        if (row->row_scale != NULL) {
            row->row_scale[r] = scale;
        }
    }
    return status;
}

attn_status attn_model_file_read_param(const attn_safetensors *file, const attn_param *row,
                                       attn_error *error) {
    const attn_tensor_info *t = attn_safetensors_find(file, row->name);
    size_t count = (size_t)(row->rows * row->cols);
    if (t->dtype == ATTN_DTYPE_F32) {
        return attn_safetensors_read(file, t, 0, count * sizeof(float), row->data, error);
    }
    return t->dtype == ATTN_DTYPE_BF16 ? read_bf16(file, t, row->data, count, error)
                                       : read_i8(file, t, row, error);
}

attn_status attn_model_file_read_weight(const attn_safetensors *file, const attn_params *params,
                                        const attn_linear *linear, real *data, attn_error *error) {
    size_t i = 0;
    while (attn_params_at(params, i) != linear->weight) {
        i++;
    }
    attn_status status = ATTN_OK;
    for (int64_t rows = 0; rows < linear->out && status == ATTN_OK; i++) {
        attn_param part = *attn_params_at(params, i);
        part.data = data + rows * linear->in;
        status = attn_model_file_read_param(file, &part, error);
        rows += part.rows;
    }
    return status;
}

attn_status attn_model_file_pack(const attn_safetensors *file, const attn_params *params,
                                 attn_linear *linear, attn_compute compute, attn_error *error) {
    if (linear->weight->data != NULL) {
        return attn_linear_pack(linear, compute, error);
    }
    size_t bytes = (size_t)(linear->in * linear->out) * sizeof(real);
    real *data = attn_alloc(bytes);
    if (data == NULL) {
        return attn_fail_memory(error, bytes);
    }
    attn_status status = attn_model_file_read_weight(file, params, linear, data, error);
    if (status == ATTN_OK) {
        linear->weight->data = data;
        status = attn_linear_pack(linear, compute, error);
        linear->weight->data = NULL;
    }
    attn_free(data);
    return status;
}

bool attn_model_file_all_i8(const attn_safetensors *file, const attn_params *params) {
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *row = attn_params_at(params, i);
        if (row->rows > 1 && attn_safetensors_find(file, row->name)->dtype != ATTN_DTYPE_I8) {
            return false;
        }
    }
    return true;
}

/* Whether a tensor is a parameter of the model, or the scales of one stored as int8. */
static bool belongs(const attn_safetensors *file, const attn_params *params, const char *name) {
    if (attn_params_find(params, name) != NULL) {
        return true;
    }
    char base[SCALE_NAME_SIZE];
    size_t length = strlen(name), suffix = strlen(".scale");
    if (length < suffix || length >= sizeof base || strcmp(name + length - suffix, ".scale") != 0) {
        return false;
    }
    snprintf(base, sizeof base, "%.*s", (int)(length - suffix), name);
    const attn_tensor_info *t = attn_safetensors_find(file, base);
    return attn_params_find(params, base) != NULL && t != NULL && t->dtype == ATTN_DTYPE_I8;
}

/* A file whose tensors this configuration does not name is refused: it is not what it claims to be.
 */
static attn_status check_names(const attn_model_format *format, const attn_safetensors *file,
                               const char *path, const attn_params *params, attn_error *error) {
    for (size_t i = 0; i < attn_safetensors_count(file); i++) {
        const char *name = attn_safetensors_at(file, i)->name;
        if (strcmp(name, format->extra) != 0 && !belongs(file, params, name)) {
            return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL,
                             "tensor %.80s does not belong to this model", name);
        }
    }
    return ATTN_OK;
}

attn_status attn_model_file_check(const attn_model_format *format, const attn_safetensors *file,
                                  const char *path, const attn_params *params, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < attn_params_count(params) && status == ATTN_OK; i++) {
        status = check_param(file, path, attn_params_at(params, i), error);
    }
    return status == ATTN_OK ? check_names(format, file, path, params, error) : status;
}

attn_status attn_model_file_read(const attn_safetensors *file, const char *path,
                                 const attn_params *params, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < attn_params_count(params) && status == ATTN_OK; i++) {
        const attn_param *row = attn_params_at(params, i);
        status = row->data != NULL ? attn_model_file_read_param(file, row, error) : ATTN_OK;
    }
    if (status != ATTN_OK && error != NULL) {
        snprintf(error->where, sizeof error->where, "%s", path);
    }
    return status;
}

static attn_status start_from(const attn_safetensors *file, const char *path, const char *kind,
                              const attn_params *params, size_t *taken, char *left,
                              size_t left_size, attn_error *error) {
    const char *found = attn_safetensors_metadata(file, FORMAT_KEY);
    if (found == NULL || strcmp(found, kind) != 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, "give a finished model of the same kind",
                         "not an attn %s (metadata %s is %s)", kind, FORMAT_KEY,
                         found != NULL ? found : "missing");
    }
    size_t used = 0;
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < attn_params_count(params) && status == ATTN_OK; i++) {
        attn_param *row = attn_params_at(params, i);
        if (check_param(file, path, row, NULL) == ATTN_OK) {
            status = attn_model_file_read_param(file, row, error);
            ++*taken;
        } else if (used < left_size) {
            used += (size_t)snprintf(left + used, left_size - used, "%s%s", used > 0 ? " " : "",
                                     row->name);
        }
    }
    if (status == ATTN_OK && *taken == 0) {
        status = attn_fail(error, ATTN_ERR_SHAPE, path, -1,
                           "set the sizes that `attn info` shows for it",
                           "none of its tensors has the shape this model needs");
    }
    return status;
}

attn_status attn_model_file_start_from(const char *path, const char *kind,
                                       const attn_params *params, size_t *taken, char *left,
                                       size_t left_size, attn_error *error) {
    attn_safetensors *file = NULL;
    *taken = 0;
    left[0] = '\0';
    attn_status status = attn_safetensors_open(path, &file, error);
    if (status == ATTN_OK) {
        status = start_from(file, path, kind, params, taken, left, left_size, error);
    }
    attn_safetensors_close(file);
    return status;
}

attn_status attn_model_file_extra(const attn_model_format *format, const attn_safetensors *file,
                                  const char *path, void **bytes, size_t *size, attn_error *error) {
    const attn_tensor_info *t = attn_safetensors_find(file, format->extra);
    if (t == NULL) {
        return ATTN_OK;
    }
    if (t->dtype != ATTN_DTYPE_U8 || t->rank != 1) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL, "tensor %s does not hold bytes",
                         format->extra);
    }
    *bytes = attn_alloc(t->size);
    if (*bytes == NULL) {
        return attn_fail_memory(error, t->size);
    }
    *size = t->size;
    return attn_safetensors_read(file, t, 0, t->size, *bytes, error);
}
