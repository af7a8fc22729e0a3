/* io/yaml.c: the events of libyaml, with the way from the root to where they happen. */
#include "io/yaml.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "attn/safetensors.h"
#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"

enum { MOST_LEVELS = 32, PATH_LIMIT = 4096, FREE_SIZE = 1 << 16, MOST_REPEATED = 16 };

typedef struct entry {
    size_t name, value; /* where they begin in the strings */
} entry;

struct attn_yaml {
    entry *entries;
    size_t count, room;
    char *strings;
    size_t used, strings_room;
    attn_metadata *by_name; /* names and values, sorted */
};

/* A map or list that has begun. */
typedef struct level {
    bool map, has_key;
    size_t path_length; /* of its own name */
    size_t index;       /* of the next item of a list */
} level;

typedef struct reader {
    yaml_parser_t parser;
    attn_yaml *yaml;
    level levels[MOST_LEVELS];
    int depth;
    bool root_seen;
    char path[PATH_LIMIT];
    size_t path_length, size; /* size: of the text */
    const char *where;
    attn_error *error;
} reader;

static attn_status refuse(reader *r, const yaml_event_t *event, attn_status status,
                          const char *hint, const char *what) {
    return attn_fail(r->error, status, r->where, (int64_t)event->start_mark.line + 1, hint, "%s",
                     what);
}

/* ---- the strings ---- */

static attn_status keep(reader *r, const yaml_event_t *event, const char *text, size_t length,
                        size_t *at) {
    attn_yaml *y = r->yaml;
    if (memchr(text, '\0', length) != NULL) {
        return refuse(r, event, ATTN_ERR_FORMAT, "the file is damaged", "a NUL inside a text");
    }
    if (y->used + length > FREE_SIZE + MOST_REPEATED * r->size) {
        return refuse(r, event, ATTN_ERR_FORMAT, "shorten the names of maps that hold much",
                      "the names repeat too much");
    }
    if (!attn_grow(&y->strings, &y->strings_room, y->used + length + 1, 1)) {
        return attn_fail_memory(r->error, y->used + length + 1);
    }
    memcpy(y->strings + y->used, text, length);
    *at = y->used;
    y->used += length;
    y->strings[y->used++] = '\0';
    return ATTN_OK;
}

static attn_status add_entry(reader *r, const yaml_event_t *event) {
    attn_yaml *y = r->yaml;
    entry added;
    attn_status status = keep(r, event, r->path, r->path_length, &added.name);
    status = status == ATTN_OK ? keep(r, event, (const char *)event->data.scalar.value,
                                      event->data.scalar.length, &added.value)
                               : status;
    if (status != ATTN_OK) {
        return status;
    }
    if (!attn_grow(&y->entries, &y->room, y->count + 1, sizeof *y->entries)) {
        return attn_fail_memory(r->error, y->count * sizeof *y->entries);
    }
    y->entries[y->count++] = added;
    return ATTN_OK;
}

/* ---- the way from the root ---- */

/* The path becomes the name of the level, a dot and `part`. */
static attn_status step_to(reader *r, const yaml_event_t *event, const level *in, const char *part,
                           size_t length) {
    size_t at = in->path_length + (r->depth > 1);
    if (length >= PATH_LIMIT || at + length >= PATH_LIMIT) {
        return refuse(r, event, ATTN_ERR_FORMAT, NULL, "a name of more than 4096 bytes");
    }
    if (r->depth > 1) {
        r->path[in->path_length] = '.';
    }
    memcpy(r->path + at, part, length);
    r->path_length = at + length;
    return ATTN_OK;
}

static attn_status take_key(reader *r, const yaml_event_t *event, level *in) {
    if (event->type != YAML_SCALAR_EVENT) {
        return refuse(r, event, ATTN_ERR_UNSUPPORTED, NULL, "a key that is a map or a list");
    }
    in->has_key = true;
    return step_to(r, event, in, (const char *)event->data.scalar.value, event->data.scalar.length);
}

static attn_status go_down(reader *r, const yaml_event_t *event) {
    if (r->depth == MOST_LEVELS) {
        return refuse(r, event, ATTN_ERR_FORMAT, "is it a file of Marian's?",
                      "maps and lists nest more than 32 deep");
    }
    r->levels[r->depth++] =
        (level){.map = event->type == YAML_MAPPING_START_EVENT, .path_length = r->path_length};
    return ATTN_OK;
}

/* A scalar, or the start of a map or list: a key, or a value. */
static attn_status take_node(reader *r, const yaml_event_t *event) {
    level *in = r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
    attn_status status = ATTN_OK;
    if (in == NULL && (r->root_seen || event->type == YAML_SCALAR_EVENT)) {
        return refuse(r, event, ATTN_ERR_FORMAT, "is it the file you meant?",
                      "the text is not one map or list");
    }
    r->root_seen = true;
    if (in != NULL && in->map && !in->has_key) {
        return take_key(r, event, in);
    }
    if (in != NULL && !in->map) {
        char digits[24];
        int length = snprintf(digits, sizeof digits, "%zu", in->index++);
        status = step_to(r, event, in, digits, (size_t)length);
    }
    if (in != NULL) {
        in->has_key = false;
    }
    if (status != ATTN_OK) {
        return status;
    }
    return event->type == YAML_SCALAR_EVENT ? add_entry(r, event) : go_down(r, event);
}

static attn_status take_event(reader *r, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return refuse(r, event, ATTN_ERR_UNSUPPORTED, "write out what it stands for",
                      "an alias (*NAME)");
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return take_node(r, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return ATTN_OK;
    default:
        return ATTN_OK;
    }
}

static attn_status parser_failed(reader *r) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return attn_fail_memory(r->error, r->size);
    }
    return attn_fail(r->error, ATTN_ERR_FORMAT, r->where, (int64_t)p->problem_mark.line + 1,
                     "is it the file you meant?", "no YAML: %s",
                     p->problem != NULL ? p->problem : "it cannot be read");
}

static attn_status read_events(reader *r) {
    attn_status status = ATTN_OK;
    for (bool end = false; status == ATTN_OK && !end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            return parser_failed(r);
        }
        end = event.type == YAML_STREAM_END_EVENT;
        status = take_event(r, &event);
        yaml_event_delete(&event);
    }
    return status;
}

/* ---- finding ---- */

/* Once the strings stay where they are, names and values are pointers that can be sorted. Of one name the first
 * stays first: the strings lie in the order of the text. */
static int compare_names(const void *a, const void *b) {
    const attn_metadata *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order != 0 ? order : x->key < y->key ? -1 : x->key > y->key;
}

static attn_status index_names(attn_yaml *yaml, attn_error *error) {
    yaml->by_name = attn_alloc_zero(yaml->count, sizeof *yaml->by_name);
    if (yaml->by_name == NULL) {
        return attn_fail_memory(error, yaml->count * sizeof *yaml->by_name);
    }
    for (size_t i = 0; i < yaml->count; i++) {
        yaml->by_name[i] = (attn_metadata){yaml->strings + yaml->entries[i].name,
                                           yaml->strings + yaml->entries[i].value};
    }
    qsort(yaml->by_name, yaml->count, sizeof *yaml->by_name, compare_names);
    return ATTN_OK;
}

attn_status attn_yaml_parse(const char *text, size_t size, const char *where, attn_yaml **out,
                            attn_error *error) {
    reader r = {
        .yaml = attn_alloc_zero(1, sizeof *r.yaml), .size = size, .where = where, .error = error};
    if (r.yaml == NULL || !yaml_parser_initialize(&r.parser)) {
        attn_free(r.yaml);
        return attn_fail_memory(error, sizeof *r.yaml);
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    attn_status status = read_events(&r);
    yaml_parser_delete(&r.parser);
    status = status == ATTN_OK ? index_names(r.yaml, error) : status;
    if (status != ATTN_OK) {
        attn_yaml_free(r.yaml);
        return status;
    }
    *out = r.yaml;
    return ATTN_OK;
}

void attn_yaml_free(attn_yaml *yaml) {
    if (yaml != NULL) {
        attn_free(yaml->entries);
        attn_free(yaml->strings);
        attn_free(yaml->by_name);
        attn_free(yaml);
    }
}

size_t attn_yaml_count(const attn_yaml *yaml) {
    return yaml->count;
}

bool attn_yaml_at(const attn_yaml *yaml, size_t index, const char **name, const char **value) {
    if (index >= yaml->count) {
        return false;
    }
    *name = yaml->strings + yaml->entries[index].name;
    *value = yaml->strings + yaml->entries[index].value;
    return true;
}

const char *attn_yaml_find(const attn_yaml *yaml, const char *name) {
    size_t low = 0, high = yaml->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(yaml->by_name[middle].key, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < yaml->count && strcmp(yaml->by_name[low].key, name) == 0;
    return found ? yaml->by_name[low].value : NULL;
}
