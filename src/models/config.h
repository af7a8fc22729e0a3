/* models/config.h: configurations as tables: checked, and written and read as text.
 *
 * Next: models/model_file.h, which keeps them in a model's file. */
#ifndef ATTN_MODELS_CONFIG_H
#define ATTN_MODELS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/layers.h"

/* The type of a configuration's field: int64_t, bool, an enum with names, a rate (double, kept to six digits), or a
 * small number (double, to twelve). NEWER: files of older versions lack it, which means 0, false, or the enum's first. */
typedef enum attn_config_type {
    CONFIG_INT,
    CONFIG_NEWER_INT,
    CONFIG_BOOL,
    CONFIG_NEWER_BOOL,
    CONFIG_CHOICE,
    CONFIG_NEWER_CHOICE,
    CONFIG_RATE,
    CONFIG_NEWER_SMALL,
} attn_config_type;

typedef struct attn_config_key {
    const char *key;
    attn_config_type type;
    size_t offset;            /* of the field in the configuration */
    const char *const *names; /* of a choice, by value; "": not allowed; ends with NULL */
} attn_config_key;

enum { ATTN_CONFIG_VALUE_SIZE = 32 };

/* By value, with NULL at the end. That of no activation is "". */
extern const char *const attn_activation_names[];
extern const char *const attn_segmenter_activation_names[];
extern const char *const attn_embeddings_names[];
extern const char *const attn_sinusoids_names[];
extern const char *const attn_tagging_names[];
extern const char *const attn_mixer_names[];
extern const char *const attn_rotary_names[];
extern const char *const attn_segmenter_norm_names[];
extern const char *const attn_pooling_names[];

void attn_config_print(const void *config, const attn_config_key *key,
                       char value[ATTN_CONFIG_VALUE_SIZE]);
/* Whether files of older versions lack the key. */
bool attn_config_newer(const attn_config_key *key);
/* Whether the key is left out of a file: it is newer, and 0 or false. */
bool attn_config_absent(const void *config, const attn_config_key *key);
/* false when the text is no value of the key's type. */
bool attn_config_read(void *config, const attn_config_key *key, const char *value);

/* Relative positions of a configuration that does not set its own. */
enum { ATTN_RELATIVE_BUCKETS = 32, ATTN_RELATIVE_DISTANCE = 128 };

/* ATTN_ERR_ARGUMENT unless low <= value <= high; 0 <= value < 1. */
ATTN_MUST_CHECK attn_status attn_config_check_range(const char *name, int64_t value, int64_t low,
                                                    int64_t high, attn_error *error);
ATTN_MUST_CHECK attn_status attn_config_check_rate(const char *name, double value,
                                                   attn_error *error);
/* ATTN_ERR_ARGUMENT unless these are rotary positions, or none, of heads of this size. */
ATTN_MUST_CHECK attn_status attn_config_check_rotary(attn_rotary rotary, int64_t base, int64_t dim,
                                                     int64_t head_size, bool learned_positions,
                                                     attn_error *error);

#endif
