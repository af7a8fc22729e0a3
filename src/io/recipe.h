/* io/recipe.h: recipes, short `key = value` files, read into a caller's struct by a table.
 *
 * The table says each key's name, type, place, bounds and help line; parsing, checking, suggesting
 * the nearest key, printing and `--set key=value` all come from it. Parsing of the file: inih. */
#ifndef ATTN_IO_RECIPE_H
#define ATTN_IO_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

typedef enum attn_key_type {
    ATTN_KEY_INT,    /* int64_t */
    ATTN_KEY_REAL,   /* double */
    ATTN_KEY_BOOL,   /* bool: true/false, yes/no, on/off, 1/0 */
    ATTN_KEY_CHOICE, /* int: index into `choices` */
    ATTN_KEY_TEXT,   /* char[ATTN_KEY_TEXT_SIZE] */
} attn_key_type;

enum { ATTN_KEY_TEXT_SIZE = 128 };

typedef struct attn_key {
    const char *name;
    attn_key_type type;
    size_t offset;              /* of the field in the caller's struct */
    double low, high;           /* bounds, inclusive, for INT and REAL */
    const char *const *choices; /* NULL-terminated, for CHOICE */
    const char *help;
} attn_key;

/* A table of keys, joined from parts, with the values it is of. */
enum { ATTN_RECIPE_KEYS = 120 };

typedef struct attn_recipe {
    attn_key keys[ATTN_RECIPE_KEYS];
    size_t count;
    void *values; /* the struct that the keys' offsets are in */
} attn_recipe;

/* Rows of a table of keys for the fields of the struct `type`, of the same names. */
#define ATTN_RECIPE_INT(type, field, low, high, help)                                              \
    { #field, ATTN_KEY_INT, offsetof(type, field), low, high, NULL, help }
#define ATTN_RECIPE_REAL(type, field, low, high, help)                                             \
    { #field, ATTN_KEY_REAL, offsetof(type, field), low, high, NULL, help }
#define ATTN_RECIPE_CHOICE(type, field, choices, help)                                             \
    { #field, ATTN_KEY_CHOICE, offsetof(type, field), 0, 0, choices, help }
#define ATTN_RECIPE_TEXT(type, field, help)                                                        \
    { #field, ATTN_KEY_TEXT, offsetof(type, field), 0, 0, NULL, help }

/* Adds keys after those that are there; their offsets are in a member at `base` of the values. */
void attn_recipe_add(attn_recipe *recipe, const attn_key *keys, size_t count, size_t base);

/* Sets one key from text. `where` and `line` (or -1) go into errors: unknown key (with the nearest
 * known one as the hint), ill-typed value, value out of bounds (the bounds are named). Those are
 * ATTN_ERR_FORMAT and leave the field as it was. Numbers have a '.', whatever the locale. */
ATTN_MUST_CHECK attn_status attn_recipe_set(const attn_recipe *recipe, const char *name,
                                            const char *value, const char *where, int64_t line,
                                            attn_error *error);
/* "key=value", for --set. What ATTN_ERR_FORMAT is above is ATTN_ERR_ARGUMENT here. */
ATTN_MUST_CHECK attn_status attn_recipe_set_pair(const attn_recipe *recipe, const char *pair,
                                                 attn_error *error);
/* Reads a recipe file / text into the values; keys not mentioned keep their value; a key given twice
 * is an error; sections are an error. # or ; begins a comment line. ATTN_ERR_FORMAT with the line;
 * keys above it have been set then. */
ATTN_MUST_CHECK attn_status attn_recipe_read(const attn_recipe *recipe, const char *path,
                                             attn_error *error);
ATTN_MUST_CHECK attn_status attn_recipe_parse(const attn_recipe *recipe, const char *text,
                                              size_t length, const char *name, attn_error *error);
/* One key's value as text that attn_recipe_set reads back to the same value; cut to size. */
void attn_recipe_print(const attn_key *key, const void *values, char *buffer, size_t size);

/* The candidate nearest to name by edit distance, or NULL when none is near. */
const char *attn_nearest(const char *name, const char *const *candidates, size_t count);

#endif
