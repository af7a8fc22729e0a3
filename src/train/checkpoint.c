/* train/checkpoint.c: sections of a checkpoint as tensors, each with its hash. */
#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/memory.h"

enum { MAX_SECTIONS = 8, COUNTS = sizeof(((attn_train_state *)0)->count) / sizeof(int64_t) };
enum { REALS = sizeof(((attn_train_state *)0)->real) / sizeof(double) };

static const char version_key[] = "attn.checkpoint", version[] = "2", layout_key[] = "layout";
static const char damaged_hint[] = "use another copy of it, or begin again with --force";

uint64_t attn_train_layout(const attn_params *params) {
    uint64_t hash = 0;
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *param = attn_params_at(params, i);
        int64_t shape[2] = {param->rows, param->cols};
        hash = attn_hash64(param->name, strlen(param->name), hash);
        hash = attn_hash64(shape, sizeof shape, hash);
        if (param->frozen) {
            size_t bytes = (size_t)(param->rows * param->cols) * sizeof *param->data;
            hash = attn_hash64(param->data, bytes, hash);
        }
    }
    return hash;
}

/* ---- writing ---- */

typedef struct section_list {
    attn_tensor_info section[MAX_SECTIONS];
    attn_metadata pair[MAX_SECTIONS + 2];
    char key[MAX_SECTIONS][32], hash[MAX_SECTIONS][20], layout[20];
    size_t count;
} section_list;

static void add_section(section_list *list, const char *name, attn_dtype dtype, const void *data,
                        int64_t elements, size_t element_size) {
    size_t i = list->count++;
    size_t size = (size_t)elements * element_size;
    list->section[i] = (attn_tensor_info){
        .name = name, .dtype = dtype, .rank = 1, .shape = {elements}, .data = data, .size = size};
    snprintf(list->key[i], sizeof list->key[i], "hash.%s", name);
    snprintf(list->hash[i], sizeof list->hash[i], "%016" PRIx64, attn_hash64(data, size, 0));
    list->pair[i] = (attn_metadata){list->key[i], list->hash[i]};
}

static attn_status write_sections(section_list *list, uint64_t layout, const char *path,
                                  attn_error *error) {
    snprintf(list->layout, sizeof list->layout, "%016" PRIx64, layout);
    list->pair[list->count] = (attn_metadata){version_key, version};
    list->pair[list->count + 1] = (attn_metadata){layout_key, list->layout};
    return attn_safetensors_write(path, list->section, list->count, list->pair, list->count + 2,
                                  error);
}

attn_status attn_checkpoint_save(const attn_checkpoint *checkpoint, const char *path,
                                 attn_error *error) {
    section_list list = {.count = 0};
    const attn_train_state *state = &checkpoint->state;
    add_section(&list, "counts", ATTN_DTYPE_I64, &state->count, COUNTS, sizeof(int64_t));
    add_section(&list, "reals", ATTN_DTYPE_F64, &state->real, REALS, sizeof(double));
    add_section(&list, "weights", ATTN_DTYPE_F32, checkpoint->weights, checkpoint->size,
                sizeof(float));
    add_section(&list, "adam.m", ATTN_DTYPE_F32, checkpoint->adam_m, checkpoint->size,
                sizeof(float));
    add_section(&list, "adam.v", ATTN_DTYPE_F32, checkpoint->adam_v, checkpoint->size,
                sizeof(float));
    if (checkpoint->ema != NULL) {
        add_section(&list, "ema", ATTN_DTYPE_F32, checkpoint->ema, checkpoint->size, sizeof(float));
    }
    add_section(&list, "options", ATTN_DTYPE_U8, checkpoint->options,
                (int64_t)checkpoint->options_size, 1);
    if (checkpoint->tokenizer != NULL) {
        add_section(&list, "tokenizer", ATTN_DTYPE_U8, checkpoint->tokenizer,
                    (int64_t)checkpoint->tokenizer_size, 1);
    }
    return write_sections(&list, checkpoint->layout, path, error);
}

attn_status attn_snapshot_save(const float *weights, int64_t size, uint64_t layout,
                               const char *path, attn_error *error) {
    section_list list = {.count = 0};
    add_section(&list, "weights", ATTN_DTYPE_F32, weights, size, sizeof(float));
    return write_sections(&list, layout, path, error);
}

/* ---- reading ---- */

static attn_status open_sections(const char *path, attn_safetensors **file, uint64_t *layout,
                                 attn_error *error) {
    attn_status status = attn_safetensors_open(path, file, error);
    if (status != ATTN_OK) {
        return status;
    }
    const char *found = attn_safetensors_metadata(*file, version_key);
    const char *hash = attn_safetensors_metadata(*file, layout_key);
    if (found == NULL) {
        status =
            attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "this is not a training checkpoint");
    } else if (strcmp(found, version) != 0) {
        status = attn_fail(
            error, ATTN_ERR_UNSUPPORTED, path, -1, "resume with the version of attn that wrote it",
            "a checkpoint of version %.16s; this attn reads version %s", found, version);
    } else if (hash == NULL || sscanf(hash, "%16" SCNx64, layout) != 1) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, damaged_hint,
                           "the checkpoint does not say which model it belongs to");
    }
    if (status != ATTN_OK) {
        attn_safetensors_close(*file);
        *file = NULL;
    }
    return status;
}

/* elements -1: any number. */
static attn_status get(const attn_safetensors *file, const char *path, const char *name,
                       attn_dtype dtype, int64_t elements, const attn_tensor_info **out,
                       attn_error *error) {
    const attn_tensor_info *section = attn_safetensors_find(file, name);
    if (section == NULL || section->dtype != dtype || section->rank != 1 ||
        (elements >= 0 && section->shape[0] != elements)) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, damaged_hint,
                         "section '%s' is missing or has the wrong size", name);
    }
    char key[32], hash[20];
    snprintf(key, sizeof key, "hash.%s", name);
    snprintf(hash, sizeof hash, "%016" PRIx64, attn_hash64(section->data, section->size, 0));
    const char *expected = attn_safetensors_metadata(file, key);
    if (expected == NULL || strcmp(expected, hash) != 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, -1, damaged_hint,
                         "section '%s' is damaged: its hash is %s, not %.20s", name, hash,
                         expected != NULL ? expected : "given");
    }
    *out = section;
    return ATTN_OK;
}

/* Whether a training can be in this state: hashes say only that nobody changed it by accident. */
static bool is_sound(const attn_train_state *s) {
    static const int64_t MOST = INT64_C(1) << 53;
    int64_t count[COUNTS];
    memcpy(count, &s->count, sizeof count);
    bool sound = true;
    for (int i = 0; i < COUNTS - 1; i++) { /* the last is a hash */
        sound = sound && count[i] >= 0 && count[i] <= MOST;
    }
    return sound && s->count.next_batch <= s->count.batches && s->count.skipped <= s->count.step &&
           s->count.skipped_in_a_row <= s->count.skipped && s->count.step <= s->count.batches &&
           s->count.window_units <= s->count.units &&
           s->count.best_validation <= s->count.validations &&
           s->count.best_step <= s->count.validated_step &&
           s->count.validated_step <= s->count.step && isfinite(s->real.seconds) &&
           s->real.seconds >= 0;
}

static attn_status get_state(const attn_safetensors *file, const char *path,
                             attn_train_state *state, attn_error *error) {
    const attn_tensor_info *counts, *reals;
    attn_status status = get(file, path, "counts", ATTN_DTYPE_I64, COUNTS, &counts, error);
    if (status == ATTN_OK) {
        status = get(file, path, "reals", ATTN_DTYPE_F64, REALS, &reals, error);
    }
    if (status == ATTN_OK) {
        memcpy(&state->count, counts->data, sizeof state->count);
        memcpy(&state->real, reals->data, sizeof state->real);
    }
    if (status == ATTN_OK && !is_sound(state)) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, damaged_hint,
                           "its counts are those of no training");
    }
    return status;
}

static attn_status get_arrays(attn_checkpoint *out, const char *path, attn_error *error) {
    static const char *const names[] = {"weights", "adam.m", "adam.v"};
    const float **arrays[] = {&out->weights, &out->adam_m, &out->adam_v};
    int64_t size = -1;
    for (int i = 0; i < 3; i++) {
        const attn_tensor_info *section;
        attn_status status = get(out->file, path, names[i], ATTN_DTYPE_F32, size, &section, error);
        if (status != ATTN_OK) {
            return status;
        }
        size = section->shape[0];
        *arrays[i] = section->data;
    }
    out->size = size;
    if (attn_safetensors_find(out->file, "ema") == NULL) {
        return ATTN_OK;
    }
    const attn_tensor_info *ema;
    attn_status status = get(out->file, path, "ema", ATTN_DTYPE_F32, size, &ema, error);
    out->ema = status == ATTN_OK ? ema->data : NULL;
    return status;
}

static attn_status get_texts(attn_checkpoint *out, const char *path, attn_error *error) {
    const attn_tensor_info *options, *tokenizer;
    attn_status status = get(out->file, path, "options", ATTN_DTYPE_U8, -1, &options, error);
    if (status != ATTN_OK) {
        return status;
    }
    out->options = options->data;
    out->options_size = options->size;
    if (attn_safetensors_find(out->file, "tokenizer") == NULL) {
        return ATTN_OK;
    }
    status = get(out->file, path, "tokenizer", ATTN_DTYPE_U8, -1, &tokenizer, error);
    if (status == ATTN_OK) {
        out->tokenizer = tokenizer->data;
        out->tokenizer_size = tokenizer->size;
    }
    return status;
}

attn_status attn_checkpoint_load(const char *path, attn_checkpoint *out, attn_error *error) {
    *out = (attn_checkpoint){.file = NULL};
    attn_status status = open_sections(path, &out->file, &out->layout, error);
    if (status == ATTN_OK) {
        status = get_state(out->file, path, &out->state, error);
    }
    if (status == ATTN_OK) {
        status = get_arrays(out, path, error);
    }
    if (status == ATTN_OK) {
        status = get_texts(out, path, error);
    }
    if (status != ATTN_OK) {
        attn_checkpoint_close(out);
    }
    return status;
}

static attn_status share_array(attn_group *group, const void **data, size_t *bytes,
                               attn_error *error) {
    void *array = (void *)(uintptr_t)*data;
    attn_status status = attn_group_broadcast_array(group, &array, bytes, error);
    *data = array;
    return status;
}

attn_status attn_checkpoint_share(attn_group *group, attn_checkpoint *c, bool *loaded,
                                  attn_error *error) {
    if (group == NULL) {
        return ATTN_OK;
    }
    struct head {
        attn_train_state state;
        uint64_t layout;
        int64_t size, loaded;
    } head = {c->state, c->layout, c->size, *loaded};
    attn_status status = attn_group_broadcast(group, &head, sizeof head, error);
    if (status != ATTN_OK || head.loaded == 0) {
        return status;
    }
    if (!attn_group_leads(group)) {
        *c = (attn_checkpoint){
            .state = head.state, .layout = head.layout, .size = head.size, .received = true};
        *loaded = true;
    }
    size_t bytes = (size_t)c->size * sizeof(float);
    const float **arrays[] = {&c->weights, &c->adam_m, &c->adam_v, &c->ema};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && status == ATTN_OK; i++) {
        const void *array = *arrays[i];
        status = share_array(group, &array, &bytes, error);
        *arrays[i] = array;
    }
    const void *options = c->options;
    status = status == ATTN_OK ? share_array(group, &options, &c->options_size, error) : status;
    c->options = options;
    return status == ATTN_OK ? share_array(group, &c->tokenizer, &c->tokenizer_size, error)
                             : status;
}

void attn_checkpoint_close(attn_checkpoint *checkpoint) {
    const attn_checkpoint *c = checkpoint;
    const void *const arrays[] = {c->weights, c->adam_m,  c->adam_v,
                                  c->ema,     c->options, c->tokenizer};
    for (size_t i = 0; c->received && i < sizeof arrays / sizeof *arrays; i++) {
        attn_free((void *)(uintptr_t)arrays[i]);
    }
    attn_safetensors_close(checkpoint->file);
    *checkpoint = (attn_checkpoint){.file = NULL};
}

attn_status attn_snapshot_load(const char *path, uint64_t layout, int64_t size, float *weights,
                               attn_error *error) {
    attn_safetensors *file = NULL;
    const attn_tensor_info *section;
    uint64_t found = 0;
    attn_status status = open_sections(path, &file, &found, error);
    if (status == ATTN_OK && found != layout) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL,
                           "these are the weights of another model");
    }
    if (status == ATTN_OK) {
        status = get(file, path, "weights", ATTN_DTYPE_F32, size, &section, error);
    }
    if (status == ATTN_OK) {
        memcpy(weights, section->data, section->size);
    }
    attn_safetensors_close(file);
    return status;
}
