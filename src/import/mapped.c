/* import/mapped.c: Transformers whose tensors somebody names in a file, attn.ini, beside them.
 *
 *     [model]        keys of attn's configuration: d_model = 512, heads = 8, pre_norm = true ...
 *     [vocabulary]   source, target: files with a word a line; segmenter: a SentencePiece model; start, pad, unk, bos, eos: words
 *     [tensors]      encoder.#.self.query.weight = enc.#.q.weight; behind it transposed, 0/3 (a part), or after 2 (rows left out)
 *
 * Every # is the number of a layer. "torch = PREFIX" stands for all layers of PyTorch's nn.Transformer. docs/import.md. */
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/import.h"
#include "import/words.h"
#include "models/translator.h"

static const char file_name[] = "attn.ini";
enum {
    INI_LIMIT = 1 << 20,
    SPM_LIMIT = 256 << 20,
    NAME_SIZE = 128,
    MOST_RULES = 1024,
    MOST_IDLE = 32
};

/* The words with a meaning of their own, and how they are called where the file does not say. */
enum { PAD, UNK, BOS, EOS, START, SPECIALS };
static const char *const special_keys[SPECIALS] = {"pad", "unk", "bos", "eos", "start"};
static const char *const special_names[SPECIALS] = {"<pad>", "<unk>", "<s>", "</s>", ""};

typedef struct mapping {
    attn_translator_config config;
    char words[2][NAME_SIZE], segmenter[2][NAME_SIZE], special[SPECIALS][NAME_SIZE];
    attn_weight_rule *rules; /* [MOST_RULES], both names malloc'ed */
    size_t rule_count;
    char *idle[MOST_IDLE + 1]; /* malloc'ed; NULL at the end */
    size_t idle_count;
    bool zero_start;
    attn_status status;
    attn_error *error;
} mapping;

/* ---- rules ---- */

static attn_weight_layout layout_of(const char *ours) {
    static const struct {
        const char *name;
        attn_weight_layout layout;
    } all[] = {{"embedding", ATTN_WEIGHT_TARGET_ROWS},
               {"source_embedding", ATTN_WEIGHT_SOURCE_ROWS},
               {"target_embedding", ATTN_WEIGHT_TARGET_ROWS},
               {"output", ATTN_WEIGHT_TARGET_ROWS},
               {"output.bias", ATTN_WEIGHT_TARGET_BIAS},
               {"positions", ATTN_WEIGHT_LATER_ROWS},
               {"target_positions", ATTN_WEIGHT_LATER_ROWS}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(ours, all[i].name) == 0) {
            return all[i].layout;
        }
    }
    return ATTN_WEIGHT_SAME;
}

static attn_status add_rule(mapping *m, const char *ours, const char *theirs,
                            attn_weight_layout layout, int part, int parts) {
    if (m->rule_count == MOST_RULES) {
        return attn_fail(m->error, ATTN_ERR_FORMAT, file_name, -1, NULL, "more than %d tensors",
                         MOST_RULES);
    }
    attn_weight_rule *rule = &m->rules[m->rule_count++];
    *rule = (attn_weight_rule){strdup(ours), strdup(theirs), layout, part, parts};
    return rule->ours != NULL && rule->theirs != NULL ? ATTN_OK
                                                      : attn_fail_memory(m->error, NAME_SIZE);
}

/* "NAME", "NAME transposed", "NAME 0/3" or "NAME after 2". */
static attn_status read_rule(mapping *m, const char *ours, const char *value) {
    attn_weight_layout layout = layout_of(ours);
    size_t length = strcspn(value, " ");
    const char *rest = value + length + strspn(value + length, " ");
    int part = 0, parts = 0, end = 0;
    char name[NAME_SIZE];
    bool known = rest[0] == '\0';
    if (strcmp(rest, "transposed") == 0) {
        known = layout == ATTN_WEIGHT_SAME || strcmp(ours, "output") == 0;
        layout = layout == ATTN_WEIGHT_SAME ? ATTN_WEIGHT_TRANSPOSED : ATTN_WEIGHT_TARGET_COLUMNS;
    } else if (sscanf(rest, "after %6d%n", &part, &end) == 1 && rest[end] == '\0') {
        known = layout == ATTN_WEIGHT_LATER_ROWS && part >= 0;
    } else if (sscanf(rest, "%2d/%2d%n", &part, &parts, &end) == 2 && rest[end] == '\0') {
        known = layout == ATTN_WEIGHT_SAME && part >= 0 && part < parts;
    }
    if (!known || length == 0 || length >= sizeof name) {
        return attn_fail(m->error, ATTN_ERR_FORMAT, file_name, -1,
                         "write the name of a tensor, and transposed, 0/3 or after 2",
                         "[tensors] %.60s = %.60s is not understood", ours, value);
    }
    snprintf(name, sizeof name, "%.*s", (int)length, value);
    return add_rule(m, ours, name, layout, part, parts);
}

/* Weight and bias, or gamma and beta. */
static attn_status add_both(mapping *m, const char *prefix, const char *ours, const char *theirs,
                            int part, int parts) {
    bool norm = strstr(ours, "norm") != NULL, joined = parts > 0;
    attn_status status = ATTN_OK;
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        char our_name[2 * NAME_SIZE], their_name[3 * NAME_SIZE];
        const char *kind = i == 0 ? "weight" : "bias";
        snprintf(our_name, sizeof our_name, "%s.%s", ours,
                 !norm    ? kind
                 : i == 0 ? "gamma"
                          : "beta");
        snprintf(their_name, sizeof their_name, "%s%s%s%s", prefix, theirs, joined ? "_" : ".",
                 kind);
        status = add_rule(m, our_name, their_name, ATTN_WEIGHT_SAME, part, parts);
    }
    return status;
}

/* All layers of nn.Transformer. */
static attn_status add_torch(mapping *m, const char *prefix) {
    static const struct {
        const char *ours, *theirs;
        bool attention;
    } all[] = {{"encoder.#.self", "encoder.layers.#.self_attn", true},
               {"encoder.#.norm_self", "encoder.layers.#.norm1", false},
               {"encoder.#.feed_forward.up", "encoder.layers.#.linear1", false},
               {"encoder.#.feed_forward.down", "encoder.layers.#.linear2", false},
               {"encoder.#.norm_feed_forward", "encoder.layers.#.norm2", false},
               {"encoder.norm", "encoder.norm", false},
               {"decoder.#.self", "decoder.layers.#.self_attn", true},
               {"decoder.#.norm_self", "decoder.layers.#.norm1", false},
               {"decoder.#.cross", "decoder.layers.#.multihead_attn", true},
               {"decoder.#.norm_cross", "decoder.layers.#.norm2", false},
               {"decoder.#.feed_forward.up", "decoder.layers.#.linear1", false},
               {"decoder.#.feed_forward.down", "decoder.layers.#.linear2", false},
               {"decoder.#.norm_feed_forward", "decoder.layers.#.norm3", false},
               {"decoder.norm", "decoder.norm", false}};
    static const char *const parts[] = {"query", "key", "value"};
    attn_status status = strlen(prefix) < NAME_SIZE / 2
                             ? ATTN_OK
                             : attn_fail(m->error, ATTN_ERR_FORMAT, file_name, -1, NULL,
                                         "the prefix of torch is too long");
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == ATTN_OK; i++) {
        char ours[NAME_SIZE], theirs[NAME_SIZE];
        for (int k = 0; k < 3 && all[i].attention && status == ATTN_OK; k++) {
            snprintf(ours, sizeof ours, "%s.%s", all[i].ours, parts[k]);
            snprintf(theirs, sizeof theirs, "%s.in_proj", all[i].theirs);
            status = add_both(m, prefix, ours, theirs, k, 3);
        }
        snprintf(ours, sizeof ours, "%s%s", all[i].ours, all[i].attention ? ".output" : "");
        snprintf(theirs, sizeof theirs, "%s%s", all[i].theirs, all[i].attention ? ".out_proj" : "");
        status = status == ATTN_OK ? add_both(m, prefix, ours, theirs, 0, 0) : status;
    }
    return status;
}

/* ---- the file ---- */

static attn_status fail_key(mapping *m, const char *section, const char *key, const char *value) {
    return attn_fail(m->error, ATTN_ERR_FORMAT, file_name, -1, "docs/import.md has the keys",
                     "[%.20s] %.60s = %.60s is not understood", section, key, value);
}

static attn_status set_text(mapping *m, char out[NAME_SIZE], const char *value) {
    if (strlen(value) >= NAME_SIZE) {
        return attn_fail(m->error, ATTN_ERR_FORMAT, file_name, -1, NULL, "\"%.40s...\" is too long",
                         value);
    }
    snprintf(out, NAME_SIZE, "%s", value);
    return ATTN_OK;
}

static attn_status set_vocabulary(mapping *m, const char *key, const char *value) {
    for (int i = 0; i < SPECIALS; i++) {
        if (strcmp(key, special_keys[i]) == 0) {
            m->zero_start |= i == START && strcmp(value, "zeros") == 0;
            return set_text(m, m->special[i], value);
        }
    }
    if (strcmp(key, "segmenter") == 0) {
        attn_status status = set_text(m, m->segmenter[0], value);
        return status == ATTN_OK ? set_text(m, m->segmenter[1], value) : status;
    }
    char *field = strcmp(key, "source") == 0             ? m->words[0]
                  : strcmp(key, "target") == 0           ? m->words[1]
                  : strcmp(key, "source_segmenter") == 0 ? m->segmenter[0]
                  : strcmp(key, "target_segmenter") == 0 ? m->segmenter[1]
                                                         : NULL;
    return field != NULL ? set_text(m, field, value) : fail_key(m, "vocabulary", key, value);
}

static attn_status set_tensor(mapping *m, const char *key, const char *value) {
    if (strcmp(key, "torch") == 0) {
        return add_torch(m, value);
    }
    if (strcmp(key, "ignore") != 0) {
        return read_rule(m, key, value);
    }
    if (m->idle_count == MOST_IDLE) {
        return fail_key(m, "tensors", key, value);
    }
    m->idle[m->idle_count] = strdup(value);
    return m->idle[m->idle_count++] != NULL ? ATTN_OK : attn_fail_memory(m->error, NAME_SIZE);
}

static int take_pair(void *user, const char *section, const char *key, const char *value) {
    mapping *m = user;
    if (m->status != ATTN_OK) {
        return 1;
    }
    if (strcmp(section, "model") == 0) {
        bool set = attn_translator_config_set(&m->config, key, value);
        m->status = set ? ATTN_OK : fail_key(m, section, key, value);
    } else if (strcmp(section, "vocabulary") == 0) {
        m->status = set_vocabulary(m, key, value);
    } else if (strcmp(section, "tensors") == 0) {
        m->status = set_tensor(m, key, value);
    } else {
        m->status = fail_key(m, section, key, value);
    }
    return 1;
}

static attn_status read_mapping(attn_bundle *bundle, mapping *m, attn_error *error) {
    char *text;
    size_t size;
    m->error = error;
    attn_translator_config_init(&m->config);
    m->rules = calloc(MOST_RULES, sizeof *m->rules);
    if (m->rules == NULL) {
        return attn_fail_memory(error, MOST_RULES * sizeof *m->rules);
    }
    attn_status status = attn_bundle_read(bundle, file_name, INI_LIMIT, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    int line = ini_parse_string(text, take_pair, m);
    attn_free(text);
    if (m->status == ATTN_OK && line != 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, file_name, line, NULL, "this is no KEY = VALUE");
    }
    m->config.output_bias = true; /* of words that are never predicted */
    return m->status == ATTN_OK ? add_rule(m, "output.bias", "", ATTN_WEIGHT_TARGET_BIAS, 0, 0)
                                : m->status;
}

static void free_mapping(mapping *m) {
    for (size_t i = 0; i < m->rule_count; i++) {
        free((char *)(uintptr_t)m->rules[i].ours);
        free((char *)(uintptr_t)m->rules[i].theirs);
    }
    for (size_t i = 0; i < m->idle_count; i++) {
        free(m->idle[i]);
    }
    free(m->rules);
}

/* ---- vocabularies ---- */

static int32_t find_special(const mapping *m, attn_piece_table *table, int which) {
    const char *given = m->special[which];
    return attn_import_special(table, given[0] != '\0' ? given : special_names[which]);
}

/* How many rows the table of one side has. */
static int64_t rows_of(const mapping *m, const attn_tensor_file *file, bool target) {
    for (size_t i = 0; i < m->rule_count; i++) {
        const attn_weight_rule *rule = &m->rules[i];
        bool table = strcmp(rule->ours, "embedding") == 0 ||
                     strcmp(rule->ours, target ? "target_embedding" : "source_embedding") == 0 ||
                     (target && strcmp(rule->ours, "output") == 0 &&
                      rule->layout == ATTN_WEIGHT_TARGET_ROWS);
        const attn_tensor_info *tensor = table ? attn_tensor_file_find(file, rule->theirs) : NULL;
        if (tensor != NULL && tensor->rank == 2) {
            return tensor->shape[0];
        }
    }
    return 0;
}

static attn_status read_side(const mapping *m, attn_bundle *bundle, const attn_tensor_file *file,
                             bool target, attn_import_side *side, attn_error *error) {
    const char *words = m->words[target && m->words[1][0] != '\0'];
    attn_piece_table *table = &side->theirs;
    if (words[0] == '\0') {
        return attn_fail(error, ATTN_ERR_FORMAT, file_name, -1, "write [vocabulary] source = FILE",
                         "it names no file of words");
    }
    attn_status status = attn_import_words(bundle, words, false, table, error);
    if (status == ATTN_OK && m->segmenter[target][0] != '\0') {
        status = attn_bundle_read(bundle, m->segmenter[target], SPM_LIMIT, &side->segmenter,
                                  &side->segmenter_size, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    table->special = (attn_special_ids){find_special(m, table, PAD), find_special(m, table, UNK),
                                        find_special(m, table, BOS), find_special(m, table, EOS)};
    int32_t start =
        m->special[START][0] != '\0' ? find_special(m, table, START) : table->special.bos;
    bool begins = target || m->config.embeddings == ATTN_EMBEDDINGS_TIED;
    if (begins && start < 0 && !m->zero_start) {
        return attn_fail(error, ATTN_ERR_FORMAT, words, -1, "say so in attn.ini: start = WORD",
                         "it does not have the word that begins translations");
    }
    if (table->special.eos < 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, words, -1, "say so in attn.ini: eos = WORD",
                         "it does not have the word that ends sentences");
    }
    status = attn_piece_table_finish(table, error);
    return status == ATTN_OK ? attn_import_side_number(side, rows_of(m, file, target),
                                                       begins && !m->zero_start ? start : -1, error)
                             : status;
}

/* ---- the whole ---- */

static attn_status read_model(mapping *m, const attn_tensor_file *file,
                              const attn_import_side side[2], attn_imported *out,
                              attn_error *error) {
    const attn_weight_map map = {
        .rules = m->rules, .rule_count = m->rule_count, .idle = (const char *const *)m->idle};
    return attn_import_network(&m->config, &map, file, side, &out->translator, &out->tokenizer,
                               error);
}

static attn_status mapped_read(const attn_import_files *files, const attn_tensor_file *file,
                               attn_imported *out, attn_error *error) {
    attn_import_side side[2] = {{.segmenter = NULL}};
    mapping m = {.rules = NULL};
    attn_status status = read_mapping(files->bundle, &m, error);
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        status = read_side(&m, files->bundle, file, i == 1, &side[i], error);
    }
    if (status == ATTN_OK) {
        status = read_model(&m, file, side, out, error);
    }
    free_mapping(&m);
    attn_import_side_free(&side[0]);
    attn_import_side_free(&side[1]);
    return status;
}

static bool mapped_recognises(attn_bundle *bundle, const attn_tensor_file *file) {
    (void)file;
    return attn_bundle_has(bundle, file_name);
}

const attn_importer attn_import_mapped = {
    .kind = "a mapping of tensors",
    .recognises = mapped_recognises,
    .read = mapped_read,
};
