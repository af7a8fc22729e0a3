/* cli/cmd_train.c: `attn train translator`: from two text files to a model.
 *
 * Options come from the defaults, the checkpoint when one is resumed, the recipe, --set and --seed,
 * in this order. Files beside MODEL.safetensors: MODEL.checkpoint and its snapshots,
 * MODEL.best.safetensors, MODEL.log.jsonl, MODEL.curves.svg. Next: src/train/trainer.h. */
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "show/curves.h"
#include "train/log.h"
#include "train_progress.h"

enum { PATH_SIZE = 4096 };

typedef struct options {
    const char *source, *target, *valid_source, *valid_target, *tokenizer, *recipe, *out;
    attn_option_list set;
    int64_t seed, threads;
    bool resume, force, quiet, list;
} options;

static const options defaults = {.out = "translator.safetensors", .seed = -1};

#define OPTION(field, label, type, value, help)                                                    \
    { label, 0, type, offsetof(options, field), 0, 0, NULL, value, help }
static const attn_option table[] = {
    OPTION(source, "source", ATTN_OPTION_FILE, "FILE", "sentences to translate from, one a line"),
    OPTION(target, "target", ATTN_OPTION_FILE, "FILE", "their translations, line by line"),
    OPTION(valid_source, "valid-source", ATTN_OPTION_FILE, "FILE",
           "sentences for validation (default: 1 % held out)"),
    OPTION(valid_target, "valid-target", ATTN_OPTION_FILE, "FILE", "their translations"),
    {"recipe", 'r', ATTN_OPTION_FILE, offsetof(options, recipe), 0, 0, NULL, "NAME|FILE",
     "options from a recipe"},
    {"set", 's', ATTN_OPTION_LIST, offsetof(options, set), 0, 0, NULL, "KEY=VALUE",
     "one option; see --list; may be repeated"},
    OPTION(tokenizer, "tokenizer", ATTN_OPTION_FILE, "FILE.model",
           "a SentencePiece model (default: one is trained)"),
    {"out", 'o', ATTN_OPTION_FILE, offsetof(options, out), 0, 0, NULL, "MODEL",
     "the model file (translator.safetensors)"},
    OPTION(resume, "resume", ATTN_OPTION_FLAG, NULL,
           "go on from MODEL.checkpoint when there is one"),
    OPTION(force, "force", ATTN_OPTION_FLAG, NULL, "begin anew over an earlier training"),
    {"seed", 0, ATTN_OPTION_INT, offsetof(options, seed), 0, 9007199254740992.0, NULL, "N",
     "seed of all random numbers (1)"},
    {"threads", 't', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, NULL, "N",
     "threads (all cores); does not change the result"},
    {"quiet", 'q', ATTN_OPTION_FLAG, offsetof(options, quiet), 0, 0, NULL, NULL, "no progress"},
    OPTION(list, "list", ATTN_OPTION_FLAG, NULL,
           "print all options of --set with these settings, as a recipe"),
};

typedef struct paths {
    char model[PATH_SIZE], best[PATH_SIZE], checkpoint[PATH_SIZE], log[PATH_SIZE],
        curves[PATH_SIZE], recipe[PATH_SIZE];
} paths;

/* Everything that a run owns. */
typedef struct run {
    const options *given;
    paths path;
    attn_train_options options;
    attn_train_data data;
    attn_checkpoint checkpoint;
    bool resumed;
    attn_train_log *log;
    attn_train_progress progress;
    char command[8192];
} run;

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    stop = number;
}

/* The first signal asks for a checkpoint; a second one ends the program at once. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- names ---- */

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

static attn_status name_files(const char *out, paths *path, attn_error *error) {
    static const char ending[] = ".safetensors";
    size_t length = strlen(out), tail = sizeof ending - 1;
    if (length > tail && strcmp(out + length - tail, ending) == 0) {
        length -= tail;
    }
    if (length == 0 || out[length - 1] == '/' || length + 32 > PATH_SIZE) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--out", -1, NULL, "'%.200s' names no file",
                         out);
    }
    int stem = (int)length;
    snprintf(path->model, PATH_SIZE, "%.*s.safetensors", stem, out);
    snprintf(path->best, PATH_SIZE, "%.*s.best.safetensors", stem, out);
    snprintf(path->checkpoint, PATH_SIZE, "%.*s.checkpoint", stem, out);
    snprintf(path->log, PATH_SIZE, "%.*s.log.jsonl", stem, out);
    snprintf(path->curves, PATH_SIZE, "%.*s.curves.svg", stem, out);
    return ATTN_OK;
}

/* A file, else recipes/NAME.recipe here, else the installed one. */
static attn_status find_recipe(const char *name, char path[PATH_SIZE], attn_error *error) {
    static const char *const folders[] = {"recipes", ATTN_DATA_DIR "/recipes"};
    snprintf(path, PATH_SIZE, "%s", name);
    if (strchr(name, '/') != NULL || strchr(name, '.') != NULL || exists(path)) {
        return ATTN_OK;
    }
    for (size_t i = 0; i < ATTN_LENGTH(folders); i++) {
        snprintf(path, PATH_SIZE, "%s/%s.recipe", folders[i], name);
        if (exists(path)) {
            return ATTN_OK;
        }
    }
    return attn_fail(error, ATTN_ERR_IO, name, -1, "name one of those or a file",
                     "no such recipe in %s or %s", folders[0], folders[1]);
}

static attn_status check_existing(const run *r, attn_error *error) {
    const char *found = exists(r->path.model)        ? r->path.model
                        : exists(r->path.checkpoint) ? r->path.checkpoint
                                                     : NULL;
    if (found == NULL || r->given->force || (r->given->resume && exists(r->path.checkpoint))) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, found, -1,
                     r->given->resume
                         ? "there is no checkpoint to go on from; name another --out, or "
                           "begin anew with --force"
                         : "name another --out, go on with --resume, or begin anew with "
                           "--force",
                     "the file exists");
}

/* ---- options ---- */

static attn_status read_options(run *r, attn_error *error) {
    size_t count;
    const attn_key *keys = attn_train_keys(&count);
    attn_status status = ATTN_OK;
    attn_train_options before;
    attn_train_options_init(&r->options);
    if (r->resumed) {
        status = attn_recipe_parse(keys, count, &r->options, r->checkpoint.options,
                                   r->checkpoint.options_size, r->path.checkpoint, error);
    }
    before = r->options;
    if (status == ATTN_OK && r->given->recipe != NULL) {
        status = find_recipe(r->given->recipe, r->path.recipe, error);
        if (status == ATTN_OK) {
            status = attn_recipe_read(keys, count, &r->options, r->path.recipe, error);
        }
    }
    for (size_t i = 0; i < r->given->set.count && status == ATTN_OK; i++) {
        status = attn_recipe_set_pair(keys, count, &r->options, r->given->set.item[i], error);
    }
    if (r->given->seed >= 0) {
        r->options.seed = r->given->seed;
    }
    if (status == ATTN_OK) {
        status = attn_train_options_check(&r->options, error);
    }
    if (status == ATTN_OK && r->resumed) {
        status = attn_train_options_same(&before, &r->options, error);
    }
    return status;
}

static int list_options(const attn_train_options *settings) {
    size_t count;
    const attn_key *keys = attn_train_keys(&count);
    for (size_t i = 0; i < count; i++) {
        char value[256];
        attn_recipe_print(&keys[i], settings, value, sizeof value);
        printf("# %s\n%s = %s\n", keys[i].help, keys[i].name, value);
    }
    return ATTN_EXIT_OK;
}

static void append(char *text, size_t size, const char *more) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

/* The folders stay out of a model that others get. */
static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The options that decide the outcome, in one form however they were typed. */
static void describe_command(run *r) {
    const options *given = r->given;
    const struct {
        const char *name, *value;
    } named[] = {
        {"source", given->source},
        {"target", given->target},
        {"valid-source", given->valid_source},
        {"valid-target", given->valid_target},
        {"tokenizer", given->tokenizer},
        {"recipe", given->recipe},
    };
    append(r->command, sizeof r->command, "attn train translator");
    for (size_t i = 0; i < ATTN_LENGTH(named); i++) {
        if (named[i].value != NULL) {
            append(r->command, sizeof r->command, " --");
            append(r->command, sizeof r->command, named[i].name);
            append(r->command, sizeof r->command, " ");
            append(r->command, sizeof r->command, file_name(named[i].value));
        }
    }
    for (size_t i = 0; i < given->set.count; i++) {
        append(r->command, sizeof r->command, " --set '");
        append(r->command, sizeof r->command, given->set.item[i]);
        append(r->command, sizeof r->command, "'");
    }
    char seed[40];
    snprintf(seed, sizeof seed, " --seed %lld", (long long)r->options.seed);
    append(r->command, sizeof r->command, seed);
}

/* ---- the training ---- */

static void on_event(const attn_train_event *event, void *context) {
    run *r = context;
    attn_train_log_event(r->log, event);
    attn_train_progress_event(&r->progress, event);
    if (event->kind == ATTN_TRAIN_VALIDATION) {
        /* A picture of the way so far; one that fails is no reason to stop. */
        attn_error ignored;
        if (attn_curves_draw(r->path.log, r->path.curves, &ignored) != ATTN_OK) {
            return;
        }
    }
}

__attribute__((format(printf, 2, 3))) static void say(const run *r, const char *format, ...) {
    if (!r->given->quiet) {
        va_list arguments;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
    }
}

static attn_status read_data(run *r, attn_error *error) {
    const options *given = r->given;
    attn_train_files files = {
        .source = given->source,
        .target = given->target,
        .valid_source = given->valid_source,
        .valid_target = given->valid_target,
        .tokenizer = given->tokenizer,
    };
    say(r, "%s\n",
        r->resumed                 ? "reading the text"
        : given->tokenizer == NULL ? "training the tokenizer, reading the text"
                                   : "reading the text and the tokenizer");
    attn_status status =
        attn_train_data_read(&files, &r->options, r->checkpoint.tokenizer,
                             r->checkpoint.tokenizer_size, attn_get_threads(), &r->data, error);
    if (status != ATTN_OK) {
        return status;
    }
    say(r, "%lld pairs to train on, %lld for validation%s; vocabulary %d\n",
        (long long)r->data.train.count, (long long)r->data.valid.count,
        r->data.held_out > 0 ? " (held out)" : "", (int)attn_tokenizer_size(r->data.tokenizer));
    if (r->data.train.dropped_empty + r->data.train.dropped_long > 0) {
        say(r, "left out: %lld pairs with an empty side, %lld of more than %lld tokens\n",
            (long long)r->data.train.dropped_empty, (long long)r->data.train.dropped_long,
            (long long)r->options.max_length - 1);
    }
    return ATTN_OK;
}

static const char *ending_text(attn_train_ending ending) {
    static const char *const texts[] = {
        [ATTN_TRAIN_STEPS_DONE] = "max_steps reached",
        [ATTN_TRAIN_EPOCHS_DONE] = "max_epochs reached",
        [ATTN_TRAIN_OUT_OF_PATIENCE] = "no better validation within patience",
        [ATTN_TRAIN_OUT_OF_TIME] = "max_minutes reached",
    };
    return texts[ending];
}

static void print_summary(const run *r, const attn_train_summary *summary) {
    char time[32];
    attn_train_duration(summary->seconds, time, sizeof time);
    say(r,
        "%s: %lld steps, %lld epochs, %lld target tokens in %s; %lld parameters, %lld averaged\n",
        ending_text(summary->ending), (long long)summary->steps, (long long)summary->epochs,
        (long long)summary->tokens, time, (long long)summary->parameters,
        (long long)summary->averaged);
    if (summary->skipped > 0) {
        say(r, "%lld steps were skipped: their loss or gradient was NaN or infinite\n",
            (long long)summary->skipped);
    }
    say(r, "%s\n%s\n%s\n", r->path.model, r->path.log, r->path.curves);
}

static attn_status train(run *r, attn_error *error) {
    const attn_metadata facts[] = {
        {"name", r->options.name},
        {"source_language", r->options.source_language},
        {"target_language", r->options.target_language},
        {"licence", r->options.licence},
        {"data", r->options.data},
        {"attribution", r->options.attribution},
        {"training.attn", attn_version()},
        {"training.command", r->command},
    };
    attn_training training = {
        .options = &r->options,
        .data = &r->data,
        .model_path = r->path.model,
        .best_path = r->path.best,
        .checkpoint_path = r->path.checkpoint,
        .resume = r->resumed ? &r->checkpoint : NULL,
        .facts = facts,
        .fact_count = ATTN_LENGTH(facts),
        .report = on_event,
        .context = r,
        .stop = &stop,
    };
    attn_train_summary summary;
    catch_signals();
    attn_status status = attn_training_run(&training, &summary, error);
    attn_train_progress_end(&r->progress);
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_train_log_close(r->log, error);
    r->log = NULL;
    if (status == ATTN_OK) {
        status = attn_curves_draw(r->path.log, r->path.curves, error);
    }
    if (status == ATTN_OK) {
        print_summary(r, &summary);
    }
    return status;
}

static attn_status prepare(run *r, attn_error *error) {
    attn_status status = name_files(r->given->out, &r->path, error);
    if (status == ATTN_OK && !r->given->list) {
        status = check_existing(r, error);
    }
    if (status == ATTN_OK && r->given->resume && exists(r->path.checkpoint)) {
        status = attn_checkpoint_load(r->path.checkpoint, &r->checkpoint, error);
        r->resumed = status == ATTN_OK;
    }
    return status == ATTN_OK ? read_options(r, error) : status;
}

static int run_train(const void *values, int operand_count, char **operand) {
    (void)operand_count;
    (void)operand;
    static run r; /* large, and zero */
    r.given = values;
    attn_error error = {.status = ATTN_OK};
    if (!r.given->list && (r.given->source == NULL || r.given->target == NULL)) {
        return attn_say_misuse("train translator: give both --source FILE and --target FILE");
    }
    if ((r.given->valid_source == NULL) != (r.given->valid_target == NULL)) {
        return attn_say_misuse("train translator: give both --valid-source and --valid-target, or "
                               "neither");
    }
    if (r.given->threads > 0) {
        attn_set_threads((int)r.given->threads);
    }
    attn_status status = prepare(&r, &error);
    if (status != ATTN_OK || r.given->list) {
        int result = status == ATTN_OK ? list_options(&r.options) : attn_say_error(&error);
        attn_checkpoint_close(&r.checkpoint);
        return result;
    }
    describe_command(&r);
    attn_train_progress_init(&r.progress, r.given->quiet, r.options.max_steps);
    status = read_data(&r, &error);
    if (status == ATTN_OK) {
        status = attn_train_log_open(r.path.log, r.resumed ? r.checkpoint.state.count.step : -1,
                                     r.command, &r.options, &r.log, &error);
    }
    if (status == ATTN_OK) {
        status = train(&r, &error);
    }
    if (attn_train_log_close(r.log, NULL) != ATTN_OK) {
        attn_say_warning("lines of %s were lost", r.path.log);
    }
    attn_train_data_free(&r.data);
    attn_checkpoint_close(&r.checkpoint);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_train = {
    .name = "train translator",
    .summary = "train a translator from parallel text",
    .usage = "--source FILE --target FILE [--recipe NAME|FILE] [--set KEY=VALUE]... [--out MODEL]",
    .description =
        "Trains a joint tokenizer, then the Transformer, and writes MODEL.safetensors, with the "
        "log "
        "(MODEL.log.jsonl) and the curves (MODEL.curves.svg) beside it.\n"
        "Ctrl-C writes a checkpoint and stops; --resume goes on from it, bit for bit, also after a "
        "kill.\n"
        "Equal text, options and seed give an equal model, whatever the processor and the number "
        "of "
        "threads; only max_minutes depends on the machine.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 0,
    .run = run_train,
};
