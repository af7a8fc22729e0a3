/* models/translator_file.c: a translator as one .safetensors file.
 *
 * The configuration is in the metadata, one string a key, from the table below; the weights are
 * named as in the table of tensors; "tokenizer" holds the tokenizer's bytes. Matrices may be stored
 * as bfloat16, or as int8 with one scale a row in NAME.scale; vectors are always float32. Next:
 * io/safetensors.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/safetensors.h"
#include "base/fail.h"
#include "io/dtype.h"
#include "models/translator.h"
#include "tape/tape.h"

#define FORMAT_KEY     "attn.model"
#define FORMAT_NAME    "translator"
#define VERSION_KEY    "attn.version"
#define VERSION        "1"
#define STORAGE_KEY    "attn.storage"
#define TOKENIZER_NAME "tokenizer"

enum { VALUE_SIZE = 32, SCALE_NAME_SIZE = sizeof((attn_param *)0)->name + 8 };

typedef enum config_type { CONFIG_INT, CONFIG_BOOL, CONFIG_ACTIVATION, CONFIG_RATE } config_type;

static const struct config_key {
    const char *key;
    config_type type;
    size_t offset;
} config_keys[] = {
    {"vocabulary", CONFIG_INT, offsetof(attn_translator_config, vocabulary)},
    {"d_model", CONFIG_INT, offsetof(attn_translator_config, d_model)},
    {"ffn", CONFIG_INT, offsetof(attn_translator_config, ffn)},
    {"heads", CONFIG_INT, offsetof(attn_translator_config, heads)},
    {"kv_heads", CONFIG_INT, offsetof(attn_translator_config, kv_heads)},
    {"encoder_layers", CONFIG_INT, offsetof(attn_translator_config, encoder_layers)},
    {"decoder_layers", CONFIG_INT, offsetof(attn_translator_config, decoder_layers)},
    {"max_length", CONFIG_INT, offsetof(attn_translator_config, max_length)},
    {"pre_norm", CONFIG_BOOL, offsetof(attn_translator_config, pre_norm)},
    {"learned_positions", CONFIG_BOOL, offsetof(attn_translator_config, learned_positions)},
    {"activation", CONFIG_ACTIVATION, offsetof(attn_translator_config, activation)},
    {"dropout", CONFIG_RATE, offsetof(attn_translator_config, dropout)},
    {"attention_dropout", CONFIG_RATE, offsetof(attn_translator_config, attention_dropout)},
    {"activation_dropout", CONFIG_RATE, offsetof(attn_translator_config, activation_dropout)},
    {"label_smoothing", CONFIG_RATE, offsetof(attn_translator_config, label_smoothing)},
};
enum { CONFIG_KEYS = sizeof config_keys / sizeof config_keys[0] };

static const char *const storage_names[] = {"f32", "bf16", "i8"};

static void config_print(const attn_translator_config *config, const struct config_key *key,
                         char value[VALUE_SIZE]) {
    const void *field = (const char *)config + key->offset;
    switch (key->type) {
    case CONFIG_INT:
        snprintf(value, VALUE_SIZE, "%lld", (long long)*(const int64_t *)field);
        break;
    case CONFIG_BOOL:
        snprintf(value, VALUE_SIZE, "%s", *(const bool *)field ? "true" : "false");
        break;
    case CONFIG_ACTIVATION:
        snprintf(value, VALUE_SIZE, "%s",
                 *(const attn_activation *)field == ATTN_ACTIVATION_GELU ? "gelu" : "relu");
        break;
    case CONFIG_RATE: {
        /* Not printf's, whose decimal point depends on the locale. */
        long long millionths = (long long)(*(const double *)field * 1e6 + 0.5);
        int end =
            snprintf(value, VALUE_SIZE, "%lld.%06lld", millionths / 1000000, millionths % 1000000);
        while (value[end - 1] == '0' && value[end - 2] != '.') {
            value[--end] = '\0';
        }
        break;
    }
    }
}

/* "0.1": digits, a point, at most six digits; whatever the locale. */
static bool rate_read(const char *value, double *rate) {
    char *end;
    errno = 0;
    long long whole = strtoll(value, &end, 10), fraction = 0, unit = 1000000;
    if (end == value || whole < 0 || whole > 1000 || errno != 0) {
        return false;
    }
    if (*end == '.') {
        for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
            unit /= 10;
            fraction += (*end - '0') * unit;
        }
    }
    *rate = (double)(whole * 1000000 + fraction) / 1e6;
    return *end == '\0';
}

static bool config_read(attn_translator_config *config, const struct config_key *key,
                        const char *value) {
    void *field = (char *)config + key->offset;
    if (key->type == CONFIG_BOOL) {
        *(bool *)field = strcmp(value, "true") == 0;
        return *(bool *)field || strcmp(value, "false") == 0;
    }
    if (key->type == CONFIG_ACTIVATION) {
        bool gelu = strcmp(value, "gelu") == 0;
        *(attn_activation *)field = gelu ? ATTN_ACTIVATION_GELU : ATTN_ACTIVATION_RELU;
        return gelu || strcmp(value, "relu") == 0;
    }
    if (key->type == CONFIG_RATE) {
        return rate_read(value, field);
    }
    char *end;
    errno = 0;
    *(int64_t *)field = strtoll(value, &end, 10);
    return end != value && *end == '\0' && errno == 0;
}

/* ---- saving ---- */

typedef struct writer {
    attn_arena arena; /* what the tensors point to */
    attn_tensor_info *tensors;
    size_t tensor_count;
    attn_metadata *metadata;
    size_t metadata_count;
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

static attn_status add_tensors(writer *w, const attn_translator *m, attn_storage storage,
                               const void *tokenizer, size_t tokenizer_size, attn_error *error) {
    size_t rows = attn_params_count(m->params);
    w->tensors = attn_arena_alloc(&w->arena, (2 * rows + 1) * sizeof *w->tensors);
    if (w->tensors == NULL) {
        return attn_fail_memory(error, rows * sizeof *w->tensors);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < rows && status == ATTN_OK; i++) {
        status = add_param(w, attn_params_at(m->params, i), storage, error);
    }
    if (tokenizer != NULL) {
        w->tensors[w->tensor_count++] = (attn_tensor_info){.name = TOKENIZER_NAME,
                                                           .dtype = ATTN_DTYPE_U8,
                                                           .rank = 1,
                                                           .shape = {(int64_t)tokenizer_size},
                                                           .data = tokenizer,
                                                           .size = tokenizer_size};
    }
    return status;
}

static attn_status add_metadata(writer *w, const attn_translator *m, attn_storage storage,
                                const attn_metadata *extra, size_t extra_count, attn_error *error) {
    size_t count = 3 + CONFIG_KEYS + extra_count;
    w->metadata = attn_arena_alloc(&w->arena, count * sizeof *w->metadata);
    char(*values)[VALUE_SIZE] = attn_arena_alloc(&w->arena, CONFIG_KEYS * sizeof *values);
    if (w->metadata == NULL || values == NULL) {
        return attn_fail_memory(error, count * sizeof *w->metadata);
    }
    w->metadata[w->metadata_count++] = (attn_metadata){FORMAT_KEY, FORMAT_NAME};
    w->metadata[w->metadata_count++] = (attn_metadata){VERSION_KEY, VERSION};
    w->metadata[w->metadata_count++] = (attn_metadata){STORAGE_KEY, storage_names[storage]};
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        config_print(&m->config, &config_keys[i], values[i]);
        w->metadata[w->metadata_count++] = (attn_metadata){config_keys[i].key, values[i]};
    }
    for (size_t i = 0; i < extra_count; i++) {
        w->metadata[w->metadata_count++] = extra[i];
    }
    return ATTN_OK;
}

attn_status attn_translator_save(const attn_translator *m, attn_storage storage,
                                 const void *tokenizer, size_t tokenizer_size,
                                 const struct attn_metadata *metadata, size_t metadata_count,
                                 const char *path, attn_error *error) {
    writer w = {0};
    attn_status status = add_tensors(&w, m, storage, tokenizer, tokenizer_size, error);
    if (status == ATTN_OK) {
        status = add_metadata(&w, m, storage, metadata, metadata_count, error);
    }
    if (status == ATTN_OK) {
        status = attn_safetensors_write(path, w.tensors, w.tensor_count, w.metadata,
                                        w.metadata_count, error);
    }
    attn_arena_free(&w.arena);
    return status;
}

/* ---- loading ---- */

static attn_status read_config(const attn_safetensors *file, const char *path,
                               attn_translator_config *config, attn_error *error) {
    const char *format = attn_safetensors_metadata(file, FORMAT_KEY);
    const char *version = attn_safetensors_metadata(file, VERSION_KEY);
    if (format == NULL || version == NULL || strcmp(format, FORMAT_NAME) != 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1,
                         "give a model written by attn train translator",
                         "not an attn translator (metadata %s is %s)", FORMAT_KEY,
                         format != NULL ? format : "missing");
    }
    if (strcmp(version, VERSION) != 0) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, path, -1, "use a newer attn",
                         "model version %.16s, this attn reads version %s", version, VERSION);
    }
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        const char *value = attn_safetensors_metadata(file, config_keys[i].key);
        if (value == NULL || !config_read(config, &config_keys[i], value)) {
            return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "metadata %s is %s%.32s",
                             config_keys[i].key, value != NULL ? "not possible: " : "missing",
                             value != NULL ? value : "");
        }
    }
    return ATTN_OK;
}

static bool has_shape(const attn_tensor_info *t, int rank, int64_t first, int64_t second) {
    return t->rank == rank && t->shape[0] == first && (rank < 2 || t->shape[1] == second);
}

/* A configuration can promise far more memory than the file holds, so every tensor is held to the
 * file before any is allocated. */
static attn_status check_param(const attn_safetensors *file, const char *path,
                               const attn_param *row, attn_error *error) {
    const attn_tensor_info *t = attn_safetensors_find(file, row->name);
    bool matrix = row->rows > 1;
    if (t == NULL) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL, "tensor %s is missing", row->name);
    }
    if (!has_shape(t, matrix ? 2 : 1, matrix ? row->rows : row->cols, row->cols)) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL,
                         "tensor %s has the wrong shape: %lld x %lld wanted", row->name,
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

/* After check_param. */
static void read_param(const attn_safetensors *file, attn_param *row) {
    const attn_tensor_info *t = attn_safetensors_find(file, row->name);
    size_t count = (size_t)(row->rows * row->cols);
    if (t->dtype == ATTN_DTYPE_F32) {
        memcpy(row->data, t->data, count * sizeof(float));
    } else if (t->dtype == ATTN_DTYPE_BF16) {
        attn_f32_from_bf16(t->data, count, row->data);
    } else {
        char name[SCALE_NAME_SIZE];
        scale_name(row, name);
        const float *scale = attn_safetensors_find(file, name)->data;
        attn_f32_from_i8(t->data, scale, (size_t)row->rows, (size_t)row->cols, row->data);
        if (row->row_scale != NULL) {
            memcpy(row->row_scale, scale, (size_t)row->rows * sizeof *scale);
        }
    }
}

/* Only then do the scales of joined matrices stand together. */
static bool all_matrices_i8(const attn_safetensors *file, const attn_params *params) {
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *row = attn_params_at(params, i);
        if (row->rows > 1 && attn_safetensors_find(file, row->name)->dtype != ATTN_DTYPE_I8) {
            return false;
        }
    }
    return true;
}

/* Whether a tensor is a parameter of the model, or the scales of one stored as int8. */
static bool belongs(const attn_safetensors *file, const attn_translator *m, const char *name) {
    if (attn_params_find(m->params, name) != NULL) {
        return true;
    }
    char base[SCALE_NAME_SIZE];
    size_t length = strlen(name), suffix = strlen(".scale");
    if (length < suffix || length >= sizeof base || strcmp(name + length - suffix, ".scale") != 0) {
        return false;
    }
    snprintf(base, sizeof base, "%.*s", (int)(length - suffix), name);
    const attn_tensor_info *t = attn_safetensors_find(file, base);
    return attn_params_find(m->params, base) != NULL && t != NULL && t->dtype == ATTN_DTYPE_I8;
}

/* A file whose tensors this configuration does not name is refused: it is not what it claims to be.
 */
static attn_status check_names(const attn_safetensors *file, const char *path,
                               const attn_translator *m, attn_error *error) {
    for (size_t i = 0; i < attn_safetensors_count(file); i++) {
        const char *name = attn_safetensors_at(file, i)->name;
        if (strcmp(name, TOKENIZER_NAME) != 0 && !belongs(file, m, name)) {
            return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL,
                             "tensor %.80s does not belong to this model", name);
        }
    }
    return ATTN_OK;
}

static attn_status copy_tokenizer(const attn_safetensors *file, const char *path, void **tokenizer,
                                  size_t *tokenizer_size, attn_error *error) {
    const attn_tensor_info *t = attn_safetensors_find(file, TOKENIZER_NAME);
    if (t == NULL) {
        return ATTN_OK;
    }
    if (t->dtype != ATTN_DTYPE_U8 || t->rank != 1) {
        return attn_fail(error, ATTN_ERR_SHAPE, path, -1, NULL, "tensor %s is not bytes",
                         TOKENIZER_NAME);
    }
    *tokenizer = attn_alloc(t->size);
    if (*tokenizer == NULL) {
        return attn_fail_memory(error, t->size);
    }
    memcpy(*tokenizer, t->data, t->size);
    *tokenizer_size = t->size;
    return ATTN_OK;
}

void attn_translator_free_bytes(void *bytes) {
    attn_free(bytes);
}

static attn_status declare(const attn_safetensors *file, const char *path, attn_translator **out,
                           attn_error *error) {
    attn_translator_config config = {0};
    attn_error detail;
    attn_status status = read_config(file, path, &config, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_translator_config_check(&config, &detail) != ATTN_OK) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL,
                         "the configuration is not possible: %.400s", detail.what);
    }
    return attn_translator_declare(&config, out, error);
}

static attn_status load(const attn_safetensors *file, const char *path, bool trainable,
                        attn_compute compute, attn_translator **out, attn_error *error) {
    attn_status status = declare(file, path, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_params *params = (*out)->params;
    for (size_t i = 0; i < attn_params_count(params) && status == ATTN_OK; i++) {
        status = check_param(file, path, attn_params_at(params, i), error);
    }
    status = status == ATTN_OK ? check_names(file, path, *out, error) : status;
    status = status == ATTN_OK ? attn_translator_allocate(*out, trainable, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    if (!trainable && compute == ATTN_COMPUTE_I8 && all_matrices_i8(file, params)) {
        status = attn_params_allocate_row_scales(params);
    }
    for (size_t i = 0; i < attn_params_count(params) && status == ATTN_OK; i++) {
        read_param(file, attn_params_at(params, i));
    }
    if (!trainable && status == ATTN_OK) {
        status = attn_translator_pack(*out, compute);
    }
    size_t bytes = (size_t)attn_params_size(params) * sizeof(real);
    return status == ATTN_OK ? ATTN_OK : attn_fail_memory(error, bytes);
}

attn_status attn_translator_load(const char *path, bool trainable, attn_compute compute,
                                 attn_translator **out, void **tokenizer, size_t *tokenizer_size,
                                 attn_error *error) {
    attn_safetensors *file = NULL;
    *out = NULL;
    if (tokenizer != NULL) {
        *tokenizer = NULL;
        *tokenizer_size = 0;
    }
    attn_status status = attn_safetensors_open(path, &file, error);
    if (status == ATTN_OK) {
        status = load(file, path, trainable, compute, out, error);
    }
    if (status == ATTN_OK && tokenizer != NULL) {
        status = copy_tokenizer(file, path, tokenizer, tokenizer_size, error);
    }
    if (status != ATTN_OK) {
        attn_translator_free(*out);
        *out = NULL;
    }
    attn_safetensors_close(file);
    return status;
}
