/* cli/cmd_train_translator.c: `attn train translator`: from parallel text to a model.
 *
 * Next: train_command.h, src/train/translator_task.h. */
#include <stdio.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "import/import.h"
#include "models/translator.h"
#include "train/translator_start.h"
#include "train/translator_task.h"
#include "train_command.h"

typedef struct options {
    attn_option_list source, target, pairs, languages;
    attn_option_list valid_source, valid_target, valid_pairs, valid_languages;
    const char *tokenizer, *target_tokenizer;
    attn_train_common common;
} options;

static const options defaults = {.common = {.out = "translator.safetensors", .seed = -1}};

#define OPTION(field, label, type, value, help)                                                    \
    { label, 0, type, offsetof(options, field), 0, 0, NULL, value, help }
static const attn_option table[] = {
    OPTION(source, "source", ATTN_OPTION_FILES, "FILE",
           "source sentences, one per line; may be repeated"),
    OPTION(target, "target", ATTN_OPTION_FILES, "FILE",
           "their translations, line by line; the first --target is that of the first --source"),
    OPTION(pairs, "pairs", ATTN_OPTION_FILES, "FILE[:A,B]",
           "both in one file: columns A and B of a table with tabs (1,2), or FILE.tmx:en,fr; may "
           "be repeated"),
    OPTION(
        languages, "languages", ATTN_OPTION_LIST, "A-B[+WORD]",
        "languages of the first --source or --pairs, such as en-fr, then of the next: a model of "
        "several pairs; WORD marks text of another kind"),
    OPTION(valid_source, "valid-source", ATTN_OPTION_FILES, "FILE",
           "sentences for validation (default: 1 % held out); may be repeated"),
    OPTION(valid_target, "valid-target", ATTN_OPTION_FILES, "FILE", "their translations"),
    OPTION(valid_pairs, "valid-pairs", ATTN_OPTION_FILES, "FILE[:A,B]",
           "both in one file, for validation; may be repeated"),
    OPTION(valid_languages, "valid-languages", ATTN_OPTION_LIST, "A-B",
           "the languages of each of these files"),
    OPTION(tokenizer, "tokenizer", ATTN_OPTION_FILE, "FILE.model",
           "a SentencePiece model (default: train one)"),
    OPTION(target_tokenizer, "target-tokenizer", ATTN_OPTION_FILE, "FILE.model",
           "another one for the target, with --set vocabularies=separate"),
};

static const attn_option_group groups[] = {
    {attn_train_common_options, offsetof(options, common)},
    {NULL, 0},
};

typedef struct run {
    attn_train_run r; /* first: the functions of attn_train_start get its address */
    const options *given;
    attn_translator_recipe recipe;
    attn_imported start;             /* the model of --init; translator NULL: none is needed */
    attn_translator_recipe of_start; /* the recipe as that model decided it */
    void *trained; /* the tokenizer that rank 0 trained; NULL: this is rank 0, or none is trained */
    size_t trained_size;
} run;

/* ---- the model to start from ---- */

/* A recipe has a key for all that this network is. */
static attn_status check_known(const run *own, attn_error *error) {
    const attn_translator_config *is = attn_translator_get_config(own->start.translator);
    attn_translator_config said;
    attn_translator_recipe_config(&own->recipe, is->vocabulary, is->source_vocabulary, &said);
    said.source_vocabulary = is->source_vocabulary; /* the tokenizer decides */
    said.embeddings = is->embeddings;
    said.alignment_layer = is->alignment_layer;
    said.alignment_head = is->alignment_head;
    const char *key = attn_translator_config_difference(is, &said);
    return key == NULL ? ATTN_OK
                       : attn_fail(error, ATTN_ERR_UNSUPPORTED, own->given->common.init, -1, NULL,
                                   "training has no key for the %s of this model", key);
}

static attn_status open_start(attn_train_run *r, attn_error *error) {
    run *own = (run *)r;
    attn_imported *start = &own->start;
    attn_status status = attn_import_load(r->given->init, start, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_tokenizer *tokenizer = start->tokenizer;
    if (tokenizer == NULL && own->given->tokenizer == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, r->given->init, -1, "give --tokenizer",
                         "the model to start from has no tokenizer");
    }
    bool two = own->given->tokenizer != NULL ? own->given->target_tokenizer != NULL
                                             : attn_tokenizer_target(tokenizer) != tokenizer;
    if (r->resumed) {
        return ATTN_OK; /* the checkpoint has the recipe */
    }
    attn_translator_recipe_of_config(attn_translator_get_config(start->translator), two,
                                     &own->recipe);
    status = check_known(own, error);
    if (status != ATTN_OK) {
        return status;
    }
    snprintf(own->recipe.source_language, sizeof start->source, "%s", start->source);
    snprintf(own->recipe.target_language, sizeof start->target, "%s", start->target);
    snprintf(own->recipe.train.licence, sizeof start->licence, "%s", start->licence);
    own->of_start = own->recipe;
    return ATTN_OK;
}

/* What was asked for is what the model is. */
static attn_status check_start(run *own, attn_error *error) {
    const attn_option_list *set = &own->given->common.set;
    for (size_t i = 0; i < set->count && own->given->tokenizer == NULL; i++) {
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(set->item[i], "= "), set->item[i]);
        if (attn_translator_recipe_is_of_tokenizer(key)) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, key, -1,
                             "leave it out, or give another tokenizer with --tokenizer",
                             "the tokenizer is that of the model of --init");
        }
    }
    return attn_translator_recipe_fits(&own->of_start, &own->recipe, error);
}

static attn_status take_start(attn_train_run *r, const attn_params *params, size_t *taken,
                              char *left, size_t left_size, attn_error *error) {
    run *own = (run *)r;
    attn_status status =
        attn_translator_start_take(own->start.translator, own->given->tokenizer != NULL, params,
                                   taken, left, left_size, error);
    if (status != ATTN_OK && error->where[0] == '\0') {
        snprintf(error->where, sizeof error->where, "%s", r->given->init);
    }
    attn_imported_free(&own->start);
    return status;
}

static bool is_partial(const void *values) {
    return attn_translator_recipe_is_partial(values);
}

static const attn_train_start start_functions = {open_start, take_start};

/* What the model will never see as it is. */
static void say_unknown(const attn_train_run *r, const attn_translator_recipe *recipe,
                        const attn_unknown *unknown) {
    if (unknown->different == 0) {
        return;
    }
    attn_train_say(r, "%lld characters are not in the vocabulary and %s, %lld times in all:",
                   (long long)unknown->different,
                   recipe->byte_fallback ? "are written as bytes" : "become <unk>",
                   (long long)unknown->total);
    int64_t shown =
        unknown->different < ATTN_UNKNOWN_SHOWN ? unknown->different : ATTN_UNKNOWN_SHOWN;
    for (int64_t i = 0; i < shown; i++) {
        char quoted[16];
        attn_train_say(r, "%s %s %lld", i > 0 ? "," : "",
                       attn_utf8_quote(quoted, sizeof quoted, unknown->most[i].text),
                       (long long)unknown->most[i].count);
    }
    attn_train_say(r, "%s\n", shown < unknown->different ? ", ..." : "");
}

enum { MOST_SOURCES = 2 * ATTN_OPTION_LIST_MAX };

/* Files in pairs, in the order given, then those with both sides. */
static size_t list_sources(const attn_option_list *source, const attn_option_list *target,
                           const attn_option_list *pairs, attn_parallel_source *out) {
    size_t count = 0;
    for (size_t i = 0; i < source->count; i++) {
        out[count++] = (attn_parallel_source){.source = source->item[i], .target = target->item[i]};
    }
    for (size_t i = 0; i < pairs->count; i++) {
        out[count++] = (attn_parallel_source){.pairs = pairs->item[i]};
    }
    return count;
}

/* What was left out of the training, why, and how often; printed and put into the log. */
static void count_left_out(attn_train_run *r, const attn_translator_data *data) {
    const attn_train_count counts[] = {
        {"pairs", NULL, data->train.count},
        {"validation", NULL, data->valid.count},
        {"vocabulary", NULL, attn_tokenizer_size(attn_tokenizer_target(data->tokenizer))},
        {"unknown_characters", NULL, data->train.unknown.total},
        {"left_out_short", "lines without both columns", data->short_lines},
        {"left_out_copies", "copies", data->filtered.copies},
        {"left_out_script", "in another script", data->filtered.script},
        {"left_out_ratio", "of unlike length", data->filtered.ratio},
        {"left_out_doubles", "doubles", data->filtered.doubles},
        {"left_out_empty", "with an empty side", data->train.dropped_empty},
        {"left_out_long", "of too many tokens", data->train.dropped_long},
    };
    _Static_assert(ATTN_LENGTH(counts) <= ATTN_TRAIN_COUNTS, "room for all counts");
    memcpy(r->count, counts, sizeof counts);
    r->count_count = ATTN_LENGTH(counts);
    bool first = true;
    for (size_t i = 0; i < r->count_count; i++) {
        if (counts[i].label != NULL && counts[i].value > 0) {
            attn_train_say(r, "%s %lld %s", first ? "left out:" : ",", (long long)counts[i].value,
                           counts[i].label);
            first = false;
        }
    }
    attn_train_say(r, "%s", first ? "" : "\n");
    if (data->short_lines > 0) {
        attn_train_say(r, "the first line without both columns is %s\n", data->first_short);
    }
}

static void say_fewer(attn_train_run *r, const char *key, int32_t pieces, int64_t wanted) {
    if (pieces < wanted) {
        attn_train_say(r, "the text allows %d pieces, fewer than %s = %lld\n", (int)pieces, key,
                       (long long)wanted);
    }
}

/* How much there is to train on, and of how many pieces. */
static void say_pieces(attn_train_run *r, const attn_translator_recipe *recipe,
                       const attn_translator_data *data, bool trained) {
    const attn_tokenizer *source = data->tokenizer, *target = attn_tokenizer_target(source);
    int32_t sources = attn_tokenizer_size(source), targets = attn_tokenizer_size(target);
    char both[32] = "";
    if (target != source) {
        snprintf(both, sizeof both, " and %d", (int)targets);
    }
    attn_train_say(r, "%lld pairs to train on, %lld for validation%s; vocabulary %d%s\n",
                   (long long)data->train.count, (long long)data->valid.count,
                   data->held_out > 0 ? " (held out)" : "", (int)sources, both);
    if (trained) {
        say_fewer(r, "vocabulary", sources, recipe->vocabulary);
    }
    if (trained && target != source) {
        bool own = recipe->target_vocabulary > 0;
        say_fewer(r, own ? "target_vocabulary" : "vocabulary", targets,
                  own ? recipe->target_vocabulary : recipe->vocabulary);
    }
}

/* The tokenizer that is there already: the checkpoint's, or that of the model to start from; NULL: none. */
static const void *known_tokenizer(const run *own, size_t *size) {
    *size = own->r.checkpoint.tokenizer_size;
    if (own->r.resumed) {
        return own->r.checkpoint.tokenizer;
    }
    bool kept = own->start.tokenizer != NULL && own->given->tokenizer == NULL;
    return kept ? attn_tokenizer_bytes(own->start.tokenizer, size) : NULL;
}

/* Rank 0 trains the tokenizer: another machine might train another one. It has read the text then, or failed. */
static attn_status hand_out_tokenizer(run *own, const attn_translator_data *data,
                                      attn_status status, attn_error *error) {
    attn_group *group = own->r.group;
    size_t size = 0;
    status = attn_group_agree(group, status, error);
    if (status != ATTN_OK) {
        return status;
    }
    void *bytes = (void *)(uintptr_t)attn_tokenizer_bytes(data->tokenizer, &size);
    return attn_group_broadcast_array(group, &bytes, &size, error);
}

static attn_status wait_for_tokenizer(run *own, attn_error *error) {
    attn_status status = attn_group_agree(own->r.group, ATTN_OK, error);
    return status == ATTN_OK
               ? attn_group_broadcast_array(own->r.group, &own->trained, &own->trained_size, error)
               : status;
}

/* Every rank reads the files, and only one could read standard input. */
static attn_status check_files(const attn_train_run *r, const attn_translator_files *files,
                               attn_error *error) {
    for (size_t i = 0; attn_group_size(r->group) > 1 && i < files->train_count; i++) {
        const attn_parallel_source *s = &files->train[i];
        const char *const names[] = {s->source, s->target, s->pairs};
        for (size_t n = 0; n < ATTN_LENGTH(names); n++) {
            if (names[n] != NULL && names[n][0] == '-' &&
                (names[n][1] == '\0' || names[n][1] == ':')) {
                return attn_fail(error, ATTN_ERR_ARGUMENT, "standard input", -1,
                                 "write the text to a file that every rank can read",
                                 "several ranks cannot read it");
            }
        }
    }
    return ATTN_OK;
}

static attn_status read_data(run *own, attn_translator_data *data, attn_error *error) {
    const options *given = own->given;
    const attn_translator_recipe *recipe = &own->recipe;
    attn_train_run *r = &own->r;
    size_t tokenizer_size;
    const void *tokenizer = known_tokenizer(own, &tokenizer_size);
    attn_parallel_source train[MOST_SOURCES], valid[MOST_SOURCES];
    attn_translator_files files = {
        .train = train,
        .valid = valid,
        .train_count = list_sources(&given->source, &given->target, &given->pairs, train),
        .valid_count =
            list_sources(&given->valid_source, &given->valid_target, &given->valid_pairs, valid),
        .tokenizer = given->tokenizer,
        .target_tokenizer = given->target_tokenizer,
        .all_text = given->common.init == NULL,
        .train_languages = given->languages.count > 0 ? given->languages.item : NULL,
        .valid_languages = given->valid_languages.count > 0 ? given->valid_languages.item : NULL,
    };
    bool trained = given->tokenizer == NULL && tokenizer == NULL;
    attn_train_say(r, "%s\n",
                   r->resumed ? "reading the text"
                   : trained  ? "training the tokenizer, reading the text"
                              : "reading the text and the tokenizer");
    attn_status status = check_files(r, &files, error);
    if (status != ATTN_OK) {
        return status;
    }
    bool leads = attn_group_leads(r->group);
    if (trained && !leads) {
        status = wait_for_tokenizer(own, error);
        tokenizer = own->trained;
        tokenizer_size = own->trained_size;
    }
    if (status == ATTN_OK) {
        status = attn_translator_data_read(&files, recipe, tokenizer, tokenizer_size,
                                           attn_get_threads(), data, error);
    }
    if (trained && leads) {
        status = hand_out_tokenizer(own, data, status, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    say_pieces(r, recipe, data, trained);
    say_unknown(r, recipe, &data->train.unknown);
    count_left_out(r, data);
    return ATTN_OK;
}

typedef struct named_list {
    attn_train_named item[8 * ATTN_OPTION_LIST_MAX + 1];
    size_t count;
} named_list;

static void name(named_list *list, const char *option, const char *value) {
    list->item[list->count++] = (attn_train_named){option, value};
}

static void name_list(named_list *list, const char *option, const attn_option_list *values) {
    for (size_t i = 0; i < values->count; i++) {
        name(list, option, values->item[i]);
    }
}

/* "--source a --target b --source c --target d": as they belong together. */
static void name_sources(named_list *list, const char *source_name, const attn_option_list *source,
                         const char *target_name, const attn_option_list *target,
                         const char *pairs_name, const attn_option_list *pairs) {
    for (size_t i = 0; i < source->count; i++) {
        name(list, source_name, source->item[i]);
        name(list, target_name, target->item[i]);
    }
    name_list(list, pairs_name, pairs);
}

static void name_all(named_list *list, const options *given) {
    name_sources(list, "source", &given->source, "target", &given->target, "pairs", &given->pairs);
    name_list(list, "languages", &given->languages);
    name_sources(list, "valid-source", &given->valid_source, "valid-target", &given->valid_target,
                 "valid-pairs", &given->valid_pairs);
    name_list(list, "valid-languages", &given->valid_languages);
    name(list, "tokenizer", given->tokenizer);
    name(list, "target-tokenizer", given->target_tokenizer);
}

/* "en-fr fr-en" */
static void list_languages(const attn_directions *directions, char *out, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < directions->count; i++) {
        const attn_direction *d = &directions->item[i];
        used += (size_t)snprintf(out + used, size - used, "%s%s-%s", i > 0 ? " " : "", d->source,
                                 d->target);
    }
}

static attn_status train(run *own, attn_error *error) {
    const options *given = own->given;
    attn_translator_data data = {.tokenizer = NULL};
    attn_translator_task task = {.recipe = NULL};
    named_list named = {.count = 0};
    name_all(&named, given);
    attn_status status = read_data(own, &data, error);
    if (status == ATTN_OK) {
        status = attn_translator_task_create(&own->recipe, &data, 0, &task, error);
    }
    status = attn_train_agree(&own->r, status, error);
    if (status == ATTN_OK) {
        char languages[2 * ATTN_DIRECTION_CODE * ATTN_DIRECTIONS];
        const attn_direction *first = &data.directions.item[0];
        list_languages(&data.directions, languages, sizeof languages);
        const attn_metadata facts[] = {
            {"source_language", first->source},
            {"target_language", first->target},
            {"languages", languages},
        };
        size_t count = ATTN_LENGTH(facts) - (given->languages.count == 0);
        status = attn_train_task(&own->r, &task.task, named.item, named.count, facts, count, error);
    }
    attn_translator_task_free(&task);
    attn_translator_data_free(&data);
    return status;
}

static attn_status check_recipe(const void *values, attn_error *error) {
    return attn_translator_recipe_check(values, error);
}

/* Every source has its target, and there is something to train on. */
static int check_sources(const options *given) {
    if (given->source.count != given->target.count) {
        return attn_say_misuse("train translator: %zu --source and %zu --target: give as many of "
                               "both, they belong together in order",
                               given->source.count, given->target.count);
    }
    if (given->valid_source.count != given->valid_target.count) {
        return attn_say_misuse("train translator: %zu --valid-source and %zu --valid-target: give "
                               "as many of both, they belong together in order",
                               given->valid_source.count, given->valid_target.count);
    }
    if (!given->common.list && given->source.count + given->pairs.count == 0) {
        return attn_say_misuse("train translator: give --source FILE and --target FILE, or --pairs "
                               "FILE");
    }
    return ATTN_EXIT_OK;
}

/* Each file has its languages, or none has. */
static int check_languages(const options *given) {
    size_t files = given->source.count + given->pairs.count;
    size_t valid = given->valid_source.count + given->valid_pairs.count;
    if (given->languages.count > 0 && given->languages.count != files) {
        return attn_say_misuse("train translator: %zu --languages and %zu files to train on: give "
                               "one for each --source, then one for each --pairs",
                               given->languages.count, files);
    }
    size_t wanted = given->languages.count > 0 ? valid : 0;
    if (given->valid_languages.count != wanted) {
        return attn_say_misuse("train translator: %zu --valid-languages, expected %zu: with "
                               "--languages, give one for each --valid-source, then one for each "
                               "--valid-pairs",
                               given->valid_languages.count, wanted);
    }
    return ATTN_EXIT_OK;
}

static int train_translator_run(const void *values, int operand_count, char **operand) {
    (void)operand_count;
    (void)operand;
    static run own; /* large, and zero */
    const options *given = values;
    attn_train_run *r = &own.r;
    attn_error error = {.status = ATTN_OK};
    int misuse = check_sources(given);
    if (misuse == ATTN_EXIT_OK && given->target_tokenizer != NULL && given->tokenizer == NULL) {
        misuse = attn_say_misuse("train translator: --target-tokenizer needs --tokenizer, the one "
                                 "of the source");
    }
    misuse = misuse == ATTN_EXIT_OK ? check_languages(given) : misuse;
    if (misuse != ATTN_EXIT_OK) {
        return misuse;
    }
    attn_translator_recipe_init(&own.recipe);
    own.given = given;
    r->kind = "translator";
    r->given = &given->common;
    r->recipe = attn_translator_recipe_table(&own.recipe);
    r->recipe_size = sizeof own.recipe;
    r->options = &own.recipe.train;
    r->check = check_recipe;
    r->start = &start_functions;
    r->is_partial = is_partial;
    attn_status status = attn_train_prepare(r, &error);
    if (status == ATTN_OK && own.start.translator != NULL && !r->resumed) {
        status = check_start(&own, &error);
    }
    status = attn_train_agree(r, status, &error);
    if (status == ATTN_OK && given->common.list) {
        attn_train_list(r);
    } else if (status == ATTN_OK) {
        status = train(&own, &error);
    }
    attn_imported_free(&own.start);
    attn_free(own.trained);
    return attn_train_close(r, status, &error);
}

const attn_command attn_cmd_train_translator = {
    .name = "train translator",
    .summary = "Train a translator from parallel text",
    .usage = "--source FILE --target FILE [OPTION]...\n"
             "--pairs FILE[:A,B] [OPTION]...",
    .description =
        "Trains the tokenizer, then the Transformer. Writes MODEL.safetensors, a log "
        "(MODEL.log.jsonl) and curves (MODEL.curves.svg).\nText may be packed (gzip, xz, zstd), a "
        "pipe, "
        "or - for standard input.\nCtrl-C writes a checkpoint and stops. "
        "--resume continues from the last checkpoint, bit for bit, even after a kill.\nThe same "
        "text, tokenizer, options and seed give the same model on any processor and any number of "
        "threads; only max_minutes depends on the machine. Started by mpirun, several processes "
        "divide each "
        "step: set accumulate and shards to their number or a multiple (docs/scale.md).",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 0,
    .run = train_translator_run,
};
