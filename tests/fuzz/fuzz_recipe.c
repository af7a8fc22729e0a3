/* Any bytes as a recipe: refused with the line, or read so that printing and setting again changes
 * nothing. Built with clang -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct settings {
    int64_t layers;
    int64_t seed;
    double dropout;
    double rate;
    bool tied;
    int norm;
    char name[ATTN_KEY_TEXT_SIZE];
} settings;

static const char *const norms[] = {"pre", "post", NULL};

static const attn_key keys[] = {
    {"layers", ATTN_KEY_INT, offsetof(settings, layers), 1, 64, NULL, "layers"},
    {"seed", ATTN_KEY_INT, offsetof(settings, seed), -9.3e18, 9.3e18, NULL, "random seed"},
    {"dropout", ATTN_KEY_REAL, offsetof(settings, dropout), 0, 0.9, NULL, "share set to zero"},
    {"rate", ATTN_KEY_REAL, offsetof(settings, rate), -1e308, 1e308, NULL, "learning rate"},
    {"tied", ATTN_KEY_BOOL, offsetof(settings, tied), 0, 0, NULL, "share the embeddings"},
    {"norm", ATTN_KEY_CHOICE, offsetof(settings, norm), 0, 0, norms, "place of the norm"},
    {"name", ATTN_KEY_TEXT, offsetof(settings, name), 0, 0, NULL, "free text"},
};
enum { KEYS = sizeof keys / sizeof *keys };

static const attn_recipe *table_of(settings *values) {
    static attn_recipe table;
    table = (attn_recipe){.values = values};
    attn_recipe_add(&table, keys, KEYS, 0);
    return &table;
}

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static int64_t count_lines(const uint8_t *data, size_t size) {
    int64_t lines = 1;
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n';
    }
    return lines;
}

/* Every value, also after a failure, is within its bounds and survives being printed. */
static void check_settings(const settings *in) {
    require(in->layers >= 1 && in->layers <= 64 && in->dropout >= 0 && in->dropout <= 0.9);
    require(in->norm == 0 || in->norm == 1);
    settings out;
    memset(&out, 0, sizeof out);
    for (size_t i = 0; i < KEYS; i++) {
        char text[ATTN_KEY_TEXT_SIZE];
        attn_recipe_print(&keys[i], in, text, sizeof text);
        require(attn_recipe_set(table_of(&out), keys[i].name, text, "", -1, NULL) == ATTN_OK);
    }
    require(out.layers == in->layers && out.seed == in->seed && out.dropout == in->dropout &&
            out.rate == in->rate && out.tied == in->tied && out.norm == in->norm &&
            strcmp(out.name, in->name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    settings out = {.layers = 1};
    attn_error error = {.position = -2};
    attn_status status =
        attn_recipe_parse(table_of(&out), (const char *)data, size, "fuzz", &error);
    require(status == ATTN_OK || status == ATTN_ERR_FORMAT);
    if (status != ATTN_OK) {
        char message[1200];
        require(error.position >= 1 && error.position <= count_lines(data, size));
        attn_error_format(&error, message, sizeof message);
    }
    check_settings(&out);
    return 0;
}
