/* cli/train_command.c: files, options and progress of a training; see train_command.h. */
#include "train_command.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/stat.h>
#include <unistd.h>

#include "attn/threads.h"
#include "attn/version.h"
#include "base/fail.h"
#include "base/memory.h"
#include "data.h"
#include "io/file.h"
#include "models/model_file.h"
#include "models/translator.h"
#include "show/curves.h"

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    stop = stop == 0 || number != SIGUSR1 ? number : stop;
}

/* The first signal asks for a checkpoint; a second one ends the program at once. Of several ranks, mpirun hands SIGUSR1 on and
 * does no more, while after other signals it kills. */
static void catch_signals(bool several) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (several) {
        action.sa_flags = 0;
        sigaction(SIGUSR1, &action, NULL);
    }
}

/* --parent: the end of the process that started this one is a SIGTERM. It may have ended already. */
static attn_status end_with_parent(int64_t parent, attn_error *error) {
    if (parent == 0) {
        return ATTN_OK;
    }
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--parent", -1, NULL,
                         "process %lld did not start this one, or has ended", (long long)parent);
    }
    return ATTN_OK;
#else
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, "--parent", -1, "leave it out",
                     "this system does not tell of the end of another process");
#endif
}

const attn_option attn_train_common_options[] = {
    {"recipe", 'r', ATTN_OPTION_FILE, offsetof(attn_train_common, recipe), .value = "NAME|FILE",
     .help = "read options from a recipe: a file, or the name of one in recipes/ here, beside the "
             "program or installed"},
    {"set", 's', ATTN_OPTION_LIST, offsetof(attn_train_common, set), .value = "KEY=VALUE",
     .help = "set one of the options that --list shows; may be repeated"},
    {"out", 'o', ATTN_OPTION_FILE, offsetof(attn_train_common, out), .value = "MODEL",
     .help = "the model file (default: KIND.safetensors)"},
    {"init", 0, ATTN_OPTION_FILE, offsetof(attn_train_common, init), .value = "MODEL",
     .help = "start from the weights of a finished model (fine-tuning)"},
    {"freeze", 0, ATTN_OPTION_LIST, offsetof(attn_train_common, freeze), .value = "PATTERN",
     .help =
         "leave these parameters as they are, such as 'encoder.*' (attn info --parameters lists "
         "the names); may be repeated; adds to the key freeze"},
    {"tensorboard", 0, ATTN_OPTION_FILE, offsetof(attn_train_common, tensorboard), .value = "DIR",
     .help = "write the curves for TensorBoard too"},
    {"resume", 0, ATTN_OPTION_FLAG, offsetof(attn_train_common, resume),
     .help = "continue from MODEL.checkpoint if there is one"},
    {"force", 0, ATTN_OPTION_FLAG, offsetof(attn_train_common, force),
     .help = "start over and overwrite an earlier training"},
    {"seed", 0, ATTN_OPTION_INT, offsetof(attn_train_common, seed), 0, 9007199254740992.0,
     .value = "N", .help = "seed of all random numbers (default 1)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(attn_train_common, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
    {"parent", 0, ATTN_OPTION_INT, offsetof(attn_train_common, parent), 1, 2147483647.0,
     .value = "PID",
     .help = "stop, and keep a checkpoint, when the process that started this one ends (Linux)"},
    {"quiet", 'q', ATTN_OPTION_FLAG, offsetof(attn_train_common, quiet),
     .help = "print no progress"},
    {"list", 0, ATTN_OPTION_FLAG, offsetof(attn_train_common, list),
     .help = "print all options of --set with these settings, as a recipe"},
    {.name = NULL},
};

/* ---- names ---- */

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static attn_status name_files(const char *out, attn_train_paths *path, attn_error *error) {
    static const char ending[] = ".safetensors";
    size_t length = strlen(out), tail = sizeof ending - 1;
    if (length > tail && strcmp(out + length - tail, ending) == 0) {
        length -= tail;
    }
    if (length == 0 || out[length - 1] == '/' || length + 32 > ATTN_TRAIN_PATH_SIZE) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--out", -1, NULL, "'%.200s' is not a file name",
                         out);
    }
    int stem = (int)length;
    snprintf(path->model, ATTN_TRAIN_PATH_SIZE, "%.*s.safetensors", stem, out);
    snprintf(path->best, ATTN_TRAIN_PATH_SIZE, "%.*s.best.safetensors", stem, out);
    snprintf(path->checkpoint, ATTN_TRAIN_PATH_SIZE, "%.*s.checkpoint", stem, out);
    snprintf(path->log, ATTN_TRAIN_PATH_SIZE, "%.*s.log.jsonl", stem, out);
    snprintf(path->curves, ATTN_TRAIN_PATH_SIZE, "%.*s.curves.svg", stem, out);
    return ATTN_OK;
}

/* A file, else recipes/NAME.recipe here, beside the program, or installed. */
static attn_status find_recipe(const char *name, char path[ATTN_TRAIN_PATH_SIZE],
                               attn_error *error) {
    char recipe[256];
    snprintf(path, ATTN_TRAIN_PATH_SIZE, "%s", name);
    bool file = exists(path) && !is_folder(path); /* pictures may lie in a folder of that name */
    if (strchr(name, '/') != NULL || strchr(name, '.') != NULL || file) {
        return ATTN_OK;
    }
    snprintf(recipe, sizeof recipe, "recipes/%.200s.recipe", name);
    return attn_data_find(recipe, "no such recipe", name,
                          "give the name of a recipe there, or a file", path, ATTN_TRAIN_PATH_SIZE,
                          error);
}

static attn_status check_existing(const attn_train_run *r, attn_error *error) {
    const char *found = exists(r->path.model)        ? r->path.model
                        : exists(r->path.checkpoint) ? r->path.checkpoint
                                                     : NULL;
    if (found == NULL || r->given->force || (r->given->resume && exists(r->path.checkpoint))) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, found, -1,
                     r->given->resume
                         ? "there is no checkpoint to resume from; name another --out, or start "
                           "over with --force"
                         : "name another --out, continue with --resume, or start over with --force",
                     "the file exists");
}

/* ---- options ---- */

static bool holds_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == list || at[-1] == ' ';
        if (begins && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* One more pattern, unless it is there: a resumed training has it from its checkpoint. */
static attn_status add_frozen(attn_train_run *r, const char *pattern, attn_error *error) {
    char *list = r->options->freeze;
    size_t used = strlen(list), length = strlen(pattern);
    if (holds_word(list, pattern)) {
        return ATTN_OK;
    }
    if (length == 0 || strchr(pattern, ' ') != NULL || used + length + 2 > ATTN_KEY_TEXT_SIZE) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--freeze", -1,
                         "give fewer and wider patterns, such as 'encoder.*'",
                         "the patterns together have at most %d bytes, and each is one word",
                         ATTN_KEY_TEXT_SIZE - 1);
    }
    snprintf(list + used, ATTN_KEY_TEXT_SIZE - used, "%s%s", used > 0 ? " " : "", pattern);
    return ATTN_OK;
}

/* What the checkpoint was trained with, when one is resumed, then what is asked for now. */
static attn_status read_settings(attn_train_run *r, attn_error *error) {
    const attn_recipe *recipe = &r->recipe;
    attn_status status = ATTN_OK;
    if (r->given->recipe != NULL) {
        status = find_recipe(r->given->recipe, r->path.recipe, error);
        if (status == ATTN_OK) {
            status = attn_recipe_read(recipe, r->path.recipe, error);
        }
    }
    for (size_t i = 0; i < r->given->set.count && status == ATTN_OK; i++) {
        status = attn_recipe_set_pair(recipe, r->given->set.item[i], error);
    }
    for (size_t i = 0; i < r->given->freeze.count && status == ATTN_OK; i++) {
        status = add_frozen(r, r->given->freeze.item[i], error);
    }
    if (r->given->seed >= 0) {
        r->options->seed = r->given->seed;
    }
    return status == ATTN_OK ? r->check(recipe->values, error) : status;
}

static attn_status read_options(attn_train_run *r, attn_error *error) {
    if (!r->resumed) {
        return read_settings(r, error);
    }
    attn_status status = attn_recipe_parse(&r->recipe, r->checkpoint.options,
                                           r->checkpoint.options_size, r->path.checkpoint, error);
    attn_recipe before = r->recipe;
    before.values = attn_alloc(r->recipe_size);
    if (status == ATTN_OK && before.values == NULL) {
        status = attn_fail_memory(error, r->recipe_size);
    }
    if (status == ATTN_OK) {
        memcpy(before.values, r->recipe.values, r->recipe_size);
        status = read_settings(r, error);
    }
    if (status == ATTN_OK) {
        status = attn_recipe_same(&before, &r->recipe, error);
    }
    attn_free(before.values);
    return status;
}

void attn_train_list(const attn_train_run *r) {
    for (size_t i = 0; i < r->recipe.count; i++) {
        char value[256];
        attn_recipe_print(&r->recipe.keys[i], r->recipe.values, value, sizeof value);
        printf("# %s\n%s = %s\n", r->recipe.keys[i].help, r->recipe.keys[i].name, value);
    }
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
static void describe_command(attn_train_run *r, const attn_train_named *named, size_t count) {
    const attn_train_common *given = r->given;
    snprintf(r->command, sizeof r->command, "attn train %s", r->kind);
    for (size_t i = 0; i < count; i++) {
        if (named[i].value != NULL) {
            append(r->command, sizeof r->command, " --");
            append(r->command, sizeof r->command, named[i].name);
            append(r->command, sizeof r->command, " ");
            append(r->command, sizeof r->command, file_name(named[i].value));
        }
    }
    if (given->init != NULL) {
        append(r->command, sizeof r->command, " --init ");
        append(r->command, sizeof r->command, file_name(given->init));
    }
    if (given->recipe != NULL) {
        append(r->command, sizeof r->command, " --recipe ");
        append(r->command, sizeof r->command, file_name(given->recipe));
    }
    for (size_t i = 0; i < given->freeze.count; i++) {
        append(r->command, sizeof r->command, " --freeze '");
        append(r->command, sizeof r->command, given->freeze.item[i]);
        append(r->command, sizeof r->command, "'");
    }
    for (size_t i = 0; i < given->set.count; i++) {
        append(r->command, sizeof r->command, " --set '");
        append(r->command, sizeof r->command, given->set.item[i]);
        append(r->command, sizeof r->command, "'");
    }
    char seed[40];
    snprintf(seed, sizeof seed, " --seed %lld", (long long)r->options->seed);
    append(r->command, sizeof r->command, seed);
}

/* ---- the training ---- */

/* A rank that the others wait for is named once. */
static void watch_ranks(attn_train_run *r, const attn_train_event *event) {
    double waited = event->slowest_seconds - event->seconds_of_others;
    if (event->kind == ATTN_TRAIN_LOG && event->ranks > 1 && r->named_rank != event->slowest + 1 &&
        waited > 0.25 * event->slowest_seconds && waited > 1) {
        r->named_rank = event->slowest + 1;
        attn_train_progress_end(&r->progress);
        attn_train_say(r, "rank %d on %s is slow: the others wait for it %.0f %% of the time\n",
                       event->slowest, event->slowest_host, 100 * waited / event->slowest_seconds);
    }
}

static void on_event(const attn_train_event *event, void *context) {
    attn_train_run *r = context;
    watch_ranks(r, event);
    attn_train_log_event(r->log, event);
    attn_tensorboard_event(r->board, event);
    attn_train_progress_event(&r->progress, event);
    if (event->kind == ATTN_TRAIN_VALIDATION) {
        /* A picture of the way so far; one that fails is no reason to stop. */
        attn_error ignored;
        if (attn_curves_draw(r->path.log, r->path.curves, &ignored) != ATTN_OK) {
            return;
        }
    }
}

void attn_train_say(const attn_train_run *r, const char *format, ...) {
    if (!r->given->quiet && attn_group_leads(r->group)) {
        va_list arguments;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
    }
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

static void print_summary(const attn_train_run *r, const char *unit,
                          const attn_train_summary *summary) {
    char time[32], model[40] = "moving average";
    attn_train_duration(summary->seconds, time, sizeof time);
    if (summary->averaged > 0) {
        snprintf(model, sizeof model, "%lld averaged", (long long)summary->averaged);
    }
    char trained[48] = "";
    if (summary->trained < summary->parameters) {
        snprintf(trained, sizeof trained, ", %lld of them trained", (long long)summary->trained);
    }
    attn_train_say(r, "%s: %lld steps, %lld epochs, %lld %s in %s; %lld parameters%s, %s\n",
                   ending_text(summary->ending), (long long)summary->steps,
                   (long long)summary->epochs, (long long)summary->units, unit, time,
                   (long long)summary->parameters, trained, model);
    if (summary->skipped > 0) {
        attn_train_say(r, "%lld steps were skipped: their loss or gradient was NaN or infinite\n",
                       (long long)summary->skipped);
    }
    attn_train_say(r, "%s\n%s\n%s\n", r->path.model, r->path.log, r->path.curves);
}

static attn_status run_training(attn_train_run *r, const attn_task *task,
                                const attn_metadata *facts, size_t fact_count, attn_error *error) {
    attn_training training = {
        .options = r->options,
        .recipe = &r->recipe,
        .task = task,
        .group = r->group,
        .model_path = r->path.model,
        .best_path = r->path.best,
        .checkpoint_path = r->path.checkpoint,
        .resume = r->resumed ? &r->checkpoint : NULL,
        .facts = facts,
        .fact_count = fact_count,
        .report = on_event,
        .context = r,
        .stop = &stop,
    };
    attn_train_summary summary;
    catch_signals(attn_group_size(r->group) > 1);
    attn_status status = attn_training_run(&training, &summary, error);
    attn_train_progress_end(&r->progress);
    r->alone = summary.alone;
    if (status != ATTN_OK || !attn_group_leads(r->group)) {
        return status;
    }
    status = attn_train_log_close(r->log, error);
    r->log = NULL;
    if (status == ATTN_OK) {
        status = attn_curves_draw(r->path.log, r->path.curves, error);
        if (status == ATTN_ERR_UNSUPPORTED) { /* the training is none the worse for it */
            attn_say_error(error);
            status = ATTN_OK;
        }
    }
    if (status == ATTN_OK) {
        print_summary(r, task->unit, &summary);
    }
    return status;
}

/* The parameters of the model, adapters left out. */
static size_t count_own(const attn_params *params) {
    size_t count = 0;
    for (size_t i = 0; i < attn_params_count(params); i++) {
        count += !attn_translator_is_adapter(attn_params_at(params, i)->name);
    }
    return count;
}

/* What a resumed training started from is in its checkpoint already, unless only part of it was trained. */
static attn_status start_from(attn_train_run *r, const attn_task *task, attn_error *error) {
    char left[160];
    size_t taken, count;
    if (r->given->init == NULL || (r->resumed && !r->partial)) {
        return ATTN_OK;
    }
    attn_status status = r->start != NULL
                             ? r->start->take(r, task->params, &taken, left, sizeof left, error)
                             : attn_model_file_start_from(r->given->init, r->kind, task->params,
                                                          &taken, left, sizeof left, error);
    count = count_own(task->params);
    if (status == ATTN_OK) {
        attn_train_say(r, "starting from %zu of %zu tensors of %s%s%s\n", taken, count,
                       r->given->init, taken < count ? "; new: " : "", left);
    }
    return status;
}

/* The log and what is beside it. */
static attn_status open_outputs(attn_train_run *r, attn_error *error) {
    attn_status status =
        attn_train_log_open(r->path.log, r->resumed ? r->checkpoint.state.count.step : -1,
                            r->command, &r->recipe, &r->log, error);
    if (status == ATTN_OK) { /* the log is locked: nobody else writes these */
        attn_file_remove_stale(r->path.checkpoint);
        attn_file_remove_stale(r->path.best);
        attn_file_remove_stale(r->path.model);
    }
    if (status == ATTN_OK && r->given->tensorboard != NULL) {
        status = attn_tensorboard_open(r->given->tensorboard, &r->board, error);
    }
    if (status == ATTN_OK && !r->resumed && r->count_count > 0) {
        attn_train_log_data(r->log, r->count, r->count_count);
    }
    return status;
}

enum { OWN_FACTS = 6, MOST_FACTS = 32 };

attn_status attn_train_task(attn_train_run *r, const attn_task *task, const attn_train_named *named,
                            size_t named_count, const attn_metadata *facts, size_t fact_count,
                            attn_error *error) {
    describe_command(r, named, named_count);
    bool leads = attn_group_leads(r->group);
    attn_train_progress_init(&r->progress, r->given->quiet || !leads, r->options->max_steps);
    attn_metadata all[MOST_FACTS] = {
        {"name", r->options->name},        {"licence", r->options->licence},
        {"data", r->options->data},        {"attribution", r->options->attribution},
        {"training.attn", attn_version()}, {"training.command", r->command},
    };
    size_t count = OWN_FACTS;
    for (size_t i = 0; i < fact_count && count < MOST_FACTS; i++) {
        all[count++] = facts[i];
    }
    attn_status status = start_from(r, task, error);
    status = status == ATTN_OK && leads ? open_outputs(r, error) : status;
    status = attn_train_agree(r, status, error);
    return status == ATTN_OK ? run_training(r, task, all, count, error) : status;
}

/* ---- several ranks ---- */

attn_status attn_train_agree(const attn_train_run *r, attn_status status, attn_error *error) {
    return attn_group_agree(r->group, status, error);
}

/* Ranks on one machine divide its processors, unless the launcher has. */
static void set_threads(const attn_train_run *r) {
    int here = attn_group_here(r->group), threads = attn_get_threads();
    if (r->given->threads > 0) {
        attn_set_threads((int)r->given->threads);
    } else if (here > 1 && getenv("OMP_NUM_THREADS") == NULL &&
               threads >= sysconf(_SC_NPROCESSORS_ONLN)) {
        attn_set_threads(threads > here ? threads / here : 1);
    }
}

/* What lies beside the model is rank 0's affair; the others are told. */
static attn_status find_checkpoint(attn_train_run *r, attn_error *error) {
    attn_status status = ATTN_OK;
    if (attn_group_leads(r->group)) {
        status = r->given->list ? ATTN_OK : check_existing(r, error);
        if (status == ATTN_OK && r->given->resume && exists(r->path.checkpoint)) {
            status = attn_checkpoint_load(r->path.checkpoint, &r->checkpoint, error);
            r->resumed = status == ATTN_OK;
        }
    }
    status = attn_train_agree(r, status, error);
    return status == ATTN_OK ? attn_checkpoint_share(r->group, &r->checkpoint, &r->resumed, error)
                             : status;
}

attn_status attn_train_prepare(attn_train_run *r, attn_error *error) {
    attn_status status = end_with_parent(r->given->parent, error);
    status = status == ATTN_OK ? attn_group_join(&stop, &r->group, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    set_threads(r);
    status = name_files(r->given->out, &r->path, error);
    status = status == ATTN_OK ? find_checkpoint(r, error) : status;
    if (status == ATTN_OK && r->start != NULL && r->given->init != NULL && !r->resumed) {
        status = r->start->open(r, error);
    }
    status = status == ATTN_OK ? read_options(r, error) : status;
    r->partial =
        r->is_partial != NULL ? r->is_partial(r->recipe.values) : r->options->freeze[0] != '\0';
    if (status == ATTN_OK && r->start != NULL && r->given->init != NULL && r->resumed &&
        r->partial) {
        status = r->start->open(r, error);
    }
    return status;
}

int attn_train_close(attn_train_run *r, attn_status status, const attn_error *failure) {
    if (attn_train_log_close(r->log, NULL) != ATTN_OK) {
        attn_say_warning("lines of %s were lost", r->path.log);
    }
    attn_error error;
    if (attn_tensorboard_close(r->board, &error) != ATTN_OK) {
        attn_say_warning("curves for TensorBoard were lost: %s: %s", error.where, error.what);
    }
    attn_checkpoint_close(&r->checkpoint);
    if (status != ATTN_OK && (attn_group_leads(r->group) || r->alone)) {
        attn_say_error(failure);
    }
    if (r->alone) {
        attn_group_abandon(r->group);
    }
    attn_group_leave(r->group);
    return status == ATTN_OK ? ATTN_EXIT_OK : ATTN_EXIT_FAILURE;
}
