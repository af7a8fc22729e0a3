/* cli/cmd_train_translator.c: `attn train translator`: from two text files to a model.
 *
 * Next: train_command.h, src/train/translator_task.h. */
#include "attn/threads.h"
#include "base/utf8.h"
#include "train/translator_task.h"
#include "train_command.h"

typedef struct options {
    const char *source, *target, *valid_source, *valid_target, *tokenizer;
    attn_train_common common;
} options;

static const options defaults = {.common = {.out = "translator.safetensors", .seed = -1}};

#define OPTION(field, label, type, value, help)                                                    \
    { label, 0, type, offsetof(options, field), 0, 0, NULL, value, help }
static const attn_option table[] = {
    OPTION(source, "source", ATTN_OPTION_FILE, "FILE", "source sentences, one per line"),
    OPTION(target, "target", ATTN_OPTION_FILE, "FILE", "their translations, line by line"),
    OPTION(valid_source, "valid-source", ATTN_OPTION_FILE, "FILE",
           "sentences for validation (default: 1 % held out)"),
    OPTION(valid_target, "valid-target", ATTN_OPTION_FILE, "FILE", "their translations"),
    OPTION(tokenizer, "tokenizer", ATTN_OPTION_FILE, "FILE.model",
           "a SentencePiece model (default: train one)"),
};

static const attn_option_group groups[] = {
    {attn_train_common_options, offsetof(options, common)},
    {NULL, 0},
};

/* Of the model to start from, which keeps it; NULL: none. */
static attn_status read_tokenizer(const options *given, const attn_train_run *r, void **bytes,
                                  size_t *size, attn_error *error) {
    attn_translator *model = NULL;
    *bytes = NULL;
    *size = 0;
    if (r->resumed || given->common.init == NULL || given->tokenizer != NULL) {
        return ATTN_OK;
    }
    attn_status status = attn_translator_load(given->common.init, false, ATTN_COMPUTE_F32, &model,
                                              bytes, size, error);
    attn_translator_free(model);
    return status;
}

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

static attn_status read_data(const options *given, const attn_train_run *r,
                             const attn_translator_recipe *recipe, attn_translator_data *data,
                             attn_error *error) {
    void *tokenizer;
    size_t tokenizer_size;
    attn_status status = read_tokenizer(given, r, &tokenizer, &tokenizer_size, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_translator_files files = {
        .source = given->source,
        .target = given->target,
        .valid_source = given->valid_source,
        .valid_target = given->valid_target,
        .tokenizer = given->tokenizer,
    };
    bool trained = !r->resumed && given->tokenizer == NULL && tokenizer == NULL;
    attn_train_say(r, "%s\n",
                   r->resumed ? "reading the text"
                   : trained  ? "training the tokenizer, reading the text"
                              : "reading the text and the tokenizer");
    status =
        attn_translator_data_read(&files, recipe, r->resumed ? r->checkpoint.tokenizer : tokenizer,
                                  r->resumed ? r->checkpoint.tokenizer_size : tokenizer_size,
                                  attn_get_threads(), data, error);
    attn_translator_free_bytes(tokenizer);
    if (status != ATTN_OK) {
        return status;
    }
    attn_train_say(r, "%lld pairs to train on, %lld for validation%s; vocabulary %d\n",
                   (long long)data->train.count, (long long)data->valid.count,
                   data->held_out > 0 ? " (held out)" : "",
                   (int)attn_tokenizer_size(data->tokenizer));
    if (trained && attn_tokenizer_size(data->tokenizer) < recipe->vocabulary) {
        attn_train_say(r, "the text allows %d pieces, fewer than vocabulary = %lld\n",
                       (int)attn_tokenizer_size(data->tokenizer), (long long)recipe->vocabulary);
    }
    say_unknown(r, recipe, &data->train.unknown);
    if (data->train.dropped_empty + data->train.dropped_long > 0) {
        attn_train_say(r,
                       "left out: %lld pairs with an empty side, %lld of more than %lld tokens\n",
                       (long long)data->train.dropped_empty, (long long)data->train.dropped_long,
                       (long long)recipe->max_length - 1);
    }
    return ATTN_OK;
}

static attn_status train(const options *given, attn_train_run *r,
                         const attn_translator_recipe *recipe, attn_error *error) {
    attn_translator_data data = {.tokenizer = NULL};
    attn_translator_task task = {.recipe = NULL};
    const attn_train_named named[] = {
        {"source", given->source},
        {"target", given->target},
        {"valid-source", given->valid_source},
        {"valid-target", given->valid_target},
        {"tokenizer", given->tokenizer},
    };
    const attn_metadata facts[] = {
        {"source_language", recipe->source_language},
        {"target_language", recipe->target_language},
    };
    attn_status status = read_data(given, r, recipe, &data, error);
    if (status == ATTN_OK) {
        status = attn_translator_task_create(recipe, &data, 0, &task, error);
    }
    if (status == ATTN_OK) {
        status = attn_train_task(r, &task.task, named, ATTN_LENGTH(named), facts,
                                 ATTN_LENGTH(facts), error);
    }
    attn_translator_task_free(&task);
    attn_translator_data_free(&data);
    return status;
}

static attn_status check_recipe(const void *values, attn_error *error) {
    return attn_translator_recipe_check(values, error);
}

static int train_translator_run(const void *values, int operand_count, char **operand) {
    (void)operand_count;
    (void)operand;
    static attn_train_run r; /* large, and zero */
    static attn_translator_recipe recipe;
    const options *given = values;
    attn_error error = {.status = ATTN_OK};
    if (!given->common.list && (given->source == NULL || given->target == NULL)) {
        return attn_say_misuse("train translator: give both --source FILE and --target FILE");
    }
    if ((given->valid_source == NULL) != (given->valid_target == NULL)) {
        return attn_say_misuse("train translator: give both --valid-source and --valid-target, or "
                               "neither");
    }
    attn_translator_recipe_init(&recipe);
    r.kind = "translator";
    r.given = &given->common;
    r.recipe = attn_translator_recipe_table(&recipe);
    r.recipe_size = sizeof recipe;
    r.options = &recipe.train;
    r.check = check_recipe;
    attn_status status = attn_train_prepare(&r, &error);
    if (status == ATTN_OK && given->common.list) {
        attn_train_list(&r);
    } else if (status == ATTN_OK) {
        status = train(given, &r, &recipe, &error);
    }
    attn_train_close(&r);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_train_translator = {
    .name = "train translator",
    .summary = "Train a translator from parallel text",
    .usage = "--source FILE --target FILE [--recipe NAME|FILE] [--set KEY=VALUE]... [--out MODEL]",
    .description =
        "Trains a joint tokenizer, then the Transformer. Writes MODEL.safetensors, a log "
        "(MODEL.log.jsonl) and curves (MODEL.curves.svg).\nCtrl-C writes a checkpoint and stops. "
        "--resume continues from the last checkpoint, bit for bit, even after a kill.\nThe same "
        "text, tokenizer, options and seed give the same model on any processor and any number of "
        "threads; only max_minutes depends on the machine.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 0,
    .run = train_translator_run,
};
