/* import/added_pieces.c: see added_pieces.h. */
#include "import/added_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "import/json.h"

enum { MOST_NAMES = 4096 }; /* each is looked for among all pieces */

static attn_status add(attn_piece_table *table, int64_t id, const char *text, attn_error *error) {
    bool there = id >= 0 && id < table->count && table->piece[id].text != NULL;
    if (!there) {
        return attn_piece_table_set(table, id, text, strlen(text), true, error);
    }
    if (strcmp(table->piece[id].text, text) != 0) {
        char shown[2][48];
        return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1, NULL,
                         "piece %lld is \"%s\" in one file and \"%s\" in another", (long long)id,
                         attn_utf8_quote(shown[0], sizeof shown[0], table->piece[id].text),
                         attn_utf8_quote(shown[1], sizeof shown[1], text));
    }
    table->piece[id].control = true;
    return ATTN_OK;
}

/* A piece by its text, or an object with its text. */
static const char *text_of(const json_t *piece) {
    return json_is_object(piece)   ? attn_json_text(piece, "content", "")
           : json_is_string(piece) ? json_string_value(piece)
                                   : "";
}

/* tokenizer.json: [{"id": 256001, "content": "ace_Arab"}] */
static attn_status add_objects(const json_t *list, attn_piece_table *table, attn_error *error) {
    attn_status status = ATTN_OK;
    size_t i;
    json_t *piece;
    json_array_foreach(list, i, piece) {
        if (status == ATTN_OK) {
            status = add(table, attn_json_number(piece, "id", -1), text_of(piece), error);
        }
    }
    return status;
}

/* tokenizer_config.json: {"256001": {"content": "ace_Arab"}}; added_tokens.json: {"<mask>": 256203} */
static attn_status add_map(const json_t *map, attn_piece_table *table, attn_error *error) {
    attn_status status = ATTN_OK;
    const char *key;
    void *at;
    json_t *object = (json_t *)(uintptr_t)map, *value;
    for (at = json_object_iter(object); at != NULL && status == ATTN_OK;
         at = json_object_iter_next(object, at)) {
        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        status = json_is_integer(value) ? add(table, (int64_t)json_integer_value(value), key, error)
                                        : add(table, strtoll(key, NULL, 10), text_of(value), error);
    }
    return status;
}

static bool has(const attn_piece_table *table, const char *text) {
    for (int32_t id = table->count - 1; id >= 0; id--) { /* the special ones stand at the ends */
        if (table->piece[id].text != NULL && strcmp(table->piece[id].text, text) == 0) {
            return true;
        }
    }
    return false;
}

/* special_tokens_map.json: ["ace_Arab", ...], whose ids follow those of the segmenter. */
static attn_status add_names(const json_t *list, attn_piece_table *table, attn_error *error) {
    attn_status status = ATTN_OK;
    size_t i;
    json_t *piece;
    if (json_array_size(list) > MOST_NAMES) {
        return attn_fail(error, ATTN_ERR_FORMAT, "vocabulary", -1, NULL,
                         "%zu special pieces are too many", json_array_size(list));
    }
    json_array_foreach(list, i, piece) {
        const char *text = text_of(piece);
        if (status == ATTN_OK && text[0] != '\0' && !has(table, text)) {
            status = attn_piece_table_add(table, text, true, error);
        }
    }
    return status;
}

/* One part of one file, where it is there. */
static attn_status add_from(attn_bundle *bundle, const char *name, const char *key,
                            attn_piece_table *table, attn_error *error) {
    json_t *file = NULL;
    if (!attn_bundle_has(bundle, name)) {
        return ATTN_OK;
    }
    attn_status status = attn_import_json(bundle, name, &file, error);
    const json_t *part = key != NULL ? json_object_get(file, key) : file;
    if (status == ATTN_OK && json_is_object(part)) {
        status = add_map(part, table, error);
    } else if (status == ATTN_OK && json_is_array(part)) {
        bool ids = json_is_integer(json_object_get(json_array_get(part, 0), "id"));
        status = ids ? add_objects(part, table, error) : add_names(part, table, error);
    }
    json_decref(file);
    return status;
}

attn_status attn_import_added_pieces(attn_bundle *bundle, attn_piece_table *table,
                                     attn_error *error) {
    static const char *const places[][2] = {
        {"tokenizer.json", "added_tokens"},
        {"tokenizer_config.json", "added_tokens_decoder"},
        {"added_tokens.json", NULL},
        {"special_tokens_map.json", "additional_special_tokens"},
        {"tokenizer_config.json", "additional_special_tokens"},
        {"tokenizer_config.json", "extra_special_tokens"},
    };
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && status == ATTN_OK; i++) {
        status = add_from(bundle, places[i][0], places[i][1], table, error);
    }
    return status;
}
